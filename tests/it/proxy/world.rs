//! What the tests play in: a server with streams in the test's hand, a proxy with its captures, clients that trust it.

use authtape::exchange::{Captured, ConnectionEvent, RawExchange, RawOutcome, RawResponse};
use authtape::proxy::{Admission, Answer, Credential, Deadlines, Options, Peer, Received, Root, Running, capture, serve};
use authtape::upstream::{ConnectTo, ExtraRoots, Upstream, UpstreamOptions};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test when something does not happen.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: String,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A response body in the hand of the test.
pub struct Stream(mpsc::UnboundedSender<Result<Frame<Bytes>, io::Error>>);

impl Stream {
    pub fn send(&self, text: &str) {
        let _ = self.0.send(Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes()))));
    }

    pub fn trailers(&self, trailers: HeaderMap) {
        let _ = self.0.send(Ok(Frame::trailers(trailers)));
    }

    pub fn break_off(&self) {
        let _ = self.0.send(Err(io::Error::other("broken off")));
    }

    /// Resolves when the other side no longer reads.
    pub async fn abandoned(&self) {
        soon(self.0.closed()).await;
    }
}

/// Which protocols a server offers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http2,
    PlainHttp,
}

/// A server.
pub struct Origin {
    pub address: SocketAddr,
    speaks: Speaks,
    seen: Arc<Mutex<Vec<Seen>>>,
    streams: tokio::sync::Mutex<mpsc::UnboundedReceiver<Stream>>,
}

type Answered = Response<BoxBody<Bytes, io::Error>>;

impl Origin {
    pub async fn start(speaks: Speaks) -> Self {
        Self::start_on("127.0.0.1:0", speaks, authority()).await
    }

    pub async fn start_on(address: &str, speaks: Speaks, authority: &TestAuthority) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, (opened, streams)) = (Arc::default(), mpsc::unbounded_channel());
        let acceptor = authority.acceptor(if speaks == Speaks::Http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] });
        let place = Place { seen: Arc::clone(&seen), opened };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (acceptor, place) = (acceptor.clone(), place.clone());
                tokio::spawn(async move {
                    if speaks == Speaks::PlainHttp {
                        place.serve(stream).await;
                    } else if let Ok(stream) = acceptor.accept(stream).await {
                        place.serve(stream).await;
                    }
                });
            }
        });
        Self { address, speaks, seen, streams: tokio::sync::Mutex::new(streams) }
    }

    /// A URL on this server's address.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.speaks == Speaks::PlainHttp { "http" } else { "https" };
        format!("{scheme}://{}{path}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the server saw a request")
    }

    /// The next response body of `/stream` or `/sse`.
    pub async fn stream(&self) -> Stream {
        soon(async { self.streams.lock().await.recv().await }).await.unwrap()
    }
}

#[derive(Clone)]
struct Place {
    seen: Arc<Mutex<Vec<Seen>>>,
    opened: mpsc::UnboundedSender<Stream>,
}

impl Place {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = hyper::service::service_fn(move |request| {
            let place = self.clone();
            async move { Ok::<_, Infallible>(place.answer(request).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().auto_date_header(false).preserve_header_case(true);
        builder.http2().auto_date_header(false);
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Answered {
        let path = request.uri().path().to_owned();
        if path == "/ws" {
            return web_socket(request);
        }
        if path == "/upload" {
            return self.relay_upload(request);
        }
        let Ok(body) = request.body_mut().collect().await else { return answer(StatusCode::BAD_REQUEST, "") };
        let seen = Seen {
            method: request.method().clone(),
            uri: request.uri().to_string(),
            version: request.version(),
            headers: request.headers().clone(),
            body: body.to_bytes(),
        };
        self.seen.lock().unwrap().push(seen.clone());
        match path.as_str() {
            "/echo" => {
                let mut response = Response::new(Full::new(seen.body).map_err(|e| match e {}).boxed());
                if let Some(value) = request.headers().get(header::CONTENT_TYPE) {
                    response.headers_mut().insert(header::CONTENT_TYPE, value.clone());
                }
                response
            }
            "/stream" => self.open("application/octet-stream"),
            "/sse" => self.open("text/event-stream"),
            "/gzip" => {
                let mut response = answer(StatusCode::OK, &String::from_utf8_lossy(b""));
                *response.body_mut() = Full::new(gzip(b"{\"packed\":true}")).map_err(|e| match e {}).boxed();
                response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
                response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
                response
            }
            "/zeros" => zeros(request.uri().query().unwrap().parse().unwrap()),
            "/204" => answer(StatusCode::NO_CONTENT, ""),
            "/304" => answer(StatusCode::NOT_MODIFIED, ""),
            _ => answer(StatusCode::OK, "hello"),
        }
    }

    fn open(&self, media_type: &str) -> Answered {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.opened.send(Stream(sender)).unwrap();
        Response::builder()
            .header(header::CONTENT_TYPE, media_type)
            .header(header::TRAILER, "x-sum")
            .body(BodyExt::boxed(StreamBody::new(Received_(receiver))))
            .unwrap()
    }

    /// Sends each piece of the request body back as soon as it comes.
    fn relay_upload(&self, request: Request<Incoming>) -> Answered {
        Response::new(request.into_body().map_err(io::Error::other).boxed())
    }
}

struct Received_(mpsc::UnboundedReceiver<Result<Frame<Bytes>, io::Error>>);

impl futures_util::Stream for Received_ {
    type Item = Result<Frame<Bytes>, io::Error>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

fn answer(status: StatusCode, text: &str) -> Answered {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|e| match e {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn zeros(count: u64) -> Answered {
    const PIECE: Bytes = Bytes::from_static(&[0; 64 << 10]);
    let pieces = (0..count.div_ceil(PIECE.len() as u64)).map(move |piece| {
        let left = count - piece * PIECE.len() as u64;
        Ok(Frame::data(PIECE.slice(..PIECE.len().min(left as usize))))
    });
    Response::new(BodyExt::boxed(StreamBody::new(futures_util::stream::iter(pieces))))
}

fn gzip(bytes: &[u8]) -> Bytes {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

/// Answers the handshake and sends everything back.
fn web_socket(mut request: Request<Incoming>) -> Answered {
    use hudsucker::tokio_tungstenite::tungstenite::handshake::derive_accept_key;
    let key = request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes();
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key))
        .body(Full::default().map_err(|e| match e {}).boxed())
        .unwrap();
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        use futures_util::{SinkExt, StreamExt};
        use hudsucker::tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
        let stream = TokioIo::new(upgrading.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(message).await.is_err() {
                break;
            }
        }
    });
    response
}

/// A certificate authority for servers.
pub struct TestAuthority(CertifiedIssuer<'static, KeyPair>);

/// The one that the proxies of the tests trust.
pub fn authority() -> &'static TestAuthority {
    static AUTHORITY: OnceLock<TestAuthority> = OnceLock::new();
    AUTHORITY.get_or_init(TestAuthority::new)
}

impl TestAuthority {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two of one name would be taken for one another.
        params.distinguished_name.push(DnType::CommonName, format!("test authority {}", NUMBER.fetch_add(1, Relaxed)));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1", "::1", "mcp.example.test", "auth.example.test"].map(str::to_owned);
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.into()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A proxy with everything around it.
pub struct World {
    pub proxy: Running,
    pub root: Arc<Root>,
    pub credential: Credential,
    pub shutdown: CancellationToken,
    captures: tokio::sync::Mutex<mpsc::UnboundedReceiver<Captured>>,
}

/// How a proxy is set up.
pub struct Setup {
    pub upstream: UpstreamOptions,
    pub admission: Admission,
    pub deadlines: Deadlines,
}

impl Default for Setup {
    fn default() -> Self {
        let extra_roots = ExtraRoots::from_pem(authority().pem().as_bytes()).unwrap();
        Self {
            upstream: UpstreamOptions { extra_roots, ..UpstreamOptions::default() },
            admission: Admission::CredentialOnly,
            deadlines: Deadlines::default(),
        }
    }
}

impl Setup {
    pub fn connect_to(mut self, rule: &str) -> Self {
        self.upstream.connect_to = ConnectTo::parse(rule.split(' ')).unwrap();
        self
    }

    pub async fn start(self) -> World {
        let (sink, mut captures) = capture();
        let root = Arc::new(Root::for_run().unwrap());
        let credential = Credential::generate().unwrap();
        let shutdown = CancellationToken::new();
        let options = Options {
            root: Arc::clone(&root),
            answer: Answer::Upstream(Upstream::new(self.upstream)),
            sink,
            credential: credential.clone(),
            admission: self.admission,
            started: Instant::now(),
            deadlines: self.deadlines,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = serve(listener, options, shutdown.clone()).unwrap();
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            loop {
                let is_over = match captures.recv(PATIENCE) {
                    Received::Message(message) => sender.send(message).is_err(),
                    Received::Nothing => false,
                    Received::Closed => true,
                };
                if is_over {
                    return;
                }
            }
        });
        World { proxy, root, credential, shutdown, captures: tokio::sync::Mutex::new(receiver) }
    }
}

impl World {
    pub async fn new() -> Self {
        Setup::default().start().await
    }

    pub fn proxy_url(&self) -> String {
        self.credential.proxy_url(self.proxy.address(), Peer::client(1))
    }

    /// A client that trusts the proxy and uses it for everything.
    pub fn client(&self) -> reqwest::Client {
        self.client_builder().build().unwrap()
    }

    pub fn client_builder(&self) -> reqwest::ClientBuilder {
        let root = reqwest::Certificate::from_pem(self.root.certificate_pem().as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([root]).proxy(reqwest::Proxy::all(self.proxy_url()).unwrap())
    }

    /// The next message of the proxy.
    pub async fn captured(&self) -> Captured {
        soon(async { self.captures.lock().await.recv().await }).await.expect("the proxy is there")
    }

    /// The next message, if it is an exchange that is over.
    pub async fn exchange(&self) -> RawExchange {
        match self.captured().await {
            Captured::Exchange(exchange) => *exchange,
            other => panic!("not an exchange: {other:?}"),
        }
    }

    /// The next message, if it is an event.
    pub async fn event(&self) -> ConnectionEvent {
        match self.captured().await {
            Captured::Event(event) => event,
            other => panic!("not an event: {other:?}"),
        }
    }

    /// A raw connection to the proxy.
    pub async fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.proxy.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A TLS connection through a tunnel, by a client that trusts these certificates and offers these protocols.
    pub async fn tunnel_tls(
        &self,
        target: &str,
        trusted: &str,
        protocols: &[&[u8]],
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = self.tunnel(target).await;
        tls_connector(trusted, protocols).connect("localhost".try_into().unwrap(), stream).await
    }

    /// A tunnel.
    pub async fn tunnel(&self, target: &str) -> TcpStream {
        let mut stream = self.raw().await;
        let credential = self.credential.header(Peer::client(1));
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: {credential}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(head(&mut stream).await, "HTTP/1.1 200 OK\r\n\r\n");
        stream
    }

    /// Runs curl through the proxy, trusting it.
    pub async fn curl(&self, arguments: &[&str]) -> std::process::Output {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root.pem");
        std::fs::write(&root, self.root.certificate_pem()).unwrap();
        let mut command = tokio::process::Command::new("curl");
        command.env_clear().arg("-sS").arg("--cacert").arg(&root).arg("--proxy").arg(self.proxy_url()).args(arguments);
        soon(command.kill_on_drop(true).output()).await.unwrap()
    }
}

/// Reads a message head, byte by byte.
pub async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// TLS with certificates and protocols of choice.
pub fn tls_connector(trusted: &str, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// Reads a body to its end and gives the rest; the end of an HTTP/2 stream may be an empty frame of its own.
pub async fn rest(answer: &mut reqwest::Response) -> Bytes {
    let mut rest = Vec::new();
    while let Some(chunk) = soon(answer.chunk()).await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    rest.into()
}

/// The response of an exchange.
pub fn response(exchange: &RawExchange) -> &RawResponse {
    match &exchange.outcome {
        RawOutcome::Response(response) => response,
        RawOutcome::Failed(failure) => panic!("{failure:?}"),
    }
}
