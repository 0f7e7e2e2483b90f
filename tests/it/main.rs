//! The one integration test crate: everything here runs the binary or reads the sources.

mod cassette;
mod cassette_hostile;
mod layers;
mod proxy;
mod runner_commands;
mod runner_jobs;
mod runner_process;
mod runner_useragent;
mod show;
