//! A recorded JWT as the pattern of another: the same header and claims, with the times, ids and names of the live grant (RFC 7519
//! §4.1, RFC 9068 §2.2, OpenID Connect Core §2). Does not know who signs it.

use super::signer::{Algorithm, Signer, SigningKey};
use crate::exchange::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What stands in a recorded JWT.
pub(super) struct Pattern {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Access,
    Identity,
    Refresh,
}

/// What is true of the live tokens.
#[derive(Clone)]
pub(super) struct Facts {
    /// The issuer identifier.
    pub(super) issuer: String,
    /// The time, in seconds since the Unix epoch.
    pub(super) now: u64,
    /// When the access token ends, in seconds since the Unix epoch.
    pub(super) expires: u64,
    /// The client id of the recorded tokens, and of these.
    pub(super) client: (String, String),
    /// The secret of the client.
    pub(super) secret: Option<String>,
    pub(super) scope: String,
    /// The resources that they are for; empty when nobody named one.
    pub(super) audience: Vec<String>,
    /// The resources that the authorization server knows.
    pub(super) resources: Vec<String>,
    pub(super) nonce: Option<String>,
    /// A value that no other token has.
    pub(super) id: String,
    /// The access token.
    pub(super) access: String,
    pub(super) code: Option<String>,
    /// The thumbprint of the key that the client proved to have.
    pub(super) thumbprint: Option<String>,
}

/// Header parameters that describe another key than ours.
const OF_THE_KEY: &[&str] = &["x5c", "x5t", "x5t#S256", "x5u", "jwk"];

impl Pattern {
    /// Reads a compact serialization of three parts.
    pub(super) fn of(token: &str) -> Option<Self> {
        let [header, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { return None };
        let part = |text: &str| -> Option<Map<String, Value>> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
        Some(Self { header: part(header)?, claims: part(claims)? })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid")?.as_str()
    }

    /// How it is signed; RS256 in place of what we cannot do, `None` for a token without signature.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        let name = self.header.get("alg").and_then(Value::as_str).unwrap_or_default();
        (name != "none").then(|| Algorithm::parse(name).unwrap_or(Algorithm::Rs(256)))
    }

    /// A token of the same kind for the live grant; `None` when it cannot be signed.
    pub(super) fn issue(&self, sort: Sort, facts: &Facts, signer: &mut dyn Signer) -> Option<String> {
        let algorithm = self.algorithm();
        let mut header = self.header.clone();
        header.retain(|name, _| !OF_THE_KEY.contains(&name.as_str()));
        if let Some(algorithm) = algorithm.filter(|_| Algorithm::parse(header["alg"].as_str().unwrap_or_default()).is_none()) {
            header.insert("alg".to_owned(), json!(algorithm.name()));
        }
        let encoded = |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string());
        let input = format!("{}.{}", encoded(header), encoded(self.claims(sort, facts, algorithm)));
        let Some(algorithm) = algorithm else { return Some(format!("{input}.")) };
        let key = match (algorithm, &facts.secret) {
            (Algorithm::Hs(_), Some(secret)) if sort == Sort::Identity => SigningKey::Secret(secret.as_bytes()),
            _ => SigningKey::Own(&facts.issuer, self.key_id()),
        };
        let signature = signer.sign(key, algorithm, input.as_bytes())?;
        Some(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn claims(&self, sort: Sort, facts: &Facts, algorithm: Option<Algorithm>) -> Map<String, Value> {
        let shift = self.shift(facts.now);
        let half = |text: &str| Value::from(half_hash(text, algorithm.map_or(256, Algorithm::hash_bits)));
        let mut claims = Map::new();
        for (name, recorded) in &self.claims {
            let now = match name.as_str() {
                "exp" if sort == Sort::Access => Some(json!(facts.expires)),
                "iat" | "nbf" | "exp" | "auth_time" => shifted(recorded, shift),
                "client_id" | "azp" => Some(json!(facts.client.1)),
                "aud" => Some(audience(sort, recorded, facts)),
                "scope" | "scp" => Some(scope(recorded, &facts.scope)),
                "nonce" | "s_hash" => None,
                "jti" => Some(json!(facts.id)),
                "at_hash" => Some(half(&facts.access)),
                "c_hash" => facts.code.as_deref().map(half),
                "cnf" => facts.thumbprint.as_ref().map(|thumbprint| json!({"jkt": thumbprint})),
                _ => Some(renamed(recorded, &facts.client)),
            };
            claims.extend(now.map(|now| (name.clone(), now)));
        }
        match sort {
            Sort::Identity => claims.extend(facts.nonce.as_ref().map(|nonce| ("nonce".to_owned(), json!(nonce)))),
            // Without it two tokens of one second would be one.
            Sort::Access | Sort::Refresh => drop(claims.entry("jti").or_insert_with(|| json!(facts.id))),
        }
        claims
    }

    /// What lies between the recorded time of issue and now, in seconds.
    fn shift(&self, now: u64) -> i64 {
        let time = |name: &str| self.claims.get(name).and_then(seconds);
        let then = time("iat").or_else(|| time("nbf")).or_else(|| time("auth_time")).or_else(|| time("exp").map(|end| end - 3600));
        then.map_or(0, |then| i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(then))
    }

    /// How long the recorded token lasts, in seconds.
    pub(super) fn lifetime(&self) -> Option<u64> {
        let time = |name: &str| self.claims.get(name).and_then(seconds);
        u64::try_from(time("exp")?.checked_sub(time("iat")?)?).ok()
    }
}

/// RFC 7519 §2: seconds, possibly with a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|time| time.abs() < 1e15).map(|time| time as i64))
}

fn shifted(recorded: &Value, shift: i64) -> Option<Value> {
    // A refresh token without end says 0.
    seconds(recorded).map(|time| json!(if time == 0 { 0 } else { time.saturating_add(shift) }))
}

/// The audience of the recorded token, with the resources and the client of this one.
fn audience(sort: Sort, recorded: &Value, facts: &Facts) -> Value {
    let is_resource = |value: &Value| facts.resources.iter().any(|own| *value == **own);
    let own: Vec<&Value> = recorded.as_array().map_or_else(|| vec![recorded], |list| list.iter().collect());
    if sort != Sort::Access || facts.audience.is_empty() || !own.iter().copied().any(is_resource) {
        return renamed(recorded, &facts.client);
    }
    let further = own.into_iter().filter(|value| !is_resource(value)).map(|value| renamed(value, &facts.client));
    let mut all: Vec<Value> = facts.audience.iter().map(|resource| json!(resource)).chain(further).collect();
    if recorded.is_string() && all.len() == 1 { all.remove(0) } else { Value::Array(all) }
}

fn scope(recorded: &Value, live: &str) -> Value {
    match recorded {
        _ if live.is_empty() => recorded.clone(),
        Value::Array(_) => live.split(' ').collect(),
        _ => json!(live),
    }
}

/// The value with the live client id for the recorded one, wherever it stands.
fn renamed(value: &Value, client: &(String, String)) -> Value {
    let name = |text: &str| if text == client.0 { client.1.to_owned() } else { text.to_owned() };
    match value {
        Value::String(text) => Value::from(name(text)),
        Value::Array(items) => items.iter().map(|item| renamed(item, client)).collect(),
        Value::Object(members) => members.iter().map(|(own, member)| (name(own), renamed(member, client))).collect(),
        other => other.clone(),
    }
}

/// The left half of a hash (OpenID Connect Core §3.1.3.6).
fn half_hash(text: &str, bits: u16) -> String {
    let whole = match bits {
        384 => Sha384::digest(text).to_vec(),
        512 => Sha512::digest(text).to_vec(),
        _ => Sha256::digest(text).to_vec(),
    };
    URL_SAFE_NO_PAD.encode(&whole[..whole.len() / 2])
}

/// The thumbprint of the key in a DPoP proof (RFC 9449 §6.1, RFC 7638 §3). The proof itself is not verified.
pub(super) fn proof_thumbprint(request: &Request) -> Option<String> {
    let proof = Pattern::of(request.headers.first("dpop")?)?;
    let key = proof.header.get("jwk")?.as_object()?;
    let required: &[&str] = match key.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let kept: Option<Map<String, Value>> = required.iter().map(|name| Some(((*name).to_owned(), key.get(*name)?.clone()))).collect();
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(Value::Object(kept?).to_string())))
}
