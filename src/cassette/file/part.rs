//! The file of a running recording: documents in order of completion, each closed by `---`, appended with one write each time.
//! What is in the file is all there is: nothing about earlier documents is kept in memory.

use super::documents::Documents;
use super::finish::{Summary, Sweep, finish};
use super::replace::{Privacy, replace};
use super::{empty, header_of};
use crate::cassette::{CassetteError, Entry, Header, format};
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The buffer is written when it holds this much.
const BATCH: usize = 256 << 10;

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the call fails.
    Refuse,
    /// It is replaced; a finished cassette only when the new one is finished.
    Replace,
}

/// A cassette that is being recorded. Locked against a second writer; a file whose lock is free has lost its writer.
pub struct PartFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    privacy: Privacy,
    existing: Existing,
    buffer: String,
    /// How much of the file is written.
    length: u64,
    /// True after a write that failed, until one succeeds.
    is_stuck: bool,
}

/// The name of the file in which a cassette grows: `linear.yaml` → `linear.yaml.part`.
pub fn part_path(target: &Path) -> PathBuf {
    let mut path = target.as_os_str().to_owned();
    path.push(".part");
    PathBuf::from(path)
}

impl PartFile {
    /// Creates `<target>.part` and writes the header with `finished: false`. A raw header makes a file of mode 0600.
    ///
    /// # Errors
    /// The cassette or the part exists and `existing` refuses that, another process records into it, or the system refuses.
    pub fn create(target: &Path, header: &Header, existing: Existing) -> Result<Self, CassetteError> {
        let path = part_path(target);
        if existing == Existing::Refuse && target.exists() {
            return Err(CassetteError::Exists(target.to_owned()));
        }
        let privacy = if header.raw { Privacy::Private } else { Privacy::Shared };
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(privacy.mode());
        match existing {
            Existing::Refuse => options.create_new(true),
            Existing::Replace => options.create(true),
        };
        let file = options.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CassetteError::Exists(path.clone()),
            _ => CassetteError::io("create", &path)(error),
        })?;
        lock(&file, &path)?;
        file.set_len(0).map_err(CassetteError::io("empty", &path))?;
        if privacy == Privacy::Private {
            let private = std::os::unix::fs::PermissionsExt::from_mode(privacy.mode());
            file.set_permissions(private).map_err(CassetteError::io("protect", &path))?;
        }
        let mut part = Self { file, path, target: target.to_owned(), privacy, existing, buffer: String::new(), length: 0, is_stuck: false };
        format::write_header(&Header { finished: false, ..header.clone() }, &mut part.buffer);
        part.buffer.push_str("---\n");
        part.flush()?;
        Ok(part)
    }

    /// Opens the part of a recording that was killed, and cuts off a document that lost its end. `target` names the cassette.
    ///
    /// # Errors
    /// Its recording still runs, it is no cassette, or the system refuses.
    pub fn reopen(target: &Path) -> Result<(Self, Header), CassetteError> {
        let path = part_path(target);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(CassetteError::io("open", &path))?;
        lock(&file, &path)?;
        let mut documents = Documents::new(&path, BufReader::new(At { file: &file, offset: 0 }));
        let first = documents.next_closed()?.ok_or_else(|| empty(&path))?;
        let header = header_of(&first, &path)?;
        let mut held = Vec::new();
        while documents.next_span(&mut held)?.is_some() {}
        let length = documents.offset();
        file.set_len(length).map_err(CassetteError::io("cut", &path))?;
        let privacy = if header.raw { Privacy::Private } else { Privacy::Shared };
        let target = target.to_owned();
        Ok((Self { file, path, target, privacy, existing: Existing::Refuse, buffer: String::new(), length, is_stuck: false }, header))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes wait to be written: much, after writes that failed.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Adds a document. It is written with the next [`PartFile::flush`], or now if much is waiting and the last write succeeded.
    ///
    /// # Errors
    /// As for [`PartFile::flush`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), CassetteError> {
        format::document_of(entry, &mut self.buffer);
        self.buffer.push_str("---\n");
        if self.buffer.len() >= BATCH && !self.is_stuck { self.flush() } else { Ok(()) }
    }

    /// Writes what is waiting with one call of the system. After it the documents survive the end of this process.
    ///
    /// # Errors
    /// The system refuses, as when the disk is full. The file then ends with its last whole document, and what was waiting still
    /// waits, so a later call may succeed.
    pub fn flush(&mut self) -> Result<(), CassetteError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all_at(self.buffer.as_bytes(), self.length) {
            // A torn document at the end is dropped by readers too; that this may fail as well is no further harm.
            let _ = self.file.set_len(self.length);
            self.is_stuck = true;
            return Err(CassetteError::io("write", &self.path)(error));
        }
        self.is_stuck = false;
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(BATCH);
        Ok(())
    }

    /// Removes the part. What it would have replaced stays.
    pub fn discard(self) {
        // A part that cannot be removed is found by the next recording, which names it.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Joins stream parts, sorts and renumbers the interactions, applies a last sweep, and puts the cassette in place under its
    /// final name with `finished: true`. The part is removed. Memory stays at some 40 bytes an interaction and one document.
    ///
    /// # Errors
    /// The system refuses, or a document that has to be read is broken. The part then stays.
    pub fn finish(mut self, header: &Header, sweep: &mut dyn Sweep) -> Result<Summary, CassetteError> {
        self.flush()?;
        let Self { file, path, target, privacy, existing, .. } = self;
        let summary = replace(&target, privacy, existing, |out| {
            let header = Header { finished: true, ..header.clone() };
            finish(&file, &path, &target, &header, sweep, out)
        })?;
        std::fs::remove_file(&path).map_err(CassetteError::io("remove", &path))?;
        Ok(summary)
    }
}

impl fmt::Debug for PartFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartFile({}, {} bytes written, {} waiting)", self.path.display(), self.length, self.buffer.len())
    }
}

/// Reads a file from an offset of its own, so that the writer's position does not matter.
pub(super) struct At<'f> {
    pub file: &'f File,
    pub offset: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// File systems without locks are no reason to fail.
fn lock(file: &File, path: &Path) -> Result<(), CassetteError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(CassetteError::Busy(path.to_owned())),
        _ => Ok(()),
    }
}
