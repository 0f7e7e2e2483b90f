//! What can go wrong with a cassette file: the system, or the file itself with the place that is to blame.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A cassette that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot {doing} linear.yaml".
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file exists and was not to be replaced.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// Another process is writing the file.
    #[error("{} is being recorded right now", .0.display())]
    Busy(PathBuf),
    /// The file is not what it should be.
    #[error(transparent)]
    Broken(Box<Broken>),
}

/// A place in a file, and what is wrong with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
    /// What is wrong and what was expected.
    pub message: String,
    /// The line itself; empty where there is none.
    pub text: String,
    /// What to do about it, where that is known.
    pub hint: Option<&'static str>,
}

impl CassetteError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Broken(broken) => broken.hint,
            _ => None,
        }
    }
}

impl std::error::Error for Broken {}

/// Says where, not what: the line may hold a secret.
impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broken({}:{}:{})", self.path.display(), self.line, self.column)
    }
}

/// How much of a long line is shown.
const SHOWN: usize = 100;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, text, hint: _ } = self;
        write!(f, "{}:{line}:{column}: {message}", path.display())?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let column = usize::try_from(*column).unwrap_or(1).saturating_sub(1);
        let skipped = if column < SHOWN - 20 { 0 } else { column - SHOWN / 2 };
        let shown: String = text.chars().skip(skipped).take(SHOWN).map(|c| if c == '\t' { ' ' } else { c }).collect();
        let number = line.to_string();
        let gutter = number.len();
        write!(f, "\n{number} | {shown}\n{:gutter$} | {:caret$}^", "", "", caret = column - skipped)
    }
}
