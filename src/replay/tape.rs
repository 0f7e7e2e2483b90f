//! The interactions of a tape and the ways to find one: documents by URL, answers by kind and endpoint.

use super::batch;
use crate::cassette::Interaction;
use crate::exchange::{Exchange, Request, Response};
use crate::protocol::{Endpoint, Kind, RoleMap, classify_run};
use std::collections::{HashMap, HashSet};

/// A tape with its indices.
pub(super) struct Tape {
    interactions: Vec<Interaction>,
    /// What the tape shows of each endpoint.
    pub(super) roles: RoleMap,
    documents: HashMap<(String, String), usize>,
    behind_bearer: HashMap<(String, String), usize>,
    by_kind: HashMap<(Kind, String), Vec<usize>>,
    answered: HashMap<Kind, Vec<usize>>,
    by_url: HashMap<String, usize>,
    kinds: HashMap<(String, String), Kind>,
    by_number: HashMap<u32, usize>,
    origins: HashSet<String>,
}

impl Tape {
    pub(super) fn new(mut interactions: Vec<Interaction>) -> Self {
        let (roles, _) = classify_run(interactions.iter().map(|interaction| &interaction.exchange));
        let mut tape = Self {
            interactions: Vec::new(),
            roles,
            documents: HashMap::new(),
            behind_bearer: HashMap::new(),
            by_kind: HashMap::new(),
            answered: HashMap::new(),
            by_url: HashMap::new(),
            kinds: HashMap::new(),
            by_number: interactions.iter().enumerate().map(|(index, own)| (own.exchange.number, index)).collect(),
            origins: HashSet::new(),
        };
        let batched: Vec<Interaction> = interactions.iter().flat_map(batch::requests).collect();
        interactions.extend(batched);
        for (index, interaction) in interactions.iter().enumerate().filter(|(_, own)| own.exchange.response().is_some()) {
            tape.answered.entry(interaction.kind).or_default().push(index);
        }
        for (index, interaction) in interactions.iter().enumerate().filter(|(_, own)| own.kind != Kind::Callback) {
            tape.note(index, interaction);
        }
        tape.interactions = interactions;
        tape
    }

    fn note(&mut self, index: usize, interaction: &Interaction) {
        let Interaction { exchange, kind } = interaction;
        let Some(endpoint) = Endpoint::parse(&exchange.request.url) else { return };
        let url = endpoint.as_str().to_owned();
        if is_answered_here(*kind) {
            self.origins.insert(endpoint.origin().to_owned());
        }
        self.by_url.insert(url.clone(), index);
        let Some(status) = exchange.status() else { return };
        self.by_kind.entry((*kind, url.clone())).or_default().push(index);
        let place = (exchange.request.method.clone(), url);
        self.kinds.insert(place.clone(), *kind);
        match kind {
            // A document that came counts more than a later failure.
            Kind::Prm | Kind::AsMetadata | Kind::OidcConfig | Kind::Jwks | Kind::CimdDoc
                if is_success(status) || !self.documents.contains_key(&place) =>
            {
                self.documents.insert(place, index);
            }
            Kind::Userinfo | Kind::AccountApi
                if is_success(status) || !(matches!(status, 401 | 403) || self.behind_bearer.contains_key(&place)) =>
            {
                self.behind_bearer.insert(place, index);
            }
            // What an account does not have, it does not have then either.
            Kind::AccountApi if status != 401 && !self.behind_bearer.contains_key(&place) => {
                self.behind_bearer.insert(place, index);
            }
            _ => {}
        }
    }

    /// All interactions with their places, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Interaction)> {
        self.interactions.iter().enumerate()
    }

    /// The exchange at a place.
    pub(super) fn exchange(&self, index: usize) -> &Exchange {
        &self.interactions[index].exchange
    }

    /// The exchange of a number.
    pub(super) fn numbered(&self, number: u32) -> Option<&Exchange> {
        self.by_number.get(&number).map(|index| self.exchange(*index))
    }

    /// The number and the response at a place that has one.
    pub(super) fn answer(&self, index: usize) -> (u32, &Response) {
        let exchange = self.exchange(index);
        (exchange.number, exchange.response().expect("only interactions with a response are indexed"))
    }

    pub(super) fn document(&self, method: &str, endpoint: &Endpoint) -> Option<usize> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.documents.get(&(method.to_owned(), endpoint.as_str().to_owned())).copied()
    }

    pub(super) fn behind_bearer(&self, method: &str, endpoint: &Endpoint) -> Option<usize> {
        self.behind_bearer.get(&(method.to_owned(), endpoint.as_str().to_owned())).copied()
    }

    /// What a request of that method to an endpoint was for.
    pub(super) fn kind_at(&self, method: &str, endpoint: &Endpoint) -> Option<Kind> {
        self.kinds.get(&(method.to_owned(), endpoint.as_str().to_owned())).copied()
    }

    /// The last answer of a kind at an endpoint that fits.
    pub(super) fn last_of(&self, kind: Kind, endpoint: &str, fits: impl Fn(&Request, &Response) -> bool) -> Option<usize> {
        let found = self.by_kind.get(&(kind, endpoint.to_owned()))?;
        found.iter().rev().copied().find(|index| fits(&self.exchange(*index).request, self.answer(*index).1))
    }

    /// Every answered interaction of a kind.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Exchange, &Response)> {
        self.places_of(kind).map(|index| (self.exchange(index), self.answer(index).1))
    }

    /// The places of every answered interaction of a kind.
    pub(super) fn places_of(&self, kind: Kind) -> impl Iterator<Item = usize> {
        self.answered.get(&kind).into_iter().flatten().copied()
    }

    /// Every answered token request.
    pub(super) fn token_answers(&self) -> impl Iterator<Item = (&Exchange, &Response)> {
        let of_kind = self.interactions.iter().filter(|own| own.kind.is_token());
        of_kind.filter_map(|own| Some((&own.exchange, own.exchange.response()?)))
    }

    /// True for an endpoint on a scheme, host and port that the tape holds.
    pub(super) fn knows(&self, endpoint: &Endpoint) -> bool {
        self.origins.contains(endpoint.origin())
    }

    /// The schemes, hosts and ports that the tape holds.
    pub(super) fn origins(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().map(String::as_str)
    }

    /// An interaction at the same URL, and its method.
    pub(super) fn nearest(&self, _method: &str, endpoint: &Endpoint) -> Option<(u32, &str)> {
        let exchange = self.exchange(*self.by_url.get(endpoint.as_str())?);
        Some((exchange.number, exchange.request.method.as_str()))
    }
}

/// The model's API is another program's part, and beside it clients ask their vendor for what no tape holds.
fn is_answered_here(kind: Kind) -> bool {
    kind.is_stored() && !matches!(kind, Kind::LlmApi | Kind::AccountApi)
}

pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
