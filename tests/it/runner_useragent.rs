//! Openers called by real programs, and the walk of `auto` against a small authorization server.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::runner_process::{DEADLINE, environment, executable, on_a_terminal};
use authtape::exchange::{Actor, Captured, RawExchange, RawOutcome};
use authtape::runner::{Environment, Launch, OwnTerminal, Screen, Variables, program};
use authtape::useragent::{Agent, CallbackSink, Delivered, Display, Mark, Opened, Shim, Target, Visit, VisitEnd, WalkEnd, Walker, Which};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const OURS: &str = env!("CARGO_BIN_EXE_authtape");

struct Openers {
    _folder: TempDir,
    shim: Shim,
    environment: Environment,
}

fn openers(caller: &Environment, display: Display) -> Openers {
    let folder = tempfile::tempdir().unwrap();
    let shim = Shim::install(folder.path(), Path::new(OURS), 3).unwrap();
    let variables: Variables = shim.variables(|name| caller.value(name), display).into_iter().collect();
    Openers { environment: caller.clone().with(&variables), _folder: folder, shim }
}

fn shell(script: &str, environment: &Environment) -> Launch {
    Launch::shell(script, environment.clone(), Screen::Own(OwnTerminal::new(tokio::io::sink())))
}

async fn opened_by(script: &str) -> Opened {
    let mut openers = openers(&environment("open"), Display::AsItIs);
    let (ended, text) = on_a_terminal(shell(script, &openers.environment), None).await;
    assert_eq!((ended.exit_code(), text.as_str()), (0, ""), "{script}");
    timeout(DEADLINE, openers.shim.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn every_way_of_opening_a_url_leads_to_the_run() {
    let url = "https://as.test/authorize?response_type=code&client_id=c&state=a%20b";
    for (opener, script) in [
        ("xdg-open", format!("xdg-open '{url}'")),
        ("open", format!("open '{url}' &\nwait")),
        ("authtape-browser", format!("\"$BROWSER\" '{url}'")),
        ("firefox", format!("env -i \"$(command -v firefox)\" --new-window '{url}'")),
        ("authtape-browser", format!("python3 -m webbrowser '{url}' > /dev/null")),
    ] {
        // The tests need Rust alone.
        if script.starts_with("python3") && program::find(OsStr::new("python3"), &environment("python")).is_err() {
            continue;
        }
        let opened = opened_by(&script).await;
        assert_eq!((opened.session, opened.opener.as_str(), opened.url.as_str()), (3, opener, url), "{script}");
        assert!(matches!(opened.target, Target::Authorization(_)));
    }
}

#[tokio::test]
async fn a_url_cut_by_a_shell_is_seen_to_be_cut() {
    let opened = opened_by("eval 'xdg-open https://as.test/authorize?response_type=code&client_id=c' > /dev/null; wait").await;
    assert_eq!(opened.target, Target::Cut("no client_id"));
    let opened = opened_by("xdg-open \"https://as.test/authorize?client_id=$(head -c 40000 /dev/zero | tr '\\0' x)\"").await;
    assert_eq!((opened.url.len(), opened.target), (32 << 10, Target::Cut("longer than 32 KiB")));
}

#[tokio::test]
async fn what_is_no_url_runs_the_program_that_was_hidden() {
    let folder = tempfile::tempdir().unwrap();
    executable(folder.path(), "xdg-open", "#!/bin/sh\necho \"original $1 $(command -v xdg-open)\"\n");
    let mut path = OsString::from(folder.path());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let caller: Environment = [("PATH", path)].into_iter().collect();
    let openers = openers(&caller, Display::AsItIs);
    let (ended, text) = on_a_terminal(shell("xdg-open README.md; gnome-open x", &openers.environment), None).await;
    let original = folder.path().join("xdg-open");
    let expected = format!("original README.md {}\r\nerror: gnome-open: command not found\r\n", original.display());
    assert_eq!((ended.exit_code(), text), (127, expected));
}

#[tokio::test]
async fn a_display_is_pretended_only_where_there_is_none() {
    let without = openers(&Environment::default(), Display::Pretended);
    assert_eq!(without.environment.text("DISPLAY"), Some(":authtape"));
    let caller: Environment = [("DISPLAY", ":0")].into_iter().collect();
    let with = openers(&caller, Display::Pretended);
    assert_eq!(with.environment.text("DISPLAY"), Some(":0"));
    assert_eq!(openers(&Environment::default(), Display::AsItIs).environment.text("DISPLAY"), None);
    let script = "test -z \"$(xdg-mime query default x-scheme-handler/https)\"";
    let openers = openers(&environment("mime"), Display::Pretended);
    assert_eq!(on_a_terminal(shell(script, &openers.environment), None).await.0.exit_code(), 0);
}

#[tokio::test]
async fn without_the_run_an_opener_fails() {
    let Openers { _folder, shim, environment } = openers(&environment("gone"), Display::AsItIs);
    drop(shim);
    let (ended, text) = on_a_terminal(shell("xdg-open https://as.test/", &environment), None).await;
    assert_eq!(ended.exit_code(), 4);
    assert!(text.contains("failed to hand the URL to authtape"), "{text}");
}

fn query(uri: &Uri) -> HashMap<String, String> {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Serves as proxy and as the authorization server `http://as.test` behind it: `/authorize` needs the cookie that its first
/// redirect sets.
async fn authorize(uri: Uri, headers: HeaderMap) -> Response {
    let query = query(&uri);
    // `u3:secret`
    if headers.get("proxy-authorization").is_none_or(|value| value != "Basic dTM6c2VjcmV0") {
        return StatusCode::PROXY_AUTHENTICATION_REQUIRED.into_response();
    }
    match query.get("state").map(String::as_str) {
        Some("page") => return Html("log in").into_response(),
        Some("dead") => return (StatusCode::BAD_REQUEST, "no").into_response(),
        Some("circle") => return Redirect::to("/authorize?state=circle").into_response(),
        Some("app") => return Redirect::to("cursor://anysphere/callback?code=1").into_response(),
        _ => {}
    }
    let callback = format!("{}?code=c0de&state={}", query["redirect_uri"], query["state"]);
    match headers.get(header::COOKIE) {
        Some(cookie) if cookie == "sid=1" => Redirect::to(&callback).into_response(),
        _ => {
            let again = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
            ([(header::SET_COOKIE, "sid=1; Path=/")], Redirect::to(&format!("/authorize?{again}"))).into_response()
        }
    }
}

async fn serve(router: Router, address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Login {
    visits: mpsc::UnboundedReceiver<Visit>,
    exchanges: mpsc::UnboundedReceiver<RawExchange>,
    /// The ports that were about to be dialled.
    begun: mpsc::UnboundedReceiver<u16>,
    environment: Environment,
    leaving: CancellationToken,
    attending: JoinHandle<()>,
    _folder: TempDir,
}

async fn login(which: Which) -> Login {
    let proxy = serve(Router::new().route("/authorize", get(authorize)), "127.0.0.1:0").await;
    let key = rcgen::KeyPair::generate().unwrap();
    let root = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
    let walker = Walker::new(&format!("http://u3:secret@{proxy}"), &root).unwrap();
    let (report, exchanges) = mpsc::unbounded_channel();
    let (beginning, begun) = mpsc::unbounded_channel();
    let sink = CallbackSink {
        begin: Box::new(move |port| {
            beginning.send(port).unwrap();
            Mark { number: 7, connection: 5, at: Duration::from_millis(9) }
        }),
        report: Box::new(move |captured| {
            let Captured::Exchange(exchange) = captured else { panic!("an exchange") };
            report.send(*exchange).unwrap();
        }),
    };
    let agent = Agent::new(authtape::useragent::Means::Auto { walker, sink: Arc::new(sink), plan: None }, which);
    let Openers { _folder, shim, environment } = openers(&environment("login"), Display::Pretended);
    let (sender, visits) = mpsc::unbounded_channel();
    let leaving = CancellationToken::new();
    let attending = tokio::spawn(agent.attend(shim, sender, leaving.clone()));
    Login { visits, exchanges, begun, environment, leaving, attending, _folder }
}

impl Login {
    async fn open(&self, redirect_uri: &str, state: &str) {
        let mut url = url::Url::parse("http://as.test/authorize?response_type=code&client_id=c").unwrap();
        url.query_pairs_mut().append_pair("redirect_uri", redirect_uri).append_pair("state", state);
        let ended = shell(&format!("xdg-open '{url}'"), &self.environment).start().unwrap().finish().await;
        assert_eq!(ended.exit_code(), 0);
    }

    async fn end(&mut self) -> VisitEnd {
        timeout(DEADLINE, self.visits.recv()).await.unwrap().unwrap().end
    }
}

#[tokio::test]
async fn auto_follows_redirects_and_delivers_the_callback_to_either_loopback_address() {
    let mut login = login(Which::All).await;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let callback = get(|uri: Uri| async move { format!("{} {}", query(&uri)["code"], query(&uri)["state"]) });
        let client = serve(Router::new().route("/cb", callback), address).await;
        login.open(&format!("http://localhost:{}/cb", client.port()), "live").await;
        assert_eq!(login.end().await, VisitEnd::Delivered(Delivered::Answered(200)));
        let exchange = timeout(DEADLINE, login.exchanges.recv()).await.unwrap().unwrap();
        assert_eq!((exchange.number, exchange.session, exchange.actor), (7, 3, Actor::UserAgent));
        assert_eq!(exchange.request.url, format!("http://localhost:{}/cb?code=c0de&state=live", client.port()));
        assert_eq!(exchange.request.headers.first("host"), Some(format!("localhost:{}", client.port()).as_str()));
        let RawOutcome::Response(response) = exchange.outcome else { panic!("a response") };
        assert_eq!((response.status, response.body.bytes.len()), (200, 0));
    }
}

#[tokio::test]
async fn a_callback_under_way_when_the_client_ends_is_still_reported() {
    let mut login = login(Which::All).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    login.open(&format!("http://{}/cb", listener.local_addr().unwrap()), "live").await;
    let (mut client, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    login.leaving.cancel();
    client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(login.end().await, VisitEnd::Delivered(Delivered::Answered(200)));
    assert_eq!(timeout(DEADLINE, login.exchanges.recv()).await.unwrap().unwrap().number, 7);
}

#[tokio::test]
async fn nobody_waits_for_a_client_that_is_gone() {
    for listens in [true, false] {
        let mut login = login(Which::All).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // A client that takes the connection and never answers, and one that is not there.
        let _silent = listens.then_some(listener);
        login.open(&format!("http://{address}/cb"), "live").await;
        assert_eq!(timeout(DEADLINE, login.begun.recv()).await.unwrap(), Some(address.port()));
        login.leaving.cancel();
        assert!(timeout(DEADLINE, login.attending).await.is_ok());
        let end = login.visits.recv().await.map(|visit| visit.end);
        assert_eq!(matches!(end, Some(VisitEnd::Delivered(Delivered::Refused(_)))), !listens, "{end:?}");
    }
}

#[tokio::test]
async fn auto_says_where_it_stopped() {
    let mut login = login(Which::All).await;
    let place = || "http://as.test/authorize".to_owned();
    for (state, end) in [
        ("page", WalkEnd::Page(place(), 200)),
        ("dead", WalkEnd::Dead(place(), 400)),
        ("circle", WalkEnd::TooManyRedirects),
        ("app", WalkEnd::Elsewhere("cursor://anysphere/callback?code=1".parse().unwrap())),
    ] {
        login.open("http://localhost:1/cb", state).await;
        assert_eq!(login.end().await, VisitEnd::Stranded(end));
    }
    login.open("http://127.0.0.1:1/cb", "nobody").await;
    assert!(matches!(login.end().await, VisitEnd::Delivered(Delivered::Refused(_))));
    let exchange = timeout(DEADLINE, login.exchanges.recv()).await.unwrap().unwrap();
    assert!(matches!(exchange.outcome, RawOutcome::Failed(_)));
}

#[tokio::test]
async fn of_several_urls_the_chosen_one_is_completed() {
    let url = |state: &str| format!("'http://as.test/authorize?response_type=code&client_id=c&state={state}'");
    for (which, chosen) in [(Which::First, "circle"), (Which::Last, "page")] {
        let mut login = login(which).await;
        let script = format!("xdg-open {}; xdg-open {}", url("circle"), url("page"));
        assert_eq!(shell(&script, &login.environment).start().unwrap().finish().await.exit_code(), 0);
        for _ in 0..2 {
            let Visit { opened, end } = timeout(DEADLINE, login.visits.recv()).await.unwrap().unwrap();
            let is_completed = matches!(end, VisitEnd::Stranded(_));
            assert_eq!(is_completed, opened.url.ends_with(chosen), "{which:?} {end:?}");
        }
    }
}

#[tokio::test]
async fn the_person_s_browser_gets_the_person_s_environment() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let browser = executable(folder.path(), "browser", &format!("#!/bin/sh\necho \"$1 ${{HTTPS_PROXY-none}}\" > {}\n", seen.display()));
    let caller: Environment = [("PATH", std::env::var_os("PATH").unwrap()), ("BROWSER", OsString::from(&browser))].into_iter().collect();
    let original = caller.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Openers { _folder, shim, environment } = openers(&caller, Display::AsItIs);
    let (sender, mut visits) = mpsc::unbounded_channel();
    let agent = Agent::new(authtape::useragent::Means::System { caller: Arc::new(original) }, Which::All);
    tokio::spawn(agent.attend(shim, sender, CancellationToken::new()));
    let proxied: Variables = [("HTTPS_PROXY", "http://p")].into_iter().collect();
    shell("$BROWSER https://as.test/x", &environment.with(&proxied)).start().unwrap().finish().await;
    assert_eq!(timeout(DEADLINE, visits.recv()).await.unwrap().unwrap().end, VisitEnd::Shown(browser));
    assert_eq!(crate::runner_process::content_of(&seen).await, "https://as.test/x none\n");
}
