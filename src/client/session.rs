//! A conversation with an MCP server in whichever era it speaks: the newest is tried first.

use super::legacy::Legacy;
use super::modern::{self, Probe};
use super::transport::Transport;
use super::{ClientError, ServerInfo, Tool, annotation};
use serde_json::{Value, json};

/// How many pages of a list are read.
const PAGES: usize = 100;

/// A conversation.
pub(super) enum Session {
    /// 2026-07-28, with the tools that were listed.
    Modern(ServerInfo, Vec<Tool>),
    /// 2025-11-25 and earlier.
    Legacy(Box<Legacy>),
}

impl Session {
    /// Finds out what the server speaks, and begins.
    pub(super) async fn open(transport: &mut Transport) -> Result<Self, ClientError> {
        match modern::probe(transport).await? {
            Probe::Modern(info) => Ok(Self::Modern(info, Vec::new())),
            Probe::Legacy => Ok(Self::Legacy(Box::new(Legacy::open(transport).await?))),
        }
    }

    /// Who the server is.
    pub(super) fn info(&self) -> &ServerInfo {
        match self {
            Self::Modern(info, _) => info,
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
        if let Self::Modern(_, known) = self {
            known.clone_from(&tools);
        }
        Ok(tools)
    }

    /// Calls a tool and gives its result as it came. Where the server misses headers that only the tool's schema knows, the
    /// schema is fetched anew and the call repeated once (SEP-2243).
    pub(super) async fn call(&mut self, transport: &mut Transport, name: &str, arguments: &Value) -> Result<Value, ClientError> {
        let params = json!({"name": name, "arguments": arguments});
        match self.call_once(transport, &params).await {
            Err(ClientError::Rpc { code: modern::HEADER_MISMATCH, .. }) => {
                self.tools(transport).await?;
                self.call_once(transport, &params).await
            }
            outcome => outcome,
        }
    }

    async fn call_once(&mut self, transport: &mut Transport, params: &Value) -> Result<Value, ClientError> {
        let schema = self.schema(params["name"].as_str().unwrap_or_default());
        let headers = schema.map(|schema| annotation::headers(schema, &params["arguments"])).unwrap_or_default();
        match self {
            Self::Modern(..) => modern::request(transport, "tools/call", params.clone(), &headers).await,
            Self::Legacy(legacy) => legacy.request(transport, "tools/call", params).await,
        }
    }

    /// The schema of a tool that was listed; the older era has no use for it.
    fn schema(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Modern(_, tools) => tools.iter().find(|tool| tool.name == name).map(|tool| &tool.input_schema),
            Self::Legacy(_) => None,
        }
    }

    /// Says goodbye where there is something to end.
    pub(super) async fn close(self, transport: &mut Transport) {
        if let Self::Legacy(legacy) = self {
            legacy.close(transport).await;
        }
    }

    async fn request(&mut self, transport: &mut Transport, method: &str, params: Value) -> Result<Value, ClientError> {
        match self {
            Self::Modern(..) => modern::request(transport, method, params, &[]).await,
            Self::Legacy(legacy) => legacy.request(transport, method, &params).await,
        }
    }
}
