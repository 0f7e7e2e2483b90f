//! The accept loop: takes connections as long as there are file descriptors for all that each of them needs, and rests
//! when the system has none left.

use super::alert::HandshakeKeys;
use super::context::Context;
use super::credential::{Credential, Peer};
use super::front;
use super::wire::Connections;
use nix::sys::resource::{Resource, getrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A tunnel holds the client's socket, two to the core and one to the server.
const SOCKETS: u64 = 4;
/// Left for files, the runtime and the client's own pipes.
const SPARE: u64 = 64;
const MOST: u64 = 10_000;

const SHORTEST_REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Who is let in without the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nobody.
    CredentialOnly,
    /// On Linux, processes of our own user; they count as this peer.
    OwnUser(Peer),
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
    pub deadlines: Deadlines,
    pub connections: Connections,
    /// Connections of all ports so far.
    pub accepted: Arc<AtomicU32>,
    pub keys: Arc<HandshakeKeys>,
    /// Where hudsucker listens.
    pub core: SocketAddr,
}

/// Accepts connections until the proxy ends.
pub(super) async fn accept(relay: Arc<Relay>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(slots()));
    let mut rest = SHORTEST_REST;
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&slots, &listener, &mut rest) => accepted,
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

async fn accept_one(slots: &Arc<Semaphore>, listener: &TcpListener, rest: &mut Duration) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                *rest = SHORTEST_REST;
                return Some((stream, slot));
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

fn slots() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    usize::try_from((files.saturating_sub(SPARE) / SOCKETS).clamp(16, MOST)).unwrap_or(16)
}
