//! Faults of the MCP transport of both eras, through the binary with the reference client.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::{broken, count};
use crate::replay::{ECHO, Tape, legacy, talk};
use authtape::cassette::{Cassette, Interaction};
use authtape::model::policy::ReplyForm;
use authtape::protocol::Kind;
use std::process::Output;

/// The tool call that takes no list.
const CALL: &[&str] = &["--tool", "echo", "--arguments", r#"{"text":"hi"}"#];

/// The run did what it should, and the fault fired.
fn passed(output: &Output, fault: &str) {
    assert_eq!(output.status.code(), Some(0), "{fault}: {}", talk(output));
    assert!(talk(output).contains(&format!("fault: {fault} fired")), "{}", talk(output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("hi"));
}

/// The requests of a JSON-RPC method, in order.
fn requests(tape: &Tape, method: &str) -> Vec<Interaction> {
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let is_own = |own: &Interaction| own.exchange.request.body.content.json().is_some_and(|body| body["method"] == method);
    run.interactions.into_iter().filter(is_own).collect()
}

fn header<'a>(interaction: &'a Interaction, name: &str) -> Option<&'a str> {
    interaction.exchange.request.headers.first(name)
}

fn id(interaction: &Interaction) -> serde_json::Value {
    interaction.exchange.request.body.content.json().map(|body| body["id"].clone()).unwrap_or_default()
}

#[test]
fn a_forgotten_session_is_replaced() {
    for form in [ReplyForm::Json, ReplyForm::Stream] {
        let tape = Tape::record(
            |plan| {
                legacy(plan);
                plan.server.reply = form;
            },
            ECHO,
        );
        let output = broken(&tape, &["session-404:method=tools/call"], ECHO);
        passed(&output, "session-404:method=tools/call");
        let begun = requests(&tape, "initialize");
        assert_eq!(begun.len(), 2);
        assert_eq!(header(&begun[1], "mcp-session-id"), None);
        let calls = requests(&tape, "tools/call");
        let sessions: Vec<_> = calls.iter().map(|call| header(call, "mcp-session-id")).collect();
        assert!(sessions.len() == 2 && sessions[0] != sessions[1] && sessions[1].is_some(), "{}", talk(&output));
        assert_eq!(count(&tape, Kind::TokenCode), 1);
    }
}

#[test]
fn a_session_that_is_lost_in_silence_is_no_loop() {
    let tape = Tape::record(legacy, ECHO);
    let output = broken(&tape, &["session-lost-200"], ECHO);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("Session not found (-32001)"), "{}", talk(&output));
    assert_eq!(requests(&tape, "tools/list").len(), 1);

    let output = broken(&tape, &["sticky-cookie"], ECHO);
    assert!(talk(&output).contains("fault: sticky-cookie fired"), "{}", talk(&output));
    assert!(requests(&tape, "initialize").len() <= 2, "{}", talk(&output));
    assert_eq!(count(&tape, Kind::TokenCode), 1);
}

#[test]
fn a_stream_that_is_cut_is_resumed_in_the_older_era() {
    for form in [ReplyForm::Json, ReplyForm::Stream, ReplyForm::Poll] {
        let tape = Tape::record(
            |plan| {
                legacy(plan);
                plan.server.reply = form;
            },
            ECHO,
        );
        let fault = if form == ReplyForm::Poll { "sse-cut-before-response:method=tools/list" } else { "sse-cut-before-response" };
        let output = broken(&tape, &[fault], ECHO);
        if form == ReplyForm::Poll {
            // Such a server cuts its streams by itself: the response is not in this answer.
            assert!(talk(&output).contains("never fired"), "{}", talk(&output));
            continue;
        }
        passed(&output, fault);
        let run = Cassette::load(&tape.path("run.yaml")).unwrap();
        let resumed: Vec<_> = run.interactions.iter().filter(|own| own.kind == Kind::McpResume).collect();
        assert_eq!(resumed.len(), 1);
        assert!(header(resumed[0], "last-event-id").is_some());
        assert_eq!(requests(&tape, "tools/call").len(), 1);
    }
}

#[test]
fn a_get_stream_in_trouble_stops_nothing_and_is_asked_for_a_few_times_at_most() {
    let tape = Tape::record(legacy, ECHO);
    for (fault, most) in [
        ("get-stream-405", 1),
        ("get-stream-status", 1),
        ("get-stream-status:status=500", 1),
        ("get-stream-200-empty", 5),
        ("get-stream-silent", 5),
        ("get-stream-silent:withhold=body", 5),
    ] {
        let output = broken(&tape, &[fault], ECHO);
        passed(&output, fault);
        let asked = count(&tape, Kind::McpGetStream);
        assert!((1..=most).contains(&asked), "{fault}: {asked}");
        assert_eq!((count(&tape, Kind::TokenRefresh), count(&tape, Kind::TokenCode)), (0, 1));
    }
}

#[test]
fn a_busy_server_is_waited_for() {
    for world in [|_: &mut authtape::demo::Plan| {}, legacy] {
        let tape = Tape::record(world, ECHO);
        let output = broken(&tape, &["rpc-429:method=tools/call"], ECHO);
        passed(&output, "rpc-429:method=tools/call");
        let statuses: Vec<_> = requests(&tape, "tools/call").iter().filter_map(|own| Some(own.exchange.response()?.status)).collect();
        assert_eq!(statuses, [429, 200]);
        assert_eq!((count(&tape, Kind::TokenRefresh), count(&tape, Kind::TokenCode)), (0, 1));
    }
}

#[test]
fn a_newer_server_that_refuses_once_is_asked_again_in_its_own_era() {
    let tape = Tape::record(|_| {}, ECHO);
    for fault in ["modern-version-unsupported:method=server/discover,nth=2", "modern-version-unsupported:method=tools/call"] {
        let output = broken(&tape, &[fault], ECHO);
        passed(&output, fault);
        assert_eq!(requests(&tape, "initialize").len(), 0);
    }
    for client in [CALL, ECHO] {
        let output = broken(&tape, &["modern-header-mismatch"], client);
        passed(&output, "modern-header-mismatch");
        let run = Cassette::load(&tape.path("run.yaml")).unwrap();
        let methods: Vec<String> = run
            .interactions
            .iter()
            .filter_map(|own| {
                let body = own.exchange.request.body.content.json()?;
                body["method"].as_str().filter(|own| own.starts_with("tools/")).map(str::to_owned)
            })
            .collect();
        assert!(methods.ends_with(&["tools/call", "tools/list", "tools/call"].map(str::to_owned)), "{methods:?}");
        assert_eq!(methods.iter().filter(|own| *own == "tools/call").count(), 2);
    }
    let output = broken(&tape, &["modern-stream-cut"], ECHO);
    passed(&output, "modern-stream-cut");
    let calls = requests(&tape, "tools/call");
    assert!(calls.len() == 2 && id(&calls[0]) != id(&calls[1]), "{}", talk(&output));
    assert_eq!(count(&tape, Kind::McpResume), 0);
}

#[test]
fn a_probe_that_is_refused_leads_to_initialize() {
    let tape = Tape::record(legacy, ECHO);
    for fault in ["modern-plain-400", "modern-discover-401", "modern-discover-401:status=403"] {
        let output = broken(&tape, &[fault], ECHO);
        passed(&output, fault);
        let begun = requests(&tape, "initialize");
        let answered = begun.iter().filter(|own| own.exchange.response().is_some_and(|response| response.status == 200)).count();
        assert_eq!((answered, count(&tape, Kind::TokenCode)), (1, 1), "{fault}");
    }
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["modern-plain-400"], ECHO);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("no MCP server of the tape speaks 2025-11-25 or earlier"), "{}", talk(&output));
}

#[test]
fn clients_that_take_the_transport_wrongly_are_seen() {
    let tape = Tape::record(legacy, ECHO);
    let wrong = |fault: &str, misbehave: &str| broken(&tape, &[fault], &[ECHO, &["--misbehave", misbehave]].concat());
    let output = wrong("session-404:method=tools/call", "stale-session-id-reuse");
    let begun = requests(&tape, "initialize").iter().filter(|own| own.exchange.response().is_some_and(|own| own.status == 200)).count();
    assert_eq!((output.status.code(), begun), (Some(1), 1), "{}", talk(&output));

    let output = wrong("sse-cut-before-response", "sse-resume-missing");
    assert_eq!((output.status.code(), count(&tape, Kind::McpResume)), (Some(4), 0), "{}", talk(&output));

    let output = wrong("get-stream-200-empty", "get-stream-storm");
    assert!(count(&tape, Kind::McpGetStream) > 10, "{}", talk(&output));
}
