//! What an ELF file says of the language it was written in: the names of its sections, the compiler's comment, and the mark at
//! its end that Bun and Deno leave. Reads a few small pieces, whatever the size of the file; a broken file says nothing.

use super::Runtime;
use memchr::memmem;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The magic number.
pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// How much is read at once, at most.
const PIECE: u64 = 1 << 20;
/// How many section headers are looked at.
const SECTIONS: usize = 512;

/// The runtime inside an ELF file; `None` when it does not say.
pub(super) fn runtime(path: &Path) -> Option<Runtime> {
    let mut file = File::open(path).ok()?;
    if let Some(runtime) = by_trailer(&mut file) {
        return Some(runtime);
    }
    let sections = Sections::read(&mut file)?;
    if sections.named(".bun").is_some() {
        return Some(Runtime::BunNative);
    }
    if sections.named(".go.buildinfo").or(sections.named(".note.go.buildid")).is_some() {
        return Some(Runtime::Go);
    }
    let comment = sections.named(".comment").and_then(|(offset, size)| piece(&mut file, offset, size));
    if comment.is_some_and(|comment| memmem::find(&comment, b"rustc").is_some()) {
        return Some(Runtime::Rust);
    }
    // A linker may drop the comment; the paths of the standard library's sources in panic messages stay.
    let (offset, size) = sections.named(".rodata")?;
    let text = piece(&mut file, offset, size)?;
    memmem::find(&text, b"/rustc/").map(|_| Runtime::Rust)
}

/// Programs that `bun build --compile` and `deno compile` make are the runtime with the script behind it.
fn by_trailer(file: &mut File) -> Option<Runtime> {
    let length = file.metadata().ok()?.len();
    let end = piece(file, length.saturating_sub(64), 64)?;
    if memmem::find(&end, b"---- Bun! ----").is_some() {
        return Some(Runtime::BunNative);
    }
    memmem::find(&end, b"d3n0l4nd").map(|_| Runtime::DenoNative)
}

/// Names, offsets and sizes.
struct Sections(Vec<(String, u64, u64)>);

impl Sections {
    /// The section header table of a 64-bit little-endian file (ELF-64 object file format, figures 2 and 6).
    fn read(file: &mut File) -> Option<Self> {
        let header = piece(file, 0, 64)?;
        if header.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let table_offset = number(&header, 40, 8)?;
        let entry_size = number(&header, 58, 2)?;
        let count = usize::try_from(number(&header, 60, 2)?).ok()?.min(SECTIONS);
        let names_index = usize::try_from(number(&header, 62, 2)?).ok()?;
        if entry_size != 64 {
            return None;
        }
        let table = piece(file, table_offset, 64 * count as u64)?;
        let entries: Vec<&[u8]> = table.chunks_exact(64).collect();
        let names = entries.get(names_index)?;
        let names = piece(file, number(names, 24, 8)?, number(names, 32, 8)?)?;
        let read = |entry: &&[u8]| {
            let start = usize::try_from(number(entry, 0, 4)?).ok()?;
            let name = names.get(start..)?.split(|byte| *byte == 0).next()?;
            Some((String::from_utf8_lossy(name).into_owned(), number(entry, 24, 8)?, number(entry, 32, 8)?))
        };
        Some(Self(entries.iter().filter_map(read).collect()))
    }

    fn named(&self, name: &str) -> Option<(u64, u64)> {
        self.0.iter().find(|(n, _, _)| n == name).map(|(_, offset, size)| (*offset, *size))
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + size)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn piece(file: &mut File, offset: u64, size: u64) -> Option<Vec<u8>> {
    file.seek(SeekFrom::Start(offset)).ok()?;
    let mut bytes = Vec::new();
    file.take(size.min(PIECE)).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_test_is_written_in_rust() {
        assert_eq!(runtime(&std::env::current_exe().unwrap()), Some(Runtime::Rust));
    }

    #[test]
    fn a_mark_at_the_end_is_seen_and_nonsense_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("program");
        let with = |text: &[u8]| {
            std::fs::write(&file, [MAGIC, b"\x02\x01", &[0xff; 100], text].concat()).unwrap();
            runtime(&file)
        };
        assert_eq!(with(b"\n---- Bun! ----\n\x01\x02\x03\x04\x05\x06\x07\x08"), Some(Runtime::BunNative));
        assert_eq!(with(b"d3n0l4nd12345678"), Some(Runtime::DenoNative));
        assert_eq!(with(b""), None);
        assert_eq!(runtime(folder.path()), None);
    }
}
