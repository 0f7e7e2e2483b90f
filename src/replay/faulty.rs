//! Where faults step in: what a request is for is known before anything answers it, so a fault sees the same things whoever
//! answers. Without faults nothing here costs anything.

use super::{Answered, Player, Source};
use crate::exchange::Request;
use crate::fault::{FaultError, Faults, Fired, Rpc, Scene, ServerFacts, Stepped};
use crate::model::{Decided, Endpoints, IssuerId, Moment, ServerId, allow_origin};
use crate::protocol::{Endpoint, Kind, request_parameters};
use crate::reply::{Delivery, Handshake, Threshold};
use serde_json::Value;
use std::time::Duration;

/// The faults of a replay, and who comes last.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    faults: Faults,
    last_session: u32,
    /// The places of those that fired for the request answered last.
    just_fired: Vec<usize>,
}

/// What a request is for, and whom it asks.
#[derive(Clone, Copy)]
struct Aim {
    kind: Kind,
    issuer: Option<IssuerId>,
    server: Option<ServerId>,
}

impl Player {
    /// Arms faults before the first client starts. Sessions from `last_session` on are the last.
    ///
    /// # Errors
    /// The tape cannot carry one of them.
    pub fn arm(&mut self, mut faults: Faults, last_session: u32) -> Result<(), FaultError> {
        let mut servers: Vec<ServerFacts> = Vec::new();
        for (id, line) in &self.lines {
            servers.push(ServerFacts { id: *id, is_legacy: line.is_legacy, is_modern: line.is_modern });
        }
        let kinds: Vec<Kind> = self.tape.iter().map(|(_, interaction)| interaction.kind).collect();
        faults.prepare(&mut self.model, &self.issuers, &servers, last_session, &kinds)?;
        self.trouble = Trouble { faults, last_session, just_fired: Vec::new() };
        Ok(())
    }

    /// How often each fault fired.
    pub fn fired(&self) -> impl Iterator<Item = Fired> {
        self.trouble.faults.fired()
    }

    /// The places of the faults that fired for the request that was answered last, in the order in which they were armed.
    pub fn just_fired(&self) -> &[usize] {
        &self.trouble.just_fired
    }

    /// What becomes of a redirect back to a client. Gives the places of the faults that fired.
    pub fn deliver(&mut self, delivery: &mut Delivery) -> Vec<usize> {
        self.trouble.faults.deliver(delivery)
    }

    /// What a request is for.
    pub fn kind_of(&self, request: &Request) -> Kind {
        Endpoint::parse(&request.url).map_or(Kind::Other, |endpoint| self.aim(request, &endpoint).kind)
    }

    /// How long until the access tokens that were issued so far have ended, where a fault waits for that.
    pub fn until_expired(&self, now: Moment) -> Duration {
        if !self.trouble.faults.waits_for_expiry() {
            return Duration::ZERO;
        }
        let now = self.model.time(now);
        let ends = self.issuers.iter().filter_map(|id| self.model.issuer(*id).issued.latest_end());
        ends.map(|end| end.since(now)).max().unwrap_or_default()
    }

    /// The URL that the browser of a session opens in place of the one that its client wants shown; `None` for that one.
    pub fn open(&mut self, session: u32, url: &str) -> Option<String> {
        self.trouble.faults.open(session, url)
    }

    /// How a connection of a session to a host begins; `None` as it should. Gives the places of the faults that fired.
    pub fn handshake(&mut self, session: u32, host: &str, at: Threshold) -> (Option<Handshake>, Vec<usize>) {
        self.trouble.faults.handshake(session, host, at)
    }

    /// The answer of the servers, or what faults make of it.
    pub(super) fn troubled(&mut self, request: &Request, session: u32, now: Moment) -> Answered {
        if self.trouble.faults.is_empty() {
            return self.paced(request, session, now);
        }
        let Some(endpoint) = Endpoint::parse(&request.url) else { return self.paced(request, session, now) };
        let mut trouble = std::mem::take(&mut self.trouble);
        let aim = self.aim(request, &endpoint);
        let message = request.body.content.json();
        let issuer_name = aim.issuer.map(|id| self.model.issuer(id).identifier.clone());
        let server_name = aim.server.map(|id| self.model.server(id).resource.clone());
        let mut scene = Scene {
            request,
            endpoint: &endpoint,
            kind: aim.kind,
            session,
            last_session: trouble.last_session,
            issuer: aim.issuer,
            issuer_name: issuer_name.as_deref(),
            server: aim.server,
            server_name: server_name.as_deref(),
            rpc: message.as_deref().filter(|_| aim.kind.is_mcp()).map(rpc),
            now: self.model.time(now),
            decided: None,
        };
        if let Some(server) = aim.server.filter(|_| aim.kind.is_mcp()) {
            self.account.reached(server);
        }
        let Stepped { answer, at, mut fired } = trouble.faults.before(&scene, &mut self.model);
        let mut answered = match (answer, at) {
            (Some(mut reply), _) => {
                allow_origin(&mut reply.headers, request);
                Answered { reply: *reply, source: Source::Fault { kind: aim.kind }, open: None }
            }
            (None, Some(url)) => self.paced(&Request { url, ..request.clone() }, session, now),
            (None, None) => self.paced(request, session, now),
        };
        let decided = answered.decided().cloned();
        scene.decided = decided.as_ref();
        fired.extend(trouble.faults.edit(&scene, &mut answered.reply, &mut self.model, &fired));
        trouble.just_fired = fired;
        self.trouble = trouble;
        answered
    }

    fn aim(&self, request: &Request, endpoint: &Endpoint) -> Aim {
        if let Some(id) = self.model.server_at(&request.url) {
            return Aim { kind: mcp_kind(request), issuer: None, server: Some(id) };
        }
        for id in &self.issuers {
            if let Some(kind) = kind_at(&self.model.issuer(*id).endpoints, request, endpoint) {
                return Aim { kind, issuer: Some(*id), server: None };
            }
        }
        let kind = self.tape.kind_at(&request.method, endpoint).or_else(|| document_kind(endpoint.path())).unwrap_or(Kind::Other);
        let is_own = |url: &str| Endpoint::parse(url).is_some_and(|own| own.origin() == endpoint.origin());
        let issuer = self.issuers.iter().copied().find(|id| is_own(&self.model.issuer(*id).identifier));
        let server = self.lines.keys().copied().filter(|_| kind == Kind::Prm).find(|id| is_own(&self.model.server(*id).resource));
        Aim { kind, issuer: issuer.filter(|_| kind != Kind::Prm), server }
    }
}

impl Answered {
    /// What the model decided, where it did.
    pub fn decided(&self) -> Option<&Decided> {
        match &self.source {
            Source::Dressed { decided, .. } | Source::Model(decided) => Some(decided),
            _ => None,
        }
    }
}

fn kind_at(endpoints: &Endpoints, request: &Request, endpoint: &Endpoint) -> Option<Kind> {
    let at = |url: &str| Endpoint::parse(url).as_ref() == Some(endpoint);
    match () {
        () if at(&endpoints.token) => Some(token_kind(request)),
        () if at(&endpoints.authorize) => Some(Kind::Authorize),
        () if at(&endpoints.register) => Some(Kind::DcrCreate),
        () if at(&endpoints.revoke) => Some(Kind::Revoke),
        () => None,
    }
}

fn token_kind(request: &Request) -> Kind {
    match request_parameters(request).text("grant_type") {
        Some("authorization_code") => Kind::TokenCode,
        Some("refresh_token") => Kind::TokenRefresh,
        Some("client_credentials") => Kind::TokenClientCredentials,
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => Kind::TokenExchange,
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => Kind::TokenJwtBearer,
        Some("urn:ietf:params:oauth:grant-type:device_code") => Kind::TokenDevice,
        _ => Kind::TokenOther,
    }
}

fn mcp_kind(request: &Request) -> Kind {
    match request.method.as_str() {
        "GET" if request.headers.has("last-event-id") => Kind::McpResume,
        "GET" => Kind::McpGetStream,
        "DELETE" => Kind::McpDelete,
        "OPTIONS" => Kind::Preflight,
        _ => {
            let body = request.body.content.json();
            let has = |name: &str| body.as_deref().is_some_and(|body| body.get(name).is_some_and(|own| !own.is_null()));
            match body.as_deref() {
                Some(Value::Array(_)) => Kind::McpBatch,
                _ if has("method") && !has("id") => Kind::McpNotification,
                _ if has("result") || has("error") => Kind::McpResponse,
                _ => Kind::McpRequest,
            }
        }
    }
}

fn document_kind(path: &str) -> Option<Kind> {
    let of = |name: &str| path.contains("/.well-known/") && path.contains(name);
    match () {
        () if of("oauth-protected-resource") => Some(Kind::Prm),
        () if of("oauth-authorization-server") => Some(Kind::AsMetadata),
        () if of("openid-configuration") => Some(Kind::OidcConfig),
        () if of("jwks") => Some(Kind::Jwks),
        () => None,
    }
}

fn rpc(message: &Value) -> Rpc<'_> {
    Rpc {
        method: message["method"].as_str().unwrap_or_default(),
        tool: message["params"]["name"].as_str().filter(|_| message["method"] == "tools/call"),
        id: &message["id"],
    }
}
