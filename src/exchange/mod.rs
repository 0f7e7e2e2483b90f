//! Layer 0: what went over the wire, as plain data.
//!
//! Knows requests, outcomes, headers, bodies, server-sent events and the events of a connection. Does not know OAuth, MCP,
//! secrets, files, clocks or sockets: a time is a distance from the start of the run.
//!
//! No `Debug` in this layer prints a value that came over the wire: it prints names and sizes.

mod answered;
mod body;
mod captured;
mod coding;
mod connection;
mod form;
mod headers;
mod json;
mod sse;

pub use answered::AnsweredBy;
pub use body::{Body, Content, End};
pub use captured::{BODY_LIMIT, Captured, Frame, RawBody, RawExchange, RawOutcome, RawRequest, RawResponse};
pub use coding::{Coding, Inflater};
pub use connection::{ConnectionEvent, Trouble};
pub use form::Form;
pub use headers::Headers;
pub use json::{Json, JsonStyle};
pub use sse::{Event, EventStream, Field, LineEnd, SseParser, SseStyle};

use std::fmt;
use std::time::Duration;

/// One request with what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Its place in the run, from 1, in order of request start.
    pub number: u32,
    /// The client process that made it, from 1.
    pub session: u32,
    /// Who of that session spoke.
    pub actor: Actor,
    /// The connection it came on, from 1, in order of acceptance.
    pub connection: u32,
    /// When its request began, since the start of the run.
    pub at: Duration,
    /// How long it took until the last body byte; `None` while it is open or when the end was not seen.
    pub took: Option<Duration>,
    /// What was asked.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
    /// True where the exchange was concluded from others rather than seen (a callback under `--user-agent system`).
    pub inferred: bool,
    /// What answered it in place of a server, in a replay.
    pub answered: Option<AnsweredBy>,
}

/// Who made a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The client under observation.
    #[default]
    Client,
    /// The browser's part: authtape itself or a browser of its own.
    UserAgent,
}

/// The request of an exchange.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// The absolute URL, as sent: scheme, authority, path and query. Never a fragment.
    pub url: String,
    /// The protocol version on the client's side.
    pub version: Version,
    /// Header fields in wire order, duplicates kept.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// Trailer fields (RFC 9110 §6.5).
    pub trailers: Headers,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A response, perhaps one whose body was not finished (see [`Body::end`]).
    Response(Response),
    /// No response of the server: the reason, and what the client got instead.
    Failed(Failure),
    /// Nobody saw what came of it (an inferred exchange).
    Unseen,
}

/// The response of an exchange.
#[derive(Clone, PartialEq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in wire order, duplicates kept.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// Trailer fields (RFC 9110 §6.5).
    pub trailers: Headers,
}

/// An exchange that got no response from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How far it came.
    pub stage: Stage,
    /// The cause chain on one line, outermost first. Free text of foreign origin.
    pub reason: String,
}

/// How far a failed exchange came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The name did not resolve.
    Resolve,
    /// No connection to the server or to the parent proxy.
    Connect,
    /// The TLS handshake with the server failed.
    Tls,
    /// Connected, but no complete response head came.
    Response,
    /// The client went away before the response head.
    ClientGone,
}

/// The HTTP version on the client's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
}

impl Exchange {
    /// The response, unless the exchange failed.
    pub fn response(&self) -> Option<&Response> {
        match &self.outcome {
            Outcome::Response(response) => Some(response),
            Outcome::Failed(_) | Outcome::Unseen => None,
        }
    }

    /// The response, to be changed in place.
    pub fn response_mut(&mut self) -> Option<&mut Response> {
        match &mut self.outcome {
            Outcome::Response(response) => Some(response),
            Outcome::Failed(_) | Outcome::Unseen => None,
        }
    }

    /// The status code of the response.
    pub fn status(&self) -> Option<u16> {
        self.response().map(|response| response.status)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &format_args!("{} bytes", self.url.len()))
            .field("version", &self.version)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
