//! What answered a request of a replay, as plain data. Does not know who decides it.

use std::fmt;

/// What answered a request in place of its server.
#[derive(Clone, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The cassette: the answer is a recorded one, its ids and session those of the request.
    Tape {
        /// The number of that interaction in the cassette.
        interaction: u32,
    },
    /// The model of the servers.
    Model {
        /// The interaction of the cassette that the answer looks like.
        like: Option<u32>,
        /// Why the request was refused, if it was.
        reasons: Vec<String>,
    },
    /// The stand-in for the model's API.
    Assistant,
    /// A fault, in place of the servers.
    Fault,
    /// Nobody: its host is not in the cassette.
    Elsewhere,
    /// Nobody: the cassette holds nothing that would be an honest answer.
    Miss {
        /// The interaction of the cassette that comes nearest.
        nearest: Option<u32>,
        /// Each reason why that is not it.
        reasons: Vec<String>,
    },
}

impl AnsweredBy {
    /// The texts, to be changed in place. They name what a client sent.
    pub fn texts_mut(&mut self) -> &mut [String] {
        match self {
            Self::Model { reasons, .. } | Self::Miss { reasons, .. } => reasons,
            Self::Tape { .. } | Self::Assistant | Self::Fault | Self::Elsewhere => &mut [],
        }
    }
}

impl fmt::Debug for AnsweredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tape { interaction } => write!(f, "Tape({interaction})"),
            Self::Model { like, reasons } => write!(f, "Model({like:?}, {} reasons)", reasons.len()),
            Self::Assistant => f.write_str("Assistant"),
            Self::Fault => f.write_str("Fault"),
            Self::Elsewhere => f.write_str("Elsewhere"),
            Self::Miss { nearest, reasons } => write!(f, "Miss({nearest:?}, {} reasons)", reasons.len()),
        }
    }
}
