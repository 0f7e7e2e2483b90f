//! `authtape show`. Here stand the arguments and the choice of the view; the views are `table`, `full` (one interaction),
//! `json` and `follow`. What a row says is in `row`, `call` and `note`; where it stands in `layout`.

mod body;
mod call;
mod follow;
mod full;
mod header;
mod json;
mod layout;
mod note;
mod row;
mod run;
mod source;
pub(in crate::cli) mod table;
mod times;

use super::format::Format;
use super::terminal::quoted;
use super::{CliError, Exit, Terminal};
use clap::Args;
use source::Source;
use std::path::PathBuf;

/// Show a cassette: all of it as a table, one interaction in full, or a recording as it grows
///
/// Reads finished cassettes and recordings that still run or were killed: FILE may be absent as long as FILE.part is there.
///
/// Exit codes: 0 shown, 2 usage or no such interaction, 3 the file cannot be read or is broken.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  authtape show linear.yaml              # the table
  authtape show linear.yaml 7            # interaction 7 in full
  authtape show --follow linear.yaml     # in a second terminal, while it is recorded")]
pub struct ShowArguments {
    /// The cassette
    file: PathBuf,
    /// Number of the interaction to show in full
    #[arg(value_name = "N", conflicts_with = "follow")]
    number: Option<u32>,
    /// Print what is recorded as it comes, until the recording is over
    #[arg(short, long)]
    follow: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read or is broken, there is no such interaction, or stdout cannot be written.
pub fn run(given: &ShowArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    if given.follow {
        return match given.format {
            Format::Human => follow::run(&given.file, terminal),
            Format::Json => Err(CliError::new(Exit::USAGE, "--follow prints lines as they come, --format json one document")
                .hint("follow without --format, or ask for the JSON when the recording is over")),
        };
    }
    let source = Source::load(&given.file, terminal)?;
    let text = match (given.format, given.number) {
        (Format::Human, None) => table::page(&source, terminal.width()),
        (Format::Human, Some(number)) => full::page(source.interaction(number)?),
        (Format::Json, None) => json::cassette(&source),
        (Format::Json, Some(number)) => json::one(&source, source.interaction(number)?),
    };
    terminal.print(&text)?;
    let shows_state = given.format == Format::Human && given.number.is_none();
    source.warn(given.number, shows_state, terminal);
    Ok(Exit::OK)
}

/// A number with its noun.
fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
