//! Layer 7: the intercepting proxy. hudsucker speaks TLS to the client, on the client's own socket (`handover`); around it stand
//! our own accept loop and sniffing (`relay`, `front`, `tunnel`), our own certificates (`root`, `leaf`) and our own answers
//! (`handler`, `forward`). Each exchange goes to a [`CaptureSink`] while it happens.
//!
//! Knows sockets, TLS and HTTP. Does not know what an exchange means, never prints, and logs numbers only. (hudsucker and
//! hyper log URLs and bytes: a subscriber must leave their targets out.)
//!
//! ```text
//! client ── relay ── front ─┬─ CONNECT ── tunnel ─┬─ TLS ── hudsucker ── handler ─┐
//!                           │                     └─ plain HTTP ─────────────────┼── forward ── answer
//!                           └─ absolute URL ─────────────────────────────────────┘
//! client ── reverse listener ── door ── passage ───────────────────── forward ── answer
//! ```

mod alert;
mod answer;
mod context;
mod credential;
mod flawed;
mod forward;
mod front;
mod handler;
mod handover;
mod handshake;
mod headers;
mod leaf;
mod own_user;
mod perform;
mod recording;
mod relay;
mod reverse;
mod root;
mod sink;
mod socket_table;
mod tee;
mod tunnel;
mod upgrade;
mod wire;

pub use answer::{Answer, Local, NoAnswer};
pub use context::Numbers;
pub use credential::{Credential, Peer};
pub use forward::ERROR_HEADER;
pub use hudsucker::Body;
pub use perform::{AtEnd, perform};
pub use relay::{Admission, Deadlines};
pub use reverse::{Limit, Reverse, Standing, Wanted};
pub use root::{Root, RootError};
pub use sink::{BODIES_IN_FLIGHT, CaptureSink, Captures, Received, capture};
pub use socket_table::{LISTENS, SocketRow, socket_rows};
pub use wire::{Connection, Connections};

use crate::upstream::Descriptors;
use context::Context;
use handler::{Handler, NoConnector};
use leaf::Leaves;
use relay::{Entrance, Relay};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long the pieces of a proxy get to let go once everything was ended.
const LET_GO: Duration = Duration::from_secs(1);

/// What a proxy needs.
pub struct Options {
    /// The root that the client trusts.
    pub root: Arc<Root>,
    /// What answers requests.
    pub answer: Answer,
    /// Where exchanges and events go.
    pub sink: CaptureSink,
    /// What a client must show.
    pub credential: Credential,
    /// Who is let in without it.
    pub admission: Admission,
    /// The start of the run; all times are distances from it.
    pub started: Instant,
    /// How long we wait.
    pub deadlines: Deadlines,
}

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A socket could not be set up.
    #[error("cannot set up the proxy's sockets: {0}")]
    Socket(#[from] io::Error),
    /// The key for certificates could not be made.
    #[error(transparent)]
    Root(#[from] RootError),
    /// hudsucker refused its settings.
    #[error("cannot set up the proxy's core: {0}")]
    Core(String),
}

/// A proxy at work. It ends when the token it was given is cancelled.
pub struct Running {
    address: SocketAddr,
    context: Arc<Context>,
    relay: Arc<Relay>,
    leaf_key: String,
}

/// Starts to serve on a bound listener; must be called within a tokio runtime. Cancel `shutdown` to end it and then wait
/// with [`Running::ended`].
pub fn serve(listener: TcpListener, options: Options, shutdown: &CancellationToken) -> Result<Running, ServeError> {
    let Options { root, answer, sink, credential, admission, started, deadlines } = options;
    let address = listener.local_addr()?;
    let context = Arc::new(Context::new(sink, answer, started, shutdown.child_token()));
    let keys = Arc::default();
    let leaves = Leaves::new(Arc::clone(&root), Arc::clone(&keys))?;
    let leaf_key = leaves.key_hash();
    let core = start_core(&context, leaves)?;
    let connections = Connections::default();
    let descriptors = Descriptors::of_this_process();
    let slots = Arc::new(Semaphore::new(descriptors.clients));
    let naming = Arc::new(Semaphore::new(descriptors.named));
    let accepted = Arc::default();
    let entrance = Entrance::Proxy;
    let relay = Relay {
        context: Arc::clone(&context),
        credential,
        admission,
        entrance,
        deadlines,
        connections,
        accepted,
        descriptors,
        slots,
        naming,
        keys,
        root,
        core,
    };
    let relay = Arc::new(relay);
    context.reverse.belongs_to(&relay);
    context.tasks.spawn(relay::accept(Arc::clone(&relay), listener));
    Ok(Running { address, context, relay, leaf_key })
}

impl Running {
    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The client's open connections, for those who break them on purpose.
    pub fn connections(&self) -> &Connections {
        &self.relay.connections
    }

    /// Base64 of the SHA-256 of the public key that every certificate shown to clients has: Chromium can be told to trust it.
    pub fn leaf_key(&self) -> &str {
        &self.leaf_key
    }

    /// Opens another port, for a program that can show no credential: on Linux, who comes there as our own user is `peer`.
    /// Elsewhere nobody is let in. It is closed when the proxy ends.
    pub fn open_door(&self, listener: TcpListener, peer: Peer) {
        let relay = Relay { admission: Admission::OwnUser(peer), ..(*self.relay).clone() };
        self.context.tasks.spawn(relay::accept(Arc::new(relay), listener));
    }

    /// The reverse listeners, none at first.
    pub fn reverse(&self) -> Arc<Reverse> {
        Arc::clone(&self.context.reverse)
    }

    /// The numbers of this run's exchanges, for those that do not come through the proxy.
    pub fn numbers(&self) -> Numbers {
        self.context.numbers.clone()
    }

    /// Waits for the end: once shutdown is asked for, exchanges under way get until their deadline, event streams end at
    /// once, and everything has been handed to the sink when this returns. May be called again.
    pub async fn ended(&self) {
        let context = &self.context;
        context.closing.cancelled().await;
        context.finite.close();
        let finished = timeout(self.relay.deadlines.end, context.finite.wait()).await.is_ok();
        context.stop.cancel();
        context.tasks.close();
        context.open.close();
        let let_go = timeout(LET_GO, async { tokio::join!(context.tasks.wait(), context.open.wait()) }).await.is_ok();
        tracing::debug!(finished, let_go, "proxy ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.context.closing.cancel();
        self.context.stop.cancel();
    }
}

/// Starts hudsucker on a loopback port of its own, where `tunnel` names to it what it is to serve.
fn start_core(context: &Arc<Context>, leaves: Leaves) -> Result<SocketAddr, ServeError> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(1024)?;
    let address = listener.local_addr()?;
    let handler = Handler::new(Arc::clone(context));
    let core = hudsucker::Proxy::builder()
        .with_listener(listener)
        .with_ca(leaves)
        .with_http_connector(NoConnector)
        .with_http_handler(handler.clone())
        .with_websocket_handler(handler)
        .with_server(tunnel::server())
        .with_graceful_shutdown(context.stop.clone().cancelled_owned())
        .build()
        .map_err(|error| ServeError::Core(error.to_string()))?;
    context.tasks.spawn(async move {
        let served = core.start().await;
        tracing::debug!(ok = served.is_ok(), "core ended");
    });
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Upstream, UpstreamOptions};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn the_core_takes_nobody_but_the_relay() {
        let (sink, _captures) = capture();
        let answer = Answer::Upstream(Box::new(Upstream::new(UpstreamOptions::default())));
        let context = Arc::new(Context::new(sink, answer, Instant::now(), CancellationToken::new()));
        let leaves = Leaves::new(Arc::new(Root::for_run().unwrap()), Arc::default()).unwrap();
        let core = start_core(&context, leaves).unwrap();
        for request in ["CONNECT a.test:443 HTTP/1.1\r\n\r\n", "GET http://a.test/ HTTP/1.1\r\n\r\n"] {
            let mut stream = TcpStream::connect(core).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        }
        context.stop.cancel();
    }
}
