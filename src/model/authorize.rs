//! The authorization endpoint (RFC 6749 §4.1.1; reference: state-model §6.4). There is no page for consent: the person's
//! answer is a policy.

use super::grant::{Code, Grant};
use super::parameters::Parameters;
use super::policy::Consent;
use super::respond::{json, method_not_allowed, redirect};
use super::{Client, ClientStatus, Decided, Issuer, Mint, Moment, Origin, Refusal, Scope};
use crate::exchange::{Request, Response};
use serde_json::json;
use url::Url;

impl Issuer {
    /// Answers an authorization request.
    pub(super) fn authorize(&mut self, request: &Request, query: &str, now: Moment, mint: &mut Mint) -> (Response, Decided) {
        let parameters = match request.method.as_str() {
            "GET" | "HEAD" => Parameters::of_query(query),
            "POST" => Parameters::of_body(&request.body.content),
            _ => return (method_not_allowed("GET, POST"), Decided::wrong_method()),
        };
        let parameters = parameters.unwrap_or_default();
        // RFC 6749 §4.1.2.1: without a client and a redirect URI that belong together, there is no redirect.
        let (client, redirect_uri) = match self.client_and_redirect(&parameters) {
            Ok(found) => found,
            Err(refusal) => return (refused_page(refusal), refusal.into()),
        };
        let mut members = vec![];
        let decided = match self.code_for(&parameters, &client, now, mint) {
            Ok(code) => {
                members.push(("code", code));
                Decided::Authorized
            }
            Err(refusal) => {
                members.push(("error", refusal.error.to_owned()));
                members.push(("error_description", refusal.description.to_owned()));
                refusal.into()
            }
        };
        members.extend(parameters.get("state").map(|state| ("state", state.to_owned())));
        if self.policy.send_iss {
            members.push(("iss", self.identifier.clone()));
        }
        (redirect(with_query(redirect_uri, &members)), decided)
    }

    fn client_and_redirect(&mut self, parameters: &Parameters) -> Result<(Client, Url), Refusal> {
        let id = parameters.get("client_id").ok_or(Refusal::new("invalid_request", "client_id is missing"))?;
        if parameters.duplicated().is_some() {
            return Err(Refusal::new("invalid_request", "a parameter is there twice"));
        }
        self.meet_document(id, parameters.get("redirect_uri"));
        let client = self.client(id).filter(|client| client.status == ClientStatus::Active).cloned();
        let client = client.ok_or(Refusal::new("invalid_client", "unknown client"))?;
        let asked = match (parameters.get("redirect_uri"), client.redirect_uris.as_slice()) {
            (Some(asked), _) => asked,
            (None, [only]) => only,
            _ => return Err(Refusal::new("invalid_request", "redirect_uri is missing")),
        };
        let url = Url::parse(asked).ok().filter(|_| client.covers(asked, self.policy.redirect));
        let url = url.ok_or(Refusal::new("invalid_request", "redirect_uri differs from the registered one"))?;
        Ok((client, url))
    }

    /// Takes a URL as client id. The model fetches nothing: the document is taken to name the redirect URI that is asked for.
    fn meet_document(&mut self, id: &str, redirect_uri: Option<&str>) {
        let is_document = self.policy.client_documents && Url::parse(id).is_ok_and(|url| url.scheme() == "https" && url.path() != "/");
        if let (true, None, Some(redirect_uri)) = (is_document, self.client(id), redirect_uri) {
            let mut client = Client::configured(id, vec![redirect_uri.to_owned()]);
            client.origin = Origin::Document;
            self.add_client(client);
        }
    }

    fn code_for(&mut self, asked: &Parameters, client: &Client, now: Moment, mint: &mut Mint) -> Result<String, Refusal> {
        if asked.get("response_type") != Some("code") {
            return Err(Refusal::new("unsupported_response_type", "response_type must be code"));
        }
        // RFC 7636 §4.4.1. Without a method it would be `plain`, which is not supported.
        let challenge = asked.get("code_challenge");
        match (challenge, asked.get("code_challenge_method")) {
            (Some(_), Some("S256")) => {}
            (None, None) if !self.policy.require_pkce => {}
            (None, _) => return Err(Refusal::new("invalid_request", "code challenge required")),
            _ => return Err(Refusal::new("invalid_request", "transform algorithm not supported")),
        }
        let scope = asked.get("scope").map_or_else(|| self.default_scope(client), Scope::parse);
        if !self.policy.scopes.is_empty() && !self.policy.scopes.covers(&scope) {
            return Err(Refusal::new("invalid_scope", "unknown scope"));
        }
        let resources = self.resources_of(self.policy.resource_at_authorize, asked.all("resource"))?;
        match self.policy.consent {
            Consent::Granted => {}
            Consent::Denied => return Err(Refusal::new("access_denied", "the person said no")),
            Consent::Unavailable => return Err(Refusal::new("temporarily_unavailable", "overloaded, try again later")),
        }
        let subject = self.policy.subject.clone();
        let nonce = asked.get("nonce").map(str::to_owned);
        let grant = self.issued.add(Grant { nonce, ..Grant::new(&client.id, &subject, resources, scope) });
        let value = mint.next("code_");
        let code = Code {
            grant,
            redirect_uri: asked.get("redirect_uri").map(str::to_owned),
            challenge: challenge.map(str::to_owned),
            expires: now.plus(self.policy.code_ttl),
            redeemed: false,
        };
        self.issued.codes.insert(value.clone(), code);
        Ok(value)
    }

    fn default_scope(&self, client: &Client) -> Scope {
        if client.scope.is_empty() { self.policy.scopes.clone() } else { client.scope.clone() }
    }
}

fn refused_page(refusal: Refusal) -> Response {
    json(refusal.status, json!({"error": refusal.error, "error_description": refusal.description}))
}

fn with_query(mut url: Url, members: &[(&str, String)]) -> String {
    url.query_pairs_mut().extend_pairs(members);
    url.into()
}
