//! Undoes content codings chunk by chunk. Output beyond a limit is not produced, so a decompression bomb costs no more
//! than the limit. Does not know headers.

use super::Coding;
use super::zstd::ZstdWriter;
use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::{self, Write};

/// A chain of decoders that is fed chunks.
pub struct Inflater {
    /// In the order of decoding: the coding applied last comes first.
    stages: Vec<Stage>,
    /// How many decoded bytes may still be given out.
    left: usize,
    overflowed: bool,
}

enum Stage {
    Gzip(Box<MultiGzDecoder<Sink>>),
    /// Before the first byte tells zlib from the bare format that some servers send.
    Deflate,
    Zlib(Box<ZlibDecoder<Sink>>),
    BareDeflate(Box<DeflateDecoder<Sink>>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(Box<ZstdWriter<Sink>>),
}

impl Inflater {
    /// A chain that undoes `codings` (in the order the sender applied them) and gives at most `limit` bytes.
    pub fn new(codings: &[Coding], limit: usize) -> Self {
        let stages = codings.iter().rev().map(|coding| Stage::new(*coding, limit)).collect();
        Self { stages, left: limit, overflowed: false }
    }

    /// Feeds a chunk and returns what it decodes to.
    ///
    /// # Errors
    /// A chunk that is not in the coding: the name of the coding and the reason. What was given out before stays good.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>, String> {
        let mut bytes = chunk.to_vec();
        for stage in &mut self.stages {
            if bytes.is_empty() || self.overflowed {
                break;
            }
            let (decoded, overflowed) = stage.push(&bytes).map_err(|error| format!("{}: {error}", stage.coding()))?;
            self.overflowed |= overflowed;
            bytes = decoded;
        }
        if bytes.len() > self.left {
            bytes.truncate(self.left);
            self.overflowed = true;
        }
        self.left -= bytes.len();
        Ok(bytes)
    }

    /// True once there was more than the limit.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }
}

impl Stage {
    fn new(coding: Coding, limit: usize) -> Self {
        let sink = Sink { bytes: Vec::new(), left: limit, overflowed: false };
        match coding {
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(sink))),
            Coding::Deflate => Self::Deflate,
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(sink, 4096))),
            Coding::Zstd => Self::Zstd(Box::new(ZstdWriter::new(sink))),
        }
    }

    fn coding(&self) -> Coding {
        match self {
            Self::Gzip(_) => Coding::Gzip,
            Self::Deflate | Self::Zlib(_) | Self::BareDeflate(_) => Coding::Deflate,
            Self::Brotli(_) => Coding::Brotli,
            Self::Zstd(_) => Coding::Zstd,
        }
    }

    fn push(&mut self, chunk: &[u8]) -> io::Result<(Vec<u8>, bool)> {
        if matches!(self, Self::Deflate) {
            let sink = Sink { bytes: Vec::new(), left: super::super::BODY_LIMIT, overflowed: false };
            *self = match is_zlib(chunk) {
                true => Self::Zlib(Box::new(ZlibDecoder::new(sink))),
                false => Self::BareDeflate(Box::new(DeflateDecoder::new(sink))),
            };
        }
        match self {
            Self::Gzip(decoder) => feed(decoder.as_mut(), chunk, MultiGzDecoder::get_mut),
            Self::Zlib(decoder) => feed(decoder.as_mut(), chunk, ZlibDecoder::get_mut),
            Self::BareDeflate(decoder) => feed(decoder.as_mut(), chunk, DeflateDecoder::get_mut),
            Self::Brotli(decoder) => feed(decoder.as_mut(), chunk, DecompressorWriter::get_mut),
            Self::Zstd(decoder) => feed(decoder.as_mut(), chunk, ZstdWriter::get_mut),
            Self::Deflate => Ok((Vec::new(), false)),
        }
    }
}

fn feed<D: Write>(decoder: &mut D, chunk: &[u8], sink: fn(&mut D) -> &mut Sink) -> io::Result<(Vec<u8>, bool)> {
    let fed = decoder.write_all(chunk).and_then(|()| decoder.flush());
    let sink = sink(decoder);
    if sink.overflowed {
        return Ok((std::mem::take(&mut sink.bytes), true));
    }
    fed?;
    Ok((std::mem::take(&mut sink.bytes), false))
}

/// RFC 1950 §2.2: method 8, and the two bytes are a multiple of 31. One byte alone is taken for zlib.
fn is_zlib(chunk: &[u8]) -> bool {
    let first = chunk[0];
    first & 0x0f == 8 && chunk.get(1).is_none_or(|second| (u16::from(first) << 8 | u16::from(*second)).is_multiple_of(31))
}

/// Collects decoded bytes up to a limit, then refuses.
struct Sink {
    bytes: Vec<u8>,
    left: usize,
    overflowed: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 && !bytes.is_empty() {
            self.overflowed = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let kept = bytes.len().min(self.left);
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.left -= kept;
        Ok(kept)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;

    const TEXT: &[u8] = b"data: hello hello hello hello\n\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(codings: &[Coding], bytes: &[u8], limit: usize, step: usize) -> (Vec<u8>, bool) {
        let mut inflater = Inflater::new(codings, limit);
        let out = bytes.chunks(step).flat_map(|chunk| inflater.push(chunk).unwrap()).collect();
        (out, inflater.overflowed())
    }

    #[test]
    fn each_coding_is_undone_byte_by_byte_and_at_once() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        bare.write_all(TEXT).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest);
        let brotli = BASE64_STANDARD.decode("Gx4A+I3UTnfxSNQKOmxvEqQMLQWRZJ46wAKPrhYA").unwrap();
        let cases = [
            (vec![Coding::Gzip], gzip(TEXT)),
            (vec![Coding::Gzip, Coding::Gzip], gzip(&gzip(TEXT))),
            (vec![Coding::Deflate], zlib.finish().unwrap()),
            (vec![Coding::Deflate], bare.finish().unwrap()),
            (vec![Coding::Zstd], zstd),
            (vec![Coding::Brotli], brotli),
        ];
        for (codings, bytes) in cases {
            for step in [1, 3, 4096] {
                assert_eq!(inflate(&codings, &bytes, 1000, step), (TEXT.to_vec(), false), "{codings:?} by {step}");
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 50 << 20]);
        let (out, overflowed) = inflate(&[Coding::Gzip], &bomb, 1 << 20, 4096);
        assert_eq!((out.len(), overflowed), (1 << 20, true));
        let (out, overflowed) = inflate(&[Coding::Gzip, Coding::Gzip], &gzip(&bomb), 1 << 20, 4096);
        assert!(out.len() <= 1 << 20 && overflowed);
        let zstd = ruzstd::encoding::compress_to_vec(&[0; 50 << 20][..], ruzstd::encoding::CompressionLevel::Fastest);
        let (out, overflowed) = inflate(&[Coding::Zstd], &zstd, 1 << 20, 4096);
        assert_eq!((out.len(), overflowed), (1 << 20, true));
    }

    #[test]
    fn garbage_is_an_error_that_names_the_coding() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let error = Inflater::new(&[coding], 100).push(b"this is not compressed at all").unwrap_err();
            assert!(error.starts_with(coding.name()), "{error}");
        }
    }
}
