//! TLS handshakes that go wrong: before any request, so that only the host is known.

use super::WIRE;
use crate::fault::deeds::Made;
use crate::fault::{Attribute, Attributes, Deed, FaultError, Life, Page, Spec};
use crate::reply::{Flaw, Handshake};

pub(super) const FAILURE: Spec = Spec {
    name: "tls-handshake-failure",
    page: Page {
        title: "A TLS handshake is ended by the server",
        injects: "The server answers the hello with the alert handshake_failure and closes the connection. host says which; every host without \
                  it.",
        reproduces: &["a server behind a load balancer that lost its key"],
        correct: "Says which host failed, and keeps its credentials.",
        source: "RFC 8446 §6.2",
        broken: "Take it for a refused login, or try for ever.",
    },
    make: |written| begun(written, Handshake::Failed),
    ..WIRE
};

pub(super) const UNTRUSTED: Spec = Spec {
    name: "tls-untrusted",
    page: Page {
        title: "A certificate that should not be trusted",
        injects: "The server shows a certificate with a flaw: of a root that the client does not have (untrusted), ended yesterday (expired), for \
                  another host (wrong-host), or without the intermediate it needs (incomplete-chain). host says which server; every server \
                  without it.",
        reproduces: &["anthropics/claude-code#85635", "anthropics/claude-code#26897", "anthropics/claude-code#22756"],
        correct: "Sends nothing, names the host and what is wrong with its certificate, and has one trust store for discovery, login and MCP.",
        source: "RFC 8446 §6.2; RFC 9525 §6; RFC 5280 §6.1",
        broken: "Go on all the same, or trust in one place what they refuse in another.",
    },
    attributes: &[Attribute {
        name: "flaw",
        values: "untrusted|expired|wrong-host|incomplete-chain",
        default: "untrusted",
        about: "what is wrong with it",
    }],
    life: Life::Forever,
    make: |written| {
        let flaw = match written.word("flaw", &["untrusted", "expired", "wrong-host", "incomplete-chain"])? {
            "expired" => Flaw::Expired,
            "wrong-host" => Flaw::WrongHost,
            "incomplete-chain" => Flaw::IncompleteChain,
            _ => Flaw::Untrusted,
        };
        begun(written, Handshake::Certificate(flaw))
    },
    ..WIRE
};

pub(super) const EXPIRED: Spec = Spec {
    name: "certificate-expired",
    page: Page {
        title: "A certificate that ended yesterday",
        injects: "The server shows a certificate of the trusted root that ended yesterday. host says which server; every server without it.",
        ..UNTRUSTED.page
    },
    life: Life::Forever,
    make: |written| begun(written, Handshake::Certificate(Flaw::Expired)),
    ..WIRE
};

pub(super) const WRONG_HOST: Spec = Spec {
    name: "certificate-wrong-host",
    page: Page {
        title: "A certificate for another host",
        injects: "The server shows a certificate of the trusted root for another host. host says which server; every server without it.",
        ..UNTRUSTED.page
    },
    life: Life::Forever,
    make: |written| begun(written, Handshake::Certificate(Flaw::WrongHost)),
    ..WIRE
};

/// What only requests have.
const OF_REQUESTS: &[&str] = &["kind", "method", "tool", "issuer", "server"];

/// A connection that begins like this.
fn begun(written: &Attributes, handshake: Handshake) -> Made {
    if let Some(name) = OF_REQUESTS.iter().find(|name| written.text(name).is_some()) {
        let message = format!("{name} says nothing about a handshake, of which only host and session are known");
        return Err(FaultError::Contradiction(message));
    }
    Ok(Box::new(Begun(handshake)))
}

struct Begun(Handshake);

impl Deed for Begun {
    fn handshake(&mut self, _: &str) -> Option<Handshake> {
        Some(self.0)
    }
}
