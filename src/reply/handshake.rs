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

/// Where a connection to a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// The client asks for a tunnel.
    Tunnel,
    /// The client begins with TLS in it.
    Tls,
}

impl Handshake {
    /// Where it is met.
    pub const fn threshold(self) -> Threshold {
        match self {
            Self::Refused(_) | Self::Broken(_) => Threshold::Tunnel,
            Self::Failed | Self::Certificate(_) => Threshold::Tls,
        }
    }
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
