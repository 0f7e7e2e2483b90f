//! `authtape env`: the variables that lead a program to a serving `authtape record`, for a shell, an editor or a service.

use super::{CliError, Exit, Terminal};
use crate::runner::{Bundles, Dialect, Environment, Home, NoProxy, ServingError, ServingState, Variables, interception};
use crate::useragent::{Display, opener_variables};
use clap::{Args, ValueEnum};
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Print the variables that lead a program to a serving `authtape record`
///
/// Start `authtape record -o FILE` without a command, then in another terminal: eval "$(authtape env)"
#[derive(Debug, Args)]
pub(super) struct Env {
    /// Who reads them; by default the shell that SHELL names
    #[arg(long, value_name = "SHELL", value_enum)]
    shell: Option<Reader>,
    /// The state file of the serving process
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Leave NO_PROXY as it is: what it names is not seen
    #[arg(long)]
    keep_no_proxy: bool,
}

/// Who reads the variables.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reader {
    /// bash, zsh, dash
    Sh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
    /// NAME="value" lines: systemd, docker compose, dotenv libraries
    Dotenv,
    /// One JSON object
    Json,
    /// Settings for the built-in terminal of VS Code and its relatives
    Vscode,
}

pub(super) fn run(given: &Env, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let caller = Environment::of_this_process();
    let path = given.from.clone().unwrap_or_else(|| ServingState::default_path(&caller));
    let state = ServingState::read(&path).map_err(|error| refused(&error))?;
    let no_proxy = if given.keep_no_proxy { NoProxy::Kept } else { NoProxy::Emptied };
    let variables = variables(&state, &caller, no_proxy)
        .map_err(|error| CliError::new(Exit::CANNOT_RUN, format_args!("failed to write the certificate bundles: {error}")))?;
    let reader = given.shell.unwrap_or_else(|| reader_of(&caller));
    // A reader that went away is no failure of ours.
    let _ = terminal.out().write_all(Dialect::from(reader).write(&variables).as_bytes());
    Ok(Exit::OK)
}

fn variables(state: &ServingState, caller: &Environment, no_proxy: NoProxy) -> io::Result<Variables> {
    let root = fs::read_to_string(&state.root)?;
    let run_folder = state.root.parent().ok_or(io::ErrorKind::NotFound)?;
    // It outlives this process and goes away with the run. Each caller has bundles of its own to be kept.
    let folder = run_folder.join(format!("env-{}", std::process::id()));
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let bundles = Bundles::write(&folder, &root, caller)?;
    let mut variables = interception::variables(&state.proxy, &bundles, no_proxy);
    variables.extend(interception::markers(&state.proxy));
    if let Some(openers) = &state.openers {
        variables.extend(opener_variables(openers, |name| caller.value(name), Display::AsItIs).into_iter().collect());
    }
    if let Some(home) = &state.home {
        variables.extend(Home::Dir(home.clone()).variables());
    }
    Ok(variables)
}

fn refused(error: &ServingError) -> CliError {
    let hint = match error {
        ServingError::Missing(_) | ServingError::Stale { .. } => "start `authtape record -o FILE` without a command, then ask again",
        ServingError::NotPrivate(_) | ServingError::Broken { .. } => "name the state file of a serving authtape with --from",
    };
    CliError::new(Exit::CANNOT_RUN, error).hint(hint)
}

fn reader_of(caller: &Environment) -> Reader {
    let shell = caller.text("SHELL").unwrap_or_default();
    if shell.ends_with("/fish") { Reader::Fish } else { Reader::Sh }
}

impl From<Reader> for Dialect {
    fn from(reader: Reader) -> Self {
        match reader {
            Reader::Sh => Self::Sh,
            Reader::Fish => Self::Fish,
            Reader::Powershell => Self::Powershell,
            Reader::Dotenv => Self::Dotenv,
            Reader::Json => Self::Json,
            Reader::Vscode => Self::Vscode,
        }
    }
}
