//! Splits a file into its YAML documents without parsing them: `---` alone at the beginning of a line separates, because
//! everything nested is indented. Keeps line numbers, reads as a stream, and never holds more than one document.

use crate::cassette::{Broken, CassetteError};
use crate::yaml::DOCUMENT_LIMIT;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// One document of a file, not yet parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// Its text, without the separators around it.
    pub text: String,
    /// True when a separator follows, so nothing of it can be missing.
    pub is_closed: bool,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document(line {}, {} bytes)", self.line, self.text.len())
    }
}

/// Where a document stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub line: u64,
    pub offset: u64,
    pub length: usize,
    pub is_closed: bool,
}

/// The documents of a file, one after the other. Documents of blanks and comments alone are left out.
///
/// A document may have [`DOCUMENT_LIMIT`] bytes; a file may be of any length.
pub struct Documents<R> {
    path: PathBuf,
    reader: R,
    /// Bytes of the current document; the last line may be incomplete.
    held: Vec<u8>,
    /// Where in `held` the current line begins.
    line_start: usize,
    /// The line of the file on which `held` begins.
    first_line: u64,
    /// The line that is being read.
    line: u64,
    /// The offset in the file at which `held` begins.
    offset: u64,
    is_over: bool,
}

impl Documents<BufReader<File>> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, CassetteError> {
        let file = File::open(path).map_err(CassetteError::io("read", path))?;
        Ok(Self::new(path, BufReader::with_capacity(1 << 16, file)))
    }
}

impl<R: BufRead> Documents<R> {
    /// Reads from the beginning of a file; `path` is for error messages.
    pub fn new(path: &Path, reader: R) -> Self {
        Self { path: path.to_owned(), reader, held: Vec::new(), line_start: 0, first_line: 1, line: 1, offset: 0, is_over: false }
    }

    /// The next document that a separator closes; `None` when the file has no more of them now. May be called again later.
    pub(super) fn next_closed(&mut self) -> Result<Option<Document>, CassetteError> {
        let mut held = Vec::new();
        let Some(span) = self.next_span(&mut held)? else { return Ok(None) };
        self.document(span, held).map(Some)
    }

    /// What stands at the end of the file without a separator behind it.
    pub(super) fn take_rest(&mut self) -> Result<Option<Document>, CassetteError> {
        let mut held = Vec::new();
        let Some(span) = self.rest(&mut held) else { return Ok(None) };
        self.document(span, held).map(Some)
    }

    /// Where in the file the first document that is not closed begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves the next closed document into `into`.
    pub(super) fn next_span(&mut self, into: &mut Vec<u8>) -> Result<Option<Span>, CassetteError> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            let line = &self.held[self.line_start..];
            let Some(behind) = behind_separator(line) else {
                self.line_start = self.held.len();
                self.line += 1;
                continue;
            };
            let next: Vec<u8> = behind.map(<[u8]>::to_vec).unwrap_or_default();
            let length = self.line_start;
            let span = Span { line: self.first_line, offset: self.offset, length, is_closed: true };
            self.offset += (self.held.len() - next.len()) as u64;
            self.held.truncate(length);
            std::mem::swap(into, &mut self.held);
            self.line_start = next.len();
            self.first_line = if next.is_empty() { self.line + 1 } else { self.line };
            self.line += 1;
            self.held.clear();
            self.held.extend(next);
            if !is_blank(into) {
                return Ok(Some(span));
            }
        }
    }

    /// Moves what is left at the end of the file into `into`.
    pub(super) fn rest(&mut self, into: &mut Vec<u8>) -> Option<Span> {
        std::mem::swap(into, &mut self.held);
        self.held.clear();
        self.line_start = 0;
        let span = Span { line: self.first_line, offset: self.offset, length: into.len(), is_closed: false };
        (!is_blank(into)).then_some(span)
    }

    /// Reads up to the next line feed; false at the end of the file, where the beginning of a line may be held.
    fn read_line(&mut self) -> Result<bool, CassetteError> {
        loop {
            let bytes = self.reader.fill_buf().map_err(CassetteError::io("read", &self.path))?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = memchr::memchr(b'\n', bytes);
            let taken = end.map_or(bytes.len(), |index| index + 1);
            self.held.extend_from_slice(&bytes[..taken]);
            self.reader.consume(taken);
            if self.held.len() > DOCUMENT_LIMIT {
                return Err(self.broken(self.first_line, 1, format!("a document of more than {} MiB", DOCUMENT_LIMIT >> 20)));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    fn document(&self, span: Span, held: Vec<u8>) -> Result<Document, CassetteError> {
        let Span { line, is_closed, .. } = span;
        let mut text = String::from_utf8(held).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = line + memchr::memchr_iter(b'\n', valid).count() as u64;
            let column = valid.len() - memchr::memrchr(b'\n', valid).map_or(0, |index| index + 1);
            self.broken(line, column as u64 + 1, "not UTF-8: expected a YAML text".to_owned())
        })?;
        if line == 1 && text.starts_with('\u{feff}') {
            text.remove(0);
        }
        Ok(Document { line, text, is_closed })
    }

    fn broken(&self, line: u64, column: u64, message: String) -> CassetteError {
        CassetteError::Broken(Box::new(Broken { path: self.path.clone(), line, column, message, text: String::new(), hint: None }))
    }
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = Result<Document, CassetteError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        match self.next_closed() {
            Ok(Some(document)) => Some(Ok(document)),
            Ok(None) => {
                self.is_over = true;
                self.take_rest().transpose()
            }
            Err(error) => {
                self.is_over = true;
                Some(Err(error))
            }
        }
    }
}

/// `Some` for a separator, with what follows it on its line where that is more than blanks and comments.
fn behind_separator(line: &[u8]) -> Option<Option<&[u8]>> {
    let behind = line.strip_prefix(b"---")?;
    match behind.trim_ascii().first() {
        None | Some(b'#') if behind.first().is_none_or(u8::is_ascii_whitespace) => Some(None),
        Some(_) if matches!(behind[0], b' ' | b'\t') => Some(Some(behind)),
        _ => None,
    }
}

fn is_blank(document: &[u8]) -> bool {
    let mut lines = document.split(|byte| *byte == b'\n');
    lines.all(|line| matches!(line.trim_ascii().first(), None | Some(b'#')) || line == b"\xef\xbb\xbf")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(u64, String, bool)> {
        let documents = Documents::new(Path::new("x.yaml"), text.as_bytes());
        documents.map(|document| document.map(|d| (d.line, d.text, d.is_closed)).unwrap()).collect()
    }

    #[test]
    fn separators_stand_alone_at_the_beginning_of_a_line() {
        let text = "---\na: |\n  ---\n--- # next\nb: 1\n---x: 1\r\n---\r\n# nothing\n---\n--- {c: 2}\n---\nd: 3";
        let expected = [
            (2, "a: |\n  ---\n".to_owned(), true),
            (5, "b: 1\n---x: 1\r\n".to_owned(), true),
            (10, " {c: 2}\n".to_owned(), true),
            (12, "d: 3".to_owned(), false),
        ];
        assert_eq!(split(text), expected);
    }

    #[test]
    fn blank_files_have_no_documents() {
        for text in ["", "\n\n", "# a\n---\n---\n", "\u{feff}"] {
            assert_eq!(split(text), [], "{text:?}");
        }
        assert_eq!(split("\u{feff}a: 1\n"), [(1, "a: 1\n".to_owned(), false)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_line() {
        let mut documents = Documents::new(Path::new("x.yaml"), &b"a: 1\n---\nb: 2\nc: \xff\n"[..]);
        documents.next().unwrap().unwrap();
        let error = documents.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "x.yaml:4:4: not UTF-8: expected a YAML text");
        assert!(documents.next().is_none());
    }
}
