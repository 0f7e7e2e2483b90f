//! Layer 5: scenarios. What a replay does: which cassette, which faults, which sessions one after the other or at once, and how far
//! the clock moves in between. Reads the file that says so; does not run it.

mod duration;
mod read;
mod sessions;

pub use duration::duration;
pub use read::{FILE_LIMIT, VERSION};
pub use sessions::{AT_ONCE, Sessions, Step};

use crate::fault::{Attributes, Spec};
use std::path::PathBuf;
use std::time::Duration;

/// A replay that is written down.
#[derive(Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: Option<String>,
    /// What it shows.
    pub about: Option<String>,
    /// The cassette that is replayed.
    pub cassette: PathBuf,
    /// What breaks, in order.
    pub faults: Vec<(&'static Spec, Attributes)>,
    /// What runs first, in the same home.
    pub setup: Vec<String>,
    /// How often the client is started; once where nothing is written.
    pub sessions: Option<Sessions>,
    /// What else may be chosen.
    pub options: Options,
}

/// What may be chosen in a scenario and on a command line alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The lifetime of access tokens in seconds.
    pub expires_in: Option<u64>,
    /// What decides every issued value.
    pub seed: Option<u64>,
    /// How long one process may run.
    pub timeout: Option<Duration>,
}
