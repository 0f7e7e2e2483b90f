//! Bad input: one message that names the file, the line and the reason, exit code 3, and no client was started.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::replay::{ECHO, Tape, authtape, talk};
use std::fs::{self, File};
use std::process::Output;
use tempfile::TempDir;

/// Replays a file to a client that would leave a trace.
fn replay(folder: &TempDir, file: &str) -> Output {
    let output = authtape(folder.path()).args(["replay", file, "-o", "run.yaml", "--", "touch", "started"]).output().unwrap();
    assert!(!folder.path().join("started").exists(), "{file}: the client was started");
    assert!(!folder.path().join("run.yaml").exists() && !folder.path().join("run.yaml.part").exists(), "{file}: something was written");
    output
}

fn refused(folder: &TempDir, file: &str) -> String {
    let output = replay(folder, file);
    let talk = talk(&output);
    assert_eq!(output.status.code(), Some(3), "{file}: {talk}");
    assert_eq!(talk.matches("error:").count(), 1, "{talk}");
    talk.trim_end().to_owned()
}

fn written(folder: &TempDir, bytes: &[u8]) -> String {
    fs::write(folder.path().join("tape.yaml"), bytes).unwrap();
    refused(folder, "tape.yaml")
}

#[test]
fn what_is_no_cassette_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(refused(&folder, "missing.yaml"), @"error: cannot read missing.yaml: No such file or directory (os error 2)");
    insta::assert_snapshot!(written(&folder, b""), @"error: tape.yaml:1:1: an empty file: expected a cassette, which begins with `authtape: 1`");
    insta::assert_snapshot!(written(&folder, b"authtape: 2\nrecorded: {}\n"), @"
    error: tape.yaml:1:1: cassette version 2; this authtape reads version 1
    1 | authtape: 2
      | ^
    hint: a newer authtape wrote it: update authtape
    ");
    insta::assert_snapshot!(written(&folder, b"{\"log\": {\"version\": \"1.2\", \"entries\": []}}\n"), @r#"
    error: tape.yaml:1:1: not a cassette: expected a YAML file that begins with `authtape: 1`
    1 | {"log": {"version": "1.2", "entries": []}}
      | ^
    hint: cassettes/README.md shows a whole cassette
    "#);
    insta::assert_snapshot!(written(&folder, b"\x7fELF\x02\x01\x01\0\0\n\0\xff\xfe"), @"error: tape.yaml:2:2: not UTF-8: expected a YAML text");
    insta::assert_snapshot!(written(&folder, b"authtape: 1\nrecorded: {at: 2026-11-20T10:12:03Z, with: authtape}\nfinished: true\n"), @"error: tape.yaml: the cassette holds no OAuth or MCP exchange to replay");
    fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    insta::assert_snapshot!(refused(&folder, "folder.yaml"), @"error: cannot read folder.yaml: Is a directory (os error 21)");
    File::create(folder.path().join("sparse.yaml")).unwrap().set_len(1 << 30).unwrap();
    insta::assert_snapshot!(refused(&folder, "sparse.yaml"), @"error: sparse.yaml:1:1: a document of more than 96 MiB");
    let deep = format!("authtape: 1\nrecorded: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let deep = written(&folder, deep.as_bytes());
    assert!(deep.starts_with("error: tape.yaml:2:") && deep.len() < 600, "{deep}");
}

#[test]
fn a_client_that_is_given_without_dashes_is_pointed_to_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, hint) in [
        (&["record", "-o", "x.yaml", "curl", "-s", "http://a.test"][..], "record -o x.yaml -- curl -s http://a.test"),
        (&["replay", "x.yaml", "curl", "http://a.test"], "replay x.yaml -- curl http://a.test"),
    ] {
        let output = authtape(folder.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
        assert!(talk(&output).ends_with(&format!("hint: the client stands behind --: authtape {hint}\n")), "{}", talk(&output));
    }
    let output = authtape(folder.path()).args(["record", "-o", "x.yaml", "--no-such-option"]).output().unwrap();
    assert!(!talk(&output).contains("stands behind"), "{}", talk(&output));
    let serving = authtape(folder.path()).args(["record", "-o", "x.yaml", "--setup", "true"]).output().unwrap();
    assert_eq!(serving.status.code(), Some(2), "{}", talk(&serving));
    assert!(!folder.path().join("x.yaml").exists());
}

/// A cassette of the reference client with one line changed.
fn edited(tape: &Tape, from: &str, to: &str) -> String {
    let text = fs::read_to_string(tape.path("tape.yaml")).unwrap();
    assert!(text.contains(from), "{from} is not in it");
    let folder = tempfile::tempdir().unwrap();
    written(&folder, text.replacen(from, to, 1).as_bytes())
}

#[test]
fn a_cassette_that_was_edited_into_nonsense_is_refused_with_line_and_reason() {
    let tape = Tape::record(|_| {}, ECHO);
    let said = |from: &str, to: &str| {
        let said = edited(&tape, from, to);
        let line = said.lines().next().unwrap();
        // The line number follows from what the client sent; what is wrong does not.
        regex::Regex::new(r"tape\.yaml:\d+:\d+").unwrap().replace(line, "tape.yaml:L:C").into_owned()
    };
    insta::assert_snapshot!(said("\nkind: prm\n", "\nkind: prn\n"), @r#"error: tape.yaml:L:C: unknown kind "prn""#);
    insta::assert_snapshot!(said("  status: 401\n", "  status: four\n"), @"error: tape.yaml:L:C: expected a whole number (u16)");
    insta::assert_snapshot!(said("\nresponse:\n", "\nresponce:\n"), @"error: tape.yaml:L:C: unknown field `responce`, expected one of interaction, session, by, connection, at, took, kind, inferred, answer, request, response, failed, unseen");
    insta::assert_snapshot!(said("\ninteraction: 2\n", "\ninteraction: 1\n"), @"error: tape.yaml:L:C: interaction 1 is there twice, first on line 8");
    insta::assert_snapshot!(said("\nrequest:\n", "\nanswer: {by: tape, nearest: 3}\nrequest:\n"), @"error: tape.yaml:L:C: `by: tape` without `interaction`");
    insta::assert_snapshot!(said("\nrequest:\n", "\nrequest: [\n"), @"error: tape.yaml:L:C: expected mapping start");
    insta::assert_snapshot!(said("    - accept:", "\t- accept:"), @"error: tape.yaml:L:C: tabs disallowed within this context (block indentation)");
}

#[test]
fn a_recording_that_was_killed_is_replayed_with_a_warning() {
    let tape = Tape::record(|_| {}, ECHO);
    let text = fs::read_to_string(tape.path("tape.yaml")).unwrap().replacen("finished: true", "finished: false", 1);
    fs::remove_file(tape.path("tape.yaml")).unwrap();
    let torn = format!("{text}---\ninteraction: 99\nsession: 1\nconnec");
    fs::write(tape.path("tape.yaml.part"), torn).unwrap();
    let output = tape.reference(&[], ECHO);
    let talk = talk(&output);
    assert_eq!(output.status.code(), Some(0), "{talk}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("hi"));
    assert!(talk.contains("warning: tape.yaml.part is not finished; what it holds is replayed"), "{talk}");
    assert!(talk.contains("lost its end and is left out"), "{talk}");
}
