//! Exchanges that mean nothing yet but may be named later: a key set that is fetched before the metadata that names it is
//! known. They wait here, scrubbed, in bounded memory; the oldest leaves first.

use crate::exchange::{Exchange, Outcome};
use std::collections::VecDeque;

/// How many exchanges wait at most.
const ENTRIES: usize = 512;
/// How many body bytes wait at most.
const BYTES: usize = 4 << 20;

/// Exchanges that wait for a role.
#[derive(Default)]
pub(super) struct Held {
    waiting: VecDeque<Exchange>,
    bytes: usize,
}

impl Held {
    /// Keeps an exchange; returns those that have to leave for it.
    pub fn keep(&mut self, exchange: Exchange) -> Vec<Exchange> {
        self.bytes += size_of(&exchange);
        self.waiting.push_back(exchange);
        let mut leaving = Vec::new();
        while self.waiting.len() > ENTRIES || self.bytes > BYTES {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.bytes -= size_of(&oldest);
            leaving.push(oldest);
        }
        leaving
    }

    /// Takes out the exchanges for which `is_named` holds, in order.
    pub fn take(&mut self, is_named: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        let (named, waiting): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|exchange| is_named(exchange));
        self.waiting = waiting.into();
        self.bytes = self.waiting.iter().map(size_of).sum();
        named
    }
}

fn size_of(exchange: &Exchange) -> usize {
    let response = match &exchange.outcome {
        Outcome::Response(response) => response.body.content.to_bytes().len(),
        _ => 0,
    };
    exchange.request.url.len() + exchange.request.body.content.to_bytes().len() + response
}
