//! The gate of an MCP server: origin, bearer and scope, in the order of state-model §6.6, steps 1 to 5.

use super::respond::{json, rpc_error, with_header};
use super::{Decided, GrantId, IssuerId, Model, Moment, Scope, Server, ServerId};
use crate::exchange::{Request, Response};
use crate::protocol::{Authorization, Bearer};
use serde_json::{Value, json};
use std::fmt;
use url::Url;

/// A request that the gate does not let through.
#[derive(Clone, PartialEq)]
pub struct Denied {
    /// The answer: 400, 401 or 403 (RFC 6750 §3.1).
    pub response: Response,
    /// What was wrong. The answer says less.
    pub reason: &'static str,
}

/// Whose bearer it was, and what it allows.
#[derive(Clone, PartialEq)]
pub struct Access {
    /// The person; empty on a server without protection.
    pub subject: String,
    /// The client.
    pub client: String,
    /// What is allowed.
    pub scope: Scope,
    /// Who issued the bearer, and for which grant.
    pub source: Option<(IssuerId, GrantId)>,
}

impl Model {
    /// Lets a request through to an MCP server, or answers it.
    ///
    /// # Errors
    /// What the gate answers, and why.
    pub fn admit(&self, id: ServerId, request: &Request, now: Moment) -> Result<Access, Box<Denied>> {
        let denied = |response, reason| Err(Box::new(Denied { response, reason }));
        let server = &self.servers[id.0];
        if request.headers.first("origin").is_some_and(|origin| !server.is_good_origin(origin)) {
            let response = rpc_error(403, &Value::Null, -32000, "Forbidden: invalid Origin header");
            return denied(response, "the Origin is not one that may come");
        }
        let is_in_query = Bearer::of_url(&request.url).is_some();
        let authorization = Authorization::of(&request.headers);
        let is_bare = authorization.is_none() && !is_in_query;
        if !server.policy.protected || (is_bare && server.is_open(request)) {
            return Ok(Access { subject: String::new(), client: String::new(), scope: Scope::default(), source: None });
        }
        if is_bare {
            // RFC 6750 §3.1: no error code when no token was sent.
            return denied(server.challenged(401, None, &server.policy.scope), "no bearer was sent");
        }
        let Some(Authorization::Bearer(value)) = authorization.filter(|_| !is_in_query) else {
            let refused = Some(("invalid_request", "one bearer token in the Authorization header is expected"));
            return denied(server.challenged(400, refused, &Scope::default()), "one bearer in the Authorization header is expected");
        };
        let access = match self.access(server, value, now) {
            Ok(access) => access,
            Err(reason) => {
                let invalid = Some(("invalid_token", "the access token is not valid"));
                return denied(server.challenged(401, invalid, &server.policy.scope), reason);
            }
        };
        let needed = server.needed_scope(request);
        if access.scope.covers(&needed) {
            return Ok(access);
        }
        denied(server.challenged(403, Some(("insufficient_scope", "more scope is needed")), &needed), "the bearer lacks scope")
    }

    /// Whose bearer it is. The reason why it does not hold is that of the issuer which knows it.
    fn access(&self, server: &Server, value: &str, now: Moment) -> Result<Access, &'static str> {
        let knows = |id: &&IssuerId| self.issuer(**id).issued.access.contains_key(value);
        let Some(id) = server.issuers.iter().find(knows) else { return Err("the bearer was not issued in this run") };
        let issued = &self.issuer(*id).issued;
        let token = issued.access(value, now)?;
        if server.policy.check_audience && !token.is_for(&server.resource) {
            return Err("the bearer was issued for another resource");
        }
        let grant = issued.grant(token.grant);
        let source = Some((*id, token.grant));
        Ok(Access { subject: grant.subject.clone(), client: grant.client.clone(), scope: token.scope.clone(), source })
    }
}

impl Denied {
    pub(super) fn decided(&self) -> Decided {
        Decided::Challenged { status: self.response.status, reason: self.reason }
    }
}

impl Server {
    fn is_good_origin(&self, origin: &str) -> bool {
        let own = Url::parse(&self.resource).is_ok_and(|url| url.origin().ascii_serialization() == origin);
        own || self.policy.origins.iter().any(|known| known == "*" || known == origin)
    }

    /// True for a request that needs no bearer.
    fn is_open(&self, request: &Request) -> bool {
        let body = request.body.content.json();
        let method = body.as_deref().and_then(|body| body["method"].as_str()).unwrap_or(&request.method);
        self.policy.open_methods.iter().any(|own| own == method)
    }

    /// The scope that this request needs: the server's and that of the tool it calls.
    fn needed_scope(&self, request: &Request) -> Scope {
        let body = request.body.content.json();
        let tool = body.as_deref().filter(|body| body["method"] == "tools/call").and_then(|body| body["params"]["name"].as_str());
        let further = self.policy.tool_scopes.iter().filter(|(name, _)| Some(name.as_str()) == tool).map(|(_, scope)| scope.to_string());
        Scope::parse(&std::iter::once(self.policy.scope.to_string()).chain(further).collect::<Vec<_>>().join(" "))
    }

    /// The answer of the gate to a request that it does not let through (RFC 6750 §3.1): `error` is the code and its
    /// description, nothing where no bearer was sent.
    pub fn challenged(&self, status: u16, error: Option<(&str, &str)>, scope: &Scope) -> Response {
        let mut members = Vec::new();
        if let Some((code, description)) = error {
            members.push(format!("error=\"{code}\""));
            members.push(format!("error_description=\"{description}\""));
        }
        if !scope.is_empty() {
            members.push(format!("scope=\"{scope}\""));
        }
        if let Some(url) = self.metadata_url().filter(|_| self.policy.metadata_in_challenge) {
            members.push(format!("resource_metadata=\"{url}\""));
        }
        let body = match error {
            Some((code, description)) => json!({"error": code, "error_description": description}),
            None => json!({"error": "unauthorized", "error_description": "a bearer token is needed"}),
        };
        let challenge = if members.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", members.join(", ")) };
        with_header(json(status, body), "www-authenticate", challenge)
    }
}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Denied({}, {})", self.response.status, self.reason)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("source", &self.source).finish_non_exhaustive()
    }
}
