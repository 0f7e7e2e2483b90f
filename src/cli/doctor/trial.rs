//! The self-test: the real proxy, which answers by itself, and small children with exactly the environment of a recording.
//! Whether a request came is read from what the proxy captured, not from what the child says.

use crate::cli::session::{Given, Lab};
use crate::cli::{CliError, Exit};
use crate::exchange::{Captured, Trouble};
use crate::proxy::{Answer, Body, Captures, Connection, Local, NoAnswer, Peer, Received};
use crate::runner::doctor::{Client, Finding, NOT_INSTALLED, Probe, Runtime, Severity, Version, claude_configuration, probes};
use crate::runner::{Ended, Environment, Home, Launch, OwnTerminal, Screen};
use crate::upstream::RequestBody;
use crate::useragent::Display;
use futures_util::future::{BoxFuture, ready};
use http::{Method, Request, Response, StatusCode};
use std::ffi::OsString;
use std::fmt::Display as Shown;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A name that no server has (RFC 6761 §6.2).
const HOST: &str = "selftest.authtape.test";
/// How long a child may take; a client may have to unpack itself first.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of what a child prints is read.
const PRINTED: u64 = 64 << 10;

/// What became of one request of a child.
pub(super) struct Outcome {
    /// The child.
    pub name: &'static str,
    /// What it asked for.
    pub url: String,
    /// Whether that came.
    pub way: Way,
}

/// The way that a request took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the proxy, and the certificate was accepted where there was one.
    Proxied,
    /// To the proxy, whose certificate was refused.
    CertificateRefused,
    /// To the server, around the proxy.
    Direct,
    /// It was not seen anywhere.
    NotSeen,
}

impl Way {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxied => "proxied",
            Self::CertificateRefused => "certificate-refused",
            Self::Direct => "direct",
            Self::NotSeen => "not-seen",
        }
    }
}

impl Outcome {
    /// What follows from it; nothing where all is well.
    pub fn finding(&self) -> Option<Finding> {
        let Self { name, url, way } = self;
        let is_local = url.starts_with("http://");
        Some(match way {
            Way::Proxied => return None,
            Way::CertificateRefused => {
                Finding::new("certificate-refused", Severity::Error, format!("{name} came to the proxy and refused its certificate"))
                    .advice("look for an option that names a certificate authority, or for one that pins certificates")
            }
            Way::Direct => Finding::new("around-the-proxy", Severity::Warning, format!("{name} went to {url} around the proxy")).advice(
                "a server on this machine needs another name: --connect-to mcp.test:80=127.0.0.1:3000, and http://mcp.test/ in the client",
            ),
            Way::NotSeen => {
                let severity = if is_local { Severity::Warning } else { Severity::Error };
                Finding::new("not-proxied", severity, format!("{name} did not send its request for {url} to the proxy"))
            }
        })
    }
}

/// Asks a runtime for its version. A program that does not answer has none.
pub(super) async fn version(client: &Client, caller: &Environment) -> Option<Version> {
    let asks =
        matches!(client.runtime, Runtime::ClaudeCode | Runtime::Node | Runtime::Bun | Runtime::Deno | Runtime::Python | Runtime::Curl);
    let program = client.interpreter.clone().filter(|_| asks)?;
    let home = Home::temp().ok()?;
    let environment = bare(caller).with(&home.variables());
    let program = probes(client, &[]).first().map_or(program, |probe| probe.program.clone());
    let (ended, printed) = start(program, vec!["--version".into()], caller, environment).await?;
    if ended == Ended::Exited(0) { Version::parse(&printed) } else { None }
}

/// Runs the children that stand for a client.
///
/// # Errors
/// The proxy cannot be started.
pub(super) async fn run(client: &Client, caller: &Environment) -> Result<Vec<Outcome>, CliError> {
    let mut outcomes = Vec::new();
    let count = probes(client, &[]).len();
    for index in 0..count {
        outcomes.extend(trial(client, index, caller).await?);
    }
    Ok(outcomes)
}

/// One child behind a proxy of its own, with a port of its own that nobody but a proxy should be asked for.
async fn trial(client: &Client, index: usize, caller: &Environment) -> Result<Vec<Outcome>, CliError> {
    let port = Port::open().await.map_err(|error| own(&error))?;
    let urls = [format!("https://{HOST}/"), format!("http://localhost:{}/", port.number)];
    let Some(probe) = probes(client, &urls).into_iter().nth(index) else { return Ok(Vec::new()) };
    let home = if probe.is_the_client { Home::temp().map_err(|error| own(&error))? } else { Home::Real };
    if let Some(home) = home.path() {
        configure(home, &urls).map_err(|error| own(&error))?;
    }
    let caller = if probe.is_the_client { bare(caller) } else { caller.clone() };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (lab, captures) = Lab::open(any, Answer::Local(Arc::new(SelfTest)), Peer::client(1), &caller).await?;
    let given = Given::prepare(1, &home, Display::AsItIs, &lab).map_err(|error| own(&error))?;
    let Probe { name, program, arguments, .. } = probe;
    let ended = start(program, arguments, &caller, given.environment).await;
    lab.close().await;
    if ended.is_none_or(|(ended, _)| ended == Ended::Exited(NOT_INSTALLED)) {
        return Ok(Vec::new());
    }
    let seen = Seen::read(captures);
    let outcome = |url: &String| Outcome { name, url: url.clone(), way: seen.way(url, &port) };
    Ok(urls.iter().map(outcome).collect())
}

/// Claude Code's configuration where each of its versions looks.
fn configure(home: &Path, urls: &[String]) -> io::Result<()> {
    [".claude.json", ".claude/.claude.json"].iter().try_for_each(|file| fs::write(home.join(file), claude_configuration(urls)))
}

/// As good as nothing: the search path, the language, the folder for temporary files.
fn bare(caller: &Environment) -> Environment {
    let kept = ["PATH", "LANG", "LC_ALL", "TMPDIR"].into_iter();
    kept.filter_map(|name| Some((name, caller.value(name)?))).collect()
}

/// Runs a child on a terminal of its own, so that ours stays clean. `None` if it cannot be started.
async fn start(program: PathBuf, arguments: Vec<OsString>, caller: &Environment, environment: Environment) -> Option<(Ended, String)> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let screen = Screen::Own(OwnTerminal::new(ours));
    let timeout = Some(PATIENCE);
    let launch = Launch { program: program.into(), arguments, caller: caller.clone(), environment, folder: None, screen, timeout };
    let running = launch.start().ok()?;
    Some(tokio::join!(running.finish(), read(theirs)))
}

/// Takes everything that is printed and keeps the beginning.
async fn read(mut printed: DuplexStream) -> String {
    let mut bytes = Vec::new();
    let _ = (&mut printed).take(PRINTED).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut printed, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Answers every request at once.
struct SelfTest;

impl Local for SelfTest {
    fn answer(&self, _: Peer, _: Arc<Connection>, request: Request<RequestBody>) -> BoxFuture<'_, Result<Response<Body>, NoAnswer>> {
        let mut response = Response::new(Body::from("authtape: the self-test came through\n".to_owned()));
        // A client that speaks MCP is to learn at once that nobody does here.
        if request.method() != Method::GET {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        Box::pin(ready(Ok(response)))
    }
}

/// A port that counts who comes.
struct Port {
    number: u16,
    visits: Arc<AtomicU32>,
    listening: JoinHandle<()>,
}

impl Port {
    async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let number = listener.local_addr()?.port();
        let visits = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&visits);
        let listening = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Relaxed);
            }
        });
        Ok(Self { number, visits, listening })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What the proxy saw of a child.
#[derive(Default)]
struct Seen {
    urls: Vec<String>,
    refused: bool,
}

impl Seen {
    fn read(mut captures: Captures) -> Self {
        let mut seen = Self::default();
        while let Received::Message(message) = captures.recv(Duration::ZERO) {
            match message {
                Captured::Exchange(exchange) | Captured::Opened(exchange) => seen.urls.push(exchange.request.url),
                Captured::Event(event) => seen.refused |= event.trouble == Trouble::TlsHandshakeFailed,
                Captured::Frames { .. } | Captured::Closed { .. } => {}
            }
        }
        seen
    }

    fn way(&self, url: &str, port: &Port) -> Way {
        let is_local = url.starts_with("http://");
        match () {
            () if self.urls.iter().any(|seen| seen.starts_with(url)) => Way::Proxied,
            () if is_local && port.visits.load(Relaxed) > 0 => Way::Direct,
            () if !is_local && self.refused => Way::CertificateRefused,
            () => Way::NotSeen,
        }
    }
}

fn own(error: &dyn Shown) -> CliError {
    CliError::new(Exit::CANNOT_RUN, format_args!("cannot prepare the self-test: {error}"))
}
