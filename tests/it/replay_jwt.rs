//! JWTs in replay: what the tape's server signed is signed again with keys of the run, and a verifier that is not ours accepts it
//! with the key set that is served.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::replay_lab::{AUTH, CHALLENGE, MCP, Making, REDIRECT, Tape, VERIFIER, front, said, talk};
use authtape::cassette::Cassette;
use authtape::demo::{Plan, World};
use authtape::exchange::{Body, Content, Exchange, Form, Headers, Json, Outcome, Request, Response, Version};
use authtape::keys::KeyRing;
use authtape::model::{Decided, Moment};
use authtape::protocol::Kind;
use authtape::replay::{Algorithm, Player, PlayerOptions, Signer, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

/// A player over a tape whose token answers hold JWTs of this algorithm.
struct Bench {
    player: Player,
    now: Moment,
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A JWT as it stands in a tape: everything but the signature.
fn recorded(header: &Value, claims: &Value) -> String {
    let signature = if header["alg"] == "none" { "" } else { "SCRUBBED0099xxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
    format!("{}.{}.{signature}", encoded(header), encoded(claims))
}

fn json_body(value: Value) -> Body {
    Body { content: Content::Json(Json { value, style: Default::default() }), ..Body::default() }
}

/// The tape with JWTs in its token answers, a place for keys in its metadata and a key set.
fn with_jwts(mut cassette: Cassette, algorithm: &str, key_set: Option<Value>) -> Cassette {
    let header = json!({"alg": algorithm, "typ": "JWT", "kid": "key-1"});
    let mut client = Value::Null;
    for interaction in &mut cassette.interactions {
        let asked = interaction.exchange.request.body.content.form().and_then(|form| form.first("client_id").map(str::to_owned));
        let Some(response) = interaction.exchange.response_mut() else { continue };
        let Some(body) = response.body.content.json().map(|body| body.into_owned()) else { continue };
        let mut body = body;
        match interaction.kind {
            Kind::AsMetadata => body["jwks_uri"] = json!(format!("{AUTH}/jwks")),
            Kind::DcrCreate => client = body["client_id"].clone(),
            Kind::TokenCode => {
                assert_eq!(Some(client.as_str().unwrap()), asked.as_deref());
                let times = json!({"iat": 1_700_000_000, "nbf": 1_699_999_990, "exp": 1_700_003_600, "auth_time": 1_699_999_900});
                let mut access = json!({"iss": AUTH, "aud": MCP, "sub": "S1xxx", "client_id": client, "scope": "old", "jti": "S2xxx",
                    "cnf": {"jkt": "S3xxx"}});
                let mut identity = json!({"iss": AUTH, "aud": [client], "azp": client, "sub": "S1xxx", "nonce": "S4xxx",
                    "at_hash": "S5xxx", "email": "user2@example.com"});
                access.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
                identity.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
                body["access_token"] = json!(recorded(&header, &access));
                body["id_token"] = json!(recorded(&header, &identity));
                let refresh = json!({"typ": "Refresh", "iat": 1_700_000_000, "exp": 1_700_086_400, "azp": client});
                body["refresh_token"] = json!(recorded(&json!({"alg": "HS512", "kid": "inner"}), &refresh));
            }
            _ => continue,
        }
        response.body = json_body(body);
    }
    if let Some(key_set) = key_set {
        let mut last = cassette.interactions.last().unwrap().clone();
        let trailers = Headers::new();
        let headers: Headers = [("content-type", "application/jwk-set+json"), ("cache-control", "max-age=99")].into_iter().collect();
        last.kind = Kind::Jwks;
        last.exchange = Exchange {
            number: 999,
            request: request("GET", &format!("{AUTH}/jwks"), &[], Content::Empty),
            outcome: Outcome::Response(Response { status: 200, headers, body: json_body(key_set), trailers }),
            ..last.exchange
        };
        cassette.interactions.push(last);
    }
    cassette
}

fn request(method: &str, url: &str, headers: &[(&str, &str)], content: Content) -> Request {
    let body = Body { content, ..Body::default() };
    let headers = headers.iter().copied().collect();
    Request { method: method.to_owned(), url: url.to_owned(), version: Version::Http11, headers, body, trailers: Headers::new() }
}

impl Bench {
    fn new(cassette: Cassette) -> Self {
        let player = Player::new(cassette, [3; 32], &PlayerOptions::default()).unwrap().sign_with(Box::new(KeyRing::default()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self { player, now: Moment::since_epoch(now) }
    }

    fn send(&mut self, request: &Request) -> (u16, Value, Headers) {
        let reply = self.player.answer(request, 1, self.now).reply;
        (reply.status, serde_json::from_slice(&reply.body()).unwrap_or_default(), reply.headers)
    }

    fn post(&mut self, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> (u16, Value) {
        let form = fields.iter().copied().collect::<Form>();
        let (status, body, _) = self.send(&request("POST", &format!("{AUTH}/token"), headers, Content::Form(form)));
        (status, body)
    }

    /// A login with the nonce `live nonce`: the client id and the answer of the token endpoint.
    fn login(&mut self, method: &str) -> (Value, Value) {
        let metadata = json!({"redirect_uris": [REDIRECT], "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": method});
        let content = Content::of(metadata.to_string().into(), &Headers::new());
        let (_, client, _) = self.send(&request("POST", &format!("{AUTH}/register"), &[], content));
        let id = client["client_id"].as_str().unwrap();
        let mut url = Url::parse(&format!("{AUTH}/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([("client_id", id), ("response_type", "code"), ("state", "s"), ("nonce", "live nonce")]);
        url.query_pairs_mut().extend_pairs([("redirect_uri", REDIRECT), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        url.query_pairs_mut().extend_pairs([("scope", "openid a"), ("resource", MCP)]);
        let (_, _, headers) = self.send(&request("GET", url.as_str(), &[], Content::Empty));
        let redirect = Url::parse(headers.first("location").unwrap()).unwrap();
        let code = redirect.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let mut fields = vec![("grant_type", "authorization_code"), ("client_id", id), ("code", &code), ("code_verifier", VERIFIER)];
        fields.push(("redirect_uri", REDIRECT));
        fields.extend(client["client_secret"].as_str().map(|secret| ("client_secret", secret)));
        let (status, tokens) = self.post(&fields, &[]);
        assert_eq!(status, 200, "{tokens}");
        (client, tokens)
    }

    fn key_set(&mut self) -> (Value, Headers) {
        let (status, body, headers) = self.send(&request("GET", &format!("{AUTH}/jwks"), &[], Content::Empty));
        assert_eq!(status, 200);
        (body, headers)
    }

    fn list_tools(&mut self, bearer: &str) -> u16 {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
        let bearer = format!("Bearer {bearer}");
        let headers = [("authorization", bearer.as_str()), ("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
        self.send(&request("POST", MCP, &headers, Content::of(message.to_string().into(), &Headers::new()))).0
    }
}

/// Verifies with the key set, as a client does: `iss`, `aud`, `exp`, the signature.
fn verified(token: &str, keys: &Value, audience: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(keys.clone()).unwrap();
    let header = decode_header(token).unwrap();
    let key = keys.find(header.kid.as_deref().unwrap()).expect("the key set holds the kid");
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[AUTH]);
    validation.validate_nbf = true;
    decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

#[test]
fn every_algorithm_is_signed_again_and_a_verifier_accepts_it() {
    let tape = Tape::record(Making::of(Plan::default())).cassette();
    // jsonwebtoken knows no ES512: its signature is verified in `keys`.
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
        let mut bench = Bench::new(with_jwts(tape.clone(), algorithm, None));
        let (client, tokens) = bench.login("none");
        let (keys, _) = bench.key_set();
        assert_eq!((keys["keys"].as_array().unwrap().len(), &keys["keys"][0]["alg"]), (1, &json!(algorithm)));
        let client = text(&client, "client_id");
        let access = verified(text(&tokens, "access_token"), &keys, MCP);
        assert_eq!((&access["client_id"], &access["sub"], &access["scope"]), (&json!(client), &json!("S1xxx"), &json!("openid a")));
        assert_ne!(access["jti"], "S2xxx");
        assert_eq!(access.get("cnf"), None, "no proof, no binding");
        let now = bench.now.seconds();
        let times = ["iat", "nbf", "exp", "auth_time"].map(|name| access[name].as_u64().unwrap());
        assert_eq!(times, [now, now - 10, now + 3600, now - 100]);
        let identity = verified(text(&tokens, "id_token"), &keys, client);
        assert_eq!(
            (&identity["azp"], &identity["nonce"], &identity["email"]),
            (&json!(client), &json!("live nonce"), &json!("user2@example.com"))
        );
        assert_ne!(identity["at_hash"], "S5xxx");
        assert_eq!(bench.list_tools(text(&tokens, "access_token")), 200, "{algorithm}");
        let mut other = Bench::new(with_jwts(tape.clone(), algorithm, None));
        assert_ne!(other.key_set().0, keys, "each run has its own keys");
        assert_eq!(other.list_tools(text(&tokens, "access_token")), 401, "{algorithm}");
    }
}

#[test]
fn a_signature_does_not_open_the_door_and_a_placeholder_does_not_either() {
    let tape = with_jwts(Tape::record(Making::of(Plan::default())).cassette(), "ES256", None);
    let placeholder = tape.interactions.iter().find(|own| own.kind == Kind::TokenCode).unwrap().exchange.response().unwrap();
    let placeholder = text(&placeholder.body.content.json().unwrap(), "access_token").to_owned();
    let mut bench = Bench::new(tape);
    let (client, tokens) = bench.login("none");
    let [header, claims, signature] = text(&tokens, "access_token").split('.').collect::<Vec<_>>()[..] else { panic!("no JWT") };
    assert_eq!(bench.list_tools(&placeholder), 401);
    assert_eq!(bench.list_tools(&format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>())), 401);
    assert_eq!(bench.list_tools(text(&tokens, "id_token")), 401);
    let refreshed = bench.post(
        &[("grant_type", "refresh_token"), ("client_id", text(&client, "client_id")), ("refresh_token", text(&tokens, "refresh_token"))],
        &[],
    );
    assert_eq!(refreshed.0, 200, "{}", refreshed.1);
    assert_ne!(refreshed.1["access_token"], tokens["access_token"]);
    assert!(decode_header(text(&refreshed.1, "refresh_token")).is_ok());
    bench.now = bench.now.plus(Duration::from_secs(3600));
    assert_eq!(bench.list_tools(text(&refreshed.1, "access_token")), 401, "it ends when its exp says");
    bench.now = bench.now.plus(Duration::from_secs(86_400 - 3600));
    let client = text(&client, "client_id");
    let late = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", text(&refreshed.1, "refresh_token"))];
    assert_eq!(bench.post(&late, &[]).0, 400, "and so does a refresh token that is a JWT");
}

#[test]
fn a_recorded_key_set_keeps_its_other_keys_and_its_headers() {
    let key_set = json!({"keys": [
        {"kty": "RSA", "use": "enc", "kid": "key-0", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "use": "sig", "kid": "key-1", "alg": "RS256", "n": "AQAB", "e": "AQAB", "x5c": ["MII"], "x5t": "abc"},
    ]});
    let mut bench = Bench::new(with_jwts(Tape::record(Making::of(Plan::default())).cassette(), "RS256", Some(key_set.clone())));
    let (keys, headers) = bench.key_set();
    assert_eq!((headers.first("content-type"), headers.first("cache-control")), (Some("application/jwk-set+json"), Some("max-age=99")));
    assert_eq!((&keys["keys"][0], keys["keys"].as_array().unwrap().len()), (&key_set["keys"][0], 2));
    let own = &keys["keys"][1];
    assert_eq!((&own["kid"], &own["use"], own.get("x5c"), own.get("x5t")), (&json!("key-1"), &json!("sig"), None, None));
    assert_ne!(own["n"], "AQAB");
    let (client, tokens) = bench.login("none");
    verified(text(&tokens, "id_token"), &keys, text(&client, "client_id"));
}

#[test]
fn a_client_secret_signs_hs256_and_what_we_cannot_sign_is_rs256() {
    let tape = Tape::record(Making::of(Plan::default())).cassette();
    let mut bench = Bench::new(with_jwts(tape.clone(), "HS256", None));
    let (client, tokens) = bench.login("client_secret_post");
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&[text(&client, "client_id"), MCP]);
    let key = DecodingKey::from_secret(text(&client, "client_secret").as_bytes());
    decode::<Value>(text(&tokens, "id_token"), &key, &validation).unwrap();
    assert!(decode::<Value>(text(&tokens, "access_token"), &key, &validation).is_err(), "an access token is not the client's to make");
    let mut bench = Bench::new(with_jwts(tape.clone(), "ES256K", None));
    let (client, tokens) = bench.login("none");
    let (keys, _) = bench.key_set();
    verified(text(&tokens, "id_token"), &keys, text(&client, "client_id"));
    let mut bench = Bench::new(with_jwts(tape, "none", None));
    let (_, tokens) = bench.login("none");
    assert!(text(&tokens, "id_token").ends_with('.'));
    assert_eq!(bench.list_tools(text(&tokens, "access_token")), 200);
}

#[test]
fn a_proof_of_a_key_binds_the_token_to_it() {
    let mut bench = Bench::new(with_jwts(Tape::record(Making::of(Plan::default())).cassette(), "EdDSA", None));
    let (client, tokens) = bench.login("none");
    // RFC 7638 §3.1: the example and its thumbprint.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let header =
        json!({"typ": "dpop+jwt", "alg": "RS256", "jwk": {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}});
    let proof = format!("{}.{}.c2ln", encoded(&header), encoded(&json!({"htm": "POST"})));
    let fields =
        [("grant_type", "refresh_token"), ("client_id", text(&client, "client_id")), ("refresh_token", text(&tokens, "refresh_token"))];
    let (_, tokens) = bench.post(&fields, &[("dpop", &proof)]);
    let access = verified(text(&tokens, "access_token"), &bench.key_set().0, MCP);
    assert_eq!(access["cnf"]["jkt"], "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// Servers that sign: RS256 access tokens and id_tokens, and a key set.
fn signing(world: &World) {
    let (front_of_world, issuer) = (front(world), world.issuer);
    let mut ring = KeyRing::default();
    world.front.edit(move |request, answer| {
        let body = answer.response.body.content.json().map(|body| body.into_owned());
        let Some(mut body) = body else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        match answer.decided {
            Decided::Metadata if body.get("token_endpoint").is_some() => body["jwks_uri"] = json!(format!("{AUTH}/jwks")),
            Decided::NotFound if request.url == format!("{AUTH}/jwks") => {
                let mut key = ring.public(AUTH, Some("k1"), Algorithm::Rs(256)).unwrap();
                key.insert("kid".to_owned(), json!("k1"));
                (answer.response.status, body) = (200, json!({"keys": [key]}));
            }
            Decided::Issued { .. } => {
                let client = request.body.content.form().and_then(|form| form.first("client_id").map(str::to_owned)).unwrap();
                let claims = json!({"iss": AUTH, "aud": MCP, "client_id": client, "sub": "ada", "iat": now, "exp": now + 3600});
                let mut sign = |claims: &Value| {
                    let input = format!("{}.{}", encoded(&json!({"alg": "RS256", "kid": "k1"})), encoded(claims));
                    let signature = ring.sign(SigningKey::Own(AUTH, Some("k1")), Algorithm::Rs(256), input.as_bytes()).unwrap();
                    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
                };
                let (access, mut identity) = (sign(&claims), claims);
                identity["aud"] = json!(client);
                body["id_token"] = json!(sign(&identity));
                front_of_world.model().issuer_mut(issuer).issued.rename_access(text(&body, "access_token"), &access);
                body["access_token"] = json!(access);
            }
            _ => return,
        }
        answer.response.body = json_body(body);
    });
}

#[test]
fn a_client_that_verifies_accepts_what_the_binary_serves() {
    let script = r#"authtape="$1"; "$authtape" client "$MCP" --list && curl -s -o /dev/null "$AUTH/jwks""#;
    let client = ["sh", "-c", script, "sh", crate::replay_lab::AUTHTAPE];
    let making = Making { prepare: Box::new(signing), client: &client, ..Making::of(Plan::default()) };
    let tape = Tape::record(making);
    let login = r#"NONCE=n-1; id=$(register); redeem "$id" "$(code "$id")"; echo; curl -s "$AUTH/jwks"; echo; echo "$id""#;
    let output = tape.script(&["--seed", "1"], &format!("{login}; curl -s -o /dev/null \"$MCP\""));
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let said = said(&output);
    let [tokens, keys, client] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    let (tokens, keys): (Value, Value) = (serde_json::from_str(tokens).unwrap(), serde_json::from_str(keys).unwrap());
    assert_eq!(verified(text(&tokens, "id_token"), &keys, client)["nonce"], "n-1");
    verified(text(&tokens, "access_token"), &keys, MCP);
}
