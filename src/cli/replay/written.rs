//! `--scenario FILE`: what the file says becomes what the command line would have said; both saying it is a contradiction.

use super::ReplayArguments;
use crate::cli::{CliError, Exit};
use crate::scenario::{FILE_LIMIT, Scenario};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads the scenario and fills it into the arguments. Gives what a command line cannot say.
///
/// # Errors
/// The file cannot be read or is no scenario: exit code 3. An option that it contradicts: exit code 2.
pub fn applied(arguments: &mut ReplayArguments) -> Result<Option<Scenario>, CliError> {
    let Some(path) = arguments.scenario.clone() else { return Ok(None) };
    let mut scenario = load(&path)?;
    let (options, client) = (scenario.options, &mut arguments.client);
    let has_sessions = arguments.sessions.is_some() || arguments.parallel.is_some() || arguments.advance.is_some();
    for (name, is_given, is_written) in [
        ("--fault", !arguments.fault.is_empty(), !scenario.faults.is_empty()),
        ("--setup", !client.setup.is_empty(), !scenario.setup.is_empty()),
        ("--sessions, --parallel or --advance", has_sessions, scenario.sessions.is_some()),
        ("--expires-in", arguments.expires_in.is_some(), options.expires_in.is_some()),
        ("--seed", arguments.seed.is_some(), options.seed.is_some()),
        ("--timeout", client.timeout.is_some(), options.timeout.is_some()),
    ] {
        if is_given && is_written {
            let message = format!("{name}: the scenario says it too, in {}", path.display());
            return Err(CliError::new(Exit::USAGE, message).hint("leave one of the two out"));
        }
    }
    arguments.cassette = Some(scenario.cassette.clone());
    arguments.expires_in = arguments.expires_in.or(options.expires_in);
    arguments.seed = arguments.seed.or(options.seed);
    client.timeout = client.timeout.or(options.timeout);
    client.setup.append(&mut scenario.setup);
    Ok(Some(scenario))
}

fn load(path: &Path) -> Result<Scenario, CliError> {
    let unreadable = |error: &dyn std::fmt::Display| CliError::new(Exit::BAD_FILE, format_args!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    // One byte more, so that a larger file is known.
    file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"not UTF-8: expected a YAML text"))?;
    Scenario::parse(path, &text).map_err(|broken| {
        let refused = CliError::new(Exit::BAD_FILE, &broken);
        match broken.hint {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    })
}
