//! The load: connections that each send one small JSON-RPC request after the other, with a bearer, so that each is an MCP
//! exchange that authtape stores.

use super::Fallible;
use super::authority::{self, HOST};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// No request waits longer for its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What client and server speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// How a client reaches the upstream servers.
#[derive(Clone)]
pub struct Way {
    /// The proxy and what to show it; none for the direct way.
    pub proxy: Option<(SocketAddr, Option<String>)>,
    /// The certificate that is trusted, PEM.
    pub trusted: String,
}

/// When a load is over.
#[derive(Clone)]
pub enum Limit {
    /// After this time.
    Time(Duration),
    /// When so many requests were sent in all.
    Requests(u64),
}

/// What a load measured.
pub struct Measured {
    /// How long each request took, in microseconds, in order of size.
    pub latencies: Vec<u32>,
    pub took: Duration,
    /// When the last answer was complete.
    pub last: Instant,
}

impl Protocol {
    pub const BOTH: [Self; 2] = [Self::Http1, Self::Http2];

    pub fn alpn(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }

    /// Connections, and requests under way at once on each.
    fn shape(self) -> (usize, usize) {
        match self {
            Self::Http1 => (16, 1),
            Self::Http2 => (2, 8),
        }
    }
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// A percentile in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

/// Sends requests until the limit.
pub async fn run(way: &Way, server: SocketAddr, protocol: Protocol, limit: Limit) -> Fallible<Measured> {
    let (connections, streams) = protocol.shape();
    let mut clients = Vec::new();
    for _ in 0..connections {
        let client = Client::connect(way, server, protocol).await?;
        for _ in 1..streams {
            clients.push(client.another()?);
        }
        clients.push(client);
    }
    let began = Instant::now();
    let numbers = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for client in clients {
        workers.spawn(work(client, Arc::clone(&numbers), began, limit.clone()));
    }
    let mut measured = Measured { latencies: Vec::new(), took: Duration::ZERO, last: began };
    while let Some(done) = workers.join_next().await {
        let (latencies, last) = done??;
        measured.latencies.extend(latencies);
        measured.last = measured.last.max(last);
    }
    measured.took = measured.last - began;
    measured.latencies.sort_unstable();
    Ok(measured)
}

async fn work(mut client: Client, numbers: Arc<AtomicU64>, began: Instant, limit: Limit) -> Fallible<(Vec<u32>, Instant)> {
    let mut latencies = Vec::new();
    let mut last = began;
    loop {
        let number = numbers.fetch_add(1, Relaxed);
        let is_over = match limit {
            Limit::Time(time) => began.elapsed() >= time,
            Limit::Requests(count) => number >= count,
        };
        if is_over {
            return Ok((latencies, last));
        }
        let sent = Instant::now();
        let response = tokio::time::timeout(PATIENCE, client.send(client.tool_call(number))).await??;
        if response.status() != 200 {
            return Err(format!("{} in place of an answer", response.status()).into());
        }
        response.into_body().collect().await?;
        last = Instant::now();
        latencies.push((last - sent).as_micros() as u32);
    }
}

/// One connection, or one of several users of it.
pub struct Client {
    sender: Sender,
    server: SocketAddr,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub async fn connect(way: &Way, server: SocketAddr, protocol: Protocol) -> Fallible<Self> {
        let stream = match &way.proxy {
            None => TcpStream::connect(server).await?,
            Some((proxy, credential)) => tunnel(*proxy, credential.as_deref(), server).await?,
        };
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(authority::client(&way.trusted, &[protocol.alpn()])?));
        let stream = TokioIo::new(connector.connect(ServerName::try_from(HOST)?, stream).await?);
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Self { sender, server })
    }

    fn another(&self) -> Fallible<Self> {
        match &self.sender {
            Sender::Http1(_) => Err("HTTP/1.1 has one request at a time".into()),
            Sender::Http2(sender) => Ok(Self { sender: Sender::Http2(sender.clone()), server: self.server }),
        }
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// A JSON-RPC request of 171 bytes; its answer has 229.
    fn tool_call(&self, number: u64) -> Request<Full<Bytes>> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{number:07},"method":"tools/call","params":{{"name":"weather","arguments":{{"place":"Hamburg","days":3,"units":"metric","language":"en","detail":"short"}}}}}}"#
        )
        .replacen("\"id\":0", "\"id\":1", 1);
        self.request("POST", Full::from(body))
    }

    /// A request to the MCP endpoint.
    pub fn request(&self, method: &str, body: Full<Bytes>) -> Request<Full<Bytes>> {
        let authority = format!("{HOST}:{}", self.server.port());
        let uri = match self.sender {
            Sender::Http1(_) => Uri::from_static("/mcp"),
            Sender::Http2(_) => Uri::try_from(format!("https://{authority}/mcp")).expect("a host and a port make an URL"),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if matches!(self.sender, Sender::Http1(_)) {
            request = request.header("host", authority);
        }
        request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", "Bearer hV3kQ9sX2mB7tZ5wR8nL4cJ6yD1fG0pA")
            .header("mcp-protocol-version", "2025-11-25")
            .body(body)
            .expect("the parts are fixed and valid")
    }
}

/// RFC 9110 §9.3.6.
async fn tunnel(proxy: SocketAddr, credential: Option<&str>, server: SocketAddr) -> Fallible<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    let target = format!("{HOST}:{}", server.port());
    let credential = credential.map(|credential| format!("Proxy-Authorization: {credential}\r\n")).unwrap_or_default();
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credential}\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if head.starts_with(b"HTTP/1.1 200") { Ok(stream) } else { Err(String::from_utf8_lossy(&head).into_owned().into()) }
}
