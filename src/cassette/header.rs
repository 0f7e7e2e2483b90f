//! The first document of a cassette: where it came from and what state it is in. Does not know how it is written.

use crate::protocol::Kind;
use jiff::Timestamp;

/// What a cassette says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where it came from.
    pub recorded: Recorded,
    /// What was replaced in it; `None` in a file that keeps its secrets.
    pub scrubbed: Option<Scrubbed>,
    /// False until the last pass over the file is done.
    pub finished: bool,
    /// True when nothing was replaced (`record --raw`).
    pub raw: bool,
    /// The client processes, in order of their start.
    pub sessions: Vec<Session>,
    /// Requests that were forwarded and counted but not stored.
    pub passed: Vec<Passed>,
    /// Requests of tools that the client started, counted but not stored.
    pub tools: Vec<Tool>,
}

/// Where a cassette came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When the recording began, to the second.
    pub at: Timestamp,
    /// Name and version of the program that wrote it.
    pub with: String,
    /// The client's base name and leading subcommands; the rest of its command line is `…`.
    pub client: Vec<String>,
    /// What the client says its version is.
    pub client_version: Option<String>,
}

/// What was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// The version of the rules that were applied.
    pub policy: u32,
    /// How many different secrets were replaced.
    pub secrets: u32,
    /// How many different personal values were replaced.
    pub personal: u32,
}

/// One client process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number, from 1.
    pub session: u32,
    /// Its base name and leading subcommands; the rest of its command line is `…`.
    pub client: Vec<String>,
    /// Its exit code, once it ended by itself.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// Requests that are only counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The host, with its port where that is not the default one.
    pub host: String,
    /// What the requests were for.
    pub kind: Kind,
    /// How many there were.
    pub requests: u64,
}

/// Requests of a tool that the client started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its product name.
    pub tool: String,
    /// How many there were.
    pub requests: u64,
}
