//! Watches a cassette grow: how many of its documents are whole.

use super::Fallible;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than any writer may lag.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads what was added since the last look.
pub struct Growth {
    reader: BufReader<File>,
    line: Vec<u8>,
    is_interaction: bool,
    /// Whole interactions seen so far.
    pub interactions: u64,
}

impl Growth {
    pub fn of(part: &Path) -> Fallible<Self> {
        let reader = BufReader::with_capacity(1 << 20, File::open(part)?);
        Ok(Self { reader, line: Vec::new(), is_interaction: false, interactions: 0 })
    }

    /// Waits until so many interactions can be read.
    pub fn reach(&mut self, interactions: u64) -> Fallible<()> {
        let began = Instant::now();
        loop {
            self.look()?;
            if self.interactions >= interactions {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("only {} of {interactions} interactions were written", self.interactions).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn look(&mut self) -> Fallible<()> {
        while self.reader.read_until(b'\n', &mut self.line)? > 0 && self.line.ends_with(b"\n") {
            if self.line.starts_with(b"interaction: ") {
                self.is_interaction = true;
            } else if self.line == b"---\n" && std::mem::take(&mut self.is_interaction) {
                self.interactions += 1;
            }
            self.line.clear();
        }
        Ok(())
    }
}
