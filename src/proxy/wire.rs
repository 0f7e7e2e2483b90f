//! The client's own socket, which we keep in hand: bytes read ahead are given back, and the connection can be ended or reset
//! by its number.

use super::own_user;
use crate::reply::Break;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;

/// A client's connection.
pub struct Connection {
    /// Its number, from 1, in order of acceptance.
    pub number: u32,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) stop: CancellationToken,
    /// Requests of any sort that came on it, CONNECT included.
    pub(super) requests: AtomicU32,
    /// A refusal that nothing better followed: host and reason.
    pub(super) refused: Mutex<Option<(Option<String>, String)>>,
    is_reset: AtomicBool,
    /// Whether the other end runs under our own user, once that was asked.
    owned: OnceCell<bool>,
    all: Connections,
    _slot: OwnedSemaphorePermit,
}

/// The open connections of a proxy.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<u32, Weak<Connection>>>>);

/// The client's socket.
pub(super) struct Wire {
    stream: TcpStream,
    ahead: Bytes,
    connection: Arc<Connection>,
}

impl Connection {
    /// Ends the connection in order (FIN).
    pub fn close(&self) {
        self.stop.cancel();
    }

    /// Breaks the connection off (RST).
    pub fn reset(&self) {
        self.is_reset.store(true, Relaxed);
        self.stop.cancel();
    }

    /// Breaks the connection as a plan wants it, and says how; `None` where it stays open and silent.
    pub fn break_off(&self, how: Break) -> Option<&'static str> {
        match how {
            Break::Reset => self.reset(),
            Break::Close => self.close(),
            Break::Stall => return None,
        }
        Some(if how == Break::Reset { "the connection was reset on purpose" } else { "the connection was closed on purpose" })
    }

    /// True when the process at the other end runs under our own user. Asked once: a socket does not change hands.
    pub(super) async fn is_of_our_user(&self) -> bool {
        let (remote, local) = (self.peer, self.local);
        let ask = async || tokio::task::spawn_blocking(move || own_user::owns(remote, local)).await.unwrap_or(false);
        *self.owned.get_or_init(ask).await
    }

    pub(super) fn refused(&self) -> MutexGuard<'_, Option<(Option<String>, String)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.map().remove(&self.number);
    }
}

impl Connections {
    /// An open connection by its number.
    pub fn find(&self, number: u32) -> Option<Arc<Connection>> {
        self.map().get(&number)?.upgrade()
    }

    pub(super) fn open(
        &self,
        number: u32,
        stream: &TcpStream,
        stop: CancellationToken,
        slot: OwnedSemaphorePermit,
    ) -> io::Result<Arc<Connection>> {
        let connection = Arc::new(Connection {
            number,
            peer: stream.peer_addr()?,
            local: stream.local_addr()?,
            stop,
            requests: AtomicU32::new(0),
            refused: Mutex::default(),
            is_reset: AtomicBool::new(false),
            owned: OnceCell::new(),
            all: self.clone(),
            _slot: slot,
        });
        self.map().insert(number, Arc::downgrade(&connection));
        Ok(connection)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<u32, Weak<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    pub fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self { stream, ahead: Bytes::new(), connection }
    }

    /// Puts bytes back in front.
    pub fn give_back(&mut self, bytes: Bytes) {
        self.ahead = if self.ahead.is_empty() { bytes } else { [bytes, self.ahead.split_to(self.ahead.len())].concat().into() };
    }

    /// Reads until this many bytes are ahead, or to the end of the stream. Not lost when cancelled.
    pub async fn look_ahead(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.ahead.len() < wanted {
            let mut more = BytesMut::with_capacity(4096);
            if self.stream.read_buf(&mut more).await? == 0 {
                break;
            }
            let earlier = self.ahead.split_to(self.ahead.len());
            self.ahead = if earlier.is_empty() { more.freeze() } else { [earlier, more.freeze()].concat().into() };
        }
        Ok(&self.ahead)
    }

    /// What has been read ahead, taken out.
    pub fn take_ahead(&mut self) -> Bytes {
        self.ahead.split_to(self.ahead.len())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.connection.is_reset.load(Relaxed) {
            let reset = self.stream.set_zero_linger();
            tracing::debug!(connection = self.connection.number, ok = reset.is_ok(), "reset");
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    /// A client's end, our end and what we know of it.
    pub async fn connected() -> (TcpStream, TcpStream, Arc<Connection>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let slot = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let connection = Connections::default().open(1, &stream, CancellationToken::new(), slot).unwrap();
        (client, stream, connection)
    }
}
