//! What the tests play in: a proxy with its captures, and clients that trust it.

use super::origin::authority;
use authtape::exchange::{Captured, ConnectionEvent, RawExchange, RawOutcome, RawResponse};
use authtape::proxy::{Admission, Answer, Credential, Deadlines, Options, Peer, Received, Root, Running, capture, serve};
use authtape::upstream::{ConnectTo, ExtraRoots, Upstream, UpstreamOptions};
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test when something does not happen.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
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
            answer: Answer::Upstream(Box::new(Upstream::new(self.upstream))),
            sink,
            credential: credential.clone(),
            admission: self.admission,
            started: Instant::now(),
            deadlines: self.deadlines,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = serve(listener, options, &shutdown).unwrap();
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
