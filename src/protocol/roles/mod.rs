//! The role map: which endpoint plays which role. Fed by everything that exchanges teach ([`RoleMap::learn`]), asked by the
//! classification. Cost and memory depend on the number of endpoints, never on the number of exchanges.

mod learn;

pub use learn::Learned;

use super::endpoint::Endpoint;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

/// A part that an endpoint plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndpointRole {
    /// An MCP endpoint: it is sent JSON-RPC.
    Mcp,
    /// A protected resource that asks for a token (RFC 9728 §5.1), whatever it speaks.
    Resource,
    /// The stream of the HTTP+SSE transport.
    LegacyStream,
    /// Where messages of the HTTP+SSE transport are posted.
    LegacyPost,
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Authorization server metadata (RFC 8414).
    ServerMetadata,
    /// OpenID provider configuration.
    OidcConfiguration,
    /// Key set.
    Jwks,
    /// Client id metadata document.
    ClientMetadata,
    /// Registration (RFC 7591).
    Registration,
    /// Management of one registration (RFC 7592).
    ClientConfiguration,
    /// Pushed authorization requests (RFC 9126).
    PushedAuthorization,
    /// Authorization endpoint.
    Authorization,
    /// Redirect URI of a client; on loopback for every port.
    Redirect,
    /// Device authorization (RFC 8628).
    DeviceAuthorization,
    /// Token endpoint.
    Token,
    /// Revocation (RFC 7009).
    Revocation,
    /// Introspection (RFC 7662).
    Introspection,
    /// Userinfo (OpenID Connect Core §5.3).
    Userinfo,
}

/// How a role became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// A document, a challenge, a registration or the configuration names the URL.
    Named,
    /// The endpoint was treated as one: a URL that received a `grant_type` is a token endpoint.
    Shape,
}

/// What is known of one endpoint.
#[derive(Clone, Debug, Default)]
struct Known {
    named: Roles,
    shaped: Roles,
    issuer: Option<Arc<str>>,
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u32);

/// The roles of a run's endpoints, and the access tokens that it issued (as keyed hashes, never as text).
#[derive(Clone, Default)]
pub struct RoleMap {
    endpoints: HashMap<Endpoint, Known>,
    tokens: HashSet<u64>,
    token_key: RandomState,
    revision: u64,
}

impl Roles {
    /// True when the role is among them.
    pub fn has(self, role: EndpointRole) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// True when one of the roles is among them.
    pub fn any(self, roles: &[EndpointRole]) -> bool {
        roles.iter().any(|role| self.has(*role))
    }

    /// True when there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl RoleMap {
    /// A map that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The roles of an endpoint.
    pub fn roles(&self, endpoint: &Endpoint) -> Roles {
        self.endpoints.get(endpoint).map_or_else(Roles::default, |known| known.named.union(known.shaped))
    }

    /// How an endpoint came to a role, the stronger evidence first.
    pub fn evidence(&self, endpoint: &Endpoint, role: EndpointRole) -> Option<Evidence> {
        let known = self.endpoints.get(endpoint)?;
        match () {
            () if known.named.has(role) => Some(Evidence::Named),
            () if known.shaped.has(role) => Some(Evidence::Shape),
            () => None,
        }
    }

    /// True for a redirect URI of this run; on loopback the port does not count (RFC 8252 §7.3).
    pub fn is_redirect(&self, endpoint: &Endpoint) -> bool {
        match endpoint.is_loopback() {
            true => self.roles(&endpoint.without_port()).has(EndpointRole::Redirect),
            false => self.roles(endpoint).has(EndpointRole::Redirect),
        }
    }

    /// The issuer whose metadata names this endpoint (RFC 8414 §2), as written there.
    pub fn issuer(&self, endpoint: &Endpoint) -> Option<&str> {
        self.endpoints.get(endpoint)?.issuer.as_deref()
    }

    /// The endpoints that play a role, in no order. Looks at each endpoint: for reports, not for each exchange.
    pub fn endpoints(&self, role: EndpointRole) -> impl Iterator<Item = &Endpoint> {
        let plays = move |known: &Known| known.named.has(role) || known.shaped.has(role);
        self.endpoints.iter().filter(move |(_, known)| plays(known)).map(|(endpoint, _)| endpoint)
    }

    /// True when a token response of this run issued the access token.
    pub fn has_issued(&self, access_token: &str) -> bool {
        !self.tokens.is_empty() && self.tokens.contains(&self.token_key.hash_one(access_token))
    }

    /// Gives a role to an endpoint that the configuration names. True when that was new.
    pub fn declare(&mut self, role: EndpointRole, url: &str) -> bool {
        let before = self.revision;
        self.name(role, Endpoint::parse(url));
        self.revision != before
    }

    fn name(&mut self, role: EndpointRole, endpoint: Option<Endpoint>) {
        let endpoint = match endpoint {
            Some(endpoint) if role == EndpointRole::Redirect && endpoint.is_loopback() => endpoint.without_port(),
            Some(endpoint) => endpoint,
            None => return,
        };
        self.add(role, Evidence::Named, endpoint);
    }

    fn add(&mut self, role: EndpointRole, evidence: Evidence, endpoint: Endpoint) {
        let known = self.endpoints.entry(endpoint).or_default();
        let set = match evidence {
            Evidence::Named => &mut known.named,
            Evidence::Shape => &mut known.shaped,
        };
        let with = Roles(set.0 | 1 << role as u8);
        if *set != with {
            *set = with;
            self.revision += 1;
        }
    }

    fn name_issuer(&mut self, endpoint: Option<&Endpoint>, issuer: &Arc<str>) {
        if let Some(known) = endpoint.and_then(|endpoint| self.endpoints.get_mut(endpoint)) {
            known.issuer.get_or_insert_with(|| Arc::clone(issuer));
        }
    }

    fn add_token(&mut self, access_token: &str) {
        let hash = self.token_key.hash_one(access_token);
        self.tokens.insert(hash);
    }
}

impl fmt::Debug for RoleMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleMap({} endpoints, {} tokens)", self.endpoints.len(), self.tokens.len())
    }
}

#[cfg(test)]
mod tests;
