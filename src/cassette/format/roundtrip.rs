//! Whatever an exchange holds is read back: by us as the same exchange, by another YAML reader as the same tree.

use super::{document_of, entry, header, write_header};
use crate::cassette::{
    Closing, Elsewhere, Entry, Header, Interaction, Missed, More, Passed, Policies, Recorded, Replayed, Scrubbed, Session, Tool,
};
use crate::exchange::*;
use crate::protocol::Kind;
use crate::yaml::arbitrary::{json_value, nasty};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use std::sync::LazyLock;
use std::time::Duration;

fn millis() -> impl Strategy<Value = Duration> {
    prop_oneof![0u64..5000, any::<u64>()].prop_map(Duration::from_millis)
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((prop_oneof![Just("set-cookie".to_owned()), nasty()], nasty()), 0..4)
}

fn headers() -> impl Strategy<Value = Headers> {
    pairs().prop_map(|pairs| pairs.into_iter().collect())
}

fn json() -> impl Strategy<Value = Json> {
    let style = select(vec![JsonStyle::Compact, JsonStyle::Python, JsonStyle::Indent2]);
    (json_value(), style).prop_map(|(value, style)| Json { value, style })
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        nasty().prop_map(Field::Event),
        nasty().prop_map(Field::Id),
        nasty().prop_map(Field::Retry),
        nasty().prop_map(Field::Data),
        nasty().prop_map(Field::Comment),
        nasty().prop_map(Field::Raw),
        json().prop_map(Field::Json),
    ]
}

fn sse_style() -> impl Strategy<Value = SseStyle> {
    (select(vec![LineEnd::Lf, LineEnd::CrLf, LineEnd::Cr]), any::<bool>()).prop_map(|(line_end, space)| SseStyle { line_end, space })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    vec((millis(), vec(field(), 0..4)).prop_map(|(at, fields)| Event { at, fields }), 0..4)
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Content::Empty),
        json().prop_map(Content::Json),
        pairs().prop_map(|pairs| Content::Form(pairs.into_iter().collect())),
        (sse_style(), events(), nasty()).prop_map(|(style, events, tail)| Content::Events(EventStream { style, events, tail })),
        nasty().prop_map(Content::Text),
        vec(any::<u8>(), 0..200).prop_map(|bytes| Content::Bytes(bytes.into())),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Complete),
        any::<u64>().prop_map(|of| End::Cut { of }),
        Just(End::ClientGone),
        nasty().prop_map(End::ServerGone),
        Just(End::Open),
        nasty().prop_map(End::Undecodable),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let codings = vec(select(vec![Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd]), 0..3);
    (content(), codings, end()).prop_map(|(content, codings, end)| Body { content, codings, end })
}

fn request() -> impl Strategy<Value = Request> {
    let version = select(vec![Version::Http10, Version::Http11, Version::Http2]);
    (nasty(), nasty(), version, headers(), body(), headers()).prop_map(|(method, url, version, headers, body, trailers)| Request {
        method,
        url,
        version,
        headers,
        body,
        trailers,
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let stage = select(vec![Stage::Resolve, Stage::Connect, Stage::Tls, Stage::Response, Stage::ClientGone]);
    prop_oneof![
        1 => Just(Outcome::Unseen),
        2 => (stage, nasty()).prop_map(|(stage, reason)| Outcome::Failed(Failure { stage, reason })),
        6 => (any::<u16>(), headers(), body(), headers()).prop_map(|(status, headers, body, trailers)| Outcome::Response(Response {
            status,
            headers,
            body,
            trailers
        })),
    ]
}

fn answered() -> impl Strategy<Value = AnsweredBy> {
    let given = || (option::of(any::<u32>()), vec(nasty(), 0..3));
    prop_oneof![
        any::<u32>().prop_map(|interaction| AnsweredBy::Tape { interaction }),
        given().prop_map(|(like, reasons)| AnsweredBy::Model { like, reasons }),
        given().prop_map(|(nearest, reasons)| AnsweredBy::Miss { nearest, reasons }),
        Just(AnsweredBy::Assistant),
        Just(AnsweredBy::Fault),
        Just(AnsweredBy::Elsewhere),
    ]
}

fn replayed() -> impl Strategy<Value = Replayed> {
    let numbers = (option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u32>()), option::of(any::<u64>()));
    let texts = || vec(nasty(), 0..3);
    let policies = vec((nasty(), texts(), texts()).prop_map(|(of, tape, default)| Policies { of, tape, default }), 0..3);
    let miss = (any::<u32>(), nasty(), option::of(any::<u32>()), texts());
    let misses = vec(miss.prop_map(|(session, what, nearest, reasons)| Missed { session, what, nearest, reasons }), 0..3);
    let elsewhere = vec((nasty(), any::<u64>()).prop_map(|(host, requests)| Elsewhere { host, requests }), 0..3);
    (nasty(), numbers, policies, (texts(), texts()), (misses, any::<u64>()), elsewhere, texts()).prop_map(
        |(
            cassette,
            (seed, expires_in, speed, upstream_connections),
            policies,
            (adopted, dialled),
            (misses, missed),
            elsewhere,
            untouched,
        )| Replayed {
            cassette,
            seed,
            expires_in,
            speed,
            upstream_connections,
            dialled,
            policies,
            adopted,
            misses,
            missed,
            elsewhere,
            untouched,
        },
    )
}

fn interaction() -> impl Strategy<Value = Entry> {
    let actor = select(vec![Actor::Client, Actor::UserAgent]);
    let place = (any::<u32>(), any::<u32>(), actor, any::<u32>(), millis(), option::of(millis()));
    (place, request(), outcome(), any::<bool>(), option::of(answered()), select(Kind::ALL)).prop_map(|all| {
        let (place, request, outcome, inferred, answered, kind) = all;
        let (number, session, actor, connection, at, took) = place;
        let exchange = Exchange { number, session, actor, connection, at, took, request, outcome, inferred, answered };
        Entry::Interaction(Box::new(Interaction { exchange, kind }))
    })
}

fn connection_event() -> impl Strategy<Value = Entry> {
    let trouble = select(vec![Trouble::TlsHandshakeFailed, Trouble::ConnectRefused, Trouble::Silent, Trouble::NotHttp]);
    (millis(), option::of(any::<u32>()), any::<u32>(), trouble, option::of(nasty()), nasty()).prop_map(
        |(at, session, connection, trouble, host, detail)| Entry::Event(ConnectionEvent { at, session, connection, trouble, host, detail }),
    )
}

fn more() -> impl Strategy<Value = Entry> {
    let closing = (option::of(millis()), end(), nasty(), headers());
    let closing = option::of(closing.prop_map(|(took, end, tail, trailers)| Closing { took, end, tail, trailers }));
    (any::<u32>(), sse_style(), events(), closing)
        .prop_map(|(number, style, events, closing)| Entry::More(More { number, style, events, closing }))
}

fn any_header() -> impl Strategy<Value = Header> {
    let recorded =
        (0i64..4_000_000_000, nasty(), vec(nasty(), 0..3), option::of(nasty())).prop_map(|(at, with, client, client_version)| Recorded {
            at: jiff::Timestamp::from_second(at).unwrap(),
            with,
            client,
            client_version,
        });
    let scrubbed = option::of((any::<u32>(), any::<u32>(), any::<u32>()))
        .prop_map(|given| given.map(|(policy, secrets, personal)| Scrubbed { policy, secrets, personal }));
    let session = (any::<u32>(), vec(nasty(), 0..3), option::of(any::<i32>()), option::of(any::<i32>()))
        .prop_map(|(session, client, exit, signal)| Session { session, client, exit, signal });
    let passed = (nasty(), select(Kind::ALL), any::<u64>()).prop_map(|(host, kind, requests)| Passed { host, kind, requests });
    let tool = (nasty(), any::<u64>()).prop_map(|(tool, requests)| Tool { tool, requests });
    let lists = (vec(session, 0..3), vec(passed, 0..3), vec(tool, 0..3));
    (recorded, scrubbed, any::<bool>(), any::<bool>(), lists, option::of(replayed())).prop_map(|all| {
        let (recorded, scrubbed, finished, raw, lists, replayed) = all;
        let (sessions, passed, tools) = lists;
        Header { recorded, scrubbed, finished, raw, sessions, passed, tools, replayed }
    })
}

/// What our reader and another one make of a text, whatever its meaning.
fn check_other_reader(text: &str) {
    let ours: Value = crate::yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let theirs: Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(ours, theirs, "{text}");
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| jsonschema::validator_for(&super::schema::document()).unwrap());
    if let Err(error) = SCHEMA.validate(&ours) {
        panic!("{error}\n{text}");
    }
}

fn check(given: &Entry) {
    let mut text = String::new();
    document_of(given, &mut text);
    let read = entry(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    assert!(read == *given, "{text}");
    let mut again = String::new();
    document_of(&read, &mut again);
    assert_eq!(again, text);
    check_other_reader(&text);
    assert!(text.lines().all(|line| !line.starts_with('-') && !line.ends_with([' ', '\t'])), "{text}");
}

proptest! {
    #[test]
    fn any_exchange_is_read_back(given in interaction()) {
        check(&given);
    }

    #[test]
    fn any_connection_event_is_read_back(given in connection_event()) {
        check(&given);
    }

    #[test]
    fn any_part_of_a_stream_is_read_back(given in more()) {
        check(&given);
    }

    #[test]
    fn any_header_is_read_back(given in any_header()) {
        let mut text = String::new();
        write_header(&given, &mut text);
        prop_assert_eq!(&header(&text).unwrap(), &given, "{}", text);
        check_other_reader(&text);
    }
}
