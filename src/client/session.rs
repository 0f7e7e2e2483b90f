//! A conversation with an MCP server in whichever era it speaks: the newest is tried first.

use super::legacy::Legacy;
use super::modern::{self, Probe};
use super::transport::Transport;
use super::{ClientError, ServerInfo, Tool};
use serde_json::{Value, json};

/// How many pages of a list are read.
const PAGES: usize = 100;

/// A conversation.
pub(super) enum Session {
    /// 2026-07-28.
    Modern(ServerInfo),
    /// 2025-11-25 and earlier.
    Legacy(Box<Legacy>),
}

impl Session {
    /// Finds out what the server speaks, and begins.
    pub(super) async fn open(transport: &mut Transport) -> Result<Self, ClientError> {
        match modern::probe(transport).await? {
            Probe::Modern(info) => Ok(Self::Modern(info)),
            Probe::Legacy => Ok(Self::Legacy(Box::new(Legacy::open(transport).await?))),
        }
    }

    /// Who the server is.
    pub(super) fn info(&self) -> &ServerInfo {
        match self {
            Self::Modern(info) => info,
            Self::Legacy(legacy) => &legacy.info,
        }
    }

    /// Every tool of the server.
    pub(super) async fn tools(&mut self, transport: &mut Transport) -> Result<Vec<Tool>, ClientError> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..PAGES {
            let page = self.request(transport, "tools/list", params).await?;
            tools.extend(page["tools"].as_array().into_iter().flatten().map(Tool::of));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            params = json!({"cursor": cursor});
        }
        Ok(tools)
    }

    /// Calls a tool and gives its result as it came.
    pub(super) async fn call(&mut self, transport: &mut Transport, name: &str, arguments: &Value) -> Result<Value, ClientError> {
        self.request(transport, "tools/call", json!({"name": name, "arguments": arguments})).await
    }

    /// Says goodbye where there is something to end.
    pub(super) async fn close(self, transport: &mut Transport) {
        if let Self::Legacy(legacy) = self {
            legacy.close(transport).await;
        }
    }

    async fn request(&mut self, transport: &mut Transport, method: &str, params: Value) -> Result<Value, ClientError> {
        match self {
            Self::Modern(_) => modern::request(transport, method, params).await,
            Self::Legacy(legacy) => legacy.request(transport, method, &params).await,
        }
    }
}
