//! Which kind an exchange is: rules in order, the first that fits wins. A rule reads the message and the role map; a path alone
//! never decides, except for the well-known ones that a standard reserves.

mod authorization;
mod discovery;
mod held;
mod mcp;
mod sight;
mod token;
mod vendor;

use super::kind::Kind;
use super::roles::{Learned, RoleMap};
use crate::exchange::Exchange;
use sight::Sight;

/// The kind of an exchange and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The kind.
    pub kind: Kind,
    /// How sure it is.
    pub confidence: Confidence,
}

/// How sure a kind is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// A guess by shape that another protocol could have as well.
    Low,
    /// By the standard's own marks, or by an endpoint that is known.
    High,
}

/// The rules, in order.
const RULES: &[fn(&Sight<'_>) -> Option<Classified>] = &[
    preflight,
    token::grant,
    mcp::message,
    token::registration,
    token::named_endpoint,
    token::revocation_or_introspection,
    authorization::pushed,
    authorization::device,
    authorization::authorize,
    authorization::callback,
    discovery::resource_metadata,
    discovery::server_metadata,
    mcp::stream,
    mcp::delete,
    mcp::unreadable_post,
    discovery::document,
    vendor::model_api,
    vendor::telemetry,
    vendor::account,
];

impl RoleMap {
    /// The kind of an exchange by what is known so far. The cost does not grow with what was learned.
    pub fn classify(&self, exchange: &Exchange) -> Classified {
        let sight = Sight::of(self, exchange);
        RULES.iter().find_map(|rule| rule(&sight)).unwrap_or(Classified { kind: Kind::Other, confidence: Confidence::Low })
    }

    /// True when an exchange that is [`Kind::Other`] now could get a name from a document that is still to come: a userinfo
    /// request, a custom metadata URL, the first GET to an MCP endpoint. False for pages, packages, repositories and uploads.
    pub fn may_be_named(exchange: &Exchange) -> bool {
        held::may_be_named(exchange)
    }
}

/// Both passes over a run: the role map, then the kind of each exchange by the whole map. Linear in the run.
pub fn classify_run<'e>(exchanges: impl IntoIterator<Item = &'e Exchange, IntoIter: Clone>) -> (RoleMap, Vec<Classified>) {
    let exchanges = exchanges.into_iter();
    let mut map = RoleMap::new();
    let mut kinds = Vec::new();
    // The first pass learns, the second usually finds nothing new; a chain of discoveries in odd order ends here all the same.
    for _ in 0..4 {
        kinds.clear();
        let mut learned = Learned::Nothing;
        for exchange in exchanges.clone() {
            let classified = map.classify(exchange);
            kinds.push(classified);
            if map.learn(exchange, classified.kind) == Learned::Roles {
                learned = Learned::Roles;
            }
        }
        if learned == Learned::Nothing {
            break;
        }
    }
    (map, kinds)
}

/// Rule 1: a CORS preflight (Fetch §3.2.2).
fn preflight(sight: &Sight<'_>) -> Option<Classified> {
    let asks = sight.is("OPTIONS") && sight.headers().has("access-control-request-method");
    asks.then(|| high(Kind::Preflight))
}

fn high(kind: Kind) -> Classified {
    Classified { kind, confidence: Confidence::High }
}

fn low(kind: Kind) -> Classified {
    Classified { kind, confidence: Confidence::Low }
}

fn sure(kind: Kind, is_sure: bool) -> Classified {
    if is_sure { high(kind) } else { low(kind) }
}

#[cfg(test)]
mod tests;
