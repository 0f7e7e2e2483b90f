//! What becomes of a redirect back to the client: as a plan of arrivals, so that one may be missing, late, double or different.

use std::fmt;
use std::time::Duration;

/// The plan of a redirect back to the client.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The client process that asked for authorization, from 1.
    pub session: u32,
    /// What comes to the client, in order. Nothing at all where it is empty.
    pub arrivals: Vec<Arrival>,
}

/// A request of the browser to the client's own listener.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrival {
    /// How long after the redirect it comes.
    pub after: Duration,
    /// The redirect URI with its parameters (RFC 6749 §4.1.2).
    pub url: String,
    /// Over which addresses `localhost` is looked for.
    pub family: Family,
}

/// The addresses of a name that stands for this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Both, one after the other, as browsers do.
    #[default]
    Both,
    /// 127.0.0.1 only.
    V4,
    /// ::1 only.
    V6,
}

impl Delivery {
    /// One arrival at once.
    pub fn plain(session: u32, url: String) -> Self {
        Self { session, arrivals: vec![Arrival { after: Duration::ZERO, url, family: Family::Both }] }
    }
}

/// Codes and states stand in the URLs.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery({}, {} arrivals)", self.session, self.arrivals.len())
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrival({:?}, {:?})", self.after, self.family)
    }
}
