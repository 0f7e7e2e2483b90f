//! `authtape doctor` as a person runs it, with clients that are scripts and with real ones where they are installed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::runner_process::{environment, executable};
use authtape::runner::program;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// An empty environment, a throwaway home, and a folder of clients first on PATH.
fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authtape"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
    command.arg("doctor").args(arguments).current_dir(folder).env_clear().env("PATH", path).env("HOME", folder);
    command.output().unwrap()
}

fn document(folder: &Path, command: &[&str]) -> (Option<i32>, Value) {
    let output = doctor(folder, &[&["--format", "json", "--"], command].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn rules(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["rule"] != "platform");
    findings.map(|finding| format!("{} {}", finding["severity"].as_str().unwrap(), finding["rule"].as_str().unwrap())).collect()
}

fn is_here(name: &str) -> bool {
    program::find(OsStr::new(name), &environment("doctor")).is_ok()
}

#[test]
fn a_command_that_is_not_there_could_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), &["--", "no-such-client"]);
    assert_eq!(output.status.code(), Some(4));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"
    error: no-such-client: command not found
    hint: name the client as you would start it: authtape doctor -- claude
    ");
    assert_eq!(doctor(folder.path(), &[]).status.code(), Some(2));
}

#[test]
fn what_reads_no_variable_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    executable(folder.path(), "java", "#!/bin/sh\n");
    executable(folder.path(), "node", "#!/bin/sh\necho v20.1.0\n");
    assert_eq!(document(folder.path(), &["java", "-jar", "x.jar"]).1["intercepted"], "no");
    executable(folder.path(), "mcp-remote", "#!/usr/bin/env node\n");
    let (code, document) = document(folder.path(), &["mcp-remote", "https://x.test/mcp"]);
    assert_eq!((code, &document["version"], &document["runtime"]), (Some(1), &"20.1.0".into(), &"node".into()));
    assert_eq!(rules(&document), ["error node-ignores-proxies"]);
    assert!(document["findings"][0]["advice"].as_str().unwrap().contains("--enable-proxy"));
    assert_eq!(document["self_test"][0]["way"], "not-seen");
}

#[test]
fn a_page_for_people_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    executable(folder.path(), "client", "#!/bin/sh\nexec sudo -u nobody client\n");
    let output = doctor(folder.path(), &["--", "client"]);
    let page = String::from_utf8(output.stdout).unwrap().replace(&folder.path().display().to_string(), "DIR");
    let page: Vec<&str> = page.lines().filter(|line| !line.contains(" platform: ")).collect();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(page.join("\n"), @"
    client     DIR/client
    runtime    other-user
    row        not in the matrix
               proxy: unknown
               localhost: unknown
               trust: unknown
    self-test  none

    error environment-reset: DIR/client runs programs with an environment of its own: none of our variables arrives
      hint: put `authtape record -- …` behind it: the client itself has to be what authtape starts

    this client will not be intercepted
    ");
}

#[test]
fn real_clients_are_proven_by_their_own_requests() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["curl", "python3"].into_iter().filter(|name| is_here(name)) {
        let (code, document) = document(folder.path(), &[name, "x"]);
        assert_eq!((code, &document["intercepted"]), (Some(0), &"yes".into()), "{document:#}");
        let ways: Vec<_> = document["self_test"].as_array().unwrap().iter().map(|outcome| outcome["way"].as_str().unwrap()).collect();
        assert!(ways.len() >= 2 && ways.iter().all(|way| *way == "proxied"), "{ways:?}");
    }
}

#[test]
fn a_client_that_goes_its_own_way_or_trusts_nobody_is_found_out() {
    if !is_here("curl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hidden = folder.path().join("bin");
    std::fs::create_dir(&hidden).unwrap();
    let real = program::find(OsStr::new("curl"), &environment("doctor")).unwrap();
    let curl = |script: &str| {
        executable(&hidden, "curl", &format!("#!/bin/sh\n{script}\nexec {} \"$@\"\n", real.display()));
        let (code, document) = document(folder.path(), &["bin/curl", "x"]);
        let ways: Vec<String> =
            document["self_test"].as_array().unwrap().iter().map(|outcome| outcome["way"].as_str().unwrap().into()).collect();
        (code, ways.join(" "), rules(&document).join(", "))
    };
    let refused = curl("unset SSL_CERT_FILE CURL_CA_BUNDLE");
    assert_eq!(refused, (Some(1), "certificate-refused proxied".into(), "error certificate-refused".into()));
    let around = curl("export NO_PROXY=localhost no_proxy=localhost");
    assert_eq!(around, (Some(0), "proxied direct".into(), "warning around-the-proxy".into()));
    let away = curl("set -- -V");
    assert_eq!(away, (Some(1), "not-seen not-seen".into(), "error not-proxied, warning not-proxied".into()));
}

#[test]
fn claude_s_settings_are_read_and_only_their_names_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    executable(folder.path(), "claude", "#!/bin/sh\necho '2.1.329 (Claude Code)'\n");
    std::fs::create_dir(folder.path().join(".claude")).unwrap();
    let settings = r#"{"env":{"HTTPS_PROXY":"http://jane:hunter2@proxy.corp"}}"#;
    std::fs::write(folder.path().join(".claude/settings.local.json"), settings).unwrap();
    let (code, document) = document(folder.path(), &["claude"]);
    assert_eq!((code, &document["version"]), (Some(1), &"2.1.329".into()));
    assert_eq!(rules(&document), ["error not-proxied", "warning not-proxied", "info claude-settings"]);
    assert!(!document.to_string().contains("hunter2"));
}
