//! `authtape show`, by running the binary on the cassettes of `tests/golden/show`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod follow;
mod full;
mod hostile;
mod json;
mod refused;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the binary gave.
struct Shown {
    code: Option<i32>,
    out: String,
    talk: String,
}

/// The folder of the cassettes.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/show")
}

/// `authtape show` in an empty environment.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authtape"));
    command.env_clear().current_dir(folder).arg("show").args(arguments).stdin(Stdio::null());
    command
}

fn run(mut command: Command) -> Shown {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Shown { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
}

/// Shows a golden cassette; only data may come, and no line may be wider than 80 columns where `arguments` ask for the table.
fn shown(arguments: &[&str]) -> String {
    let shown = run(command(&golden(), arguments));
    assert_eq!((shown.code, shown.talk.as_str()), (Some(0), ""));
    shown.out
}
