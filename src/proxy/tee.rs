//! A body on its way through: each frame passes as it comes, and the recording sees it.

use super::recording::{Recording, Side};
use crate::exchange::End;
use crate::upstream::chain;
use bytes::Bytes;
use hudsucker::Body;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A body that is recorded while it passes.
pub(super) struct Tee {
    inner: Body,
    side: Side,
    /// Until the end of the body.
    recording: Option<Arc<Recording>>,
}

impl Tee {
    pub fn new(inner: Body, side: Side, recording: Arc<Recording>) -> Self {
        let mut tee = Self { inner, side, recording: Some(recording) };
        if tee.inner.is_end_stream() {
            tee.finish(End::Complete, None);
        }
        tee
    }

    fn finish(&mut self, end: End, trailers: Option<&http::HeaderMap>) {
        if let Some(recording) = self.recording.take() {
            recording.end(self.side, end, trailers);
        }
    }

    fn note(&mut self, frame: &Frame<Bytes>) {
        let Some(recording) = &self.recording else { return };
        if let Some(bytes) = frame.data_ref() {
            recording.data(self.side, bytes);
        }
        // The last frame: whoever sends the body on may not ask again.
        if frame.is_trailers() || self.inner.is_end_stream() {
            self.finish(End::Complete, frame.trailers_ref());
        }
    }

    fn broke(&self, error: &hudsucker::Error) -> End {
        match self.side {
            Side::Request => End::ClientGone,
            // The outermost text only says "network error".
            Side::Response => End::ServerGone(error.source().map_or_else(|| error.to_string(), chain)),
        }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = hudsucker::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hudsucker::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.note(frame),
            Some(Err(error)) => {
                let end = self.broke(error);
                self.finish(end, None);
            }
            None => self.finish(End::Complete, None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        let Some(recording) = &self.recording else { return };
        let end = match self.side {
            // Whether the client stopped or the server did not want the rest is not known.
            Side::Request => End::Open,
            Side::Response => recording.broken_off(),
        };
        self.finish(end, None);
    }
}
