//! What a fault does, and what it sees of a run when it does it. Plain data in, plain data out.

use crate::exchange::Request;
use crate::model::{Decided, IssuerId, Model, Moment, ServerId};
use crate::protocol::{Endpoint, Kind};
use crate::reply::{Delivery, Handshake, Reply};

/// What a fault does. Each method is one place where it may step in; a fault overrides those it needs.
pub trait Deed: Send {
    /// Changes what the servers are, before the first client starts.
    ///
    /// # Errors
    /// Why this tape cannot carry the fault.
    fn prepare(&mut self, _stage: &mut Stage<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Steps in before the servers see a request that it aims at and that is due.
    fn before(&mut self, _scene: &Scene<'_>, _model: &mut Model) -> Before {
        Before::Nothing
    }

    /// Edits the answer to a request that it aims at and that is due. True when it did, or saw its condition met.
    fn edit(&mut self, _scene: &Scene<'_>, _reply: &mut Reply, _model: &mut Model) -> bool {
        false
    }

    /// Edits what becomes of a redirect back to the client. True when it did.
    fn deliver(&mut self, _delivery: &mut Delivery) -> bool {
        false
    }

    /// The URL that the browser opens in place of the one that the client wants shown; `None` for that one.
    fn open(&mut self, _url: &str) -> Option<String> {
        None
    }

    /// How a TLS handshake with a host that it aims at goes; `None` where it has nothing to say.
    fn handshake(&mut self, _host: &str) -> Option<Handshake> {
        None
    }
}

/// What came of stepping in before the servers.
#[derive(Debug)]
pub enum Before {
    /// Nothing was done.
    Nothing,
    /// The servers know something else now; they answer.
    Acted,
    /// The servers answer as if the request had gone to this URL.
    At(String),
    /// This is the answer; the servers never see the request.
    Answer(Box<Reply>),
}

/// A request as a fault sees it.
pub struct Scene<'a> {
    /// The request.
    pub request: &'a Request,
    /// Where it goes.
    pub endpoint: &'a Endpoint,
    /// What it is for.
    pub kind: Kind,
    /// The client process, from 1.
    pub session: u32,
    /// Sessions from this number on are the last: the start that counts, of one process or of several at once.
    pub last_session: u32,
    /// The authorization server that it goes to.
    pub issuer: Option<IssuerId>,
    /// Its identifier.
    pub issuer_name: Option<&'a str>,
    /// The MCP server that it goes to.
    pub server: Option<ServerId>,
    /// Its URL.
    pub server_name: Option<&'a str>,
    /// The JSON-RPC message that it carries.
    pub rpc: Option<Rpc<'a>>,
    /// The model's time.
    pub now: Moment,
    /// What the servers decided; `None` before they were asked.
    pub decided: Option<&'a Decided>,
}

impl Scene<'_> {
    /// True for a request of the last start of the client.
    pub fn is_last(&self) -> bool {
        self.session >= self.last_session
    }
}

/// A JSON-RPC message as a fault sees it.
#[derive(Clone, Copy)]
pub struct Rpc<'a> {
    /// Its method; empty for a response.
    pub method: &'a str,
    /// The tool that it calls.
    pub tool: Option<&'a str>,
    /// Its id; null for a notification.
    pub id: &'a serde_json::Value,
}

/// The servers before the first client starts.
pub struct Stage<'a> {
    /// The model.
    pub model: &'a mut Model,
    /// The authorization servers that the fault aims at.
    pub issuers: Vec<IssuerId>,
    /// The MCP servers that the fault aims at.
    pub servers: Vec<ServerFacts>,
    /// Sessions from this number on are the last.
    pub sessions: u32,
}

/// What the tape shows of an MCP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// The server.
    pub id: ServerId,
    /// Whether it speaks 2025-11-25 or earlier.
    pub is_legacy: bool,
    /// Whether it speaks 2026-07-28.
    pub is_modern: bool,
}
