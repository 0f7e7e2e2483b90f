//! The client's side of the proxy port: who is let in, tunnels, requests for plain http URLs, and everything that is neither.

use super::context::Via;
use super::credential::{Peer, Shown};
use super::relay::{Admission, Entrance, Relay};
use super::wire::{Connection, Wire};
use super::{forward, reverse, tunnel};
use crate::exchange::{Actor, Trouble};
use crate::reply::{Handshake, Threshold};
use crate::upstream::chain;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hudsucker::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::net::TcpStream;

/// Serves a client's connection until its end, or until it becomes a tunnel.
pub(super) async fn serve(relay: Arc<Relay>, connection: Arc<Connection>, stream: TcpStream) {
    let service = service_fn(|request| {
        let (relay, connection) = (Arc::clone(&relay), Arc::clone(&connection));
        async move { Ok::<_, Infallible>(respond(&relay, &connection, request).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(relay.deadlines.head)
        .auto_date_header(false)
        .preserve_header_case(true)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Wire::new(stream, Arc::clone(&connection))), service)
        .with_upgrades();
    let served = tokio::select! {
        served = serving => served,
        () = connection.stop.cancelled() => Ok(()),
    };
    // A browser opens connections in advance; what is no HTTP at all is worth a word at a reverse listener too.
    let is_web = relay.entrance == Entrance::Reverse && !served.as_ref().is_err_and(hyper::Error::is_parse);
    let is_spare = is_web || matches!(relay.admission, Admission::OwnUser(Peer { actor: Actor::UserAgent, .. }));
    if connection.requests.load(Relaxed) == 0 && !is_spare {
        let (trouble, detail) = match &served {
            Err(error) if error.is_parse() => (Trouble::NotHttp, chain(error)),
            Err(error) if error.is_timeout() => (Trouble::Silent, "no request within the deadline".to_owned()),
            Err(error) => (Trouble::Silent, chain(error)),
            Ok(()) => (Trouble::Silent, "closed without a request".to_owned()),
        };
        relay.context.event(connection.number, None, trouble, None, detail);
    }
    let refused = connection.refused().take();
    if let Some((host, detail)) = refused {
        relay.context.event(connection.number, None, Trouble::ConnectRefused, host, detail);
    }
}

async fn respond(relay: &Arc<Relay>, connection: &Arc<Connection>, request: Request<Incoming>) -> Response<Body> {
    connection.requests.fetch_add(1, Relaxed);
    if relay.entrance == Entrance::Reverse {
        return reverse::respond(relay, connection, request).await;
    }
    if request.method() == Method::CONNECT {
        return connect(relay, connection, request).await;
    }
    let Some(scheme) = request.uri().scheme().cloned() else {
        return forward::text(StatusCode::BAD_REQUEST, ABOUT.to_owned());
    };
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return forward::text(StatusCode::BAD_REQUEST, "authtape: only http and https URLs\n".to_owned());
    }
    match admit(relay, connection, request.headers()).await {
        Ok(peer) => {
            connection.refused().take();
            let via = Via::new(Arc::clone(connection), peer, None);
            forward::answer(&relay.context, &via, &scheme, request.map(Body::from)).await
        }
        Err(refusal) => refuse(connection, request.uri().authority().map(ToString::to_string), refusal),
    }
}

async fn connect(relay: &Arc<Relay>, connection: &Arc<Connection>, request: Request<Incoming>) -> Response<Body> {
    let target = request.uri().authority().cloned();
    let host = target.as_ref().map(ToString::to_string);
    let peer = match admit(relay, connection, request.headers()).await {
        Ok(peer) => peer,
        Err(refusal) => return refuse(connection, host, refusal),
    };
    let Some(target) = target.filter(|target| target.port_u16().is_some() && !target.host().is_empty()) else {
        *connection.refused() = Some((host, "the target is not host:port".to_owned()));
        return forward::text(StatusCode::BAD_REQUEST, "authtape: CONNECT needs host:port\n".to_owned());
    };
    match relay.context.answer.handshake(peer, target.host(), Threshold::Tunnel) {
        Some(Handshake::Refused(status)) => {
            *connection.refused() = Some((host, format!("refused with {status} on purpose")));
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            return forward::text(status, "authtape: the tunnel is refused on purpose\n".to_owned());
        }
        Some(Handshake::Broken(how)) => {
            let reason = connection.break_off(how).unwrap_or("the connection stays silent on purpose");
            *connection.refused() = Some((host, reason.to_owned()));
            // The connection is torn down, or nothing more comes.
            return std::future::pending().await;
        }
        _ => {}
    }
    connection.refused().take();
    let via = Arc::new(Via::new(Arc::clone(connection), peer, Some(target)));
    let relay = Arc::clone(relay);
    let tasks = relay.context.tasks.clone();
    tasks.spawn(async move {
        let stop = via.connection.stop.clone();
        tokio::select! {
            () = tunnel::open(&relay, &via, hyper::upgrade::on(request)) => {}
            () = stop.cancelled() => {}
        }
    });
    Response::new(Body::empty())
}

/// Why a request is not let in.
#[derive(Clone, Copy)]
enum Refusal {
    NoCredential,
    WrongCredential,
}

async fn admit(relay: &Arc<Relay>, connection: &Connection, headers: &HeaderMap) -> Result<Peer, Refusal> {
    match relay.credential.check(headers) {
        Shown::Right(peer) => Ok(peer),
        Shown::Wrong => Err(Refusal::WrongCredential),
        Shown::Nothing => {
            let Admission::OwnUser(peer) = relay.admission else { return Err(Refusal::NoCredential) };
            if connection.is_of_our_user().await { Ok(peer) } else { Err(Refusal::NoCredential) }
        }
    }
}

/// RFC 9110 §11.7.1. The connection stays: some clients (git) send their credential only then.
fn refuse(connection: &Connection, host: Option<String>, refusal: Refusal) -> Response<Body> {
    let reason = match refusal {
        Refusal::NoCredential => "no proxy credential",
        Refusal::WrongCredential => "wrong proxy credential",
    };
    *connection.refused() = Some((host, reason.to_owned()));
    let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
    let mut response = forward::text(status, format!("authtape: {reason}: use the proxy URL of this run\n"));
    response.headers_mut().insert(header::PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"authtape\""));
    response
}

const ABOUT: &str = "authtape: this is the port of a recording proxy, not a web server.\n\
                     Start a client with `authtape record -- CMD`, or set HTTPS_PROXY as `authtape env` prints it.\n";
