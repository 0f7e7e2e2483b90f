//! The proxy between real clients and real servers on loopback: each trap of the engine, one test.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bodies;
mod doors;
mod ends;
mod hosts;
pub mod origin;
mod reverse;
mod streams;
mod tunnels;
mod upstreams;
pub mod world;
