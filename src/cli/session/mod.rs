//! What `record` and `replay` share around a client: `output` (is the path good), `lab` (proxy, certificates, folder of the run),
//! `writer` (captures to file), `troubles` (connections without a request), `attended` (what a client process is given, and who attends its openers) and `client` (one
//! client process).

mod attended;
pub mod client;
mod lab;
pub mod output;
mod troubles;
mod writer;

pub use attended::Given;
pub use client::Started;
pub use lab::Lab;
pub use troubles::{Gathering, Troubles};
pub use writer::{Writer, Written};
