//! The registration endpoint (RFC 7591 §3; reference: state-model §6.3).

use super::client::is_loopback;
use super::policy::{AuthMethod, Registration, Reregistration, UnnamedAuth};
use super::respond::{json, method_not_allowed, no_store, oauth_error, with_header};
use super::{Client, ClientStatus, Decided, Issuer, Mint, Moment, Origin, Refusal, Scope};
use crate::exchange::{Request, Response};
use serde_json::{Map, Value, json};
use url::Url;

impl Issuer {
    /// Answers a registration.
    pub(super) fn register(&mut self, request: &Request, now: Moment, mint: &mut Mint) -> (Response, Decided) {
        if request.method != "POST" {
            return (method_not_allowed("POST"), Decided::wrong_method());
        }
        match self.registered(request, now, mint) {
            Ok(body) => (no_store(json(201, body)), Decided::Registered),
            Err(refusal) => {
                let response = oauth_error(refusal.status, refusal.error, refusal.description);
                let response = if refusal.status == 429 { with_header(response, "retry-after", "1") } else { response };
                (response, refusal.into())
            }
        }
    }

    fn registered(&mut self, request: &Request, now: Moment, mint: &mut Mint) -> Result<Value, Refusal> {
        match self.policy.registration {
            Registration::Closed => return Err(Refusal { status: 403, error: "access_denied", description: "registration is closed" }),
            Registration::Limit(limit) if self.clients().len() >= limit => {
                return Err(Refusal { status: 429, error: "too_many_requests", description: "too many registrations" });
            }
            _ => {}
        }
        let body = request.body.content.json();
        let Some(metadata) = body.as_deref().and_then(Value::as_object) else {
            return Err(Refusal::new("invalid_client_metadata", "the body is no JSON object"));
        };
        let mut client = self.client_of(metadata, now)?;
        match (self.twin_of(&client), self.policy.reregistration) {
            (Some(id), Reregistration::SameId) => {
                let known = self.client(&id).cloned().unwrap_or(client);
                return Ok(answer(metadata, &known));
            }
            (Some(id), Reregistration::Supersede) => self.end_client(&id, ClientStatus::Superseded),
            _ => {}
        }
        client.id = mint.next("client_");
        client.secret = (client.auth != AuthMethod::None).then(|| mint.next("secret_"));
        Ok(answer(metadata, self.add_client(client)))
    }

    /// The active client that this one is again. Orphans have none, and are not searched for.
    fn twin_of(&self, client: &Client) -> Option<String> {
        if self.policy.reregistration == Reregistration::Orphan {
            return None;
        }
        self.clients().iter().find(|own| own.status == ClientStatus::Active && own.resembles(client)).map(|own| own.id.clone())
    }

    fn client_of(&self, metadata: &Map<String, Value>, now: Moment) -> Result<Client, Refusal> {
        let strings = |name: &str| -> Option<Vec<String>> {
            let list = metadata.get(name)?.as_array()?;
            Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let grant_types = strings("grant_types").unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        let known = ["authorization_code", "refresh_token", "client_credentials"];
        if grant_types.iter().any(|own| !known.contains(&own.as_str())) {
            return Err(Refusal::new("invalid_client_metadata", "unsupported grant type"));
        }
        let redirect_uris = strings("redirect_uris").unwrap_or_default();
        let needs_redirect = grant_types.iter().any(|own| own == "authorization_code");
        if (needs_redirect && redirect_uris.is_empty()) || redirect_uris.iter().any(|uri| !is_acceptable(uri)) {
            return Err(Refusal::new("invalid_redirect_uri", "redirect URIs must be https or loopback, without a fragment"));
        }
        let named = metadata.get("token_endpoint_auth_method");
        let auth = match named {
            Some(name) => name.as_str().and_then(AuthMethod::parse),
            None => Some(self.unnamed_auth()),
        };
        let auth = auth.filter(|method| self.policy.auth_methods.contains(method));
        let Some(auth) = auth else { return Err(Refusal::new("invalid_client_metadata", "unsupported token_endpoint_auth_method")) };
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        let mut client = Client::configured("", redirect_uris);
        client.issued = now;
        client.name = text("client_name").map(str::to_owned);
        client.auth = auth;
        client.any_auth = named.is_none() && self.policy.unnamed_auth == UnnamedAuth::Advertised && auth != AuthMethod::None;
        client.grant_types = grant_types;
        client.scope = Scope::parse(text("scope").unwrap_or_default());
        client.origin = Origin::Registered;
        Ok(client)
    }

    /// The method of a client that names none.
    fn unnamed_auth(&self) -> AuthMethod {
        let first_with_secret = self.policy.auth_methods.iter().copied().find(|method| *method != AuthMethod::None);
        match self.policy.unnamed_auth {
            UnnamedAuth::Basic => AuthMethod::Basic,
            UnnamedAuth::Advertised => first_with_secret.unwrap_or(AuthMethod::None),
        }
    }
}

/// The metadata as it was sent, with what the server decided (RFC 7591 §3.2.1).
fn answer(metadata: &Map<String, Value>, client: &Client) -> Value {
    let mut body = Map::new();
    body.insert("client_id".to_owned(), json!(client.id));
    body.insert("client_id_issued_at".to_owned(), json!(client.issued.seconds()));
    if let Some(secret) = &client.secret {
        body.insert("client_secret".to_owned(), json!(secret));
        body.insert("client_secret_expires_at".to_owned(), json!(client.secret_expires.map_or(0, Moment::seconds)));
    }
    body.extend(metadata.iter().map(|(name, value)| (name.clone(), value.clone())));
    body.insert("grant_types".to_owned(), json!(client.grant_types));
    body.insert("token_endpoint_auth_method".to_owned(), json!(client.auth.name()));
    Value::Object(body)
}

fn is_acceptable(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    url.fragment().is_none() && (url.scheme() != "http" || is_loopback(&url))
}
