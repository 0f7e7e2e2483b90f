//! One MCP server behind its gate: which era a request belongs to, and the sessions of the older one.

use super::policy::ServerPolicy;
use super::respond::{empty, method_not_allowed, rpc_error};
use super::{Access, Answer, Decided, IssuerId, Mint, ServerId};
use crate::exchange::{Event, Request, Response};
use crate::protocol::{Era, MODERN_SINCE};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// An MCP server.
#[derive(Clone)]
pub struct Server {
    /// Its URL, which is also the name of the resource (RFC 8707 §2).
    pub resource: String,
    /// The authorization servers it trusts.
    pub issuers: Vec<IssuerId>,
    /// How it behaves where servers differ.
    pub policy: ServerPolicy,
    pub(super) sessions: HashMap<String, Session>,
}

/// A session of the older era.
#[derive(Clone, Default)]
pub struct Session {
    /// The negotiated protocol version.
    pub version: String,
    /// Whose it is.
    pub subject: String,
    /// True once it has ended, for ever.
    pub terminated: bool,
    /// True while its GET stream is open.
    pub stream_open: bool,
    /// The latest events with the stream they belong to.
    pub(super) events: Vec<(u32, Event)>,
    /// Answers that are held back, each under the event id with which a client gets it.
    pub(super) held: Vec<(String, Value)>,
    /// How many streams it had.
    pub(super) streams: u32,
    /// How many event ids it gave out.
    pub(super) event_ids: u64,
}

/// What a message wants that passed every check before the content of an answer matters.
#[derive(Clone, PartialEq, Eq)]
pub enum Passed {
    /// It is `initialize`.
    Opened {
        /// The session that was opened; `None` on a server without sessions.
        session: Option<String>,
        /// The negotiated protocol version.
        version: String,
    },
    /// A result is due.
    Request {
        /// The era it speaks.
        era: Era,
        /// Its session, in the older era.
        session: Option<String>,
    },
    /// Nothing but to be accepted.
    Accepted,
}

/// A JSON-RPC message of a client.
pub(super) struct Message<'a> {
    /// Its method; empty for a response.
    pub(super) method: &'a str,
    /// Its id; `None` for a notification.
    pub(super) id: Option<&'a Value>,
    /// Its parameters; null when there are none.
    pub(super) params: &'a Value,
}

impl Server {
    pub(super) fn new(resource: &str, issuers: Vec<IssuerId>, policy: ServerPolicy) -> Self {
        Self { resource: resource.to_owned(), issuers, policy, sessions: HashMap::new() }
    }

    /// A session by its id.
    pub fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// Ends every session: their clients meet a 404.
    pub fn end_sessions(&mut self) {
        for session in self.sessions.values_mut() {
            session.terminated = true;
            session.stream_open = false;
        }
    }

    /// Ends one session: its client meets a 404. False where it had ended, or never was.
    pub fn end_session(&mut self, id: &str) -> bool {
        let Some(session) = self.sessions.get_mut(id).filter(|session| !session.terminated) else { return false };
        session.terminated = true;
        session.stream_open = false;
        true
    }

    pub(super) fn stream_closed(&mut self, session: &str) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.stream_open = false;
        }
    }

    /// Answers a request that passed the gate.
    pub(super) fn answer(&mut self, id: ServerId, request: &Request, access: &Access, mint: &mut Mint) -> Answer {
        let body = request.body.content.json();
        let message = body.as_deref().map(Message::of);
        let era = self.era_of(request, message.as_ref());
        let method = message.as_ref().map(|message| message.method).filter(|method| !method.is_empty());
        let decided = Decided::Mcp { era, method: method.unwrap_or(&request.method).to_owned() };
        match (request.method.as_str(), era) {
            ("POST", Era::Modern) => Answer::closed((self.modern(request, message.as_ref(), access), decided)),
            ("POST", Era::Legacy) => Answer::closed((self.legacy_post(request, message.as_ref(), access, mint), decided)),
            ("GET", Era::Legacy) => self.legacy_get(id, request, access, decided),
            ("DELETE", Era::Legacy) => Answer::closed((self.legacy_delete(request, access), decided)),
            (_, Era::Modern) => Answer::closed((method_not_allowed("POST"), decided)),
            (_, Era::Legacy) => Answer::closed((method_not_allowed("GET, POST, DELETE"), decided)),
        }
    }

    /// Checks a POST that passed the gate, and opens a session where it is `initialize`.
    pub(super) fn pass(&mut self, request: &Request, access: &Access, mint: &mut Mint) -> Result<Passed, Box<Response>> {
        let body = request.body.content.json();
        let message = body.as_deref().map(Message::of);
        match (self.era_of(request, message.as_ref()), &message) {
            (Era::Legacy, _) => self.legacy_pass(request, message.as_ref(), access, mint),
            (Era::Modern, Some(message)) => self.modern_pass(request, message),
            (Era::Modern, None) => Err(Box::new(parse_error())),
        }
    }

    /// What the request says, as far as the server speaks both eras.
    fn era_of(&self, request: &Request, message: Option<&Message<'_>>) -> Era {
        let modern = self.policy.versions.iter().any(|version| version.as_str() >= MODERN_SINCE);
        let legacy = self.policy.versions.iter().any(|version| version.as_str() < MODERN_SINCE);
        if !(modern && legacy) {
            return if modern { Era::Modern } else { Era::Legacy };
        }
        let header = request.headers.first("mcp-protocol-version");
        let version = header.or_else(|| message.and_then(Message::version));
        let is_modern = version.map_or_else(|| message.is_some_and(|m| m.method == "server/discover"), |version| version >= MODERN_SINCE);
        if is_modern { Era::Modern } else { Era::Legacy }
    }
}

impl<'a> Message<'a> {
    pub(super) fn of(body: &'a Value) -> Self {
        Self { method: body["method"].as_str().unwrap_or_default(), id: body.get("id").filter(|id| !id.is_null()), params: &body["params"] }
    }

    /// The protocol version of the message itself.
    pub(super) fn version(&self) -> Option<&'a str> {
        self.params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str()
    }

    /// The answer for whatever is no request: 202, nothing to say.
    pub(super) fn accepted() -> Response {
        empty(202)
    }
}

/// The answer to a body that is no JSON.
pub(super) fn parse_error() -> Response {
    rpc_error(400, &Value::Null, -32700, "Parse error")
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions = self.sessions.len();
        f.debug_struct("Server").field("policy", &self.policy).field("sessions", &sessions).finish_non_exhaustive()
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opened { .. } => "Opened",
            Self::Request { .. } => "Request",
            Self::Accepted => "Accepted",
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("version", &self.version).field("terminated", &self.terminated).finish_non_exhaustive()
    }
}
