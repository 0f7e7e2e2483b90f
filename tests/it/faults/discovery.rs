//! Faults of the first challenge and of metadata: what a correct client does, and what one does that decides wrongly.

use super::{broken, count};
use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, authtape, kinds, talk};
use authtape::protocol::Kind;
use std::path::Path;
use std::process::Output;

/// What a run came to: the exit code, then how many registrations, authorization requests and code exchanges it held.
type Came = (i32, [usize; 3]);

const LOGGED_IN: Came = (0, [1, 1, 1]);
const STOPPED: Came = (4, [0, 0, 0]);
const REFUSED: Came = (1, [0, 0, 0]);

fn came(tape: &Tape, output: &Output) -> Came {
    let counts = [Kind::DcrCreate, Kind::Authorize, Kind::TokenCode].map(|kind| count(tape, kind));
    (output.status.code().unwrap_or(-1), counts)
}

/// Fault, what it comes to with a correct client, and the misbehaviour that makes it come to something else.
/// No client can differ under `as-advertises-iss`, a positive control, and under `prm-resource-slash:slash=with`,
/// `redirect-slash` and the answers of `unauthenticated-status` that are no 401 or 403: a client that does not go on there does nothing.
type Row = (&'static str, Came, Option<(&'static str, Came)>);

const ROWS: &[Row] = &[
    ("prm-custom-location", LOGGED_IN, Some(("discovery-order", STOPPED))),
    ("prm-html-200", LOGGED_IN, Some(("discovery-order", STOPPED))),
    ("prm-wrong-resource", STOPPED, Some(("wrong-audience", (1, [1, 1, 0])))),
    ("prm-wrong-resource:to=root", STOPPED, Some(("wrong-audience", (1, [1, 1, 0])))),
    ("prm-resource-slash", LOGGED_IN, Some(("resource-param-mismatch", (1, [1, 1, 0])))),
    ("prm-resource-slash:slash=with", LOGGED_IN, None),
    ("as-metadata-issuer-mismatch", STOPPED, Some(("issuer-mismatch-accepted", LOGGED_IN))),
    ("as-metadata-issuer-mismatch:by=path", STOPPED, Some(("issuer-mismatch-accepted", LOGGED_IN))),
    ("as-metadata-issuer-mismatch:by=host", STOPPED, Some(("issuer-mismatch-accepted", LOGGED_IN))),
    ("as-metadata-5xx", STOPPED, Some(("endpoint-not-from-metadata", LOGGED_IN))),
    ("as-metadata-oidc-only", LOGGED_IN, Some(("discovery-order", STOPPED))),
    ("as-no-pkce-metadata", STOPPED, Some(("pkce-support-unverified", LOGGED_IN))),
    ("as-metadata-missing", STOPPED, Some(("endpoint-not-from-metadata", LOGGED_IN))),
    ("well-known-junk", LOGGED_IN, Some(("discovery-order", STOPPED))),
    ("well-known-junk:answer=html", LOGGED_IN, Some(("discovery-order", STOPPED))),
    ("well-known-junk:answer=redirect", LOGGED_IN, Some(("discovery-order", STOPPED))),
    ("as-advertises-iss", LOGGED_IN, None),
    ("as-no-registration", STOPPED, Some(("endpoint-not-from-metadata", (1, [1, 0, 0])))),
    ("unauthenticated-status", REFUSED, Some(("auth-flow-without-challenge", LOGGED_IN))),
    ("unauthenticated-status:answer=basic", REFUSED, Some(("auth-flow-without-challenge", LOGGED_IN))),
    ("unauthenticated-status:answer=negotiate", REFUSED, Some(("auth-flow-without-challenge", LOGGED_IN))),
    ("unauthenticated-status:answer=sign-in", STOPPED, None),
    ("unauthenticated-status:answer=rpc-error", REFUSED, None),
    ("redirect-slash", LOGGED_IN, None),
    ("redirect-slash:code=308", LOGGED_IN, None),
    ("redirect-slash:code=301", STOPPED, None),
];

#[test]
fn each_fault_of_discovery_fires_and_tells_a_correct_client_from_a_broken_one() {
    let tape = Tape::record(|_| {}, ECHO);
    let mut differing = Vec::new();
    for (fault, correct, wrong) in ROWS {
        let mut check = |client: &[&str], wanted: Came| {
            let output = broken(&tape, &[fault], client);
            let said = talk(&output);
            let got = came(&tape, &output);
            if got != wanted || !said.contains(&format!("fault: {fault} fired")) {
                differing.push(format!("{fault} {client:?}: {got:?}, not {wanted:?}\n{said}"));
            }
        };
        check(ECHO, *correct);
        if let Some((misbehave, wanted)) = wrong {
            assert_ne!(correct, wanted);
            check(&[ECHO, &["--misbehave", misbehave]].concat(), *wanted);
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_client_document_stands_in_for_a_registration() {
    let tape = Tape::record(|_| {}, ECHO);
    let document = ["--client-metadata-url", "https://client.example.test/client.json"];
    let output = broken(&tape, &["as-no-registration:cimd=true"], &[ECHO, &document].concat());
    assert_eq!(came(&tape, &output), (0, [0, 1, 1]), "{}", talk(&output));
}

#[test]
fn a_bearer_does_not_leave_its_origin() {
    let tape = Tape::record(|_| {}, ECHO);
    let elsewhere = "elsewhere.example.test ×";
    let output = broken(&tape, &["redirect-cross-origin"], ECHO);
    assert_eq!(came(&tape, &output), (4, [1, 1, 1]), "{}", talk(&output));
    assert!(!talk(&output).contains(elsewhere), "{}", talk(&output));
    let output = broken(&tape, &["redirect-cross-origin"], &[ECHO, &["--misbehave", "token-sent-elsewhere"]].concat());
    assert!(talk(&output).contains(elsewhere), "{}", talk(&output));

    let output = broken(&tape, &["redirect-slash:to=downgrade"], ECHO);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("no MCP server of the tape is https"), "{}", talk(&output));
    let cassette = Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes/ts-v1-session.yaml");
    let mut command = authtape(tape.folder.path());
    command.arg("replay").arg(cassette).args([
        "--fault",
        "redirect-slash:to=downgrade",
        "--",
        AUTHTAPE,
        "client",
        "https://mcp.ts.test/mcp",
    ]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", talk(&output));
    assert!(talk(&output).contains("fault: redirect-slash:to=downgrade fired"), "{}", talk(&output));
}

#[test]
fn a_login_may_come_late() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["lazy-auth"], ECHO);
    assert_eq!(came(&tape, &output), LOGGED_IN, "{}", talk(&output));
    assert!(talk(&output).contains("fault: lazy-auth fired once"), "{}", talk(&output));
    let order = kinds(&tape.path("run.yaml"));
    let before = order.iter().take_while(|kind| **kind != Kind::Prm).filter(|kind| **kind == Kind::McpRequest).count();
    assert_eq!(before, 3, "discover, list and the call that needs a bearer: {order:?}");
}

#[test]
fn nothing_of_one_authorization_server_goes_to_the_next() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = broken(&tape, &["as-migrated"], ECHO);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    let login = format!("{AUTHTAPE} client {MCP} --list");
    let options = ["-o", "run.yaml", "--force", "--fault", "as-migrated", "--setup", &login];
    // The broken one is turned away with its old client id: its browser, then its own look at why nobody came.
    for (misbehave, authorizations) in [(&[][..], 2), (&["--misbehave", "cross-as-client-reuse"], 4)] {
        let output = tape.reference(&options, &[ECHO, &["--timeout", "2"], misbehave].concat());
        assert_eq!(came(&tape, &output), (0, [2, authorizations, 2]), "{}", talk(&output));
        assert!(talk(&output).contains("fault: as-migrated fired"), "{}", talk(&output));
        assert_eq!(count(&tape, Kind::TokenRefresh), 0);
    }
}

#[test]
fn a_page_may_not_read_what_it_is_not_allowed_to() {
    let tape = Tape::record(|_| {}, ECHO);
    for (fault, all, exposed) in [("cors-missing", false, false), ("cors-missing:what=expose", true, false)] {
        let curl = ["curl", "-sS", "-D", "-", "-o", "/dev/null", "-H", "origin: http://mcp.demo.localhost", MCP];
        let output = tape.replay(&["--fault", fault], &curl);
        let head = String::from_utf8_lossy(&output.stdout).to_ascii_lowercase();
        assert_eq!(head.contains("access-control-allow-origin"), all, "{head}");
        assert_eq!(head.contains("access-control-expose-headers"), exposed, "{head}");
        assert!(talk(&output).contains(&format!("fault: {fault} fired once")), "{}", talk(&output));
    }
}
