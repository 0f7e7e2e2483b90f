//! Layer 3: authorization servers and MCP servers as state machines on a virtual clock (reference: state-model).
//!
//! A request goes in as plain data with the time, a response comes out, with what was decided. The model knows nothing of
//! sockets, files and tapes, reads no clock and draws no random bytes: the caller gives the time with each request and a seed
//! once. Where specifications leave a choice, [`IssuerPolicy`] and [`ServerPolicy`] make it.

mod authorize;
mod client;
mod clock;
mod grant;
mod issuer;
mod legacy;
mod metadata;
mod mint;
mod modern;
mod parameters;
pub mod policy;
mod presumed;
mod register;
mod resource;
mod respond;
mod revoke;
mod scope;
mod server;
mod token;
mod tools;

pub use client::{Client, ClientStatus, Origin};
pub use clock::{Clock, Moment};
pub use grant::{AccessToken, Code, Grant, GrantId, Issued, Newest, RefreshToken, Revocation};
pub use issuer::{Endpoints, Issuer, Refusal};
pub use mint::Mint;
pub use policy::{IssuerPolicy, ServerPolicy};
pub use resource::{Access, Denied};
pub use scope::Scope;
pub use server::{Passed, Server, Session};
pub use token::TokenAnswer;

use crate::exchange::{Headers, Request, Response};
use crate::protocol::Era;
use std::time::Duration;
use url::Url;

/// Any number of authorization servers and MCP servers that share one clock.
#[derive(Clone, Debug)]
pub struct Model {
    clock: Clock,
    mint: Mint,
    issuers: Vec<Issuer>,
    servers: Vec<Server>,
}

/// An authorization server within its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IssuerId(usize);

/// An MCP server within its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerId(usize);

/// What the model answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The response. A body of events that [`Answer::open`] keeps open has not ended with its last event.
    pub response: Response,
    /// The stream that stays open behind the response; [`Model::stream_closed`] is due when it ends.
    pub open: Option<OpenStream>,
    /// What was decided.
    pub decided: Decided,
}

/// A GET stream of a session that stays open.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenStream {
    server: ServerId,
    session: String,
}

/// What the model decided about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// A metadata document.
    Metadata,
    /// A client was registered.
    Registered,
    /// A code was issued.
    Authorized,
    /// Tokens were issued.
    Issued {
        /// For which grant.
        grant_type: GrantType,
    },
    /// A token request was refused.
    TokenRefused {
        /// For which grant.
        grant_type: GrantType,
        /// The error code.
        error: &'static str,
        /// What was wrong.
        reason: &'static str,
    },
    /// A token was revoked, or was never there.
    Revoked,
    /// Another OAuth request was refused.
    Refused {
        /// The error code.
        error: &'static str,
        /// What was wrong.
        reason: &'static str,
    },
    /// An MCP request lacked a bearer that holds, or scope.
    Challenged {
        /// 401, 403 or 400.
        status: u16,
        /// What was wrong.
        reason: &'static str,
    },
    /// An MCP request was answered.
    Mcp {
        /// In which era.
        era: Era,
        /// The JSON-RPC method, or the HTTP method where there is none.
        method: String,
    },
    /// A CORS preflight.
    Preflight,
    /// Nothing is at this URL.
    NotFound,
}

/// The grant type of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantType {
    /// `authorization_code`.
    Code,
    /// `refresh_token`.
    Refresh,
    /// `client_credentials`.
    ClientCredentials,
    /// Another one, or none.
    Other,
}

impl Model {
    /// An empty model. The seed decides every value it will issue.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { clock: Clock::default(), mint: Mint::new(seed), issuers: Vec::new(), servers: Vec::new() }
    }

    /// Adds an authorization server.
    pub fn add_issuer(&mut self, issuer: Issuer) -> IssuerId {
        self.issuers.push(issuer);
        IssuerId(self.issuers.len() - 1)
    }

    /// Adds an MCP server at `resource` that trusts these authorization servers; they learn its name.
    pub fn add_server(&mut self, resource: &str, issuers: &[IssuerId], policy: ServerPolicy) -> ServerId {
        for id in issuers {
            self.issuers[id.0].resources.push(resource.to_owned());
        }
        self.servers.push(Server::new(resource, issuers.to_vec(), policy));
        ServerId(self.servers.len() - 1)
    }

    /// An authorization server.
    pub fn issuer(&self, id: IssuerId) -> &Issuer {
        &self.issuers[id.0]
    }

    /// An authorization server, to change its policy or its records.
    pub fn issuer_mut(&mut self, id: IssuerId) -> &mut Issuer {
        &mut self.issuers[id.0]
    }

    /// An MCP server.
    pub fn server(&self, id: ServerId) -> &Server {
        &self.servers[id.0]
    }

    /// An MCP server, to change its policy or its sessions.
    pub fn server_mut(&mut self, id: ServerId) -> &mut Server {
        &mut self.servers[id.0]
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// The model's time at a real moment.
    pub fn time(&self, real: Moment) -> Moment {
        self.clock.read(real)
    }

    /// The MCP server at this URL.
    pub fn server_at(&self, url: &str) -> Option<ServerId> {
        let place = place_of(url)?.0;
        self.servers.iter().position(|server| same_place(&server.resource, &place)).map(ServerId)
    }

    /// Answers a request at a real moment.
    pub fn answer(&mut self, request: &Request, real: Moment) -> Answer {
        let now = self.clock.read(real);
        let mut answer = self.routed(request, now);
        allow_origin(&mut answer.response.headers, request);
        answer
    }

    /// Checks a POST to an MCP server that passed the gate (see [`Model::admit`]), without answering it: for those who have
    /// the content of the answer. `initialize` opens a session.
    ///
    /// # Errors
    /// The response of the server: 400, 404, 406 or 415.
    pub fn pass(&mut self, id: ServerId, request: &Request, access: &Access) -> Result<Passed, Box<Response>> {
        self.servers[id.0].pass(request, access, &mut self.mint)
    }

    /// The session of an MCP server that a request names and may use; `None` where none is needed and none is named.
    ///
    /// # Errors
    /// The response of the server: 400 or 404.
    pub fn session_of(&self, id: ServerId, request: &Request, access: &Access) -> Result<Option<String>, Box<Response>> {
        self.servers[id.0].live_session(request, access)
    }

    /// Says that an open stream has ended.
    pub fn stream_closed(&mut self, stream: &OpenStream) {
        self.servers[stream.server.0].stream_closed(&stream.session);
    }

    fn routed(&mut self, request: &Request, now: Moment) -> Answer {
        let Some((place, query)) = place_of(&request.url) else {
            return Answer::closed((respond::not_found(), Decided::NotFound));
        };
        if request.method == "OPTIONS" && request.headers.has("access-control-request-method") {
            return Answer::closed((respond::empty(204), Decided::Preflight));
        }
        let mint = &mut self.mint;
        for issuer in &mut self.issuers {
            let endpoints = &issuer.endpoints;
            if same_place(&endpoints.token, &place) {
                return Answer::closed(issuer.token(request, now, mint));
            } else if same_place(&endpoints.authorize, &place) {
                return Answer::closed(issuer.authorize(request, &query, now, mint));
            } else if same_place(&endpoints.register, &place) {
                return Answer::closed(issuer.register(request, now, mint));
            } else if same_place(&endpoints.revoke, &place) {
                return Answer::closed(issuer.revoke(request, now));
            }
        }
        if let Some(id) = self.server_at(&request.url) {
            return self.mcp(id, request, now);
        }
        Answer::closed(self.document_at(&place, &request.method))
    }

    fn document_at(&self, place: &str, method: &str) -> (Response, Decided) {
        let issuer = self.issuers.iter().find(|issuer| issuer.metadata_urls().any(|url| same_place(&url, place)));
        let server = self.servers.iter().find(|server| server.metadata_url().is_some_and(|url| same_place(&url, place)));
        let document = match (issuer, server) {
            (Some(issuer), _) => issuer.metadata(),
            (None, Some(server)) => server.metadata(server.issuers.iter().map(|id| self.issuers[id.0].identifier.as_str())),
            (None, None) => return (respond::not_found(), Decided::NotFound),
        };
        match method {
            "GET" | "HEAD" => (respond::with_header(respond::json(200, document), "cache-control", "max-age=60"), Decided::Metadata),
            _ => (respond::method_not_allowed("GET"), Decided::wrong_method()),
        }
    }

    fn mcp(&mut self, id: ServerId, request: &Request, now: Moment) -> Answer {
        let access = match self.admit(id, request, now) {
            Ok(access) => access,
            Err(denied) => {
                let decided = denied.decided();
                return Answer::closed((denied.response, decided));
            }
        };
        self.servers[id.0].answer(id, request, &access, &mut self.mint)
    }
}

impl Answer {
    /// An answer that is whole.
    fn closed((response, decided): (Response, Decided)) -> Self {
        Self { response, open: None, decided }
    }
}

impl Decided {
    /// An endpoint was asked with a method that it does not take.
    fn wrong_method() -> Self {
        Self::Refused { error: "method_not_allowed", reason: "the endpoint does not take this method" }
    }
}

impl From<Refusal> for Decided {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { error: refusal.error, reason: refusal.description }
    }
}

impl GrantType {
    fn of(name: Option<&str>) -> Self {
        match name {
            Some("authorization_code") => Self::Code,
            Some("refresh_token") => Self::Refresh,
            Some("client_credentials") => Self::ClientCredentials,
            _ => Self::Other,
        }
    }
}

impl std::fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenStream({:?})", self.server)
    }
}

/// The URL without its query, normalised, and the query.
fn place_of(url: &str) -> Option<(String, String)> {
    let mut url = Url::parse(url).ok()?;
    let query = url.query().unwrap_or_default().to_owned();
    url.set_query(None);
    url.set_fragment(None);
    Some((url.into(), query))
}

/// True when an own URL is this place; a root may be written with and without its slash.
fn same_place(own: &str, place: &str) -> bool {
    let own = own.split(['?', '#']).next().unwrap_or(own);
    own == place || place.strip_suffix('/') == Some(own) || own.strip_suffix('/') == Some(place)
}

/// Lets a browser read an answer, whatever page asked (Fetch §3.2); an answer to anybody else stays as it is.
pub fn allow_origin(headers: &mut Headers, request: &Request) {
    let Some(origin) = request.headers.first("origin") else { return };
    let own = |name: &str| name.to_ascii_lowercase().starts_with("access-control-");
    headers.retain(|name, _| !own(name));
    headers.push("access-control-allow-origin", origin);
    headers.push("access-control-expose-headers", "www-authenticate, mcp-session-id");
    if request.method == "OPTIONS" {
        let asked = |name: &str, usual: &str| request.headers.first(name).unwrap_or(usual).to_owned();
        headers.push("access-control-allow-headers", asked("access-control-request-headers", "authorization, content-type"));
        headers.push("access-control-allow-methods", "GET, POST, DELETE, OPTIONS");
    }
}

#[cfg(test)]
mod tests;
