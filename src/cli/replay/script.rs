//! The file behind `--assistant`: read whole, up to the limit of scripts.

use crate::assistant::{FILE_LIMIT, Script};
use crate::cli::{CliError, Exit};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a script.
///
/// # Errors
/// The file cannot be read, or is no script: exit code 3.
pub fn load(path: &Path) -> Result<Script, CliError> {
    let unreadable = |error: &dyn std::fmt::Display| CliError::new(Exit::BAD_FILE, format_args!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    // One byte more, so that a larger file is known.
    file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"not UTF-8: expected a YAML text"))?;
    Script::parse(path, &text).map_err(|broken| {
        let refused = CliError::new(Exit::BAD_FILE, &broken);
        match broken.hint {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    })
}
