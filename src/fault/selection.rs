//! When a fault strikes: which requests it aims at, which of those it hits, and how long it lives. No chance anywhere: the same
//! requests meet the same faults.

use super::attributes::{Attributes, FaultError};
use super::deed::Scene;
use super::spec::Spec;
use crate::protocol::{Endpoint, Kind};
use std::str::FromStr;

/// The attributes that every fault has.
pub(super) const SELECTING: &[&str] =
    &["issuer", "server", "host", "kind", "method", "tool", "session", "nth", "count", "after", "life", "trigger"];

/// Which requests a fault aims at, and which of them it hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The authorization server, by its identifier or its host.
    issuer: Option<String>,
    /// The MCP server, by its URL or its host.
    server: Option<String>,
    host: Option<String>,
    kinds: Vec<Kind>,
    /// The JSON-RPC method, or the HTTP method where it is written in capitals.
    method: Option<String>,
    tool: Option<String>,
    session: Option<u32>,
    /// The first request that is hit, from 1.
    nth: u32,
    /// It lies still until an exchange of this kind was answered.
    after: Option<Kind>,
    /// How long it lives.
    pub life: Life,
}

/// How long a fault lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it fired so often.
    Times(u32),
    /// Until the next authorization-code grant succeeds after it fired.
    UntilCode,
    /// As long as the run.
    Forever,
}

impl Selection {
    /// The selection that was written, what was not written by the fault's own page.
    ///
    /// # Errors
    /// A value that cannot be; two that contradict each other.
    pub fn of(spec: &Spec, written: &Attributes) -> Result<Self, FaultError> {
        let count: Option<u32> = written.parsed("count", "a number from 1")?;
        let life: Option<Life> = written.parsed("life", "once, until-code, forever or a number from 1")?;
        if count.is_some() && life.is_some() {
            return Err(FaultError::Contradiction(format!("{}: count and life say the same thing; write one of them", spec.name)));
        }
        let nth: u32 = written.parsed("nth", "a number from 1")?.unwrap_or(1);
        if nth == 0 || count == Some(0) {
            return Err(written.refuse(if nth == 0 { "nth" } else { "count" }, "a number from 1"));
        }
        let kind = |name: &str| written.parsed::<Kind>(name, "a kind, as in `authtape show`");
        let own = |name: &str| written.text(name).map(str::to_owned);
        Ok(Self {
            issuer: own("issuer"),
            server: own("server"),
            host: own("host").map(|host| host.to_ascii_lowercase()),
            kinds: kind("kind")?.map_or_else(|| spec.aims_at.to_vec(), |kind| vec![kind]),
            method: own("method"),
            tool: own("tool"),
            session: written.parsed("session", "the number of a session")?,
            nth,
            after: kind("after")?,
            life: count.map(Life::Times).or(life).unwrap_or(spec.life),
        })
    }

    /// True for a request that the fault aims at.
    pub fn aims_at(&self, scene: &Scene<'_>) -> bool {
        let method = |own: &str| own == scene.request.method || scene.rpc.as_ref().is_some_and(|rpc| rpc.method == own);
        (self.kinds.is_empty() || self.kinds.contains(&scene.kind))
            && self.session.is_none_or(|own| own == scene.session)
            && self.host.as_ref().is_none_or(|own| own == scene.endpoint.host())
            && self.issuer.as_ref().is_none_or(|own| scene.issuer_name.is_some_and(|name| is_named(own, name)))
            && self.server.as_ref().is_none_or(|own| scene.server_name.is_some_and(|name| is_named(own, name)))
            && self.method.as_deref().is_none_or(method)
            && self.tool.as_ref().is_none_or(|own| scene.rpc.as_ref().and_then(|rpc| rpc.tool) == Some(own.as_str()))
    }

    /// True for an authorization server that the fault aims at.
    pub fn takes_issuer(&self, name: &str) -> bool {
        self.issuer.as_ref().is_none_or(|own| is_named(own, name))
    }

    /// True for an MCP server that the fault aims at.
    pub fn takes_server(&self, name: &str) -> bool {
        self.server.as_ref().is_none_or(|own| is_named(own, name))
    }

    /// True for a host that the fault aims at.
    pub fn takes_host(&self, host: &str) -> bool {
        self.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(host))
    }

    /// True for a session that the fault aims at.
    pub fn takes_session(&self, session: u32) -> bool {
        self.session.is_none_or(|own| own == session)
    }

    /// Which of the requests it aims at is the first that is hit, from 1.
    pub fn nth(&self) -> u32 {
        self.nth
    }

    /// The kind that has to be answered first.
    pub fn after(&self) -> Option<Kind> {
        self.after
    }

    /// The kinds that it aims at; empty for all.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }
}

/// A server by its whole URL, a slash at the end aside, or by its host.
fn is_named(written: &str, name: &str) -> bool {
    written.trim_end_matches('/') == name.trim_end_matches('/')
        || Endpoint::parse(name).is_some_and(|endpoint| endpoint.host().eq_ignore_ascii_case(written))
}

impl FromStr for Life {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "once" => Ok(Self::Times(1)),
            "until-code" => Ok(Self::UntilCode),
            "forever" => Ok(Self::Forever),
            number => number.parse().ok().filter(|times| *times > 0).map(Self::Times).ok_or(()),
        }
    }
}

impl std::fmt::Display for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(1) => f.write_str("once"),
            Self::Times(times) => write!(f, "{times} times"),
            Self::UntilCode => f.write_str("until the next authorization-code grant"),
            Self::Forever => f.write_str("for ever"),
        }
    }
}
