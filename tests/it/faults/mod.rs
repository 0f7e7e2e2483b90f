//! Faults through the binary: they fire, they are counted, and one that does not fire is said.

mod authorization;
mod discovery;
mod refresh;
mod registration;
mod resource;
mod tls;
mod token;
mod transport;
mod wrong_logins;

use crate::replay::{ECHO, Tape, kinds, talk};
use authtape::protocol::Kind;
use std::process::Output;

/// Replays a tape of the reference client to it, with faults; the run goes to `run.yaml`.
fn broken(tape: &Tape, faults: &[&str], client: &[&str]) -> Output {
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let options: Vec<&str> = ["-o", "run.yaml", "--force"].into_iter().chain(faults).collect();
    tape.reference(&options, client)
}

fn count(tape: &Tape, kind: Kind) -> usize {
    kinds(&tape.path("run.yaml")).iter().filter(|own| **own == kind).count()
}

#[test]
fn a_refused_refresh_leads_to_one_login_or_to_none() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["refresh-5xx"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(talk(&output).contains("fault: refresh-5xx fired once"), "{}", talk(&output));
    assert!(talk(&output).contains("trigger: early-401 fired once"), "{}", talk(&output));
    assert_eq!((count(&tape, Kind::TokenRefresh), count(&tape, Kind::TokenCode)), (2, 1));

    let hasty = [ECHO, &["--misbehave", "credentials-dropped-on-transient"]].concat();
    let output = broken(&tape, &["refresh-5xx"], &hasty);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert_eq!((count(&tape, Kind::TokenRefresh), count(&tape, Kind::TokenCode)), (1, 2));

    let output = broken(&tape, &["early-401"], &[ECHO, &["--misbehave", "refresh-token-unused"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert_eq!((count(&tape, Kind::TokenRefresh), count(&tape, Kind::TokenCode), count(&tape, Kind::DcrCreate)), (0, 2, 1));

    let login = format!("{} client {} --list", crate::replay::AUTHTAPE, crate::replay::MCP);
    let options = ["-o", "run.yaml", "--force", "--fault", "dcr-duplicate", "--setup", &login];
    for (misbehave, registrations) in [(&[][..], 1), (&["--misbehave", "redundant-registration"], 2)] {
        let output = tape.reference(&options, &[ECHO, &["--login"], misbehave].concat());
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        assert_eq!((count(&tape, Kind::TokenCode), count(&tape, Kind::DcrCreate)), (2, registrations));
    }

    let output = broken(&tape, &["refresh-400-vendor"], ECHO);
    assert_eq!(output.status.code(), Some(4), "{}", talk(&output));
    assert_eq!((count(&tape, Kind::TokenRefresh), count(&tape, Kind::TokenCode)), (1, 1));
}

#[test]
fn a_fault_that_never_fires_fails_the_run_and_says_why() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["refresh-invalid-grant:trigger=none"], ECHO);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("refresh-invalid-grant:trigger=none never fired: there was no token-refresh"), "{}", talk(&output));
}

#[test]
fn a_dropped_callback_never_comes() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["callback-dropped"], &[ECHO, &["--timeout", "1"]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", talk(&output));
    assert!(talk(&output).contains("fault: callback-dropped fired once"), "{}", talk(&output));
    assert_eq!((count(&tape, Kind::Callback), count(&tape, Kind::TokenCode)), (0, 0));
}

#[test]
fn connections_break_where_they_are_told_to() {
    let tape = Tape::record(|_| {}, ECHO);
    let url = "http://mcp.demo.localhost/.well-known/oauth-protected-resource/mcp";
    let curl = |fault: &str| {
        let output = tape.replay(&["--fault", fault], &["curl", "-sS", "--max-time", "2", "-w", "%{http_code} %{size_download}", url]);
        assert!(talk(&output).contains(&format!("fault: {fault} fired once")), "{}", talk(&output));
        (String::from_utf8_lossy(&output.stdout).into_owned(), talk(&output))
    };
    let (_, said) = curl("reset:kind=prm");
    assert!(said.contains("Connection reset by peer"), "{said}");
    let (_, said) = curl("close:kind=prm,at=head");
    assert!(said.contains("Empty reply from server"), "{said}");
    let (got, said) = curl("reset:kind=prm,at=body");
    assert!(got.contains("200 ") && said.contains("Connection reset by peer"), "{got} {said}");
    let (_, said) = curl("stall:kind=prm");
    assert!(said.contains("timed out"), "{said}");
    let (got, _) = curl("status:kind=prm,code=418,body=teapot");
    assert!(got.ends_with("teapot418 6"), "{got}");
    let (got, _) = curl("throttle:kind=prm,bytes=40,seconds=0.01");
    assert!(got.contains("\"resource\"") && got.contains("}200 "), "{got}");
}

#[test]
fn a_fault_that_cannot_be_is_refused_before_the_client_starts() {
    let tape = Tape::record(|_| {}, ECHO);
    for (fault, reason) in [
        ("refresh-invalid-grand", "did you mean refresh-invalid-grant?"),
        ("reset:kynd=prm", "did you mean kind?"),
        ("challenge-missing:server=https://other.test/", "the tape shows no such server"),
    ] {
        let touched = tape.path("touched");
        let output = tape.replay(&["--fault", fault], &["touch", touched.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
        assert!(talk(&output).contains(reason), "{}", talk(&output));
        assert!(!touched.exists());
    }
}

#[test]
fn what_a_fault_answered_stands_on_the_screen_also_when_a_setup_command_fails_of_it() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["refresh-400-vendor"], ECHO);
    assert!(talk(&output).contains("token-refresh 400: a fault, in place of the server"), "{}", talk(&output));

    let setup = format!("{} client {} --timeout 1", crate::replay::AUTHTAPE, crate::replay::MCP);
    let output = tape.replay(&["--fault", "callback-dropped", "--setup", &setup], &["true"]);
    let said = talk(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("fault: callback-dropped fired once"), "{said}");
    assert!(said.contains("session 1, which did not end well") && said.contains("dcr-create 201"), "{said}");
}
