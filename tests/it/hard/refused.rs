//! Bad input before anything starts: one clear message, nothing written.

use super::recorder::{Over, Place};
use authtape::cassette::{CassetteError, Existing, Header, PartFile, Recorded};
use std::fs;
use std::path::Path;

fn header() -> Header {
    let recorded = Recorded { at: "2026-11-20T10:12:03Z".parse().unwrap(), with: "authtape".into(), client: vec![], client_version: None };
    Header { recorded, scrubbed: None, finished: false, raw: false, sessions: vec![], passed: vec![], tools: vec![], replayed: None }
}

async fn refuse(place: Place, options: &[&str], client: &[&str]) -> Over {
    let command = place.record(options, client);
    place.run(command).over().await
}

/// What a refusal says, with its exit code before it; nothing was written.
async fn refused(options: &[&str], client: &[&str]) -> String {
    let over = refuse(Place::new(), options, client).await;
    assert_eq!(over.stdout, "");
    assert!(fs::read_dir(over.place.path("out")).unwrap().next().is_none(), "nothing is written");
    assert!(fs::read_dir(over.place.path("tmp")).unwrap().next().is_none(), "nothing stays");
    format!("{}\n{}", over.code.unwrap(), over.plain())
}

/// The same for another path behind `-o`.
async fn refused_output(place: Place, output: &str, options: &[&str]) -> String {
    let mut command = place.command(Path::new(env!("CARGO_BIN_EXE_authtape")));
    command.args(["record", "-o", output]).args(options).args(["--", "/bin/true"]);
    let over = place.run(command).over().await;
    format!("{}\n{}", over.code.unwrap(), over.plain())
}

#[tokio::test]
async fn a_bad_address_is_refused() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let port = format!(" {} ", taken.local_addr().unwrap().port());
    insta::assert_snapshot!(refused(&["--listen", &listen], &["/bin/true"]).await.replace(&port, " PORT "), @"
    2
    error: port PORT of 127.0.0.1 is taken
    hint: choose another port with --listen; port 0 is any free one
    ");
    insta::assert_snapshot!(refused(&["--listen", "0.0.0.0:0"], &["/bin/true"]).await, @"
    2
    error: 0.0.0.0:0 is not a loopback address: the proxy sees secrets and is for this machine alone
    hint: --listen 127.0.0.1:8080
    ");
    insta::assert_snapshot!(refused(&["--listen", "8080"], &["/bin/true"]).await, @"
    2
    error: invalid value '8080' for '--listen <ADDR>': invalid socket address syntax

    For more information, try '--help'.
    ");
}

#[tokio::test]
async fn a_bad_output_is_refused() {
    insta::assert_snapshot!(refused_output(Place::new(), "out", &[]).await, @"
    2
    error: out is a folder, not a file
    hint: name a file: -o login.yaml
    ");
    insta::assert_snapshot!(refused_output(Place::new(), "missing/", &[]).await, @"
    2
    error: missing/ is a folder, not a file
    hint: name a file: -o login.yaml
    ");
    insta::assert_snapshot!(refused_output(Place::new(), "-", &[]).await, @"
    2
    error: -o -: a cassette is finished in place, which no pipe can be
    hint: name a file: -o login.yaml; `authtape show` prints it, --format json for programs
    ");
    insta::assert_snapshot!(refused_output(Place::new(), "missing/tape.yaml", &[]).await, @"
    2
    error: cannot write missing/tape.yaml: folder missing: No such file or directory (os error 2)
    hint: make the folder first, or choose another with -o
    ");
    insta::assert_snapshot!(refused_output(Place::new(), "ca.pem/tape.yaml", &[]).await, @"
    2
    error: cannot write ca.pem/tape.yaml: ca.pem is not a folder
    ");
    // Root may write anywhere but here.
    insta::assert_snapshot!(refused_output(Place::new(), "/proc/tape.yaml", &[]).await, @"
    2
    error: cannot write into /proc: No such file or directory (os error 2)
    hint: choose another folder with -o
    ");
    insta::assert_snapshot!(refused_output(Place::new(), "out/tape.yaml", &["--raw"]).await, @"
    2
    error: a raw recording holds secrets, so its name must end in .raw.yaml, which git can be told to ignore
    hint: -o out/tape.raw.yaml
    ");
}

#[tokio::test]
async fn an_existing_cassette_is_replaced_only_by_a_finished_one() {
    let place = Place::new();
    fs::write(place.tape(), "old").unwrap();
    let over = refuse(place, &[], &["/bin/true"]).await;
    insta::assert_snapshot!(format!("{}\n{}", over.code.unwrap(), over.plain()), @"
    2
    error: out/tape.yaml is there already
    hint: choose another name, or replace it with --force
    ");
    assert_eq!(fs::read(over.place.tape()).unwrap(), b"old");
    let Over { place, .. } = over;
    let command = place.record(&["--force"], &["/bin/cat", "out/tape.yaml"]);
    let over = place.run(command).over().await;
    assert_eq!((over.code, over.stdout.as_str()), (Some(1), "old"), "it is there while the client runs");
    assert!(over.place.load().header.finished);
}

#[tokio::test]
async fn an_unfinished_recording_is_not_overwritten() {
    let place = Place::new();
    drop(PartFile::create(&place.tape(), &header(), Existing::Refuse).unwrap());
    let before = fs::read(place.part()).unwrap();
    let over = refuse(place, &[], &["/bin/true"]).await;
    insta::assert_snapshot!(format!("{}\n{}", over.code.unwrap(), over.plain()), @"
    2
    error: out/tape.yaml.part is an unfinished recording, perhaps one that still runs
    hint: read it with `authtape show out/tape.yaml.part`, or replace it with --force
    ");
    assert_eq!(fs::read(over.place.part()).unwrap(), before);
    let held = PartFile::create(&over.place.tape(), &header(), Existing::Replace).unwrap();
    let over = refuse(over.place, &["--force"], &["/bin/true"]).await;
    insta::assert_snapshot!(format!("{}\n{}", over.code.unwrap(), over.plain()), @"
    2
    error: out/tape.yaml.part is being recorded right now
    hint: choose another name; one that no recording is using can be replaced with --force
    ");
    assert!(matches!(PartFile::create(&over.place.tape(), &header(), Existing::Replace), Err(CassetteError::Busy(_))));
    drop(held);
}

#[tokio::test]
async fn a_client_that_cannot_be_started_is_refused() {
    insta::assert_snapshot!(refused(&[], &["no-such-client", "--token", "x"]).await, @"
    127
    error: no-such-client: command not found
    ");
    insta::assert_snapshot!(refused(&[], &["./ca.pem"]).await, @"
    126
    error: ./ca.pem: cannot be executed: Permission denied
    ");
    insta::assert_snapshot!(refused(&[], &["/bin"]).await, @"
    126
    error: /bin: cannot be executed: it is a directory
    ");
}

#[tokio::test]
async fn bad_ways_to_servers_are_refused() {
    insta::assert_snapshot!(refused(&["--connect-to", "mcp.example.test=127.0.0.1:1"], &["/bin/true"]).await, @"
    2
    error: `mcp.example.test` in `mcp.example.test=127.0.0.1:1` is not HOST:PORT
    hint: for example --connect-to mcp.example.test:443=127.0.0.1:8443
    ");
    insta::assert_snapshot!(refused(&["--connect-to", "nonsense"], &["/bin/true"]).await, @"
    2
    error: `nonsense` has no `=`: expected HOST:PORT=ADDR:PORT
    hint: for example --connect-to mcp.example.test:443=127.0.0.1:8443
    ");
    insta::assert_snapshot!(refused(&["--upstream-proxy", "ftp://127.0.0.1:1"], &["/bin/true"]).await, @"
    2
    error: proxies of scheme `ftp` are not supported, only http
    ");
    let with_ca = |file: &'static str| async move {
        let place = Place::new();
        fs::write(place.path("garbage.pem"), "no certificate").unwrap();
        refused_output(place, "out/tape.yaml", &["--upstream-ca", file]).await
    };
    insta::assert_snapshot!(with_ca("missing.pem").await, @"
    2
    error: cannot read missing.pem: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(with_ca("garbage.pem").await, @"
    2
    error: garbage.pem: holds no certificate
    ");
}

#[tokio::test]
async fn the_log_has_a_level_and_a_place() {
    let logged = async |level: &str, file: &str| {
        let place = Place::new();
        let mut command = place.record(&[], &["/bin/true"]);
        command.env("AUTHTAPE_LOG", level).env("AUTHTAPE_LOG_FILE", place.path(file));
        place.run(command).over().await
    };
    let over = logged("loud", "log").await;
    insta::assert_snapshot!(format!("{}\n{}", over.code.unwrap(), over.plain()), @"
    2
    error: AUTHTAPE_LOG is no level
    hint: one of off, error, warn, info, debug, trace
    ");
    let over = logged("debug", "missing/log").await;
    insta::assert_snapshot!(format!("{}\n{}", over.code.unwrap(), over.plain()), @"
    2
    error: cannot write the log PLACE/missing/log: No such file or directory (os error 2)
    hint: AUTHTAPE_LOG_FILE names a file in a folder that exists
    ");
    let over = logged("debug", "log").await;
    assert!(!over.stderr.contains("DEBUG"), "{}", over.stderr);
    let log = fs::read_to_string(over.place.path("log")).unwrap();
    assert!(!log.is_empty() && log.lines().all(|line| line.contains(" authtape::")), "{log}");
}
