//! The one integration test crate: everything here runs the binary or reads the sources.

mod cassette;
mod cassette_hostile;
mod client;
mod client_http;
mod client_login;
mod client_mcp;
mod client_refresh;
mod client_rmcp;
mod demo;
mod doctor;
mod hard;
mod help;
mod layers;
mod proxy;
mod record;
mod replay;
mod replay_jwt;
mod replay_lab;
mod replay_player;
mod replay_tapes;
mod runner_commands;
mod runner_jobs;
mod runner_process;
mod runner_record;
mod runner_useragent;
mod show;
