//! What a run needs around the client: the folder of the run, its root certificate, the credential and the proxy. All of
//! it is gone when the run is over.

use crate::cli::{CliError, Exit};
use crate::proxy::{
    Admission, Answer, CaptureSink, Captures, Credential, Deadlines, Numbers, Options, Peer, Reverse, Root, Running, capture, serve,
};
use crate::runner::sockets::Callbacks;
use crate::runner::{Bundles, Environment, claude};
use crate::useragent::{Opening, Plan};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Gives exchanges that do not come through the proxy their place in the run.
#[derive(Clone)]
pub struct Clock {
    numbers: Numbers,
    started: Instant,
}

impl Clock {
    /// Takes consecutive numbers: the first of them, and the time since the start of the run.
    pub fn reserve(&self, count: u32) -> (u32, Duration) {
        (self.numbers.reserve(count), self.started.elapsed())
    }
}

/// The surroundings of a run.
pub struct Lab {
    /// The caller's environment.
    pub caller: Environment,
    /// Certificate bundles for clients.
    pub bundles: Bundles,
    /// The run's root certificate, PEM.
    pub root: String,
    folder: TempDir,
    credential: Credential,
    proxy: Running,
    sink: CaptureSink,
    callbacks: Callbacks,
    started: Instant,
    shutdown: CancellationToken,
    plan: Option<Plan>,
    opening: Option<Opening>,
}

impl Lab {
    /// Starts the proxy. Programs of our own user that show no credential count as `strangers`.
    ///
    /// # Errors
    /// An address that is taken or not loopback, a temporary folder that cannot be made.
    pub async fn open(address: SocketAddr, answer: Answer, strangers: Peer, caller: &Environment) -> Result<(Self, Captures), CliError> {
        let started = Instant::now();
        let listener = listen(address, "--listen").await?;
        let own = |error: &dyn std::fmt::Display| CliError::new(Exit::OWN_FAILURE, format_args!("cannot prepare the run: {error}"));
        let root = Root::for_run().map_err(|error| own(&error))?;
        let credential = Credential::generate().map_err(|error| own(&error))?;
        let folder = tempfile::Builder::new().prefix("authtape-").tempdir().map_err(|error| own(&error))?;
        let pem = root.certificate_pem().to_owned();
        let bundles = Bundles::write(folder.path(), &pem, caller).map_err(|error| {
            let message = format!("cannot write certificates into {}: {error}", folder.path().display());
            CliError::new(Exit::OWN_FAILURE, message).hint("TMPDIR names another folder")
        })?;
        let (sink, captures) = capture();
        let shutdown = CancellationToken::new();
        let options = Options {
            root: Arc::new(root),
            answer,
            sink: sink.clone(),
            credential: credential.clone(),
            admission: Admission::OwnUser(strangers),
            started,
            deadlines: Deadlines::default(),
        };
        let proxy = serve(listener, options, &shutdown).map_err(|error| own(&error))?;
        let caller = caller.clone();
        let callbacks = Callbacks::default();
        let lab =
            Self { caller, bundles, root: pem, folder, credential, proxy, sink, callbacks, started, shutdown, plan: None, opening: None };
        Ok((lab, captures))
    }

    /// Lets these change what becomes of redirects back to clients, and what browsers open.
    pub fn with_plan(self, plan: Plan, opening: Opening) -> Self {
        Self { plan: Some(plan), opening: Some(opening), ..self }
    }

    /// What changes redirects back to clients.
    pub fn plan(&self) -> Option<Plan> {
        self.plan.clone()
    }

    /// What changes the URLs that browsers open.
    pub fn opening(&self) -> Option<Opening> {
        self.opening.clone()
    }

    /// The start of the run.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The private folder of the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The settings file of Claude Code in a session.
    pub fn claude_settings(&self, session: u32) -> PathBuf {
        claude::settings_file(self.folder(), session)
    }

    /// The file with the run's root certificate.
    pub fn root_file(&self) -> PathBuf {
        self.bundles.added.clone()
    }

    /// The proxy's URL for a peer, credential included.
    pub fn proxy_url(&self, peer: Peer) -> String {
        self.credential.proxy_url(self.proxy.address(), peer)
    }

    /// What the environments of the first sessions carry, and nothing else does.
    pub fn markers(&self, sessions: u32) -> Vec<String> {
        (1..=sessions).map(|number| self.proxy_url(Peer::client(number))).collect()
    }

    /// Where exchanges go that did not come through the proxy.
    pub fn sink(&self) -> CaptureSink {
        self.sink.clone()
    }

    /// Where the user agent went by itself.
    pub fn callbacks(&self) -> Callbacks {
        self.callbacks.clone()
    }

    /// Numbers and times for exchanges that do not come through the proxy.
    pub fn clock(&self) -> Clock {
        Clock { numbers: self.proxy.numbers(), started: self.started }
    }

    /// The reverse listeners.
    pub fn reverse(&self) -> Arc<Reverse> {
        self.proxy.reverse()
    }

    /// The proxy.
    pub fn proxy(&self) -> &Running {
        &self.proxy
    }

    /// Ends the proxy; what it captured has been handed over when this returns.
    pub async fn close(self) {
        self.shutdown.cancel();
        self.proxy.ended().await;
    }
}

/// Binds an address of this machine that an option names.
pub(super) async fn listen(address: SocketAddr, option: &str) -> Result<TcpListener, CliError> {
    if !address.ip().is_loopback() {
        let message = format!("{address} is not a loopback address: the proxy sees secrets and is for this machine alone");
        return Err(CliError::new(Exit::USAGE, message).hint("--listen 127.0.0.1:8080"));
    }
    TcpListener::bind(address).await.map_err(|error| {
        let message = match error.kind() {
            io::ErrorKind::AddrInUse => format!("port {} of {} is taken", address.port(), address.ip()),
            _ => format!("cannot listen on {address}: {error}"),
        };
        CliError::new(Exit::USAGE, message).hint(format_args!("choose another port with {option}; port 0 is any free one"))
    })
}
