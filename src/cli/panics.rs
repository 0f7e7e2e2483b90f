//! What becomes of a panic: its place is noted and told when the command is over. Its message is not: it may hold what came over
//! the wire (hudsucker panics on some requests and prints them).

use super::Terminal;
use std::panic::{PanicHookInfo, set_hook};
use std::sync::{Mutex, PoisonError};

/// How many places are kept.
const KEPT: usize = 8;

static NOTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From here on panics are noted instead of printed.
pub(super) fn watch() {
    set_hook(Box::new(note));
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", shortened(at.file()), at.line()));
    tracing::error!(place, "panic");
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.len() < KEPT && !noted.contains(&place) {
        noted.push(place);
    }
}

/// The path from the package on: what stands before it is the machine of whoever built us.
fn shortened(file: &str) -> &str {
    let Some(src) = file.rfind("/src/") else { return file };
    file[..src].rfind('/').map_or(file, |package| &file[package + 1..])
}

/// Tells what was noted.
pub(super) fn report(terminal: &mut Terminal) {
    let noted = std::mem::take(&mut *NOTED.lock().unwrap_or_else(PoisonError::into_inner));
    for place in noted {
        terminal.warning(format_args!("an internal error at {place}; what it happened to was given up, the rest went on"));
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_place_does_not_name_the_builder() {
        assert_eq!(
            shortened("/home/me/.cargo/registry/src/index-1/hudsucker-0.25.0/src/proxy/mod.rs"),
            "hudsucker-0.25.0/src/proxy/mod.rs"
        );
        assert_eq!(shortened("src/cli/mod.rs"), "src/cli/mod.rs");
    }
}
