//! Bodies that are looked at before they are passed on: whole small ones, and the first event of a stream. Whatever is too large is
//! passed on as it is, with what was read of it in front.

use crate::protocol::rebind::Rebinding;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hudsucker::Body;
use hyper::body::{Body as HttpBody, Frame};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How large a body may be to be rewritten.
pub(super) const LIMIT: usize = 1 << 20;
/// How long the first event of a stream may be to be rewritten.
const EVENT_LIMIT: usize = 8 << 10;

/// A body after it was looked at.
pub(super) enum Read {
    /// All of it.
    Whole(Bytes),
    /// It is too large, broken, or has trailers: to be passed on as it is.
    Rest(Body),
}

/// Reads a body up to the limit.
pub(super) async fn read(mut body: Body) -> Read {
    let mut frames = VecDeque::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        size += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
        let is_data = frame.as_ref().is_ok_and(Frame::is_data);
        frames.push_back(frame);
        if !is_data || size > LIMIT {
            return Read::Rest(Body::from(BoxBody::new(Ahead { frames, rest: body })));
        }
    }
    let mut frames = frames.into_iter().flatten().filter_map(|frame| frame.into_data().ok());
    let first = frames.next().unwrap_or_default();
    let mut whole = BytesMut::from(first);
    frames.for_each(|bytes| whole.extend_from_slice(&bytes));
    Read::Whole(whole.freeze())
}

/// What was read of a body, and the rest of it.
struct Ahead {
    frames: VecDeque<Result<Frame<Bytes>, hudsucker::Error>>,
    rest: Body,
}

impl HttpBody for Ahead {
    type Data = Bytes;
    type Error = hudsucker::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hudsucker::Error>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }
}

/// An event stream whose first event is rebound if it names the endpoint (MCP 2024-11-05). Comments before it pass at once.
pub(super) struct FirstEvent {
    inner: Body,
    rebinding: Rebinding,
    /// The beginning of an event.
    held: BytesMut,
    /// True once the first event went by.
    is_over: bool,
    /// What ended the stream while something was held.
    last: Option<Result<Frame<Bytes>, hudsucker::Error>>,
    has_ended: bool,
}

impl FirstEvent {
    pub(super) fn of(inner: Body, rebinding: Rebinding) -> Body {
        let this = Self { inner, rebinding, held: BytesMut::new(), is_over: false, last: None, has_ended: false };
        Body::from(BoxBody::new(this))
    }

    /// What can be passed on of what is held.
    fn ready(&mut self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        while let Some(end) = end_of_event(&self.held).filter(|_| !self.is_over) {
            let event = self.held.split_to(end);
            self.is_over = event.starts_with(b"data") || memchr::memmem::find(&event, b"\ndata").is_some();
            let moved = std::str::from_utf8(&event).ok().and_then(|event| self.rebinding.endpoint_event(event));
            out.extend_from_slice(moved.as_ref().map_or(&event[..], |moved| moved.as_bytes()));
        }
        if self.is_over || self.held.len() > EVENT_LIMIT {
            self.is_over = true;
            out.unsplit(self.held.split());
        }
        (!out.is_empty()).then(|| out.freeze())
    }
}

/// The end of the first event, its blank line included.
fn end_of_event(bytes: &[u8]) -> Option<usize> {
    let ends = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"];
    ends.iter().filter_map(|end| Some(memchr::memmem::find(bytes, end)? + end.len())).min()
}

impl HttpBody for FirstEvent {
    type Data = Bytes;
    type Error = hudsucker::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hudsucker::Error>>> {
        loop {
            if let Some(last) = self.last.take() {
                return Poll::Ready(Some(last));
            }
            if self.has_ended {
                return Poll::Ready(None);
            }
            let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            if self.is_over {
                return Poll::Ready(frame);
            }
            match frame {
                Some(Ok(frame)) if frame.is_data() => {
                    self.held.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                    if let Some(bytes) = self.ready() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
                end => {
                    self.has_ended = end.is_none();
                    self.is_over = true;
                    self.last = end;
                    if !self.held.is_empty() {
                        let held = self.held.split().freeze();
                        return Poll::Ready(Some(Ok(Frame::data(held))));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::rebind::{Binding, Spelling};
    use futures_util::stream;

    fn body(chunks: &[&str]) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, hudsucker::Error>(Bytes::copy_from_slice(chunk.as_bytes()))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    async fn frames(mut body: Body) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(frame) = body.frame().await {
            seen.push(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap());
        }
        seen
    }

    async fn passed(chunks: &[&str]) -> Vec<String> {
        let binding = Binding { origin: "https://a.test".into(), local: "127.0.0.1:7300".parse().unwrap() };
        frames(FirstEvent::of(body(chunks), Rebinding::outward(&[binding], Spelling::Address))).await
    }

    #[tokio::test]
    async fn only_the_event_that_names_the_endpoint_waits_for_its_end() {
        let seen = passed(&[": ping\n\n", "event: endpoint\nda", "ta: https://a.test/m\n\nda", "ta: https://a.test/\n\n", "x"]).await;
        assert_eq!(seen, [": ping\n\n", "event: endpoint\ndata: http://127.0.0.1:7300/m\n\nda", "ta: https://a.test/\n\n", "x"]);
        assert_eq!(passed(&["data: 1\n", "\n", "data: 2"]).await, ["data: 1\n\n", "data: 2"]);
        assert_eq!(passed(&["event: endp", "oint"]).await, ["event: endpoint"]);
        let long = "x".repeat(EVENT_LIMIT + 1);
        assert_eq!(passed(&[&long, "\n\n"]).await, [long.as_str(), "\n\n"]);
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_passed_on_whole() {
        assert!(matches!(read(body(&["a", "b"])).await, Read::Whole(bytes) if bytes == "ab"));
        let large = "y".repeat(LIMIT);
        let Read::Rest(rest) = read(body(&["x", &large, "z"])).await else { panic!("too large") };
        assert_eq!(frames(rest).await, ["x", large.as_str(), "z"]);
        let broken = stream::iter([Ok(Bytes::from_static(b"a")), Err(hudsucker::Error::Decode)]);
        let Read::Rest(mut rest) = read(Body::from_stream(broken)).await else { panic!("broken") };
        assert!(rest.frame().await.unwrap().is_ok() && rest.frame().await.unwrap().is_err());
    }
}
