//! The log: off unless `AUTHTAPE_LOG` names a level. Lines of our own modules only, whatever the level: hyper and hudsucker log
//! URLs and bytes. Where a client owns the terminal, the log goes to a file or nowhere.

use super::{CliError, Exit};
use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

const LEVEL: &str = "AUTHTAPE_LOG";
const FILE: &str = "AUTHTAPE_LOG_FILE";

/// Who writes to the terminal while the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    /// We alone.
    Ours,
    /// A client that we start.
    Clients,
}

/// Starts the log if it is asked for.
///
/// # Errors
/// A level that is none, a file that cannot be written.
pub(super) fn start(screen: Screen) -> Result<(), CliError> {
    let Some(level) = std::env::var(LEVEL).ok().filter(|level| !level.is_empty()) else { return Ok(()) };
    let level: LevelFilter = level
        .parse()
        .map_err(|_| CliError::new(Exit::USAGE, format_args!("{LEVEL} is no level")).hint("one of off, error, warn, info, debug, trace"))?;
    let Some(writer) = writer(screen)? else { return Ok(()) };
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level);
    let lines = fmt::layer().with_ansi(false).with_writer(writer).with_filter(ours);
    // Somebody who uses the library may have a subscriber already; theirs stays.
    let _ = registry().with(lines).try_init();
    Ok(())
}

fn writer(screen: Screen) -> Result<Option<BoxMakeWriter>, CliError> {
    if let Some(path) = std::env::var_os(FILE).filter(|path| !path.is_empty()) {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        let file = opened.map_err(|error| {
            CliError::new(Exit::USAGE, format_args!("cannot write the log {}: {error}", path.to_string_lossy()))
                .hint(format_args!("{FILE} names a file in a folder that exists"))
        })?;
        return Ok(Some(BoxMakeWriter::new(Mutex::new(file))));
    }
    if screen == Screen::Clients && std::io::stderr().is_terminal() {
        return Ok(None);
    }
    Ok(Some(BoxMakeWriter::new(std::io::stderr)))
}
