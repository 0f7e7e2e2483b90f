//! Will this client be intercepted? What can be known without a recording: what the program is ([`Client`]), what programs of
//! its kind do with proxies ([`matrix`]), what stands in the caller's variables and files, and which small child proves it
//! ([`Probe`]). Starts nothing and reads a bounded part of each file.

mod elf;
mod files;
mod identify;
pub mod matrix;
mod probe;
mod surroundings;

pub use files::{claude_settings, package_managers};
pub use identify::{Client, Runtime};
pub use matrix::{Row, Version};
pub use probe::{NOT_INSTALLED, Probe, claude_configuration, probes};
pub use surroundings::surroundings;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Something that was seen, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, where.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something will not be seen.
    Warning,
    /// The client will not be intercepted.
    Error,
}

impl Severity {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Finding {
    /// A finding without advice.
    pub fn new(rule: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self { rule, severity, message: message.into(), advice: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// The beginning of a regular file.
fn beginning(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
