//! authtape records the OAuth and MCP traffic of an AI client, replays it offline with faults, and names the failure.
//!
//! The house, from the cellar up. A module imports only from the floors below it; `tests/it/layers.rs` holds that.
//!
//! | floor | module | knows |
//! |---|---|---|
//! | 0 | [`exchange`] | what went over the wire, as plain data |
//! | 1 | [`protocol`] | what an exchange means in OAuth and MCP |
//! | 10 | [`cli`] | the command line; the only place that prints |

pub mod cli;
pub mod exchange;
pub mod protocol;
pub mod scrub;
