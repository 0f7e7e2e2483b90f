//! Nothing dials out in a replay: a client that goes around the proxy is named, the servers see nobody, and in a namespace of
//! its own there is nobody to see.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, talk};
use authtape::cassette::Cassette;
use authtape::demo::{Names, Plan, World};
use authtape::exchange::Trouble;
use authtape::proxy::socket_rows;
use authtape::runner::{Environment, program};
use nix::sys::socket::{Backlog, listen};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A server that takes connections, counts them and never answers. Its thread ends with the process.
struct Silent {
    address: SocketAddr,
    accepted: Arc<AtomicU64>,
}

impl Silent {
    fn listen(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&accepted);
        std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                count.fetch_add(1, Relaxed);
                connections.push(stream);
            }
        });
        Self { address, accepted }
    }

    fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }
}

/// A request through the proxy, so that the run has traffic.
fn proxied() -> String {
    format!("curl -s -o /dev/null {MCP}")
}

/// A request that goes around it and waits two seconds for an answer.
fn around(address: SocketAddr) -> String {
    format!("curl -s --noproxy '*' --max-time 2 http://{address}/")
}

fn shell(tape: &Tape, options: &[&str], script: &str) -> Output {
    tape.replay(options, &["sh", "-c", script])
}

#[test]
fn a_dial_around_the_proxy_fails_the_run_and_is_named() {
    let tape = Tape::record(|_| {}, ECHO);
    for server in [Silent::listen("127.0.0.1:0"), Silent::listen("[::1]:0")] {
        let output = shell(&tape, &["-o", "run.yaml", "--force"], &format!("{}; {}; exit 0", proxied(), around(server.address)));
        assert_eq!(server.accepted(), 1);
        assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
        assert!(talk(&output).contains("upstream connections: 1"), "{}", talk(&output));
        let run = authtape::cassette::Cassette::load(&tape.path("run.yaml")).unwrap().header.replayed.unwrap();
        assert_eq!((run.upstream_connections, run.dialled.len()), (Some(1), 1), "{run:?}");
        let named = talk(&output).lines().any(|line| {
            line.starts_with("error: dialled around the proxy: curl (process ") && line.ends_with(&format!(") to {}", server.address))
        });
        assert!(named, "{}", talk(&output));
    }
}

#[test]
fn an_address_of_the_other_family_and_several_connections_are_told_as_they_are() {
    let tape = Tape::record(|_| {}, ECHO);
    let server = Silent::listen("127.0.0.1:0");
    let mapped = format!("curl -s --noproxy '*' --max-time 2 'http://[::ffff:127.0.0.1]:{}/'", server.address.port());
    let many = format!("curl -s -Z --parallel-max 300 --parallel-immediate --noproxy '*' --max-time 2 'http://{}/[1-299]'", server.address);
    let output = shell(&tape, &[], &format!("{mapped} & {many} & {}; wait", proxied()));
    assert_eq!((output.status.code(), server.accepted()), (Some(1), 300), "{}", talk(&output));
    assert!(talk(&output).contains(&format!("to {}, 300 times", server.address)), "{}", talk(&output));
}

#[test]
fn a_connection_that_is_never_taken_counts() {
    let tape = Tape::record(|_| {}, ECHO);
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    // Whoever comes when as many wait gets no answer at all.
    listen(&full, Backlog::new(0).unwrap()).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
    }
    let output = shell(&tape, &[], &format!("{}; {}; exit 0", proxied(), around(address)));
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains(&format!("to {address}")), "{}", talk(&output));
}

#[test]
fn a_setup_command_that_dials_around_the_proxy_counts_and_so_does_one_that_then_fails() {
    let tape = Tape::record(|_| {}, ECHO);
    let server = Silent::listen("127.0.0.1:0");
    let setup = format!("{}; true", around(server.address));
    let output = tape.replay(&["--setup", &setup], &["sh", "-c", &proxied()]);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    let output = tape.replay(&["--setup", &around(server.address)], &["true"]);
    assert_eq!(output.status.code(), Some(125), "{}", talk(&output));
    assert!(talk(&output).contains(&format!("to {}", server.address)), "{}", talk(&output));
}

#[test]
fn what_stays_within_the_run_is_no_dial_around_the_proxy() {
    let tape = Tape::record(|_| {}, ECHO);
    // A listener on all addresses is dialled for a second by another process; the demonstration has servers and a proxy of its own.
    let python = r#"import http.server, os, threading
server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.system("curl -s -o /dev/null --noproxy '*' --limit-rate 1 --max-time 1 http://[::ffff:127.0.0.1]:%d/big" % server.server_address[1])"#;
    fs::write(tape.path("within.py"), python).unwrap();
    let within = "head -c 9000000 /dev/zero > big; python3 within.py 2> /dev/null; rm big";
    // The tests need Rust alone.
    let within = if program::find(OsStr::new("python3"), &Environment::of_this_process()).is_ok() { within } else { "" };
    let script = format!("{}; {AUTHTAPE} demo -o demo.yaml > demo.txt 2>&1 || exit 9\n{within}", proxied());
    let output = shell(&tape, &[], &script);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(talk(&output).contains("no miss, upstream connections: 0"), "{}", talk(&output));
}

/// Connections to a port that the kernel knows, those of the last minute included.
fn connections_to(port: u16) -> HashSet<(SocketAddr, SocketAddr)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap());
    let rows = tables.iter().flat_map(|table| socket_rows(table)).filter(|row| row.remote.port() != 0);
    rows.map(|row| (row.local, row.remote)).filter(|(local, remote)| local.port() == port || remote.port() == port).collect()
}

#[test]
fn the_servers_of_the_tape_listen_on_and_see_nobody() {
    let plan = Plan { names: Names::Addresses, seed: [7; 32], ..Plan::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(World::start(plan)).unwrap();
    let tape = Tape::of(&world, ECHO);
    let ports = [&world.url, &world.issuer_url].map(|url| url::Url::parse(url).unwrap().port().unwrap());
    let (seen, known) = (world.front.seen().len(), ports.map(connections_to));
    assert!(seen > 5 && known.iter().all(|known| !known.is_empty()));
    let output = tape.replay(&[], &[&[AUTHTAPE, "client", &world.url], ECHO].concat());
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(talk(&output).contains("no miss, upstream connections: 0"), "{}", talk(&output));
    assert_eq!(world.front.seen().len(), seen);
    for (port, known) in ports.into_iter().zip(&known) {
        let new: Vec<_> = connections_to(port).difference(known).copied().collect();
        assert!(new.is_empty(), "{new:?}");
    }
    // What a client does that goes to them.
    let direct = Command::new("curl").args(["-s", "-o", "/dev/null", "--noproxy", "*", &world.url]).status().unwrap();
    assert!(direct.success() && world.front.seen().len() > seen);
    assert!(connections_to(ports[0]).difference(&known[0]).count() > 0);
    runtime.block_on(world.stop());
}

#[test]
fn others_of_the_same_user_are_not_blamed() {
    let tape = Tape::record(|_| {}, ECHO);
    let server = Silent::listen("127.0.0.1:0");
    let address = server.address.to_string();
    let mut other = Command::new("curl").args(["-s", "--noproxy", "*", "--max-time", "20", &format!("http://{address}/")]).spawn().unwrap();
    let output = tape.reference(&[], ECHO);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(talk(&output).contains("upstream connections: 0"), "{}", talk(&output));
}

#[test]
fn bytes_that_are_neither_tls_nor_http_are_refused_and_named() {
    let tape = Tape::record(|_| {}, ECHO);
    // Behind the answer to its CONNECT the client reads the end.
    let script = format!("{}; printf 'SSH-2.0-OpenSSH_9.2\\r\\n' | curl -s -p -x \"$HTTPS_PROXY\" telnet://git.test:22", proxied());
    for options in [&["-o", "run.yaml"][..], &[]] {
        let output = shell(&tape, options, &script);
        assert!(output.stdout.is_empty());
        assert!(talk(&output).contains("git.test:22: neither TLS nor HTTP"), "{}", talk(&output));
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    }
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let events: Vec<_> = run.events.iter().map(|event| (event.trouble, event.host.as_deref())).collect();
    assert_eq!(events, [(Trouble::NotHttp, Some("git.test:22"))]);
}

/// Whether this user may make a network namespace, by another program than ours.
fn may_isolate() -> bool {
    Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|output| output.status.success())
}

#[test]
fn an_isolated_run_completes_and_cannot_reach_a_listener_outside() {
    let tape = Tape::record(|_| {}, ECHO);
    let server = Silent::listen("127.0.0.1:0");
    if !may_isolate() {
        let output = tape.reference(&["--isolate"], ECHO);
        assert_eq!(output.status.code(), Some(125), "{}", talk(&output));
        assert!(talk(&output).contains("--isolate: this system does not let you make a network namespace"), "{}", talk(&output));
        return;
    }
    let output = tape.reference(&["--isolate"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("hi"));
    // 7: failed to connect to host.
    let script = format!("{}; id -u; {}; echo $?", proxied(), around(server.address));
    let output = shell(&tape, &["--isolate"], &script);
    let own = nix_uid();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{own}\n7\n"), "{}", talk(&output));
    assert_eq!((output.status.code(), server.accepted()), (Some(0), 0), "{}", talk(&output));
}

fn nix_uid() -> String {
    String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim().to_owned()
}

/// A replay in a user namespace as a root with no rights but the one that a map of root needs (user_namespaces(7), CAP_SETFCAP),
/// after something that root may do there.
fn without_rights(tape: &Tape, first: &str, client: &[&str]) -> Output {
    let home = tape.path("");
    let replay = [AUTHTAPE, "replay", "tape.yaml", "--isolate", "--"];
    let script = format!("{first} && exec setpriv --bounding-set=-all,+setfcap --inh-caps=-all \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["-r", "sh", "-c", &script, "sh"]).args(replay).args(client);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home).env("TMPDIR", &home).current_dir(&home);
    command.output().unwrap()
}

#[test]
fn who_has_no_rights_is_isolated_too_or_told_that_it_is_not_allowed() {
    let tape = Tape::record(|_| {}, ECHO);
    let refusal = "--isolate: this system does not let you make a network namespace";
    let mut refused = tape.replay(&["--isolate"], &["touch", "started"]);
    if may_isolate() {
        let output = without_rights(&tape, "true", &["sh", "-c", &format!("{}; id -u; readlink /proc/self/ns/net", proxied())]);
        let text = String::from_utf8_lossy(&output.stdout);
        let outside = fs::read_link("/proc/self/ns/net").unwrap();
        assert!(text.starts_with("0\nnet:[") && !text.contains(outside.to_str().unwrap()), "{text} {}", talk(&output));
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        let _ = fs::remove_file(tape.path("started"));
        refused = without_rights(&tape, "echo 0 > /proc/sys/user/max_user_namespaces", &["touch", "started"]);
    }
    assert_eq!(refused.status.code(), Some(125), "{}", talk(&refused));
    assert!(talk(&refused).contains(refusal), "{}", talk(&refused));
    assert!(!tape.path("started").exists());
}
