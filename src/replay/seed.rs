//! The model that a tape shows: its authorization servers (`issuers`) and MCP servers (`servers`), and who trusts whom.

use super::PlayerOptions;
use super::issuers::{self, Described};
use super::policies::Policies;
use super::servers::{self, Line};
use super::tape::Tape;
use super::vendor::{self, Gate};
use crate::model::policy::UnnamedAuth;
use crate::model::{Issuer, IssuerId, IssuerPolicy, Model, ServerId};
use crate::protocol::Endpoint;
use std::collections::HashMap;

/// A model with what the player needs beside it.
pub(super) struct Seeded {
    pub(super) model: Model,
    pub(super) issuers: Vec<IssuerId>,
    pub(super) lines: HashMap<ServerId, Line>,
    pub(super) policies: Vec<Policies>,
    pub(super) gate: Gate,
}

pub(super) fn model_of(tape: &Tape, seed: [u8; 32], options: &PlayerOptions) -> Seeded {
    let mut model = Model::new(seed);
    let shown = servers::of(tape);
    let logins = vendor::logins(tape);
    let mut described = issuers::of(tape, &logins);
    for identifier in shown.iter().flat_map(|server| &server.authorization_servers) {
        if !described.iter().any(|own| same(&own.issuer.identifier, identifier)) {
            described.push(issuers::generated(tape, identifier));
        }
    }
    for server in shown.iter().filter(|server| server.policy.protected) {
        if described.is_empty()
            && let Some(endpoint) = Endpoint::parse(&server.url)
        {
            described.push(issuers::generated(tape, endpoint.origin()));
        }
    }
    let (mut issuers, mut policies) = (Vec::new(), Vec::new());
    let add = |model: &mut Model, policies: &mut Vec<Policies>, described: Described| {
        let Described { mut issuer, resources, shown } = described;
        policies.push(Policies::of_issuer(&issuer.identifier, &issuer.policy, &shown));
        issuer.policy.access_ttl = options.expires_in.unwrap_or(issuer.policy.access_ttl);
        issuer.resources.extend(resources);
        model.add_issuer(issuer)
    };
    for own in described {
        issuers.push(add(&mut model, &mut policies, own));
    }
    let mut lines = HashMap::new();
    for server in shown {
        let trusted: Vec<IssuerId> = issuers.iter().copied().filter(|id| server.trusts(&model.issuer(*id).identifier)).collect();
        let trusted = if trusted.is_empty() { issuers.clone() } else { trusted };
        for id in &trusted {
            let own = model.issuer_mut(*id);
            server
                .names
                .iter()
                .filter(|name| !own.resources.contains(name))
                .cloned()
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|name| own.resources.push(name));
        }
        policies.push(Policies::of_server(&server.url, &server.policy, &server.shown));
        let id = model.add_server(&server.url, &trusted, server.policy);
        lines.insert(id, server.line);
    }
    let known: Vec<_> = issuers.iter().map(|id| (*id, model.issuer(*id).endpoints.token.clone())).collect();
    let gate = vendor::gate_of(tape, logins, &known, |own| {
        let id = add(&mut model, &mut policies, own);
        issuers.push(id);
        id
    });
    Seeded { model, issuers, lines, policies, gate }
}

/// Two spellings of one identifier: a slash at the end does not count.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// An issuer of the usual shape that nothing on the tape describes.
pub(super) fn plain(identifier: &str) -> Issuer {
    Issuer::new(identifier, IssuerPolicy { unnamed_auth: UnnamedAuth::Advertised, ..IssuerPolicy::default() })
}
