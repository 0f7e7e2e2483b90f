//! One MCP server and one authorization server on two ports of 127.0.0.1.

use super::serve::{Front, serve};
use crate::model::{Issuer, IssuerId, IssuerPolicy, Model, ServerId, ServerPolicy};
use axum::Router;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Two servers that run until this is dropped.
#[derive(Debug)]
pub struct World {
    /// The URL of the MCP server.
    pub url: String,
    /// The identifier of the authorization server.
    pub issuer_url: String,
    /// The authorization server in the model.
    pub issuer: IssuerId,
    /// The MCP server in the model.
    pub server: ServerId,
    /// The model, its clock and its log.
    pub front: Arc<Front>,
    tasks: JoinSet<io::Result<()>>,
}

impl World {
    /// Binds two ports and serves. The seed decides every value that is issued.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn start(seed: [u8; 32], issuer: IssuerPolicy, server: ServerPolicy) -> io::Result<Self> {
        Self::start_with(seed, issuer, server, |front| front).await
    }

    /// The same with another MCP server behind the gate, at the path `/mcp`: `inner` answers what the model lets through.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn start_before(inner: Router, seed: [u8; 32], issuer: IssuerPolicy, server: ServerPolicy) -> io::Result<Self> {
        Self::start_with(seed, issuer, server, |front| front.before(inner)).await
    }

    async fn start_with(
        seed: [u8; 32],
        issuer: IssuerPolicy,
        server: ServerPolicy,
        dress: impl FnOnce(Front) -> Front,
    ) -> io::Result<Self> {
        let (resource_listener, resource) = bind().await?;
        let (issuer_listener, issuer_url) = bind().await?;
        let url = format!("{resource}/mcp");
        let mut model = Model::new(seed);
        let issuer = model.add_issuer(Issuer::new(&issuer_url, issuer));
        let server = model.add_server(&url, &[issuer], server);
        let front = Arc::new(dress(Front::new(model)));
        let mut tasks = JoinSet::new();
        for listener in [resource_listener, issuer_listener] {
            tasks.spawn(serve(listener, Arc::clone(&front)));
        }
        Ok(Self { url, issuer_url, issuer, server, front, tasks })
    }

    /// Ends both servers.
    pub async fn stop(mut self) {
        self.front.stop();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn bind() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}
