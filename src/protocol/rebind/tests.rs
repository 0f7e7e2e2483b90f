//! There and back again, place by place.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const MCP: &str = "https://mcp.example.test";
const AUTH: &str = "https://auth.example.test:8443";

fn bindings() -> Vec<Binding> {
    let binding = |origin: &str, local: &str| Binding { origin: origin.to_owned(), local: local.parse().unwrap() };
    vec![binding(MCP, "127.0.0.1:7300"), binding(AUTH, "[::1]:7301")]
}

fn outward() -> Rebinding {
    Rebinding::outward(&bindings(), Spelling::Address)
}

fn inward() -> Rebinding {
    Rebinding::inward(&bindings())
}

#[test]
fn a_url_moves_with_its_path_query_and_fragment() {
    let moved = |url: &str| outward().url(url);
    assert_eq!(moved("https://mcp.example.test").as_deref(), Some("http://127.0.0.1:7300"));
    assert_eq!(moved("HTTPS://MCP.example.test:443/mcp?a=%2f#x").as_deref(), Some("http://127.0.0.1:7300/mcp?a=%2f#x"));
    assert_eq!(moved("https://auth.example.test:8443?x").as_deref(), Some("http://[::1]:7301?x"));
    for other in [
        "https://mcp.example.test.evil.test/",
        "https://mcp.example.test@evil.test/",
        "https://a@mcp.example.test/",
        "https://mcp.example.test:444/",
        "http://mcp.example.test/",
        "https://auth.example.test/",
        "https://mcp.example.test\\@evil.test/",
        "/mcp",
        "mcp.example.test",
        "",
    ] {
        assert_eq!(moved(other), None, "{other}");
    }
}

#[test]
fn the_client_s_spelling_of_this_machine_is_known_and_kept() {
    let binding = &bindings()[0];
    assert_eq!(binding.spelling_of("127.0.0.1:7300"), Some(Spelling::Address));
    assert_eq!(binding.spelling_of("LocalHost:7300"), Some(Spelling::Localhost));
    for other in ["127.0.0.1", "127.0.0.1:7301", "evil.test:7300", "x@127.0.0.1:7300", "127.0.0.1:7300/", "", "localhost.evil.test:7300"] {
        assert_eq!(binding.spelling_of(other), None, "{other}");
    }
    assert!(binding.is_at("http://localhost:7300/x") && !binding.is_at("http://localhost/x") && !binding.is_at(MCP));
    let localhost = Rebinding::outward(&bindings(), Spelling::Localhost);
    assert_eq!(localhost.url("https://mcp.example.test/mcp").as_deref(), Some("http://localhost:7300/mcp"));
    assert_eq!(inward().url("http://localhost:7300/mcp").as_deref(), Some("https://mcp.example.test/mcp"));
    assert_eq!(inward().url("http://[::1]:7301/").as_deref(), Some("https://auth.example.test:8443/"));
    let plain = Binding { origin: MCP.into(), local: "127.0.0.1:80".parse().unwrap() };
    assert_eq!(
        (plain.local_origin(Spelling::Address).as_str(), plain.spelling_of("127.0.0.1")),
        ("http://127.0.0.1", Some(Spelling::Address))
    );
}

#[test]
fn header_fields_of_a_response_name_the_local_url() {
    for (name, value, expected) in [
        (
            "www-authenticate",
            r#"Bearer error="invalid_token", resource_metadata="https://mcp.example.test/.well-known/x", scope="https://mcp.example.test/read""#,
            r#"Bearer error="invalid_token", resource_metadata="http://127.0.0.1:7300/.well-known/x", scope="https://mcp.example.test/read""#,
        ),
        (
            "www-authenticate",
            r#"Basic realm="a \" = resource_metadata=https://mcp.example.test/", Bearer Resource_Metadata = https://mcp.example.test/p,error=e"#,
            r#"Basic realm="a \" = resource_metadata=https://mcp.example.test/", Bearer Resource_Metadata = http://127.0.0.1:7300/p,error=e"#,
        ),
        ("link", "<https://mcp.example.test/a>; rel=next, </b>; rel=x", "<http://127.0.0.1:7300/a>; rel=next, </b>; rel=x"),
        ("location", "https://mcp.example.test/x", "http://127.0.0.1:7300/x"),
        (
            "location",
            "http://127.0.0.1:4711/cb?code=a%2Fb&state=https%3A%2F%2Fmcp.example.test&iss=https%3A%2F%2Fauth.example.test%3A8443",
            "http://127.0.0.1:4711/cb?code=a%2Fb&state=https%3A%2F%2Fmcp.example.test&iss=http%3A%2F%2F%5B%3A%3A1%5D%3A7301",
        ),
        ("location", "http://127.0.0.1:4711/cb#iss=https://mcp.example.test", "http://127.0.0.1:4711/cb#iss=http%3A%2F%2F127.0.0.1%3A7300"),
        ("content-location", "https://mcp.example.test/x", "http://127.0.0.1:7300/x"),
    ] {
        assert_eq!(outward().response_header(name, value).as_deref(), Some(expected), "{value}");
    }
    for (name, value) in [
        ("www-authenticate", r#"Bearer realm="https://mcp.example.test/""#),
        ("www-authenticate", "Bearer resource_metadata=\"https://mcp.example.test.evil.test/\""),
        ("location", "/relative?iss=x"),
        ("link", "<https://mcp.example.test/a"),
        ("content-type", "https://mcp.example.test"),
    ] {
        assert_eq!(outward().response_header(name, value), None, "{value}");
    }
}

#[test]
fn what_a_client_sends_names_the_real_server_and_its_own_urls_stay() {
    let form = "grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%3A7300%2Fcb&state=http://127.0.0.1:7300&resource=http%3A%2F%2Flocalhost%3A7300%2Fmcp";
    let expected = "grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%3A7300%2Fcb&state=http://127.0.0.1:7300&resource=https%3A%2F%2Fmcp.example.test%2Fmcp";
    assert_eq!(inward().request_parameters(form).as_deref(), Some(expected));
    assert_eq!(inward().request_parameters("resource=x&code=1"), None);
    assert_eq!(inward().request_header("origin", "http://127.0.0.1:7300").as_deref(), Some(MCP));
    assert_eq!(inward().request_header("origin", "http://127.0.0.1:6274"), None);
    let json = Document::read(br#"{"client_uri": "http://127.0.0.1:7300/", "resource": ["http://127.0.0.1:7300/mcp"]}"#).unwrap();
    let expected = r#"{"client_uri": "http://127.0.0.1:7300/", "resource": ["https://mcp.example.test/mcp"]}"#;
    assert_eq!(json.request(&inward()).as_deref(), Some(expected));
}

#[test]
fn metadata_is_rebound_by_the_names_of_its_members() {
    let text = json!({
        "issuer": AUTH, "token_endpoint": format!("{AUTH}/token"), "jwks_uri": "https://keys.example.test/jwks",
        "mtls_endpoint_aliases": {"token_endpoint": format!("{AUTH}/mtls")}, "scopes_supported": [format!("{MCP}/read")],
        "protected_resources": [format!("{MCP}/mcp"), 7], "signed_metadata": "e30.e30.", "redirect_uris": [format!("{MCP}/cb")],
    });
    let document = Document::read(text.to_string().as_bytes()).unwrap();
    assert_eq!(document.origins(), [AUTH, "https://keys.example.test"]);
    let local = "http://[::1]:7301";
    let expected = json!({
        "issuer": local, "token_endpoint": format!("{local}/token"), "jwks_uri": "https://keys.example.test/jwks",
        "mtls_endpoint_aliases": {"token_endpoint": format!("{local}/mtls")}, "scopes_supported": [format!("{MCP}/read")],
        "protected_resources": ["http://127.0.0.1:7300/mcp", 7], "redirect_uris": [format!("{MCP}/cb")],
    });
    assert_eq!(document.rebound(&outward()), Some(expected.to_string()));
}

#[test]
fn only_metadata_sends_a_client_elsewhere_and_messages_are_no_documents() {
    let origins = |value: serde_json::Value| Document::read(value.to_string().as_bytes()).map(|document| document.origins());
    assert_eq!(origins(json!({"resource": MCP, "authorization_servers": [AUTH, "x"]})), Some(vec![AUTH.to_owned()]));
    assert_eq!(origins(json!({"issuer": AUTH, "name": "x"})), Some(vec![]));
    assert_eq!(origins(json!({"authorization_servers": [AUTH]})), Some(vec![]));
    assert_eq!(origins(json!({"jsonrpc": "2.0", "issuer": AUTH})), None);
    assert!(Document::read(b"[1]").is_none() && Document::read(b"{").is_none() && Document::read(b"\xff").is_none());
    assert!(Document::read(b"{\"resource\": \"x\" }").unwrap().rebound(&outward()).is_none());
}

#[test]
fn the_event_that_names_the_endpoint_is_rebound_and_no_other() {
    let event = "event: endpoint\r\ndata: https://mcp.example.test/messages?s=1\r\n\r\n";
    assert_eq!(outward().endpoint_event(event).as_deref(), Some("event: endpoint\r\ndata: http://127.0.0.1:7300/messages?s=1\r\n\r\n"));
    assert_eq!(outward().endpoint_event("event: endpoint\ndata: /messages\n\n"), None);
    assert_eq!(outward().endpoint_event("event: message\ndata: https://mcp.example.test/\n\n"), None);
}

fn url() -> impl Strategy<Value = String> {
    (prop_oneof![Just(MCP), Just(AUTH), Just("https://other.example.test")], "(/[a-z%/]{0,6})?(\\?[a-z=&%]{0,6})?(#[a-z]{0,3})?")
        .prop_map(|(origin, rest)| format!("{origin}{rest}"))
}

proptest! {
    #[test]
    fn a_url_comes_back(url in url()) {
        let there = outward().url(&url).unwrap_or_else(|| url.clone());
        prop_assert_eq!(inward().url(&there).unwrap_or(there), url);
    }

    #[test]
    fn a_document_comes_back(resource in url(), issuers in proptest::collection::vec(url(), 0..3), endpoint in url(), text in "\\PC{0,8}") {
        let document = json!({"resource": resource, "authorization_servers": issuers, "x_endpoint": endpoint, "name": text});
        let there = Document::read(document.to_string().as_bytes()).unwrap().rebound(&outward()).unwrap_or_else(|| document.to_string());
        let back = Document::read(there.as_bytes()).unwrap().rebound(&inward()).unwrap_or(there);
        prop_assert_eq!(back, document.to_string());
    }

    #[test]
    fn parameters_come_back(resource in url(), iss in url(), other in "[a-z%+=]{0,8}") {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let query = format!("x={other}&resource={}&iss={}", encoded(&resource), encoded(&iss));
        let there = outward().request_parameters(&query).unwrap_or_else(|| query.clone());
        let callback = format!("http://127.0.0.1:4711/cb?{query}");
        prop_assert_eq!(inward().request_parameters(&there).unwrap_or(there), query);
        let there = outward().redirect(&callback).unwrap_or_else(|| callback.clone());
        prop_assert_eq!(inward().redirect(&there).unwrap_or(there), callback);
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", grammar in r#"(=|"|\\|<|>|,| |;|resource_metadata|https://mcp\.example\.test|é){0,12}"#) {
        for text in [&text, &grammar] {
            for name in ["www-authenticate", "link", "location", "content-location"] {
                let there = outward().response_header(name, text);
                // A field never grows beyond its URLs, and what has none of them stays.
                prop_assert!(there.is_none() || text.to_ascii_lowercase().contains("example.test"));
            }
            let _ = (inward().request_parameters(text), outward().endpoint_event(text), bindings()[0].spelling_of(text));
            let _ = Document::read(text.as_bytes()).map(|document| (document.origins(), document.rebound(&outward())));
        }
    }
}
