//! `authtape start-claude`: what the `claude` among the openers of a session runs. Not for people; not in `--help`.

use super::{CliError, Exit, Terminal};
use crate::runner::Environment;
use crate::runner::claude::{self, Adapted};
use clap::Args;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Become Claude Code with the settings of the session.
#[derive(Debug, Args)]
pub(super) struct StartClaude {
    /// The caller's own `claude`
    #[arg(long)]
    program: PathBuf,
    /// The settings file of the session
    #[arg(long)]
    settings: PathBuf,
    /// The arguments of `claude`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

pub(super) fn run(given: &StartClaude, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let adapted = claude::adapt_again(&given.program, &given.arguments, &Environment::of_this_process(), &given.settings);
    let arguments = match adapted {
        Ok(Adapted::Arguments(arguments)) => arguments,
        Ok(Adapted::Unchanged) => given.arguments.clone(),
        Ok(Adapted::NotMerged(reason)) => {
            terminal.warning(format_args!("--settings stay as they are ({reason}); if they set a proxy, nothing will be recorded"));
            given.arguments.clone()
        }
        Err(error) => {
            terminal.warning(format_args!("no settings for claude: {error}; if its settings files set a proxy, nothing will be recorded"));
            given.arguments.clone()
        }
    };
    let error = Command::new(&given.program).arg0("claude").args(arguments).exec();
    Err(CliError::new(Exit::NOT_EXECUTABLE, format_args!("{}: {error}", given.program.display())))
}
