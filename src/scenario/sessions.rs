//! What is started, in which order and how many at once, and what happens to time in between. Does not know what is started.

use crate::protocol::Kind;
use std::time::Duration;

/// How many processes may run at once, and how many in all: each has a proxy credential and folders of its own.
pub const AT_ONCE: u32 = 64;
const IN_ALL: u32 = 1000;

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client is started so many times at once, and its end is waited for.
    Run(u32),
    /// The client is started, and killed when a request of this kind was answered, before it sees the answer.
    Kill {
        /// The kind.
        after: Kind,
    },
    /// The clock of the servers moves.
    Advance(Duration),
}

/// The starts of the client, one after the other, in one home. The last one is what a run is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions(Vec<Step>);

impl Sessions {
    /// One start of one process.
    pub fn one() -> Self {
        Self(vec![Step::Run(1)])
    }

    /// So many starts, the last one of `parallel` processes, before which the clock moves.
    ///
    /// # Errors
    /// Too many processes.
    pub fn in_a_row(count: u32, parallel: u32, advance: Option<Duration>) -> Result<Self, String> {
        let earlier = (1..count).map(|_| Step::Run(1));
        Self::of(earlier.chain(advance.map(Step::Advance)).chain([Step::Run(parallel)]).collect())
    }

    /// These steps.
    ///
    /// # Errors
    /// Nothing is started, the clock moves after the last start, too many processes.
    pub fn of(steps: Vec<Step>) -> Result<Self, String> {
        match steps.last() {
            None => return Err("the list of sessions is empty".to_owned()),
            Some(Step::Advance(_)) => return Err("the last session is an advance: nobody would see it".to_owned()),
            Some(_) => {}
        }
        if let Some(count) = steps.iter().map(Step::processes).find(|count| *count > AT_ONCE) {
            return Err(format!("{count} processes at once: {AT_ONCE} are the most"));
        }
        if steps.iter().map(Step::processes).fold(0, u32::saturating_add) > IN_ALL {
            return Err(format!("more than {IN_ALL} processes"));
        }
        Ok(Self(steps))
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// How many processes there will be.
    pub fn count(&self) -> u32 {
        self.0.iter().map(Step::processes).sum()
    }

    /// How many processes the last start has.
    pub fn last(&self) -> u32 {
        self.0.last().map_or(1, Step::processes)
    }

    /// True when the clock moves before anything was started.
    pub fn begins_with_advance(&self) -> bool {
        matches!(self.0.first(), Some(Step::Advance(_)))
    }

    /// True when the clock moves.
    pub fn advances(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Advance(_)))
    }
}

impl Step {
    fn processes(&self) -> u32 {
        match self {
            Self::Run(count) => *count,
            Self::Kill { .. } => 1,
            Self::Advance(_) => 0,
        }
    }
}
