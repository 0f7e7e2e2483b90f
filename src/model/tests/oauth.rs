//! The rows of state-model §6.2 to §6.5.

use super::super::policy::*;
use super::*;

fn error(response: &Response) -> (u16, String) {
    (response.status, body(response)["error"].as_str().unwrap_or_default().to_owned())
}

#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!(error(response), (status, code.to_owned()));
}

fn with(change: impl FnOnce(&mut IssuerPolicy)) -> World {
    let mut policy = IssuerPolicy::default();
    change(&mut policy);
    world_with(policy, ServerPolicy::default())
}

#[test]
fn a_registration_is_echoed_with_an_id_and_kept_out_of_caches() {
    let mut world = world();
    let response = world.register(json!({"application_type": "native"}));
    assert_eq!(response.status, 201);
    assert_eq!(response.headers.first("cache-control"), Some("no-store"));
    let body = body(&response);
    assert_eq!((body["application_type"].as_str(), body["client_id_issued_at"].as_u64()), (Some("native"), Some(1_000_000)));
    assert!(body.get("client_secret").is_none());
    let secret = super::body(&world.register(json!({"token_endpoint_auth_method": "client_secret_basic"})));
    assert_eq!(secret["client_secret_expires_at"], 0);
    assert!(secret["client_secret"].is_string());
}

#[test]
fn registration_refuses_by_the_table() {
    let mut world = world();
    let get = world.send(&request("GET", &format!("{AS}/register"), &[], Content::Empty));
    assert_eq!((get.status, get.headers.first("allow")), (405, Some("POST")));
    let text = world.send(&request("POST", &format!("{AS}/register"), &[], Content::Text("x".into())));
    refused(&text, 400, "invalid_client_metadata");
    for uris in [json!([]), json!(["http://app.test/cb"]), json!(["https://app.test/cb#x"])] {
        refused(&world.register(json!({"redirect_uris": uris})), 400, "invalid_redirect_uri");
    }
    refused(&world.register(json!({"grant_types": ["password"]})), 400, "invalid_client_metadata");
    refused(&world.register(json!({"token_endpoint_auth_method": "tls_client_auth"})), 400, "invalid_client_metadata");
    world.model.issuer_mut(world.issuer).policy.registration = Registration::Limit(1);
    world.client();
    let limited = world.register(json!({}));
    assert_eq!((limited.status, limited.headers.has("retry-after")), (429, true));
    world.model.issuer_mut(world.issuer).policy.registration = Registration::Closed;
    assert_eq!(world.register(json!({})).status, 403);
}

#[test]
fn a_second_registration_follows_the_policy() {
    for policy in [Reregistration::Orphan, Reregistration::Supersede, Reregistration::SameId] {
        let mut world = with(|issuer| issuer.reregistration = policy);
        let (first, access, refresh) = world.login();
        let second = body(&world.register(json!({"redirect_uris": ["http://127.0.0.1:9/callback"]})));
        let second = second["client_id"].as_str().unwrap().to_owned();
        assert_eq!(first == second, policy == Reregistration::SameId);
        let alive = world.modern(&access, "ping", json!({}), &[]).status == 200;
        assert_eq!(alive, policy != Reregistration::Supersede);
        let status = world.refresh(&second, &refresh, &[]).status;
        assert_eq!(status, if policy == Reregistration::SameId { 200 } else { 400 });
    }
}

#[test]
fn authorization_redirects_with_code_state_and_issuer() {
    let mut world = world();
    let client = world.client();
    let answer = redirected(&world.authorize(&client, &[]));
    assert!(answer.first("code").is_some());
    assert_eq!((answer.first("state"), answer.first("iss")), (Some("xyz"), Some(AS)));
    assert_eq!(redirected(&world.authorize(&client, &[("state", "")])).first("state"), None);
}

#[test]
fn authorization_does_not_redirect_to_strangers() {
    let mut world = world();
    let client = world.client();
    refused(&world.authorize("nobody", &[]), 400, "invalid_client");
    refused(&world.authorize(&client, &[("redirect_uri", "http://127.0.0.1:1/else")]), 400, "invalid_request");
    world.model.issuer_mut(world.issuer).end_client(&client, ClientStatus::Pruned);
    refused(&world.authorize(&client, &[]), 400, "invalid_client");
}

#[test]
fn authorization_reports_errors_by_redirect() {
    let mut world = with(|issuer| issuer.scopes = Scope::parse("a b"));
    let client = world.client();
    let rows = [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "c"), "invalid_scope"),
        (("resource", "https://other.test/"), "invalid_target"),
    ];
    for (change, code) in rows {
        let answer = redirected(&world.authorize(&client, &[change]));
        assert_eq!((answer.first("error"), answer.first("state"), answer.first("iss")), (Some(code), Some("xyz"), Some(AS)));
    }
    for (consent, code) in [(Consent::Denied, "access_denied"), (Consent::Unavailable, "temporarily_unavailable")] {
        world.model.issuer_mut(world.issuer).policy.consent = consent;
        assert_eq!(redirected(&world.authorize(&client, &[])).first("error"), Some(code));
    }
}

#[test]
fn a_url_is_a_client_where_documents_are_supported() {
    let mut world = with(|issuer| issuer.client_documents = true);
    let client = "https://client.test/metadata.json";
    let code = world.code(client);
    assert_eq!(world.exchange(client, &code, &[]).status, 200);
    assert_eq!(world.model.issuer(world.issuer).metadata()["client_id_metadata_document_supported"], true);
}

#[test]
fn the_token_endpoint_checks_in_its_order() {
    let mut world = world();
    let client = world.client();
    let code = world.code(&client);
    assert_eq!(world.send(&request("GET", &format!("{AS}/token"), &[], Content::Empty)).status, 405);
    refused(&world.post_form(&format!("{AS}/token"), &[("code", "x")]), 400, "invalid_request");
    refused(&world.post_form(&format!("{AS}/token"), &[("grant_type", "a"), ("grant_type", "b")]), 400, "invalid_request");
    // A wrong client is said before a wrong grant type, and that before a wrong code.
    refused(&world.exchange("nobody", &code, &[("grant_type", "password")]), 401, "invalid_client");
    refused(&world.exchange(&client, "no", &[("grant_type", "password")]), 400, "unsupported_grant_type");
    refused(&world.exchange(&client, "no", &[("grant_type", "client_credentials")]), 400, "unauthorized_client");
    refused(&world.exchange(&client, "no", &[]), 400, "invalid_grant");
    assert_eq!(world.exchange(&client, &code, &[]).status, 200);
}

#[test]
fn a_code_is_refused_for_everything_that_differs() {
    let mut world = world();
    let client = world.client();
    let code = world.code(&client);
    refused(&world.exchange(&client, &code, &[("redirect_uri", "http://127.0.0.1:4712/callback")]), 400, "invalid_grant");
    refused(&world.exchange(&client, &code, &[("code_verifier", "other")]), 400, "invalid_grant");
    refused(&world.exchange(&client, &code, &[("code_verifier", "")]), 400, "invalid_grant");
    refused(&world.exchange(&client, &code, &[("resource", "https://other.test/")]), 400, "invalid_target");
    world.wait(60);
    refused(&world.exchange(&client, &code, &[]), 400, "invalid_grant");
    let stolen = world.code(&client);
    let other = world.client();
    refused(&world.exchange(&other, &stolen, &[]), 400, "invalid_grant");
    refused(&world.exchange(&client, &stolen, &[]), 400, "invalid_grant");
}

#[test]
fn a_second_use_of_a_code_ends_the_family() {
    let mut world = world();
    let client = world.client();
    let code = world.code(&client);
    let (access, refresh) = tokens(&world.exchange(&client, &code, &[]));
    assert_eq!(world.modern(&access, "ping", json!({}), &[]).status, 200);
    refused(&world.exchange(&client, &code, &[]), 400, "invalid_grant");
    assert_eq!(world.modern(&access, "ping", json!({}), &[]).status, 401);
    refused(&world.refresh(&client, &refresh, &[]), 400, "invalid_grant");
}

#[test]
fn a_confidential_client_must_use_its_own_method() {
    let mut world = world();
    let registered = body(&world.register(json!({"token_endpoint_auth_method": "client_secret_basic"})));
    let (client, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let code = world.code(client);
    refused(&world.exchange(client, &code, &[]), 401, "invalid_client");
    refused(&world.exchange(client, &code, &[("client_secret", secret)]), 401, "invalid_client");
    let basic = |secret: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{client}:{secret}")));
    let form: Form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
        .into_iter()
        .collect();
    let mut ask = |header: &str| {
        let headers = [("authorization", header)];
        world.send(&request("POST", &format!("{AS}/token"), &headers, Content::Form(form.clone())))
    };
    let wrong = ask(&basic("no"));
    assert_eq!((wrong.status, wrong.headers.has("www-authenticate")), (401, true));
    assert_eq!(ask(&basic(secret)).status, 200);
}

#[test]
fn a_refresh_rotates_and_reuse_ends_the_family() {
    let mut world = world();
    let (client, first, old) = world.login();
    let answer = world.refresh(&client, &old, &[]);
    assert_eq!(answer.headers.first("cache-control"), Some("no-store"));
    let (second, new) = tokens(&answer);
    assert!(!new.is_empty() && new != old);
    assert_eq!(world.modern(&first, "ping", json!({}), &[]).status, 200);
    refused(&world.refresh(&client, &old, &[]), 400, "invalid_grant");
    refused(&world.refresh(&client, &new, &[]), 400, "invalid_grant");
    assert_eq!(world.modern(&second, "ping", json!({}), &[]).status, 401);
}

#[test]
fn grace_gives_the_current_generation_again() {
    let mut world = with(|issuer| issuer.grace = Duration::from_secs(10));
    let (client, _, old) = world.login();
    let new = tokens(&world.refresh(&client, &old, &[]));
    world.wait(9);
    let again = world.refresh(&client, &old, &[]);
    assert_eq!(body(&again)["expires_in"], 3591);
    assert_eq!(tokens(&again), new);
    world.wait(1);
    refused(&world.refresh(&client, &old, &[]), 400, "invalid_grant");
    refused(&world.refresh(&client, &new.1, &[]), 400, "invalid_grant");
}

#[test]
fn without_rotation_the_refresh_token_is_not_repeated() {
    let mut world = with(|issuer| {
        issuer.rotation = Rotation::Never;
        issuer.old_access = OldAccess::Revoke;
    });
    let (client, first, refresh) = world.login();
    let answer = world.refresh(&client, &refresh, &[]);
    assert!(body(&answer).get("refresh_token").is_none());
    assert_eq!(world.modern(&first, "ping", json!({}), &[]).status, 401);
    assert_eq!(world.modern(&tokens(&answer).0, "ping", json!({}), &[]).status, 200);
    assert_eq!(world.refresh(&client, &refresh, &[]).status, 200);
}

#[test]
fn a_refresh_is_refused_for_scope_resource_client_and_age() {
    let mut world = with(|issuer| {
        issuer.refresh_ttl = Some(Duration::from_secs(100));
        issuer.foreign_refresh = Reuse::Refuse;
    });
    let (client, _, refresh) = world.login();
    refused(&world.refresh(&client, &refresh, &[("scope", "a c")]), 400, "invalid_scope");
    refused(&world.refresh(&client, &refresh, &[("resource", "https://other.test/")]), 400, "invalid_target");
    refused(&world.refresh(&client, "unknown", &[]), 400, "invalid_grant");
    let other = world.client();
    refused(&world.refresh(&other, &refresh, &[]), 400, "invalid_grant");
    let narrowed = world.refresh(&client, &refresh, &[("scope", "a")]);
    assert_eq!(body(&narrowed)["scope"], "a");
    world.wait(100);
    refused(&world.refresh(&client, &tokens(&narrowed).1, &[]), 400, "invalid_grant");
}

#[test]
fn resource_is_a_policy_at_each_endpoint() {
    let mut world = with(|issuer| issuer.resource_at_token = ResourceRule::Require);
    let client = world.client();
    let code = world.code(&client);
    refused(&world.exchange(&client, &code, &[("resource", "")]), 400, "invalid_target");
    assert_eq!(world.exchange(&client, &code, &[("resource", &format!("{RS}/"))]).status, 200);
    let policy = &mut world.model.issuer_mut(world.issuer).policy;
    policy.resource_at_authorize = ResourceRule::Exact;
    policy.resource_at_token = ResourceRule::Forbid;
    let slash = format!("{RS}/");
    assert_eq!(redirected(&world.authorize(&client, &[("resource", &slash)])).first("error"), Some("invalid_target"));
    let code = world.code(&client);
    refused(&world.exchange(&client, &code, &[]), 400, "invalid_target");
}

#[test]
fn refresh_tokens_are_issued_by_policy_and_client_credentials_never_have_one() {
    let mut world = with(|issuer| issuer.refresh_issue = RefreshIssue::OfflineAccess);
    let (_, _, refresh) = world.login();
    assert!(refresh.is_empty());
    let change = json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post", "scope": "a"});
    let registered = body(&world.register(change));
    let members = [
        ("grant_type", "client_credentials"),
        ("client_id", registered["client_id"].as_str().unwrap()),
        ("client_secret", registered["client_secret"].as_str().unwrap()),
    ];
    let (access, refresh) = tokens(&world.post_form(&format!("{AS}/token"), &members));
    assert!(refresh.is_empty());
    assert_eq!(world.modern(&access, "ping", json!({}), &[]).status, 200);
}

#[test]
fn revocation_says_yes_to_everything_and_ends_what_it_names() {
    let mut world = world();
    let (client, access, refresh) = world.login();
    assert_eq!(world.revoke(&client, "unknown").status, 200);
    refused(&world.revoke("nobody", &access), 401, "invalid_client");
    assert_eq!(world.revoke(&client, &access).status, 200);
    assert_eq!(world.modern(&access, "ping", json!({}), &[]).status, 401);
    let (fresh, newest) = tokens(&world.refresh(&client, &refresh, &[]));
    assert_eq!(world.revoke(&client, &newest).status, 200);
    assert_eq!(world.modern(&fresh, "ping", json!({}), &[]).status, 401);
    refused(&world.refresh(&client, &newest, &[]), 400, "invalid_grant");
    let odd = world.post_form(&format!("{AS}/revoke"), &[("token", "t"), ("client_id", &client), ("token_type_hint", "saml")]);
    refused(&odd, 400, "unsupported_token_type");
}

#[test]
fn metadata_is_where_the_policy_puts_it() {
    let mut world = with(|issuer| issuer.metadata = vec![WellKnown::OAuth, WellKnown::OpenIdAppended]);
    let mut get = |url: &str| world.send(&request("GET", url, &[("origin", "https://page.test")], Content::Empty));
    let found = get("https://as.test/.well-known/oauth-authorization-server/t");
    assert_eq!(found.headers.first("access-control-allow-origin"), Some("https://page.test"));
    let document = body(&found);
    assert_eq!((&document["issuer"], &document["code_challenge_methods_supported"]), (&json!(AS), &json!(["S256"])));
    assert_eq!(get("https://as.test/t/.well-known/openid-configuration").status, 200);
    assert_eq!(get("https://as.test/.well-known/openid-configuration/t").status, 404);
    let prm = body(&get("https://rs.test/.well-known/oauth-protected-resource/mcp"));
    assert_eq!((&prm["resource"], &prm["authorization_servers"]), (&json!(RS), &json!([AS])));
    assert_eq!(get("https://rs.test/.well-known/oauth-protected-resource").status, 404);
}
