//! Reads a cassette while it is being recorded, up to its last document.

use super::documents::Documents;
use super::part::part_path;
use super::{empty, entry_of, header_of};
use crate::cassette::{CassetteError, Entry, Header};
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A cassette that may still grow.
pub struct Follower {
    documents: Documents<BufReader<File>>,
    /// A second handle to the same file, for its lock and its identity.
    file: File,
    path: PathBuf,
    header: Option<Header>,
    is_over: bool,
}

impl Follower {
    /// Opens a cassette or its part: `linear.yaml` stands for `linear.yaml.part` while only that exists.
    ///
    /// # Errors
    /// Neither can be read.
    pub fn open(path: &Path) -> Result<Self, CassetteError> {
        let part = part_path(path);
        let path = if !path.exists() && part.exists() { part } else { path.to_owned() };
        let file = File::open(&path).map_err(CassetteError::io("read", &path))?;
        Ok(Self { documents: Documents::open(&path)?, file, path, header: None, is_over: false })
    }

    /// The file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header, once it has been read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// True when nothing more will come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What has come since the last call. Stream parts are not joined.
    ///
    /// # Errors
    /// A document is broken or the system refuses.
    pub fn poll(&mut self) -> Result<Vec<Entry>, CassetteError> {
        let mut entries = Vec::new();
        if self.is_over {
            return Ok(entries);
        }
        // Asked before reading, so that what was written until then is read.
        let is_ending = self.has_lost_its_writer();
        while let Some(document) = self.documents.next_closed()? {
            match self.header {
                None => self.header = Some(header_of(&document, &self.path)?),
                Some(_) => entries.push(entry_of(&document, &self.path)?),
            }
        }
        if is_ending || self.header.as_ref().is_some_and(|header| header.finished) {
            self.read_rest(&mut entries)?;
        }
        Ok(entries)
    }

    fn read_rest(&mut self, entries: &mut Vec<Entry>) -> Result<(), CassetteError> {
        self.is_over = true;
        let rest = self.documents.take_rest()?;
        match (&self.header, rest) {
            (None, None) => return Err(empty(&self.path)),
            (None, Some(document)) => self.header = Some(header_of(&document, &self.path)?),
            (Some(header), Some(document)) if header.finished => entries.push(entry_of(&document, &self.path)?),
            (Some(_), _) => {}
        }
        Ok(())
    }

    /// True when the file was renamed away or removed, or when nobody holds its lock.
    fn has_lost_its_writer(&self) -> bool {
        let same = |a: fs::Metadata, b: fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
        let there = fs::metadata(&self.path).and_then(|there| self.file.metadata().map(|ours| same(there, ours)));
        if !there.unwrap_or(false) {
            return true;
        }
        !is_locked(&self.file)
    }
}

/// True while a recording writes into the file.
pub fn has_writer(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| is_locked(&file))
}

fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = file.unlock();
            false
        }
        Err(_) => true,
    }
}
