//! The table: whole output at 80 columns, wider and narrower, with colour, cut off by its reader.

use super::{command, golden, run, shown};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

#[test]
fn a_login_reads_well_at_80_columns() {
    insta::assert_snapshot!(shown(&["login.yaml"]), @r"
    claude mcp login … 2.1.329, recorded 2026-11-20 10:12:03 UTC,
    with authtape 0.1.0, 6 secrets replaced, finished

    #    at  s  kind                        request                     status  took
    1  12ms  1  mcp-request initialize      POST mcp.example.test/mcp   401     41ms
    2  61ms  1  prm                         GET mcp.example.test/…/mcp  200      9ms
    !  70ms  1  tls-handshake-failed        auth.example.test:443
                the client sent the alert unknown_ca
    3  80ms  1  token-code                  POST auth.example.t…/token  200     35ms
    4 1.20s  1  callback (inferred)         GET 127.0.0.1:…/callback?…  unseen
    5 2.51s  2  mcp-request tools/call add  POST mcp.example.test/mcp   200    10.0s
                the server broke off: connection reset by peer
    6 14.0s  2  token-refresh               POST auth.example.t…/token  failed   3ms
                connect: Connection refused (os error 111)

    6 interactions, 2 sessions (s), 1 connection event (!), 3 requests not stored
    one in full: authtape show login.yaml 5
    ");
}

#[test]
fn errors_stand_under_their_rows() {
    insta::assert_snapshot!(shown(&["errors.yaml"]), @r"
    a-client-with-a-long-name …, recorded 2026-11-21 08:00:00 UTC,
    with authtape 0.1.0, 1 secret replaced, 2 personal values replaced, finished

     #    at   s  kind                        request                   status  took
     1 999ms   1  authorize                   GET auth.examp…thorize?…  302     20ms
                  access_denied: Not today
     2 1m01s   1  token-refresh               POST auth.example…/token  400    1h02m
                  invalid_grant: The refresh token was used before
     5 1h06m  12  mcp-request tools/list      POST http://mcp.exa…/mcp  401      2ms
                  invalid_token: expired
     6 1h06m  12  mcp-notification initiali…  POST mcp.example.te…/mcp  202      2ms
     7 1h06m  12  mcp-request resources/rea…  POST mcp.example.te…/mcp  200      7ms
                  error -32602: no such resource
     8 1h06m  12  mcp-request tools/call ec…  POST mcp.example.te…/mcp  200      7ms
                  the client went away; the tool failed: disk full sorry
     9 1h06m  12  mcp-get-stream              GET mcp.example.test/mcp  200     open
    10 1h06m  12  mcp-request ping            POST mcp.example.te…/mcp  502      1ms
    11 1h06m  12  mcp-request ping            POST mcp.example.te…/mcp  200      1ms
     ! 1h06m      silent                      unnamed host

    9 interactions, 2 sessions (s), 1 connection event (!), 5 requests not stored
    one in full: authtape show errors.yaml 10
    ");
}

#[test]
fn a_wider_terminal_shows_more_and_a_narrow_one_less() {
    let at = |columns: &str| {
        let mut command = command(&golden(), &["login.yaml"]);
        command.env("COLUMNS", columns);
        run(command).out
    };
    insta::assert_snapshot!(at("120"), @r"
    claude mcp login … 2.1.329, recorded 2026-11-20 10:12:03 UTC, with authtape 0.1.0, 6 secrets replaced, finished

    #    at  s  kind                        request                                                        status  took
    1  12ms  1  mcp-request initialize      POST mcp.example.test/mcp                                      401     41ms
    2  61ms  1  prm                         GET mcp.example.test/.well-known/oauth-protected-resource/mcp  200      9ms
    !  70ms  1  tls-handshake-failed        auth.example.test:443
                the client sent the alert unknown_ca
    3  80ms  1  token-code                  POST auth.example.test/token                                   200     35ms
    4 1.20s  1  callback (inferred)         GET 127.0.0.1:33418/callback?…                                 unseen
    5 2.51s  2  mcp-request tools/call add  POST mcp.example.test/mcp                                      200    10.0s
                the server broke off: connection reset by peer
    6 14.0s  2  token-refresh               POST auth.example.test/token                                   failed   3ms
                connect: Connection refused (os error 111)

    6 interactions, 2 sessions (s), 1 connection event (!), 3 requests not stored
    one in full: authtape show login.yaml 5
    ");
    for (columns, most) in [("1", 60), ("60", 60), ("72", 72), ("80", 80), ("nonsense", 80)] {
        let widest = at(columns).lines().take_while(|line| !line.starts_with("one in full")).map(|line| line.chars().count()).max();
        assert!(widest <= Some(most), "{columns}: {widest:?}");
    }
}

#[test]
fn colour_repeats_what_the_text_says() {
    let mut command = command(&golden(), &["login.yaml"]);
    command.env("CLICOLOR_FORCE", "1");
    let coloured = run(command).out;
    let row = |number: &str| coloured.lines().find(|line| line.contains(&format!("{number}\u{1b}[0m "))).unwrap_or_default().to_owned();
    assert!(row("1").contains("\u{1b}[1m\u{1b}[33m401\u{1b}[0m"), "{:?}", row("1"));
    assert!(row("2").contains("\u{1b}[32m200\u{1b}[0m"), "{:?}", row("2"));
    assert!(row("6").contains("\u{1b}[1m\u{1b}[31mfailed\u{1b}[0m"), "{:?}", row("6"));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), shown(&["login.yaml"]));
}

#[test]
fn an_unfinished_recording_says_what_that_means_and_what_is_odd() {
    let shown = run(command(&golden(), &["killed.yaml"]));
    assert_eq!(shown.code, Some(0));
    insta::assert_snapshot!(shown.out, @r"
    clients started elsewhere, recorded 2026-11-21 08:00:00 UTC,
    with authtape 0.1.0
    not finished: the recording ended before its last pass, so free text may hold
    secrets that were learned late; do not share this file as it is

    #   at  s  kind  request                                             status took
    3 20ms  1  jwks  GET mcp.example.test/.we…/oauth-protected-resource  200     5ms

    1 interaction, 1 session (s)
    one in full: authtape show killed.yaml 3
    ");
    insta::assert_snapshot!(shown.talk, @r"
    reading killed.yaml.part: the recording is not finished
    warning: the stream part on line 18 belongs to interaction 7, which is not there
    warning: the document on line 23 lost its end and is left out
    warning: interaction 3 (line 5) is written as jwks, but reads as prm
    ");
    let one = run(command(&golden(), &["killed.yaml.part", "3"]));
    assert_eq!(one.code, Some(0));
    insta::assert_snapshot!(one.talk, @r"
    warning: not finished: the recording ended before its last pass, so free text may hold secrets that were learned late; do not share this file as it is
    warning: the stream part on line 18 belongs to interaction 7, which is not there
    warning: the document on line 23 lost its end and is left out
    warning: interaction 3 (line 5) is written as jwks, but reads as prm
    ");
}

#[test]
fn kinds_that_differ_are_named_up_to_five() {
    let folder = tempfile::tempdir().unwrap();
    let login = std::fs::read_to_string(golden().join("login.yaml")).unwrap();
    let wrong: String = login.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", if line.starts_with("kind: ") { "kind: jwks" } else { line });
        text
    });
    std::fs::write(folder.path().join("wrong.yaml"), wrong).unwrap();
    let shown = run(command(folder.path(), &["wrong.yaml"]));
    assert_eq!(shown.code, Some(0));
    insta::assert_snapshot!(shown.talk, @r"
    warning: interaction 1 (line 10) is written as jwks, but reads as mcp-request
    warning: interaction 2 (line 29) is written as jwks, but reads as prm
    warning: interaction 3 (line 53) is written as jwks, but reads as token-code
    warning: interaction 4 (line 75) is written as jwks, but reads as callback
    warning: interaction 5 (line 87) is written as jwks, but reads as mcp-request
    warning: and 1 more
    ");
}

#[test]
fn a_cassette_of_nothing_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let header = std::fs::read_to_string(golden().join("login.yaml")).unwrap();
    let header = header.split("---").next().unwrap();
    std::fs::write(
        folder.path().join("it's empty.yaml"),
        header.replace("passed:\n  - {host: statsig.example.test, kind: telemetry, requests: 3}\n", ""),
    )
    .unwrap();
    insta::assert_snapshot!(run(command(folder.path(), &["it's empty.yaml"])).out, @r"
    claude mcp login … 2.1.329, recorded 2026-11-20 10:12:03 UTC,
    with authtape 0.1.0, 6 secrets replaced, finished

    no interactions
    ");
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let login = std::fs::read_to_string(golden().join("login.yaml")).unwrap();
    let (header, rest) = login.split_once("---\n").unwrap();
    let one = rest.split("---\n").next().unwrap();
    let many = (1..1200).fold(header.to_owned(), |mut text, number| {
        let _ = write!(text, "---\n{}", one.replacen("interaction: 1", &format!("interaction: {number}"), 1));
        text
    });
    std::fs::write(folder.path().join("many.yaml"), many).unwrap();
    for arguments in [&["many.yaml"][..], &["many.yaml", "--format", "json"]] {
        let mut child = command(folder.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut talk = String::new();
        child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
        assert_eq!((child.wait().unwrap().code(), talk.as_str()), (Some(0), ""));
        assert!(!line.is_empty());
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = command(folder.path(), &["many.yaml"]);
    command.stdout(full).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"error: cannot print: No space left on device (os error 28)");
}
