//! The key set of an authorization server (RFC 7517 §5): the recorded one, with our public keys in the place of those that signed
//! the tokens of the tape, so that a client which verifies accepts what is issued here.

use super::jwt::Pattern;
use super::signer::{Algorithm, Signer};
use super::tape::{Tape, is_success};
use crate::exchange::{Exchange, Response};
use crate::model::Issuer;
use crate::protocol::{Endpoint, Kind};
use serde_json::{Map, Value, json};

/// Which keys an authorization server signs with, and where it publishes them.
pub(super) struct KeySet {
    issuer: String,
    pub(super) place: Option<Endpoint>,
    keys: Vec<(Option<String>, Algorithm)>,
}

/// Members of a recorded JWK that are not about the key itself.
const ABOUT: &[&str] = &["kid", "use", "key_ops", "alg"];

/// The members of a token answer that may be JWTs.
const TOKENS: &[&str] = &["access_token", "id_token", "refresh_token"];

impl KeySet {
    /// What the tape shows of an authorization server's keys.
    pub(super) fn of(tape: &Tape, issuer: &Issuer) -> Self {
        let endpoint = Endpoint::parse(&issuer.endpoints.token);
        let own = |exchange: &Exchange| Endpoint::parse(&exchange.request.url) == endpoint;
        let answers = tape.iter().filter(|(_, own)| own.kind.is_token()).map(|(_, own)| &own.exchange).filter(|exchange| own(exchange));
        let mut keys = Vec::new();
        for body in answers.filter_map(Exchange::response).filter_map(|response| response.body.content.json()) {
            for pattern in TOKENS.iter().filter_map(|name| Pattern::of(body[*name].as_str()?)) {
                let Some(algorithm) = pattern.algorithm().filter(|algorithm| algorithm.key_type() != "oct") else { continue };
                let key = (pattern.key_id().map(str::to_owned), algorithm);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        Self { issuer: issuer.identifier.clone(), place: place_of(tape, issuer), keys }
    }

    /// True when nothing here needs another key set than the recorded one.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn prepare(&self, signer: &mut dyn Signer) {
        for (id, algorithm) in &self.keys {
            signer.prepare(&self.issuer, id.as_deref(), *algorithm);
        }
    }

    /// The recorded document with our keys.
    pub(super) fn document(&self, recorded: Option<&Response>, signer: &mut dyn Signer) -> Value {
        let body = recorded.filter(|response| is_success(response.status)).and_then(|response| response.body.content.json());
        let mut document = body.map_or_else(|| json!({"keys": []}), |body| body.into_owned());
        let mut all = document["keys"].as_array().cloned().unwrap_or_default();
        for (id, algorithm) in &self.keys {
            let Some(public) = signer.public(&self.issuer, id.as_deref(), *algorithm) else { continue };
            let place = all.iter().position(|key| is_that(key, id.as_deref(), *algorithm));
            let mut key: Map<String, Value> = public;
            match place.and_then(|place| all[place].as_object()) {
                Some(recorded) => key.extend(recorded.iter().filter(|(name, _)| ABOUT.contains(&name.as_str())).map(own)),
                None => {
                    key.extend(id.as_ref().map(|id| ("kid".to_owned(), json!(id))));
                    key.insert("use".to_owned(), json!("sig"));
                    key.insert("alg".to_owned(), json!(algorithm.name()));
                }
            }
            match place {
                Some(place) => all[place] = Value::Object(key),
                None => all.push(Value::Object(key)),
            }
        }
        document["keys"] = Value::Array(all);
        document
    }
}

fn own((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// True for the recorded key of that id; without an id, for the first one of that type that signs.
fn is_that(key: &Value, id: Option<&str>, algorithm: Algorithm) -> bool {
    let is_type = key["kty"] == algorithm.key_type() && key["use"] != "enc";
    is_type && id.is_none_or(|id| key["kid"] == id)
}

/// Where the metadata says that the key set is (RFC 8414 §2).
fn place_of(tape: &Tape, issuer: &Issuer) -> Option<Endpoint> {
    let documents = tape.of_kind(Kind::AsMetadata).chain(tape.of_kind(Kind::OidcConfig));
    let bodies = documents.filter_map(|(_, response)| response.body.content.json());
    let named = bodies.filter(|body| body["issuer"] == *issuer.identifier).find_map(|body| Endpoint::parse(body["jwks_uri"].as_str()?));
    named.or_else(|| tape.of_kind(Kind::Jwks).find_map(|(exchange, _)| Endpoint::parse(&exchange.request.url)))
}
