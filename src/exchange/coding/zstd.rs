//! Zstandard (RFC 8878) as a writer that passes decoded bytes on, one block (at most 128 KiB) at a time. The blocks
//! themselves are decoded by ruzstd, which can only pull: this file hands it whole blocks.

use ruzstd::decoding::FrameDecoder;
use std::io::{self, Write};

/// The longest frame header (RFC 8878 §3.1.1).
const FRAME_HEADER: usize = 18;
/// The size of a block header and of a checksum (RFC 8878 §3.1.1).
const BLOCK_HEADER: usize = 3;
const CHECKSUM: usize = 4;

/// Decodes what is written to it into `inner`.
pub(super) struct ZstdWriter<W> {
    inner: W,
    pending: Vec<u8>,
    frame: Option<Frame>,
}

struct Frame {
    decoder: FrameDecoder,
    has_checksum: bool,
    last_block_seen: bool,
}

impl<W: Write> ZstdWriter<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, pending: Vec::new(), frame: None }
    }

    pub(super) fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// Does the next piece of work; false when it needs more bytes.
    fn step(&mut self) -> io::Result<bool> {
        let Some(frame) = &mut self.frame else { return self.begin_frame() };
        if frame.last_block_seen {
            let checksum = if frame.has_checksum { CHECKSUM } else { 0 };
            if self.pending.len() < checksum {
                return Ok(false);
            }
            self.pending.drain(..checksum);
            self.frame = None;
            return Ok(!self.pending.is_empty());
        }
        let Some(size) = block_size(&self.pending).filter(|size| self.pending.len() >= *size) else { return Ok(false) };
        frame.last_block_seen = self.pending[0] & 1 == 1;
        let mut out = [0; 16 * 1024];
        let (_, mut written) = frame.decoder.decode_from_to(&self.pending[..size], &mut out).map_err(invalid)?;
        while written > 0 {
            self.inner.write_all(&out[..written])?;
            written = io::Read::read(&mut frame.decoder, &mut out)?;
        }
        self.pending.drain(..size);
        Ok(true)
    }

    fn begin_frame(&mut self) -> io::Result<bool> {
        let mut source = self.pending.as_slice();
        let mut decoder = FrameDecoder::new();
        match decoder.init(&mut source) {
            Ok(()) => {}
            Err(_) if self.pending.len() < FRAME_HEADER => return Ok(false),
            Err(error) => return Err(invalid(error)),
        }
        let read = self.pending.len() - source.len();
        let has_checksum = self.pending[4] & 4 != 0;
        self.frame = Some(Frame { decoder, has_checksum, last_block_seen: false });
        self.pending.drain(..read);
        Ok(true)
    }
}

impl<W: Write> Write for ZstdWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        while self.step()? {}
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The size in bytes of the block at the front, its header included (RFC 8878 §3.1.1.2).
fn block_size(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<BLOCK_HEADER>()?;
    let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let is_rle = header >> 1 & 3 == 1;
    let content = if is_rle { 1 } else { header >> 3 };
    Some(BLOCK_HEADER + content as usize)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
