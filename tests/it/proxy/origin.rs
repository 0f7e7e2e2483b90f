//! A server whose streams are in the hand of the test, and the authority that vouches for it.

use super::world::soon;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
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
        let seen =
            Seen { uri: request.uri().to_string(), version: request.version(), headers: request.headers().clone(), body: body.to_bytes() };
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
            .body(BodyExt::boxed(StreamBody::new(Pieces(receiver))))
            .unwrap()
    }

    /// Sends each piece of the request body back as soon as it comes.
    fn relay_upload(&self, request: Request<Incoming>) -> Answered {
        Response::new(request.into_body().map_err(io::Error::other).boxed())
    }
}

struct Pieces(mpsc::UnboundedReceiver<Result<Frame<Bytes>, io::Error>>);

impl futures_util::Stream for Pieces {
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

    pub fn acceptor(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1", "::1", "mcp.example.test", "auth.example.test"].map(str::to_owned);
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.into()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
