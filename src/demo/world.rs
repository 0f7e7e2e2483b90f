//! One MCP server and one authorization server on two ports of 127.0.0.1, under addresses or under made-up names.

use super::serve::{Front, serve};
use crate::model::{Issuer, IssuerId, IssuerPolicy, Model, ServerId, ServerPolicy};
use axum::Router;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a world is made of.
#[derive(Clone, Default)]
pub struct Plan {
    /// Decides every value that is issued.
    pub seed: [u8; 32],
    /// How the authorization server behaves.
    pub issuer: IssuerPolicy,
    /// How the MCP server behaves.
    pub server: ServerPolicy,
    /// Another MCP server behind the gate, with the path `/mcp`.
    pub inner: Option<Router>,
    /// What the servers call themselves.
    pub names: Names,
}

/// What the servers of a world call themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Their addresses.
    #[default]
    Addresses,
    /// `mcp.demo.localhost` and `auth.demo.localhost`, which only a proxy with [`World::connect_to`] finds.
    MadeUp,
}

/// Two servers that run until this is dropped.
#[derive(Debug)]
pub struct World {
    /// The URL of the MCP server.
    pub url: String,
    /// The identifier of the authorization server.
    pub issuer_url: String,
    /// Where the made-up names lead: `HOST:PORT=ADDR:PORT` each.
    pub connect_to: Vec<String>,
    /// The authorization server in the model.
    pub issuer: IssuerId,
    /// The MCP server in the model.
    pub server: ServerId,
    /// The model, its clock and its log.
    pub front: Arc<Front>,
    tasks: JoinSet<io::Result<()>>,
}

impl World {
    /// Binds two ports and serves.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn start(plan: Plan) -> io::Result<Self> {
        let mut tasks = JoinSet::new();
        let mut connect_to = Vec::new();
        let mut origins = Vec::new();
        let mut listeners = Vec::new();
        for name in ["mcp", "auth"] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            origins.push(match plan.names {
                Names::Addresses => format!("http://{address}"),
                Names::MadeUp => format!("http://{name}.demo.localhost"),
            });
            if plan.names == Names::MadeUp {
                connect_to.push(format!("{name}.demo.localhost:80={address}"));
            }
            listeners.push(listener);
        }
        let (url, issuer_url) = (format!("{}/mcp", origins[0]), origins.remove(1));
        let mut model = Model::new(plan.seed);
        let issuer = model.add_issuer(Issuer::new(&issuer_url, plan.issuer));
        let server = model.add_server(&url, &[issuer], plan.server);
        let front = Front::new(model);
        let front = Arc::new(match plan.inner {
            Some(inner) => front.before(inner),
            None => front,
        });
        for listener in listeners {
            tasks.spawn(serve(listener, Arc::clone(&front)));
        }
        Ok(Self { url, issuer_url, connect_to, issuer, server, front, tasks })
    }

    /// Ends both servers.
    pub async fn stop(mut self) {
        self.front.stop();
        while self.tasks.join_next().await.is_some() {}
    }
}
