//! The accept loop: takes connections as long as there are file descriptors for all that each of them needs, and rests
//! when the system has none left.

use super::alert::HandshakeKeys;
use super::context::Context;
use super::credential::{Credential, Peer};
use super::front;
use super::root::Root;
use super::wire::Connections;
use crate::exchange::Trouble;
use crate::upstream::Descriptors;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

const SHORTEST_REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How long clients wait for one another before we say so.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is let in without the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nobody.
    CredentialOnly,
    /// On Linux, processes of our own user; they count as this peer.
    OwnUser(Peer),
}

/// What a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// A proxy.
    Proxy,
    /// A web server that stands for another one.
    Reverse,
}

/// How long we wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For a request head on the proxy port, the first or the next.
    pub head: Duration,
    /// For the first bytes in a tunnel.
    pub tunnel: Duration,
    /// For exchanges under way when the proxy ends.
    pub end: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { head: Duration::from_secs(120), tunnel: Duration::from_secs(30), end: Duration::from_secs(2) }
    }
}

/// What a client's connection needs.
#[derive(Clone)]
pub(super) struct Relay {
    pub context: Arc<Context>,
    pub credential: Credential,
    pub admission: Admission,
    pub entrance: Entrance,
    pub deadlines: Deadlines,
    pub connections: Connections,
    /// Connections of all ports so far.
    pub accepted: Arc<AtomicU32>,
    /// How many connections of all ports may be open at once.
    pub descriptors: Descriptors,
    pub slots: Arc<Semaphore>,
    /// How many tunnels may be named to the core at once.
    pub naming: Arc<Semaphore>,
    pub keys: Arc<HandshakeKeys>,
    /// Signs what is flawed on purpose.
    pub root: Arc<Root>,
    /// Where hudsucker listens.
    pub core: SocketAddr,
}

/// Accepts connections until the proxy ends.
pub(super) async fn accept(relay: Arc<Relay>, listener: TcpListener) {
    let mut rest = SHORTEST_REST;
    loop {
        let accepted = tokio::select! {
            accepted = async {
                let slot = take_slot(&relay).await?;
                Some((accept_one(&listener, &mut rest).await, slot))
            } => accepted,
            () = relay.context.closing.cancelled() => return,
        };
        let Some((stream, slot)) = accepted else { return };
        let number = relay.accepted.fetch_add(1, Relaxed) + 1;
        let stop = relay.context.stop.child_token();
        let opened = stream.set_nodelay(true).and_then(|()| relay.connections.open(number, &stream, stop, slot));
        let Ok(connection) = opened else { continue };
        relay.context.tasks.spawn(front::serve(Arc::clone(&relay), connection, stream));
    }
}

/// Waits for the file descriptors that a client's connection takes, and says so where that is long.
async fn take_slot(relay: &Relay) -> Option<OwnedSemaphorePermit> {
    let mut slot = pin!(Arc::clone(&relay.slots).acquire_owned());
    if let Ok(slot) = timeout(PATIENCE, &mut slot).await {
        return slot.ok();
    }
    let Descriptors { clients, limit, .. } = relay.descriptors;
    let detail = format!("{clients} connections are open, as many as `ulimit -n` ({limit}) allows; further ones wait");
    let number = relay.accepted.load(Relaxed) + 1;
    relay.context.event(number, None, Trouble::ConnectRefused, None, detail);
    slot.await.ok()
}

async fn accept_one(listener: &TcpListener, rest: &mut Duration) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                *rest = SHORTEST_REST;
                return stream;
            }
            // Out of file descriptors or memory: hyper would try again at once, for ever.
            Err(error) => {
                tracing::warn!(code = error.raw_os_error(), "cannot accept");
                tokio::time::sleep(*rest).await;
                *rest = (*rest * 2).min(LONGEST_REST);
            }
        }
    }
}
