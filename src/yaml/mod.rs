//! Layer 0: YAML, as cassettes use it. Writing is our own (`emit`, `scalar`, `json`): a fixed layout, no wrapped or folded
//! lines, and scalars that YAML 1.1 and 1.2 readers read alike. Reading is serde-saphyr's; `read` is the only file that names
//! it. Does not know what a cassette is.

#[cfg(test)]
pub(crate) mod arbitrary;
mod emit;
mod json;
mod read;
mod scalar;

pub use emit::Emitter;
pub use json::fits as json_fits;
pub use read::{DOCUMENT_LIMIT, Error, from_str};
