//! What went through without being stored: counted by host and kind, and by the tool that made it. Keeps no value of an
//! exchange but its host.

use crate::exchange::Exchange;
use crate::protocol::Kind;
use std::collections::BTreeMap;

/// How many hosts are told apart; the rest is counted together.
const HOSTS: usize = 256;
/// The name under which the rest is counted.
const REST: &str = "(others)";

/// Programs that clients start and that inherit the proxy.
const TOOLS: &[&str] = &["git", "npm", "pnpm", "yarn", "pip", "uv", "cargo", "curl", "wget", "go-http-client", "node-gyp", "gh"];

/// Requests that were forwarded and not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Requests by host and kind.
    pub hosts: BTreeMap<String, BTreeMap<Kind, u64>>,
    /// Requests of tools that the client started, by tool.
    pub tools: BTreeMap<&'static str, u64>,
}

impl Passed {
    /// Counts one exchange.
    pub fn count(&mut self, exchange: &Exchange, kind: Kind) {
        if let Some(tool) = tool_of(exchange) {
            *self.tools.entry(tool).or_default() += 1;
            return;
        }
        let host = host_of(&exchange.request.url);
        let name = if self.hosts.len() < HOSTS || self.hosts.contains_key(host) { host } else { REST };
        *self.hosts.entry(name.to_owned()).or_default().entry(kind).or_default() += 1;
    }

    /// All requests counted here.
    pub fn total(&self) -> u64 {
        self.tools.values().sum::<u64>() + self.hosts.values().flat_map(BTreeMap::values).sum::<u64>()
    }
}

/// The tool whose product name stands first in the user agent (RFC 9110 §10.1.5).
fn tool_of(exchange: &Exchange) -> Option<&'static str> {
    let agent = exchange.request.headers.first("user-agent")?;
    let product = agent.split(['/', ' ']).next()?;
    TOOLS.iter().copied().find(|tool| tool.eq_ignore_ascii_case(product))
}

/// The authority of an absolute URL, without user information.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_host_is_the_authority_without_user_information() {
        assert_eq!(host_of("https://u:p@a.test:8443/x?y"), "a.test:8443");
        assert_eq!(host_of("http://[::1]:80?q"), "[::1]:80");
    }
}
