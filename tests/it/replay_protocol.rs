//! The corners of MCP's transport in replay: batches, sessions that end, streams, ids, browsers, and clients that talk at once.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::replay_lab::{AUTH, CHALLENGE, MCP, Making, REDIRECT, Tape, VERIFIER};
use authtape::cassette::Cassette;
use authtape::demo::Plan;
use authtape::exchange::{Body, Content, Form, Headers, Json, Request, Version};
use authtape::model::Moment;
use authtape::protocol::Kind;
use authtape::replay::{Answered, Player, PlayerOptions};
use authtape::reply::Ending;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;
use url::Url;

/// A login, `tools/list` and one `echo` in the older era.
static TAPE: LazyLock<Cassette> = LazyLock::new(|| {
    let mut making = Making::of(Plan::default());
    making.plan.server.versions = vec!["2025-11-25".to_owned(), "2025-03-26".to_owned()];
    Tape::record(making).cassette()
});

struct Bench(Player);

impl Bench {
    fn new(cassette: Cassette) -> Self {
        Self(Player::new(cassette, [3; 32], &PlayerOptions::default()).unwrap())
    }

    fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)], content: Content) -> Answered {
        let (headers, body) = (headers.iter().copied().collect(), Body { content, ..Body::default() });
        let (method, url, trailers) = (method.to_owned(), url.to_owned(), Headers::new());
        let now = Moment::since_epoch(Duration::from_secs(1_800_000_000));
        self.0.answer(&Request { method, url, version: Version::Http11, headers, body, trailers }, 1, now)
    }

    fn login(&mut self) -> String {
        let metadata = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}).to_string();
        let registered = self.send("POST", &format!("{AUTH}/register"), &[], Content::of(metadata.into(), &Headers::new()));
        let client = body(&registered)["client_id"].as_str().unwrap().to_owned();
        let mut url = Url::parse(&format!("{AUTH}/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([("client_id", client.as_str()), ("response_type", "code"), ("redirect_uri", REDIRECT)]);
        url.query_pairs_mut().extend_pairs([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        let back = self.send("GET", url.as_str(), &[], Content::Empty);
        let back = Url::parse(back.reply.headers.first("location").unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let fields = [("grant_type", "authorization_code"), ("client_id", &client), ("code", &code), ("redirect_uri", REDIRECT)];
        let form: Form = fields.into_iter().chain([("code_verifier", VERIFIER)]).collect();
        let tokens = self.send("POST", &format!("{AUTH}/token"), &[], Content::Form(form));
        body(&tokens)["access_token"].as_str().unwrap().to_owned()
    }

    fn rpc(&mut self, bearer: &str, session: &str, message: &Value) -> Answered {
        let bearer = format!("Bearer {bearer}");
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.push(("accept", "application/json, text/event-stream"));
        headers.extend((!session.is_empty()).then_some(("mcp-session-id", session)));
        self.send("POST", MCP, &headers, Content::of(message.to_string().into(), &Headers::new()))
    }

    fn without_body(&mut self, method: &str, bearer: &str, session: &str, further: &[(&str, &str)]) -> Answered {
        let bearer = format!("Bearer {bearer}");
        let headers = [("authorization", bearer.as_str()), ("mcp-session-id", session), ("accept", "text/event-stream")];
        self.send(method, MCP, &[&headers[..], further].concat(), Content::Empty)
    }

    fn open(&mut self, bearer: &str, version: &str) -> String {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
        let opened = self.rpc(bearer, "", &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}));
        opened.reply.headers.first("mcp-session-id").unwrap().to_owned()
    }
}

fn body(answered: &Answered) -> Value {
    serde_json::from_slice(&answered.reply.body()).unwrap_or_default()
}

fn echo(id: &Value, text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": text}}})
}

fn ping(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
}

#[test]
fn a_batch_is_answered_message_by_message_where_the_revision_has_batches() {
    let mut bench = Bench::new(TAPE.clone());
    let bearer = bench.login();
    let session = bench.open(&bearer, "2025-03-26");
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let both = bench.rpc(&bearer, &session, &json!([echo(&json!("a"), "hi"), note, ping(&json!(7))]));
    let answers = body(&both);
    assert_eq!((both.reply.status, answers.as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!((&answers[0]["id"], &answers[0]["result"]["content"][0]["text"]), (&json!("a"), &json!("hi")));
    assert_eq!(answers[1], json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    assert_eq!(bench.rpc(&bearer, &session, &json!([note, note])).reply.status, 202);
    assert_eq!(bench.rpc(&bearer, "", &json!([ping(&json!(1))])).reply.status, 400);
    assert_eq!(bench.rpc(&bearer, "nobody", &json!([ping(&json!(1))])).reply.status, 404);
    assert_eq!(bench.rpc("nobody", &session, &json!([ping(&json!(1))])).reply.status, 401);
    assert_eq!(bench.rpc(&bearer, &session, &json!([])).reply.status, 400);
    assert_eq!(bench.rpc(&bearer, &session, &Value::Array(vec![ping(&json!(1)); 101])).reply.status, 400);
    let later = bench.open(&bearer, "2025-11-25");
    assert_eq!(bench.rpc(&bearer, &later, &json!([ping(&json!(1))])).reply.status, 400, "later revisions have no batches");
    assert!(bench.0.account().misses.is_empty());
    let missed = bench.rpc(&bearer, &session, &json!([ping(&json!(1)), echo(&json!(2), "other")]));
    assert_eq!((body(&missed)[1]["error"]["code"].as_i64(), bench.0.account().missed), (Some(-32603), 1));
}

#[test]
fn a_recorded_batch_answers_its_messages_one_by_one() {
    let mut cassette = TAPE.clone();
    let is_echo = |own: &Request| own.body.content.json().is_some_and(|body| body["method"] == "tools/call");
    let call = cassette.interactions.iter_mut().find(|own| is_echo(&own.exchange.request)).unwrap();
    call.kind = Kind::McpBatch;
    let content = |value| Content::Json(Json { value, style: Default::default() });
    call.exchange.request.body.content = content(json!([echo(&json!(1), "one"), echo(&json!("2"), "two")]));
    let answer = |id: Value, text: &str| json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}});
    call.exchange.response_mut().unwrap().body.content = content(json!([answer(json!("2"), "TWO"), answer(json!(1), "ONE")]));
    let mut bench = Bench::new(cassette);
    let bearer = bench.login();
    let session = bench.open(&bearer, "2025-11-25");
    for (text, said) in [("two", "TWO"), ("one", "ONE")] {
        let answered = body(&bench.rpc(&bearer, &session, &echo(&json!(text), text)));
        assert_eq!((&answered["id"], &answered["result"]["content"][0]["text"]), (&json!(text), &json!(said)));
    }
}

#[test]
fn a_session_that_ended_is_404_for_every_method_and_a_new_one_is_not() {
    let mut bench = Bench::new(TAPE.clone());
    let bearer = bench.login();
    let (ended, live) = (bench.open(&bearer, "2025-11-25"), bench.open(&bearer, "2025-11-25"));
    assert_eq!(bench.without_body("DELETE", &bearer, &ended, &[]).reply.status, 200);
    for _ in 0..2 {
        assert_eq!(bench.without_body("DELETE", &bearer, &ended, &[]).reply.status, 404);
        assert_eq!(bench.without_body("GET", &bearer, &ended, &[]).reply.status, 404);
        assert_eq!(bench.without_body("GET", &bearer, &ended, &[("last-event-id", "1-1")]).reply.status, 404);
        assert_eq!(bench.rpc(&bearer, &ended, &ping(&json!(1))).reply.status, 404);
    }
    assert_eq!(bench.rpc(&bearer, &live, &ping(&json!(1))).reply.status, 200);
}

#[test]
fn one_stream_a_session_is_open_and_another_one_only_after_it() {
    let mut bench = Bench::new(TAPE.clone());
    let bearer = bench.login();
    let (first, second) = (bench.open(&bearer, "2025-11-25"), bench.open(&bearer, "2025-11-25"));
    let stream = bench.without_body("GET", &bearer, &first, &[]);
    assert_eq!((stream.reply.status, stream.reply.ending), (200, Ending::Open));
    assert_eq!(bench.without_body("GET", &bearer, &first, &[]).reply.status, 409);
    assert_eq!(bench.without_body("GET", &bearer, &second, &[]).reply.status, 200, "another session has its own");
    bench.0.stream_closed(&stream.open.unwrap());
    assert_eq!(bench.without_body("GET", &bearer, &first, &[]).reply.status, 200);
}

#[test]
fn ids_come_back_as_they_were_sent_and_answers_to_the_server_are_accepted() {
    let mut bench = Bench::new(TAPE.clone());
    let bearer = bench.login();
    let session = bench.open(&bearer, "2025-11-25");
    let long = "x".repeat(10_000);
    for id in [json!(0), json!(-1), json!(u64::MAX), json!(i64::MIN), json!(1.5), json!(""), json!("7"), json!("\u{1F980}\n"), json!(long)]
    {
        let answered = body(&bench.rpc(&bearer, &session, &echo(&id, "hi")));
        assert_eq!((&answered["id"], &answered["result"]["content"][0]["text"]), (&id, &json!("hi")));
    }
    // In flight at once with one id: each request has its own answer.
    let same: Vec<Value> = (0..2).map(|_| body(&bench.rpc(&bearer, &session, &echo(&json!(5), "hi")))).collect();
    assert!(same.iter().all(|answered| answered["id"] == 5 && answered["result"]["content"][0]["text"] == "hi"));
    let answers = [
        json!({"jsonrpc": "2.0", "id": "s-1", "result": {"roots": []}}),
        json!({"jsonrpc": "2.0", "id": 9, "error": {"code": -1, "message": "no"}}),
    ];
    for answer in answers {
        assert_eq!(bench.rpc(&bearer, &session, &answer).reply.status, 202);
    }
    assert!(bench.0.account().misses.is_empty());
}

#[test]
fn a_page_in_a_browser_may_ask_and_read_and_a_head_is_a_get() {
    let mut bench = Bench::new(TAPE.clone());
    let origin = ("origin", "http://localhost:6274");
    let wanted = "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name";
    for url in [MCP, &format!("{AUTH}/token"), &format!("{AUTH}/.well-known/oauth-authorization-server")] {
        let headers = [origin, ("access-control-request-method", "POST"), ("access-control-request-headers", wanted)];
        let allowed = bench.send("OPTIONS", url, &headers, Content::Empty).reply;
        assert_eq!((allowed.status, allowed.headers.first("access-control-allow-origin")), (204, Some(origin.1)), "{url}");
        assert_eq!(allowed.headers.first("access-control-allow-headers"), Some(wanted));
        assert!(allowed.headers.first("access-control-allow-methods").unwrap().contains("DELETE"));
    }
    let document = format!("{AUTH}/.well-known/oauth-authorization-server");
    for method in ["GET", "HEAD"] {
        let read = bench.send(method, &document, &[origin], Content::Empty).reply;
        assert_eq!((read.status, read.headers.first("access-control-allow-origin")), (200, Some(origin.1)));
    }
    let bearer = format!("Bearer {}", bench.login());
    let headers =
        [origin, ("authorization", &bearer), ("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let content = Content::of(ping(&json!(1)).to_string().into(), &Headers::new());
    assert_eq!(bench.send("POST", MCP, &headers, content).reply.status, 400, "the origin is no hindrance, the missing session is");
}

/// The tape with three answers to one call.
fn counted() -> Cassette {
    let mut cassette = TAPE.clone();
    let is_echo = |own: &Request| own.body.content.json().is_some_and(|body| body["method"] == "tools/call");
    let call = cassette.interactions.iter().find(|own| is_echo(&own.exchange.request)).unwrap().clone();
    cassette.interactions.retain(|own| !is_echo(&own.exchange.request));
    for count in 0..3 {
        let mut call = call.clone();
        let response = call.exchange.response_mut().unwrap();
        let mut body = response.body.content.json().unwrap().into_owned();
        body["result"]["content"][0]["text"] = json!(count.to_string());
        response.body.content = Content::Json(Json { value: body, style: Default::default() });
        cassette.interactions.push(call);
    }
    cassette
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Clients that speak in any order: each gets the tape's answers in the tape's order, with its own ids.
    #[test]
    fn answers_of_clients_are_never_mixed(turns in proptest::collection::vec(0usize..4, 1..40)) {
        let mut bench = Bench::new(counted());
        let bearers = [bench.login(), bench.login()];
        // Two logins, two sessions each.
        let sessions: Vec<(String, String)> = (0..4).map(|index| {
            let bearer = bearers[index % 2].clone();
            let session = bench.open(&bearer, "2025-11-25");
            (bearer, session)
        }).collect();
        let mut counts = [0usize; 4];
        for (turn, who) in turns.into_iter().enumerate() {
            let (bearer, session) = &sessions[who];
            let id = json!(format!("{who}:{turn}"));
            let answered = body(&bench.rpc(bearer, session, &echo(&id, "hi")));
            prop_assert_eq!(&answered["id"], &id);
            prop_assert_eq!(&answered["result"]["content"][0]["text"], &json!(counts[who].min(2).to_string()));
            counts[who] += 1;
        }
    }
}
