//! The rules against sequences of real clients and against the traps.

use super::super::samples::*;
use super::*;
use proptest::prelude::*;

const MCP: &str = "https://mcp.test/mcp";
const PRM: &str = "https://mcp.test/.well-known/oauth-protected-resource/mcp";
const AS: &str = "https://as.test/.well-known/oauth-authorization-server";
const JSON: (&str, &str) = ("content-type", "application/json");
const SSE: (&str, &str) = ("accept", "text/event-stream");

type Sequence = Vec<(&'static str, Sample)>;

/// Classifies as a whole run and, beside it, one by one: what gets its name late must have been worth waiting for.
fn assert_kinds(sequence: Sequence) {
    let (expected, exchanges): (Vec<_>, Vec<_>) = sequence.into_iter().map(|(kind, sample)| (kind, sample.done())).unzip();
    let (_, kinds) = classify_run(&exchanges);
    assert_eq!(kinds.iter().map(|classified| classified.kind.name()).collect::<Vec<_>>(), expected);

    let mut map = RoleMap::new();
    for (exchange, last) in exchanges.iter().zip(&kinds) {
        let first = map.classify(exchange);
        let _ = map.learn(exchange, first.kind);
        let is_lost = !first.kind.is_stored() && last.kind.is_stored() && !RoleMap::may_be_named(exchange);
        assert!(!is_lost, "{} {}", exchange.request.method, exchange.request.url);
    }
}

fn kind(sample: Sample) -> Classified {
    RoleMap::new().classify(&sample.done())
}

fn prm() -> Sample {
    get(PRM).answer(200, &[JSON], r#"{"resource":"https://mcp.test/mcp","authorization_servers":["https://as.test"]}"#)
}

fn metadata() -> Sample {
    let endpoints = [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("registration_endpoint", "register"),
        ("revocation_endpoint", "revoke"),
        ("introspection_endpoint", "introspect"),
        ("userinfo_endpoint", "me"),
        ("jwks_uri", "keys"),
    ];
    let members: String = endpoints.iter().map(|(member, path)| format!(r#","{member}":"https://as.test/{path}""#)).collect();
    get(AS).answer(200, &[JSON], &format!(r#"{{"issuer":"https://as.test"{members}}}"#))
}

fn register() -> Sample {
    let client = r#"{"client_name":"Claude Code (lab)","redirect_uris":["http://localhost:41234/callback"],"application_type":"native"}"#;
    post("https://as.test/register").json(client).answer_json(
        201,
        r#"{"client_id":"c1","redirect_uris":["http://localhost:41234/callback"],"registration_client_uri":"https://as.test/clients/c1"}"#,
    )
}

fn authorize() -> Sample {
    get("https://as.test/authorize?response_type=code&client_id=c1&redirect_uri=http%3A%2F%2Flocalhost%3A41234%2Fcallback&state=s").answer(
        302,
        &[("location", "http://localhost:41234/callback?code=x&state=s")],
        "",
    )
}

fn callback() -> Sample {
    get("http://localhost:41234/callback?code=x&state=s").answer_html(200)
}

fn token(grant: &str, issued: &str) -> Sample {
    let answer = format!(r#"{{"access_token":"{issued}","token_type":"Bearer","expires_in":3600}}"#);
    post("https://as.test/token").form(&format!("grant_type={grant}&client_id=c1")).answer_json(200, &answer)
}

fn call(method: &str) -> Sample {
    rpc(MCP, method).bearer("at-1").answer_json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
}

#[test]
fn claude_code_logs_in_works_and_logs_out() {
    let initialized = post(MCP).bearer("at-1").json(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).answer(202, &[], "");
    assert_kinds(vec![
        ("prm", prm()),
        ("as-metadata", metadata()),
        ("as-metadata", metadata()),
        ("prm", prm()),
        ("dcr-create", register()),
        ("authorize", authorize()),
        ("callback", callback()),
        ("token-code", token("authorization_code", "at-1")),
        ("mcp-request", call("server/discover").answer_json(400, "{}")),
        ("mcp-request", call("initialize")),
        ("mcp-notification", initialized),
        ("mcp-get-stream", get(MCP).bearer("at-1").header(SSE.0, SSE.1).header("mcp-session-id", "m").answer_events(": hi\n\n")),
        ("mcp-request", call("tools/call")),
        ("llm-api", post("https://api.anthropic.com/v1/messages?beta=true").header("x-api-key", "k").json(r#"{"model":"m"}"#)),
        ("telemetry", post("https://api.anthropic.com/api/event_logging/batch").json("{}")),
        ("other", get("https://downloads.claude.ai/x").answer_html(200)),
        ("prm", get("https://as.test/.well-known/oauth-protected-resource").answer_html(404)),
        ("revoke", post("https://as.test/revoke").form("token=rt-1&token_type_hint=refresh_token&client_id=c1").answer(200, &[], "")),
        ("revoke", post("https://as.test/revoke").form("token=at-1").answer(200, &[], "")),
    ]);
}

#[test]
fn the_typescript_sdk_logs_in() {
    assert_kinds(vec![
        ("mcp-request", rpc(MCP, "initialize").challenged(PRM)),
        ("prm", prm()),
        ("as-metadata", metadata()),
        ("dcr-create", register()),
        ("authorize", authorize()),
        ("callback", callback()),
        ("prm", prm()),
        ("as-metadata", metadata()),
        ("token-code", token("authorization_code", "at-1")),
        ("mcp-request", call("initialize")),
        ("mcp-get-stream", get(MCP).bearer("at-1").header(SSE.0, SSE.1).answer_html(405)),
        ("mcp-resume", get(MCP).bearer("at-1").header(SSE.0, SSE.1).header("last-event-id", "7").answer_events("id: 8\n\n")),
        ("mcp-delete", Sample::new("DELETE", MCP).bearer("at-1").header("mcp-session-id", "m").answer(200, &[], "")),
    ]);
}

#[test]
fn mcp_remote_begins_with_a_get() {
    let probe = || get(MCP).header(SSE.0, SSE.1);
    assert_kinds(vec![
        ("mcp-get-stream", probe().challenged(PRM)),
        ("prm", prm()),
        ("as-metadata", metadata()),
        ("mcp-get-stream", probe().answer(401, &[], "")),
        ("mcp-request", rpc(MCP, "initialize").challenged(PRM)),
        ("token-refresh", token("refresh_token", "at-1")),
        ("mcp-request", call("initialize")),
    ]);
    // Without a challenge, and without asking for events, only the POST shows what the GET was.
    assert_kinds(vec![("mcp-get-stream", get(MCP).answer(401, &[], "")), ("mcp-request", rpc(MCP, "initialize"))]);
}

#[test]
fn the_python_sdk_speaks_the_modern_era() {
    let discover = || rpc(MCP, "server/discover").header("mcp-protocol-version", "2026-07-28").header("mcp-method", "server/discover");
    assert_kinds(vec![
        ("mcp-request", discover().challenged(PRM)),
        ("prm", get("https://mcp.test/.well-known/oauth-protected-resource").answer_html(404)),
        ("as-metadata", get("https://as.test/.well-known/oauth-authorization-server/t").answer_html(404)),
        ("oidc-config", get("https://as.test/.well-known/openid-configuration/t").answer_html(404)),
        ("oidc-config", get("https://as.test/t/.well-known/openid-configuration").answer_html(404)),
        ("token-client-credentials", token("client_credentials", "at-1")),
        ("mcp-request", discover().bearer("at-1").answer_events("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")),
        ("mcp-request", call("subscriptions/listen").answer_events("")),
    ]);
}

#[test]
fn claude_logs_in_with_json_and_its_model_api_is_the_resource() {
    let authorize = "?code=true&client_id=c&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A5000%2Fcallback&state=s";
    let issue = |body: &str| {
        let sample = post("https://platform.claude.com/v1/oauth/token").json(body);
        sample.answer_json(200, r#"{"access_token":"sk-ant-oat01-x","refresh_token":"r","expires_in":28800}"#)
    };
    let refused = r#"{"type":"error","error":{"type":"invalid_request_error","message":"m"},"request_id":"q"}"#;
    assert_kinds(vec![
        ("authorize", get(&format!("https://claude.com/cai/oauth/authorize{authorize}")).answer(307, &[], "")),
        ("authorize", get(&format!("https://claude.ai/oauth/authorize{authorize}")).answer_html(200)),
        ("callback", get("http://localhost:5000/callback?code=x&state=s").answer_html(200)),
        ("token-code", issue(r#"{"grant_type":"authorization_code","code":"x","state":"s","client_id":"c"}"#)),
        ("account-api", get("https://api.anthropic.com/api/oauth/profile").bearer("sk-ant-oat01-x").answer_json(200, "{}")),
        ("account-api", post("https://api.anthropic.com/api/oauth/claude_cli/roles").bearer("sk-ant-oat01-x")),
        ("llm-api", post("https://api.anthropic.com/v1/messages").bearer("sk-ant-oat01-x").json(r#"{"model":"m"}"#)),
        ("telemetry", post("https://api.anthropic.com/api/event_logging/batch").bearer("sk-ant-oat01-x").json("{}")),
        ("other", get("https://api.anthropic.com/api/hello").answer_json(200, "{}")),
        ("token-refresh", issue(r#"{ "grant_type": "refresh_token", "refresh_token": "r" }"#).answer_json(400, refused)),
    ]);
}

#[test]
fn the_transport_of_2024_is_known_by_its_first_event() {
    let sse = "https://old.test/sse";
    let message = |url: &str| rpc(url, "tools/list").answer(202, &[], "Accepted");
    assert_kinds(vec![
        ("sse-legacy-open", get(sse).header(SSE.0, SSE.1).answer(401, &[], "")),
        ("sse-legacy-open", get(sse).header(SSE.0, SSE.1).answer_events(": hello\n\nevent: endpoint\ndata: /messages?session_id=1\n\n")),
        ("sse-legacy-post", message("https://old.test/messages?session_id=1")),
        ("mcp-request", message("https://old.test/other")),
    ]);
}

#[test]
fn an_open_stream_teaches_while_it_is_open() {
    let opened = get("https://old.test/sse").header(SSE.0, SSE.1).answer(200, &[("content-type", "text/event-stream")], "").done();
    let announced = get("https://x.test/").answer_events("event: endpoint\ndata: https://old.test/m?s=1\n\n").done();
    let Some(stream) = announced.response().and_then(|response| response.body.content.events()) else { panic!("a stream") };
    let mut map = RoleMap::new();
    assert_eq!(map.classify(&opened).kind, Kind::Other);
    assert!(RoleMap::may_be_named(&opened));
    assert_eq!(map.learn_event(&opened.request.url, &stream.events[0]), Learned::Roles);
    assert_eq!(map.learn_event(&opened.request.url, &stream.events[0]), Learned::Nothing);
    assert_eq!(map.classify(&opened).kind, Kind::SseLegacyOpen);
    assert_eq!(map.classify(&rpc("https://old.test/m?s=1", "initialize").done()).kind, Kind::SseLegacyPost);
}

#[test]
fn metadata_names_what_has_no_shape_before_or_after_it() {
    let late = || {
        vec![
            ("userinfo", get("https://as.test/me").bearer("unknown").answer_json(200, "{}")),
            ("jwks", get("https://as.test/keys").header("accept", "application/json").answer_html(500)),
            ("introspect", post("https://as.test/introspect").form("token=x&odd=1").answer_json(401, "{}")),
            ("dcr-create", post("https://as.test/register").json("{}").answer_json(400, "{}")),
            ("token-other", post("https://as.test/token").form("code=x").answer_json(400, "{}")),
            ("authorize", get("https://as.test/authorize?state=s&code=1").answer_html(400)),
        ]
    };
    assert_kinds(late().into_iter().chain([("as-metadata", metadata())]).collect());
    assert_kinds([("as-metadata", metadata())].into_iter().chain(late()).collect());
    assert_kinds(vec![
        ("dcr-create", register()),
        ("dcr-manage", get("https://as.test/clients/c1").bearer("reg").answer_json(200, "{}")),
        ("dcr-manage", Sample::new("DELETE", "https://as.test/clients/c1").bearer("reg")),
    ]);
}

#[test]
fn each_rule_stands_alone_where_the_tape_begins_in_the_middle() {
    let urn = |grant: &str| format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A{grant}&a=b");
    let odd = "https://x.test/odd";
    let own = r#"{"client_id":"https://x.test/odd","redirect_uris":[]}"#;
    for (expected, sure, sample) in [
        (Kind::Preflight, true, Sample::new("OPTIONS", odd).header("access-control-request-method", "POST")),
        (Kind::Other, false, Sample::new("OPTIONS", odd)),
        (Kind::TokenRefresh, true, post(odd).body("text/plain", "grant_type=refresh_token&refresh_token=%7e")),
        (Kind::TokenRefresh, true, post(odd).form("grant_type=refresh_token&refresh_token=r")),
        (Kind::TokenExchange, true, post(odd).form(&urn("token-exchange"))),
        (Kind::TokenJwtBearer, true, post(odd).form(&urn("jwt-bearer"))),
        (Kind::TokenDevice, true, post(odd).form(&urn("device_code"))),
        (Kind::TokenOther, true, post(odd).form("grant_type=password")),
        (Kind::Other, false, post("https://x.test/token").form("code=x&client_id=y")),
        (Kind::Other, false, get("https://x.test/token?grant_type=refresh_token")),
        (Kind::Other, false, post("https://x.test/register").json(r#"{"email":"a"}"#)),
        (Kind::Other, false, post("https://x.test/revoke").json(r#"{"token":"a"}"#)),
        (Kind::DcrCreate, true, post(odd).json(r#"{"client_name":"x","grant_types":[]}"#)),
        (Kind::McpBatch, true, post(odd).header("accept", "*/*, Text/Event-Stream;q=1").json(r#"[{"jsonrpc":"2.0","method":"a"}]"#)),
        (Kind::McpRequest, false, post(odd).json(r#"{"jsonrpc":"2.0","id":1,"method":"eth_call"}"#)),
        (Kind::McpResponse, false, post(odd).json(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#)),
        (Kind::McpRequest, false, post(odd).header("mcp-session-id", "s").json(r#"{"jsonrpc":"2.0","id":"#)),
        (Kind::Introspect, true, post(odd).form("token=x").answer_json(200, r#"{"active":false}"#)),
        (Kind::Revoke, false, post(odd).form("token=x&token_type_hint=access_token").answer_json(503, "{}")),
        (Kind::Other, false, post(odd).form("token=xoxb&channel=c")),
        (Kind::Par, true, post(odd).form("response_type=code&client_id=c").answer_json(201, r#"{"request_uri":"urn:x"}"#)),
        (Kind::Par, false, post(odd).form("response_type=code&client_id=c").answer_json(400, r#"{"error":"invalid_request"}"#)),
        (Kind::Authorize, false, post(odd).form("response_type=code&client_id=c").answer(302, &[], "")),
        (Kind::Authorize, true, get("https://x.test/odd?client_id=c&request_uri=urn%3Ax")),
        (Kind::DeviceAuthorize, true, post(odd).form("client_id=c").answer_json(200, r#"{"device_code":"d","user_code":"u"}"#)),
        (Kind::Callback, false, get("http://[::1]:3118/callback?code=x&state=s")),
        (Kind::Callback, false, get("http://127.0.0.1:3118/?error=access_denied&iss=i")),
        (Kind::Other, false, get("http://localhost:3118/callback?code=x")),
        (Kind::Other, false, get("https://x.test/odd?code=x&state=s")),
        (Kind::Prm, true, get("https://x.test/.well-known/oauth-protected-resource/a/mcp?k=1")),
        (Kind::Prm, true, get(odd).answer_json(200, r#"{"resource":"r","bearer_methods_supported":[]}"#)),
        (Kind::Other, false, get("https://x.test/.well-known/oauth-protected-resources")),
        (Kind::AsMetadata, true, get("https://x.test/.well-known/oauth-authorization-server/tenant")),
        (Kind::AsMetadata, false, get(odd).answer_json(200, r#"{"issuer":"i","token_endpoint":"t"}"#)),
        (Kind::OidcConfig, true, get("https://x.test/tenant/.well-known/openid-configuration")),
        (Kind::Jwks, true, get(odd).answer_json(200, r#"{"keys":[{"kty":"EC"}]}"#)),
        (Kind::Other, false, get(odd).answer_json(200, r#"{"keys":["a"]}"#)),
        (Kind::CimdDoc, true, get(odd).answer_json(200, own)),
        (Kind::McpGetStream, true, get(odd).header(SSE.0, SSE.1).header("mcp-protocol-version", "2025-11-25")),
        (Kind::McpGetStream, false, get(odd).challenged(PRM)),
        (Kind::Other, false, get(odd).header(SSE.0, SSE.1)),
        (Kind::McpDelete, true, Sample::new("DELETE", odd).header("mcp-session-id", "s")),
        (Kind::Other, false, Sample::new("DELETE", odd)),
        (Kind::LlmApi, true, post("https://api.anthropic.com/v1/messages/count_tokens")),
        (Kind::LlmApi, true, post("https://gw.test/x/v1/messages").header("x-api-key", "k").json(r#"{"model":"m","messages":[]}"#)),
        (Kind::LlmApi, true, post("https://gw.test/v1/responses").bearer("k").json(r#"{"model":"m","input":"i"}"#)),
        (Kind::LlmApi, false, post("http://localhost:11434/v1/chat/completions").json(r#"{"model":"m","messages":[]}"#)),
        (Kind::LlmApi, false, post("https://gw.test/v1/messages").bearer("k").json(r#"{"tools":[]}"#)),
        (Kind::Other, false, post("https://forms.test/1/responses").bearer("k").json(r#"{"answer":1}"#)),
        (Kind::Telemetry, true, post("https://o1.ingest.us.sentry.io/api/1/envelope/")),
        (Kind::Telemetry, true, post("https://http-intake.logs.us5.datadoghq.com/api/v2/logs")),
        (Kind::Other, false, get("https://mcp.datadoghq.com/x")),
        (Kind::Other, false, get("ftp://x.test/")),
    ] {
        let request = sample.clone().done().request;
        let classified = kind(sample);
        let sure = if sure { Confidence::High } else { Confidence::Low };
        assert_eq!(classified, Classified { kind: expected, confidence: sure }, "{} {}", request.method, request.url);
    }
}

#[test]
fn pages_packages_and_repositories_are_let_go() {
    let json = ("accept", "application/json");
    for (expected, sample) in [
        (false, get("https://x.test/").answer_html(200)),
        (false, get("https://x.test/").header(json.0, json.1).answer_json(200, "{}")),
        (false, get("https://packages.test/a").header("user-agent", "npm/11 node/v24").bearer("n").answer_json(404, "{}")),
        (false, get("https://git.test/r/info/refs?service=git-upload-pack").header("user-agent", "git/2.43").answer(401, &[], "")),
        (false, post("https://git.test/r/git-upload-pack").body("application/x-git-upload-pack-request", "0032want x")),
        (false, Sample::new("HEAD", "https://x.test/")),
        (true, get("https://x.test/meta").header(json.0, "text/html, application/json;q=0.9").answer_html(404)),
        (true, get("https://x.test/me").bearer("at").answer_json(200, "{}")),
        (true, post("https://x.test/x").form("a=b")),
        (true, Sample::new("DELETE", "https://x.test/mcp")),
        (true, get("https://app.test/cb?code=x&state=s")),
        (true, get("https://as.test/authorize?client_id=c").answer_html(400)),
    ] {
        let exchange = sample.done();
        assert_eq!(RoleMap::may_be_named(&exchange), expected, "{}", exchange.request.url);
    }
}

#[test]
fn redirects_of_this_run_are_known_for_every_port() {
    let exchanges =
        [register().done(), get("http://localhost:9/callback?error=access_denied").done(), get("http://localhost:9/x?code=1").done()];
    let (map, kinds) = classify_run(&exchanges);
    assert_eq!(kinds[1], high(Kind::Callback));
    assert_eq!(kinds[2].kind, Kind::Other);
    assert!(!format!("{map:?}").contains("localhost"));
}

proptest! {
    #[test]
    fn nothing_panics(
        method in "GET|POST|DELETE|OPTIONS|PUT",
        url in "https?://[a-z.:\\[\\]]{0,9}/\\PC{0,20}",
        body in "\\PC{0,20}|[{\\[\"a:,}\\]=&%]{0,20}",
        name in "accept|authorization|last-event-id|mcp-session-id",
        value in "\\PC{0,12}|(Bearer|Basic) [a-zA-Z=+]{0,12}",
    ) {
        let sample = Sample::new(&method, &url).header(&name, &value).body("application/json", &body);
        let exchange = sample.answer(401, &[("www-authenticate", &value), JSON], &body).done();
        let (_, kinds) = classify_run(std::slice::from_ref(&exchange));
        prop_assert_eq!(kinds.len(), 1);
        let _ = (RoleMap::may_be_named(&exchange), crate::protocol::Entities::of(&exchange).client_id().is_some());
        let mut map = RoleMap::new();
        for kind in Kind::ALL {
            let _ = map.learn(&exchange, *kind);
        }
    }
}
