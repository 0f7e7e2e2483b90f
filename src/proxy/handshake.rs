//! The client's side of a TLS handshake, watched from outside: whether it came to its end and, if not, what the client
//! said. Knows record headers and plain alerts; everything else in the stream is opaque.

use super::wire::Wire;
use crate::exchange::Trouble;
use crate::upstream::chain;
use std::io;
use std::pin::Pin;
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

/// What the client's records have told so far.
pub(super) struct Handshake {
    /// The header of the record that is being read, and the first two bytes of its content.
    start: Vec<u8>,
    /// Bytes of that record still to come.
    left: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Hellos and keys.
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
    /// Begins with the first bytes of the client.
    pub fn new(hello: &[u8]) -> Self {
        let mut handshake = Self { start: Vec::with_capacity(7), left: 0, stage: Stage::Begun };
        handshake.read(hello);
        handshake
    }

    /// What to report of a tunnel on which no request came.
    pub fn verdict(&self, took: Duration, error: Option<io::Error>) -> (Trouble, String) {
        let detail = match self.stage {
            Stage::Alert(Some(number)) => return (Trouble::TlsHandshakeFailed, format!("alert {}", alert_name(number))),
            Stage::Alert(None) => "an encrypted alert",
            Stage::Begun | Stage::Encrypting => "closed without an alert",
            Stage::Finished if took < AT_ONCE => "closed right after the handshake, without an alert or a request",
            Stage::Finished | Stage::Over => return (Trouble::Silent, "no request after the TLS handshake".to_owned()),
        };
        let error = error.map(|error| format!(" ({})", chain(&error))).unwrap_or_default();
        (Trouble::TlsHandshakeFailed, format!("{detail}{error}"))
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.stage != Stage::Over {
            if self.left > 0 {
                let count = self.left.min(bytes.len());
                let wanted = 7usize.saturating_sub(self.start.len()).min(count);
                self.start.extend_from_slice(&bytes[..wanted]);
                self.left -= count;
                bytes = &bytes[count..];
            } else {
                let count = (5 - self.start.len()).min(bytes.len());
                self.start.extend_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                if self.start.len() == 5 {
                    self.left = usize::from(u16::from_be_bytes([self.start[3], self.start[4]]));
                }
            }
            if self.start.len() >= 5 && self.left == 0 {
                self.record();
                self.start.clear();
            }
        }
    }

    /// A whole record went by.
    fn record(&mut self) {
        let size = u16::from_be_bytes([self.start[3], self.start[4]]);
        let content = self.start.get(6).copied();
        self.stage = match (self.start[0], self.stage) {
            (_, Stage::Alert(_) | Stage::Over) => return,
            (ALERT, Stage::Begun) if size == 2 => Stage::Alert(content),
            (ALERT, _) => Stage::Alert(None),
            (CHANGE_CIPHER_SPEC, Stage::Begun) => Stage::Encrypting,
            // TLS 1.2; a second hello of TLS 1.3 is far longer.
            (HANDSHAKE, Stage::Encrypting) if size < 100 => Stage::Finished,
            // A close_notify.
            (APPLICATION_DATA, Stage::Finished) if size == ENCRYPTED_ALERT => return,
            (APPLICATION_DATA, Stage::Finished) => Stage::Over,
            (APPLICATION_DATA, _) if size == ENCRYPTED_ALERT => Stage::Alert(None),
            (APPLICATION_DATA, _) => Stage::Finished,
            _ => return,
        };
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

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

/// RFC 8446 §6 and, for those it dropped, RFC 5246 §7.2.
fn alert_name(number: u8) -> String {
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        other => return other.to_string(),
    };
    name.to_owned()
}
