//! Which home a client gets. A client under a fault may wipe its credentials, so a replay gives it one of its own.

use super::{Environment, Variables};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The home of a client.
#[derive(Debug)]
pub enum Home {
    /// The caller's own.
    Real,
    /// A new, empty one that is removed at the end.
    Temp(TempDir),
    /// A directory that the caller named; it is made if it is missing and stays.
    Dir(PathBuf),
}

/// Directories that a client's stores live in, by variable, relative to the home.
const FOLDERS: &[(&str, &str)] = &[
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
    ("XDG_STATE_HOME", ".local/state"),
    ("XDG_CACHE_HOME", ".cache"),
    ("XDG_RUNTIME_DIR", ".run"),
    ("CLAUDE_CONFIG_DIR", ".claude"),
    ("CODEX_HOME", ".codex"),
];

/// Variables that lead out of a home of its own: to a credential store elsewhere, or to the session's keyring.
const WAYS_OUT: &[&str] = &["DBUS_SESSION_BUS_ADDRESS", "MCP_REMOTE_CONFIG_DIR", "GEMINI_CLI_HOME", "USERPROFILE"];

impl Home {
    /// Makes a throwaway home.
    pub fn temp() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("authtape-home-").tempdir()?;
        prepare(folder.path())?;
        Ok(Self::Temp(folder))
    }

    /// Takes a directory as home and makes what is missing.
    pub fn dir(path: &Path) -> io::Result<Self> {
        prepare(path)?;
        Ok(Self::Dir(fs::canonicalize(path)?))
    }

    /// Where it is; `None` for the caller's own.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Real => None,
            Self::Temp(folder) => Some(folder.path()),
            Self::Dir(path) => Some(path),
        }
    }

    /// The variables that make it a client's home. The caller's environment is not asked: a home of its own is the same for
    /// everybody.
    pub fn variables(&self) -> Variables {
        let mut variables = Variables::new();
        let Some(home) = self.path() else { return variables };
        variables.set("HOME", home);
        for (name, folder) in FOLDERS {
            variables.set(name, home.join(folder));
        }
        WAYS_OUT.iter().for_each(|name| variables.unset(name));
        variables
    }

    /// The home directory that a client sees.
    pub fn seen(&self, caller: &Environment) -> Option<PathBuf> {
        self.path().map(Path::to_owned).or_else(|| caller.value("HOME").map(PathBuf::from))
    }
}

fn prepare(home: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(home)?;
    FOLDERS.iter().try_for_each(|(_, folder)| builder.create(home.join(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_home_changes_nothing() {
        assert_eq!(Home::Real.variables(), Variables::new());
    }

    #[test]
    fn a_throwaway_home_holds_every_store_and_goes_away() {
        let home = Home::temp().unwrap();
        let path = home.path().unwrap().to_owned();
        let variables = home.variables();
        for (name, _) in FOLDERS {
            let folder = Path::new(variables.get(name).unwrap());
            assert!(folder.starts_with(&path) && folder.is_dir(), "{name}");
        }
        assert!(variables.iter().any(|change| change == ("DBUS_SESSION_BUS_ADDRESS", None)));
        drop(home);
        assert!(!path.exists());
    }
}
