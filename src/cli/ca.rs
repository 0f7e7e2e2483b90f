//! `authtape ca`: a lasting root certificate for clients whose trust cannot be set by a variable.

use super::{CliError, Exit, Terminal};
use crate::runner::{LastingRoot, LastingRootError};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// Make a lasting root certificate, for clients whose trust cannot be set by a variable
///
/// `record` and `replay` make a root for each run and keep its key in memory: you need this one only for a client such as a JVM.
/// Whoever has the key can read the TLS connections of whoever trusts the certificate.
#[derive(Debug, Args)]
pub(super) struct Ca {
    /// Where its two files go
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// For how many days it is valid
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=825))]
    days: u16,
    /// Replace an existing one
    #[arg(long)]
    force: bool,
}

pub(super) fn run(given: &Ca, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let files = LastingRoot::make(&given.dir, given.days, given.force).map_err(|error| match error {
        LastingRootError::Exists(_) => {
            CliError::new(Exit::USAGE, error).hint("--force replaces it; what trusts the old one has to trust the new one then")
        }
        error => CliError::new(Exit::CANNOT_RUN, format_args!("failed to make the root: {error}")),
    })?;
    // A reader that went away is no failure of ours.
    let _ = writeln!(terminal.out(), "{}", files.certificate.display());
    terminal.talk(format_args!("its key is in {}, readable for you only; valid for {} days", files.key.display(), given.days));
    terminal.warning("whoever has the key can read the connections of whoever trusts the certificate: trust it in one client, never in the system's store");
    Ok(Exit::OK)
}
