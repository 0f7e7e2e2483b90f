//! What the proxy hands over: exchanges with their bodies still as frames, in the order in which they became known. Turning
//! them into [`Exchange`]s (decoding, typed views) happens here, away from the wire.

use super::{
    Actor, AnsweredBy, Body, Coding, ConnectionEvent, Content, End, Exchange, Failure, Headers, Inflater, Outcome, Request, Response,
    Version,
};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::time::Duration;

/// How many bytes of one body are kept, decoded or not; the rest passes through and is not stored.
pub const BODY_LIMIT: usize = 8 << 20;

/// A message of the proxy.
#[derive(Debug)]
pub enum Captured {
    /// An exchange that is over.
    Exchange(Box<RawExchange>),
    /// An exchange whose response is an event stream: the head has come, the body (empty here) follows as frames.
    Opened(Box<RawExchange>),
    /// More of an opened exchange.
    Frames {
        /// Which exchange.
        number: u32,
        /// What came, with times since the start of the run.
        frames: Vec<Frame>,
    },
    /// The end of an opened exchange.
    Closed {
        /// Which exchange.
        number: u32,
        /// How long the whole exchange took.
        took: Duration,
        /// How the response body ended.
        end: End,
        /// The trailers of the response.
        trailers: Headers,
    },
    /// Something that happened on a connection without an exchange.
    Event(ConnectionEvent),
}

/// An exchange with bodies as they crossed the wire.
#[derive(Debug)]
pub struct RawExchange {
    /// See [`Exchange::number`].
    pub number: u32,
    /// See [`Exchange::session`].
    pub session: u32,
    /// See [`Exchange::actor`].
    pub actor: Actor,
    /// See [`Exchange::connection`].
    pub connection: u32,
    /// See [`Exchange::at`].
    pub at: Duration,
    /// See [`Exchange::took`].
    pub took: Option<Duration>,
    /// The request.
    pub request: RawRequest,
    /// What came of it.
    pub outcome: RawOutcome,
    /// See [`Exchange::answered`].
    pub answered: Option<AnsweredBy>,
}

/// A request with its body as frames. See [`Request`].
#[derive(Debug)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// The version on the client's side.
    pub version: Version,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: RawBody,
}

/// An outcome with its body as frames. See [`Outcome`].
#[derive(Debug)]
pub enum RawOutcome {
    /// A response.
    Response(RawResponse),
    /// None.
    Failed(Failure),
}

/// A response with its body as frames. See [`Response`].
#[derive(Debug)]
pub struct RawResponse {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: RawBody,
}

/// A body as it crossed the wire, still encoded.
#[derive(Default)]
pub struct RawBody {
    /// The kept bytes, in order.
    pub bytes: BytesMut,
    /// How it ended.
    pub end: End,
    /// Its trailers.
    pub trailers: Headers,
}

/// A piece of a body with its time.
#[derive(Clone)]
pub struct Frame {
    /// When it came, since the start of the run.
    pub at: Duration,
    /// The bytes.
    pub bytes: Bytes,
}

impl RawExchange {
    /// Decodes the bodies and looks at them.
    pub fn into_exchange(self) -> Exchange {
        let Self { number, session, actor, connection, at, took, request, outcome, answered } = self;
        let RawRequest { method, url, version, headers, body } = request;
        let (body, trailers) = body.into_body(&headers);
        let request = Request { method, url, version, headers, body, trailers };
        let outcome = match outcome {
            RawOutcome::Failed(failure) => Outcome::Failed(failure),
            RawOutcome::Response(RawResponse { status, headers, body }) => {
                let (body, trailers) = body.into_body(&headers);
                Outcome::Response(Response { status, headers, body, trailers })
            }
        };
        Exchange { number, session, actor, connection, at, took, request, outcome, inferred: false, answered }
    }
}

impl RawBody {
    fn into_body(self, headers: &Headers) -> (Body, Headers) {
        let Self { bytes, mut end, trailers } = self;
        let bytes = bytes.freeze();
        if bytes.is_empty() {
            return (Body { content: Content::Empty, codings: Vec::new(), end }, trailers);
        }
        let codings = match Coding::parse_list(headers.all("content-encoding")) {
            Ok(codings) => codings,
            Err(unknown) => {
                let end = End::Undecodable(format!("unknown coding {unknown}"));
                return (Body { content: Content::Empty, codings: Vec::new(), end }, trailers);
            }
        };
        if codings.is_empty() {
            return (Body { content: Content::of(bytes, headers), codings, end }, trailers);
        }
        let size = bytes.len() as u64;
        let mut inflater = Inflater::new(&codings, BODY_LIMIT);
        let content = match inflater.push(&bytes) {
            Ok(decoded) => Content::of(decoded.into(), headers),
            Err(reason) => {
                end = End::Undecodable(reason);
                Content::Empty
            }
        };
        if inflater.overflowed() && end == End::Complete {
            end = End::Cut { of: size };
        }
        (Body { content, codings, end }, trailers)
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawBody({} bytes, {:?})", self.bytes.len(), self.end)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:?}, {} bytes)", self.at, self.bytes.len())
    }
}
