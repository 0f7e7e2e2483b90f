//! What all parts of one proxy share: where captures go, what answers, numbers, the clock of the run and the end of it.

use super::answer::Answer;
use super::credential::Peer;
use super::reverse::Reverse;
use super::sink::CaptureSink;
use super::wire::Connection;
use crate::exchange::{Captured, ConnectionEvent, Trouble};
use http::uri::Authority;
use hyper::upgrade::OnUpgrade;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many pairs of session and host are remembered.
const MOST_TRUST: usize = 4096;

/// Shared by all connections of a proxy.
pub(super) struct Context {
    pub sink: CaptureSink,
    pub answer: Answer,
    pub started: Instant,
    /// Relays and tunnels.
    pub tasks: TaskTracker,
    /// Exchanges that an orderly end waits for: those that are not over and not event streams.
    pub finite: TaskTracker,
    /// All exchanges that have not been handed over whole.
    pub open: TaskTracker,
    /// No new connections; what breaks off from now on was broken off by us.
    pub closing: CancellationToken,
    /// Everything ends now.
    pub stop: CancellationToken,
    pub numbers: Numbers,
    pub reverse: Arc<Reverse>,
    tunnels: Mutex<HashMap<SocketAddr, Tunnel>>,
    /// Sessions that sent a request over our certificate, with its host.
    trust: Mutex<HashSet<(u32, Authority)>>,
}

/// How a request came: on which connection, from whom, and to which server the client had asked to be connected.
pub(super) struct Via {
    pub connection: Arc<Connection>,
    pub peer: Peer,
    /// The target of the CONNECT, inside a tunnel.
    pub target: Option<Authority>,
    /// Exchanges that came this way.
    pub exchanges: AtomicU32,
}

/// A client's tunnel on its way to the core.
pub(super) struct Tunnel {
    pub via: Arc<Via>,
    /// The client's stream.
    pub stream: OnUpgrade,
}

/// Keeps a tunnel known to the core by the address from which we name it.
pub(super) struct TunnelEntry {
    context: Arc<Context>,
    address: SocketAddr,
}

/// Numbers for exchanges, from 1, in the order in which they are asked for. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<AtomicU32>);

impl Numbers {
    /// Takes some consecutive numbers and returns the first.
    pub fn reserve(&self, count: u32) -> u32 {
        self.0.fetch_add(count, Relaxed) + 1
    }
}

impl Context {
    pub fn new(sink: CaptureSink, answer: Answer, started: Instant, closing: CancellationToken) -> Self {
        Self {
            sink,
            answer,
            started,
            tasks: TaskTracker::new(),
            finite: TaskTracker::new(),
            open: TaskTracker::new(),
            closing,
            stop: CancellationToken::new(),
            numbers: Numbers::default(),
            reverse: Arc::new(Reverse::new()),
            tunnels: Mutex::default(),
            trust: Mutex::default(),
        }
    }

    /// A request came over this tunnel, so its session trusts our certificate for that host.
    pub fn note_trust(&self, via: &Via) {
        let Some(target) = &via.target else { return };
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        if trust.len() < MOST_TRUST {
            trust.insert((via.peer.session, target.clone()));
        }
    }

    /// True when a request of the same session came over our certificate for the same host.
    pub fn is_trusted(&self, via: &Via) -> bool {
        let Some(target) = &via.target else { return false };
        self.trust.lock().unwrap_or_else(PoisonError::into_inner).contains(&(via.peer.session, target.clone()))
    }

    /// The time since the start of the run.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The number of a new exchange.
    pub fn next_exchange(&self) -> u32 {
        self.numbers.reserve(1)
    }

    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Reports what happened on a connection; not at the end, when we ended it ourselves.
    pub fn event(&self, connection: u32, session: Option<u32>, trouble: Trouble, host: Option<String>, detail: String) {
        if self.is_closing() {
            return;
        }
        tracing::debug!(connection, ?trouble, "connection event");
        self.sink.send(Captured::Event(ConnectionEvent { at: self.now(), session, connection, trouble, host, detail }));
    }

    /// Announces a tunnel to the core.
    pub fn announce(self: &Arc<Self>, address: SocketAddr, tunnel: Tunnel) -> TunnelEntry {
        self.tunnels().insert(address, tunnel);
        TunnelEntry { context: Arc::clone(self), address }
    }

    /// The tunnel that is named to the core from this address; nobody else may. It is there once.
    pub fn tunnel(&self, address: SocketAddr) -> Option<Tunnel> {
        self.tunnels().remove(&address)
    }

    fn tunnels(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Tunnel>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Via {
    pub fn new(connection: Arc<Connection>, peer: Peer, target: Option<Authority>) -> Self {
        Self { connection, peer, target, exchanges: AtomicU32::new(0) }
    }

    /// True once a request came this way.
    pub fn was_used(&self) -> bool {
        self.exchanges.load(Relaxed) > 0
    }
}

impl Drop for TunnelEntry {
    fn drop(&mut self) {
        self.context.tunnels().remove(&self.address);
    }
}
