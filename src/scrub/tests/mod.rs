//! Whole logins, generated: nothing planted is left, everything that was equal is equal, every relation holds.

mod leak;
mod login;
mod random;

use super::*;
use crate::exchange::Content;
use crate::protocol::Kind;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use leak::{bytes_of, leak};
use login::{Planted, early, exchange, login};
use proptest::prelude::*;
use random::Chance;
use sha2::{Digest, Sha256};

fn fresh() -> Scrubber {
    Scrubber::new(Policy::Recording, 42)
}

fn parameter(url: &str, name: &str) -> String {
    url::Url::parse(url).unwrap().query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

fn json_of(exchange: &Exchange) -> serde_json::Value {
    exchange.response().unwrap().body.content.json().unwrap().into_owned()
}

fn form_of(exchange: &Exchange, name: &str) -> String {
    exchange.request.body.content.form().unwrap().first(name).unwrap().to_owned()
}

/// A login, scrubbed and swept as a recording does it.
fn recorded(seed: u64) -> (Planted, Vec<(Exchange, Kind)>) {
    let mut chance = Chance::new(seed);
    let planted = Planted::new(&mut chance);
    let mut exchanges = early(&planted, &mut chance);
    exchanges.extend(login(&planted, &mut chance));
    let mut scrub = fresh();
    let mut marks = Vec::new();
    for (exchange, kind) in &mut exchanges {
        scrub.exchange(exchange, *kind);
        marks.push(scrub.mark());
    }
    for ((exchange, _), mark) in exchanges.iter_mut().zip(marks) {
        let bytes = bytes_of(exchange);
        let leaks = planted.all().into_iter().find_map(|value| leak(&bytes, value));
        let touched = scrub.touches(&bytes, mark);
        assert!(touched || leaks.is_none(), "seed {seed}, exchange {}: {leaks:?} not noticed, {:?}", exchange.number, planted.all());
        if touched {
            scrub.sweep(exchange);
            assert!(!scrub.touches(&bytes_of(exchange), Mark(0)), "seed {seed}, exchange {}: still there", exchange.number);
        }
    }
    (planted, exchanges)
}

fn seeds() -> std::ops::Range<u64> {
    0..12
}

#[test]
fn no_planted_value_is_left_in_any_encoding() {
    for seed in seeds() {
        let (planted, exchanges) = recorded(seed);
        for (exchange, _) in &exchanges {
            let bytes = bytes_of(exchange);
            let email = planted.email();
            for (place, value) in planted.all().into_iter().chain([email.as_str()]).enumerate() {
                let found = leak(&bytes, value);
                assert!(found.is_none(), "seed {seed}: value {place} in exchange {} as {found:?}", exchange.number);
            }
        }
    }
}

#[test]
fn equal_values_stay_equal_and_pkce_matches() {
    for seed in seeds() {
        let (_, exchanges) = recorded(seed);
        let [_, _, registered, authorize, callback, token, initialize, call, refresh, _] = &exchanges[..] else { panic!() };
        let client = json_of(&registered.0);
        let id = client["client_id"].as_str().unwrap();
        assert_eq!(parameter(&authorize.0.request.url, "client_id"), id);
        assert_eq!(form_of(&token.0, "client_id"), id);
        assert!(client["registration_client_uri"].as_str().unwrap().ends_with(id), "seed {seed}");
        assert_eq!(client["client_name"], "Reference client");
        assert_eq!(client["redirect_uris"][0], "http://localhost:49152/callback");
        let basic = token.0.request.headers.first("authorization").unwrap().strip_prefix("Basic ").unwrap();
        let basic = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
        assert_eq!(basic.replace("%2D", "-"), format!("{id}:{}", client["client_secret"].as_str().unwrap()), "seed {seed}");
        let location = authorize.0.response().unwrap().headers.first("location").unwrap();
        for name in ["code", "state"] {
            assert_eq!(parameter(location, name), parameter(&callback.0.request.url, name), "seed {seed}");
        }
        assert_eq!(parameter(location, "state"), parameter(&authorize.0.request.url, "state"));
        assert_eq!(parameter(location, "code"), form_of(&token.0, "code"), "seed {seed}");
        let verifier = form_of(&token.0, "code_verifier");
        assert!(verifier.len() >= 43 && is_placeholder(&verifier));
        assert_eq!(
            URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)),
            parameter(&authorize.0.request.url, "code_challenge"),
            "seed {seed} {:?} {}",
            exchanges.iter().map(|e| e.0.number).collect::<Vec<_>>(),
            authorize.0.request.url
        );
        let tokens = json_of(&token.0);
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        assert_eq!(initialize.0.request.headers.first("authorization"), Some(bearer.as_str()));
        assert_eq!(form_of(&refresh.0, "refresh_token"), tokens["refresh_token"].as_str().unwrap());
        let session = initialize.0.response().unwrap().headers.first("mcp-session-id");
        assert_eq!(call.0.request.headers.first("mcp-session-id"), session);
        assert_eq!(tokens["scope"], "read write");
        let id_token = tokens["id_token"].as_str().unwrap();
        let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((claims["exp"].as_u64(), claims["aud"].as_str()), (Some(1_795_000_000), Some("https://mcp.example/mcp")));
        assert!(is_placeholder(claims["email"].as_str().unwrap()));
    }
}

#[test]
fn a_secret_is_seen_through_the_escapes_of_yaml() {
    let mut chance = Chance::new(5);
    for _ in 0..60 {
        let value = random::secret(&mut chance, false);
        let mut scrub = fresh();
        let mut one = exchange(1, "POST", "https://x/", (&[], ""), (200, &[], &serde_json::json!({"access_token": value}).to_string()));
        scrub.exchange(&mut one, Kind::TokenCode);
        for (name, form) in leak::encodings(&value) {
            let document =
                std::collections::BTreeMap::from([("text", format!("before\t'{form}'\u{7f} \"after\" ")), ("plain", "no".into())]);
            for yaml in [serde_yaml::to_string(&document).unwrap(), serde_saphyr::to_string(&document).unwrap()] {
                assert!(scrub.touches(yaml.as_bytes(), Mark::default()), "{name}: {yaml}");
            }
        }
        assert!(!scrub.touches(b"text: nothing of interest", Mark::default()));
    }
}

#[test]
fn scrubbing_twice_changes_nothing() {
    for seed in seeds() {
        let (_, exchanges) = recorded(seed);
        let mut again = fresh();
        for (exchange, kind) in exchanges {
            let mut copy = exchange.clone();
            again.exchange(&mut copy, kind);
            let (before, after) = (bytes_of(&exchange), bytes_of(&copy));
            let at = before.iter().zip(&after).take_while(|(one, other)| one == other).count().saturating_sub(30);
            let near = |bytes: &[u8]| String::from_utf8_lossy(&bytes[at..(at + 160).min(bytes.len())]).into_owned();
            assert_eq!(near(&before), near(&after), "seed {seed}, exchange {}", exchange.number);
        }
    }
}

#[test]
fn an_exchange_may_be_scrubbed_again_once_its_kind_is_known() {
    for seed in seeds() {
        let mut chance = Chance::new(seed);
        let planted = Planted::new(&mut chance);
        let mut scrub = fresh();
        let mut all = login(&planted, &mut chance);
        all.iter_mut().for_each(|(exchange, _)| scrub.exchange(exchange, Kind::Other));
        all.iter_mut().for_each(|(exchange, kind)| scrub.reclassified(exchange, *kind));
        for (exchange, kind) in &mut all {
            let before = exchange.clone();
            scrub.reclassified(exchange, *kind);
            assert!(*exchange == before, "seed {seed}, exchange {}", exchange.number);
            assert!(planted.all().into_iter().all(|value| leak(&bytes_of(exchange), value).is_none()));
        }
    }
}

#[test]
fn typed_bodies_stay_typed_and_harmless_ones_the_same() {
    let headers = [("content-type", "application/json")];
    let metadata = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/oauth/token","jwks_uri":"https://as.example/.well-known/jwks.json","code_challenge_methods_supported":["S256"],"scopes_supported":["read","offline_access"]}"#;
    let key = r#"{"keys":[{"kty":"RSA","kid":"V1StGXR8_Z5jdHi6B-myT-2026","n":"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYwJalrXUtnFEMIK7MDENG","e":"AQAB"}]}"#;
    let tools = r#"{"jsonrpc":"2.0","id":"6f9619ff-8b86-d011-b42d-00c04fc964ff","result":{"tools":[{"name":"create_issue_comment_v2","inputSchema":{"type":"object","properties":{"token":{"type":"string"},"state":{"type":"string"}},"required":["token"]}}]}}"#;
    for (body, kind) in
        [(metadata, Kind::AsMetadata), (key, Kind::Jwks), (key, Kind::Other), (tools, Kind::McpRequest), (tools, Kind::Other)]
    {
        let mut one = exchange(1, "GET", "https://as.example/.well-known/oauth-authorization-server", (&[], ""), (200, &headers, body));
        let before = one.clone();
        let mut scrub = fresh();
        scrub.exchange(&mut one, kind);
        assert!(one == before, "{}", String::from_utf8_lossy(&bytes_of(&one)));
        assert_eq!(scrub.counts(), Counts { policy: 1, secrets: 0, personal: 0 });
    }
}

#[test]
fn vendors_json_logins_and_metadata_clients_are_known() {
    let mut scrub = fresh();
    let cimd = "https://claude.ai/oauth/claude-code-client-metadata";
    let body = format!(
        r#"{{"grant_type":"authorization_code","code":"ab12cd34","state":"xyz789","client_id":"{cimd}","redirect_uri":"http://localhost:5/cb"}}"#
    );
    let answer = r#"{"access_token":"sk-ant-oat01-mJ8kq2Vb9sLx4Zt7Wn1RmJ8kq2Vb","account":{"uuid":"6f9619ff-8b86-d011-b42d-00c04fc964ff","email_address":"jane@corp.test"},"organization":{"name":"Corp"},"scope":"user:inference"}"#;
    let json = [("content-type", "application/json")];
    let mut one = exchange(1, "POST", "https://platform.claude.com/v1/oauth/token", (&json, &body), (200, &json, answer));
    scrub.exchange(&mut one, Kind::TokenCode);
    let asked = one.request.body.content.json().unwrap().to_string();
    assert_eq!(asked, body.replace("ab12cd34", "S1xxxxxx").replace("xyz789", "S2xxxx"));
    let answered = json_of(&one);
    assert_eq!(answered["access_token"], "sk-ant-oat01-SCRUBBED0003xxxxxxxxxxxxxxxx");
    assert_eq!(answered["account"]["uuid"], "00000000-0000-4000-8000-000000000004");
    assert_eq!(answered["account"]["email_address"], "user5@example.com");
    assert_eq!((&answered["organization"]["name"], &answered["scope"]), (&"S6xx".into(), &"user:inference".into()));
    assert_eq!(scrub.counts(), Counts { policy: 1, secrets: 3, personal: 3 });
    let error = r#"{"error":"invalid_grant","code":"token_expired","state":"open"}"#;
    let mut one = exchange(2, "POST", "https://as.example/token", (&[], ""), (400, &json, error));
    scrub.exchange(&mut one, Kind::TokenRefresh);
    assert_eq!(json_of(&one).to_string(), error);
}

#[test]
fn names_of_members_and_parameters_may_be_secrets_too() {
    let secret = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3dE6gH9";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let json = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"structuredContent":{{"{secret}":{{"a":1}}}}}}}}"#);
    let mut one = exchange(1, "POST", "https://mcp.example/mcp", (&form, &format!("{secret}=x")), (200, &[], &json));
    fresh().exchange(&mut one, Kind::McpRequest);
    assert!(leak(&bytes_of(&one), secret).is_none());
    assert!(matches!(one.response().unwrap().body.content, Content::Json(_)));
}

#[test]
fn an_identifier_that_turns_out_to_be_a_token_is_looked_for() {
    let mut scrub = fresh();
    let token = "mJ8kq2Vb9sLx4Zt7Wn1R";
    let mut text = format!("etag {token}");
    let mut one = exchange(1, "GET", "https://x/", (&[], ""), (200, &[("etag", token)], ""));
    scrub.exchange(&mut one, Kind::Other);
    assert!(!scrub.touches(text.as_bytes(), Mark::default()));
    let mut two = exchange(2, "GET", "https://x/", (&[("authorization", &format!("Bearer {token}"))], ""), (200, &[], ""));
    scrub.exchange(&mut two, Kind::Other);
    assert!(scrub.touches(text.as_bytes(), Mark::default()) && scrub.sweep_text(&mut text));
    assert_eq!(text, format!("etag {}", one.response().unwrap().headers.first("etag").unwrap()));
}

/// More logins than anybody wants to wait for: `cargo test -- --ignored many_more`.
#[test]
#[ignore = "slow"]
fn many_more_logins_leak_nothing() {
    for seed in 1000..4000 {
        let (planted, exchanges) = recorded(seed);
        let leaks = |exchange: &Exchange| planted.all().into_iter().find_map(|value| leak(&bytes_of(exchange), value));
        assert_eq!(exchanges.iter().find_map(|(exchange, _)| leaks(exchange)), None, "seed {seed}");
    }
}

#[test]
fn raw_changes_nothing_and_debug_shows_nothing() {
    let mut chance = Chance::new(1);
    let planted = Planted::new(&mut chance);
    for (exchange, kind) in login(&planted, &mut chance) {
        let mut copy = exchange.clone();
        let mut raw = Scrubber::new(Policy::Raw, 1);
        raw.exchange(&mut copy, kind);
        assert!(copy == exchange && !raw.sweep(&mut copy) && raw.counts() == Counts::default());
        let mut scrub = fresh();
        scrub.exchange(&mut copy, kind);
        let debug = format!("{scrub:?} {exchange:?}");
        assert!(planted.all().iter().all(|value| leak(debug.as_bytes(), value).is_none()));
    }
}

#[test]
fn a_placeholder_on_the_wire_does_not_pass_for_another_value() {
    let mut scrub = fresh();
    let mut bearer = |token: &str| {
        let auth = format!("Bearer {token}");
        let mut one = exchange(1, "POST", "https://mcp.example/mcp", (&[("authorization", &auth)], ""), (401, &[], ""));
        scrub.exchange(&mut one, Kind::McpRequest);
        one.request.headers.first("authorization").unwrap().to_owned()
    };
    let real = bearer("mJ8kq2Vb9sLx4Zt7Wn1R");
    let hostile = bearer(real.strip_prefix("Bearer ").unwrap());
    assert_ne!(real, hostile);
    assert_eq!(bearer("mJ8kq2Vb9sLx4Zt7Wn1R"), real);
    assert_eq!(bearer("SCRUBBED0077xxxx"), "Bearer SCRUBBED0077xxxx");
}

#[test]
fn bytes_are_dropped_with_a_note() {
    let mut one = exchange(1, "GET", "https://mcp.example/mcp", (&[], ""), (200, &[], ""));
    one.response_mut().unwrap().body.content = Content::Bytes(vec![0xff, 0xfe].into());
    fresh().exchange(&mut one, Kind::McpRequest);
    let body = &one.response().unwrap().body;
    assert!(body.content.is_empty() && body.end == crate::exchange::End::Undecodable("2 bytes that are not text".into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_body_makes_it_panic(body in r#"([\[\]{}":,\\u0-9a-f%&=;#<>' \n]|token|code=|eyJ|\\/|://|@|%2|Bearer |<input |name=|value=|é|😀|form-data;){0,60}"#, kind in 0usize..30) {
        let mut scrub = fresh();
        for media in ["application/json", "text/html", "application/x-www-form-urlencoded", "text/event-stream"] {
            let headers = [("content-type", media), ("x-body", body.as_str()), ("set-cookie", body.as_str()), ("authorization", body.as_str())];
            let url = format!("https://x/{body}");
            let mut one = exchange(1, "POST", &url, (&headers, &body), (200, &headers, &body));
            scrub.exchange(&mut one, Kind::ALL[kind]);
            scrub.sweep(&mut one);
            scrub.touches(&bytes_of(&one), Mark(0));
        }
    }
}

#[test]
fn deep_and_broken_bodies_are_survived() {
    for body in [
        "{\"a\":".repeat(20_000),
        "[\"".repeat(20_000),
        "\\\"".repeat(20_000),
        "%25".repeat(20_000),
        "eyJ.".repeat(20_000),
        "a=b&".repeat(20_000),
        "code=a&".repeat(20_000),
        "eyJ-".repeat(20_000),
        "sk-".repeat(20_000),
        "<input name=code value=a>".repeat(5_000),
        "form-data; name=code\n\na\n--".repeat(5_000),
    ] {
        let mut one = exchange(1, "POST", "https://x/", (&[("content-type", "application/json")], &body), (200, &[], &body));
        let mut scrub = fresh();
        scrub.exchange(&mut one, Kind::McpRequest);
        scrub.sweep(&mut one);
    }
}
