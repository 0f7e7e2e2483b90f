//! Why a request got no response: how far it came, and the chain of causes on one line.

use crate::exchange::{Failure, Stage};
use hyper_util::client::legacy;
use std::error::Error;
use std::fmt;

/// A request that got no response.
#[derive(Debug)]
pub struct UpstreamError {
    stage: Stage,
    reason: String,
}

/// A connection that did not come about.
#[derive(Debug)]
pub(super) struct ConnectError {
    pub stage: Stage,
    pub source: super::BoxError,
}

impl UpstreamError {
    /// How far it came.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn from_client(error: &legacy::Error) -> Self {
        if let Some(connect) = find::<ConnectError>(error) {
            return Self::from_connect(connect);
        }
        let stage = if error.is_connect() { Stage::Connect } else { Stage::Response };
        // The outermost text only says "client error".
        Self { stage, reason: error.source().map_or_else(|| error.to_string(), chain) }
    }

    pub(super) fn from_connect(error: &ConnectError) -> Self {
        Self { stage: error.stage, reason: chain(&*error.source) }
    }

    pub(super) fn from_response(error: &hyper::Error) -> Self {
        Self { stage: Stage::Response, reason: chain(error) }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self { stage: error.stage, reason: error.reason }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for UpstreamError {}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// An error and its causes on one line, outermost first; a cause that its parent already quotes is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string().replace(['\r', '\n'], " ");
        if !line.contains(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
        next = error.source();
    }
    line
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_chain_is_one_line_without_repetition() {
        let inner = io::Error::other("connection\nrefused");
        let outer = ConnectError { stage: Stage::Connect, source: Box::new(inner) };
        assert_eq!(chain(&outer), "connection refused");
    }
}
