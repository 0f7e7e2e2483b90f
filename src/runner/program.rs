//! Finds the program of a command line as a shell would, on the caller's own PATH: the openers that are put first on the client's
//! PATH never take the place of the client itself.

use super::Environment;
use nix::unistd::{AccessFlags, access};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a client did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No such program.
    #[error("{0}: command not found")]
    NotFound(String),
    /// It is there and cannot be executed.
    #[error("{program}: cannot be executed: {reason}")]
    NotExecutable {
        /// As written on the command line.
        program: String,
        /// One line.
        reason: String,
    },
    /// Our own part failed: a pseudo-terminal, a signal handler.
    #[error("failed to start {program}: {reason}")]
    Own {
        /// As written on the command line.
        program: String,
        /// One line.
        reason: String,
    },
}

impl StartError {
    /// The exit code that shells and `env` use: 127, 126, 125.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable { .. } => 126,
            Self::Own { .. } => 125,
        }
    }
}

/// The path of a program. A name with a slash is taken as it is; any other is looked up in PATH, and one that is there but not
/// executable is only reported if no later directory has an executable one.
pub fn find(program: &OsStr, caller: &Environment) -> Result<PathBuf, StartError> {
    let shown = || program.to_string_lossy().into_owned();
    if program.as_bytes().contains(&b'/') {
        return executable(Path::new(program)).unwrap_or_else(|| Err(StartError::NotFound(shown())));
    }
    let path = caller.value("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let mut refused = None;
    for folder in std::env::split_paths(path).filter(|_| !program.is_empty()) {
        match executable(&folder.join(program)) {
            Some(Ok(found)) => return Ok(found),
            Some(Err(error)) => refused = refused.or(Some(error)),
            None => {}
        }
    }
    Err(refused.unwrap_or_else(|| StartError::NotFound(shown())))
}

/// `None` where there is no file.
fn executable(path: &Path) -> Option<Result<PathBuf, StartError>> {
    let refused = |reason: &str| Some(Err(StartError::NotExecutable { program: path.display().to_string(), reason: reason.to_owned() }));
    let Ok(metadata) = path.metadata() else { return None };
    if metadata.is_dir() {
        return refused("it is a directory");
    }
    match access(path, AccessFlags::X_OK) {
        Ok(()) => Some(Ok(path.to_owned())),
        Err(error) => refused(error.desc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_executable_further_down_wins_over_a_file_without_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        for place in [&first, &second] {
            fs::create_dir(place).unwrap();
            fs::write(place.join("tool"), "#!/bin/sh\n").unwrap();
        }
        fs::set_permissions(first.join("tool"), fs::Permissions::from_mode(0o644)).unwrap();
        let caller: Environment = [("PATH", format!("{}:{}", first.display(), second.display()))].into_iter().collect();
        assert_eq!(find(OsStr::new("tool"), &caller).unwrap_err().exit_code(), 126);
        fs::set_permissions(second.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(OsStr::new("tool"), &caller).unwrap(), second.join("tool"));
        assert_eq!(find(OsStr::new("no-such-tool"), &caller).unwrap_err().exit_code(), 127);
        assert_eq!(find(OsStr::new("./no-such-tool"), &caller).unwrap_err().exit_code(), 127);
        assert_eq!(find(folder.path().as_os_str(), &caller).unwrap_err().exit_code(), 126);
    }
}
