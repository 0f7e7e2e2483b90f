//! What happened in a replay: each request with what it was answered, misses, hosts that are not on the tape, adopted values and
//! servers that nobody asked. Holds no value that came over the wire but hosts, paths and names of methods.

use super::assist::Assistance;
use super::{Answered, Source};
use crate::exchange::{AnsweredBy, Request};
use crate::model::{Decided, GrantType, ServerId};
use crate::protocol::{Endpoint, Kind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// How many misses are kept, and how many requests of a session are told one by one; the rest is counted.
const KEPT: usize = 100;
const TOLD: usize = 10_000;
/// How many hosts are told apart, and the name under which the rest is counted.
const HOSTS: usize = 256;
const REST: &str = "(others)";
/// How much of a reason is kept.
const REASON: usize = 200;

/// The account of a replay.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The requests of each session, in order.
    pub sessions: BTreeMap<u32, Vec<Told>>,
    /// How many requests there were.
    pub requests: u64,
    /// What could not be answered.
    pub misses: Vec<Miss>,
    /// How often that happened.
    pub missed: u64,
    /// Requests to hosts that are not on the tape, by host.
    pub elsewhere: BTreeMap<String, u64>,
    /// What the assistant did.
    pub assistance: Assistance,
    /// What was taken for a value from before the recording, in words.
    pub adopted: Vec<String>,
    expected: Vec<(ServerId, String)>,
}

/// A request and its answer, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The JSON-RPC method, the kind, or method and path.
    pub what: String,
    /// What part of a session it belongs to.
    pub part: Part,
    /// The status of the answer.
    pub status: u16,
    /// True for a miss.
    pub is_miss: bool,
    /// The interaction that the answer is or looks like.
    pub interaction: Option<u32>,
    /// The error that the model decided on.
    pub error: Option<&'static str>,
    /// Why it was refused, if it was.
    pub reason: Option<String>,
}

/// A part of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Metadata.
    Discovery,
    /// Registration, authorization, tokens.
    Login,
    /// MCP.
    Mcp,
    /// Anything else.
    Other,
}

/// Where a request went.
#[derive(Clone, Copy)]
pub(super) enum At {
    /// An MCP server.
    Mcp,
    /// Where metadata is, or might be.
    Document(Kind),
    /// Anything else.
    Elsewhere,
}

impl At {
    /// The sort of document that is looked for at a path; a well-known name says it.
    pub(super) fn path(path: &str) -> Self {
        let of = |name: &str| path.contains("/.well-known/") && path.contains(name);
        match () {
            () if of("oauth-protected-resource") => Self::Document(Kind::Prm),
            () if of("oauth-authorization-server") => Self::Document(Kind::AsMetadata),
            () if of("openid-configuration") => Self::Document(Kind::OidcConfig),
            () => Self::Elsewhere,
        }
    }
}

/// A request that could not be answered honestly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The client process.
    pub session: u32,
    /// What was asked.
    pub what: String,
    /// The interaction that comes nearest.
    pub nearest: Option<u32>,
    /// Each reason why that is not it.
    pub reasons: Vec<String>,
}

impl Account {
    pub(super) fn expecting(servers: impl Iterator<Item = (ServerId, String)>) -> Self {
        let mut expected: Vec<_> = servers.collect();
        expected.sort_by(|(_, a), (_, b)| a.cmp(b));
        Self { expected, ..Self::default() }
    }

    /// The MCP servers of the tape that got no request.
    pub fn untouched(&self) -> impl Iterator<Item = &str> {
        self.expected.iter().map(|(_, url)| url.as_str())
    }

    pub(super) fn reached(&mut self, id: ServerId) {
        self.expected.retain(|(own, _)| *own != id);
    }

    pub(super) fn tell(&mut self, request: &Request, session: u32, place_of: At, answered: &Answered) {
        self.requests += 1;
        let status = answered.reply.status;
        let endpoint = Endpoint::parse(&request.url);
        let path = endpoint.as_ref().map(Endpoint::path);
        let place = || path.map(|path| short(&format!("{} {path}", request.method))).unwrap_or_default();
        let rpc = || request.body.content.json().and_then(|body| body["method"].as_str().map(short));
        let (part, name, interaction, decided) = match &answered.source {
            Source::Elsewhere => {
                let host = endpoint.as_ref().map(|endpoint| endpoint.host().to_owned()).unwrap_or_default();
                let name = if self.elsewhere.len() < HOSTS || self.elsewhere.contains_key(&host) { host } else { REST.to_owned() };
                *self.elsewhere.entry(name).or_default() += 1;
                return;
            }
            Source::Assistant(did) => return self.assistance.note(did),
            Source::Miss(miss) => {
                self.missed += 1;
                if self.misses.len() < KEPT {
                    self.misses.push((**miss).clone());
                }
                (Part::Other, None, miss.nearest, None)
            }
            Source::Fault { kind } => (part_of_kind(*kind), Some(kind.name()), None, None),
            Source::Tape { interaction } => (Part::Other, None, Some(*interaction), None),
            Source::Dressed { interaction, decided } => (part_of(decided), name_of(decided), Some(*interaction), Some(decided)),
            Source::Model(decided) => (part_of(decided), name_of(decided), None, Some(decided)),
        };
        let (part, name) = match place_of {
            At::Mcp => (Part::Mcp, None),
            At::Document(kind) => (Part::Discovery, Some(kind.name())),
            At::Elsewhere if part == Part::Mcp => (Part::Other, name),
            At::Elsewhere => (part, name),
        };
        let what = name.map(str::to_owned).or_else(rpc).unwrap_or_else(place);
        let told = self.sessions.entry(session).or_default();
        if told.len() < TOLD {
            let is_miss = matches!(answered.source, Source::Miss(_));
            told.push(Told { what, part, status, is_miss, interaction, error: decided.and_then(error_of), reason: answered.reason() });
        }
    }
}

impl Answered {
    /// What answered, as a run shows it.
    pub fn by(&self) -> AnsweredBy {
        let reasons = self.reason().into_iter().collect();
        match &self.source {
            Source::Tape { interaction } => AnsweredBy::Tape { interaction: *interaction },
            Source::Dressed { interaction, .. } => AnsweredBy::Model { like: Some(*interaction), reasons },
            Source::Model(_) => AnsweredBy::Model { like: None, reasons },
            Source::Assistant(_) => AnsweredBy::Assistant,
            Source::Fault { .. } => AnsweredBy::Fault,
            Source::Elsewhere => AnsweredBy::Elsewhere,
            Source::Miss(miss) => AnsweredBy::Miss { nearest: miss.nearest, reasons: miss.reasons.clone() },
        }
    }

    /// Why it was refused.
    fn reason(&self) -> Option<String> {
        if matches!(self.source, Source::Tape { .. }) && self.reply.status >= 400 {
            return Some("as on the tape".to_owned());
        }
        if matches!(self.source, Source::Fault { .. }) && self.reply.status >= 400 {
            return Some("a fault, in place of the server".to_owned());
        }
        let (Source::Dressed { decided, .. } | Source::Model(decided)) = &self.source else { return None };
        let reason = match decided {
            Decided::TokenRefused { reason, .. } | Decided::Refused { reason, .. } | Decided::Challenged { reason, .. } => *reason,
            // The JSON-RPC error of the answer says why.
            Decided::Mcp { .. } if self.reply.status >= 400 => {
                let body: Value = serde_json::from_slice(&self.reply.body()).ok()?;
                return body["error"]["message"].as_str().map(|message| message.chars().take(REASON).collect());
            }
            _ => return None,
        };
        Some(reason.to_owned())
    }
}

/// Methods and paths come from the client: only their beginning is kept.
fn short(text: &str) -> String {
    text.chars().take(120).collect()
}

fn part_of_kind(kind: Kind) -> Part {
    match kind {
        Kind::Prm | Kind::AsMetadata | Kind::OidcConfig | Kind::Jwks | Kind::CimdDoc => Part::Discovery,
        kind if kind.is_mcp() => Part::Mcp,
        kind if kind.is_token() => Part::Login,
        Kind::DcrCreate | Kind::DcrManage | Kind::Par | Kind::Authorize | Kind::Revoke => Part::Login,
        _ => Part::Other,
    }
}

fn part_of(decided: &Decided) -> Part {
    match decided {
        Decided::Metadata | Decided::NotFound => Part::Discovery,
        Decided::Registered | Decided::Authorized | Decided::Issued { .. } | Decided::TokenRefused { .. } => Part::Login,
        Decided::Revoked | Decided::Refused { .. } => Part::Login,
        Decided::Challenged { .. } | Decided::Mcp { .. } => Part::Mcp,
        Decided::Preflight => Part::Other,
    }
}

fn name_of(decided: &Decided) -> Option<&'static str> {
    let kind = match decided {
        Decided::Registered => Kind::DcrCreate,
        Decided::Authorized => Kind::Authorize,
        Decided::Issued { grant_type } | Decided::TokenRefused { grant_type, .. } => kind_of(*grant_type),
        Decided::Revoked => Kind::Revoke,
        _ => return None,
    };
    Some(kind.name())
}

/// The kind of a token request.
pub(super) fn kind_of(grant_type: GrantType) -> Kind {
    match grant_type {
        GrantType::Code => Kind::TokenCode,
        GrantType::Refresh => Kind::TokenRefresh,
        GrantType::ClientCredentials => Kind::TokenClientCredentials,
        GrantType::Other => Kind::TokenOther,
    }
}

fn error_of(decided: &Decided) -> Option<&'static str> {
    match decided {
        Decided::TokenRefused { error, .. } | Decided::Refused { error, .. } => Some(error),
        _ => None,
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not on the tape", self.what)?;
        if let Some(nearest) = self.nearest {
            write!(f, "; nearest is interaction {nearest}")?;
        }
        write!(f, ": {}", self.reasons.join("; "))
    }
}
