//! Tapes of a few exchanges, written by hand: what the player makes of those that begin in the middle, and of calls that they do not
//! hold.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::Cassette;
use authtape::exchange::{Body, Content, Form, Headers, Request, Version};
use authtape::model::Moment;
use authtape::replay::{Answered, Player, PlayerOptions, Source};
use authtape::reply::Ending;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use url::Url;

const MCP: &str = "https://mcp.example.test/mcp";
const AUTH: &str = "https://auth.example.test";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The text of a cassette.
struct Tape(String, u32);

impl Tape {
    fn new() -> Self {
        let head = "authtape: 1\nrecorded: {at: 2026-11-20T10:12:03Z, with: authtape 0.1.0, client: [other, …]}\n";
        Self(format!("{head}scrubbed: {{policy: 1, secrets: 1, personal: 0}}\nfinished: true\n"), 0)
    }

    fn add(mut self, kind: &str, method: &str, url: &str, request: &str, status: u16, answer: &Value) -> Self {
        self.1 += 1;
        let text = &mut self.0;
        writeln!(text, "---\ninteraction: {}\nsession: 1\nconnection: 1\nat: {}ms\nkind: {kind}", self.1, self.1).unwrap();
        writeln!(text, "request:\n  method: {method}\n  url: {url}\n{request}").unwrap();
        writeln!(text, "response:\n  status: {status}\n  headers: [{{content-type: application/json}}]\n  json: {answer}").unwrap();
        self
    }

    /// A JSON-RPC request of 2026-07-28 with a bearer.
    fn call(self, method: &str, bearer: &str, status: u16, answer: &Value) -> Self {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}});
        let headers = format!("[{{authorization: Bearer {bearer}}}, {{mcp-protocol-version: \"2026-07-28\"}}]");
        let answer = if status == 200 { json!({"jsonrpc": "2.0", "id": 1, "result": answer}) } else { answer.clone() };
        self.add("mcp-request", "POST", MCP, &format!("  headers: {headers}\n  json: {body}"), status, &answer)
    }

    fn refresh(self, token: &str, status: u16, answer: &Value) -> Self {
        let form = format!("  form: [{{grant_type: refresh_token}}, {{refresh_token: {token}}}, {{client_id: SCRUBBED0009xxxxxxxx}}]");
        self.add("token-refresh", "POST", &format!("{AUTH}/token"), &form, status, answer)
    }

    fn metadata(self) -> Self {
        let urls = ["authorize", "token", "register", "revoke"].map(|name| format!("{AUTH}/{name}"));
        let document = json!({"issuer": AUTH, "authorization_endpoint": urls[0], "token_endpoint": urls[1],
            "registration_endpoint": urls[2], "revocation_endpoint": urls[3], "token_endpoint_auth_methods_supported": ["client_secret_post"]});
        self.add("as-metadata", "GET", &format!("{AUTH}/.well-known/oauth-authorization-server"), "", 200, &document)
    }

    fn play(self) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tape.yaml");
        std::fs::write(&path, self.0).unwrap();
        let cassette = Cassette::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let player = Player::new(cassette, [5; 32], &PlayerOptions::default()).unwrap();
        Bench { player, now: Moment::since_epoch(Duration::from_secs(1_800_000_000)) }
    }
}

struct Bench {
    player: Player,
    now: Moment,
}

impl Bench {
    fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)], content: Content) -> Answered {
        let (headers, body) = (headers.iter().copied().collect(), Body { content, ..Body::default() });
        let (method, url, trailers) = (method.to_owned(), url.to_owned(), Headers::new());
        self.player.answer(&Request { method, url, version: Version::Http11, headers, body, trailers }, 1, self.now)
    }

    fn form(&mut self, endpoint: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let answered = self.send("POST", &format!("{AUTH}/{endpoint}"), &[], Content::Form(fields.iter().copied().collect::<Form>()));
        (answered.reply.status, body(&answered))
    }

    fn refresh(&mut self, client: &str, token: &str) -> (u16, Value) {
        self.form("token", &[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)])
    }

    fn call(&mut self, method: &str, params: Value, bearer: &str) -> Answered {
        let mut params = params;
        params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let message = json!({"jsonrpc": "2.0", "id": "live", "method": method, "params": params});
        let bearer = format!("Bearer {bearer}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        self.send("POST", MCP, &headers, Content::of(message.to_string().into(), &Headers::new()))
    }

    fn status(&mut self, bearer: &str) -> u16 {
        self.call("tools/list", json!({}), bearer).reply.status
    }
}

fn body(answered: &Answered) -> Value {
    serde_json::from_slice(&answered.reply.body()).unwrap_or_default()
}

/// The result of `server/discover`, of a server that declares this.
fn discovered(capabilities: &Value) -> Value {
    json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities})
}

fn tools() -> Value {
    json!({"resultType": "complete", "tools": []})
}

fn issued(access: &str, refresh: &str) -> Value {
    json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh})
}

/// A tape of one session that was logged in before it began.
fn logged_in() -> Tape {
    Tape::new()
        .metadata()
        .call("tools/list", "SCRUBBED0001xxxxxxxx", 200, &tools())
        .refresh("SCRUBBED0002xxxxxxxx", 200, &issued("SCRUBBED0003xxxxxxxx", "SCRUBBED0004xxxxxxxx"))
        .call("tools/list", "SCRUBBED0003xxxxxxxx", 200, &tools())
}

#[test]
fn a_tape_that_begins_logged_in_adopts_one_bearer_one_client_and_one_refresh_token_of_one_grant() {
    let mut bench = logged_in().play();
    assert_eq!((bench.status("SCRUBBED0001xxxxxxxx"), bench.status("stored at"), bench.status("another at")), (401, 200, 401));
    assert_eq!(bench.refresh("SCRUBBED0009xxxxxxxx", "stored rt").0, 401);
    let (status, renewed) = bench.refresh("stored client", "stored rt");
    assert_eq!((status, &renewed["expires_in"]), (200, &json!(3600)));
    assert_eq!(bench.refresh("another client", "stored rt").0, 401);
    assert_eq!(bench.refresh("stored client", "another rt").1["error"], "invalid_grant");
    assert_eq!(bench.status(renewed["access_token"].as_str().unwrap()), 200);
    let adopted = bench.player.account().adopted.clone();
    assert_eq!(
        adopted,
        [
            "the bearer of https://mcp.example.test/mcp",
            "the client id at https://auth.example.test",
            "the refresh token at https://auth.example.test"
        ]
    );
    // A rotated refresh token ends the grant, and with it the bearer that was adopted.
    assert_eq!(bench.refresh("stored client", "stored rt").1["error"], "invalid_grant");
    assert_eq!(bench.status("stored at"), 401);
}

#[test]
fn a_bearer_that_this_run_issued_is_never_adopted_again() {
    let mut bench = logged_in().play();
    let renewed = bench.refresh("stored client", "stored rt").1;
    bench.now = bench.now.plus(Duration::from_secs(3601));
    assert_eq!(bench.status(renewed["access_token"].as_str().unwrap()), 401);
}

#[test]
fn what_the_tape_refused_is_not_adopted() {
    let refused = json!({"error": "invalid_token"});
    let expired = Tape::new()
        .metadata()
        .call("tools/list", "SCRUBBED0001xxxxxxxx", 401, &refused)
        .refresh("SCRUBBED0002xxxxxxxx", 200, &issued("SCRUBBED0003xxxxxxxx", "SCRUBBED0004xxxxxxxx"))
        .call("tools/list", "SCRUBBED0003xxxxxxxx", 200, &tools());
    let mut bench = expired.play();
    assert_eq!(bench.status("stored at"), 401);
    let renewed = bench.refresh("stored client", "stored rt").1;
    assert_eq!(bench.status(renewed["access_token"].as_str().unwrap()), 200);

    let ended = Tape::new().metadata().call("tools/list", "SCRUBBED0001xxxxxxxx", 401, &refused).refresh(
        "SCRUBBED0002xxxxxxxx",
        400,
        &json!({"error": "invalid_grant"}),
    );
    let mut bench = ended.play();
    assert_eq!(bench.refresh("stored client", "stored rt"), (400, json!({"error": "invalid_grant"})));
}

#[test]
fn a_tape_of_a_logout_alone_revokes_what_the_client_holds() {
    let form = "  form: [{token: SCRUBBED0001xxxxxxxx}, {token_type_hint: refresh_token}, {client_id: SCRUBBED0002xxxxxxxx}]";
    for tape in [Tape::new(), Tape::new().metadata()] {
        let mut bench = tape.add("revoke", "POST", &format!("{AUTH}/revoke"), form, 200, &json!({})).play();
        let asked = [("token", "stored rt"), ("token_type_hint", "refresh_token"), ("client_id", "stored client")];
        assert_eq!(bench.form("revoke", &asked), (200, json!({})));
        assert_eq!(bench.form("revoke", &[("token", "stored rt"), ("client_id", "another client")]).0, 401);
        assert!(bench.player.account().misses.is_empty());
    }
}

#[test]
fn a_client_registers_with_a_method_that_the_tape_does_not_advertise() {
    let mut bench = logged_in().play();
    let metadata = json!({"redirect_uris": ["http://localhost:4711/cb"], "token_endpoint_auth_method": "none"});
    let content = Content::of(metadata.to_string().into(), &Headers::new());
    let registered = bench.send("POST", &format!("{AUTH}/register"), &[], content);
    assert_eq!((registered.reply.status, &body(&registered)["token_endpoint_auth_method"]), (201, &json!("none")));
    assert!(body(&registered).get("client_secret").is_none());
}

#[test]
fn a_server_that_gives_refresh_tokens_unasked_does_so_again() {
    let callback = "http://localhost:4711/cb";
    let login = |grant_types: Option<Value>| {
        let mut metadata = json!({"redirect_uris": [callback], "token_endpoint_auth_method": "none"});
        metadata.as_object_mut().unwrap().extend(grant_types.map(|own| ("grant_types".to_owned(), own)));
        let registered = json!({"client_id": "SCRUBBED0005xxxxxxxx", "redirect_uris": [callback]});
        let form = "  form: [{grant_type: authorization_code}, {code: SCRUBBED0006xxxxxxxx}, {client_id: SCRUBBED0005xxxxxxxx}]";
        let tape =
            Tape::new().metadata().add("dcr-create", "POST", &format!("{AUTH}/register"), &format!("  json: {metadata}"), 201, &registered);
        let tokens = issued("SCRUBBED0003xxxxxxxx", "SCRUBBED0004xxxxxxxx");
        tape.add("token-code", "POST", &format!("{AUTH}/token"), form, 200, &tokens).play()
    };
    for (grant_types, gives) in [(None, true), (Some(json!(["authorization_code", "refresh_token"])), false)] {
        let mut bench = login(grant_types);
        // This client asks for none.
        let metadata = json!({"redirect_uris": [callback], "token_endpoint_auth_method": "none"});
        let content = Content::of(metadata.to_string().into(), &Headers::new());
        let registered = body(&bench.send("POST", &format!("{AUTH}/register"), &[], content));
        let client = registered["client_id"].as_str().unwrap();
        let mut url = Url::parse(&format!("{AUTH}/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([("client_id", client), ("response_type", "code"), ("redirect_uri", callback)]);
        url.query_pairs_mut().extend_pairs([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        let answered = bench.send("GET", url.as_str(), &[], Content::Empty);
        let location = Url::parse(answered.reply.headers.first("location").unwrap()).unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let asked = [("grant_type", "authorization_code"), ("code", &code), ("client_id", client), ("redirect_uri", callback)];
        let (status, tokens) = bench.form("token", &[&asked[..], &[("code_verifier", VERIFIER)]].concat());
        assert_eq!((status, tokens["refresh_token"].is_string()), (200, gives));
        let refresh = tokens["refresh_token"].as_str().unwrap_or("none");
        assert_eq!(bench.refresh(client, refresh).0, if gives { 200 } else { 400 });
    }
}

#[test]
fn what_the_server_declared_decides_lists_that_the_tape_does_not_hold() {
    let capabilities = json!({"tools": {}, "prompts": {"listChanged": true}});
    let tape = Tape::new().call("server/discover", "SCRUBBED0001xxxxxxxx", 200, &discovered(&capabilities));
    let mut bench = tape.call("prompts/get", "SCRUBBED0001xxxxxxxx", 200, &json!({"messages": []})).play();
    let of = |bench: &mut Bench, method: &str| {
        let answered = bench.call(method, json!({}), "stored at");
        (answered.reply.status, body(&answered), matches!(answered.source, Source::Miss(_)))
    };
    // Declared and never called: an empty list. Declared and called: only the tape could know. Not declared: unknown.
    let (status, listed, is_miss) = of(&mut bench, "tools/list");
    assert_eq!((status, &listed["id"], &listed["result"]["tools"], is_miss), (200, &json!("live"), &json!([]), false));
    assert_eq!(listed["result"]["resultType"], "complete");
    let (status, listed, is_miss) = of(&mut bench, "prompts/list");
    assert_eq!((status, &listed["error"]["code"], is_miss), (200, &json!(-32603), true));
    for method in ["resources/list", "resources/templates/list", "logging/setLevel"] {
        let (status, listed, is_miss) = of(&mut bench, method);
        assert_eq!((status, &listed["error"]["code"], is_miss), (404, &json!(-32601), false), "{method}");
    }
}

#[test]
fn a_subscription_is_acknowledged_as_far_as_the_server_promised_and_stays_open() {
    let capabilities = json!({"tools": {"listChanged": true}, "prompts": {"listChanged": false}});
    let mut bench = Tape::new().call("server/discover", "SCRUBBED0001xxxxxxxx", 200, &discovered(&capabilities)).play();
    let asked = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true}});
    let answered = bench.call("subscriptions/listen", asked, "stored at");
    assert_eq!((answered.reply.status, answered.reply.ending), (200, Ending::Open));
    let text = String::from_utf8(answered.reply.body()).unwrap();
    let event: Value = serde_json::from_str(text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap();
    assert_eq!(event["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(event["params"]["notifications"], json!({"toolsListChanged": true}));
    assert_eq!(event["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "live");
}

#[test]
fn an_openid_provider_has_its_document_under_both_names() {
    for (member, status) in [("subject_types_supported", 200), ("scopes_supported", 404)] {
        for (issuer, place, other) in [
            (AUTH.to_owned(), "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
            (format!("{AUTH}/t"), "/.well-known/oauth-authorization-server/t", "/t/.well-known/openid-configuration"),
            (format!("{AUTH}/t"), "/.well-known/oauth-authorization-server/t", "/.well-known/openid-configuration/t"),
        ] {
            let document = json!({"issuer": issuer, "token_endpoint": format!("{AUTH}/token"), member: ["public"]});
            let mut bench = Tape::new().add("as-metadata", "GET", &format!("{AUTH}{place}"), "", 200, &document).play();
            let answered = bench.send("GET", &format!("{AUTH}{other}"), &[], Content::Empty);
            assert_eq!((answered.reply.status, body(&answered) == document), (status, status == 200), "{other}");
            assert!(bench.player.account().misses.is_empty());
        }
    }
}

#[test]
fn a_tape_of_a_login_alone_has_no_answer_for_a_call_and_says_so() {
    let resource = json!({"resource": MCP, "authorization_servers": [AUTH]});
    let place = "https://mcp.example.test/.well-known/oauth-protected-resource/mcp";
    let mut bench = Tape::new().add("prm", "GET", place, "", 200, &resource).metadata().play();
    let metadata = json!({"token_endpoint_auth_method": "client_secret_post", "grant_types": ["client_credentials"]});
    let content = Content::of(metadata.to_string().into(), &Headers::new());
    let client = body(&bench.send("POST", &format!("{AUTH}/register"), &[], content));
    let field = |name: &str| client[name].as_str().unwrap();
    let asked = [("grant_type", "client_credentials"), ("client_id", field("client_id")), ("client_secret", field("client_secret"))];
    let (_, tokens) = bench.form("token", &asked);
    let answered = bench.call("tools/list", json!({}), tokens["access_token"].as_str().unwrap());
    let Source::Miss(miss) = answered.source else { panic!("{:?}", answered.source) };
    assert_eq!(miss.to_string(), "tools/list at mcp.example.test/mcp is not on the tape: the tape holds no call of this server");
}
