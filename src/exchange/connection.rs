//! What happened on a connection without becoming an exchange: some failures consist of nothing else.

use std::time::Duration;

/// Something that happened on a client's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionEvent {
    /// When, since the start of the run.
    pub at: Duration,
    /// The session, where the connection named one.
    pub session: Option<u32>,
    /// The connection, from 1, in order of acceptance.
    pub connection: u32,
    /// What happened.
    pub trouble: Trouble,
    /// `host:port` that the client wanted, where it said so.
    pub host: Option<String>,
    /// The reason, one line; free text of foreign origin.
    pub detail: String,
}

/// What can happen on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The client ended the TLS handshake with us: it does not trust our certificate, or broke off.
    TlsHandshakeFailed,
    /// We refused a CONNECT (no credential, bad authority).
    ConnectRefused,
    /// A connection, or a tunnel inside one, on which no request ever came.
    Silent,
    /// Bytes that are neither TLS nor HTTP.
    NotHttp,
}
