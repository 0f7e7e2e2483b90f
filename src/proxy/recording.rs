//! One exchange while it happens. It goes to the recorder when the last part that could still add to it lets go, or, for an
//! event stream, piece by piece.

use super::context::{Context, Via};
use super::headers;
use crate::exchange::{
    AnsweredBy, BODY_LIMIT, Captured, End, Failure, Frame, Headers, RawBody, RawExchange, RawOutcome, RawRequest, RawResponse, Stage,
    Version,
};
use bytes::Bytes;
use http::request;
use http::{HeaderMap, response};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// What a queued piece of a stream costs besides its bytes.
const PIECE: usize = 256;

/// Which body of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

/// An exchange that is not over.
pub(super) struct Recording {
    context: Arc<Context>,
    number: u32,
    at: Duration,
    state: Mutex<State>,
    _open: TaskTrackerToken,
}

struct State {
    /// What is known, until it is handed over; nothing where nobody wants it.
    exchange: Option<Box<RawExchange>>,
    /// True from the head to the end of an event stream.
    is_streaming: bool,
    request: Progress,
    response: Progress,
    /// Room taken from the budget for bytes in `exchange`.
    held: usize,
    /// Lets the end of the proxy wait, unless this is an event stream.
    finite: Option<TaskTrackerToken>,
}

/// How much of a body went by.
#[derive(Default)]
struct Progress {
    seen: u64,
    kept: usize,
    is_cut: bool,
    is_over: bool,
}

impl Recording {
    /// Begins with the head of a request.
    pub fn begin(context: &Arc<Context>, via: &Via, head: &request::Parts, url: String) -> Arc<Self> {
        let number = context.next_exchange();
        if via.exchanges.fetch_add(1, Relaxed) == 0 {
            context.note_trust(via);
        }
        let at = context.now();
        let exchange = context.sink.wants_exchanges().then(|| Box::new(begun(number, at, via, head, url)));
        let state = State {
            exchange,
            is_streaming: false,
            request: Progress::default(),
            response: Progress::default(),
            held: 0,
            finite: Some(context.finite.token()),
        };
        let open = context.open.token();
        Arc::new(Self { context: Arc::clone(context), number, at, state: Mutex::new(state), _open: open })
    }

    /// The number of the exchange.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// No response will come.
    pub fn fail(&self, failure: Failure) {
        let mut state = self.state();
        if let Some(exchange) = &mut state.exchange {
            exchange.took = Some(self.elapsed());
            exchange.outcome = RawOutcome::Failed(failure);
        }
    }

    /// The head of the response is there; what made it in place of a server may be named in an extension. An event stream is
    /// announced at once, and a response that has no body (RFC 9110 §6.4.1) is over.
    pub fn respond(&self, head: &response::Parts) {
        let is_stream = headers::is_event_stream(&head.headers);
        let mut state = self.state();
        if is_stream {
            state.finite = None;
        }
        let Some(mut exchange) = state.exchange.take() else { return };
        let headers = headers::record(&head.headers);
        let body = RawBody { end: End::Open, ..RawBody::default() };
        exchange.answered = head.extensions.get::<AnsweredBy>().cloned();
        let has_body = exchange.request.method != "HEAD" && !matches!(head.status.as_u16(), 100..=199 | 204 | 304);
        exchange.outcome = RawOutcome::Response(RawResponse { status: head.status.as_u16(), headers, body });
        if !is_stream || !has_body {
            state.exchange = Some(exchange);
            drop(state);
            if !has_body {
                self.end(Side::Response, End::Complete, None);
            }
            return;
        }
        state.is_streaming = true;
        let held = std::mem::take(&mut state.held);
        self.context.sink.send_holding(Captured::Opened(exchange), held);
    }

    /// Some of a body went by.
    pub fn data(&self, side: Side, bytes: &Bytes) {
        let mut state = self.state();
        if state.exchange.is_none() && !state.is_streaming {
            return;
        }
        let is_piece = state.is_streaming && side == Side::Response;
        let progress = state.progress(side);
        progress.seen += bytes.len() as u64;
        let wanted = if progress.is_cut { 0 } else { bytes.len().min(BODY_LIMIT - progress.kept) };
        let cost = if is_piece { wanted + PIECE } else { wanted };
        let fits = wanted > 0 && self.context.sink.take_room(cost);
        progress.is_cut |= !bytes.is_empty() && (!fits || wanted < bytes.len());
        if !fits {
            return;
        }
        progress.kept += wanted;
        if is_piece {
            // A copy: the original is part of a read buffer that it would keep alive.
            let frame = Frame { at: self.context.now(), bytes: Bytes::copy_from_slice(&bytes[..wanted]) };
            self.context.sink.send_holding(Captured::Frames { number: self.number, frames: vec![frame] }, cost);
        } else if let Some(body) = state.body(side) {
            body.bytes.extend_from_slice(&bytes[..wanted]);
            state.held += wanted;
        } else {
            self.context.sink.give_back(cost);
        }
    }

    /// A body ended. Only the first end of a body counts.
    pub fn end(&self, side: Side, end: End, trailers: Option<&HeaderMap>) {
        let trailers = trailers.map(headers::record).unwrap_or_default();
        let mut state = self.state();
        let progress = state.progress(side);
        if std::mem::replace(&mut progress.is_over, true) {
            return;
        }
        let end = if progress.is_cut && end == End::Complete { End::Cut { of: progress.seen } } else { end };
        if side == Side::Response && std::mem::take(&mut state.is_streaming) {
            let message = Captured::Closed { number: self.number, took: self.elapsed(), end, trailers };
            self.context.sink.send(message);
            return;
        }
        if let Some(body) = state.body(side) {
            body.end = end;
            body.trailers = trailers;
        }
        if side == Side::Response
            && let Some(exchange) = &mut state.exchange
        {
            exchange.took = Some(self.elapsed());
        }
    }

    /// How a body ended that was let go of before its end.
    pub fn broken_off(&self) -> End {
        if self.context.is_closing() { End::Open } else { End::ClientGone }
    }

    fn elapsed(&self) -> Duration {
        self.context.now().saturating_sub(self.at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn progress(&mut self, side: Side) -> &mut Progress {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn body(&mut self, side: Side) -> Option<&mut RawBody> {
        let exchange = self.exchange.as_mut()?;
        match (side, &mut exchange.outcome) {
            (Side::Request, _) => Some(&mut exchange.request.body),
            (Side::Response, RawOutcome::Response(response)) => Some(&mut response.body),
            (Side::Response, RawOutcome::Failed(_)) => None,
        }
    }
}

/// The last part let go: what is known now is all there will be.
impl Drop for Recording {
    fn drop(&mut self) {
        let took = self.elapsed();
        let end = self.broken_off();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.is_streaming {
            let trailers = Headers::new();
            self.context.sink.send(Captured::Closed { number: self.number, took, end: end.clone(), trailers });
        }
        let Some(mut exchange) = state.exchange.take() else { return };
        if let RawOutcome::Failed(failure) = &mut exchange.outcome {
            exchange.took.get_or_insert(took);
            if failure.stage == Stage::ClientGone {
                if exchange.request.body.end == End::Open {
                    exchange.request.body.end = end;
                }
                if self.context.is_closing() {
                    "the recording ended before a response came".clone_into(&mut failure.reason);
                }
            }
        }
        let held = std::mem::take(&mut state.held);
        self.context.sink.send_holding(Captured::Exchange(exchange), held);
    }
}

/// An exchange of which the head of the request is known.
fn begun(number: u32, at: Duration, via: &Via, head: &request::Parts, url: String) -> RawExchange {
    let request = RawRequest {
        method: head.method.as_str().to_owned(),
        url,
        version: version(head.version),
        headers: headers::record(&head.headers),
        body: RawBody { end: End::Open, ..RawBody::default() },
    };
    RawExchange {
        number,
        session: via.peer.session,
        actor: via.peer.actor,
        connection: via.connection.number,
        at,
        took: None,
        request,
        // Holds unless something better follows.
        outcome: failed(Stage::ClientGone, "the client went away before a response came"),
        answered: None,
    }
}

fn failed(stage: Stage, reason: &str) -> RawOutcome {
    RawOutcome::Failed(Failure { stage, reason: reason.to_owned() })
}

fn version(version: http::Version) -> Version {
    match version {
        http::Version::HTTP_09 | http::Version::HTTP_10 => Version::Http10,
        http::Version::HTTP_2 => Version::Http2,
        _ => Version::Http11,
    }
}
