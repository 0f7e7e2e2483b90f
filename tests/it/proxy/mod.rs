//! The proxy between real clients and real servers on loopback: each trap of the engine, one test.

mod bodies;
mod doors;
mod ends;
mod hosts;
mod streams;
mod tunnels;
mod upstreams;
mod world;
