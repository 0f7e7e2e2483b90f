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
    /// What was replayed, and what came of it; `None` in a recording of real servers.
    pub replayed: Option<Replayed>,
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

/// What a run replayed, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The file name of the cassette.
    pub cassette: String,
    /// The number that decided every issued value, if one was given.
    pub seed: Option<u64>,
    /// The lifetime of access tokens in seconds, where it was not that of the cassette.
    pub expires_in: Option<u64>,
    /// Recorded waits took place, this many times as fast; `None` where they were skipped.
    pub speed: Option<u32>,
    /// Connections that left for a server: of authtape itself, and of the client around the proxy. `None` where nobody watched.
    pub upstream_connections: Option<u64>,
    /// Who dialled whom around the proxy.
    pub dialled: Vec<String>,
    /// What decided where servers differ.
    pub policies: Vec<Policies>,
    /// Values that were taken for those from before the recording, in words.
    pub adopted: Vec<String>,
    /// Requests that could not be answered honestly; the first hundred.
    pub misses: Vec<Missed>,
    /// All of them.
    pub missed: u64,
    /// Requests to hosts that are not in the cassette; answered 404 and not stored.
    pub elsewhere: Vec<Elsewhere>,
    /// MCP servers of the cassette that got no request.
    pub untouched: Vec<String>,
}

/// Where the behaviour of one server comes from. Each entry is `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// The identifier of the authorization server, or the URL of the MCP server.
    pub of: String,
    /// What the cassette shows.
    pub tape: Vec<String>,
    /// What is a stated default, because the cassette does not show it.
    pub default: Vec<String>,
}

/// A request that could not be answered honestly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The client process.
    pub session: u32,
    /// What was asked.
    pub what: String,
    /// The interaction of the cassette that comes nearest.
    pub nearest: Option<u32>,
    /// Each reason why that is not it.
    pub reasons: Vec<String>,
}

/// Requests to a host that is not in the cassette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The host.
    pub host: String,
    /// How many there were.
    pub requests: u64,
}

impl Replayed {
    /// The texts that may name what a client sent, to be changed in place.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let misses = self.misses.iter_mut().flat_map(|miss| std::iter::once(&mut miss.what).chain(&mut miss.reasons));
        let hosts = self.elsewhere.iter_mut().map(|elsewhere| &mut elsewhere.host);
        misses.chain(hosts).chain(&mut self.dialled).chain(&mut self.adopted).chain(&mut self.untouched)
    }
}
