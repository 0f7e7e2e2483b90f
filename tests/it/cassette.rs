//! Cassette files: growing, killed, finished, read and followed.

use authtape::cassette::{
    Cassette, CassetteError, Closing, Entry, Existing, Follower, Header, Interaction, More, PartFile, Recorded, Scrubbed, Sweep, Untouched,
    Warning, part_path,
};
use authtape::exchange::{
    Actor, Body, ConnectionEvent, Content, End, Event, EventStream, Exchange, Field, Headers, Json, JsonStyle, Outcome, Request, Response,
    SseStyle, Trouble, Version,
};
use authtape::protocol::Kind;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

fn header() -> Header {
    Header {
        recorded: Recorded {
            at: "2026-11-20T10:12:03Z".parse().expect("a time"),
            with: "authtape 0.1.0".into(),
            client: vec!["claude".into(), "mcp".into(), "…".into()],
            client_version: None,
        },
        scrubbed: Some(Scrubbed { policy: 1, secrets: 2, personal: 0 }),
        finished: false,
        raw: false,
        sessions: Vec::new(),
        passed: Vec::new(),
        tools: Vec::new(),
        replayed: None,
    }
}

fn interaction(number: u32, at: u64, content: Content) -> Interaction {
    let request = Request {
        method: "POST".into(),
        url: "https://mcp.example.test/mcp".into(),
        version: Version::Http2,
        headers: [("accept", "text/event-stream")].into_iter().collect(),
        body: Body::default(),
        trailers: Headers::new(),
    };
    let end = if matches!(content, Content::Events(_)) { End::Open } else { End::Complete };
    let body = Body { content, codings: Vec::new(), end };
    let response = Response { status: 200, headers: Headers::new(), body, trailers: Headers::new() };
    let exchange = Exchange {
        number,
        session: 1,
        actor: Actor::Client,
        connection: 1,
        at: Duration::from_millis(at),
        took: Some(Duration::from_millis(5)),
        request,
        outcome: Outcome::Response(response),
        inferred: false,
        answered: None,
    };
    Interaction { exchange, kind: Kind::McpRequest }
}

fn text(number: u32, at: u64, text: &str) -> Entry {
    Entry::Interaction(Box::new(interaction(number, at, Content::Text(text.into()))))
}

fn stream(number: u32, at: u64) -> Entry {
    let mut open = interaction(number, at, Content::Events(EventStream::default()));
    open.exchange.took = None;
    Entry::Interaction(Box::new(open))
}

fn more(number: u32, data: &str, closing: Option<Closing>) -> Entry {
    let json = Json { value: serde_json::json!({ "data": data }), style: JsonStyle::Compact };
    let events = vec![Event { at: Duration::from_millis(12), fields: vec![Field::Event("message".into()), Field::Json(json)] }];
    Entry::More(More { number, style: SseStyle::default(), events, closing })
}

fn closing() -> Option<Closing> {
    Some(Closing { took: Some(Duration::from_millis(900)), end: End::Complete, tail: String::new(), trailers: Headers::new() })
}

fn event(at: u64) -> Entry {
    Entry::Event(ConnectionEvent {
        at: Duration::from_millis(at),
        session: None,
        connection: 4,
        trouble: Trouble::TlsHandshakeFailed,
        host: Some("mcp.example.test:443".into()),
        detail: "unknown ca".into(),
    })
}

struct Place {
    _folder: TempDir,
    target: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("linear.yaml");
    Place { _folder: folder, target }
}

fn record(place: &Place, entries: &[Entry]) -> PartFile {
    let mut part = PartFile::create(&place.target, &header(), Existing::Refuse).expect("a part file");
    for entry in entries {
        part.append(entry).expect("a document");
    }
    part.flush().expect("a write");
    part
}

#[test]
fn a_recording_is_sorted_joined_and_renumbered() {
    let place = place();
    let entries = [stream(4, 40), text(9, 90, "last"), more(4, "a", None), event(50), text(2, 20, "first"), more(4, "b", closing())];
    let summary = record(&place, &entries).finish(&header(), &mut Untouched).unwrap();
    assert_eq!((summary.interactions, summary.events, summary.swept, summary.orphans), (3, 1, 0, 0));
    assert!(!part_path(&place.target).exists());
    let written = fs::read_to_string(&place.target).unwrap();
    let firsts: Vec<_> = written.split("---\n").map(|document| document.lines().next().unwrap()).collect();
    assert_eq!(firsts, ["authtape: 1", "interaction: 1", "interaction: 2", "event: tls-handshake-failed", "interaction: 3"]);
    let cassette = Cassette::load(&place.target).unwrap();
    assert_eq!(cassette.warnings, []);
    assert_eq!(cassette.interactions[1].exchange.response().unwrap().body.content.events().unwrap().events.len(), 2);
    assert_eq!(cassette.line_of(3), Some(written.lines().position(|line| line == "interaction: 3").unwrap() as u64 + 1));
    let again = place.target.with_file_name("again.yaml");
    cassette.save(&again, Existing::Refuse).unwrap();
    assert_eq!(fs::read_to_string(&again).unwrap(), written);
    assert!(matches!(cassette.save(&again, Existing::Refuse), Err(CassetteError::Exists(_))));
    cassette.save(&again, Existing::Replace).unwrap();
}

#[test]
fn a_finished_file_reads_well() {
    let place = place();
    record(&place, &[stream(1, 40), more(1, "a", None), event(50), more(1, "b", closing())]).finish(&header(), &mut Untouched).unwrap();
    insta::assert_snapshot!(fs::read_to_string(&place.target).unwrap(), @r#"
    authtape: 1
    recorded: {at: 2026-11-20T10:12:03Z, with: authtape 0.1.0, client: [claude, mcp, …]}
    scrubbed: {policy: 1, secrets: 2, personal: 0}
    finished: true
    ---
    interaction: 1
    session: 1
    connection: 1
    at: 40ms
    took: 900ms
    kind: mcp-request
    request:
      method: POST
      url: https://mcp.example.test/mcp
      http: "2"
      headers:
        - accept: text/event-stream
    response:
      status: 200
      events:
        - at: 12ms
          event: message
          json: {data: a}
        - at: 12ms
          event: message
          json: {data: b}
    ---
    event: tls-handshake-failed
    connection: 4
    at: 50ms
    host: mcp.example.test:443
    detail: unknown ca
    "#);
}

#[test]
fn a_killed_recording_is_read_without_its_torn_tail() {
    let place = place();
    let entries = [stream(1, 10), more(1, "a", None), text(3, 20, "second"), text(2, 15, "torn")];
    drop(record(&place, &entries));
    let path = part_path(&place.target);
    let whole = fs::read(&path).unwrap();
    let start = whole.windows(14).position(|window| window == b"interaction: 2").unwrap();
    for length in start + 1..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        let cassette = Cassette::load(&path).unwrap();
        assert_eq!(cassette.interactions.len(), 2, "{length}");
        assert!(matches!(cassette.warnings[..], [Warning::Unfinished, Warning::Torn { .. }]), "{length}");
    }
    let (mut part, header) = PartFile::reopen(&place.target).unwrap();
    assert!(!header.finished);
    part.append(&text(7, 99, "after")).unwrap();
    let summary = part.finish(&header, &mut Untouched).unwrap();
    assert_eq!(summary.interactions, 3);
    let cassette = Cassette::load(&place.target).unwrap();
    assert!(cassette.header.finished);
    assert_eq!(cassette.interactions.iter().map(|interaction| interaction.exchange.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(cassette.interactions[0].exchange.response().unwrap().body.end, End::Open);
}

#[test]
fn a_sweep_changes_only_what_it_touches() {
    struct Secret(u32);
    impl Sweep for Secret {
        fn touches(&mut self, document: &[u8]) -> bool {
            document.windows(6).any(|window| window == b"s3cret")
        }

        fn interaction(&mut self, interaction: &mut Interaction) {
            self.0 += 1;
            let body = &mut interaction.exchange.response_mut().unwrap().body;
            body.content = Content::Text("SCRUBBED".into());
        }

        fn event(&mut self, event: &mut ConnectionEvent) {
            event.detail = "SCRUBBED".into();
        }
    }
    let place = place();
    let mut sweep = Secret(0);
    let summary = record(&place, &[text(1, 1, "fine"), text(2, 2, "a s3cret"), event(3)]).finish(&header(), &mut sweep).unwrap();
    assert_eq!((sweep.0, summary.swept), (1, 1));
    let written = fs::read_to_string(&place.target).unwrap();
    assert!(!written.contains("s3cret") && written.contains("text: fine") && written.contains("unknown ca"), "{written}");
}

#[test]
fn nothing_that_is_there_is_lost() {
    let place = place();
    let part = record(&place, &[text(1, 1, "a")]);
    assert!(matches!(PartFile::create(&place.target, &header(), Existing::Refuse), Err(CassetteError::Exists(_))));
    assert!(matches!(PartFile::create(&place.target, &header(), Existing::Replace), Err(CassetteError::Busy(_))));
    assert!(matches!(PartFile::reopen(&place.target), Err(CassetteError::Busy(_))));
    fs::write(&place.target, "mine").unwrap();
    assert!(matches!(part.finish(&header(), &mut Untouched), Err(CassetteError::Exists(_))));
    assert_eq!(fs::read_to_string(&place.target).unwrap(), "mine");
    assert!(part_path(&place.target).exists());
}

#[test]
fn a_raw_recording_is_for_the_user_alone() {
    let place = place();
    let raw = Header { raw: true, scrubbed: None, ..header() };
    let part = PartFile::create(&place.target, &raw, Existing::Refuse).unwrap();
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&part_path(&place.target)), 0o600);
    part.finish(&raw, &mut Untouched).unwrap();
    assert_eq!(mode(&place.target), 0o600);
}

#[test]
fn a_follower_sees_each_document_once_and_the_end() {
    let place = place();
    let mut part = record(&place, &[text(1, 1, "a")]);
    let mut follower = Follower::open(&place.target).unwrap();
    assert_eq!(follower.poll().unwrap().len(), 1);
    assert_eq!(follower.poll().unwrap().len(), 0);
    part.append(&event(2)).unwrap();
    part.append(&text(2, 3, "b")).unwrap();
    part.flush().unwrap();
    assert_eq!(follower.poll().unwrap().len(), 2);
    part.append(&text(3, 4, "c")).unwrap();
    assert!(!follower.is_over());
    part.finish(&header(), &mut Untouched).unwrap();
    assert_eq!(follower.poll().unwrap().len(), 1);
    assert!(follower.is_over());

    let mut finished = Follower::open(&place.target).unwrap();
    assert_eq!(finished.poll().unwrap().len(), 4);
    assert!(finished.is_over());
}
