//! What an exchange teaches: metadata documents and challenges name endpoints, registrations and authorizations name redirect
//! URIs, and an endpoint that is treated as a token endpoint is one. Does not decide the kind of an exchange.

use super::{EndpointRole, Evidence, RoleMap};
use crate::exchange::{Content, Event, Exchange, Response};
use crate::protocol::challenge::parse_challenges;
use crate::protocol::endpoint::Endpoint;
use crate::protocol::entities::request_parameters;
use crate::protocol::kind::Kind;
use crate::protocol::parameters::Parameters;
use std::sync::Arc;

/// Whether an exchange taught anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "exchanges that wait for a name are looked at again when there are new roles"]
pub enum Learned {
    /// No role that was not known.
    Nothing,
    /// New roles, or stronger evidence for known ones.
    Roles,
}

/// The members of server metadata that name endpoints (RFC 8414 §2, RFC 9126 §5, RFC 8628 §4, OpenID Connect Discovery §3).
const METADATA: &[(&str, EndpointRole)] = &[
    ("authorization_endpoint", EndpointRole::Authorization),
    ("token_endpoint", EndpointRole::Token),
    ("registration_endpoint", EndpointRole::Registration),
    ("revocation_endpoint", EndpointRole::Revocation),
    ("introspection_endpoint", EndpointRole::Introspection),
    ("pushed_authorization_request_endpoint", EndpointRole::PushedAuthorization),
    ("device_authorization_endpoint", EndpointRole::DeviceAuthorization),
    ("userinfo_endpoint", EndpointRole::Userinfo),
    ("jwks_uri", EndpointRole::Jwks),
];

/// The role that the endpoint of an exchange has shown itself to play, by the kind of the exchange.
fn shown_role(kind: Kind) -> Option<EndpointRole> {
    Some(match kind {
        Kind::McpRequest | Kind::McpNotification | Kind::McpResponse | Kind::McpBatch => EndpointRole::Mcp,
        Kind::SseLegacyOpen => EndpointRole::LegacyStream,
        Kind::SseLegacyPost => EndpointRole::LegacyPost,
        Kind::DcrCreate => EndpointRole::Registration,
        Kind::Par => EndpointRole::PushedAuthorization,
        Kind::Authorize => EndpointRole::Authorization,
        Kind::DeviceAuthorize => EndpointRole::DeviceAuthorization,
        Kind::Revoke => EndpointRole::Revocation,
        Kind::Introspect => EndpointRole::Introspection,
        Kind::Jwks => EndpointRole::Jwks,
        Kind::CimdDoc => EndpointRole::ClientMetadata,
        kind if kind.is_token() => EndpointRole::Token,
        _ => return None,
    })
}

impl RoleMap {
    /// Takes everything that an exchange of this kind teaches. The cost does not grow with what was learned before.
    pub fn learn(&mut self, exchange: &Exchange, kind: Kind) -> Learned {
        let before = self.revision;
        if let Some(endpoint) = Endpoint::parse(&exchange.request.url) {
            self.learn_from(exchange, kind, endpoint);
        }
        if self.revision == before { Learned::Nothing } else { Learned::Roles }
    }

    /// Takes an event of a stream that is still open: HTTP+SSE announces the URL for messages in its first one.
    pub fn learn_event(&mut self, stream_url: &str, event: &Event) -> Learned {
        let before = self.revision;
        if let Some(stream) = Endpoint::parse(stream_url) {
            self.learn_announcement(&stream, event);
        }
        if self.revision == before { Learned::Nothing } else { Learned::Roles }
    }

    fn learn_from(&mut self, exchange: &Exchange, kind: Kind, endpoint: Endpoint) {
        let answer = exchange.response();
        if let Some(response) = answer {
            self.learn_challenges(&endpoint, response);
        }
        match kind {
            Kind::Prm | Kind::AsMetadata | Kind::OidcConfig => self.learn_metadata(kind, &endpoint, answer),
            Kind::DcrCreate | Kind::DcrManage => self.learn_registration(exchange),
            Kind::Authorize | Kind::Par => self.learn_authorization(exchange),
            Kind::CimdDoc => self.learn_client_document(answer),
            Kind::SseLegacyOpen | Kind::McpGetStream => self.learn_announcements(&endpoint, answer),
            kind if kind.is_token() => self.learn_tokens(exchange),
            _ => {}
        }
        if let Some(role) = shown_role(kind) {
            self.add(role, Evidence::Shape, endpoint);
        }
    }

    /// RFC 9728 §5.1: the challenge names the metadata, and so shows that the endpoint is a protected resource.
    fn learn_challenges(&mut self, endpoint: &Endpoint, response: &Response) {
        if !response.headers.has("www-authenticate") {
            return;
        }
        for challenge in parse_challenges(&response.headers) {
            if let Some(url) = challenge.resource_metadata() {
                self.name(EndpointRole::ResourceMetadata, endpoint.join(url));
                self.add(EndpointRole::Resource, Evidence::Shape, endpoint.clone());
            }
        }
    }

    fn learn_metadata(&mut self, kind: Kind, endpoint: &Endpoint, answer: Option<&Response>) {
        let Some(response) = answer else { return };
        if (300..400).contains(&response.status) {
            let role = match kind {
                Kind::Prm => EndpointRole::ResourceMetadata,
                Kind::OidcConfig => EndpointRole::OidcConfiguration,
                _ => EndpointRole::ServerMetadata,
            };
            return self.name(role, response.headers.first("location").and_then(|location| endpoint.join(location)));
        }
        if !is_success(response) {
            return;
        }
        let document = Parameters::of(&response.body.content);
        if kind == Kind::Prm {
            self.name(EndpointRole::Resource, document.text("resource").and_then(Endpoint::parse));
            self.name(EndpointRole::Jwks, document.text("jwks_uri").and_then(Endpoint::parse));
            return;
        }
        let issuer = document.text("issuer").map(Arc::from);
        let aliases = document.value("mtls_endpoint_aliases");
        for (member, role) in METADATA {
            // RFC 8705 §5: the same endpoint under a second name.
            let alias = aliases.and_then(|aliases| aliases.get(member)?.as_str());
            for url in document.text(member).into_iter().chain(alias) {
                let named = Endpoint::parse(url);
                self.name(*role, named.clone());
                if let Some(issuer) = &issuer {
                    self.name_issuer(named.as_ref(), issuer);
                }
            }
        }
    }

    fn learn_registration(&mut self, exchange: &Exchange) {
        let asked = Parameters::of(&exchange.request.body.content);
        asked.texts("redirect_uris").for_each(|uri| self.name(EndpointRole::Redirect, Endpoint::parse(uri)));
        let Some(response) = exchange.response().filter(|response| is_success(response)) else { return };
        let registered = Parameters::of(&response.body.content);
        registered.texts("redirect_uris").for_each(|uri| self.name(EndpointRole::Redirect, Endpoint::parse(uri)));
        self.name(EndpointRole::ClientConfiguration, registered.text("registration_client_uri").and_then(Endpoint::parse));
    }

    fn learn_authorization(&mut self, exchange: &Exchange) {
        let asked = request_parameters(&exchange.request);
        self.name(EndpointRole::Redirect, asked.text("redirect_uri").and_then(Endpoint::parse));
        // SEP-991: a client id that is an https URL with a path is the URL of the client's document.
        let document = asked.text("client_id").filter(|id| id.starts_with("https://")).and_then(Endpoint::parse);
        self.name(EndpointRole::ClientMetadata, document.filter(|url| url.path() != "/"));
    }

    fn learn_client_document(&mut self, answer: Option<&Response>) {
        let Some(response) = answer.filter(|response| is_success(response)) else { return };
        let document = Parameters::of(&response.body.content);
        document.texts("redirect_uris").for_each(|uri| self.name(EndpointRole::Redirect, Endpoint::parse(uri)));
        self.name(EndpointRole::Jwks, document.text("jwks_uri").and_then(Endpoint::parse));
    }

    fn learn_announcements(&mut self, stream: &Endpoint, answer: Option<&Response>) {
        if let Some(Content::Events(events)) = answer.map(|response| &response.body.content) {
            events.events.iter().take(4).for_each(|event| self.learn_announcement(stream, event));
        }
    }

    fn learn_announcement(&mut self, stream: &Endpoint, event: &Event) {
        if event.name() != Some("endpoint") {
            return;
        }
        let Some(announced) = event.data().and_then(|reference| stream.join(reference.trim())) else { return };
        self.name(EndpointRole::LegacyPost, Some(announced));
        self.add(EndpointRole::LegacyStream, Evidence::Shape, stream.clone());
    }

    fn learn_tokens(&mut self, exchange: &Exchange) {
        let asked = Parameters::of(&exchange.request.body.content);
        self.name(EndpointRole::Redirect, asked.text("redirect_uri").and_then(Endpoint::parse));
        let Some(response) = exchange.response().filter(|response| is_success(response)) else { return };
        if let Some(token) = Parameters::of(&response.body.content).text("access_token").filter(|token| !token.is_empty()) {
            self.add_token(token);
        }
    }
}

fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}
