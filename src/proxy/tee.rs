//! A body on its way through: each frame passes as it comes, and the recording sees it.

use super::recording::{Recording, Side};
use crate::exchange::{BODY_LIMIT, End};
use crate::upstream::chain;
use bytes::Bytes;
use http_body_util::BodyExt;
use hudsucker::Body;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::timeout;

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

/// A request body that is lent to whoever sends it: if it is given back unread, because there was no server, what the client
/// wanted is still to be had.
#[derive(Clone)]
pub(super) struct Lent(Arc<Mutex<Tee>>);

/// How long the rest of a request may take that nobody will get.
const REST: Duration = Duration::from_secs(1);

impl Lent {
    pub fn new(tee: Tee) -> Self {
        Self(Arc::new(Mutex::new(tee)))
    }

    /// Reads what was not read, for the recording alone; not past what is stored.
    pub async fn read_rest(mut self) {
        let read = async {
            let mut read = 0;
            while let Some(Ok(frame)) = self.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > BODY_LIMIT {
                    return;
                }
            }
        };
        // A client that waits for a `100 Continue` sends nothing.
        let _ = timeout(REST, read).await;
    }

    fn tee(&self) -> MutexGuard<'_, Tee> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = hudsucker::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hudsucker::Error>>> {
        Pin::new(&mut *self.tee()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.tee().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.tee().size_hint()
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
