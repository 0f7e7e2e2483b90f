//! An MCP server, what it said, and a client that asks it as much as it can: calls answered with JSON and with SSE, refreshes,
//! long streams of numbered events. The client notes when it saw the last byte of everything.

use super::recorder::HOST;
use super::server::{Answer, Speaks, full, pieces, send, serve};
use bytes::Bytes;
use futures_util::future::{join, join_all};
use http::Request;
use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Numbers that a seed repeats (SplitMix64).
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What a server said, and what nobody may find.
#[derive(Default)]
pub struct Log {
    /// The whole body of each answer, by the number of its request.
    pub bodies: Mutex<HashMap<u64, String>>,
    /// What it issued.
    pub secrets: Mutex<Vec<String>>,
}

impl Log {
    fn secret(&self, chance: &mut Chance, prefix: &str) -> String {
        let secret = format!("{prefix}{:016x}{:016x}", chance.next(), chance.next());
        self.secrets.lock().unwrap().push(secret.clone());
        secret
    }
}

/// Starts the server.
pub async fn server(seed: u64, speaks: Speaks) -> (SocketAddr, Arc<Log>) {
    let log = Arc::<Log>::default();
    let said = Arc::clone(&log);
    let chance = Mutex::new(Chance::new(seed ^ 0x5e_4e_4e));
    let address = serve(speaks, move |request| answer(&request, &said, &mut chance.lock().unwrap())).await;
    (address, log)
}

fn answer(request: &Request<Bytes>, log: &Arc<Log>, chance: &mut Chance) -> Answer {
    let number: u64 = request.headers()["x-number"].to_str().unwrap().parse().unwrap();
    if request.method() == "GET" {
        return numbered(number, chance.clone());
    }
    if request.uri().path() == "/token" {
        let (access, refresh) = (log.secret(chance, "at-"), log.secret(chance, "rt-"));
        let body = format!(r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":3600,"refresh_token":"{refresh}"}}"#);
        return full(200, "application/json", body);
    }
    let words =
        "lorem ipsum ".repeat(usize::try_from(if number.is_multiple_of(16) { chance.below(4000) } else { chance.below(20) }).unwrap());
    let result =
        format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{"content":[{{"type":"text","text":"call {number} {words}end"}}]}}}}"#);
    let session = log.secret(chance, "");
    if !number.is_multiple_of(3) {
        log.bodies.lock().unwrap().insert(number, result.clone());
        let mut answer = full(200, "application/json", result);
        answer.headers_mut().insert("mcp-session-id", session.parse().unwrap());
        return answer;
    }
    let (answer, pieces) = pieces("text/event-stream");
    let mut body = String::new();
    for step in 0..3 {
        let progress =
            format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{step},"progressToken":{number}}}}}"#);
        let _ = write!(body, "id: {number}-{step}\ndata: {progress}\n\n");
    }
    let _ = write!(body, "id: {number}-3\ndata: {result}\n\n");
    body.split_inclusive("\n\n").for_each(|event| {
        send(&pieces, event);
    });
    log.bodies.lock().unwrap().insert(number, body);
    answer
}

/// The text of an event of a long stream.
pub fn event(stream: u64, number: u64) -> String {
    let message =
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":"event {stream} {number}"}}}}"#);
    format!("id: {stream}-{number}\ndata: {message}\n\n")
}

fn numbered(stream: u64, mut chance: Chance) -> Answer {
    let (answer, pieces) = pieces("text/event-stream");
    tokio::spawn(async move {
        for number in 0.. {
            if !send(&pieces, &event(stream, number)) {
                return;
            }
            // The pace of a real stream, not a wait for something.
            tokio::time::sleep(Duration::from_millis(chance.below(40))).await;
        }
    });
    answer
}

/// Something that the client saw the last byte of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The answer to this request.
    Answer(u64),
    /// This event of this stream.
    Event(u64, u64),
}

/// Asks until something fails, which is when the proxy is gone.
pub async fn ask(client: reqwest::Client, seed: u64, seen: impl Fn(Seen, SystemTime)) {
    let numbers = AtomicU64::new(1);
    let (client, numbers, seen) = (&client, &numbers, &seen);
    let callers = (0..4).map(|lane| call(client, numbers, Chance::new(seed + lane), seen));
    let listeners = (0..2).map(|_| listen(client, numbers.fetch_add(1, SeqCst), seen));
    join(join_all(callers), join_all(listeners)).await;
}

async fn call(client: &reqwest::Client, numbers: &AtomicU64, mut chance: Chance, seen: &impl Fn(Seen, SystemTime)) {
    loop {
        let number = numbers.fetch_add(1, SeqCst);
        let request = if chance.below(20) == 0 {
            let form = "grant_type=refresh_token&client_id=c1&refresh_token=rt-00112233445566778899aabbccddeeff";
            let request = client.post(format!("https://{HOST}/token")).body(form);
            request.header("content-type", "application/x-www-form-urlencoded")
        } else {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{{"name":"echo","arguments":{{"n":{number}}}}}}}"#
            );
            let request = client.post(format!("https://{HOST}/mcp")).body(body).header("content-type", "application/json");
            request.header("authorization", "Bearer at-00112233445566778899aabbccddeeff")
        };
        let request = request.header("x-number", number).header("accept", "application/json, text/event-stream");
        let Ok(mut response) = request.send().await else { return };
        loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        seen(Seen::Answer(number), SystemTime::now());
        // A client thinks between two calls.
        tokio::time::sleep(Duration::from_millis(chance.below(6))).await;
    }
}

async fn listen(client: &reqwest::Client, stream: u64, seen: &impl Fn(Seen, SystemTime)) {
    let request = client.get(format!("https://{HOST}/mcp")).header("x-number", stream).header("accept", "text/event-stream");
    let Ok(mut response) = request.header("authorization", "Bearer at-00112233445566778899aabbccddeeff").send().await else { return };
    let (mut rest, mut number) = (String::new(), 0);
    while let Ok(Some(chunk)) = response.chunk().await {
        rest.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = rest.find("\n\n") {
            assert_eq!(rest.drain(..end + 2).collect::<String>(), event(stream, number), "the live traffic is unchanged");
            seen(Seen::Event(stream, number), SystemTime::now());
            number += 1;
        }
    }
}

/// The client as a process of its own, started by `authtape record`; it prints what it sees.
#[tokio::test(flavor = "current_thread")]
#[ignore = "the client of the kill tests"]
async fn client() {
    use std::io::Write;
    let Ok(seed) = std::env::var("AUTHTAPE_TEST_LOAD") else { return };
    let root = std::fs::read(std::env::var("SSL_CERT_FILE").unwrap()).unwrap();
    let roots = reqwest::Certificate::from_pem_bundle(&root).unwrap();
    let proxy = reqwest::Proxy::all(std::env::var("HTTPS_PROXY").unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only(roots).proxy(proxy).build().unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\npid {}", std::process::id()).unwrap();
    ask(client, seed.parse().unwrap(), |seen, at| {
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let _ = match seen {
            Seen::Answer(number) => writeln!(std::io::stdout(), "answer {number} {at}"),
            Seen::Event(stream, number) => writeln!(std::io::stdout(), "event {stream} {number} {at}"),
        };
    })
    .await;
}
