//! Tapes that begin in the middle: the first unknown bearer of a server, and the first unknown client of an authorization server
//! that registers none, are taken for those of the tape, and said to be. A placeholder never is.

use super::{Adoption, Player};
use crate::exchange::Request;
use crate::model::policy::{AuthMethod, Registration};
use crate::model::{Client, Grant, Moment, Origin, Scope, ServerId};
use crate::protocol::{Bearer, ClientCredentials, Endpoint, request_parameters};
use crate::scrub::is_placeholder;

impl Player {
    /// Takes the first unknown bearer where the tape begins logged in.
    pub(super) fn adopt_bearer(&mut self, id: ServerId, request: &Request, now: Moment) {
        if self.adoption == Adoption::None || !self.lines.get(&id).is_some_and(|line| line.may_adopt) {
            return;
        }
        let Some(bearer) = Bearer::of_headers(&request.headers).filter(|bearer| !is_placeholder(&bearer.token)) else { return };
        let now = self.model.time(now);
        let issuers = self.model.server(id).issuers.clone();
        let Some(issuer) = issuers.first().copied() else { return };
        if issuers.iter().any(|own| self.model.issuer(*own).valid_access(&bearer.token, now).is_some()) {
            return;
        }
        let resource = self.model.server(id).resource.clone();
        let subject = self.model.issuer(issuer).policy.subject.clone();
        let grant = Grant::new("", &subject, vec![resource.clone()], Scope::default());
        self.model.adopt_access(issuer, &bearer.token, grant, now);
        if let Some(line) = self.lines.get_mut(&id) {
            line.may_adopt = false;
        }
        self.account.adopted.push(format!("the bearer of {resource}"));
    }

    /// Takes the first unknown client where nobody registers: it was configured before the recording.
    pub(super) fn adopt_client(&mut self, request: &Request, endpoint: &Endpoint) {
        if self.adoption == Adoption::None {
            return;
        }
        let at = |url: &str| Endpoint::parse(url).as_ref() == Some(endpoint);
        let asks = |id: &&crate::model::IssuerId| {
            let endpoints = &self.model.issuer(**id).endpoints;
            at(&endpoints.authorize) || at(&endpoints.token)
        };
        let Some(id) = self.issuers.iter().find(asks).copied() else { return };
        let issuer = self.model.issuer(id);
        if issuer.policy.registration != Registration::Closed {
            return;
        }
        let has_one = issuer.clients().iter().any(|client| client.origin == Origin::Tape);
        let asked = request_parameters(request);
        let credentials = ClientCredentials::of(request);
        let named = credentials.as_ref().and_then(ClientCredentials::id).map(std::borrow::Cow::into_owned);
        let Some(client) = named.or_else(|| asked.text("client_id").map(str::to_owned)) else { return };
        if let Some(known) = issuer.client(&client).filter(|known| known.origin == Origin::Tape && known.auth == AuthMethod::None) {
            let known = known.clone();
            let secret = credentials.as_ref().and_then(secret_of);
            if let Some((method, secret)) = secret {
                self.model.issuer_mut(id).add_client(known.confidential(method, secret));
            }
            return;
        }
        let is_document = issuer.policy.client_documents && client.starts_with("https://");
        if has_one || is_placeholder(&client) || is_document || issuer.client(&client).is_some() {
            return;
        }
        let redirect: Vec<String> = asked.text("redirect_uri").map(str::to_owned).into_iter().collect();
        let mut adopted = Client::configured(client, redirect);
        adopted.origin = Origin::Tape;
        if let Some((method, secret)) = credentials.as_ref().and_then(secret_of) {
            adopted = adopted.confidential(method, secret);
        }
        let identifier = issuer.identifier.clone();
        self.model.issuer_mut(id).add_client(adopted);
        self.account.adopted.push(format!("the client id at {identifier}"));
    }
}

/// How a client proves who it is, where it does.
fn secret_of(credentials: &ClientCredentials<'_>) -> Option<(AuthMethod, String)> {
    if let Some(basic) = &credentials.basic {
        return Some((AuthMethod::Basic, basic.secret().into_owned()));
    }
    credentials.secret.as_ref().map(|secret| (AuthMethod::Post, secret.clone().into_owned()))
}
