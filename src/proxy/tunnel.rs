//! What comes after a CONNECT: TLS goes to the core, HTTP is served here, anything else is refused. The first five bytes
//! tell, however slowly they come.

use super::context::{Context, Tunnel, Via};
use super::handover::{self, Ended};
use super::handshake::{Handshake, Trust, Watched};
use super::relay::Relay;
use super::wire::Wire;
use super::{flawed, forward};
use crate::exchange::{Actor, Trouble};
use crate::reply::{Handshake as Planned, Threshold};
use crate::upstream::chain;
use http::uri::Scheme;
use hudsucker::Body;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A TLS record header, or enough of a request line to tell a method.
const TELLING: usize = 5;

/// The beginning of the core's answer to a CONNECT that it takes.
const ANSWER: [u8; 12] = *b"HTTP/1.1 200";

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
        Opening::Tls => secure(relay, via, wire).await,
        Opening::Http => http(relay, via, wire, Scheme::HTTP).await,
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

/// TLS as it should be, or as it should not.
async fn secure(relay: &Arc<Relay>, via: &Arc<Via>, wire: Wire) {
    let host = via.target.as_ref().map(|target| target.host().to_owned()).unwrap_or_default();
    match relay.context.answer.handshake(via.peer, &host, Threshold::Tls) {
        Some(Planned::Failed) => {
            let refused = flawed::refuse(wire).await;
            let detail = refused.map_or_else(|error| chain(&error), |()| "ended with handshake_failure on purpose".to_owned());
            event(&relay.context, via, Trouble::TlsHandshakeFailed, detail);
        }
        Some(Planned::Certificate(flaw)) => match flawed::accept(&relay.root, &host, flaw, wire).await {
            // The client goes on all the same.
            Ok(stream) => http(relay, via, stream, Scheme::HTTPS).await,
            Err(error) => {
                let detail = format!("a flawed certificate ({flaw:?}) was shown on purpose: {}", chain(&error));
                event(&relay.context, via, Trouble::TlsHandshakeFailed, detail);
            }
        },
        _ => tls(relay, via, wire).await,
    }
}

/// HTTP in a tunnel, HTTP/2 with prior knowledge included.
async fn http<I>(relay: &Arc<Relay>, via: &Arc<Via>, wire: I, scheme: Scheme)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (context, via, scheme) = (Arc::clone(&relay.context), Arc::clone(via), scheme.clone());
        async move { Ok::<_, Infallible>(forward::answer(&context, &via, &scheme, request.map(Body::from)).await) }
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

/// TLS: the core gets the client's stream. Waits until it lets go of it.
async fn tls(relay: &Arc<Relay>, via: &Arc<Via>, wire: Wire) {
    let began = Instant::now();
    let watched = Watched::new(wire, Handshake::new(&relay.keys));
    let Ok((stream, ended)) = handover::upgrade_to(watched, via.connection.stop.clone()).await else { return };
    if let Err(error) = hand_over(relay, via, stream).await {
        tracing::warn!(connection = via.connection.number, code = error.raw_os_error(), "cannot reach the core");
        return;
    }
    let Ok(Ended { handshake, error }) = ended.await else { return };
    // Browsers open connections in advance; only one that refuses our certificate is worth a word.
    let is_spare = via.peer.actor == Actor::UserAgent && !handshake.is_refused();
    if !via.was_used() && !is_spare {
        let trust = if relay.context.is_trusted(via) { Trust::Shown } else { Trust::Open };
        let (trouble, detail) = handshake.verdict(began.elapsed(), trust, error);
        event(&relay.context, via, trouble, detail);
    }
}

/// Names the tunnel to the core over a socket of ours, which carries nothing else.
async fn hand_over(relay: &Relay, via: &Arc<Via>, stream: OnUpgrade) -> io::Result<()> {
    let target = via.target.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
    let _turn = relay.naming.acquire().await.map_err(io::Error::other)?;
    let mut socket = TcpStream::connect(relay.core).await?;
    // The core asks for the tunnel only once the CONNECT is there.
    let _entry = relay.context.announce(socket.local_addr()?, Tunnel { via: Arc::clone(via), stream });
    socket.write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes()).await?;
    let mut answer = [0; ANSWER.len()];
    socket.read_exact(&mut answer).await?;
    if answer == ANSWER { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
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
