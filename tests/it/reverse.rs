//! `--reverse` around a reference client that ignores proxies: recorded and replayed at plain loopback URLs, in both eras, and with
//! the same tapes as through the proxy.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::Cassette;
use authtape::demo::{Names, Plan, World};
use authtape::protocol::{Endpoint, Kind};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const AUTHTAPE: &str = env!("CARGO_BIN_EXE_authtape");
const MCP: &str = "http://mcp.demo.localhost";
const AUTH: &str = "http://auth.demo.localhost";
/// Programs that know nothing of proxies: their environment names none.
const NO_PROXY: &str = "unset HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy; ";

/// A folder with a port for the MCP server.
struct Bench {
    folder: TempDir,
    port: u16,
}

impl Bench {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder: tempfile::tempdir().unwrap(), port }
    }

    fn reverse(&self) -> String {
        format!("{MCP}=127.0.0.1:{}", self.port)
    }

    /// The reference client, an echo and, with a token that it takes for expired, another one after a refresh.
    fn script(&self, host: &str) -> String {
        let echo =
            format!(r#"{AUTHTAPE} client http://{host}:{}/mcp --store s.json --list --tool echo --arguments '{{"text":"hi"}}'"#, self.port);
        let expire = r#"sed -i 's/"expires_at": *[0-9]*/"expires_at": 1/' s.json"#;
        format!("{NO_PROXY}rm -f s.json; {echo} && {expire} && {echo}")
    }

    fn authtape(&self, arguments: &[&str]) -> Output {
        let folder = self.folder.path();
        let mut command = Command::new(AUTHTAPE);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder).env("TMPDIR", folder).current_dir(folder);
        command.args(arguments).output().unwrap()
    }

    /// Records a shell script with the servers up.
    fn record(&self, plan: Plan, options: &[&str], script: &str) -> Output {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = runtime.block_on(World::start(plan)).unwrap();
        let rules: Vec<&str> = world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]).collect();
        let fixed = ["record", "-o", "tape.yaml", "--user-agent", "auto", "--home", "temp"];
        let output = self.authtape(&[&fixed[..], &rules, options, &["--", "sh", "-c", script]].concat());
        runtime.block_on(world.stop());
        output
    }

    fn replay(&self, options: &[&str], script: &str) -> Output {
        self.authtape(&[&["replay", "tape.yaml"], options, &["--", "sh", "-c", script]].concat())
    }

    fn kinds(&self, name: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = cassette(&self.folder.path().join(name)).interactions.iter().map(|own| own.kind).collect();
        kinds.sort_unstable();
        kinds
    }
}

fn cassette(path: &Path) -> Cassette {
    Cassette::load(path).unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeded(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", talk(output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("hi"), "{}", talk(output));
}

/// The local URL that stands for an origin, as the screen says.
fn local_url(talk: &str, origin: &str) -> String {
    let line = talk.lines().find(|line| line.starts_with("reverse: ") && line.contains(&format!("stands for {origin}"))).unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

fn modern() -> Plan {
    Plan { names: Names::MadeUp, seed: [7; 32], ..Plan::default() }
}

fn legacy() -> Plan {
    let mut plan = modern();
    plan.server.versions = vec!["2025-11-25".to_owned()];
    plan
}

#[test]
fn a_client_that_ignores_proxies_is_recorded_and_replayed() {
    for plan in [modern(), legacy()] {
        let bench = Bench::new();
        let (reverse, script) = (bench.reverse(), bench.script("127.0.0.1"));
        let recorded = bench.record(plan, &["--reverse", &reverse], &script);
        succeeded(&recorded);
        let auth = local_url(&talk(&recorded), AUTH);
        let text = fs::read_to_string(bench.folder.path().join("tape.yaml")).unwrap();
        for local in [format!("127.0.0.1:{}", bench.port), auth.replace("http://", "")] {
            assert!(!text.contains(&local) && !text.contains(&local.replace(':', "%3A")), "{local}");
        }
        let tape = cassette(&bench.folder.path().join("tape.yaml"));
        for own in tape.interactions.iter().filter(|own| own.kind != Kind::Callback) {
            let url = Endpoint::parse(&own.exchange.request.url).unwrap();
            assert!([MCP, AUTH].contains(&url.origin()), "{url}");
        }
        let has = |kind: Kind| tape.interactions.iter().any(|own| own.kind == kind);
        assert!(has(Kind::Authorize) && has(Kind::Callback) && has(Kind::TokenCode) && has(Kind::TokenRefresh));
        assert!(text.contains("iss=http%3A%2F%2Fauth.demo.localhost") || text.contains("iss: http://auth.demo.localhost"), "{text}");
        for name in ["first.yaml", "second.yaml"] {
            let replayed = bench.replay(&["--reverse", &reverse, "-o", name], &script);
            succeeded(&replayed);
            assert!(talk(&replayed).contains(&format!("reverse: http://127.0.0.1:{}/mcp stands for {MCP}/mcp", bench.port)));
            assert_eq!(bench.kinds(name), bench.kinds("tape.yaml"));
        }
        // The same tape through the proxy.
        let proxied = format!("rm -f s.json; {AUTHTAPE} client {MCP}/mcp --store s.json --tool echo --arguments '{{\"text\":\"hi\"}}'");
        succeeded(&bench.replay(&[], &proxied));
    }
}

#[test]
fn a_tape_of_the_proxy_is_replayed_to_a_client_that_ignores_it() {
    for plan in [modern(), legacy()] {
        let bench = Bench::new();
        let echo = format!("{AUTHTAPE} client {MCP}/mcp --store s.json --list --tool echo --arguments '{{\"text\":\"hi\"}}'");
        succeeded(&bench.record(plan, &[], &echo));
        let auth_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (reverse, auth) = (bench.reverse(), format!("{AUTH}=127.0.0.1:{auth_port}"));
        let replayed = bench.replay(&["--reverse", &reverse, "--reverse", &auth], &bench.script("localhost"));
        succeeded(&replayed);
        assert!(!talk(&replayed).contains("metadata names it"), "{}", talk(&replayed));
    }
}

#[test]
fn the_person_s_own_browser_is_shown_the_real_page_and_the_limit_is_named() {
    let bench = Bench::new();
    let mut plan = modern();
    plan.issuer.send_iss = true;
    // Nobody is at home, so the login ends there.
    let browser = bench.folder.path().join("shown");
    let script = format!("{NO_PROXY}{AUTHTAPE} client http://127.0.0.1:{}/mcp --timeout 2", bench.port);
    let program = bench.folder.path().join("browser");
    fs::write(&program, format!("#!/bin/sh\nprintf %s \"$1\" > {}\n", browser.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(World::start(plan)).unwrap();
    let mut command = Command::new(AUTHTAPE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", bench.folder.path()).env("BROWSER", &program);
    command.current_dir(bench.folder.path()).args(["record", "-o", "tape.yaml", "--home", "temp", "--reverse", &bench.reverse()]);
    command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
    let output = command.args(["--", "sh", "-c", &script]).output().unwrap();
    runtime.block_on(world.stop());
    let shown = fs::read_to_string(browser).unwrap();
    assert!(shown.starts_with(&format!("{AUTH}/authorize?")), "{shown}");
    assert!(shown.contains("resource=http%3A%2F%2Fmcp.demo.localhost%2Fmcp"), "{shown}");
    assert!(talk(&output).contains("use --user-agent auto or chromium with --reverse"), "{}", talk(&output));
}

#[test]
fn setup_commands_are_sessions_of_their_own() {
    let bench = Bench::new();
    let (reverse, script) = (bench.reverse(), bench.script("127.0.0.1"));
    let again = format!(
        r#"{NO_PROXY}{AUTHTAPE} client http://127.0.0.1:{}/mcp --store s.json --tool echo --arguments '{{"text":"hi"}}'"#,
        bench.port
    );
    succeeded(&bench.record(modern(), &["--reverse", &reverse, "--setup", &script], &again));
    let tape = cassette(&bench.folder.path().join("tape.yaml"));
    let of = |session: u32| tape.interactions.iter().filter(move |own| own.exchange.session == session).map(|own| own.kind);
    assert!(of(1).any(|kind| kind == Kind::TokenCode));
    assert!(of(2).count() > 0 && of(2).all(|kind| kind.is_mcp()));
}

#[test]
fn without_a_command_it_is_served_and_said() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(World::start(modern())).unwrap();
    let mut command = Command::new(AUTHTAPE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", bench.folder.path()).env("TMPDIR", bench.folder.path());
    command.current_dir(bench.folder.path()).args(["record", "-o", "tape.yaml", "--reverse", &format!("{MCP}/mcp=127.0.0.1:0")]);
    command.args(world.connect_to.iter().flat_map(|rule| ["--connect-to", rule]));
    let mut serving = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(serving.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut local_url = |origin: &str| local_url(&lines.find(|line| line.contains(&format!("stands for {origin}"))).unwrap(), origin);
    let url = local_url(MCP);
    assert!(url.ends_with("/mcp"), "{url}");
    let get = |url: &str| {
        let output = Command::new("curl").env_clear().args(["-s", "--max-time", "20", url]).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let metadata = get(&url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp"));
    let auth = local_url(AUTH);
    assert_eq!((metadata["resource"].as_str(), metadata["authorization_servers"][0].as_str()), (Some(url.as_str()), Some(auth.as_str())));
    let metadata = get(&format!("{auth}/.well-known/oauth-authorization-server"));
    assert_eq!(
        (metadata["issuer"].as_str(), metadata["token_endpoint"].as_str()),
        (Some(auth.as_str()), Some(format!("{auth}/token").as_str()))
    );
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(serving.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
    lines.for_each(drop);
    assert_eq!(serving.wait().unwrap().code(), Some(0));
    runtime.block_on(world.stop());
    assert_eq!(bench.kinds("tape.yaml"), [Kind::Prm, Kind::AsMetadata]);
}

#[test]
fn a_listener_is_for_this_machine_for_one_origin_and_for_what_the_tape_holds() {
    let bench = Bench::new();
    succeeded(&bench.record(modern(), &[], &format!("{AUTHTAPE} client {MCP}/mcp --tool echo --arguments '{{\"text\":\"hi\"}}'")));
    let (reverse, taken) = (bench.reverse(), TcpListener::bind("127.0.0.1:0").unwrap());
    let taken = format!("{AUTH}={}", taken.local_addr().unwrap());
    for (options, said) in [
        (vec!["http://mcp.demo.localhost=0.0.0.0:7300"], "not a loopback address"),
        (vec!["http://mcp.demo.localhost"], "expected URL=ADDR:PORT"),
        (vec![reverse.as_str(), reverse.as_str()], "is given twice"),
        (vec!["https://other.test=127.0.0.1:0"], "the cassette holds nothing of it"),
        (vec![taken.as_str()], "is taken"),
    ] {
        let options: Vec<&str> = options.iter().flat_map(|given| ["--reverse", given]).collect();
        let output = bench.replay(&options, "touch started");
        assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
        assert!(talk(&output).contains(said), "{}", talk(&output));
    }
    assert!(!bench.folder.path().join("started").exists());
}
