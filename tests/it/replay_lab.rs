//! What the tests of replay share: a tape of any client against any plan of the demonstration's servers, and a client made of curl
//! that logs in by hand.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::Cassette;
use authtape::demo::{Front, Names, Plan, World};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

pub const AUTHTAPE: &str = env!("CARGO_BIN_EXE_authtape");
pub const MCP: &str = "http://mcp.demo.localhost/mcp";
pub const AUTH: &str = "http://auth.demo.localhost";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const REDIRECT: &str = "http://127.0.0.1:4711/cb";

/// A tape in a folder that is also the caller's home.
pub struct Tape {
    pub folder: TempDir,
}

/// How a tape comes about.
pub struct Making<'a> {
    /// How the servers behave.
    pub plan: Plan,
    /// What else is changed before the client starts.
    pub prepare: Box<dyn FnOnce(&World) + 'a>,
    /// The client; `$MCP` and `$AUTH` stand in its environment.
    pub client: &'a [&'a str],
}

impl Making<'_> {
    /// The reference client, and servers as they are.
    pub fn of(plan: Plan) -> Self {
        let client = &[AUTHTAPE, "client", MCP, "--list", "--tool", "echo", "--arguments", r#"{"text":"hi"}"#];
        Making { plan: Plan { names: Names::MadeUp, seed: [7; 32], ..plan }, prepare: Box::new(|_| {}), client }
    }
}

impl Tape {
    pub fn record(making: Making<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = runtime.block_on(World::start(making.plan)).unwrap();
        (making.prepare)(&world);
        let tape = Self { folder: tempfile::tempdir().unwrap() };
        let mut command = tape.authtape();
        command.args(["record", "-o", "tape.yaml", "--user-agent", "auto", "--home", "temp"]);
        command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
        let output = command.arg("--").args(making.client).output().unwrap();
        // The front may hold itself in an edit: it is taken out, so that nothing outlives the test.
        world.front.edit(|_, _| {});
        runtime.block_on(world.stop());
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        tape
    }

    pub fn authtape(&self) -> Command {
        let mut command = Command::new(AUTHTAPE);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path()).env("TMPDIR", self.folder.path());
        command.env("MCP", MCP).env("AUTH", AUTH).current_dir(self.folder.path());
        command
    }

    pub fn cassette(&self) -> Cassette {
        Cassette::load(&self.path("tape.yaml")).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A script replayed behind the proxy.
    pub fn script(&self, options: &[&str], script: &str) -> Output {
        let script = format!("{CURL}\n{script}");
        self.authtape().args(["replay", "tape.yaml"]).args(options).args(["--", "sh", "-c", &script]).output().unwrap()
    }
}

pub fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Where the model is locked for changes while the front serves.
pub fn front(world: &World) -> Arc<Front> {
    Arc::clone(&world.front)
}

/// Functions of a client that logs in by hand.
pub const CURL: &str = r#"
set -eu
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
json() { curl -s -H 'content-type: application/json' "$@"; }
register() { json -d '{"client_name":"curl","redirect_uris":["http://127.0.0.1:4711/cb"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"}' "$AUTH/register" | member client_id; }
code() { curl -s -o /dev/null -w '%{redirect_url}' -G "$AUTH/authorize" -d response_type=code -d client_id="$1" -d redirect_uri=http://127.0.0.1:4711/cb -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM -d code_challenge_method=S256 -d state=live -d nonce="${NONCE:-}" -d resource="$MCP" | sed 's/.*[?&]code=\([^&]*\).*/\1/'; }
redeem() { curl -s -d grant_type=authorization_code -d client_id="$1" -d code="$2" -d code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk -d redirect_uri=http://127.0.0.1:4711/cb -d resource="$MCP" "$AUTH/token"; }
refresh() { curl -s -d grant_type=refresh_token -d client_id="$1" -d refresh_token="$2" "$AUTH/token"; }
rpc() { token="$1"; body="$2"; shift 2; json -H 'accept: application/json, text/event-stream' -H "authorization: Bearer $token" -d "$body" "$@" "$MCP"; }
"#;
