//! The rows of state-model §6.6.

use super::super::policy::{ReplyForm, ServerPolicy};
use super::*;

fn code(response: &Response) -> (u16, i64) {
    (response.status, body(response)["error"]["code"].as_i64().unwrap_or_default())
}

fn challenge(response: &Response) -> &str {
    response.headers.first("www-authenticate").expect("a challenge")
}

fn with(change: impl FnOnce(&mut ServerPolicy)) -> World {
    let mut policy = ServerPolicy::default();
    change(&mut policy);
    world_with(IssuerPolicy::default(), policy)
}

const PRM: &str = "resource_metadata=\"https://rs.test/.well-known/oauth-protected-resource/mcp\"";

#[test]
fn the_gate_refuses_in_its_order() {
    let mut world = with(|server| server.scope = Scope::parse("a"));
    let (_, access, _) = world.login();
    assert_eq!(world.modern(&access, "ping", json!({}), &[("origin", "https://evil.test")]).status, 403);
    assert_eq!(world.modern(&access, "ping", json!({}), &[("origin", "https://rs.test")]).status, 200);
    let bare = world.modern("", "ping", json!({}), &[("authorization", "")]);
    assert_eq!((bare.status, challenge(&bare)), (401, format!("Bearer scope=\"a\", {PRM}").as_str()));
    let basic = world.modern("", "ping", json!({}), &[("authorization", "Basic eA==")]);
    assert_eq!(basic.status, 400);
    assert!(challenge(&basic).contains("error=\"invalid_request\""));
    let unknown = world.modern("unknown", "ping", json!({}), &[]);
    assert_eq!((unknown.status, body(&unknown)["error"].as_str()), (401, Some("invalid_token")));
    assert!(challenge(&unknown).starts_with("Bearer error=\"invalid_token\"") && challenge(&unknown).ends_with(PRM));
}

#[test]
fn a_token_is_refused_when_it_expires_by_clock_or_by_advance() {
    for is_advance in [false, true] {
        let mut world = world();
        let (_, access, _) = world.login();
        let pass = |world: &mut World, seconds| {
            if is_advance {
                world.model.advance(Duration::from_secs(seconds));
            } else {
                world.wait(seconds);
            }
            world.modern(&access, "ping", json!({}), &[]).status
        };
        assert_eq!(pass(&mut world, 3599), 200);
        assert_eq!(pass(&mut world, 1), 401);
    }
}

#[test]
fn a_token_for_another_server_is_refused() {
    let mut world = world();
    let (_, access, _) = world.login();
    let other = "https://rs2.test/mcp";
    world.model.add_server(other, &[world.issuer], ServerPolicy::default());
    let authorization = format!("Bearer {access}");
    let wrong = request("POST", other, &[("authorization", &authorization)], json_content(initialize()));
    assert_eq!(world.send(&wrong).status, 401);
}

#[test]
fn a_tool_may_need_more_scope() {
    let mut world = with(|server| {
        server.scope = Scope::parse("a");
        server.tool_scopes = vec![("add".to_owned(), Scope::parse("write"))];
    });
    let (client, access, _) = world.login();
    assert_eq!(world.modern(&access, "tools/call", json!({"name": "echo", "arguments": {"text": "x"}}), &[]).status, 200);
    let params = json!({"name": "add", "arguments": {"a": 1, "b": 2}});
    let refused = world.modern(&access, "tools/call", params.clone(), &[]);
    assert_eq!(refused.status, 403);
    assert!(challenge(&refused).contains("error=\"insufficient_scope\"") && challenge(&refused).contains("scope=\"a write\""));
    let code = redirected(&world.authorize(&client, &[("scope", "a b write")])).first("code").unwrap().to_owned();
    let (wider, _) = tokens(&world.exchange(&client, &code, &[]));
    assert_eq!(body(&world.modern(&wider, "tools/call", params, &[]))["result"]["content"][0]["text"], "3");
}

#[test]
fn modern_answers_are_whole_and_carry_cache_hints() {
    let mut world = world();
    let (_, access, _) = world.login();
    let discovered = body(&world.modern(&access, "server/discover", json!({}), &[]));
    assert_eq!(discovered["id"], "x1");
    assert_eq!((&discovered["result"]["resultType"], &discovered["result"]["ttlMs"]), (&json!("complete"), &json!(0)));
    assert_eq!(discovered["result"]["supportedVersions"][0], MODERN_SINCE);
    let listed = body(&world.modern(&access, "tools/list", json!({}), &[]));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 3);
    let called = body(&world.modern(&access, "tools/call", json!({"name": "whoami"}), &[]));
    assert_eq!(called["result"]["content"][0]["text"], "ada with scope \"a b\"");
    assert!(called["result"].get("ttlMs").is_none());
}

#[test]
fn modern_refuses_by_its_own_codes() {
    let mut world = with(|server| server.required_capabilities = vec!["elicitation".to_owned()]);
    let (_, access, _) = world.login();
    let mut ask = |method: &str, change: &[(&str, &str)]| code(&world.modern(&access, method, json!({"name": "echo"}), change));
    assert_eq!(ask("tools/list", &[("mcp-method", "")]), (400, -32020));
    assert_eq!(ask("tools/list", &[("mcp-method", "tools/call")]), (400, -32020));
    assert_eq!(ask("tools/call", &[("mcp-name", "")]), (400, -32020));
    assert_eq!(ask("tools/call", &[("mcp-name", "add")]), (400, -32020));
    assert_eq!(ask("tools/list", &[("mcp-protocol-version", "2027-01-01")]), (400, -32020));
    assert_eq!(ask("tools/list", &[]), (400, -32021));
    world.model.server_mut(world.server).policy.required_capabilities.clear();
    assert_eq!(code(&world.modern(&access, "nothing", json!({}), &[])), (404, -32601));
    let encoded = world.modern(&access, "tools/call", json!({"name": "echo"}), &[("mcp-name", "=?base64?ZWNobw==?=")]);
    assert_eq!(encoded.status, 200);
    world.model.server_mut(world.server).policy.versions = vec!["2027-07-01".to_owned()];
    let refused = world.modern(&access, "server/discover", json!({}), &[]);
    assert_eq!(code(&refused), (400, -32022));
    assert_eq!(body(&refused)["error"]["data"], json!({"supported": ["2027-07-01"], "requested": MODERN_SINCE}));
    let headers = [("authorization", format!("Bearer {access}")), ("mcp-protocol-version", MODERN_SINCE.to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let get = world.send(&request("GET", RS, &headers, Content::Empty));
    assert_eq!((get.status, get.headers.first("allow")), (405, Some("POST")));
}

#[test]
fn a_legacy_server_does_not_know_discovery() {
    let mut world = with(|server| server.versions = vec!["2025-11-25".to_owned()]);
    let (_, access, _) = world.login();
    let accept = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
    assert_eq!(code(&world.modern(&access, "server/discover", json!({}), &accept)), (400, -32000));
    assert!(!world.session(&access).is_empty());
}

#[test]
fn a_legacy_session_lives_from_initialize_to_delete() {
    let mut world = world();
    let (_, access, _) = world.login();
    let session = world.session(&access);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(code(&world.legacy(&access, "", list.clone())), (400, -32000));
    assert_eq!(code(&world.legacy(&access, "unknown", list.clone())), (404, -32001));
    assert_eq!(body(&world.legacy(&access, &session, list.clone()))["result"]["tools"][0]["name"], "echo");
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(world.legacy(&access, &session, notification).status, 202);
    assert_eq!(code(&world.legacy(&access, &session, json!({"jsonrpc": "2.0", "id": 2, "method": "no"}))), (200, -32601));
    let authorization = format!("Bearer {access}");
    let headers = [("authorization", authorization.as_str()), ("mcp-session-id", &session)];
    assert_eq!(world.send(&request("DELETE", RS, &headers, Content::Empty)).status, 200);
    assert_eq!(code(&world.legacy(&access, &session, list)), (404, -32001));
    assert_eq!(world.send(&request("DELETE", RS, &headers, Content::Empty)).status, 404);
}

#[test]
fn legacy_refuses_what_is_not_its_protocol() {
    let mut world = world();
    let (_, access, _) = world.login();
    let authorization = format!("Bearer {access}");
    let mut post = |accept: &str, media_type: &str, content: Content, version: &str| {
        let mut headers = vec![("authorization", authorization.as_str()), ("accept", accept), ("content-type", media_type)];
        headers.push(("mcp-protocol-version", version));
        code(&world.send(&request("POST", RS, &headers, content)))
    };
    let (both, json_type) = ("application/json, text/event-stream", "application/json");
    let ping = || json_content(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    assert_eq!(post("application/json", json_type, ping(), "2025-11-25"), (406, -32000));
    assert_eq!(post(both, "text/plain", ping(), "2025-11-25"), (415, -32000));
    assert_eq!(post(both, json_type, Content::Text("{".into()), "2025-11-25"), (400, -32700));
    assert_eq!(post(both, json_type, ping(), "1999-01-01"), (400, -32000));
}

#[test]
fn initialize_echoes_a_known_version_and_offers_its_latest_otherwise() {
    let mut world = world();
    let (_, access, _) = world.login();
    for (asked, given) in [("2025-03-26", "2025-03-26"), ("1999-01-01", "2025-11-25")] {
        let mut message = initialize();
        message["params"]["protocolVersion"] = json!(asked);
        assert_eq!(body(&world.legacy(&access, "", message))["result"]["protocolVersion"], given);
    }
}

#[test]
fn one_get_stream_at_a_time_and_none_where_unsupported() {
    let mut world = world();
    let (_, access, _) = world.login();
    let session = world.session(&access);
    let authorization = format!("Bearer {access}");
    let headers = [("authorization", authorization.as_str()), ("mcp-session-id", &session), ("accept", "text/event-stream")];
    let get = request("GET", RS, &headers, Content::Empty);
    let open = world.model.answer(&get, world.now);
    assert_eq!(open.response.body.content.events().unwrap().events[0].data().as_deref(), Some(""));
    assert_eq!(world.send(&get).status, 409);
    world.model.stream_closed(&open.open.unwrap());
    assert_eq!(world.send(&get).status, 200);
    world.model.server_mut(world.server).policy.get_stream = false;
    assert_eq!(world.send(&get).status, 405);
}

#[test]
fn a_polled_answer_comes_when_the_stream_is_resumed() {
    let mut world = with(|server| server.reply = ReplyForm::Poll);
    let (_, access, _) = world.login();
    let session = world.session(&access);
    let response = world.legacy(&access, &session, json!({"jsonrpc": "2.0", "id": 5, "method": "ping"}));
    let events = &response.body.content.events().unwrap().events;
    assert_eq!(events.len(), 1);
    let last = events[0].id().unwrap().to_owned();
    let authorization = format!("Bearer {access}");
    let mut headers = vec![("authorization", authorization.as_str()), ("mcp-session-id", &session), ("accept", "text/event-stream")];
    headers.push(("last-event-id", &last));
    let rest = world.send(&request("GET", RS, &headers, Content::Empty));
    assert_eq!(rest.body.content.events().unwrap().events[0].json().unwrap()["id"], 5);
    headers.pop();
    headers.push(("last-event-id", "no"));
    assert_eq!(world.send(&request("GET", RS, &headers, Content::Empty)).status, 400);
}
