//! Where a recording goes: checked before anything starts, so that a wrong path costs no session.

use crate::cassette::{CassetteError, Existing, part_path};
use crate::cli::{CliError, Exit};
use std::fs;
use std::path::Path;

/// Checks the path given with `-o`.
///
/// # Errors
/// An existing file without `--force`, an unfinished recording beside it, a missing or unwritable folder, a name that does
/// not say that it is raw.
pub fn check(path: &Path, existing: Existing, raw: bool) -> Result<(), CliError> {
    let shown = path.display();
    if path.as_os_str() == "-" {
        let message = "-o -: a cassette is finished in place, which no pipe can be";
        return Err(usage(message).hint("name a file: -o login.yaml; `authtape show` prints it, --format json for programs"));
    }
    if path.file_name().is_none() || path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(usage(format_args!("{shown} is a folder, not a file")).hint("name a file: -o login.yaml"));
    }
    if path.exists() && !path.is_file() {
        return Err(usage(format_args!("{shown} is a device or a pipe, not a file")).hint("name a file: -o login.yaml"));
    }
    if raw && !path.to_string_lossy().ends_with(".raw.yaml") {
        let hint = format!("-o {}", path.with_extension("raw.yaml").display());
        return Err(usage("a raw recording holds secrets, so its name must end in .raw.yaml, which git can be told to ignore").hint(hint));
    }
    if existing == Existing::Refuse {
        if path.exists() {
            return Err(usage(format_args!("{shown} is there already")).hint("choose another name, or replace it with --force"));
        }
        let part = part_path(path);
        if part.exists() {
            let hint = format!("read it with `authtape show {}`, or replace it with --force", part.display());
            return Err(usage(format_args!("{} is an unfinished recording, perhaps one that still runs", part.display())).hint(hint));
        }
    }
    check_folder(path)
}

/// A cassette that could not be created or written.
pub fn explain(error: &CassetteError) -> CliError {
    match error {
        CassetteError::Exists(_) | CassetteError::Busy(_) => {
            CliError::new(Exit::USAGE, error).hint("choose another name; one that no recording is using can be replaced with --force")
        }
        _ => CliError::new(Exit::OWN_FAILURE, error),
    }
}

fn check_folder(path: &Path) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(folder).map_err(|error| {
        usage(format_args!("cannot write {}: folder {}: {error}", path.display(), folder.display()))
            .hint("make the folder first, or choose another with -o")
    })?;
    if !metadata.is_dir() {
        return Err(usage(format_args!("cannot write {}: {} is not a folder", path.display(), folder.display())));
    }
    tempfile::Builder::new().prefix(".authtape-").tempfile_in(folder).map(drop).map_err(|error| {
        // What tempfile adds names a file that nobody asked for.
        let text = error.to_string();
        let cause = text.split(" at path ").next().unwrap_or(&text);
        usage(format_args!("cannot write into {}: {cause}", folder.display())).hint("choose another folder with -o")
    })
}

fn usage(message: impl std::fmt::Display) -> CliError {
    CliError::new(Exit::USAGE, message)
}
