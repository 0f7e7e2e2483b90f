//! `authtape open-url`: what the openers of a session run. Not for people; not in `--help`.

use super::{CliError, Exit};
use crate::useragent::{Handed, hand_over, run_original};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Hand a URL to the run that the opener belongs to.
#[derive(Debug, Args)]
pub(super) struct OpenUrl {
    /// The socket of the run
    #[arg(long)]
    socket: PathBuf,
    /// The directory of openers that hides the original programs
    #[arg(long)]
    hidden_by: PathBuf,
    /// The name under which the opener was called
    #[arg(long)]
    opener: String,
    /// The arguments of the opener
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// The exit code of `xdg-open` for an action that failed.
const FAILED: Exit = Exit(4);

pub(super) fn run(given: &OpenUrl) -> Result<Exit, CliError> {
    match hand_over(&given.socket, &given.opener, &given.arguments) {
        Ok(Handed::Over) => Ok(Exit::OK),
        Ok(Handed::NotForABrowser) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let error = run_original(&given.opener, &given.arguments, &path, &given.hidden_by);
            Err(CliError::new(Exit::NOT_FOUND, error))
        }
        Err(error) => Err(CliError::new(FAILED, format_args!("failed to hand the URL to authtape: {error}"))),
    }
}
