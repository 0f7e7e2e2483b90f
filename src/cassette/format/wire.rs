//! What stands in a document, member by member, before it is checked as a whole. The JSON Schema is made from these types.

use super::names::{By, Encoding, Ended, FailedAt, Happened, Http, KindName, Written};
use super::pairs::{JsonText, Millis, Pairs, WireEvent};
use super::replayed::{WireAnswer, WireReplayed};
use serde::Deserialize;
use serde_json::Value;

/// The header: the first document.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireHeader {
    /// The version of the format.
    pub authtape: u32,
    pub recorded: WireRecorded,
    /// Absent in a file that keeps its secrets.
    pub scrubbed: Option<WireScrubbed>,
    /// False until the last pass over the file is done.
    pub finished: bool,
    /// True when nothing was replaced.
    #[serde(default)]
    pub raw: bool,
    /// The client processes.
    #[serde(default)]
    pub sessions: Vec<WireSession>,
    /// Requests that were forwarded and counted but not stored.
    #[serde(default)]
    pub passed: Vec<WirePassed>,
    /// Requests of tools that the client started, counted and not stored.
    #[serde(default)]
    pub tools: Vec<WireTool>,
    /// Present in the run of a replay.
    pub replayed: Option<WireReplayed>,
}

/// Where the cassette came from.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireRecorded {
    /// When the recording began (RFC 3339).
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: jiff::Timestamp,
    /// Name and version of the program that wrote it.
    pub with: String,
    /// The client's base name and leading subcommands; the rest is `…`.
    #[serde(default)]
    pub client: Vec<String>,
    pub client_version: Option<String>,
}

/// What was replaced.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireScrubbed {
    /// The version of the rules.
    pub policy: u32,
    /// How many different secrets were replaced.
    pub secrets: u32,
    /// How many different personal values were replaced.
    pub personal: u32,
}

/// One client process.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireSession {
    pub session: u32,
    #[serde(default)]
    pub client: Vec<String>,
    /// The exit code, once it ended by itself.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// Requests that are only counted.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WirePassed {
    pub host: String,
    pub kind: KindName,
    pub requests: u64,
}

/// Requests of one tool.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireTool {
    pub tool: String,
    pub requests: u64,
}

/// One exchange. Exactly one of `response`, `failed` and `unseen` is there.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireInteraction {
    /// Its number, from 1, in order of request start.
    pub interaction: u32,
    /// The client process that made it.
    pub session: u32,
    /// Who of the session spoke; the client where absent.
    pub by: Option<By>,
    /// The connection it came on.
    pub connection: u32,
    /// When its request began, since the start of the run.
    pub at: Millis,
    /// How long it took until the last body byte.
    pub took: Option<Millis>,
    pub kind: KindName,
    /// True where it was concluded from others rather than seen.
    #[serde(default)]
    pub inferred: bool,
    /// What answered it, in the run of a replay.
    pub answer: Option<WireAnswer>,
    pub request: WireRequest,
    pub response: Option<WireResponse>,
    pub failed: Option<WireFailure>,
    /// True where nobody saw what came of it.
    #[serde(default)]
    pub unseen: bool,
}

/// The request. At most one of `json`, `json_text`, `form`, `events`, `text` and `base64` is there.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireRequest {
    pub method: String,
    /// Absolute, without a fragment.
    pub url: String,
    /// The HTTP version on the client's side; 1.1 where absent.
    pub http: Option<Http>,
    #[serde(default)]
    pub headers: Pairs,
    /// The content codings that were undone, in the order in which they were applied.
    #[serde(default)]
    pub encoding: Vec<Encoding>,
    /// How the body was written where that is not the default.
    pub style: Option<Written>,
    /// The body as a JSON value.
    pub json: Option<Value>,
    /// The body as a JSON value whose shape is too deep or too large for YAML, as its text.
    pub json_text: Option<JsonText>,
    /// The body as form parameters, decoded, in order.
    pub form: Option<Pairs>,
    /// The body as an event stream.
    pub events: Option<Vec<WireEvent>>,
    /// What came after the last finished event.
    pub tail: Option<String>,
    /// The body as text.
    pub text: Option<String>,
    /// The body as bytes, in base64; white space does not count.
    pub base64: Option<String>,
    /// Present when only the beginning is stored: the full size in bytes as transferred.
    pub cut: Option<u64>,
    /// How the body ended where that is not with its last byte.
    pub ended: Option<Ended>,
    /// Why, where `ended` is `server-gone` or `undecodable`.
    pub reason: Option<String>,
    #[serde(default)]
    pub trailers: Pairs,
}

/// The response. At most one of `json`, `json_text`, `form`, `events`, `text` and `base64` is there.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireResponse {
    pub status: u16,
    #[serde(default)]
    pub headers: Pairs,
    /// The content codings that were undone, in the order in which they were applied.
    #[serde(default)]
    pub encoding: Vec<Encoding>,
    /// How the body was written where that is not the default.
    pub style: Option<Written>,
    /// The body as a JSON value.
    pub json: Option<Value>,
    /// The body as a JSON value whose shape is too deep or too large for YAML, as its text.
    pub json_text: Option<JsonText>,
    /// The body as form parameters, decoded, in order.
    pub form: Option<Pairs>,
    /// The body as an event stream.
    pub events: Option<Vec<WireEvent>>,
    /// What came after the last finished event.
    pub tail: Option<String>,
    /// The body as text.
    pub text: Option<String>,
    /// The body as bytes, in base64; white space does not count.
    pub base64: Option<String>,
    /// Present when only the beginning is stored: the full size in bytes as transferred.
    pub cut: Option<u64>,
    /// How the body ended where that is not with its last byte.
    pub ended: Option<Ended>,
    /// Why, where `ended` is `server-gone` or `undecodable`.
    pub reason: Option<String>,
    #[serde(default)]
    pub trailers: Pairs,
}

/// An exchange without a response of the server.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireFailure {
    /// How far it came.
    pub stage: FailedAt,
    /// The cause chain on one line.
    pub reason: String,
}

/// Something that happened on a connection without an exchange.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireConnectionEvent {
    /// What happened.
    pub event: Happened,
    /// The session, where the connection named one.
    pub session: Option<u32>,
    pub connection: u32,
    /// When, since the start of the run.
    pub at: Millis,
    /// `host:port` that the client wanted.
    pub host: Option<String>,
    /// The reason.
    #[serde(default)]
    pub detail: String,
}

/// More of an open event stream. Only in files that are not finished.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireMore {
    /// The number of the interaction.
    pub more: u32,
    pub style: Option<Written>,
    #[serde(default)]
    pub events: Vec<WireEvent>,
    pub tail: Option<String>,
    pub took: Option<Millis>,
    pub cut: Option<u64>,
    /// Present when the stream is over.
    pub ended: Option<Ended>,
    pub reason: Option<String>,
    #[serde(default)]
    pub trailers: Pairs,
}
