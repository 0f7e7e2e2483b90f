//! The demonstration: one command, nothing installed, a clean cassette.

use authtape::demo::{Names, Plan, World};
use authtape::exchange::{Body, Content, Headers, Request, Version};
use std::process::{Command, Output};
use tempfile::TempDir;

fn demo(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authtape"));
    command.env_clear().env("HOME", folder.path()).env("TMPDIR", folder.path()).env("PATH", "/usr/bin:/bin");
    command.current_dir(folder.path()).arg("demo").args(arguments).output().expect("the binary starts")
}

#[test]
fn it_records_a_login_a_call_and_a_refresh() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = demo(&folder, &["-o", "login.yaml"]);
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{talk}");
    assert_eq!(out.lines().last(), Some("login.yaml"));
    assert!(out.contains("ada with scope \"tools\""), "{out}");
    let text = std::fs::read_to_string(folder.path().join("login.yaml")).expect("a cassette");
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    let expected = [
        "mcp-request",
        "prm",
        "as-metadata",
        "dcr-create",
        "authorize",
        "callback",
        "token-code",
        "mcp-request",
        "mcp-request", // the first start
        "mcp-request",
        "prm",
        "as-metadata",
        "token-refresh",
        "mcp-request",
        "mcp-request", // two hours later
    ];
    assert_eq!(kinds, expected);
    assert!(text.contains("finished: true"));
    for secret in ["at_", "rt_", "code_", "client_"] {
        let is_there = |line: &str| line.match_indices(secret).any(|(index, _)| line[index + secret.len()..].len() >= 43);
        assert!(!text.lines().any(|line| is_there(line) && !line.contains("SCRUBBED") && !line.contains("supported")), "{secret}");
    }
}

#[test]
fn it_finds_a_place_of_its_own_and_refuses_one_that_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let output = demo(&folder, &[]);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let path = out.lines().last().expect("a path");
        assert!(path.ends_with("/demo.yaml") && std::path::Path::new(path).exists(), "{out}");
    }
    std::fs::write(folder.path().join("there.yaml"), "mine").expect("a file");
    let output = demo(&folder, &["-o", "there.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("there.yaml")).expect("a file"), "mine");
}

#[tokio::test]
async fn a_made_up_name_leads_to_the_address_that_is_given() {
    let world = World::start(Plan { names: Names::MadeUp, ..Plan::default() }).await.expect("two ports");
    assert_eq!((world.url.as_str(), world.connect_to.len()), ("http://mcp.demo.localhost/mcp", 2));
    let ask = Request {
        method: "POST".to_owned(),
        url: world.url.clone(),
        version: Version::Http11,
        headers: Headers::new(),
        body: Body { content: Content::Empty, ..Body::default() },
        trailers: Headers::new(),
    };
    assert_eq!(world.front.answer(&ask).response.status, 401);
    assert_eq!(world.front.seen().len(), 1);
    world.stop().await;
}
