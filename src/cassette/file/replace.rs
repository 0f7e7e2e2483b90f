//! Writes a file so that there is always either the old one or the whole new one.

use super::Existing;
use crate::cassette::CassetteError;
use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    /// Whoever the umask lets.
    Shared,
    /// The user alone (0600).
    Private,
}

impl Privacy {
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::Shared => 0o666,
            Self::Private => 0o600,
        }
    }
}

/// Writes beside `path`, syncs, and renames.
pub(super) fn replace<T>(
    path: &Path,
    privacy: Privacy,
    existing: Existing,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<T, CassetteError>,
) -> Result<T, CassetteError> {
    if existing == Existing::Refuse && path.exists() {
        return Err(CassetteError::Exists(path.to_owned()));
    }
    let folder = folder_of(path);
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    // Where `*.raw.yaml` is ignored by git, this is too.
    let suffix = if privacy == Privacy::Private { ".raw.yaml" } else { ".tmp" };
    builder.prefix(&prefix).suffix(suffix).permissions(Permissions::from_mode(privacy.mode()));
    let mut temporary = builder.tempfile_in(&folder).map_err(CassetteError::io("write beside", path))?;
    let mut out = BufWriter::with_capacity(1 << 18, temporary.as_file_mut());
    let made = write(&mut out)?;
    out.flush().map_err(CassetteError::io("write", path))?;
    drop(out);
    temporary.as_file().sync_all().map_err(CassetteError::io("sync", path))?;
    match existing {
        Existing::Replace => temporary.persist(path),
        Existing::Refuse => temporary.persist_noclobber(path),
    }
    .map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => CassetteError::Exists(path.to_owned()),
        _ => CassetteError::io("rename to", path)(error.error),
    })?;
    // The rename itself is safe only once the folder is on the disk; a folder that cannot be synced is no reason to fail.
    let _ = File::open(&folder).and_then(|folder| folder.sync_all());
    Ok(made)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_for_its_secrets_is_ignored_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login.raw.yaml");
        replace(&path, Privacy::Private, Existing::Refuse, |_| {
            let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(names.len() == 1 && names[0].to_string_lossy().ends_with(".raw.yaml"), "{names:?}");
            Ok(())
        })
        .unwrap();
    }
}
