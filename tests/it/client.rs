//! The harness of the client's tests: the binary in an empty environment with a throwaway home and a browser made of curl,
//! against the model behind HTTP.

use authtape::demo::{Plan, World};
use authtape::model::policy::{IssuerPolicy, ServerPolicy};
use authtape::model::{Decided, GrantType};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How long one run of the client may take before the test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A throwaway home with a browser.
pub struct Home {
    folder: TempDir,
}

/// What a run of the client left.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub talk: String,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().expect("a folder") };
        home.browser("exec curl -sL -o /dev/null \"$1\"");
        home
    }

    /// Replaces the browser by a shell script whose first argument is the URL.
    pub fn browser(&self, script: &str) {
        let path = self.path("browser");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the client keeps.
    pub fn store(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.store_path()).expect("a store")).expect("JSON")
    }

    pub fn store_path(&self) -> PathBuf {
        self.path(".local/share/authtape/client.json")
    }

    /// Changes what the client keeps about the tokens of its only server.
    pub fn change_tokens(&self, change: impl FnOnce(&mut Value)) {
        let mut store = self.store();
        let server = store["servers"].as_object_mut().and_then(|servers| servers.values_mut().next()).expect("a server");
        change(server["tokens"].as_object_mut().and_then(|tokens| tokens.values_mut().next()).expect("tokens"));
        std::fs::write(self.store_path(), store.to_string()).expect("a store");
    }

    pub fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authtape"));
        command.env_clear().env("HOME", self.folder.path()).env("PATH", std::env::var_os("PATH").expect("a PATH"));
        command.env("BROWSER", self.path("browser")).current_dir(self.folder.path());
        command.arg("client").arg(url).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub async fn run(&self, url: &str, arguments: &[&str]) -> Run {
        let output = tokio::time::timeout(DEADLINE, self.command(url, arguments).output())
            .await
            .expect("the client ends in time")
            .expect("the client starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Run { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
    }

    /// Calls the tool `echo`, which must succeed.
    pub async fn echo(&self, url: &str) -> Run {
        let run = self.run(url, &["--tool", "echo", "--arguments", r#"{"text":"hello"}"#]).await;
        assert_eq!((run.code, run.out.lines().last()), (Some(0), Some("hello")), "{run:?}");
        run
    }
}

pub async fn world() -> World {
    world_with(|_| {}, |_| {}).await
}

pub async fn world_with(issuer: impl FnOnce(&mut IssuerPolicy), server: impl FnOnce(&mut ServerPolicy)) -> World {
    let mut plan = Plan { seed: [9; 32], ..Plan::default() };
    issuer(&mut plan.issuer);
    server(&mut plan.server);
    World::start(plan).await.expect("two ports")
}

/// A world in which only the older era is spoken.
pub async fn legacy_world(server: impl FnOnce(&mut ServerPolicy)) -> World {
    let legacy = |policy: &mut ServerPolicy| {
        policy.versions = vec!["2025-11-25".to_owned()];
        server(policy);
    };
    world_with(|_| {}, legacy).await
}

/// How often the model decided so.
pub fn count(world: &World, decided: impl Fn(&Decided) -> bool) -> usize {
    world.front.seen().iter().filter(|seen| seen.decided.as_ref().is_some_and(&decided)).count()
}

pub fn refreshes(world: &World) -> usize {
    count(world, |decided| matches!(decided, Decided::Issued { grant_type: GrantType::Refresh }))
}

pub fn logins(world: &World) -> usize {
    count(world, |decided| matches!(decided, Decided::Authorized))
}

pub fn registrations(world: &World) -> usize {
    count(world, |decided| matches!(decided, Decided::Registered))
}

/// What was asked, in short: method, path, status.
pub fn story(world: &World) -> Vec<String> {
    world.front.seen().iter().map(|seen| format!("{} {} {}", seen.method, seen.path, seen.status)).collect()
}
