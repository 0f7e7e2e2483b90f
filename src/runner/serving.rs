//! What a serving `record` or `replay` tells other processes of its user: where its proxy is and where its certificate lies. A
//! small private file; `authtape env` reads it.

use super::Environment;
use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A serving process.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServingState {
    /// The proxy's URL with the credential of the session that other processes belong to.
    pub proxy: String,
    /// The PEM file of the run's root certificate.
    pub root: PathBuf,
    /// The directory of the session's openers, if its URLs are to be caught.
    pub openers: Option<PathBuf>,
    /// The home of its clients, where that is not the caller's own.
    pub home: Option<PathBuf>,
    /// The serving process.
    pub pid: u32,
}

/// Why there is no serving process to be found.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// There is no such file.
    #[error("nothing is serving: {0} does not exist")]
    Missing(PathBuf),
    /// The process that wrote it is gone.
    #[error("nothing is serving: the process {pid} that wrote {path} is gone")]
    Stale {
        /// The file.
        path: PathBuf,
        /// The process.
        pid: u32,
    },
    /// It belongs to somebody else or is open to others: what it says is not to be trusted.
    #[error("{0} is not a private file of this user")]
    NotPrivate(PathBuf),
    /// It cannot be read or is not a state file.
    #[error("{path}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// One line.
        reason: String,
    },
}

const LIMIT: u64 = 64 << 10;

/// Names the file of the process through which a shell is led: its runtime directory may be another one by then.
pub const STATE: &str = "AUTHTAPE_STATE";

impl ServingState {
    /// Where the file is by default: where the variable of a shell that is led through a proxy says, in the user's runtime directory,
    /// or beside the temporary files with the user's id.
    pub fn default_path(caller: &Environment) -> PathBuf {
        if let Some(path) = caller.text(STATE) {
            return PathBuf::from(path);
        }
        match caller.text("XDG_RUNTIME_DIR") {
            Some(folder) => Path::new(folder).join("authtape.json"),
            None => std::env::temp_dir().join(format!("authtape-{}.json", Uid::current())),
        }
    }

    /// Writes the file, for its owner only, whole or not at all. One that a living process wrote is only replaced by itself.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Ok(other) = Self::read(path)
            && other.pid != self.pid
        {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("process {} is serving already", other.pid)));
        }
        let part = path.with_extension(format!("{}.part", self.pid));
        let _ = fs::remove_file(&part);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&part, path)
    }

    /// Reads the file of a process that is alive.
    pub fn read(path: &Path) -> Result<Self, ServingError> {
        let broken = |reason: String| ServingError::Broken { path: path.to_owned(), reason };
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ServingError::Missing(path.to_owned()),
            _ => broken(error.to_string()),
        })?;
        let metadata = file.metadata().map_err(|error| broken(error.to_string()))?;
        if metadata.uid() != Uid::current().as_raw() || metadata.mode() & 0o077 != 0 || !metadata.is_file() {
            return Err(ServingError::NotPrivate(path.to_owned()));
        }
        let mut text = String::new();
        file.take(LIMIT).read_to_string(&mut text).map_err(|error| broken(error.to_string()))?;
        let state: Self = serde_json::from_str(&text).map_err(|_| broken("not a state file of authtape".to_owned()))?;
        let pid = i32::try_from(state.pid).ok().filter(|pid| *pid > 0);
        match pid.map(|pid| kill(Pid::from_raw(pid), None)) {
            Some(Ok(())) => Ok(state),
            _ => Err(ServingError::Stale { path: path.to_owned(), pid: state.pid }),
        }
    }

    /// Removes the file if it is still ours.
    pub fn remove(&self, path: &Path) {
        if Self::read(path).is_ok_and(|found| found == *self) {
            let _ = fs::remove_file(path);
        }
    }
}

impl std::fmt::Debug for ServingState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServingState(process {}, {})", self.pid, self.root.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn state(pid: u32) -> ServingState {
        ServingState { proxy: "http://s1:x@127.0.0.1:1".into(), root: "/run/root.pem".into(), openers: None, home: None, pid }
    }

    #[test]
    fn a_living_process_is_found_and_not_pushed_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert!(matches!(ServingState::read(&path), Err(ServingError::Missing(_))));
        let own = state(std::process::id());
        own.write(&path).unwrap();
        assert_eq!(ServingState::read(&path).unwrap(), own);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(state(1).write(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        own.remove(&path);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_process_an_open_file_and_nonsense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        state(i32::MAX as u32).write(&path).unwrap();
        assert!(matches!(ServingState::read(&path), Err(ServingError::Stale { .. })));
        fs::write(&path, "{\"proxy\":\"http://s1:secret@x\"}").unwrap();
        let error = ServingState::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("not a state file of authtape"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(ServingState::read(&path), Err(ServingError::NotPrivate(_))));
    }
}
