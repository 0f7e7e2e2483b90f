//! `show --follow` on a file that grows under its eyes. Nothing sleeps: each step waits for the line that it causes.

use super::{command, golden};
use authtape::cassette::{Cassette, Closing, Entry, Existing, Header, More, PartFile, Untouched};
use authtape::exchange::{End, Event, Field, Headers, Json, JsonStyle, SseStyle};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

/// A follower whose lines are read as they come.
struct Following {
    child: Child,
    lines: Receiver<String>,
    seen: String,
}

impl Following {
    fn start(folder: &Path, file: &str) -> Self {
        let mut child = command(folder, &["--follow", file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: String::new() }
    }

    /// Reads on until a line holds the text.
    fn until(&mut self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{error}: no {text:?} in\n{}", self.seen));
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    /// Waits for the end of the output and of the process: the exit code, all that was printed, all that was said.
    fn end(mut self) -> (Option<i32>, String, String) {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.seen.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.seen),
            }
        }
        let mut talk = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen), talk)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn recorded() -> Cassette {
    Cassette::load(&golden().join("errors.yaml")).unwrap()
}

fn recording(folder: &Path) -> (PartFile, Header) {
    let header = Header { finished: false, ..recorded().header };
    (PartFile::create(&folder.join("login.yaml"), &header, Existing::Replace).unwrap(), header)
}

fn add(part: &mut PartFile, entry: &Entry) {
    part.append(entry).unwrap();
    part.flush().unwrap();
}

fn interaction(number: u32) -> Entry {
    let found = recorded().interactions.into_iter().find(|interaction| interaction.exchange.number == number);
    Entry::Interaction(Box::new(found.unwrap()))
}

fn event(at: u64, field: Field) -> Event {
    Event { at: Duration::from_millis(at), fields: vec![Field::Event("message".into()), field] }
}

fn message(value: serde_json::Value) -> Field {
    Field::Json(Json { value, style: JsonStyle::Compact })
}

fn more(events: Vec<Event>, closing: Option<Closing>) -> Entry {
    Entry::More(More { number: 9, style: SseStyle::default(), events, closing })
}

#[test]
fn rows_and_events_come_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut part, header) = recording(folder.path());
    let mut following = Following::start(folder.path(), "login.yaml");
    following.until("#");
    add(&mut part, &interaction(9));
    following.until("mcp-get-stream");
    add(&mut part, &more(vec![event(40, message(json!({"jsonrpc": "2.0", "method": "notifications/progress"})))], None));
    following.until("progress");
    add(&mut part, &interaction(2));
    following.until("invalid_grant");
    let asks = event(900, message(json!({"jsonrpc": "2.0", "id": "a", "method": "sampling/createMessage"})));
    let answers = event(950, message(json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32601, "message": "no"}})));
    let end = End::ServerGone("connection reset by peer".into());
    let closing = Closing { took: Some(Duration::from_millis(960)), end, tail: String::new(), trailers: Headers::new() };
    add(&mut part, &more(vec![asks, answers, event(955, Field::Data("ping".into()))], Some(closing)));
    following.until("the stream ended");
    add(&mut part, &Entry::Event(recorded().events[0].clone()));
    following.until("silent");
    part.append(&interaction(5)).unwrap();
    part.finish(&header, &mut Untouched).unwrap();
    let (code, out, talk) = following.end();
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(out, @r#"
    a-client-with-a-long-name …, recorded 2026-11-21 08:00:00 UTC,
    with authtape 0.1.0, 1 secret replaced, 2 personal values replaced
    not finished: it is still being recorded; until the last pass is done, free
    text may hold secrets that are learned late

      #     at  s  kind                         request                status   took
      9  1h06m  12  mcp-get-stream               GET mcp.example.…/mcp  200      open
      9  1h06m     + notifications/progress
      2  1m01s  1  token-refresh                POST auth.exam…/token  400     1h02m
                   invalid_grant: The refresh token was used before
      9  1h06m     + request "a": sampling/createMessage
      9  1h06m     + answer to 7: error -32601: no
      9  1h06m     + ping
      9  1h06m     + the stream ended after 960ms: the server broke off: connection…
      !  1h06m     silent                       unnamed host
      5  1h06m  12  mcp-request tools/list       POST http://mcp.…/mcp  401       2ms
                   invalid_token: expired
    "#);
    insta::assert_snapshot!(talk, @r"
    reading login.yaml.part
    finished: 3 interactions; next: authtape show login.yaml
    ");
}

#[test]
fn a_recording_that_lost_its_writer_ends_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (mut part, _) = recording(folder.path());
    let mut following = Following::start(folder.path(), "login.yaml.part");
    add(&mut part, &interaction(2));
    following.until("token-refresh");
    drop(part);
    let (code, _, talk) = following.end();
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(talk, @r"
    reading login.yaml.part
    warning: the recording ended without being finished: 1 interaction in login.yaml.part
    ");
}

#[test]
fn a_finished_cassette_is_printed_and_that_is_all() {
    let (code, out, talk) = Following::start(&golden(), "login.yaml").end();
    assert_eq!((code, out.lines().filter(|line| line.contains("mcp-request")).count()), (Some(0), 2), "{out}");
    insta::assert_snapshot!(talk, @r"
    reading login.yaml
    finished: 6 interactions; nothing more will come
    ");
}

#[test]
fn a_cassette_that_is_recorded_anew_is_followed_in_its_part() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden().join("login.yaml"), folder.path().join("login.yaml")).unwrap();
    let (mut part, header) = recording(folder.path());
    let mut following = Following::start(folder.path(), "login.yaml");
    add(&mut part, &interaction(2));
    following.until("token-refresh");
    let still = super::run(command(folder.path(), &["login.yaml"]));
    assert_eq!(still.talk, "a new recording is growing in login.yaml.part; this is the one before\n");
    part.finish(&header, &mut Untouched).unwrap();
    let (code, out, talk) = following.end();
    assert_eq!((code, out.lines().filter(|line| line.contains("mcp-request")).count()), (Some(0), 0), "{out}");
    assert!(talk.contains("finished: 1 interaction; next: authtape show login.yaml"), "{talk}");
}

#[test]
fn a_growing_recording_is_shown_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (mut part, _) = recording(folder.path());
    add(&mut part, &interaction(2));
    let shown = super::run(command(folder.path(), &["login.yaml"]));
    assert_eq!(shown.code, Some(0));
    insta::assert_snapshot!(shown.out, @r"
    a-client-with-a-long-name …, recorded 2026-11-21 08:00:00 UTC,
    with authtape 0.1.0, 1 secret replaced, 2 personal values replaced
    not finished: it is still being recorded; until the last pass is done, free
    text may hold secrets that are learned late

    #    at  s  kind           request                                  status  took
    2 1m01s  1  token-refresh  POST auth.example.test/tenants/0…/token  400    1h02m
                invalid_grant: The refresh token was used before

    1 interaction, 1 session (s), 5 requests not stored
    one in full: authtape show login.yaml 2
    ");
    insta::assert_snapshot!(shown.talk, @"reading login.yaml.part: the recording is not finished");
}

#[test]
fn a_reader_that_went_away_ends_it_though_nothing_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (_part, _) = recording(folder.path());
    let mut child = command(folder.path(), &["-f", "login.yaml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    let output = ended.recv_timeout(DEADLINE).expect("it ends with its reader");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b"reading login.yaml.part\n"[..]));
}
