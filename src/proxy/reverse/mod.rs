//! Reverse listeners: plain HTTP on loopback that stands for a real origin, for clients that ignore proxies. Knows which address
//! stands for which origin, opens listeners for the authorization servers that a rebound server names, and remembers what cannot
//! be rebound. How messages are moved is in `passage`; whom they go to then is the same as for any other request.

mod body;
mod door;
mod passage;

pub(super) use door::respond;
pub(super) use passage::pass;

use super::context::Context;
use super::credential::Peer;
use super::relay::{self, Admission, Entrance, Relay};
use crate::exchange::Actor;
use crate::protocol::rebind::{Binding, Rebinding, Spelling};
use http::Uri;
use http::header::LOCATION;
use http::response::Parts;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How many listeners are opened for servers that nobody named on the command line.
const MOST_AUTOMATIC: usize = 16;
/// How many authorization requests are remembered until they come home.
const MOST_STATES: usize = 64;

/// A listener that stands for an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The origin and the address.
    pub binding: Binding,
    /// Who wanted it.
    pub wanted: Wanted,
}

/// Who wanted a reverse listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The person.
    Asked,
    /// Metadata that passed names the origin.
    Named,
}

/// What a rebound client or server does that does not work behind another URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// A DPoP proof is signed for the URL that the client knows (RFC 9449 §4.3).
    Dpop,
    /// A signed assertion or request object names the URL that the client knows (RFC 7523 §3, RFC 9101 §4).
    Assertion,
    /// An ID token names the real issuer (OpenID Connect Core §3.1.3.7).
    IdToken,
    /// A browser that does not go through the proxy brings back the real `iss` (RFC 9207 §2.4).
    Issuer,
    /// More servers were named than listeners are opened.
    TooMany,
}

/// The reverse listeners of a proxy.
pub struct Reverse {
    standing: watch::Sender<Vec<Standing>>,
    /// Where new listeners belong; set once the proxy serves.
    relay: OnceLock<Weak<Relay>>,
    /// The session whose client is running.
    session: AtomicU32,
    /// The `state` of authorization requests that name a rebound issuer.
    states: Mutex<VecDeque<(String, Spelling)>>,
    limits: Mutex<BTreeSet<Limit>>,
    /// True once metadata said that callbacks name their issuer.
    sends_iss: AtomicBool,
    /// Two answers that name one server open one listener.
    opening: tokio::sync::Mutex<()>,
}

/// The listener that a request asks, and how everything looks from there.
pub(super) struct View {
    bindings: Vec<Binding>,
    spelling: Spelling,
}

impl Reverse {
    pub(super) fn new() -> Self {
        Self {
            standing: watch::Sender::new(Vec::new()),
            relay: OnceLock::new(),
            session: AtomicU32::new(1),
            states: Mutex::default(),
            limits: Mutex::default(),
            sends_iss: AtomicBool::new(false),
            opening: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn belongs_to(&self, relay: &Arc<Relay>) {
        let _ = self.relay.set(Arc::downgrade(relay));
    }

    /// Lets a bound listener stand for an origin (as [`crate::protocol::Endpoint::origin`] spells it) until the proxy ends.
    ///
    /// # Errors
    /// The address of the listener is not known.
    pub fn stand_for(&self, origin: &str, listener: TcpListener, wanted: Wanted) -> std::io::Result<SocketAddr> {
        let local = listener.local_addr()?;
        let binding = Binding { origin: origin.to_owned(), local };
        self.standing.send_modify(|standing| standing.push(Standing { binding, wanted }));
        if let Some(relay) = self.relay.get().and_then(Weak::upgrade) {
            let own = Relay { admission: Admission::CredentialOnly, entrance: Entrance::Reverse, ..(*relay).clone() };
            relay.context.tasks.spawn(relay::accept(Arc::new(own), listener));
        }
        Ok(local)
    }

    /// All listeners, those asked for first; told of each new one.
    pub fn standing(&self) -> watch::Receiver<Vec<Standing>> {
        self.standing.subscribe()
    }

    /// From now on, whoever comes to a reverse listener is of this session.
    pub fn begin_session(&self, session: u32) {
        self.session.store(session, Relaxed);
    }

    /// What was met that does not work behind another URL.
    pub fn limits(&self) -> Vec<Limit> {
        locked(&self.limits).iter().copied().collect()
    }

    /// The real URL of one that a client opens in a browser. Pages are seen at the URL they are made for; the way back is known
    /// again by its `state`.
    pub fn opened(&self, url: &str) -> Option<String> {
        let moved = passage::real_url(&Rebinding::inward(&self.bindings()), url)?;
        if let (Some(view), Some((_, query))) = (self.view(&url.parse().ok()?), url.split_once('?')) {
            self.note_state(query, view.spelling);
        }
        Some(moved)
    }

    /// A browser outside of the proxy shows this authorization request.
    pub fn note_shown_elsewhere(&self, url: &str) {
        if self.sends_iss.load(Relaxed) && self.spelling_behind(url).is_some() {
            self.meet(Limit::Issuer);
        }
    }

    /// A callback as it is recorded: its issuer is the real one.
    pub fn recorded(&self, callback: &str) -> Option<String> {
        Rebinding::inward(&self.bindings()).named_issuer(callback)
    }

    /// The listener that a request for an absolute URL asks, whichever way it came.
    pub(super) fn view(&self, uri: &Uri) -> Option<View> {
        if uri.scheme_str() != Some("http") || self.standing.borrow().is_empty() {
            return None;
        }
        let authority = uri.authority()?.as_str();
        let bindings = self.bindings();
        let spelling = bindings.iter().find_map(|own| own.spelling_of(authority))?;
        Some(View { bindings, spelling })
    }

    /// A redirect that brings a browser home to a client which knows the issuer by its local URL.
    pub(super) fn bring_home(&self, head: &mut Parts) {
        let Some(location) = head.headers.get(LOCATION).and_then(|value| value.to_str().ok()) else { return };
        let Some(spelling) = self.spelling_behind(location) else { return };
        let outward = Rebinding::outward(&self.bindings(), spelling);
        if let Some(moved) = outward.named_issuer(location).and_then(|moved| moved.parse().ok()) {
            head.headers.insert(LOCATION, moved);
        }
    }

    /// Opens a listener for each of these origins that has none.
    async fn stand_for_named(&self, origins: Vec<String>) {
        if origins.is_empty() {
            return;
        }
        let _one_by_one = self.opening.lock().await;
        for origin in origins {
            let (is_known, automatic) = {
                let standing = self.standing.borrow();
                let is_known = |own: &Binding| own.origin == origin || own.is_at(&origin);
                (standing.iter().any(|own| is_known(&own.binding)), standing.iter().filter(|own| own.wanted == Wanted::Named).count())
            };
            if is_known {
                continue;
            }
            if automatic >= MOST_AUTOMATIC {
                return self.meet(Limit::TooMany);
            }
            let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let opened = bound.and_then(|listener| self.stand_for(&origin, listener, Wanted::Named));
            tracing::debug!(ok = opened.is_ok(), "reverse listener for a server that metadata names");
        }
    }

    /// How the client that began a login spells this machine: the `state` in a URL tells the login.
    fn spelling_behind(&self, url: &str) -> Option<Spelling> {
        let states = locked(&self.states);
        let parameters = url.split(['?', '#']).skip(1).flat_map(|part| url::form_urlencoded::parse(part.as_bytes()));
        let mut values = parameters.filter(|(name, _)| name == "state").map(|(_, value)| value);
        values.find_map(|value| states.iter().rev().find(|(state, _)| *state == value)).map(|(_, spelling)| *spelling)
    }

    /// Remembers the way back of an authorization request.
    fn note_state(&self, query: &str, spelling: Spelling) {
        let mut states = locked(&self.states);
        for (_, state) in url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state") {
            if states.len() == MOST_STATES {
                states.pop_front();
            }
            states.push_back((state.into_owned(), spelling));
        }
    }

    fn meet(&self, limit: Limit) {
        locked(&self.limits).insert(limit);
    }

    fn bindings(&self) -> Vec<Binding> {
        self.standing.borrow().iter().map(|standing| standing.binding.clone()).collect()
    }

    /// Who speaks on a reverse listener. A page that is navigated to is a browser's; its answers are nobody's business.
    fn peer(&self, headers: &http::HeaderMap) -> Peer {
        let is = |name: &str, test: fn(&[u8]) -> bool| headers.get(name).is_some_and(|value| test(value.as_bytes()));
        let is_page = is("sec-fetch-mode", |mode| mode == b"navigate") || is("accept", |accepted| accepted.starts_with(b"text/html"));
        Peer { session: self.session.load(Relaxed), actor: if is_page { Actor::UserAgent } else { Actor::Client } }
    }
}

impl View {
    fn outward(&self) -> Rebinding {
        Rebinding::outward(&self.bindings, self.spelling)
    }

    fn inward(&self) -> Rebinding {
        Rebinding::inward(&self.bindings)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dpop => "a DPoP proof came to a reverse listener: it is signed for that URL, so the server refuses it (RFC 9449 §4.3)",
            Self::Assertion => {
                "a signed assertion or request came to a reverse listener: it names that URL, so the server refuses it (RFC 7523 §3)"
            }
            Self::IdToken => {
                "an ID token passed a reverse listener: its iss is the real one, so a client that checks it refuses it (OpenID Connect Core §3.1.3.7)"
            }
            Self::Issuer => {
                "the authorization server names itself in the callback, and your own browser brings its real name to a client that knows \
                 another one (RFC 9207 §2.4): use --user-agent auto or chromium with --reverse"
            }
            Self::TooMany => "metadata names more servers than reverse listeners are opened; the client reached the others past us",
        })
    }
}

impl fmt::Debug for Reverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reverse").field("standing", &*self.standing.borrow()).finish_non_exhaustive()
    }
}

impl Context {
    /// Redirects of a browser that goes through the proxy.
    pub(super) fn bring_home(&self, actor: Actor, head: &mut Parts) {
        if actor == Actor::UserAgent && head.status.is_redirection() {
            self.reverse.bring_home(head);
        }
    }
}
