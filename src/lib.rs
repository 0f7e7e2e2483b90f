//! authtape records the OAuth and MCP traffic of an AI client, replays it offline with faults, and names the failure.
//!
//! The house, from the cellar up. A module imports only from the floors below it; `tests/it/layers.rs` holds that.
//!
//! | floor | module | knows |
//! |---|---|---|
//! | 0 | [`exchange`] | what went over the wire, as plain data |
//! | 0 | [`yaml`] | YAML, as cassettes use it |
//! | 1 | [`protocol`] | what an exchange means in OAuth and MCP |
//! | 1 | [`reply`] | what is to be performed towards a client, as plain data |
//! | 2 | [`cassette`] | the file format, and how such files grow, are finished and are read |
//! | 3 | [`scrub`] | secrets become placeholders, and equal ones stay equal |
//! | 3 | [`matcher`] | is this call that recorded one, and why not |
//! | 3 | [`model`] | an authorization server and an MCP server as state machines on a virtual clock |
//! | 4 | [`fault`] | what goes wrong on purpose, one file a fault |
//! | 4 | [`assistant`] | scripted answers in place of a client's model and of its vendor |
//! | 5 | [`record`] | captured exchanges become scrubbed documents |
//! | 5 | [`replay`] | the player: a tape and the model answer a client |
//! | 5 | [`scenario`] | cassette, faults and sessions of a replay, from a file |
//! | 6 | [`keys`] | keys of one run that sign tokens in place of the servers |
//! | 6 | [`upstream`] | the way to the real servers |
//! | 7 | [`proxy`] | the intercepting proxy, from the client's socket to captured exchanges |
//! | 7 | [`useragent`] | the browser's part of a login |
//! | 8 | [`runner`] | client processes: environment, home, terminal, time limit |
//! | 9 | [`client`] | the reference client |
//! | 9 | [`demo`] | the demonstration |
//! | 10 | [`cli`] | the command line; the only place that prints |

pub mod assistant;
pub mod cassette;
pub mod cli;
pub mod client;
pub mod demo;
pub mod exchange;
pub mod fault;
pub mod keys;
pub mod matcher;
pub mod model;
pub mod protocol;
pub mod proxy;
pub mod record;
pub mod replay;
pub mod reply;
pub mod runner;
pub mod scenario;
pub mod scrub;
pub mod upstream;
pub mod useragent;
pub mod yaml;
