//! Who and what an exchange is about, read once for those who relate, scrub and show: endpoint, client, bearer, session, era,
//! JSON-RPC message. Does not know the rest of the run; the roles of the endpoint are in the role map.

use super::credentials::{Authorization, Bearer, ClientCredentials};
use super::endpoint::Endpoint;
use super::parameters::Parameters;
use super::rpc::Message;
use crate::exchange::{Exchange, Request};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The first revision of MCP without `initialize` and sessions.
pub const MODERN_SINCE: &str = "2026-07-28";

/// What an exchange speaks of. Borrowed from it wherever that is possible.
#[derive(Clone)]
pub struct Entities<'a> {
    /// Whom the request speaks to; `None` for a URL that is neither `http` nor `https`.
    pub endpoint: Option<Endpoint>,
    /// What the request says about the OAuth client.
    pub client: Option<ClientCredentials<'a>>,
    /// The `Authorization` field.
    pub authorization: Option<Authorization<'a>>,
    /// The access token, wherever it stands.
    pub bearer: Option<Bearer<'a>>,
    /// The session that the request names (MCP 2025-11-25, Session Management).
    pub session: Option<&'a str>,
    /// The session that the response opens.
    pub opened_session: Option<&'a str>,
    /// The event after which a stream is resumed (`Last-Event-ID`).
    pub resumes_after: Option<&'a str>,
    /// The protocol revision that the request names: header, `_meta`, or `initialize`.
    pub protocol_version: Option<Cow<'a, str>>,
    /// The era of MCP, where something shows it.
    pub era: Option<Era>,
    /// The JSON-RPC message of the request.
    pub message: Option<Message<'a>>,
    /// The product that the `User-Agent` names first, without its version.
    pub product: Option<&'a str>,
}

/// The two eras of MCP on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2025-11-25 and earlier: `initialize`, sessions, GET streams.
    Legacy,
    /// 2026-07-28 and later: the revision stands in each request.
    Modern,
}

impl<'a> Entities<'a> {
    /// Reads an exchange.
    pub fn of(exchange: &'a Exchange) -> Self {
        let request = &exchange.request;
        let headers = &request.headers;
        let message = if request.method == "POST" { Message::of_body(&request.body.content) } else { None };
        let protocol_version = protocol_version(request);
        let session = headers.first("mcp-session-id");
        let opened_session = exchange.response().and_then(|response| response.headers.first("mcp-session-id"));
        let resumes_after = headers.first("last-event-id");
        let by_shape = || {
            let names_session = session.is_some() || opened_session.is_some() || resumes_after.is_some();
            if names_session { Some(Era::Legacy) } else { era_of_method(&message, headers.has("mcp-method")) }
        };
        let era = match message.as_ref().and_then(Message::method) {
            // What `initialize` asks for is in its body; it exists in one era only.
            Some("initialize") => Some(Era::Legacy),
            _ => protocol_version.as_deref().map(Era::of_version).or_else(by_shape),
        };
        Self {
            endpoint: Endpoint::parse(&request.url),
            client: if message.is_none() { ClientCredentials::of(request) } else { None },
            authorization: Authorization::of(headers),
            bearer: Bearer::of(request),
            session,
            opened_session,
            resumes_after,
            protocol_version,
            era,
            message,
            product: headers.first("user-agent").map(product_of),
        }
    }

    /// The JSON-RPC method of the request.
    pub fn method(&self) -> Option<&str> {
        self.message.as_ref()?.method()
    }

    /// The client's id: see [`ClientCredentials::id`].
    pub fn client_id(&self) -> Option<Cow<'_, str>> {
        self.client.as_ref()?.id()
    }
}

impl Era {
    /// The era of a revision; revisions are dates. A word (`draft`) is newer than any date.
    pub fn of_version(version: &str) -> Self {
        if version >= MODERN_SINCE { Self::Modern } else { Self::Legacy }
    }
}

/// The protocol revision that a request names: its header, `params._meta` (2026-07-28) or `params` of `initialize`.
pub fn protocol_version(request: &Request) -> Option<Cow<'_, str>> {
    if let Some(version) = request.headers.first("mcp-protocol-version") {
        return Some(Cow::Borrowed(version));
    }
    if request.method != "POST" {
        return None;
    }
    match request.body.content.json()? {
        Cow::Borrowed(message) => version_in(message).map(Cow::Borrowed),
        Cow::Owned(message) => version_in(&message).map(|version| Cow::Owned(version.to_owned())),
    }
}

fn version_in(message: &Value) -> Option<&str> {
    let params = message.get("params")?;
    let meta = params.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"));
    meta.or_else(|| params.get("protocolVersion"))?.as_str()
}

fn era_of_method(message: &Option<Message<'_>>, names_method: bool) -> Option<Era> {
    match message.as_ref()?.method() {
        Some("server/discover" | "subscriptions/listen") => Some(Era::Modern),
        Some("notifications/initialized") => Some(Era::Legacy),
        _ => names_method.then_some(Era::Modern),
    }
}

fn product_of(user_agent: &str) -> &str {
    user_agent.split(['/', ' ']).next().unwrap_or_default()
}

/// The parameters of a request as its endpoint sees them: the query of a GET, else the body.
pub fn request_parameters(request: &Request) -> Parameters<'_> {
    match request.method.as_str() {
        "GET" | "HEAD" => Parameters::of_query(&request.url),
        _ => Parameters::of(&request.body.content),
    }
}

impl fmt::Debug for Entities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities")
            .field("endpoint", &self.endpoint)
            .field("client", &self.client)
            .field("authorization", &self.authorization)
            .field("session", &self.session.map(str::len))
            .field("era", &self.era)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    const MCP: &str = "https://mcp.test/mcp";

    #[test]
    fn the_era_is_told_by_what_the_exchange_shows() {
        let meta = r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let asks = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        for (sample, era, version) in [
            (rpc(MCP, "tools/list").header("mcp-protocol-version", "2025-06-18"), Some(Era::Legacy), Some("2025-06-18")),
            (rpc(MCP, "tools/list").header("MCP-Protocol-Version", "2026-07-28"), Some(Era::Modern), Some("2026-07-28")),
            (post(MCP).json(meta), Some(Era::Modern), Some("2026-07-28")),
            (post(MCP).json(asks), Some(Era::Legacy), Some("2025-11-25")),
            (rpc(MCP, "initialize"), Some(Era::Legacy), None),
            (rpc(MCP, "server/discover"), Some(Era::Modern), None),
            (rpc(MCP, "tools/call").header("mcp-method", "tools/call"), Some(Era::Modern), None),
            (rpc(MCP, "tools/call").header("mcp-session-id", "s"), Some(Era::Legacy), None),
            (rpc(MCP, "tools/call").answer(200, &[("Mcp-Session-Id", "s")], ""), Some(Era::Legacy), None),
            (get(MCP).header("last-event-id", "7"), Some(Era::Legacy), None),
            (rpc(MCP, "tools/call"), None, None),
            (get("https://as.test/x"), None, None),
        ] {
            let exchange = sample.done();
            let entities = Entities::of(&exchange);
            assert_eq!((entities.era, entities.protocol_version.as_deref()), (era, version));
        }
    }

    #[test]
    fn everything_is_read_at_once() {
        let sample = rpc("https://MCP.test/mcp?api_key=1", "tools/call").bearer("at").header("mcp-session-id", "s");
        let exchange = sample.header("user-agent", "claude-code/2.1.329 (sdk-cli)").answer(200, &[("mcp-session-id", "t")], "").done();
        let entities = Entities::of(&exchange);
        assert_eq!(entities.endpoint.as_ref().map(Endpoint::as_str), Some(MCP));
        assert_eq!((entities.session, entities.opened_session), (Some("s"), Some("t")));
        assert_eq!((entities.method(), entities.product), (Some("tools/call"), Some("claude-code")));
        assert_eq!(entities.bearer.as_ref().map(|bearer| &*bearer.token), Some("at"));
        assert!(entities.client.is_none());
        let debug = format!("{entities:?}");
        assert!(!debug.contains("mcp.test") && !debug.contains("tools"), "{debug}");
    }
}
