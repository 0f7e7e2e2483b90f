//! What `authtape record` gives the processes that it starts, seen from within them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::runner_process::{environment, executable};
use authtape::runner::{Environment, Launch, OwnTerminal, Screen};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};
use tokio::io::AsyncReadExt;

const OURS: &str = env!("CARGO_BIN_EXE_authtape");

/// An empty environment, a throwaway home, and a folder of programs first on PATH.
fn record(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(OURS);
    let path = format!("{}:/usr/bin:/bin", folder.display());
    command.args(["record", "-o", "out.yaml", "--force", "--user-agent", "none"]).args(arguments);
    command.current_dir(folder).env_clear().env("PATH", path).env("HOME", folder).output().unwrap()
}

#[test]
fn a_claude_that_a_setup_command_starts_gets_the_settings_too() {
    let folder = tempfile::tempdir().unwrap();
    executable(folder.path(), "claude", "#!/bin/sh\nsettings=$2\nshift 2\n{ echo \"$*\"; cat \"$settings\"; echo; } >> \"$HOME/said\"\n");
    let own = r#"claude --settings '{"model":"m"}' mcp list"#;
    record(folder.path(), &["--setup", own, "--", "sh", "-c", "claude -p hello"]);
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines[2]), ("mcp list", "-p hello"));
    let settings: [serde_json::Value; 2] = [lines[1], lines[3]].map(|line| serde_json::from_str(line).unwrap());
    assert_eq!((&settings[0]["model"], &settings[0]["env"]["NO_PROXY"]), (&"m".into(), &"".into()));
    for (settings, session) in settings.iter().zip(["s1", "s2"]) {
        let proxy = settings["env"]["HTTPS_PROXY"].as_str().unwrap();
        assert!(proxy.starts_with(&format!("http://{session}:")), "the credential names the session");
    }
}

#[test]
fn without_a_claude_none_is_put_on_the_path() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), &["--", "sh", "-c", "command -v claude > $HOME/said; exit 0"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("said")).unwrap(), "");
}

#[tokio::test]
async fn a_terminal_of_its_own_is_as_large_as_ours() {
    let folder = tempfile::tempdir().unwrap();
    let home: Environment = [("HOME", OsString::from(folder.path()))].into_iter().collect();
    let environment: Environment = environment("size").iter().chain(home.iter()).collect();
    let script = format!("cd \"$HOME\" && {OURS} record -o o.yaml --user-agent none --pty -- stty size < /dev/null 2> /dev/null");
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let terminal = OwnTerminal { size: (33, 101), ..OwnTerminal::new(ours) };
    let running = Launch::shell(&script, environment, Screen::Own(terminal)).start().unwrap();
    let mut text = String::new();
    let _ = tokio::join!(running.finish(), theirs.read_to_string(&mut text));
    assert_eq!(text.trim(), "33 101");
}

#[test]
fn a_browser_that_is_not_there_is_missed_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(OURS);
    executable(folder.path(), "client", "#!/bin/sh\n");
    command.args(["record", "-o", "out.yaml", "--user-agent", "chromium", "--", "client"]);
    let refused = command.current_dir(folder.path()).env_clear().env("PATH", folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&refused.stderr), @"
    error: --user-agent chromium: no Chromium, Chrome, Edge or Brave on your PATH
    hint: install one, for example with `apt-get install chromium`; or else: --user-agent auto goes the way of the redirects itself, --user-agent system uses your own browser
    ");
    assert!(!folder.path().join("out.yaml.part").exists());
}
