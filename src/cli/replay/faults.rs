//! Faults of a replay: from the command line to armed ones, and what the last screen says of them.

use crate::cli::terminal::{BAD, GOOD};
use crate::cli::{CliError, Exit, Terminal};
use crate::fault::{Attributes, Control, Expiry, FaultError, Faults, Fired, Spec, read};

/// The faults of a command line and of a scenario.
///
/// # Errors
/// A fault or an attribute that does not exist, a value that cannot be, faults that contradict each other.
pub fn armed(written: &[String], scenario: Vec<(&'static Spec, Attributes)>, expiry: Expiry) -> Result<Faults, CliError> {
    let read = written.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>().map_err(|error| refused(&error))?;
    Faults::arm(read.into_iter().chain(scenario).collect(), expiry).map_err(|error| refused(&error))
}

/// A fault that cannot be armed, as a usage error.
pub fn refused(error: &FaultError) -> CliError {
    let hint = match error {
        FaultError::Unknown { .. } => "`authtape faults` lists them".to_owned(),
        FaultError::UnknownAttribute { fault, .. } | FaultError::Value { fault, .. } => {
            format!("`authtape faults {fault}` says what may be written")
        }
        FaultError::Shape { .. } => "--fault NAME:KEY=VALUE,KEY=VALUE".to_owned(),
        FaultError::Contradiction(_) | FaultError::Unfit { .. } => "`authtape show` says what the tape holds".to_owned(),
    };
    CliError::new(Exit::USAGE, format_args!("--fault: {error}")).hint(hint)
}

/// True when a fault never fired, which no run may pass over.
pub fn lies_idle(fired: &[Fired]) -> bool {
    fired.iter().any(|own| own.times == 0 && !own.is_trigger)
}

/// Says of each fault whether it fired.
pub fn print(fired: &[Fired], terminal: &mut Terminal) {
    for own in fired {
        let name = own.attributes.iter().fold(own.name.to_owned(), |text, (key, value)| {
            let join = if text.contains(':') { ',' } else { ':' };
            format!("{text}{join}{key}={value}")
        });
        let times = if own.times == 1 { "once".to_owned() } else { format!("{} times", own.times) };
        let control = if own.control == Control::Positive { ", which a correct client passes" } else { "" };
        match own.times {
            0 if own.is_trigger => {}
            0 => terminal.talk(format_args!("{BAD}fault{BAD:#}: {name} never fired: {}", why(own))),
            _ if own.is_trigger => terminal.talk(format_args!("trigger: {name} fired {times}, so that the client has a reason to refresh")),
            _ => terminal.talk(format_args!("{GOOD}fault{GOOD:#}: {name} fired {times}{control}")),
        }
    }
}

/// Why a fault did not fire.
fn why(own: &Fired) -> String {
    let kinds: Vec<&str> = own.kinds.iter().map(|kind| kind.name()).collect();
    let kinds = if kinds.is_empty() { "request that it aims at".to_owned() } else { kinds.join(" or ") };
    match own.aimed_at {
        0 => format!("there was no {kinds}"),
        1 => format!("there was 1 {kinds}, not the one it waits for"),
        count => format!("there were {count} of {kinds}, none of them one it waits for"),
    }
}
