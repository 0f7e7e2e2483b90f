//! What clients asked of one authorization server on a tape, and what it said: the facts from which `conclusions` are drawn. Concludes
//! nothing itself.

use super::conclusions::access_lifetime;
use super::gate::is_refusal;
use super::tape::{Tape, is_success};
use crate::exchange::{Exchange, Response};
use crate::model::policy::AuthMethod;
use crate::model::{Client, Issuer};
use crate::protocol::{Bearer, ClientCredentials, Endpoint, Kind, Parameters, request_parameters};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Everything that was asked of one authorization server, in the order of the tape.
pub(super) struct Evidence<'t> {
    pub(super) registrations: Vec<Registered>,
    pub(super) authorizations: Vec<Asked>,
    pub(super) codes: Vec<Asked>,
    pub(super) refreshes: Vec<Asked>,
    pub(super) revocations: Vec<Asked>,
    /// The bearers that servers were shown.
    pub(super) bearers: Vec<Used>,
    /// The successful answers of the token endpoint.
    pub(super) token_answers: Vec<&'t Response>,
}

/// A registration.
pub(super) struct Registered {
    pub(super) at: Duration,
    pub(super) status: u16,
    pub(super) error: Option<String>,
    /// The id, where it succeeded.
    pub(super) id: Option<String>,
    pub(super) method: Option<AuthMethod>,
    /// True where the client asked to be allowed to refresh.
    pub(super) may_refresh: bool,
    name: Option<String>,
    redirect_uris: Vec<String>,
}

/// A request at the authorization, token or revocation endpoint.
pub(super) struct Asked {
    pub(super) at: Duration,
    pub(super) verdict: Verdict,
    pub(super) client: Option<String>,
    pub(super) redirect_uri: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) has_challenge: bool,
    /// True where the browser was sent back to the client.
    pub(super) has_redirect: bool,
    pub(super) has_iss: bool,
    /// True where that was concluded, not seen.
    pub(super) is_inferred: bool,
    /// The token that was presented.
    pub(super) presented: Option<String>,
    /// The tokens that were issued.
    pub(super) access: Option<String>,
    pub(super) refresh: Option<String>,
    pub(super) expires_in: Option<Duration>,
    /// The grant that it belongs to, as far as the tape shows; a number of ours.
    pub(super) family: Option<usize>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    /// With this error, as far as there is one.
    Refused(Option<String>),
    /// The tape does not say.
    Unknown,
}

/// A bearer that was shown to a server.
pub(super) struct Used {
    pub(super) at: Duration,
    pub(super) bearer: String,
    pub(super) status: u16,
}

impl<'t> Evidence<'t> {
    pub(super) fn of(tape: &'t Tape, issuer: &Issuer) -> Self {
        let endpoints = &issuer.endpoints;
        let all = |url: &str, fits: fn(Kind) -> bool| {
            let place = Endpoint::parse(url);
            let of_kind = tape.iter().filter(move |(_, own)| fits(own.kind)).map(|(_, own)| (&own.exchange, own.kind));
            of_kind.filter(move |(own, _)| place.is_some() && Endpoint::parse(&own.request.url) == place)
        };
        let back = callbacks(tape);
        let at_token = |kind| all(&endpoints.token, Kind::is_token).filter(move |(_, own)| *own == kind).map(|(own, _)| Asked::of(own));
        let answers = all(&endpoints.token, Kind::is_token).filter_map(|(own, _)| own.response());
        let mcp = || tape.iter().filter(|(_, own)| own.kind.is_mcp()).map(|(_, own)| &own.exchange);
        // A server that lets everybody in says nothing about a bearer.
        let is_open =
            |own: &&Exchange| Bearer::of_headers(&own.request.headers).is_none() && own.response().is_some_and(|own| !is_refusal(own));
        let open: HashSet<Option<Endpoint>> = mcp().filter(is_open).map(|own| Endpoint::parse(&own.request.url)).collect();
        let bearers = mcp().filter(|own| !open.contains(&Endpoint::parse(&own.request.url))).filter_map(Used::of);
        let mut evidence = Self {
            registrations: all(&endpoints.register, |kind| kind == Kind::DcrCreate).filter_map(|(own, _)| Registered::of(own)).collect(),
            authorizations: all(&endpoints.authorize, |kind| kind == Kind::Authorize)
                .map(|(own, _)| Asked::authorization(own, &back))
                .collect(),
            codes: at_token(Kind::TokenCode).collect(),
            refreshes: at_token(Kind::TokenRefresh).collect(),
            revocations: all(&endpoints.revoke, |kind| kind == Kind::Revoke).map(|(own, _)| Asked::of(own)).collect(),
            bearers: bearers.collect(),
            token_answers: answers.filter(|response| is_success(response.status)).collect(),
        };
        evidence.find_families();
        evidence
    }

    /// Whether the access token of an answer was taken, each time it was shown after this moment and before its end.
    pub(super) fn uses<'e>(&'e self, issued: &'e Asked, after: Duration) -> impl Iterator<Item = bool> + 'e {
        let ends = issued.at + issued.expires_in.unwrap_or(Duration::MAX / 2);
        let is_it = move |used: &&Used| Some(&used.bearer) == issued.access.as_ref() && used.at > after && used.at < ends;
        self.bearers.iter().filter(is_it).map(|used| used.status != 401)
    }

    /// A code begins a grant, and a refresh token belongs to that of the answer that it came with.
    fn find_families(&mut self) {
        let mut known: HashMap<String, usize> = HashMap::new();
        for (index, own) in self.codes.iter_mut().chain(&mut self.refreshes).enumerate() {
            let before = own.presented.as_ref().and_then(|token| known.get(token).copied());
            own.family = before.or(own.access.as_ref().map(|_| index));
            let tokens = own.presented.clone().into_iter().chain(own.refresh.clone()).filter(|_| own.access.is_some());
            known.extend(tokens.zip(own.family.into_iter().cycle()));
        }
    }

    /// Every request that names a client.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Asked> {
        self.authorizations.iter().chain(&self.codes).chain(&self.refreshes)
    }

    /// Every request that got tokens.
    pub(super) fn issues(&self) -> impl Iterator<Item = &Asked> {
        self.codes.iter().chain(&self.refreshes).filter(|own| own.access.is_some())
    }
}

/// The registration of this client.
pub(super) fn registered<'e>(evidence: &'e Evidence<'_>, id: &str) -> Option<&'e Registered> {
    evidence.registrations.iter().rfind(|own| own.id.as_deref() == Some(id))
}

/// The parameters with which browsers came back, by state.
fn callbacks(tape: &Tape) -> HashMap<String, (Parameters<'static>, bool)> {
    let callbacks = tape.iter().filter(|(_, own)| own.kind == Kind::Callback).map(|(_, own)| &own.exchange);
    let read = callbacks.map(|own| (Parameters::of_query(&own.request.url), own.inferred));
    read.filter_map(|own| Some((own.0.text("state")?.to_owned(), own))).collect()
}

impl Registered {
    fn of(exchange: &Exchange) -> Option<Self> {
        let response = exchange.response()?;
        let (asked, answered) = (Parameters::of(&exchange.request.body.content), Parameters::of(&response.body.content));
        let text = |own: &Parameters<'_>, name: &str| own.text(name).map(str::to_owned);
        let list = |name: &str| -> Vec<String> {
            let own = if answered.value(name).is_some() { &answered } else { &asked };
            own.texts(name).map(str::to_owned).collect()
        };
        let is_made = is_success(response.status);
        Some(Self {
            at: exchange.at,
            status: response.status,
            error: text(&answered, "error"),
            id: text(&answered, "client_id").filter(|_| is_made),
            method: asked.text("token_endpoint_auth_method").and_then(AuthMethod::parse),
            may_refresh: asked.texts("grant_types").any(|own| own == "refresh_token"),
            name: text(&asked, "client_name"),
            redirect_uris: list("redirect_uris"),
        })
    }

    /// The client as far as redirect URIs and names go.
    pub(super) fn client(&self) -> Client {
        let mut client = Client::configured(self.id.clone().unwrap_or_default(), self.redirect_uris.clone());
        client.name.clone_from(&self.name);
        client
    }
}

impl Asked {
    fn of(exchange: &Exchange) -> Self {
        let asked = request_parameters(&exchange.request);
        let text = |name: &str| asked.text(name).map(str::to_owned);
        let answered = exchange.response().map(|response| Parameters::of(&response.body.content)).unwrap_or_default();
        let issued = |name: &str| answered.text(name).map(str::to_owned);
        let verdict = match exchange.status() {
            None => Verdict::Unknown,
            Some(status) if is_success(status) => Verdict::Accepted,
            Some(500..) => Verdict::Unknown,
            Some(_) => Verdict::Refused(issued("error")),
        };
        let credentials = ClientCredentials::of(&exchange.request);
        Self {
            at: exchange.at,
            verdict,
            client: credentials.as_ref().and_then(ClientCredentials::id).map(std::borrow::Cow::into_owned).or_else(|| text("client_id")),
            redirect_uri: text("redirect_uri"),
            resource: text("resource"),
            scope: text("scope"),
            has_challenge: asked.has("code_challenge"),
            has_redirect: false,
            has_iss: false,
            is_inferred: false,
            presented: text("refresh_token").or_else(|| text("token")),
            access: issued("access_token"),
            refresh: issued("refresh_token"),
            expires_in: exchange.response().and_then(access_lifetime),
            family: None,
        }
    }

    /// An authorization request; what came of it stands in the redirect, or where the browser came back later.
    fn authorization(exchange: &Exchange, callbacks: &HashMap<String, (Parameters<'static>, bool)>) -> Self {
        let own = Self::of(exchange);
        let state = request_parameters(&exchange.request).text("state").map(str::to_owned);
        let location = exchange.response().and_then(|response| response.headers.first("location")).map(Parameters::of_query);
        let back = location.filter(|own| own.has("code") || own.has("error")).map(|own| (own, false));
        let back = back.or_else(|| callbacks.get(&state?).cloned());
        let Some((back, is_inferred)) = back else {
            let verdict = if exchange.status().is_some_and(|status| status >= 400) { own.verdict } else { Verdict::Unknown };
            return Self { verdict, ..own };
        };
        let error = back.text("error").map(str::to_owned);
        let verdict = if back.has("code") { Verdict::Accepted } else { Verdict::Refused(error) };
        Self { verdict, has_redirect: true, has_iss: back.has("iss"), is_inferred, ..own }
    }

    /// The error code of a refusal.
    pub(super) fn error(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Refused(error) => error.as_deref(),
            _ => None,
        }
    }
}

impl Used {
    fn of(exchange: &Exchange) -> Option<Self> {
        let bearer = Bearer::of_headers(&exchange.request.headers)?.token.into_owned();
        Some(Self { at: exchange.at, bearer, status: exchange.status()? })
    }
}
