//! What single exchanges teach the role map.

use super::super::samples::*;
use super::*;
use crate::protocol::Kind;

const JSON: (&str, &str) = ("content-type", "application/json");

fn learnt(sample: Sample, kind: Kind) -> RoleMap {
    let exchange = sample.done();
    let mut map = RoleMap::new();
    assert_eq!(map.learn(&exchange, kind), Learned::Roles);
    assert_eq!(map.learn(&exchange, kind), Learned::Nothing, "the same again teaches nothing");
    map
}

fn has(map: &RoleMap, url: &str, role: EndpointRole) -> Option<Evidence> {
    map.evidence(&Endpoint::parse(url)?, role)
}

#[test]
fn metadata_names_endpoints_and_their_issuer() {
    let document = r#"{"issuer":"https://as.test/t/","token_endpoint":"https://AS.test:443/token?x=1","jwks_uri":"no url",
        "pushed_authorization_request_endpoint":"https://as.test/par","device_authorization_endpoint":"https://as.test/device",
        "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.test/token"}}"#;
    let map = learnt(get("https://as.test/x").answer(200, &[JSON], document), Kind::AsMetadata);
    for (url, role) in [
        ("https://as.test/token", EndpointRole::Token),
        ("https://mtls.test/token", EndpointRole::Token),
        ("https://as.test/par", EndpointRole::PushedAuthorization),
        ("https://as.test/device", EndpointRole::DeviceAuthorization),
    ] {
        assert_eq!(has(&map, url, role), Some(Evidence::Named), "{url}");
        assert_eq!(map.issuer(&Endpoint::parse(url).unwrap()), Some("https://as.test/t/"));
    }
    assert_eq!(map.endpoints(EndpointRole::Token).count(), 2);
    assert_eq!(map.endpoints(EndpointRole::Jwks).count(), 0);
}

#[test]
fn documents_that_failed_or_moved_name_no_endpoint() {
    let mut map = RoleMap::new();
    let failed = get("https://as.test/x").answer(500, &[JSON], r#"{"token_endpoint":"https://as.test/token"}"#).done();
    assert_eq!(map.learn(&failed, Kind::AsMetadata), Learned::Nothing);
    for (kind, role) in [
        (Kind::Prm, EndpointRole::ResourceMetadata),
        (Kind::AsMetadata, EndpointRole::ServerMetadata),
        (Kind::OidcConfig, EndpointRole::OidcConfiguration),
    ] {
        let map = learnt(get("https://as.test/x").answer(301, &[("location", "/y?z")], ""), kind);
        assert_eq!(has(&map, "https://as.test/y", role), Some(Evidence::Named));
        assert_eq!(map.classify(&get("https://as.test/y?z").done()).kind, kind);
    }
}

#[test]
fn a_challenge_names_its_metadata_and_marks_the_resource() {
    let map = learnt(get("https://rs.test/mcp").challenged("https://rs.test/custom/meta"), Kind::Other);
    assert_eq!(has(&map, "https://rs.test/custom/meta", EndpointRole::ResourceMetadata), Some(Evidence::Named));
    assert_eq!(has(&map, "https://rs.test/mcp", EndpointRole::Resource), Some(Evidence::Shape));
    let document = get("https://rs.test/custom/meta").answer_html(404);
    assert_eq!(map.classify(&document.done()).kind, Kind::Prm);
    let map = learnt(get("https://rs.test/m").answer(200, &[JSON], r#"{"resource":"https://rs.test/mcp"}"#), Kind::Prm);
    assert_eq!(has(&map, "https://rs.test/mcp", EndpointRole::Resource), Some(Evidence::Named));
}

#[test]
fn redirect_uris_come_from_each_side_of_the_dance() {
    let redirect = "https%3A%2F%2Fapp.test%2Fcb";
    let client = "https%3A%2F%2Fapp.test%2Fclient.json";
    let document = r#"{"client_id":"https://app.test/c","redirect_uris":["https://app.test/cb"]}"#;
    for (sample, kind) in [
        (post("https://as.test/r").json(r#"{"redirect_uris":["https://app.test/cb"]}"#), Kind::DcrCreate),
        (get(&format!("https://as.test/a?client_id={client}&redirect_uri={redirect}")), Kind::Authorize),
        (post("https://as.test/p").form(&format!("client_id=c&redirect_uri={redirect}")), Kind::Par),
        (post("https://as.test/t").form(&format!("grant_type=authorization_code&redirect_uri={redirect}")), Kind::TokenCode),
        (get("https://app.test/c").answer(200, &[JSON], document), Kind::CimdDoc),
    ] {
        let map = learnt(sample, kind);
        assert!(map.is_redirect(&Endpoint::parse("https://app.test/cb").unwrap()));
        assert!(!map.is_redirect(&Endpoint::parse("https://app.test:8443/cb").unwrap()), "only loopback ignores the port");
        let form_post = post("https://app.test/cb").form("code=x&state=s").done();
        assert_eq!(map.classify(&form_post).kind, Kind::Callback);
        let is_client_document = has(&map, "https://app.test/client.json", EndpointRole::ClientMetadata).is_some();
        assert_eq!(is_client_document, kind == Kind::Authorize);
    }
}

#[test]
fn an_issued_token_is_known_and_not_kept() {
    let issue = |body: &str, media_type: &str| {
        let sample = post("https://as.test/t").form("grant_type=refresh_token");
        learnt(sample.answer(200, &[("content-type", media_type)], body), Kind::TokenRefresh)
    };
    for (body, media_type) in
        [(r#"{"access_token":"at-secret"}"#, "application/json"), ("access_token=at-secret&scope=", "application/x-www-form-urlencoded")]
    {
        let map = issue(body, media_type);
        assert!(map.has_issued("at-secret") && !map.has_issued("at") && !map.has_issued(""));
        for sample in [get("https://x.test/me").bearer("at-secret"), get("https://x.test/me?access_token=at-secret")] {
            assert_eq!(map.classify(&sample.done()).kind, Kind::AccountApi);
        }
        assert_eq!(format!("{map:?}"), "RoleMap(1 endpoints, 1 tokens)");
    }
}

#[test]
fn the_configuration_names_what_no_document_does() {
    let mut map = RoleMap::new();
    assert!(map.declare(EndpointRole::Registration, "https://as.test/clients"));
    assert!(!map.declare(EndpointRole::Registration, "https://as.test/clients"));
    assert!(!map.declare(EndpointRole::Registration, "not a url"));
    assert_eq!(map.classify(&post("https://as.test/clients").done()).kind, Kind::DcrCreate);
}
