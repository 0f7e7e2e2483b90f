//! `authtape replay` where it is hard: thousands of requests, hundreds of clients, clients that mean harm, streams of megabytes.

use super::recorder::{HOST, Place, Recorder, all_bytes};
use crate::proxy::world::soon;
use base64::prelude::*;
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How many requests; `AUTHTAPE_EXCHANGES` sets another number.
const REQUESTS: u64 = 10_000;
/// What may come with ten times as many requests, in kB.
const GROWTH: u64 = 6 << 10;
const CLIENTS: usize = 200;
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Must be nowhere but on the wire.
const SECRET: &str = "hQ7xk92LmZp4TvWc8RbNs3Jd";

/// The text of a cassette of calls to one server.
struct Tape {
    text: String,
    count: u32,
}

impl Tape {
    /// It begins with a refusal.
    fn new() -> Self {
        let mut text = "authtape: 1\nrecorded: {at: 2026-11-20T10:12:03Z, with: authtape 0.1.0, client: [other, …]}\n".to_owned();
        text.push_str("scrubbed: {policy: 1, secrets: 1, personal: 0}\nfinished: true\n");
        let mut tape = Self { text, count: 0 };
        tape.begin("", &json!({"jsonrpc": "2.0", "id": 0, "method": "tools/list"}));
        tape.text.push_str("response:\n  status: 401\n  headers: [{www-authenticate: Bearer}]\n");
        tape
    }

    fn begin(&mut self, headers: &str, message: &Value) {
        self.count += 1;
        let number = self.count;
        writeln!(self.text, "---\ninteraction: {number}\nsession: 1\nconnection: 1\nat: {number}ms\nkind: mcp-request").unwrap();
        writeln!(self.text, "request:\n  method: POST\n  url: https://{HOST}/mcp\n  headers: [{headers}]\n  json: {message}").unwrap();
    }

    fn call(mut self, headers: &str, message: &Value, answered: &str, result: &Value) -> Self {
        let headers = format!("{{authorization: Bearer SCRUBBED0001xxxxxxxxxxxxxxxx}}, {headers}");
        self.begin(&headers, message);
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        let fields = format!("[{{content-type: application/json}}{answered}]");
        writeln!(self.text, "response:\n  status: 200\n  headers: {fields}\n  json: {answer}").unwrap();
        self
    }

    /// A server with sessions, and a tool that gives another answer each time.
    fn of_a_session() -> Self {
        let session = "{mcp-session-id: SCRUBBED0002xxxxxxxx}";
        let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}});
        let opened = Self::new().call("", &initialize("1"), &format!(", {session}"), &result);
        (0..3).fold(opened, |tape, turn| {
            tape.call(session, &tool_call(&json!(turn), "next", &json!({})), "", &text(&format!("answer {turn}")))
        })
    }

    /// Calls with arguments of their own.
    fn of_calls(count: u32) -> Self {
        (0..count).fold(Self::new(), |tape, n| tape.call("", &tool_call(&json!(n), "echo", &json!({"n": n})), "", &text(&n.to_string())))
    }
}

fn initialize(id: &str) -> Value {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params})
}

fn tool_call(id: &Value, name: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

/// A replay that serves.
async fn serve(tape: &Tape, options: &[&str]) -> Recorder {
    let place = Place::new();
    std::fs::write(place.tape(), &tape.text).unwrap();
    let mut command = place.command(env!("CARGO_BIN_EXE_authtape").as_ref());
    command.args(["replay", "out/tape.yaml"]).args(options);
    let replay = place.run(command);
    replay.said("serving on ").await;
    replay
}

fn post(client: &reqwest::Client, bearer: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    let request = client.post(format!("https://{HOST}/mcp")).bearer_auth(bearer).body(body);
    request.header("content-type", "application/json").header("accept", "application/json, text/event-stream")
}

async fn json_of(request: reqwest::RequestBuilder) -> Value {
    serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat() {
    let wanted: u64 = std::env::var("AUTHTAPE_EXCHANGES").map_or(REQUESTS, |wanted| wanted.parse().unwrap());
    let replay = serve(&Tape::of_calls(100), &[]).await;
    let client = replay.http();
    let ask = async |from: u64, to: u64| {
        let one = async |id: u64| {
            let answer =
                json_of(post(&client, "the-bearer-of-this-run", tool_call(&json!(id), "echo", &json!({"n": id % 100})).to_string()));
            let answer = answer.await;
            assert_eq!((&answer["id"], &answer["result"]), (&json!(id), &text(&(id % 100).to_string())));
        };
        futures_util::stream::iter(from..to).for_each_concurrent(16, one).await;
    };
    ask(0, wanted / 10).await;
    let early = replay.memory("VmRSS");
    ask(wanted / 10, wanted).await;
    let late = replay.memory("VmRSS");
    println!("{wanted} requests: {early} kB after a tenth, {late} kB at the end");
    assert!(late < early + GROWTH, "{early} kB grew to {late} kB");
    let over = replay.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
}

/// What a client that logged in holds.
struct LoggedIn {
    bearer: String,
    session: String,
}

/// Registers, logs in, opens a session and calls three times.
async fn one_client(number: usize, client: reqwest::Client) -> LoggedIn {
    let metadata = json_of(client.get(format!("https://{HOST}/.well-known/oauth-authorization-server"))).await;
    let endpoint = |name: &str| metadata[name].as_str().unwrap().to_owned();
    let redirect = format!("http://127.0.0.1:9/{number}");
    let registration = json!({"redirect_uris": [redirect], "token_endpoint_auth_method": "none", "client_name": number.to_string()});
    let register = client.post(endpoint("registration_endpoint")).header("content-type", "application/json");
    let registered = json_of(register.body(registration.to_string())).await;
    let id = registered["client_id"].as_str().unwrap();
    let mut authorize = url::Url::parse(&endpoint("authorization_endpoint")).unwrap();
    let state = format!("state {number}");
    let asked = [("response_type", "code"), ("client_id", id), ("redirect_uri", &redirect), ("state", &state)];
    authorize.query_pairs_mut().extend_pairs(asked).extend_pairs([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
    let redirected = client.get(authorize).send().await.unwrap();
    let location = url::Url::parse(redirected.headers()["location"].to_str().unwrap()).unwrap();
    let given = |name: &str| location.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
    assert!(location.as_str().starts_with(&redirect));
    assert_eq!(given("state"), state);
    let code = given("code");
    let grant = [("grant_type", "authorization_code"), ("code", &code), ("client_id", id), ("redirect_uri", &redirect)];
    let grant = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(grant).append_pair("code_verifier", VERIFIER).finish();
    let form = client.post(endpoint("token_endpoint")).header("content-type", "application/x-www-form-urlencoded");
    let bearer = json_of(form.body(grant)).await["access_token"].as_str().unwrap().to_owned();
    let opened = post(&client, &bearer, initialize(&format!("open {number}")).to_string()).send().await.unwrap();
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    assert_eq!(serde_json::from_slice::<Value>(&opened.bytes().await.unwrap()).unwrap()["id"], format!("open {number}"));
    for turn in 0..3 {
        let id = json!(format!("{number}/{turn}"));
        let call = post(&client, &bearer, tool_call(&id, "next", &json!({})).to_string()).header("mcp-session-id", &session);
        let answer = json_of(call).await;
        assert_eq!((&answer["id"], &answer["result"]), (&id, &text(&format!("answer {turn}"))), "client {number}");
    }
    LoggedIn { bearer, session }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_share_one_model_and_no_answer_goes_astray() {
    let replay = serve(&Tape::of_a_session(), &["--no-adopt"]).await;
    let client = || replay.http_builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let clients = (0..CLIENTS).map(|number| one_client(number, client()));
    let all: Vec<LoggedIn> = futures_util::stream::iter(clients).buffer_unordered(CLIENTS).collect().await;
    assert_eq!(all.iter().map(|one| &one.bearer).collect::<HashSet<_>>().len(), CLIENTS);
    assert_eq!(all.iter().map(|one| &one.session).collect::<HashSet<_>>().len(), CLIENTS);
    let over = replay.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    assert!(over.stderr.contains("no miss"), "{}", over.stderr);
}

/// Sends bytes to the proxy as they are and gives what comes back.
async fn raw(replay: &Recorder, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(replay.address()).await.unwrap();
    // It may hang up before it read all.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of a request to the server of the tape, by the proxy's own port.
fn head(replay: &Recorder, fields: &str) -> String {
    let proxy = replay.proxy();
    let credential = BASE64_STANDARD.encode(proxy.split_once("//").unwrap().1.rsplit_once('@').unwrap().0);
    format!("POST https://{HOST}/mcp HTTP/1.1\r\nhost: {HOST}\r\nproxy-authorization: Basic {credential}\r\nconnection: close\r\n{fields}")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_means_harm_harms_nobody() {
    let replay = serve(&Tape::of_calls(10), &["-o", "out/run.yaml"]).await;
    let accept = "accept: application/json, text/event-stream\r\ncontent-type: application/json";
    let body = |length: usize| format!("authorization: Bearer live\r\n{accept}\r\ncontent-length: {length}\r\n\r\n");
    let mut slow = Vec::new();
    for part in ["", "x-slow: ", &body(100)] {
        let mut stream = TcpStream::connect(replay.address()).await.unwrap();
        stream.write_all(head(&replay, part).as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let huge = head(&replay, &format!("x-huge: {}\r\n\r\n", "h".repeat(2 << 20)));
    assert!(matches!(status(&raw(&replay, huge.as_bytes()).await), "431" | "400" | ""), "a header of 2 MiB");
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (name, bytes) in [("deep", deep.as_bytes()), ("no UTF-8", b"{\"method\":\"\xff\xfe\"}"), ("no JSON", b"}{"), ("nothing", b"")] {
        let answer = raw(&replay, &[head(&replay, &body(bytes.len())).as_bytes(), bytes].concat()).await;
        assert_eq!(status(&answer), "400", "{name}: {answer}");
    }
    let odd = [head(&replay, "x-odd: ").as_bytes(), b"\xff\xfe\r\n", body(2).as_bytes(), b"{}"].concat();
    assert!(status(&raw(&replay, &odd).await) < "500", "a header that is no UTF-8");
    assert!(!raw(&replay, b"\x05\x01\x00 nonsense\r\n\r\n").await.is_empty(), "no HTTP");
    drop(TcpStream::connect(replay.address()).await.unwrap().write_all(head(&replay, &body(50)).as_bytes()).await);

    let client = replay.http();
    let large = futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20])));
    match post(&client, "live", reqwest::Body::wrap_stream(large)).send().await {
        Ok(answer) => assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => assert!(error.is_request() || error.is_body(), "{error}"),
    }
    let escape = "\u{1b}[2J\u{1b}]0;owned\u{7}";
    let call = tool_call(&json!(escape), &format!("{escape}tool"), &json!({format!("{escape}member"): SECRET}));
    let missed = json_of(post(&client, "live", call.to_string()).header("x-secret", SECRET)).await;
    assert_eq!((&missed["error"]["code"], &missed["id"]), (&json!(-32603), &json!(escape)));
    let stale = post(&client, SECRET, tool_call(&json!(1), "echo", &json!({"n": 1})).to_string()).send().await.unwrap();
    assert_eq!(stale.status(), StatusCode::UNAUTHORIZED);
    client.get(format!("https://{HOST}/{escape}?token={SECRET}")).send().await.unwrap();

    let answer = json_of(post(&client, "live", tool_call(&json!("well"), "echo", &json!({"n": 7})).to_string())).await;
    assert_eq!((&answer["id"], &answer["result"]), (&json!("well"), &text("7")), "and a client that means well gets its answer");
    let peak = replay.memory("VmHWM");
    assert!(peak < 160 << 10, "{peak} kB");
    let over = replay.stop().await;
    drop(slow);
    assert_eq!(over.code, Some(1), "there was a miss: {}", over.stderr);
    assert!(over.stderr.contains("tool") && !over.stderr.contains('\u{1b}') && !over.stderr.contains(SECRET), "{:?}", over.stderr);
    for (path, bytes) in all_bytes(&over.place.path("")) {
        assert!(memchr::memmem::find(&bytes, SECRET.as_bytes()).is_none(), "{}", path.display());
    }
    let run = authtape::cassette::Cassette::load(&over.place.path("out/run.yaml")).unwrap();
    assert!(run.header.finished && run.interactions.len() > 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_megabytes_comes_as_it_is_made() {
    let mut tape = Tape::new();
    tape.begin("{authorization: Bearer SCRUBBED0001xxxxxxxxxxxxxxxx}", &tool_call(&json!(1), "report", &json!({})));
    let words = "words of a long report, ".repeat(350);
    tape.text.push_str("response:\n  status: 200\n  headers: [{content-type: text/event-stream}]\n  events:\n");
    for part in 0..1000 {
        let note =
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": format!("{part} {words}")}});
        writeln!(tape.text, "    - {{at: 1ms, json: {note}}}").unwrap();
    }
    // The server never ended it: nobody gets anything who waits for the end.
    tape.text.push_str("  ended: open\n");
    assert!(tape.text.len() > 8 << 20);
    let replay = serve(&tape, &[]).await;
    let client = replay.http();
    for _ in 0..2 {
        let call = post(&client, "live", tool_call(&json!("mine"), "report", &json!({})).to_string());
        let mut stream = call.send().await.unwrap().bytes_stream();
        let (mut bytes, mut lines) = (0, 0);
        // Two line feeds an event.
        while lines < 2 * 1000 {
            let piece = soon(stream.next()).await.unwrap().unwrap();
            bytes += piece.len();
            lines += memchr::memchr_iter(b'\n', &piece).count();
        }
        assert!(bytes > 8 << 20, "{bytes} bytes");
    }
    let over = replay.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
}
