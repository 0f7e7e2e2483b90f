//! `authtape env`: the variables that lead a program to a serving `authtape record` or `authtape replay`, for a shell, an editor or a service.

use super::{CliError, Exit, Terminal};
use crate::runner::{Bundles, Dialect, Environment, Home, NoProxy, STATE, ServingError, ServingState, Variables, interception};
use crate::useragent::{Display, opener_variables};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// Print the variables that lead a program to a serving record or replay
///
/// Start `authtape record -o FILE` or `authtape replay FILE` without a command, then in another terminal: eval "$(authtape env)". A
/// replay brings a throwaway home for its clients along, so that none of them touches your own credentials.
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
    /// Print what puts the variables back as they were before: eval "$(authtape env --unset)"
    #[arg(long, conflicts_with_all = ["from", "keep_no_proxy"])]
    unset: bool,
}

/// What the variables were in this shell before, as a JSON object; null for one that was not set.
const BEFORE: &str = "AUTHTAPE_BEFORE";

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
    let reader = given.shell.unwrap_or_else(|| reader_of(&caller));
    let variables = if given.unset { restored(&caller)? } else { led(given, &caller, reader)? };
    // A reader that went away is no failure of ours.
    let _ = terminal.out().write_all(Dialect::from(reader).write(&variables).as_bytes());
    Ok(Exit::OK)
}

/// What leads through the proxy.
fn led(given: &Env, caller: &Environment, reader: Reader) -> Result<Variables, CliError> {
    let path = given.from.clone().unwrap_or_else(|| ServingState::default_path(caller));
    let state = ServingState::read(&path).map_err(|error| refused(&error))?;
    let no_proxy = if given.keep_no_proxy { NoProxy::Kept } else { NoProxy::Emptied };
    let mut variables = variables(&state, caller, no_proxy)
        .map_err(|error| CliError::new(Exit::CANNOT_RUN, format_args!("failed to write the certificate bundles: {error}")))?;
    if state.home.is_some() {
        variables.set(STATE, &path);
    }
    if matches!(reader, Reader::Sh | Reader::Fish | Reader::Powershell) {
        variables.set(BEFORE, before(&variables, caller));
    }
    Ok(variables)
}

/// The values that are about to change, those of an earlier change kept.
fn before(changes: &Variables, caller: &Environment) -> String {
    let mut known = noted(caller).unwrap_or_default();
    for (name, _) in changes.iter().filter(|(name, _)| !known.contains_key(*name)).collect::<Vec<_>>() {
        let value = caller.value(name).and_then(OsStr::to_str);
        known.insert(name.to_owned(), value.map_or(Value::Null, Value::from));
    }
    Value::Object(known).to_string()
}

fn noted(caller: &Environment) -> Option<Map<String, Value>> {
    serde_json::from_str(caller.text(BEFORE)?).ok()
}

/// What puts everything back.
fn restored(caller: &Environment) -> Result<Variables, CliError> {
    let known = noted(caller).ok_or_else(|| {
        CliError::new(Exit::CANNOT_RUN, "this shell is not led through authtape: AUTHTAPE_BEFORE is not set")
            .hint("run it in the shell in which you ran eval \"$(authtape env)\"")
    })?;
    let mut variables = Variables::new();
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    for (name, value) in known.into_iter().filter(|(name, _)| is_name(name)) {
        match value.as_str() {
            Some(value) => variables.set(&name, value),
            None => variables.unset(&name),
        }
    }
    variables.unset(BEFORE);
    Ok(variables)
}

fn variables(state: &ServingState, caller: &Environment, no_proxy: NoProxy) -> io::Result<Variables> {
    let root = fs::read_to_string(&state.root)?;
    // They outlive this process and go away with the run. Each caller has bundles of its own to be kept.
    let run_folder = state.root.parent().ok_or(io::ErrorKind::NotFound)?;
    let bundles = Bundles::write_once(run_folder, &root, caller)?;
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
        ServingError::Missing(_) | ServingError::Stale { .. } => {
            "start `authtape record -o FILE` or `authtape replay FILE` without a command, then ask again"
        }
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
