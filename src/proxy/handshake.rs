//! The client's side of a TLS handshake, watched from outside: whether it came to its end and, if not, what the client
//! said. Knows record headers and plain alerts; everything else in the stream is opaque.

use super::alert::{self, HandshakeKeys, KeyWatch};
use super::wire::Wire;
use crate::exchange::Trouble;
use crate::upstream::chain;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client that does not trust the certificate may finish the handshake and close at once (Node does).
const AT_ONCE: Duration = Duration::from_secs(2);

/// RFC 8446 §5.1: the sort of a record.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// An encrypted alert: two bytes, the inner sort, and a tag of 16 bytes (RFC 8446 §5.2). A Finished is longer.
const ENCRYPTED_ALERT: u16 = 2 + 1 + 16;

const HEADER: usize = 5;
/// Of each record as much as a client hello needs to show its random: header, type, length, version, random.
const START: usize = HEADER + 1 + 3 + 2 + 32;

/// Whether the client's session has used our certificate for the host on another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It has.
    Shown,
    /// Nothing is known.
    Open,
}

/// What the client's records have told so far.
#[derive(Default)]
pub(super) struct Handshake {
    /// The beginning of the record that is being read, header included.
    start: Vec<u8>,
    /// Bytes of that record still to come.
    left: usize,
    stage: Stage,
    keys: Arc<HandshakeKeys>,
    /// From the first hello to the end of the handshake.
    watch: Option<KeyWatch>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Hellos and keys.
    #[default]
    Begun,
    /// The client encrypts from here on.
    Encrypting,
    /// The client sent its Finished.
    Finished,
    /// The client sent an alert, by number where it could be read.
    Alert(Option<u8>),
    /// The client sent data: nothing more to see.
    Over,
}

/// The client's socket while its handshake is watched.
pub(super) struct Watched {
    wire: Wire,
    pub handshake: Handshake,
}

impl Handshake {
    /// Begins before the server has a byte of the client's.
    pub fn new(keys: &Arc<HandshakeKeys>) -> Self {
        Self { start: Vec::with_capacity(START), left: 0, stage: Stage::Begun, keys: Arc::clone(keys), watch: None }
    }

    /// True once the client sent an alert.
    pub fn is_refused(&self) -> bool {
        matches!(self.stage, Stage::Alert(_))
    }

    /// What to report of a tunnel on which no request came. A client that has used our certificate for the host elsewhere just
    /// had a connection to spare.
    pub fn verdict(&self, took: Duration, trust: Trust, error: Option<io::Error>) -> (Trouble, String) {
        let detail = match self.stage {
            Stage::Alert(Some(number)) => return (Trouble::TlsHandshakeFailed, format!("alert {}", alert::name(number))),
            Stage::Alert(None) => "an encrypted alert",
            Stage::Begun | Stage::Encrypting => "closed without an alert",
            Stage::Finished if took < AT_ONCE && trust == Trust::Open => "closed right after the handshake, without an alert or a request",
            Stage::Finished | Stage::Over => return (Trouble::Silent, "no request after the TLS handshake".to_owned()),
        };
        let error = error.map(|error| format!(" ({})", chain(&error))).unwrap_or_default();
        (Trouble::TlsHandshakeFailed, format!("{detail}{error}"))
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.stage != Stage::Over {
            if self.left > 0 {
                let count = self.left.min(bytes.len());
                let wanted = START.saturating_sub(self.start.len()).min(count);
                self.start.extend_from_slice(&bytes[..wanted]);
                self.left -= count;
                bytes = &bytes[count..];
            } else {
                let count = (HEADER - self.start.len()).min(bytes.len());
                self.start.extend_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                if self.start.len() == HEADER {
                    self.left = usize::from(u16::from_be_bytes([self.start[3], self.start[4]]));
                }
            }
            if self.start.len() >= HEADER && self.left == 0 {
                self.record();
                self.start.clear();
            }
        }
    }

    /// A whole record went by.
    fn record(&mut self) {
        let size = u16::from_be_bytes([self.start[3], self.start[4]]);
        let content = &self.start[HEADER..];
        self.stage = match (self.start[0], self.stage) {
            (_, Stage::Alert(_) | Stage::Over) => return,
            (HANDSHAKE, Stage::Begun) => return self.hello(),
            (ALERT, Stage::Begun) if size == 2 => Stage::Alert(content.get(1).copied()),
            (ALERT, _) => Stage::Alert(None),
            (CHANGE_CIPHER_SPEC, Stage::Begun) => Stage::Encrypting,
            // TLS 1.2; a second hello of TLS 1.3 is far longer.
            (HANDSHAKE, Stage::Encrypting) if size < 100 => Stage::Finished,
            // A close_notify.
            (APPLICATION_DATA, Stage::Finished) if size == ENCRYPTED_ALERT => return,
            (APPLICATION_DATA, Stage::Finished) => Stage::Over,
            (APPLICATION_DATA, _) if size == ENCRYPTED_ALERT => Stage::Alert(self.watch.as_ref().and_then(|watch| watch.decrypt(content))),
            (APPLICATION_DATA, _) => Stage::Finished,
            _ => return,
        };
        if self.stage != Stage::Encrypting {
            self.watch = None;
        }
    }

    /// RFC 8446 §4.1.2: the random of the first hello names the handshake.
    fn hello(&mut self) {
        if let (None, Some(random)) = (&self.watch, self.start.get(START - 32..START)) {
            self.watch = random.try_into().ok().map(|random| self.keys.watch(random));
        }
    }
}

impl Watched {
    pub fn new(wire: Wire, handshake: Handshake) -> Self {
        Self { wire, handshake }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        if self.handshake.stage != Stage::Over {
            self.handshake.read(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
