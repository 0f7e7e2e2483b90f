//! One authorization server: its URLs, its policy, its clients and what it issued. The endpoints are in files of their own.

use super::grant::{GrantId, Issued, Revocation};
use super::policy::{IssuerPolicy, ResourceRule};
use super::{AccessToken, Client, ClientStatus, Moment};
use std::collections::HashMap;
use std::fmt;

/// An authorization server.
#[derive(Clone)]
pub struct Issuer {
    /// Its issuer identifier, as its metadata writes it (RFC 8414 §2).
    pub identifier: String,
    /// Where its endpoints are.
    pub endpoints: Endpoints,
    /// How it behaves where servers differ.
    pub policy: IssuerPolicy,
    /// The resources it knows, as their metadata writes them.
    pub resources: Vec<String>,
    /// What it issued.
    pub issued: Issued,
    clients: Vec<Client>,
    by_id: HashMap<String, usize>,
}

/// The URLs of an authorization server's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The authorization endpoint.
    pub authorize: String,
    /// The token endpoint.
    pub token: String,
    /// The registration endpoint.
    pub register: String,
    /// The revocation endpoint.
    pub revoke: String,
}

/// Why an OAuth request was refused (RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// The error code.
    pub error: &'static str,
    /// What was wrong, for people.
    pub description: &'static str,
}

impl Refusal {
    /// A refusal with status 400.
    pub(super) const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: 400, error, description }
    }
}

impl Issuer {
    /// An authorization server with the usual paths below its identifier.
    pub fn new(identifier: &str, policy: IssuerPolicy) -> Self {
        let base = identifier.trim_end_matches('/');
        let endpoints = Endpoints {
            authorize: format!("{base}/authorize"),
            token: format!("{base}/token"),
            register: format!("{base}/register"),
            revoke: format!("{base}/revoke"),
        };
        Self {
            identifier: identifier.to_owned(),
            endpoints,
            policy,
            resources: Vec::new(),
            issued: Issued::default(),
            clients: Vec::new(),
            by_id: HashMap::new(),
        }
    }

    /// Adds a client: registered, configured or from a tape.
    pub fn add_client(&mut self, client: Client) -> &Client {
        self.by_id.insert(client.id.clone(), self.clients.len());
        self.clients.push(client);
        &self.clients[self.clients.len() - 1]
    }

    /// A client by its id, whatever its status.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.by_id.get(id).map(|index| &self.clients[*index])
    }

    /// A client by its id, to change what was registered.
    pub fn client_mut(&mut self, id: &str) -> Option<&mut Client> {
        self.by_id.get(id).map(|index| &mut self.clients[*index])
    }

    /// Every client, in order of registration.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Ends a client and its grants.
    pub fn end_client(&mut self, id: &str, status: ClientStatus) {
        if let Some(index) = self.by_id.get(id) {
            self.clients[*index].status = status;
            self.issued.revoke_client(id, Revocation::ClientEnded);
        }
    }

    /// Revokes the access tokens of a grant, so that the client meets a 401 before they expire.
    pub fn revoke_access(&mut self, grant: GrantId) {
        let grant = self.issued.grant_mut(grant);
        grant.oldest_access = grant.generation + 1;
    }

    /// The access token, if it holds now.
    pub fn valid_access(&self, value: &str, now: Moment) -> Option<&AccessToken> {
        self.issued.access(value, now).ok()
    }

    /// The resources that a request named, as this server writes them (RFC 8707 §2).
    pub(super) fn resources_of<'a>(&self, rule: ResourceRule, asked: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Refusal> {
        let mut named = Vec::new();
        for resource in asked {
            let known = match rule {
                ResourceRule::Ignore => continue,
                ResourceRule::Forbid => return Err(Refusal::new("invalid_target", "the resource parameter is not supported")),
                ResourceRule::Exact => self.resources.iter().find(|known| *known == resource),
                _ => self.resources.iter().find(|known| known.trim_end_matches('/') == resource.trim_end_matches('/')),
            };
            let Some(known) = known else { return Err(Refusal::new("invalid_target", "unknown resource")) };
            named.push(known.clone());
        }
        if named.is_empty() && matches!(rule, ResourceRule::Require | ResourceRule::Exact) {
            return Err(Refusal::new("invalid_target", "the resource parameter is missing"));
        }
        Ok(named)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("policy", &self.policy)
            .field("clients", &self.clients)
            .field("issued", &self.issued)
            .finish_non_exhaustive()
    }
}
