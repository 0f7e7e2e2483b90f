//! Layer 5: scenarios. What a replay does: which cassette, which faults, which sessions one after the other or at once, and how far
//! the clock moves in between. Reads the file that says so; does not run it.

mod duration;
mod sessions;

pub use duration::duration;
pub use sessions::{AT_ONCE, Sessions, Step};
