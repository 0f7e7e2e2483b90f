//! What the rules see of an exchange: each part is read once, and the costly ones only when a rule asks.

use crate::exchange::{Exchange, Headers, Response};
use crate::protocol::endpoint::Endpoint;
use crate::protocol::parameters::Parameters;
use crate::protocol::roles::{EndpointRole, Evidence, RoleMap, Roles};
use std::cell::OnceCell;

/// An exchange with the role map beside it.
pub(super) struct Sight<'a> {
    pub map: &'a RoleMap,
    pub exchange: &'a Exchange,
    pub endpoint: Option<Endpoint>,
    pub roles: Roles,
    body: OnceCell<Parameters<'a>>,
    query: OnceCell<Parameters<'a>>,
    answer: OnceCell<Parameters<'a>>,
}

impl<'a> Sight<'a> {
    pub fn of(map: &'a RoleMap, exchange: &'a Exchange) -> Self {
        let endpoint = Endpoint::parse(&exchange.request.url);
        let roles = endpoint.as_ref().map(|endpoint| map.roles(endpoint)).unwrap_or_default();
        Self { map, exchange, endpoint, roles, body: OnceCell::new(), query: OnceCell::new(), answer: OnceCell::new() }
    }

    pub fn is(&self, method: &str) -> bool {
        self.exchange.request.method == method
    }

    pub fn headers(&self) -> &'a Headers {
        &self.exchange.request.headers
    }

    pub fn response(&self) -> Option<&'a Response> {
        self.exchange.response()
    }

    /// The response, where it is a success.
    pub fn success(&self) -> Option<&'a Response> {
        self.response().filter(|response| (200..300).contains(&response.status))
    }

    pub fn path(&self) -> &str {
        self.endpoint.as_ref().map_or("", Endpoint::path)
    }

    pub fn host(&self) -> &str {
        self.endpoint.as_ref().map_or("", Endpoint::host)
    }

    /// True when a document, a challenge or the configuration gave the endpoint this role.
    pub fn is_named(&self, role: EndpointRole) -> bool {
        let evidence = || self.map.evidence(self.endpoint.as_ref()?, role);
        self.roles.has(role) && evidence() == Some(Evidence::Named)
    }

    /// The request body.
    pub fn body(&self) -> &Parameters<'a> {
        self.body.get_or_init(|| Parameters::of(&self.exchange.request.body.content))
    }

    /// The query of the URL.
    pub fn query(&self) -> &Parameters<'a> {
        self.query.get_or_init(|| Parameters::of_query(&self.exchange.request.url))
    }

    /// The body of a successful response; empty for any other.
    pub fn answer(&self) -> &Parameters<'a> {
        self.answer.get_or_init(|| self.success().map(|response| Parameters::of(&response.body.content)).unwrap_or_default())
    }

    /// True when the client asks for an event stream.
    pub fn wants_events(&self) -> bool {
        self.headers().all("accept").any(|accept| has_media_type(accept, "text/event-stream"))
    }
}

/// True when an `Accept` field names a media type, in any case and with any parameters (RFC 9110 §12.5.1).
pub(super) fn has_media_type(accept: &str, media_type: &str) -> bool {
    accept.split(',').any(|range| range.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(media_type)))
}
