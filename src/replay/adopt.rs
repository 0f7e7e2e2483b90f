//! Tapes that begin in the middle: the first unknown bearer of a server, and the first unknown client and refresh token of an
//! authorization server, are taken for those of the tape where it shows that they came from before, and said to be. A placeholder
//! never is, and neither is a value that this run issued, however dead.

use super::tape::{Tape, is_success};
use super::{Adoption, Player};
use crate::exchange::Request;
use crate::model::policy::AuthMethod;
use crate::model::{Client, GrantId, Issuer, IssuerId, Moment, Origin, Scope, ServerId};
use crate::protocol::{Bearer, ClientCredentials, Endpoint, Kind, Parameters, request_parameters};
use crate::scrub::is_placeholder;
use std::collections::HashSet;

/// What may still be taken for a value from before the recording, at one authorization server.
#[derive(Default)]
pub(super) struct Presumed {
    client: bool,
    refresh: bool,
    /// The grant of everything that was.
    grant: Option<GrantId>,
}

impl Presumed {
    /// What the tape allows: a client that it does not register, a refresh token that it does not issue, and refuses neither.
    pub(super) fn of(tape: &Tape, issuer: &Issuer) -> Self {
        let at = |url: &str| {
            let place = Endpoint::parse(url);
            move |exchange: &Request| place.is_some() && Endpoint::parse(&exchange.url) == place
        };
        let (is_token, is_registration) = (at(&issuer.endpoints.token), at(&issuer.endpoints.register));
        let registers = tape.of_kind(Kind::DcrCreate).any(|(own, answer)| is_success(answer.status) && is_registration(&own.request));
        let logs_in = tape.of_kind(Kind::TokenCode).any(|(own, answer)| is_success(answer.status) && is_token(&own.request));
        let answers = || tape.token_answers().filter(|(own, _)| is_token(&own.request));
        let errs = |error: &str| answers().any(|(_, answer)| Parameters::of(&answer.body.content).text("error") == Some(error));
        let issued: HashSet<String> =
            answers().filter_map(|(_, answer)| Some(Parameters::of(&answer.body.content).text("refresh_token")?.to_owned())).collect();
        let is_presumed = |own: &Request| {
            let asked = Parameters::of(&own.body.content).text("refresh_token").map(str::to_owned);
            asked.is_some_and(|token| !issued.contains(&token))
        };
        let refused = answers().any(|(own, answer)| !is_success(answer.status) && is_presumed(&own.request));
        Self { client: !registers && !errs("invalid_client"), refresh: !logs_in && !refused, grant: None }
    }
}

impl Player {
    /// Takes the first unknown bearer where the tape begins logged in.
    pub(super) fn adopt_bearer(&mut self, id: ServerId, request: &Request, now: Moment) {
        if self.adoption == Adoption::None || !self.lines.get(&id).is_some_and(|line| line.may_adopt) {
            return;
        }
        let Some(bearer) = Bearer::of_headers(&request.headers).filter(|bearer| !is_placeholder(&bearer.token)) else { return };
        let issuers = &self.model.server(id).issuers;
        let Some(issuer) = issuers.first().copied() else { return };
        if issuers.iter().any(|own| self.model.issuer(*own).knows_access(&bearer.token)) {
            return;
        }
        let now = self.model.time(now);
        let resource = self.model.server(id).resource.clone();
        let grant = self.presumed_grant(issuer);
        self.model.issuer_mut(issuer).presume_access(grant, &bearer.token, vec![resource.clone()], now);
        if let Some(line) = self.lines.get_mut(&id) {
            line.may_adopt = false;
        }
        self.account.adopted.push(format!("the bearer of {resource}"));
    }

    /// Takes the first unknown client and refresh token at an endpoint of an authorization server.
    pub(super) fn adopt_credentials(&mut self, request: &Request, endpoint: &Endpoint) {
        if self.adoption == Adoption::None {
            return;
        }
        let at = |url: &str| Endpoint::parse(url).as_ref() == Some(endpoint);
        let asks = |id: &&IssuerId| {
            let endpoints = &self.model.issuer(**id).endpoints;
            at(&endpoints.authorize) || at(&endpoints.token) || at(&endpoints.revoke)
        };
        let Some(id) = self.issuers.iter().find(asks).copied() else { return };
        let credentials = ClientCredentials::of(request);
        let asked = request_parameters(request);
        let named = credentials.as_ref().and_then(ClientCredentials::id).map(std::borrow::Cow::into_owned);
        let Some(client) = named.or_else(|| asked.text("client_id").map(str::to_owned)) else { return };
        self.adopt_client(id, &client, asked.text("redirect_uri"), credentials.as_ref().and_then(secret_of));
        if at(&self.model.issuer(id).endpoints.token) && asked.text("grant_type") == Some("refresh_token") {
            let scope = Scope::parse(asked.text("scope").unwrap_or_default());
            self.adopt_refresh(id, asked.text("refresh_token").unwrap_or_default(), &client, scope);
        }
    }

    fn adopt_client(&mut self, id: IssuerId, client: &str, redirect_uri: Option<&str>, secret: Option<(AuthMethod, String)>) {
        let issuer = self.model.issuer(id);
        if let Some(known) = issuer.client(client) {
            // It showed no secret at the authorization endpoint, and could not have.
            let is_adopted = known.origin == Origin::Tape && known.auth == AuthMethod::None;
            if let (true, Some((method, secret))) = (is_adopted, secret) {
                let known = known.clone().confidential(method, secret);
                self.model.issuer_mut(id).add_client(known);
            }
            return;
        }
        let Some(presumed) = self.presumed.get_mut(&id).filter(|presumed| presumed.client) else { return };
        let is_document = issuer.policy.client_documents && client.starts_with("https://");
        if is_placeholder(client) || (is_document && redirect_uri.is_some()) {
            return;
        }
        presumed.client = false;
        let identifier = issuer.identifier.clone();
        let mut adopted = Client::configured(client, redirect_uri.map(str::to_owned).into_iter().collect());
        adopted.origin = Origin::Tape;
        if let Some((method, secret)) = secret {
            adopted = adopted.confidential(method, secret);
        }
        self.model.issuer_mut(id).add_client(adopted);
        self.account.adopted.push(format!("the client id at {identifier}"));
    }

    fn adopt_refresh(&mut self, id: IssuerId, value: &str, client: &str, scope: Scope) {
        let issuer = self.model.issuer(id);
        let may = self.presumed.get(&id).is_some_and(|presumed| presumed.refresh);
        let is_from_before = issuer.client(client).is_some_and(|client| client.origin == Origin::Tape);
        if !may || !is_from_before || value.is_empty() || is_placeholder(value) || issuer.knows_refresh(value) {
            return;
        }
        let identifier = issuer.identifier.clone();
        let grant = self.presumed_grant(id);
        self.model.issuer_mut(id).presume_refresh(grant, value, client, scope);
        if let Some(presumed) = self.presumed.get_mut(&id) {
            presumed.refresh = false;
        }
        self.account.adopted.push(format!("the refresh token at {identifier}"));
    }

    pub(super) fn presumed_grant(&mut self, id: IssuerId) -> GrantId {
        let presumed = self.presumed.entry(id).or_default();
        *presumed.grant.get_or_insert_with(|| self.model.issuer_mut(id).presume())
    }
}

/// How a client proves who it is, where it does.
fn secret_of(credentials: &ClientCredentials<'_>) -> Option<(AuthMethod, String)> {
    if let Some(basic) = &credentials.basic {
        return Some((AuthMethod::Basic, basic.secret().into_owned()));
    }
    credentials.secret.as_ref().map(|secret| (AuthMethod::Post, secret.clone().into_owned()))
}
