//! Delivers a redirect to the client's own listener, directly and never through the proxy, and reports it as an exchange.

use super::opened::is_loopback;
use super::walk::{ACCEPTED, USER_AGENT_NAME, chain, drain};
use crate::exchange::{Actor, Captured, End, Failure, Headers, RawBody, RawExchange, RawOutcome, RawRequest, RawResponse, Stage, Version};
use crate::reply::Family;
use reqwest::{Client, redirect};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use url::Url;

/// A client may exchange the code before it answers its browser.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a client may take to listen, and how often its door is tried.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(50);

/// Where callbacks are reported, and what numbers they bear.
pub struct CallbackSink {
    /// Gives the number, the connection and the time since the start of the run for an exchange that begins now, at this port of a
    /// loopback address.
    pub begin: Box<dyn Fn(u16) -> Mark + Send + Sync>,
    /// Takes the exchange when it is over.
    pub report: Box<dyn Fn(Captured) + Send + Sync>,
}

/// The place of an exchange in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// See [`RawExchange::number`].
    pub number: u32,
    /// See [`RawExchange::connection`].
    pub connection: u32,
    /// See [`RawExchange::at`].
    pub at: Duration,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The client answered.
    Answered(u16),
    /// Nobody took it. One line, without the URL.
    Refused(String),
}

/// Asks the client's listener as a browser would: at its address, or for `localhost` at ::1 and 127.0.0.1, whichever takes the
/// connection. Only loopback is ever dialled. Once the client is gone (`leaving`) nobody will begin to listen.
pub(super) async fn deliver(url: &Url, family: Family, session: u32, sink: &CallbackSink, leaving: &CancellationToken) -> Delivered {
    if !is_loopback(url) {
        return Delivered::Refused("not a loopback address".to_owned());
    }
    let mark = (sink.begin)(port_of(url));
    let began = Instant::now();
    let headers = request_headers(url);
    let result = loop {
        match ask(url, family, &headers).await {
            // Some clients open the browser first and listen afterwards: a person is never that fast.
            Err((Stage::Connect, _)) if began.elapsed() < PATIENCE && !leaving.is_cancelled() => {
                leaving.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
            }
            result => break result,
        }
    };
    let took = Some(began.elapsed());
    let (outcome, delivered) = match result {
        Ok((status, headers, size)) => {
            let body = RawBody { end: if size == 0 { End::Complete } else { End::Cut { of: size } }, ..RawBody::default() };
            (RawOutcome::Response(RawResponse { status, headers, body }), Delivered::Answered(status))
        }
        Err((stage, reason)) => (RawOutcome::Failed(Failure { stage, reason: reason.clone() }), Delivered::Refused(reason)),
    };
    let mut sent = url.clone();
    sent.set_fragment(None);
    let request = RawRequest { method: "GET".to_owned(), url: sent.into(), version: Version::Http11, headers, body: RawBody::default() };
    let Mark { number, connection, at } = mark;
    let exchange = RawExchange { number, session, actor: Actor::UserAgent, connection, at, took, request, outcome, answered: None };
    (sink.report)(Captured::Exchange(Box::new(exchange)));
    delivered
}

type Answer = (u16, Headers, u64);

async fn ask(url: &Url, family: Family, headers: &Headers) -> Result<Answer, (Stage, String)> {
    let builder = Client::builder().no_proxy().redirect(redirect::Policy::none()).http1_only().timeout(LIMIT);
    let addresses: &[IpAddr] = match family {
        Family::Both => &[IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        Family::V4 => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        Family::V6 => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
    };
    let addresses: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, port_of(url))).collect();
    let client = builder.resolve_to_addrs("localhost", &addresses).tls_certs_only([]).build();
    let client = client.map_err(|error| (Stage::Connect, chain(&error.without_url())))?;
    let mut request = client.get(url.clone());
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
        request = request.header(name, value);
    }
    let response = request.send().await.map_err(|error| {
        let stage = if error.is_connect() { Stage::Connect } else { Stage::Response };
        (stage, chain(&error.without_url()))
    })?;
    let status = response.status().as_u16();
    let fields = response.headers().iter();
    let answer = fields.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    Ok((status, answer, drain(response).await))
}

fn port_of(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(80)
}

fn request_headers(url: &Url) -> Headers {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    [("host", host.as_str()), ("user-agent", USER_AGENT_NAME), ("accept", ACCEPTED)].into_iter().collect()
}
