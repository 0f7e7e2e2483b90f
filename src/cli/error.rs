//! A failed command: what, where, what to do, and the exit code. The library says what is wrong, a command adds the hint.

use super::{Exit, Terminal};
use std::fmt::Display;
use std::process::ExitCode;

/// Why a command could not do its work.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl CliError {
    /// An error with its exit code. The message says what is wrong and where.
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints the error and gives the exit code.
    pub fn report(&self, terminal: &mut Terminal) -> ExitCode {
        terminal.error(&self.message);
        if let Some(hint) = &self.hint {
            terminal.hint(hint);
        }
        self.exit.into()
    }
}

/// Prints clap's help, version or usage error.
pub(super) fn report_usage(error: &clap::Error) -> ExitCode {
    let written = error.print();
    match (error.use_stderr(), written) {
        (false, Ok(())) => ExitCode::SUCCESS,
        _ => Exit::USAGE.into(),
    }
}
