//! A client's own stream in the core's hands. hudsucker takes connections from a listener only, and speaks TLS on what a CONNECT
//! upgrades to; so the CONNECT that names a tunnel to it comes over a socket of ours, and in place of what is behind that socket
//! it gets the client's stream: no byte of a tunnel crosses a second socket.

use super::handshake::{Handshake, Watched};
use bytes::Bytes;
use http::Response;
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What hyper is asked, and how its answer ends.
const ASK: &[u8] = b"CONNECT client:1 HTTP/1.1\r\n\r\n";
const END: &[u8] = b"\r\n\r\n";

/// What is known of a stream when the core lets go of it.
pub(super) struct Ended {
    pub handshake: Handshake,
    /// Why it broke off, if it did.
    pub error: Option<io::Error>,
}

/// Makes what a CONNECT upgrades to out of a stream. Only hyper can make one, and only of what it serves: so it serves one CONNECT
/// that stands in front of the stream. Once `stop` is cancelled the stream is broken off.
pub(super) async fn upgrade_to(stream: Watched, stop: CancellationToken) -> hyper::Result<(OnUpgrade, oneshot::Receiver<Ended>)> {
    let (sender, ended) = oneshot::channel();
    let stop = Box::pin(stop.cancelled_owned());
    let handed = Handed { stream, ask: ASK, seen: 0, stop, error: None, ended: Some(sender) };
    let upgrade = Mutex::new(None);
    let service = service_fn(|request| {
        let made = hyper::upgrade::on(request);
        *upgrade.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(made);
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(handed), service).with_upgrades().await?;
    let made = upgrade.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((made.expect("hyper served the one request"), ended))
}

/// The client's stream with a CONNECT in front, whose answer goes nowhere.
struct Handed {
    stream: Watched,
    /// What is left of the CONNECT.
    ask: &'static [u8],
    /// How much of the end of its answer was seen last.
    seen: usize,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    error: Option<io::Error>,
    ended: Option<oneshot::Sender<Ended>>,
}

impl Handed {
    /// How many of these bytes belong to the answer to the CONNECT.
    fn swallow(&mut self, bytes: &[u8]) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            self.seen = if *byte == END[self.seen] { self.seen + 1 } else { usize::from(*byte == END[0]) };
            if self.seen == END.len() {
                return index + 1;
            }
        }
        bytes.len()
    }

    fn is_stopped(&mut self, cx: &mut Context<'_>) -> bool {
        self.stop.as_mut().poll(cx).is_ready()
    }

    /// Keeps the first error.
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            self.error.get_or_insert(error);
            kind.into()
        })
    }

    fn wrote(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_pending() && self.is_stopped(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(self.note(ready!(wrote)))
    }
}

impl AsyncRead for Handed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ask.is_empty() {
            let (now, rest) = self.ask.split_at(self.ask.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.ask = rest;
            return Poll::Ready(Ok(()));
        }
        if self.is_stopped(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        Poll::Ready(self.note(read))
    }
}

impl AsyncWrite for Handed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.seen < END.len() {
            return Poll::Ready(Ok(self.swallow(bytes)));
        }
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, wrote)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.seen < END.len() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return Poll::Ready(Ok(first.map_or(0, |bytes| self.swallow(bytes))));
        }
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        let ended = Ended { handshake: std::mem::take(&mut self.stream.handshake), error: self.error.take() };
        if let Some(sender) = self.ended.take() {
            // Nobody waits once the tunnel was stopped.
            let _ = sender.send(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::wire::Wire;
    use crate::proxy::wire::tests::connected;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_stream_passes_whole_until_it_is_stopped() {
        let (mut client, stream, connection) = connected().await;
        let wire = Wire::new(stream, connection);
        let stop = CancellationToken::new();
        let watched = Watched::new(wire, Handshake::new(&Arc::default()));
        let (upgrade, ended) = upgrade_to(watched, stop.clone()).await.unwrap();
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        client.write_all(b"\x16\x03ask").await.unwrap();
        let mut asked = [0; 5];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"\x16\x03ask");
        stream.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer", "and nothing of the answer to our own CONNECT");
        stop.cancel();
        assert_eq!(stream.read(&mut asked).await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        drop(stream);
        assert!(ended.await.is_ok_and(|ended| ended.error.is_none()));
        assert_eq!(client.read(&mut answer).await.unwrap(), 0);
    }
}
