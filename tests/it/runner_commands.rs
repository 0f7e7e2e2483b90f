//! `authtape env` and `authtape ca` as a person runs them, and clients behind a real proxy with the variables they are given.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::runner_process::{environment, on_a_terminal};
use authtape::exchange::Actor;
use authtape::proxy::{Admission, Answer, Captures, Credential, Deadlines, Options, Peer, Root, capture, serve};
use authtape::runner::{Bundles, Environment, Launch, NoProxy, OwnTerminal, Screen, ServingState, interception, program};
use authtape::upstream::{ConnectTo, Upstream, UpstreamOptions};
use authtape::useragent::{Opened, Target, WalkEnd, Walker};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn authtape(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authtape"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("XDG_RUNTIME_DIR", folder);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn ca_makes_a_root_once() {
    let folder = tempfile::tempdir().unwrap();
    let made = authtape(&["ca"], folder.path());
    assert_eq!((made.status.code(), text(&made.stdout)), (Some(0), "certs/authtape-ca.pem\n"));
    let key = fs::metadata(folder.path().join("certs/authtape-ca.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let again = authtape(&["ca"], folder.path());
    assert_eq!(again.status.code(), Some(2));
    insta::assert_snapshot!(text(&again.stderr), @"
    error: certs/authtape-ca.key exists
    hint: --force replaces it; what trusts the old one has to trust the new one then
    ");
    assert_eq!(authtape(&["ca", "--force"], folder.path()).status.code(), Some(0));
}

#[test]
fn env_without_a_serving_process_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refused = authtape(&["env", "--from", "state.json"], folder.path());
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(4), ""));
    insta::assert_snapshot!(text(&refused.stderr), @"
    error: nothing is serving: state.json does not exist
    hint: start `authtape record -o FILE` or `authtape replay FILE` without a command, then ask again
    ");
}

#[test]
fn env_gives_a_shell_what_a_wrapped_client_gets() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    fs::write(&root, Root::for_run().unwrap().certificate_pem()).unwrap();
    let openers = Some(folder.path().join("bin-1"));
    let state = ServingState { proxy: "http://s1:x@127.0.0.1:1".into(), root: root.clone(), openers, home: None, pid: std::process::id() };
    state.write(&ServingState::default_path(&[("XDG_RUNTIME_DIR", folder.path())].into_iter().collect())).unwrap();
    let printed = authtape(&["env"], folder.path());
    assert_eq!((printed.status.code(), text(&printed.stderr)), (Some(0), ""));
    let script = format!("{}\necho \"$https_proxy|$NO_PROXY|$BROWSER|$PATH\"; cat \"$SSL_CERT_FILE\"", text(&printed.stdout));
    let shown = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    let (line, bundle) = text(&shown.stdout).split_once('\n').unwrap();
    let bin = folder.path().join("bin-1");
    assert_eq!(line, format!("http://s1:x@127.0.0.1:1||{0}/authtape-browser|{0}:/usr/bin:/bin", bin.display()));
    assert!(bundle.contains(fs::read_to_string(root).unwrap().trim()));
    let json = authtape(&["env", "--shell", "json"], folder.path());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["HTTPS_PROXY"], &json["SSL_CERT_DIR"]), (&"http://s1:x@127.0.0.1:1".into(), &serde_json::Value::Null));
}

/// A real proxy; the servers behind it refuse connections, so what a client gets is our own 502, within our own TLS.
struct Lab {
    folder: tempfile::TempDir,
    root: Arc<Root>,
    credential: Credential,
    proxy: authtape::proxy::Running,
    _captures: Captures,
    _shutdown: CancellationToken,
}

async fn lab() -> Lab {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let rules = [format!("mcp.test:443={closed}"), format!("mcp.test:80={closed}")];
    let connect_to = ConnectTo::parse(rules.iter().map(String::as_str)).unwrap();
    let upstream = Upstream::new(UpstreamOptions { connect_to, ..UpstreamOptions::default() });
    let (sink, captures) = capture();
    let (root, credential) = (Arc::new(Root::for_run().unwrap()), Credential::generate().unwrap());
    let options = Options {
        root: Arc::clone(&root),
        answer: Answer::Upstream(Box::new(upstream)),
        sink,
        credential: credential.clone(),
        admission: Admission::CredentialOnly,
        started: Instant::now(),
        deadlines: Deadlines::default(),
    };
    let shutdown = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = serve(listener, options, &shutdown).unwrap();
    Lab { folder: tempfile::tempdir().unwrap(), root, credential, proxy, _captures: captures, _shutdown: shutdown }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_find_the_proxy_and_trust_it_by_their_variables() {
    let lab = lab().await;
    let caller = environment("variables");
    let proxy = lab.credential.proxy_url(lab.proxy.address(), Peer::client(1));
    let bundles = Bundles::write(lab.folder.path(), lab.root.certificate_pem(), &caller).unwrap();
    let user: Environment = caller.iter().chain([(OsStr::new("NO_PROXY"), OsStr::new("*"))]).collect();
    let client = user.with(&interception::variables(&proxy, &bundles, NoProxy::Emptied));
    let python = "import urllib.request as u, urllib.error as e, sys\ntry: u.urlopen(sys.argv[1])\nexcept e.HTTPError as x: print(x.code)";
    for scheme in ["https", "http"] {
        for (name, script) in [
            ("curl", format!("curl -s -o /dev/null -w '%{{http_code}}\\n' {scheme}://mcp.test/")),
            ("python3", format!("python3 -c '{python}' {scheme}://mcp.test/")),
            ("wget", format!("wget -S -O /dev/null {scheme}://mcp.test/ 2>&1 | grep -m1 -o ' 502 ' | tr -d ' '")),
        ] {
            // The tests need Rust alone: a client that is not here is not asked. wget reads no variable for certificates.
            if program::find(OsStr::new(name), &caller).is_err() || (name, scheme) == ("wget", "https") {
                continue;
            }
            let launch = Launch::shell(&script, client.clone(), Screen::Own(OwnTerminal::new(tokio::io::sink())));
            let (_, printed) = on_a_terminal(launch, None).await;
            assert_eq!(printed, "502\r\n", "{name} {scheme}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_walks_through_the_real_proxy() {
    let lab = lab().await;
    let proxy = lab.credential.proxy_url(lab.proxy.address(), Peer { session: 1, actor: Actor::UserAgent });
    let walker = Walker::new(&proxy, lab.root.certificate_pem()).unwrap();
    let opened = Opened::new(1, "open", "https://mcp.test/authorize?response_type=code&client_id=c");
    let Target::Authorization(request) = opened.target else { panic!("an authorization request") };
    assert_eq!(walker.walk(&request).await, WalkEnd::Dead("https://mcp.test/authorize".into(), 502));
}
