//! What a client process is given: its variables, its openers and who attends them. Does not start it.

use super::lab::{Clock, Lab};
use crate::cassette::Session;
use crate::cli::shared::{ClientOptions, Who};
use crate::cli::{CliError, Exit};
use crate::exchange::{Actor, Captured};
use crate::proxy::{Peer, Reverse};
use crate::record::OpenedUrl;
use crate::runner::{Ended, Environment, Home, NoProxy, Variables, claude, interception};
use crate::useragent::{
    Agent, CallbackSink, Chromium, ChromiumOptions, Delivered, Display, Mark, Means, Shim, Target, Visit, VisitEnd, WalkEnd, Walker,
    find_chromium,
};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a client process is given.
pub struct Given {
    /// Its whole environment.
    pub environment: Environment,
    /// The part of it that leads through the proxy.
    pub interception: Variables,
    /// Its openers.
    pub shim: Shim,
}

impl Given {
    /// Prepares the environment and the openers of a session.
    pub fn prepare(number: u32, home: &Home, display: Display, lab: &Lab) -> io::Result<Self> {
        let proxy = lab.proxy_url(Peer::client(number));
        let interception = interception::variables(&proxy, &lab.bundles, NoProxy::Emptied);
        let authtape = std::env::current_exe()?;
        let shim = Shim::install(lab.folder(), &authtape, number)?;
        claude::wrap(shim.folder(), &authtape, &interception, &lab.caller, &lab.claude_settings(number))?;
        let openers: Variables = shim.variables(|name| lab.caller.value(name), display).into_iter().collect();
        let environment = lab.caller.clone().with(&home.variables()).with(&interception);
        let environment = environment.with(&interception::markers(&proxy)).with(&openers);
        Ok(Self { environment, interception, shim })
    }
}

/// Looks for the browser before anything is set up.
///
/// # Errors
/// `chromium` was asked for and is not there, or not supported on this system.
pub fn check(options: &ClientOptions, caller: &Environment) -> Result<(), CliError> {
    if options.user_agent != Who::Chromium {
        return Ok(());
    }
    let others = "--user-agent auto goes the way of the redirects itself, --user-agent system uses your own browser";
    if !cfg!(target_os = "linux") {
        let message = "--user-agent chromium works on Linux only so far: elsewhere the proxy cannot tell who a browser belongs to";
        return Err(CliError::new(Exit::USAGE, message).hint(others));
    }
    browser(caller).map(drop).ok_or_else(|| {
        CliError::new(Exit::USAGE, "--user-agent chromium: no Chromium, Chrome, Edge or Brave on your PATH")
            .hint(format_args!("install one, for example with `apt-get install chromium`; or else: {others}"))
    })
}

fn browser(caller: &Environment) -> Option<PathBuf> {
    find_chromium(caller.value("PATH").unwrap_or_default())
}

/// A session whose openers are attended.
pub struct Attended {
    number: u32,
    environment: Environment,
    interception: Variables,
    openers: PathBuf,
    agent: JoinHandle<()>,
    leaving: CancellationToken,
    visits: JoinHandle<Vec<String>>,
}

impl Attended {
    /// Prepares a session and attends its openers.
    ///
    /// # Errors
    /// Files of the run cannot be written, or no port is free.
    pub async fn begin(number: u32, options: &ClientOptions, home: &Home, lab: &Lab, opened: &Sender<OpenedUrl>) -> Result<Self, CliError> {
        let display = if options.user_agent == Who::System { Display::AsItIs } else { Display::Pretended };
        let Given { environment, interception, shim } = Given::prepare(number, home, display, lab).map_err(|error| own(&error))?;
        let openers = shim.folder().to_owned();
        let means = means(number, options, lab).await?;
        let (sender, visits) = mpsc::unbounded_channel();
        let reverse = lab.reverse();
        reverse.begin_session(number);
        let real_url = Arc::clone(&reverse);
        let agent = Agent::new(means, options.open.into()).opening(lab.opening()).knowing(Arc::new(move |url| real_url.opened(url)));
        let leaving = CancellationToken::new();
        let agent = tokio::spawn(agent.attend(shim, sender, leaving.clone()));
        let visits = tokio::spawn(note_visits(visits, opened.clone(), lab.clock(), reverse));
        Ok(Self { number, environment, interception, openers, agent, leaving, visits })
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The whole environment of its client.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The part of the environment that leads through the proxy.
    pub fn interception(&self) -> &Variables {
        &self.interception
    }

    /// The directory of its openers.
    pub fn openers(&self) -> &Path {
        &self.openers
    }

    /// The session as the header shows it, and what became of URLs that no browser could deal with.
    pub async fn end(self, client: Vec<String>, ended: Ended) -> (Session, Vec<String>) {
        let session = Session {
            session: self.number,
            client,
            exit: match ended {
                Ended::Exited(code) => Some(code),
                _ => None,
            },
            signal: match ended {
                Ended::Killed(signal) => Some(signal),
                _ => None,
            },
        };
        (session, self.leave().await)
    }

    /// Attends no longer than a visit under way needs; a browser of the session is closed. Says what became of URLs that no browser
    /// could deal with.
    pub async fn leave(self) -> Vec<String> {
        self.leaving.cancel();
        let _ = self.agent.await;
        self.visits.await.unwrap_or_default()
    }
}

/// How many visits are told of.
const NOTES: usize = 16;

/// Tells the recorder of URLs that the person's own browser shows, and gathers what a person should know of the others.
async fn note_visits(
    mut visits: mpsc::UnboundedReceiver<Visit>,
    opened: Sender<OpenedUrl>,
    clock: Clock,
    reverse: Arc<Reverse>,
) -> Vec<String> {
    let mut notes = Vec::new();
    while let Some(visit) = visits.recv().await {
        notes.extend(said(&visit).filter(|_| notes.len() < NOTES));
        if matches!(visit.end, VisitEnd::Shown(_)) {
            reverse.note_shown_elsewhere(&visit.opened.url);
            let (number, at) = clock.reserve(2);
            let _ = opened.send(OpenedUrl { number, at, session: visit.opened.session, url: visit.opened.url });
        }
    }
    notes
}

/// What came of a visit, if it was not what the client hoped for. Holds no query of a URL.
fn said(visit: &Visit) -> Option<String> {
    if let Target::Cut(what) = visit.opened.target {
        return Some(format!("the opened URL was cut ({what}): does the client quote it for the shell?"));
    }
    Some(match &visit.end {
        VisitEnd::Stranded(WalkEnd::Page(url, status)) => {
            format!("{url} answered {status} with a page, which needs a person: use --user-agent system or chromium")
        }
        VisitEnd::Stranded(WalkEnd::Dead(url, status)) => format!("{url} answered {status}, neither a redirect nor a page"),
        VisitEnd::Stranded(WalkEnd::Failed(reason)) => format!("the authorization endpoint did not answer: {reason}"),
        VisitEnd::Stranded(WalkEnd::TooManyRedirects) => "the authorization endpoint redirects in a circle".to_owned(),
        VisitEnd::Stranded(WalkEnd::Elsewhere(url)) => {
            format!("the login leads back to {}://{}, which is not this machine", url.scheme(), url.host_str().unwrap_or_default())
        }
        VisitEnd::Delivered(Delivered::Refused(reason)) => format!("the client did not take its callback: {reason}"),
        VisitEnd::Dropped => "a callback was dropped on purpose".to_owned(),
        VisitEnd::NotShown(reason) => format!("no browser opened: {reason}"),
        VisitEnd::NobodyCame => "a URL was opened and nobody came (--user-agent none)".to_owned(),
        _ => return None,
    })
}

async fn means(session: u32, options: &ClientOptions, lab: &Lab) -> Result<Means, CliError> {
    Ok(match options.user_agent {
        Who::None => Means::None,
        Who::System => Means::System { caller: Arc::new(variables(&lab.caller)) },
        Who::Chromium => Means::Chromium(Arc::new(chromium(session, lab).await?)),
        Who::Auto => {
            let proxy = lab.proxy_url(Peer { session, actor: Actor::UserAgent });
            let walker = Walker::new(&proxy, &lab.root).map_err(|error| own(&error))?;
            let (clock, sink, callbacks) = (lab.clock(), lab.sink(), lab.callbacks());
            let begin = Box::new(move |port| {
                callbacks.begun(port);
                let (number, at) = clock.reserve(1);
                Mark { number, connection: 0, at }
            });
            let reverse = lab.reverse();
            let report = Box::new(move |captured| sink.send(as_recorded(&reverse, captured)));
            Means::Auto { walker, sink: Arc::new(CallbackSink { begin, report }), plan: lab.plan() }
        }
    })
}

/// A callback with the real name of its issuer, whatever the client knows it by.
fn as_recorded(reverse: &Reverse, mut captured: Captured) -> Captured {
    if let Captured::Exchange(callback) = &mut captured
        && let Some(url) = reverse.recorded(&callback.request.url)
    {
        callback.request.url = url;
    }
    captured
}

/// A browser can show no credential: it gets a port of its own.
async fn chromium(session: u32, lab: &Lab) -> Result<Chromium, CliError> {
    let program = browser(&lab.caller).ok_or_else(|| own(&"the browser is gone"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| own(&error))?;
    let proxy = listener.local_addr().map_err(|error| own(&error))?;
    lab.proxy().open_door(listener, Peer { session, actor: Actor::UserAgent });
    let folder = lab.folder().join(format!("chromium-{session}"));
    let trusted_key = lab.proxy().leaf_key().to_owned();
    Ok(Chromium::new(ChromiumOptions { program, folder, proxy, trusted_key, caller: variables(&lab.caller) }))
}

fn variables(caller: &Environment) -> Vec<(OsString, OsString)> {
    caller.iter().map(|(name, value): (&OsStr, &OsStr)| (name.to_owned(), value.to_owned())).collect()
}

fn own(error: &dyn fmt::Display) -> CliError {
    CliError::new(Exit::OWN_FAILURE, format_args!("cannot prepare the session: {error}"))
}
