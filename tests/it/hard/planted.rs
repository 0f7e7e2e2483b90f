//! Secrets planted wherever a server or a client can put one, through a login and an MCP session: none is in a file, a log line
//! or anything printed.

use super::load::Chance;
use super::recorder::{HOST, Over, Place, Recorder, all_bytes};
use super::server::{Answer, Speaks, full, pieces, send, serve};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request};
use hyper::body::Frame;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Planted values by the name of their place; the same place has the same value each time.
struct Garden {
    chance: Mutex<Chance>,
    planted: Mutex<BTreeMap<String, String>>,
}

/// Is learned as a token after it stood in free text, and looks like nothing: only the last sweep can find it.
const LEARNED_LATE: &str = "correct-horse-9";

impl Garden {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { chance: Mutex::new(Chance::new(seed)), planted: Mutex::default() })
    }

    fn plant(&self, place: &str) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut planted = self.planted.lock().unwrap();
        let value = planted.entry(place.to_owned()).or_insert_with(|| {
            let mut chance = self.chance.lock().unwrap();
            (0..32).map(|_| char::from(LETTERS[usize::try_from(chance.below(62)).unwrap()])).collect()
        });
        value.clone()
    }

    fn jwt(&self, place: &str) -> String {
        let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let claims = format!(
            r#"{{"sub":"{}","sid":"{}","exp":1999999999}}"#,
            self.plant(&format!("{place} sub")),
            self.plant(&format!("{place} claim"))
        );
        format!("{}.{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#.into()), part(claims), self.plant(&format!("{place} signature")))
    }

    /// Where a planted value stands in these bytes: as it is, in one of the usual encodings, or within something in base64.
    fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let bytes = [bytes, &decoded(bytes)].concat();
        for (place, value) in self.planted.lock().unwrap().iter() {
            let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            let forms = [value.clone(), BASE64_STANDARD.encode(value), BASE64_URL_SAFE_NO_PAD.encode(value), hex];
            // Half a secret is one too.
            let halves = [value[..16].to_owned(), value[16..].to_owned()];
            let is_there = |form: &String| memchr::memmem::find(&bytes, form.as_bytes()).is_some();
            if forms.iter().chain(&halves).any(is_there) {
                found.push(place.clone());
            }
        }
        found
    }
}

/// What every run of base64 letters says.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/');
    let runs = bytes.split(|byte| !is_letter(byte)).filter(|run| run.len() >= 16);
    let decode = |run: &[u8]| {
        let url: Vec<u8> = run
            .iter()
            .map(|byte| {
                if *byte == b'+' {
                    b'-'
                } else if *byte == b'/' {
                    b'_'
                } else {
                    *byte
                }
            })
            .collect();
        BASE64_URL_SAFE_NO_PAD.decode(&url).unwrap_or_default()
    };
    runs.flat_map(decode).collect()
}

fn json(status: u16, text: String) -> Answer {
    full(status, "application/json", text)
}

fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers_mut().append(name, value.parse().unwrap());
    answer
}

/// An authorization server and an MCP server on one host.
fn answer(request: &Request<Bytes>, garden: &Garden) -> Answer {
    let plant = |place: &str| garden.plant(place);
    let base = format!("https://{HOST}");
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/.well-known/oauth-authorization-server" => json(
            200,
            format!(
                r#"{{"issuer":"{base}","authorization_endpoint":"{base}/authorize","token_endpoint":"{base}/token","registration_endpoint":"{base}/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}}"#
            ),
        ),
        "/register" => json(
            201,
            format!(
                r#"{{"client_id":"{}","client_secret":"{}","registration_access_token":"{}","registration_client_uri":"{base}/register/{}","nested":{{"deep":{{"api_key":"{}"}}}}}}"#,
                plant("client id"),
                plant("client secret"),
                plant("registration token"),
                plant("client id"),
                plant("nested JSON")
            ),
        ),
        "/authorize" if request.uri().query().is_some_and(|query| query.contains("prompt=login")) => full(
            200,
            "text/html",
            format!(
                "<html><form action=/login?t={}><input type=\"hidden\" name=\"csrf_token\" value=\"{}\"><input name=password value='{}'></form><script>var token = \"{}\";</script></html>",
                plant("form action"),
                plant("hidden field"),
                plant("password field"),
                plant("script")
            ),
        ),
        "/authorize" => {
            let page = full(302, "text/html", format!("<a href=\"/x?code={}\">moved</a>", plant("code")));
            let state = plant("state");
            let page = with(page, "location", &format!("http://127.0.0.1:9/callback?code={}&state={state}&iss={base}", plant("code")));
            let page = with(page, "set-cookie", &format!("sid={}; HttpOnly; Path=/", plant("cookie")));
            with(page, "set-cookie", &format!("__Host-x={}", plant("second cookie")))
        }
        "/token" => token(request, garden),
        _ => mcp(request, garden),
    }
}

fn token(request: &Request<Bytes>, garden: &Garden) -> Answer {
    let plant = |place: &str| garden.plant(place);
    if request.headers().contains_key("x-late") {
        return json(
            200,
            format!(r#"{{"access_token":"{LEARNED_LATE}","token_type":"Bearer","refresh_token":"{}"}}"#, plant("late refresh token")),
        );
    }
    if request.headers().contains_key("x-wrong") {
        let (token, other) = (plant("error text"), plant("refresh token"));
        return json(400, format!(r#"{{"error":"invalid_grant","error_description":"token {token} of {other} is revoked"}}"#));
    }

    let text = format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":3600,"refresh_token":"{}","id_token":"{}","authed_user":{{"access_token":"{}","list":[{{"token":"{}"}}]}},"raw":"{{\"secret\":\"{}\"}}","basic":"{}"}}"#,
        garden.jwt("access JWT"),
        plant("refresh token"),
        garden.jwt("ID token"),
        plant("nested token"),
        plant("token in a list"),
        plant("JSON in a string"),
        BASE64_STANDARD.encode(format!("user:{}", plant("base64"))),
    );
    json(200, text)
}

fn mcp(request: &Request<Bytes>, garden: &Garden) -> Answer {
    let plant = |place: &str| garden.plant(place);
    let base = format!("https://{HOST}");
    if !request.headers().contains_key("authorization") {
        let challenge = format!(
            "Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource\", error=\"invalid_token\", error_description=\"key {} is gone\"",
            plant("challenge")
        );
        return with(full(401, "text/plain", format!("no access with {}\n", plant("plain error text"))), "www-authenticate", &challenge);
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    if body.contains("initialize") {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
        let answer = with(json(200, text.into()), "mcp-session-id", &plant("session"));
        return with(answer, "x-auth-token", &plant("header of a response"));
    }
    if body.contains("early") {
        return json(
            200,
            format!(
                r#"{{"jsonrpc":"2.0","id":2,"result":{{"content":[{{"type":"text","text":"your password is {LEARNED_LATE} today"}}]}}}}"#
            ),
        );
    }
    if body.contains("fails") {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":3,"error":{{"code":-32000,"message":"upstream said: bad key {}","data":{{"token":"{}"}}}}}}"#,
            plant("error message"),
            plant("error data")
        );
        return json(200, text);
    }
    let (answer, pieces) = pieces("text/event-stream");
    let inner = format!(r#"{{\"access_token\":\"{}\"}}"#, plant("JSON in text of a result"));
    let result = format!(
        r#"{{"jsonrpc":"2.0","id":4,"result":{{"content":[{{"type":"text","text":"{inner}"}},{{"type":"text","text":"see https://x.test/?api_key={}"}}],"structuredContent":{{"password":"{}"}}}}}}"#,
        plant("URL in text"),
        plant("structured content")
    );
    send(&pieces, &format!("id: {}\nevent: message\ndata: {result}\n\n", plant("event id")));
    send(&pieces, &format!("data: plain words and {}\n\n: comment {}\n\n", plant("event data"), plant("event comment")));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-access-token", plant("trailer").parse().unwrap());
    pieces.send(Ok(Frame::trailers(trailers))).unwrap();
    with(answer, "trailer", "x-access-token")
}

async fn read(request: reqwest::RequestBuilder) {
    let _ = request.send().await.unwrap().bytes().await.unwrap();
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

/// A message for the MCP server.
fn mcp_request(client: &reqwest::Client, garden: &Garden, body: String) -> reqwest::RequestBuilder {
    let (path, query) = (garden.plant("path of the MCP URL"), garden.plant("query of the MCP URL"));
    let request = client.post(format!("https://{HOST}/s/{path}/mcp?key={query}")).body(body);
    request.header("content-type", "application/json").header("accept", "application/json, text/event-stream")
}

/// The client's login.
async fn login(client: &reqwest::Client, garden: &Garden) {
    let plant = |place: &str| garden.plant(place);
    let base = format!("https://{HOST}");
    let form = |path: &str, body: String| {
        client.post(format!("{base}{path}")).header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    read(mcp_request(client, garden, INITIALIZE.into())).await;
    read(client.get(format!("{base}/.well-known/oauth-authorization-server"))).await;
    read(client.post(format!("{base}/register")).header("content-type", "application/json").body(format!(
        r#"{{"redirect_uris":["http://127.0.0.1:9/callback"],"client_name":"c","software_statement":"{}"}}"#,
        garden.jwt("software statement")
    )))
    .await;
    let query = format!(
        "response_type=code&client_id={}&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback&state={}&code_challenge={}&code_challenge_method=S256&login_hint={}",
        plant("client id"),
        plant("state"),
        plant("challenge of PKCE"),
        plant("login hint")
    );
    read(client.get(format!("{base}/authorize?{query}")).header("cookie", format!("theme=dark; sid={}", plant("request cookie")))).await;
    read(client.get(format!("{base}/authorize?{query}&prompt=login&id_token_hint={}", plant("hint of a login page")))).await;
    let basic = BASE64_STANDARD.encode(format!("{}:{}", plant("client id"), plant("client secret")));
    let grant = format!(
        "grant_type=authorization_code&code={}&code_verifier={}&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback&client_secret={}&client_assertion={}",
        plant("code"),
        plant("verifier"),
        plant("client secret"),
        garden.jwt("assertion")
    );
    read(form("/token", grant).header("authorization", format!("Basic {basic}"))).await;
    read(form("/token", format!("grant_type=refresh_token&refresh_token={}", plant("refresh token"))).header("x-wrong", "1")).await;
}

/// What the client does with the access that it got.
async fn use_it(client: &reqwest::Client, garden: &Garden) {
    let plant = |place: &str| garden.plant(place);
    let bearer = format!("Bearer {}", garden.jwt("access JWT"));
    let known = |body: String| {
        mcp_request(client, garden, body)
            .header("authorization", &bearer)
            .header("x-api-key", plant("header of a request"))
            .header("mcp-session-id", plant("session"))
    };
    read(known(INITIALIZE.into())).await;
    read(known(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"early"}}"#.into())).await;
    read(known(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"fails"}}"#.into())).await;
    read(known(format!(
        r#"{{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{{"name":"t","arguments":{{"password":"{}","nested":{{"token":"{}"}},"text":"use {}","raw":"{{\"api_key\":\"{}\"}}"}}}}}}"#,
        plant("argument"), plant("nested argument"), plant("free text of an argument"), plant("JSON in an argument")
    )))
    .await;
    // A server that is not there, asked with a secret in its URL, and one that cannot be named.
    read(
        client
            .post(format!("https://down.example.test/mcp?token={}", plant("URL of a failure")))
            .body(INITIALIZE)
            .header("content-type", "application/json"),
    )
    .await;
    let refresh = client.post(format!("https://{HOST}/token")).header("content-type", "application/x-www-form-urlencoded");
    let refresh = refresh.body(format!("grant_type=refresh_token&refresh_token={}", plant("refresh token")));
    read(refresh.header("x-late", "1")).await;
}

async fn recorder(garden: &Arc<Garden>, options: &[&str]) -> Recorder {
    let planted = Arc::clone(garden);
    let server = serve(Speaks::Http2, move |request| answer(&request, &planted)).await;
    let down = tokio::net::TcpSocket::new_v4().unwrap();
    down.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let rule = format!("down.example.test:443={}", down.local_addr().unwrap());
    let logging = |mut command: tokio::process::Command| {
        command.env("AUTHTAPE_LOG", "trace").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        command
    };
    let recorder = Recorder::serve_with(server, &[&["--connect-to", &rule], options].concat(), logging).await;
    let client = recorder.http_builder().http1_only().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    login(&client, garden).await;
    use_it(&client, garden).await;
    recorder
}

fn leaks(place: &Place, garden: &Garden) -> Vec<String> {
    let files = all_bytes(&place.path("out"));
    assert_eq!(files.len(), 1);
    files.iter().flat_map(|(_, bytes)| garden.found_in(bytes)).collect()
}

fn said(over: &Over, garden: &Garden) {
    assert!(over.stderr.contains(" DEBUG authtape::"), "there is a log: {}", over.stderr);
    assert!(!over.stderr.contains("hyper"), "of ours alone: {}", over.stderr);
    assert_eq!(garden.found_in(over.stderr.as_bytes()), <[&str; 0]>::default(), "{}", over.stderr);
    assert!(!over.stderr.contains(LEARNED_LATE));
}

#[tokio::test]
async fn no_planted_secret_is_in_a_file_or_a_log() {
    let garden = Garden::new(0x6a4d_e401);
    let over = recorder(&garden, &[]).await.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    said(&over, &garden);
    let tape = over.place.load();
    assert!(tape.interactions.len() >= 11, "{} interactions: {}", tape.interactions.len(), over.stderr);
    assert_eq!(leaks(&over.place, &garden), <[&str; 0]>::default(), "{}", std::fs::read_to_string(over.place.tape()).unwrap());
    assert!(!std::fs::read_to_string(over.place.tape()).unwrap().contains(LEARNED_LATE), "the last sweep found it");
    let debugged = format!("{tape:?}");
    assert_eq!(garden.found_in(debugged.as_bytes()), <[&str; 0]>::default());
}

#[tokio::test]
async fn without_scrubbing_every_planted_secret_is_in_the_file() {
    let garden = Garden::new(0x6a4d_e403);
    let over = recorder(&garden, &["--raw", "-o", "out/tape.raw.yaml"]).await.stop().await;
    assert_eq!(over.code, Some(0), "{}", over.stderr);
    said(&over, &garden);
    let found = leaks(&over.place, &garden);
    let missing: Vec<_> = garden.planted.lock().unwrap().keys().filter(|place| !found.contains(place)).cloned().collect();
    assert_eq!(missing, <[&str; 0]>::default(), "the search finds what is there");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(over.place.path("out/tape.raw.yaml")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn no_planted_secret_is_in_the_part_of_a_recording_that_was_killed() {
    let garden = Garden::new(0x6a4d_e402);
    let recorder = recorder(&garden, &[]).await;
    let part = recorder.place.part();
    while !std::fs::read_to_string(&part).unwrap().contains("x-late") {
        tokio::task::yield_now().await;
    }
    recorder.signal(Signal::SIGKILL);
    let over = recorder.over().await;
    said(&over, &garden);
    assert_eq!(leaks(&over.place, &garden), <[&str; 0]>::default());
    assert!(!authtape::cassette::Cassette::load(&part).unwrap().header.finished);
}
