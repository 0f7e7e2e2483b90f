//! `authtape record` where it is hard: killed, short of everything, given bad input, and with secrets everywhere. Each test runs
//! the binary between a real client and a real server.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod ends;
mod kills;
mod limits;
mod load;
mod memory;
mod planted;
pub mod recorder;
mod refused;
mod replay;
mod server;
mod upstreams;
