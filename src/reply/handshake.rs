//! How a connection to a host begins, where it does not begin as it should.

use super::Break;

/// What becomes of a connection before the first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The tunnel is refused with this status (RFC 9110 §9.3.6).
    Refused(u16),
    /// The connection breaks before the handshake, as that to a server that is not there.
    Broken(Break),
    /// The server ends the handshake with the alert `handshake_failure` (RFC 8446 §6.2).
    Failed,
    /// The server shows a certificate that should not be trusted.
    Certificate(Flaw),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its root is none that the client has.
    Untrusted,
    /// It ended yesterday.
    Expired,
    /// It names another host (RFC 9525 §6).
    WrongHost,
    /// An intermediate certificate is left out.
    IncompleteChain,
}
