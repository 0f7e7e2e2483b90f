//! hudsucker alone: intercepts and forwards, records nothing. The bench starts itself in this role, so that its processor time
//! can be told apart.

use super::Fallible;
use super::authority::{self, Authority, OneHost};
use hudsucker::{HttpHandler, WebSocketHandler};
use hyper_util::client::legacy::connect::HttpConnector;
use std::net::Ipv4Addr;
use std::path::Path;
use tokio::net::TcpSocket;

#[derive(Clone)]
struct Forward;

impl HttpHandler for Forward {}
impl WebSocketHandler for Forward {}

/// Serves until killed. Writes its root certificate and then its address into the folder.
pub async fn serve(folder: &Path, upstream_ca: &Path) -> Fallible<()> {
    let socket = TcpSocket::new_v4()?;
    // Inherited by accepted sockets: each TLS answer waits 40 ms otherwise.
    socket.set_nodelay(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(1024)?;
    let address = listener.local_addr()?;
    let authority = Authority::new("bare hudsucker")?;
    let mut dial = HttpConnector::new();
    dial.set_nodelay(true);
    dial.enforce_http(false);
    // The connector itself decides on ALPN.
    let config = authority::client(&std::fs::read_to_string(upstream_ca)?, &[])?;
    let connector =
        hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().enable_http2().wrap_connector(dial);
    let proxy = hudsucker::Proxy::builder()
        .with_listener(listener)
        .with_ca(OneHost(authority.server(&["h2", "http/1.1"])?))
        .with_http_connector(connector)
        .with_http_handler(Forward)
        .with_websocket_handler(Forward)
        .build()?;
    std::fs::write(folder.join("root.pem"), authority.pem())?;
    std::fs::write(folder.join("address.new"), address.to_string())?;
    std::fs::rename(folder.join("address.new"), folder.join("address"))?;
    Ok(proxy.start().await?)
}
