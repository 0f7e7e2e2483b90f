//! Cassette files: how they grow while recording (`part`), are finished (`finish`), are read (`load`, `documents`, `follow`)
//! and replaced (`replace`). The only place of the lower floors that touches the file system.
//!
//! A file that is not finished ends each document with `---`, so that a document that lost its end is known by the missing
//! separator. In a finished file `---` stands between documents.

mod documents;
mod finish;
mod follow;
mod load;
mod part;
mod replace;

pub use documents::{Document, Documents};
pub use finish::{Summary, Sweep, Untouched};
pub use follow::{Follower, has_writer};
pub use load::{Cassette, Happening, Warning};
pub use part::{Existing, PartFile, part_path};

use crate::cassette::format::{self, FormatError};
use crate::cassette::{Broken, CassetteError, Entry, Header};
use std::path::Path;

fn header_of(document: &Document, path: &Path) -> Result<Header, CassetteError> {
    format::header(&document.text).map_err(|error| broken(error, document, path))
}

fn entry_of(document: &Document, path: &Path) -> Result<Entry, CassetteError> {
    format::entry(&document.text).map_err(|error| broken(error, document, path))
}

fn empty(path: &Path) -> CassetteError {
    let message = "an empty file: expected a cassette, which begins with `authtape: 1`".to_owned();
    CassetteError::Broken(Box::new(Broken { path: path.to_owned(), line: 1, column: 1, message, text: String::new(), hint: None }))
}

fn broken(error: FormatError, document: &Document, path: &Path) -> CassetteError {
    let FormatError { line, column, message, hint } = error;
    let index = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let text = document.text.lines().nth(index).unwrap_or_default().to_owned();
    CassetteError::Broken(Box::new(Broken { path: path.to_owned(), line: document.line + line - 1, column, message, text, hint }))
}
