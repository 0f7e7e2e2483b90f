//! The exit codes: constants of the interface, documented in the README.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// Nothing to complain about.
    pub const OK: Self = Self(0);
    /// Differences, findings, failed expectations, misses; for `record`: nothing was intercepted.
    pub const FINDINGS: Self = Self(1);
    /// The command line is wrong.
    pub const USAGE: Self = Self(2);
    /// A file given to us is broken.
    pub const BAD_FILE: Self = Self(3);
    /// An analysing command could not run.
    pub const CANNOT_RUN: Self = Self(4);
    /// Nothing ran.
    pub const NOTHING_RAN: Self = Self(5);
    /// `--timeout` ended the client.
    pub const TIMEOUT: Self = Self(124);
    /// `record` or `replay` failed by themselves.
    pub const OWN_FAILURE: Self = Self(125);
    /// The client was found but cannot be started.
    pub const NOT_EXECUTABLE: Self = Self(126);
    /// The client was not found.
    pub const NOT_FOUND: Self = Self(127);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
