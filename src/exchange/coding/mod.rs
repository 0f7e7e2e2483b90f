//! Content codings (RFC 9110 §8.4.1): their names. How they are undone is in `inflate`.

mod inflate;
mod zstd;

pub use inflate::Inflater;

use std::fmt;

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950).
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    /// Reads the values of `content-encoding`; an unknown coding is returned as the error.
    pub fn parse_list<'a>(values: impl Iterator<Item = &'a str>) -> Result<Vec<Self>, String> {
        let names = values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty());
        names
            .filter(|name| !name.eq_ignore_ascii_case("identity"))
            .map(|name| match name.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Ok(Self::Gzip),
                "deflate" => Ok(Self::Deflate),
                "br" => Ok(Self::Brotli),
                "zstd" => Ok(Self::Zstd),
                other => Err(other.to_owned()),
            })
            .collect()
    }

    /// The name in `content-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
