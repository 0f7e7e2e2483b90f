//! A root certificate that outlives a run, in two files of a directory: for clients whose trust store cannot be set by a
//! variable. The private key makes every TLS connection of whoever trusts the certificate readable to whoever has the key.

use crate::proxy::{Root, RootError};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files of a lasting root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastingRoot {
    /// The certificate, to be trusted.
    pub certificate: PathBuf,
    /// The private key, to be kept: 0600.
    pub key: PathBuf,
}

/// Why a lasting root could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum LastingRootError {
    /// There is one already.
    #[error("{0} exists")]
    Exists(PathBuf),
    /// A file cannot be written or read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others can read the key.
    #[error("{0} can be read by others: make a new root, this key is no secret any more")]
    OpenKey(PathBuf),
    /// The certificate.
    #[error(transparent)]
    Root(#[from] RootError),
}

impl LastingRoot {
    /// The files in a directory.
    pub fn in_folder(folder: &Path) -> Self {
        Self { certificate: folder.join("authtape-ca.pem"), key: folder.join("authtape-ca.key") }
    }

    /// Makes a root that is valid for some days. An existing one is only replaced if told to. A directory without a
    /// `.gitignore` gets one: the key must not be committed.
    pub fn make(folder: &Path, days: u16, replace: bool) -> Result<Self, LastingRootError> {
        let files = Self::in_folder(folder);
        if let Some(existing) = [&files.key, &files.certificate].into_iter().find(|file| file.exists() && !replace) {
            return Err(LastingRootError::Exists(existing.clone()));
        }
        let (root, key) = Root::lasting(days)?;
        DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(at(folder))?;
        let ignored = folder.join(".gitignore");
        if !ignored.exists() {
            fs::write(&ignored, "*\n!.gitignore\n!README.md\n").map_err(at(&ignored))?;
        }
        write_new(&files.key, key.as_bytes(), 0o600)?;
        write_new(&files.certificate, root.certificate_pem().as_bytes(), 0o644)?;
        Ok(files)
    }

    /// Reads the root.
    pub fn read(&self) -> Result<Root, LastingRootError> {
        let key = fs::metadata(&self.key).map_err(at(&self.key))?;
        if key.mode() & 0o077 != 0 {
            return Err(LastingRootError::OpenKey(self.key.clone()));
        }
        let text = |path: &Path| fs::read_to_string(path).map_err(at(path));
        Ok(Root::from_pem(&text(&self.certificate)?, &text(&self.key)?)?)
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> LastingRootError {
    let path = path.to_owned();
    move |error| LastingRootError::File { path, error }
}

/// Writes a file beside its place and moves it there: never half a file, never a moment open to others.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), LastingRootError> {
    let part = path.with_extension("new");
    let _ = fs::remove_file(&part);
    let write = || {
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?.write_all(bytes)?;
        fs::rename(&part, path)
    };
    write().map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_root_lasts_and_is_not_replaced_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("certs");
        let files = LastingRoot::make(&folder, 30, false).unwrap();
        assert_eq!(fs::metadata(&files.key).unwrap().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(folder.join(".gitignore")).unwrap().starts_with("*\n"));
        let first = files.read().unwrap();
        assert!(matches!(LastingRoot::make(&folder, 30, false), Err(LastingRootError::Exists(_))));
        LastingRoot::make(&folder, 30, true).unwrap();
        assert_ne!(files.read().unwrap().certificate(), first.certificate());
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(files.read(), Err(LastingRootError::OpenKey(_))));
    }
}
