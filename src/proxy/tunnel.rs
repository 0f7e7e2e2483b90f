//! What comes after a CONNECT: TLS goes to the core, HTTP is served here, anything else is refused. The first five bytes
//! tell, however slowly they come.

use super::context::{Context, TunnelEntry, Via};
use super::forward;
use super::handshake::{Handshake, Trust, Watched};
use super::relay::Relay;
use super::wire::Wire;
use crate::exchange::{Actor, Trouble};
use crate::upstream::chain;
use bytes::{Buf, Bytes, BytesMut};
use http::uri::Scheme;
use hudsucker::Body;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A TLS record header, or enough of a request line to tell a method.
const TELLING: usize = 5;

/// What a tunnel begins with.
#[derive(Debug, PartialEq, Eq)]
enum Opening {
    Tls,
    Http,
    Other,
}

/// Serves a tunnel until its end.
pub(super) async fn open(relay: &Arc<Relay>, via: &Arc<Via>, upgrading: OnUpgrade) {
    let Ok(upgraded) = upgrading.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Wire>>() else { return };
    let mut wire = parts.io.into_inner();
    wire.give_back(parts.read_buf);
    let first = match timeout(relay.deadlines.tunnel, wire.look_ahead(TELLING)).await {
        Ok(Ok(bytes)) => bytes.to_vec(),
        Ok(Err(error)) => return event(&relay.context, via, Trouble::Silent, chain(&error)),
        Err(_) => wire.take_ahead().to_vec(),
    };
    match opening(&first) {
        _ if first.is_empty() => event(&relay.context, via, Trouble::Silent, "no byte came in the tunnel".to_owned()),
        Opening::Tls => tls(relay, via, wire).await,
        Opening::Http => plain(relay, via, wire).await,
        Opening::Other => {
            event(&relay.context, via, Trouble::NotHttp, format!("the tunnel began with {} other bytes", first.len()));
            // In order, so that the other side sees an end and not a break.
            let _ = wire.shutdown().await;
        }
    }
}

fn opening(first: &[u8]) -> Opening {
    if first.len() < TELLING {
        return Opening::Other;
    }
    if first.starts_with(&[0x16, 0x03]) {
        return Opening::Tls;
    }
    let method = first.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_method = method.len() >= 3 && method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    if is_method { Opening::Http } else { Opening::Other }
}

/// Plain HTTP in a tunnel, HTTP/2 with prior knowledge included.
async fn plain(relay: &Arc<Relay>, via: &Arc<Via>, wire: Wire) {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (context, via) = (Arc::clone(&relay.context), Arc::clone(via));
        async move { Ok::<_, Infallible>(forward::answer(&context, &via, &Scheme::HTTP, request.map(Body::from)).await) }
    });
    let mut builder = server();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(relay.deadlines.head);
    let served = builder.serve_connection_with_upgrades(TokioIo::new(wire), service).await;
    if !via.was_used() {
        let detail = served.map_or_else(|error| chain(&*error), |()| "closed without a request".to_owned());
        event(&relay.context, via, Trouble::NotHttp, detail);
    }
}

/// The settings of both HTTP servers behind the relay.
pub(super) fn server() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().preserve_header_case(true).title_case_headers(true).auto_date_header(false);
    builder.http2().auto_date_header(false).timer(TokioTimer::new()).adaptive_window(true);
    builder
}

/// TLS: spliced to the core on a connection that it knows as this tunnel.
async fn tls(relay: &Arc<Relay>, via: &Arc<Via>, mut wire: Wire) {
    let hello = wire.take_ahead();
    let handshake = Handshake::new(&relay.keys, &hello);
    let mut core = match reach_core(&relay.context, via, relay.core, &hello).await {
        Ok(reached) => reached,
        Err(error) => {
            tracing::warn!(connection = via.connection.number, code = error.raw_os_error(), "cannot reach the core");
            return;
        }
    };
    let mut watched = Watched::new(wire, handshake);
    let began = Instant::now();
    let copied = match watched.write_all(&core.early).await {
        Ok(()) => copy_bidirectional(&mut watched, &mut core.stream).await,
        Err(error) => Err(error),
    };
    // Browsers open connections in advance; only one that refuses our certificate is worth a word.
    let is_spare = via.peer.actor == Actor::UserAgent && !watched.handshake.is_refused();
    if !via.was_used() && !is_spare {
        let trust = if relay.context.is_trusted(via) { Trust::Shown } else { Trust::Open };
        let (trouble, detail) = watched.handshake.verdict(began.elapsed(), trust, copied.err());
        event(&relay.context, via, trouble, detail);
    }
}

/// Our connection to the core.
struct Core {
    stream: TcpStream,
    /// Came after the answer to the CONNECT.
    early: Bytes,
    _entry: TunnelEntry,
}

/// Opens the same tunnel at the core and sends the first bytes after it.
async fn reach_core(context: &Arc<Context>, via: &Arc<Via>, core: SocketAddr, hello: &Bytes) -> io::Result<Core> {
    let target = via.target.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
    let mut stream = TcpStream::connect(core).await?;
    stream.set_nodelay(true)?;
    // The core asks for the tunnel only once the CONNECT is there.
    let entry = context.announce(stream.local_addr()?, Arc::clone(via));
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").into_bytes();
    request.extend_from_slice(hello);
    stream.write_all(&request).await?;
    let mut reply = BytesMut::with_capacity(4096);
    let end = loop {
        if let Some(found) = memchr::memmem::find(&reply, b"\r\n\r\n") {
            break found + 4;
        }
        if reply.len() > 1024 || stream.read_buf(&mut reply).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    if !reply.starts_with(b"HTTP/1.1 200") {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    // The answer to the hello may have come with it.
    reply.advance(end);
    Ok(Core { stream, early: reply.freeze(), _entry: entry })
}

fn event(context: &Context, via: &Via, trouble: Trouble, detail: String) {
    let host = via.target.as_ref().map(ToString::to_string);
    context.event(via.connection.number, Some(via.peer.session), trouble, host, detail);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bytes_tell() {
        assert_eq!(opening(b"\x16\x03\x01\x02\x00"), Opening::Tls);
        for http in [b"GET /", b"POST ", b"PUT /", b"DELET", b"PRI *", b"M-SEA"] {
            assert_eq!(opening(http), Opening::Http);
        }
        for other in [&b"SSH-2"[..], b"GET", b"\x16\x03", b"\x00\x00\x00\x00\x00", b"get /", b"  GET"] {
            assert_eq!(opening(other), Opening::Other, "{other:?}");
        }
    }
}
