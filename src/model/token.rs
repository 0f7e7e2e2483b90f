//! The token endpoint, in the order of checks of state-model §6.5: method, parameters, client, grant type, grant.

use super::grant::{AccessToken, Grant, GrantId, Newest, RefreshToken, Revocation};
use super::parameters::Parameters;
use super::policy::{AuthMethod, OldAccess, RefreshIssue, Reuse, Rotation};
use super::respond::{json, method_not_allowed, no_store, oauth_error, with_header};
use super::{Client, Decided, GrantType, Issuer, Mint, Moment, Refusal, Scope};
use crate::exchange::{Request, Response};
use crate::protocol::Authorization;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A successful answer of the token endpoint (RFC 6749 §5.1).
#[derive(Clone, PartialEq)]
pub struct TokenAnswer {
    /// The access token.
    pub access: String,
    /// Its lifetime in seconds.
    pub expires_in: u64,
    /// The refresh token; `None` where the client keeps the one it has, or has none.
    pub refresh: Option<String>,
    /// What was granted.
    pub scope: Scope,
}

impl Issuer {
    /// Answers a token request.
    pub(super) fn token(&mut self, request: &Request, now: Moment, mint: &mut Mint) -> (Response, Decided) {
        if request.method != "POST" {
            return (method_not_allowed("POST"), Decided::wrong_method());
        }
        let parameters = Parameters::of_body(&request.body.content).unwrap_or_default();
        let grant_type = GrantType::of(parameters.get("grant_type"));
        match self.token_answer(request, &parameters, now, mint) {
            Ok(answer) => (no_store(json(200, answer.to_json())), Decided::Issued { grant_type }),
            Err(refusal) => {
                let response = oauth_error(refusal.status, refusal.error, refusal.description);
                let used_header = refusal.status == 401 && request.headers.has("authorization");
                let response = if used_header { with_header(response, "www-authenticate", "Basic realm=\"token\"") } else { response };
                (response, Decided::TokenRefused { grant_type, error: refusal.error, reason: refusal.description })
            }
        }
    }

    fn token_answer(&mut self, request: &Request, asked: &Parameters, now: Moment, mint: &mut Mint) -> Result<TokenAnswer, Refusal> {
        if asked.duplicated().is_some() {
            return Err(Refusal::new("invalid_request", "a parameter is there twice"));
        }
        let grant_type = asked.get("grant_type").ok_or(Refusal::new("invalid_request", "grant_type is missing"))?;
        let client = self.proven_client(request, asked, now)?;
        if !matches!(grant_type, "authorization_code" | "refresh_token" | "client_credentials") {
            return Err(Refusal::new("unsupported_grant_type", "unknown grant type"));
        }
        let may_use = client.may_use(grant_type) || (grant_type == "refresh_token" && self.always_gives_refresh(&client));
        if !may_use {
            return Err(Refusal::new("unauthorized_client", "the client may not use this grant type"));
        }
        match grant_type {
            "authorization_code" => self.redeem(&client, asked, now, mint),
            "refresh_token" => self.refresh(&client, asked, now, mint),
            _ => self.client_credentials(&client, asked, now, mint),
        }
    }

    /// Finds the client and checks its proof (RFC 6749 §2.3). Shared with the revocation endpoint.
    pub(super) fn proven_client(&self, request: &Request, asked: &Parameters, now: Moment) -> Result<Client, Refusal> {
        let refused = |description| Refusal { status: 401, error: "invalid_client", description };
        let basic = match Authorization::of(&request.headers) {
            None => None,
            Some(Authorization::Basic(basic)) => Some((basic.user().into_owned(), basic.secret().into_owned())),
            Some(_) => return Err(refused("client authentication failed")),
        };
        let (id, method, secret) = match (basic, asked.get("client_secret")) {
            (Some(_), Some(_)) => return Err(Refusal::new("invalid_request", "two ways of client authentication at once")),
            (Some((id, secret)), None) => (id, AuthMethod::Basic, Some(secret)),
            (None, secret) => {
                let id = asked.get("client_id").ok_or(Refusal::new("invalid_request", "client_id is missing"))?;
                let method = if secret.is_some() { AuthMethod::Post } else { AuthMethod::None };
                (id.to_owned(), method, secret.map(str::to_owned))
            }
        };
        let client = self.client(&id).ok_or(refused("unknown client"))?;
        let is_proven = client.is_proven_by(method, secret.as_deref(), now);
        is_proven.then(|| client.clone()).ok_or(refused("the client does not prove itself as it was registered, or has ended"))
    }

    /// RFC 6749 §4.1.3, RFC 7636 §4.6.
    fn redeem(&mut self, client: &Client, asked: &Parameters, now: Moment, mint: &mut Mint) -> Result<TokenAnswer, Refusal> {
        let value = asked.get("code").ok_or(Refusal::new("invalid_request", "code is missing"))?;
        let refused = |description| Err(Refusal::new("invalid_grant", description));
        let Some(code) = self.issued.codes.get(value).cloned() else { return refused("unknown code") };
        if self.issued.grant(code.grant).client != client.id {
            self.issued.revoke(code.grant, Revocation::ForeignClient);
            return refused("the code belongs to another client");
        }
        if code.redeemed {
            self.issued.revoke(code.grant, Revocation::CodeReplayed);
            return refused("the code was used before");
        }
        if now >= code.expires || self.issued.grant(code.grant).revoked.is_some() {
            return refused("the code has expired");
        }
        if code.redirect_uri.as_deref() != asked.get("redirect_uri") {
            return refused("redirect_uri differs from the authorization request");
        }
        match (&code.challenge, asked.get("code_verifier")) {
            (None, None) => {}
            (Some(challenge), Some(verifier)) if *challenge == s256(verifier) => {}
            _ => return refused("code_verifier does not fit"),
        }
        let resources = self.resources_of(self.policy.resource_at_token, asked.all("resource"))?;
        let audience = within(resources, self.issued.grant(code.grant))?;
        if let Some(code) = self.issued.codes.get_mut(value) {
            code.redeemed = true;
        }
        Ok(self.next_generation(code.grant, audience, None, now, mint))
    }

    /// RFC 6749 §6, RFC 9700 §4.14.2.
    fn refresh(&mut self, client: &Client, asked: &Parameters, now: Moment, mint: &mut Mint) -> Result<TokenAnswer, Refusal> {
        let value = asked.get("refresh_token").ok_or(Refusal::new("invalid_request", "refresh_token is missing"))?;
        let refused = |description| Err(Refusal::new("invalid_grant", description));
        let Some(token) = self.issued.refresh.get(value).cloned() else { return refused("unknown refresh token") };
        let grant = self.issued.grant(token.grant).clone();
        if grant.client != client.id {
            if self.policy.foreign_refresh == Reuse::RevokeFamily {
                self.issued.revoke(token.grant, Revocation::ForeignClient);
            }
            return refused("the refresh token belongs to another client");
        }
        if grant.revoked.is_some() || token.expires.is_some_and(|end| now >= end) {
            return refused("the refresh token has ended");
        }
        if let Some(rotated) = token.rotated {
            let is_graced = now.since(rotated) < self.policy.grace;
            if let (true, Some(answer)) = (is_graced, self.current(&grant, now)) {
                return Ok(answer);
            }
            if self.policy.reuse == Reuse::RevokeFamily {
                self.issued.revoke(token.grant, Revocation::RefreshReused);
            }
            return refused("the refresh token was replaced");
        }
        let scope = asked.get("scope").map(Scope::parse);
        if scope.as_ref().is_some_and(|scope| !grant.scope.covers(scope)) {
            return Err(Refusal::new("invalid_scope", "more than was granted"));
        }
        let resources = self.resources_of(self.policy.resource_at_refresh, asked.all("resource"))?;
        let audience = within(resources, &grant)?;
        if self.policy.rotation == Rotation::Strict
            && let Some(old) = self.issued.refresh.get_mut(value)
        {
            old.rotated = Some(now);
        }
        Ok(self.next_generation(token.grant, audience, scope, now, mint))
    }

    /// RFC 6749 §4.4: an access token and nothing else.
    fn client_credentials(&mut self, client: &Client, asked: &Parameters, now: Moment, mint: &mut Mint) -> Result<TokenAnswer, Refusal> {
        if client.auth == AuthMethod::None {
            return Err(Refusal::new("unauthorized_client", "a public client has no credentials"));
        }
        let scope = asked.get("scope").map_or_else(|| client.scope.clone(), Scope::parse);
        let resources = self.resources_of(self.policy.resource_at_token, asked.all("resource"))?;
        let grant = self.issued.add(Grant::new(&client.id, &client.id, resources.clone(), scope));
        Ok(self.next_generation(grant, resources, None, now, mint))
    }

    /// Issues the next generation of a family: an access token, and a refresh token where one is due.
    fn next_generation(&mut self, id: GrantId, audience: Vec<String>, scope: Option<Scope>, now: Moment, mint: &mut Mint) -> TokenAnswer {
        let first = self.issued.grant(id).generation == 0;
        let gets_refresh = if first { self.is_due_refresh(id) } else { self.policy.rotation == Rotation::Strict };
        let access = mint.next("at_");
        let refresh = gets_refresh.then(|| mint.next("rt_"));
        let grant = self.issued.grant_mut(id);
        grant.generation += 1;
        let generation = grant.generation;
        if self.policy.old_access == OldAccess::Revoke {
            grant.oldest_access = generation;
        }
        let kept = grant.newest.take().and_then(|newest| newest.refresh);
        grant.newest = Some(Newest { access: access.clone(), refresh: refresh.clone().or(kept) });
        let scope = scope.unwrap_or_else(|| grant.scope.clone());
        let expires = now.plus(self.policy.access_ttl);
        let token = AccessToken { grant: id, generation, audience, scope: scope.clone(), issued: now, expires, revoked: false };
        self.issued.access.insert(access.clone(), token);
        if let Some(value) = refresh.clone() {
            let expires = self.policy.refresh_ttl.map(|ttl| now.plus(ttl));
            self.issued.refresh.insert(value, RefreshToken { grant: id, generation, rotated: None, expires });
        }
        TokenAnswer { access, expires_in: self.policy.access_ttl.as_secs(), refresh, scope }
    }

    fn is_due_refresh(&self, id: GrantId) -> bool {
        let grant = self.issued.grant(id);
        match self.policy.refresh_issue {
            RefreshIssue::Always => self.client(&grant.client).is_some_and(|client| self.always_gives_refresh(client)),
            RefreshIssue::Never => false,
            RefreshIssue::OfflineAccess => grant.scope.has("offline_access"),
            RefreshIssue::WhenRegistered => {
                self.client(&grant.client).is_some_and(|client| client.may_use("refresh_token") && client.may_use("authorization_code"))
            }
        }
    }

    fn always_gives_refresh(&self, client: &Client) -> bool {
        self.policy.refresh_issue == RefreshIssue::Always && client.may_use("authorization_code")
    }

    /// The current generation again, for a client whose answer was lost.
    fn current(&self, grant: &Grant, now: Moment) -> Option<TokenAnswer> {
        let newest = grant.newest.as_ref()?;
        let token = self.issued.access.get(&newest.access)?;
        let (access, refresh) = (newest.access.clone(), newest.refresh.clone());
        Some(TokenAnswer { access, expires_in: token.left(now).as_secs(), refresh, scope: token.scope.clone() })
    }
}

impl TokenAnswer {
    fn to_json(&self) -> Value {
        let mut body = json!({"access_token": self.access, "token_type": "Bearer", "expires_in": self.expires_in});
        if let Some(refresh) = &self.refresh {
            body["refresh_token"] = json!(refresh);
        }
        body["scope"] = json!(self.scope.to_string());
        body
    }
}

/// The code challenge of a verifier (RFC 7636 §4.2).
fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The audience of a token: what was asked for now, or else what the grant is for. Only the grant's own resources fit.
fn within(asked: Vec<String>, grant: &Grant) -> Result<Vec<String>, Refusal> {
    if asked.is_empty() {
        return Ok(grant.resources.clone());
    }
    let fits = grant.resources.is_empty() || asked.iter().all(|resource| grant.resources.contains(resource));
    if fits { Ok(asked) } else { Err(Refusal::new("invalid_target", "the resource is outside the grant")) }
}
