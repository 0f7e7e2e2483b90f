//! What is known of a fault before it is armed: name, page, attributes, what it needs of a tape and where it aims.

use super::attributes::{Attributes, FaultError};
use super::deed::Deed;
use super::selection::Life;
use crate::protocol::Kind;
use std::fmt;

/// A fault of the catalogue.
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// The part of a session that it strikes.
    pub group: Group,
    /// What people read about it.
    pub page: Page,
    /// What may be chosen about it, beside the selection that every fault has.
    pub attributes: &'static [Attribute],
    /// What a tape must hold to carry it.
    pub needs: Needs,
    /// The kinds that it strikes where none is chosen; empty for every kind.
    pub aims_at: &'static [Kind],
    /// How long it lives where nothing else is chosen.
    pub life: Life,
    /// What makes a client do what the fault waits for.
    pub trigger: Trigger,
    /// Whether a correct client sees anything wrong.
    pub control: Control,
    /// Faults that it contradicts.
    pub excludes: &'static [&'static str],
    /// Makes it.
    pub make: fn(&Attributes) -> Result<Box<dyn Deed>, FaultError>,
}

/// The page of a fault: `authtape faults NAME` prints it, and it is the documentation.
pub struct Page {
    /// One line: what it does.
    pub title: &'static str,
    /// What is injected, exactly.
    pub injects: &'static str,
    /// The reports that it reproduces, as `owner/repository#number` or words.
    pub reproduces: &'static [&'static str],
    /// What a correct client does.
    pub correct: &'static str,
    /// Who says so: RFC and section, or revision of the MCP specification.
    pub source: &'static str,
    /// What broken clients do.
    pub broken: &'static str,
}

/// An attribute of one fault.
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What may be written: `a|b|c` for words, `N` for a number, `SECONDS`, `TEXT`.
    pub values: &'static str,
    /// What holds where it is not written.
    pub default: &'static str,
    /// What it chooses.
    pub about: &'static str,
}

/// The part of a session that a fault strikes, in the order of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Metadata and the first challenge.
    Discovery,
    /// Client registration.
    Registration,
    /// The authorization endpoint and the way back.
    Authorization,
    /// Code exchange and the shape of tokens.
    Token,
    /// Refresh and revocation.
    Refresh,
    /// The MCP server as a resource server.
    Resource,
    /// The transport of 2025-11-25 and earlier.
    Legacy,
    /// The transport of 2026-07-28.
    Modern,
    /// Connections and bytes, whatever they carry.
    Wire,
}

/// What a tape must hold so that a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anything at all.
    Nothing,
    /// An authorization server.
    Login,
    /// An authorization server that registers clients.
    Registration,
    /// An authorization server that issues refresh tokens.
    Refresh,
    /// An MCP server.
    Server,
    /// An MCP server that asks for a bearer.
    Protected,
    /// A protected MCP server with metadata of its own (RFC 9728).
    ResourceMetadata,
    /// An MCP server of 2025-11-25 or earlier.
    Legacy,
    /// One of those that keeps sessions.
    Sessions,
    /// One of those that offers a GET stream.
    GetStream,
    /// An MCP server of 2026-07-28.
    Modern,
    /// A request for an account endpoint of a vendor.
    AccountApi,
}

/// What makes a client do what a fault waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// It does so by itself.
    None,
    /// It refreshes because its first bearer of the last session is refused once, unless expiry was arranged otherwise.
    Refresh,
}

/// Whether a correct client sees anything wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Something is wrong.
    Negative,
    /// Nothing is wrong: a strict or unusual server that a correct client passes.
    Positive,
}

impl Group {
    /// Every group.
    pub const ALL: &[Self] = &[
        Self::Discovery,
        Self::Registration,
        Self::Authorization,
        Self::Token,
        Self::Refresh,
        Self::Resource,
        Self::Legacy,
        Self::Modern,
        Self::Wire,
    ];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Discovery => "Discovery",
            Self::Registration => "Registration",
            Self::Authorization => "Authorization and callback",
            Self::Token => "Code exchange and tokens",
            Self::Refresh => "Refresh and revocation",
            Self::Resource => "MCP server as resource server",
            Self::Legacy => "Transport, 2025-11-25 and earlier",
            Self::Modern => "Transport, 2026-07-28",
            Self::Wire => "Connections and bytes",
        }
    }
}

impl Needs {
    /// Why a tape that lacks it cannot carry a fault.
    pub const fn missing(self) -> &'static str {
        match self {
            Self::Nothing => "the tape holds nothing",
            Self::Login => "the tape shows no authorization server",
            Self::Registration => "no authorization server of the tape registers clients",
            Self::Refresh => "no authorization server of the tape issues refresh tokens",
            Self::Server => "the tape shows no MCP server",
            Self::Protected => "no MCP server of the tape asks for a bearer",
            Self::ResourceMetadata => "no MCP server of the tape has protected resource metadata",
            Self::Legacy => "no MCP server of the tape speaks 2025-11-25 or earlier",
            Self::Sessions => "no MCP server of the tape keeps sessions",
            Self::GetStream => "no MCP server of the tape offers a GET stream",
            Self::Modern => "no MCP server of the tape speaks 2026-07-28",
            Self::AccountApi => "the tape holds no account endpoint of a vendor",
        }
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec({})", self.name)
    }
}
