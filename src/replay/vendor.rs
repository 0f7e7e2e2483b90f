//! A vendor's own login on a tape: tokens whose resource server is the model's API and the account endpoints beside it (Claude Code's
//! own login, claude-code #54443). Knows which token endpoint that is and what its bearers may do; the model issues them.

use super::issuers::{self, Described};
use super::tape::{Tape, is_success};
use super::{Adoption, Answered, Player, Source};
use crate::assistant::refusal;
use crate::exchange::Request;
use crate::model::policy::Registration;
use crate::model::{Decided, IssuerId, Moment};
use crate::protocol::{Bearer, Endpoint, Kind, Parameters, request_parameters};
use crate::scrub::is_placeholder;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The token endpoint of a vendor's login, and where its bearers went.
pub(super) struct Login {
    token: Endpoint,
    /// The authorization endpoint: the person goes to another host than the client.
    authorize: Option<String>,
    origins: BTreeSet<String>,
    /// True when a bearer from before the recording was accepted, and no login is on the tape.
    may_adopt: bool,
}

/// Who may ask the model.
pub(super) struct Gate {
    issuers: Vec<IssuerId>,
    origins: BTreeSet<String>,
    may_adopt: bool,
}

/// A bearer as it was presented on the tape.
struct Presented {
    token: String,
    origin: String,
    status: Option<u16>,
    is_mcp: bool,
}

/// The vendors' logins of a tape.
pub(super) fn logins(tape: &Tape) -> Vec<Login> {
    let presented: Vec<Presented> =
        tape.iter().filter_map(|(_, own)| presented(own.kind, &own.exchange.request, own.exchange.status())).collect();
    let mut issued: BTreeMap<String, (Endpoint, HashSet<String>)> = BTreeMap::new();
    for (exchange, response) in tape.token_answers() {
        let Some(token) = Endpoint::parse(&exchange.request.url) else { continue };
        let (_, values) = issued.entry(token.as_str().to_owned()).or_insert_with(|| (token, HashSet::new()));
        values.extend(Parameters::of(&response.body.content).text("access_token").map(str::to_owned));
    }
    let known: HashSet<String> = issued.values().flat_map(|(_, values)| values).cloned().collect();
    let before = |own: &&Presented| !own.is_mcp && !known.contains(&own.token);
    let login = |(token, values): (Endpoint, HashSet<String>)| {
        let uses = |own: &&Presented| values.contains(&own.token);
        let at_vendor: Vec<&Presented> = presented.iter().filter(|own| !own.is_mcp && uses(own)).collect();
        // Who issued nothing is known by the JSON of the request: MCP clients send forms (RFC 6749 §4.1.3).
        let only_refused = || values.is_empty() && presented.iter().any(|own| before(&own)) && is_sent_json(tape, &token);
        if presented.iter().any(|own| own.is_mcp && uses(&own)) || (at_vendor.is_empty() && !only_refused()) {
            return None;
        }
        let from_before: Vec<&Presented> = presented.iter().filter(before).collect();
        let origins = at_vendor.iter().chain(&from_before).map(|own| own.origin.clone()).collect();
        let logs_in = tape.of_kind(Kind::TokenCode).any(|(own, answer)| is_success(answer.status) && is_at(&own.request, &token));
        let may_adopt = !logs_in && from_before.iter().any(|own| own.status.is_some_and(is_success));
        Some(Login { authorize: authorize_of(tape, &token), token, origins, may_adopt })
    };
    issued.into_values().filter_map(login).collect()
}

fn presented(kind: Kind, request: &Request, status: Option<u16>) -> Option<Presented> {
    let is_mcp = kind.is_mcp();
    if !is_mcp && !matches!(kind, Kind::LlmApi | Kind::AccountApi) {
        return None;
    }
    let token = Bearer::of_headers(&request.headers)?.token.into_owned();
    Some(Presented { token, origin: Endpoint::parse(&request.url)?.origin().to_owned(), status, is_mcp })
}

fn is_at(request: &Request, token: &Endpoint) -> bool {
    Endpoint::parse(&request.url).as_ref() == Some(token)
}

fn is_sent_json(tape: &Tape, token: &Endpoint) -> bool {
    tape.token_answers().any(|(own, _)| is_at(&own.request, token) && own.request.body.content.json().is_some())
}

impl Login {
    /// True when this is its token endpoint.
    fn is_at(&self, url: &str) -> bool {
        Endpoint::parse(url).as_ref() == Some(&self.token)
    }

    /// True for an endpoint of this login.
    pub(super) fn owns(&self, url: &str) -> bool {
        self.is_at(url) || self.authorize.as_deref() == Some(url)
    }

    /// Its authorization server.
    fn described(&self, tape: &Tape) -> Described {
        let mut described = issuers::generated(tape, self.token.origin());
        let endpoints = &mut described.issuer.endpoints;
        endpoints.token = self.token.as_str().to_owned();
        if let Some(authorize) = &self.authorize {
            endpoints.authorize.clone_from(authorize);
        }
        issuers::behaviour(tape, &mut described.issuer, &[], &mut described.shown);
        let policy = &mut described.issuer.policy;
        (policy.registration, policy.send_iss) = (Registration::Closed, false);
        described
    }
}

/// Where the person went: the authorization request with the client of the token requests shows it.
fn authorize_of(tape: &Tape, token: &Endpoint) -> Option<String> {
    let client_of = |request: &Request| request_parameters(request).text("client_id").map(str::to_owned);
    let requests = tape.token_answers().filter(|(own, _)| is_at(&own.request, token));
    let clients: HashSet<String> = requests.filter_map(|(own, _)| client_of(&own.request)).collect();
    let asked = tape.of_kind(Kind::Authorize).find(|(own, _)| client_of(&own.request).is_some_and(|client| clients.contains(&client)));
    Some(Endpoint::parse(&asked?.0.request.url)?.as_str().to_owned())
}

impl Gate {
    /// The gate of these logins, whose authorization servers are in the model.
    pub(super) fn new(logins: &[(Login, IssuerId)]) -> Self {
        Self {
            issuers: logins.iter().map(|(_, id)| *id).collect(),
            origins: logins.iter().flat_map(|(login, _)| login.origins.clone()).collect(),
            may_adopt: logins.iter().any(|(login, _)| login.may_adopt),
        }
    }
}

impl Player {
    /// True when the tape shows a login for the model's API: a bearer there is one of that login, or is refused.
    pub fn checks_the_model_s_bearer(&self) -> bool {
        !self.gate.origins.is_empty()
    }

    /// Refuses a request to the model whose bearer does not hold. An API key is no part of a login.
    pub(super) fn refused_at_gate(&mut self, request: &Request, endpoint: &Endpoint, now: Moment) -> Option<Answered> {
        if !self.gate.origins.contains(endpoint.origin()) {
            return None;
        }
        let refused = |message: &str| {
            let source = Source::Model(Decided::Challenged { status: 401, reason: "no bearer that holds" });
            Some(Answered { reply: refusal(401, "authentication_error", message), source, open: None })
        };
        let Some(bearer) = Bearer::of_headers(&request.headers) else {
            let has_key = request.headers.has("x-api-key");
            return if has_key { None } else { refused("x-api-key header is required") };
        };
        self.adopt_at_gate(&bearer.token, now);
        let time = self.model.time(now);
        let holds = self.gate.issuers.iter().any(|id| self.model.issuer(*id).valid_access(&bearer.token, time).is_some());
        if holds { None } else { refused("Invalid bearer token") }
    }

    fn adopt_at_gate(&mut self, token: &str, now: Moment) {
        let is_known = self.gate.issuers.iter().any(|id| self.model.issuer(*id).knows_access(token));
        let Some(issuer) = self.gate.issuers.first().copied() else { return };
        if !self.gate.may_adopt || self.adoption == Adoption::None || is_known || is_placeholder(token) {
            return;
        }
        self.gate.may_adopt = false;
        let now = self.model.time(now);
        let grant = self.presumed_grant(issuer);
        self.model.issuer_mut(issuer).presume_access(grant, token, Vec::new(), now);
        self.account.adopted.push("the bearer of the model's API".to_owned());
    }
}

/// Adds the authorization servers of the logins to those that the tape describes by metadata.
pub(super) fn gate_of(tape: &Tape, logins: Vec<Login>, known: &[(IssuerId, String)], mut add: impl FnMut(Described) -> IssuerId) -> Gate {
    let found = |login: &Login| known.iter().find(|(_, token)| login.is_at(token)).map(|(id, _)| *id);
    let logins: Vec<_> = logins
        .into_iter()
        .map(|login| {
            let id = found(&login).unwrap_or_else(|| add(login.described(tape)));
            (login, id)
        })
        .collect();
    Gate::new(&logins)
}
