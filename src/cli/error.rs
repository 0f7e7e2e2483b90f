//! A failed command: what, where, what to do, and the exit code. The library says what is wrong, a command adds the hint.

use super::{Exit, Terminal};
use crate::cassette::CassetteError;
use clap::error::{ContextKind, ContextValue};
use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// Why a command could not do its work.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    /// Empty when there is nothing to say.
    message: String,
    hint: Option<String>,
}

impl CliError {
    /// An error with its exit code. The message says what is wrong and where.
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }

    /// Data could not be printed. A reader that went away has what it wanted: nothing is said, and the exit code is 0.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::OK, ""),
            _ => Self::new(Exit::CANNOT_RUN, format_args!("cannot print: {error}")),
        }
    }

    /// A cassette could not be read.
    pub fn cassette(error: &CassetteError) -> Self {
        let refused = Self::new(Exit::BAD_FILE, error);
        match error.hint() {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints the error and gives the exit code.
    pub fn report(&self, terminal: &mut Terminal) -> ExitCode {
        if !self.message.is_empty() {
            terminal.error(&self.message);
        }
        if let Some(hint) = &self.hint {
            terminal.hint(hint);
        }
        self.exit.into()
    }
}

/// Prints clap's help, version or usage error.
pub(super) fn report_usage(error: &clap::Error) -> ExitCode {
    let written = error.print();
    if let Some(hint) = client_without_dashes(error, &std::env::args().collect::<Vec<_>>()) {
        Terminal::new().hint(hint);
    }
    match (error.use_stderr(), written) {
        (false, Ok(())) => ExitCode::SUCCESS,
        _ => Exit::USAGE.into(),
    }
}

/// A client that was given without `--` before it.
fn client_without_dashes(error: &clap::Error, arguments: &[String]) -> Option<String> {
    let Some(ContextValue::String(unexpected)) = error.get(ContextKind::InvalidArg) else { return None };
    let starts_clients = matches!(arguments.get(1).map(String::as_str), Some("record" | "replay"));
    let place = arguments.iter().skip(2).position(|own| own == unexpected)? + 2;
    let is_client = starts_clients && !unexpected.starts_with('-') && !arguments.iter().any(|own| own == "--");
    is_client
        .then(|| format!("the client stands behind --: authtape {} -- {}", arguments[1..place].join(" "), arguments[place..].join(" ")))
}
