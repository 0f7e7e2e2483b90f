//! The player by itself: what a tape of one login answers to requests made by hand, on a clock of the test.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::Cassette;
use authtape::demo::{Names, Plan, World};
use authtape::exchange::{Body, Content, Form, Headers, Request, Version};
use authtape::model::Moment;
use authtape::replay::{Answered, Player, PlayerOptions, Source};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use url::Url;

const MCP: &str = "http://mcp.demo.localhost/mcp";
const AUTH: &str = "http://auth.demo.localhost";
const AUTHTAPE: &str = env!("CARGO_BIN_EXE_authtape");
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:4711/cb";

/// A player over a tape of the reference client in the older era.
struct Bench {
    player: Player,
    now: Moment,
}

impl Bench {
    fn new() -> Self {
        let mut plan = Plan { names: Names::MadeUp, ..Plan::default() };
        plan.server.versions = vec!["2025-11-25".to_owned()];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = runtime.block_on(World::start(plan)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(AUTHTAPE);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).current_dir(folder.path());
        command.args(["record", "-o", "tape.yaml", "--user-agent", "auto"]);
        command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
        command.args(["--", AUTHTAPE, "client", MCP, "--tool", "echo", "--arguments", r#"{"text":"hi"}"#]);
        let output = command.output().unwrap();
        runtime.block_on(world.stop());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let cassette = Cassette::load(&folder.path().join("tape.yaml")).unwrap();
        let player = Player::new(cassette, [3; 32], &PlayerOptions::default()).unwrap();
        Self { player, now: Moment::since_epoch(Duration::from_secs(1_800_000_000)) }
    }

    fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)], content: Content) -> Answered {
        let headers: Headers = headers.iter().copied().collect();
        let body = Body { content, ..Body::default() };
        let (method, url, trailers) = (method.to_owned(), url.to_owned(), Headers::new());
        self.player.answer(&Request { method, url, version: Version::Http11, headers, body, trailers }, 1, self.now)
    }

    fn form(&mut self, url: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let answered = self.send("POST", url, &[], Content::Form(fields.iter().copied().collect::<Form>()));
        (answered.reply.status, body(&answered))
    }

    fn rpc(&mut self, bearer: &str, session: Option<&str>, message: &Value) -> Answered {
        let bearer = format!("Bearer {bearer}");
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.push(("accept", "application/json, text/event-stream"));
        headers.extend(session.map(|session| ("mcp-session-id", session)));
        let content = Content::of(message.to_string().into(), &Headers::new());
        self.send("POST", MCP, &headers, content)
    }

    /// Registers and asks for a code; the id of the client and the redirect.
    fn authorized(&mut self) -> (String, Url) {
        let metadata = json!({"redirect_uris": [REDIRECT], "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none", "client_name": "another client"});
        let registered = self.send("POST", &format!("{AUTH}/register"), &[], Content::of(metadata.to_string().into(), &Headers::new()));
        assert!(matches!(registered.source, Source::Dressed { .. }), "{:?}", registered.source);
        let registered = body(&registered);
        assert_eq!((&registered["client_name"], &registered["redirect_uris"][0]), (&json!("another client"), &json!(REDIRECT)));
        let client = registered["client_id"].as_str().unwrap().to_owned();
        let mut url = Url::parse(&format!("{AUTH}/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([("client_id", client.as_str()), ("response_type", "code"), ("state", "live state")]);
        url.query_pairs_mut().extend_pairs([("redirect_uri", REDIRECT), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        let redirect = self.send("GET", url.as_str(), &[], Content::Empty);
        assert_eq!(redirect.reply.status, 302);
        (client, Url::parse(redirect.reply.headers.first("location").unwrap()).unwrap())
    }

    fn logged_in(&mut self) -> (String, Value) {
        let (client, redirect) = self.authorized();
        assert!(redirect.as_str().starts_with(REDIRECT));
        assert_eq!(parameter(&redirect, "state"), "live state");
        let code = parameter(&redirect, "code");
        let (status, tokens) = self.redeem(&client, &code, VERIFIER);
        assert_eq!((status, &tokens["token_type"], &tokens["expires_in"]), (200, &json!("Bearer"), &json!(3600)));
        (client, tokens)
    }

    fn redeem(&mut self, client: &str, code: &str, verifier: &str) -> (u16, Value) {
        let fields = [("client_id", client), ("code", code), ("code_verifier", verifier), ("redirect_uri", REDIRECT)];
        self.form(&format!("{AUTH}/token"), &[&[("grant_type", "authorization_code")][..], &fields].concat())
    }

    fn refresh(&mut self, client: &str, token: &str) -> (u16, Value) {
        self.form(&format!("{AUTH}/token"), &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)])
    }

    fn open(&mut self, bearer: &str, id: &Value) -> (String, Value) {
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
        let opened = self.rpc(bearer, None, &json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}));
        assert_eq!(opened.reply.status, 200);
        (opened.reply.headers.first("mcp-session-id").unwrap().to_owned(), body(&opened))
    }
}

fn body(answered: &Answered) -> Value {
    serde_json::from_slice(&answered.reply.body()).unwrap_or_default()
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned()
}

fn echo(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "hi"}}})
}

#[test]
fn an_expiry_that_the_tape_does_not_hold_is_refreshed_and_a_used_refresh_token_ends_the_grant() {
    let mut bench = Bench::new();
    let (client, tokens) = bench.logged_in();
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let (session, _) = bench.open(access, &json!(0));
    assert_eq!(bench.rpc(access, Some(&session), &echo(&json!(1))).reply.status, 200);
    bench.now = bench.now.plus(Duration::from_secs(3601));
    let expired = bench.rpc(access, Some(&session), &echo(&json!(2)));
    assert_eq!(expired.reply.status, 401);
    assert!(expired.reply.headers.first("www-authenticate").unwrap().contains("invalid_token"));
    let (status, renewed) = bench.refresh(&client, refresh);
    assert_eq!(status, 200);
    let renewed = renewed["access_token"].as_str().unwrap().to_owned();
    assert_eq!(bench.rpc(&renewed, Some(&session), &echo(&json!(3))).reply.status, 200);
    let (status, refused) = bench.refresh(&client, refresh);
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
    assert_eq!(bench.rpc(&renewed, Some(&session), &echo(&json!(4))).reply.status, 401);
    assert!(bench.player.account().misses.is_empty());
}

#[test]
fn a_wrong_verifier_a_used_code_and_a_foreign_client_are_refused() {
    let mut bench = Bench::new();
    let (client, redirect) = bench.authorized();
    let code = parameter(&redirect, "code");
    let (status, refused) = bench.redeem(&client, &code, "another-verifier-that-is-long-enough-for-the-rfc");
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
    assert_eq!(bench.redeem("nobody", &code, VERIFIER).0, 401);
    assert_eq!(bench.redeem(&client, &code, VERIFIER).0, 200);
    assert_eq!(bench.redeem(&client, &code, VERIFIER).0, 400);
}

#[test]
fn sessions_are_minted_and_demanded_and_ids_are_those_of_the_caller() {
    let mut bench = Bench::new();
    let (_, tokens) = bench.logged_in();
    let access = tokens["access_token"].as_str().unwrap();
    let (session, opened) = bench.open(access, &json!("init-1"));
    assert_eq!((&opened["id"], &opened["result"]["protocolVersion"]), (&json!("init-1"), &json!("2025-06-18")));
    for id in [json!(41), json!("call:41")] {
        let called = bench.rpc(access, Some(&session), &echo(&id));
        assert!(matches!(called.source, Source::Tape { .. }));
        assert_eq!((&body(&called)["id"], &body(&called)["result"]["content"][0]["text"]), (&id, &json!("hi")));
    }
    assert_eq!(bench.rpc(access, None, &echo(&json!(1))).reply.status, 400);
    assert_eq!(bench.rpc(access, Some("another"), &echo(&json!(1))).reply.status, 404);
    let probe = json!({"jsonrpc": "2.0", "id": "server-discover-probe-1", "method": "server/discover"});
    assert_eq!(bench.rpc(access, None, &probe).reply.status, 400);
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(bench.rpc(access, Some(&session), &note).reply.status, 202);
    let ping = json!({"jsonrpc": "2.0", "id": 5, "method": "ping"});
    assert_eq!(body(&bench.rpc(access, Some(&session), &ping)), json!({"jsonrpc": "2.0", "id": 5, "result": {}}));
}

#[test]
fn what_is_not_on_the_tape_is_a_miss_on_its_hosts_and_discovery_is_none() {
    let mut bench = Bench::new();
    for (path, status) in [("/.well-known/openid-configuration", 404), ("/.well-known/oauth-authorization-server", 200)] {
        assert_eq!(bench.send("GET", &format!("{AUTH}{path}"), &[], Content::Empty).reply.status, status, "{path}");
    }
    assert!(bench.player.account().misses.is_empty());
    let missed = bench.send("GET", &format!("{AUTH}/profile"), &[], Content::Empty);
    assert_eq!((missed.reply.status, missed.reply.headers.first("content-type")), (404, Some("application/problem+json")));
    assert_eq!(bench.player.account().missed, 1);
    let elsewhere = bench.send("GET", "https://elsewhere.test/", &[], Content::Empty);
    assert_eq!((elsewhere.reply.status, elsewhere.source), (404, Source::Elsewhere));
    assert_eq!(bench.player.account().untouched().collect::<Vec<_>>(), [MCP]);
}
