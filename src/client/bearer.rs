//! The access token for one server: taken from the store, refreshed ahead of its end or when it is refused, and fetched with
//! a login when nothing else helps. Whatever changes the store happens under its lock, after a fresh look: of several
//! processes one refreshes and the others use what it got.

use super::discovery::{self, Metadata, Resource};
use super::http::{Attempts, Http, without_query};
use super::login::Login;
use super::store::{Credentials, IssuerEntry, Lock, ServerEntry, Tokens, now};
use super::token::{TokenEndpoint, TokenError};
use super::{ClientError, Misbehaviour, Note, Options, scope};
use crate::protocol::Challenge;
use std::sync::Arc;
use url::Url;

/// How often more scope is asked for.
const STEP_UPS: u32 = 3;

/// The access token for one server.
pub(super) struct Bearer {
    http: Http,
    options: Arc<Options>,
    server: Url,
    /// What discovery found in this process.
    found: Option<(Resource, Metadata)>,
    /// How often in a row the server refused a token.
    refusals: u32,
    /// True once a refusal led to a refresh, until a token is taken.
    refreshed: bool,
    /// True once a person was asked in this process, step-ups aside.
    authorized: bool,
    step_ups: u32,
    /// What was asked for last.
    asked_scope: Option<String>,
    /// An access token that came in this process and was not presented yet: it is, however short its life.
    fresh: Option<String>,
}

/// What a refresh came to.
enum Refreshed {
    /// New tokens are in the store.
    Yes,
    /// There is nothing to refresh with, any more.
    No,
}

impl Bearer {
    pub(super) fn new(http: Http, options: Arc<Options>, server: Url) -> Self {
        Self {
            http,
            options,
            server,
            found: None,
            refusals: 0,
            refreshed: false,
            authorized: false,
            step_ups: 0,
            asked_scope: None,
            fresh: None,
        }
    }

    /// The token to send now; `None` when there is none yet and the server has to ask for one.
    pub(super) async fn current(&mut self) -> Result<Option<String>, ClientError> {
        let stored = self.options.store.load()?;
        let Some(tokens) = stored.tokens(self.key()) else { return Ok(None) };
        let is_fresh = self.fresh.take().as_ref() == Some(&tokens.access_token);
        // Without a refresh token there is nothing to do ahead of time: the server says when it is over.
        let may_refresh = tokens.refresh_token.is_some() && !self.options.misbehaves(Misbehaviour::RefreshTokenUnused);
        if is_fresh || !tokens.is_due(now()) || !may_refresh {
            return Ok(Some(tokens.access_token.clone()));
        }
        let held = self.lock().await?;
        let stored = self.options.store.load()?;
        let Some(tokens) = stored.tokens(self.key()).cloned() else { return Ok(None) };
        if !tokens.is_due(now()) {
            return Ok(Some(tokens.access_token));
        }
        match self.refresh(&held, &stored, &tokens).await {
            Ok(Refreshed::Yes) => Ok(self.fresh.take()),
            Ok(Refreshed::No) => Ok(None),
            // The old token is still good for a while, and the server may recover.
            Err(error) if !tokens.has_ended(now()) => {
                self.options.notes.say(&Note::RefreshPostponed(error.to_string()));
                Ok(Some(tokens.access_token))
            }
            Err(error) => Err(error),
        }
    }

    /// The server took the token.
    pub(super) fn accepted(&mut self) {
        (self.refusals, self.refreshed) = (0, false);
    }

    /// The server answered 401: the next token is a refreshed one, then one from a person, then there is none.
    pub(super) async fn refused(&mut self, challenge: Option<&Challenge>, used: Option<&str>) -> Result<(), ClientError> {
        self.refusals += 1;
        let held = self.lock().await?;
        let stored = self.options.store.load()?;
        let tokens = stored.tokens(self.key()).cloned();
        // Another process was faster.
        if tokens.as_ref().is_some_and(|tokens| Some(tokens.access_token.as_str()) != used && !tokens.has_ended(now())) && self.refusals < 3
        {
            return Ok(());
        }
        let issuer = self.discover(challenge).await?.1.issuer.clone();
        let is_same_issuer = stored.servers.get(self.key()).is_some_and(|entry| entry.issuer == issuer);
        // A token may be refused before its time, even one that is new.
        if let Some(tokens) = tokens.filter(|_| is_same_issuer && !std::mem::replace(&mut self.refreshed, true))
            && matches!(self.refresh(&held, &stored, &tokens).await?, Refreshed::Yes)
        {
            return Ok(());
        }
        if self.authorized && !self.asks_again() {
            return Err(ClientError::TokenRefused(without_query(&self.server)));
        }
        let (resource, metadata) = self.discover(challenge).await?;
        let scope = scope::initial(challenge.and_then(Challenge::scope), resource, metadata);
        self.authorized = true;
        self.authorize(&held, scope).await
    }

    /// The server answered 403 insufficient_scope: a person is asked for everything so far and what is missing.
    pub(super) async fn widen(&mut self, challenge: &Challenge) -> Result<(), ClientError> {
        let missing = challenge.scope().unwrap_or_default();
        self.step_ups += 1;
        if self.step_ups > STEP_UPS {
            return Err(ClientError::ScopeRefused(missing.to_owned()));
        }
        let held = self.lock().await?;
        let stored = self.options.store.load()?;
        let granted = stored.tokens(self.key()).and_then(|tokens| tokens.scope.clone()).unwrap_or_default();
        let asked = self.asked_scope.clone().unwrap_or_default();
        self.discover(Some(challenge)).await?;
        self.options.notes.say(&Note::SteppingUp(missing.to_owned()));
        let wanted = match self.options.misbehaves(Misbehaviour::StepUpScopeLost) {
            true => missing.to_owned(),
            false => scope::union(&[&granted, &asked, missing]),
        };
        self.authorize(&held, Some(wanted)).await
    }

    /// Forgets the tokens of this server, so that the next request asks for a login.
    pub(super) async fn forget(&mut self) -> Result<(), ClientError> {
        let held = self.lock().await?;
        Ok(self.drop_tokens(&held)?)
    }

    /// Ends the tokens at the server and forgets them (RFC 7009). `false` when there were none.
    pub(super) async fn log_out(&mut self) -> Result<bool, ClientError> {
        let held = self.lock().await?;
        let stored = self.options.store.load()?;
        let Some(tokens) = stored.tokens(self.key()) else { return Ok(false) };
        let issuer = stored.issuer_of(self.key());
        let client = issuer.and_then(|issuer| self.client_at(issuer));
        let revoked = match (issuer, client) {
            (Some(issuer), Some(client)) => {
                let resource = &stored.servers[self.key()].resource;
                let endpoint = TokenEndpoint { http: &self.http, metadata: &issuer.metadata, client: &client, resource };
                endpoint.revoke(tokens).await.unwrap_or(false)
            }
            _ => false,
        };
        if !revoked {
            self.options.notes.say(&Note::NotRevoked);
        }
        self.drop_tokens(&held)?;
        Ok(true)
    }

    /// Whether a person is asked for a second time in this process. Never, unless told to misbehave.
    fn asks_again(&self) -> bool {
        let careless = [Misbehaviour::AuthLoop, Misbehaviour::CredentialsDroppedOnTransient, Misbehaviour::RefreshTokenUnused];
        self.refusals < 5 && careless.into_iter().any(|how| self.options.misbehaves(how))
    }

    async fn lock(&self) -> Result<Lock, ClientError> {
        // Another process may be waiting for its person.
        Ok(self.options.store.lock(self.options.login_limit + self.http.limit()).await?)
    }

    /// Refreshes with what is stored, by the metadata of this process or of an earlier one.
    async fn refresh(&mut self, held: &Lock, stored: &Credentials, tokens: &Tokens) -> Result<Refreshed, ClientError> {
        if self.options.misbehaves(Misbehaviour::RefreshTokenUnused) {
            return Ok(Refreshed::No);
        }
        let (Some(refresh_token), Some(issuer)) = (&tokens.refresh_token, stored.issuer_of(self.key())) else { return Ok(Refreshed::No) };
        let Some(client) = self.client_at(issuer).filter(|client| !client.has_ended(now())) else { return Ok(Refreshed::No) };
        let found = self.found.as_ref().filter(|(_, metadata)| metadata.issuer == issuer.metadata.issuer);
        let metadata = found.map_or(&issuer.metadata, |(_, metadata)| metadata);
        let resource = &stored.servers[self.key()].resource;
        let endpoint = TokenEndpoint { http: &self.http, metadata, client: &client, resource };
        let is_hasty = self.options.misbehaves(Misbehaviour::CredentialsDroppedOnTransient);
        match endpoint.refresh(tokens, refresh_token, Attempts(if is_hasty { 1 } else { 3 })).await {
            Ok(fresh) => {
                self.keep(held, fresh)?;
                self.options.notes.say(&Note::Refreshed);
                Ok(Refreshed::Yes)
            }
            Err(error @ TokenError::InvalidGrant { .. }) => {
                self.options.notes.say(&Note::GrantEnded(error.to_string()));
                self.drop_tokens(held)?;
                Ok(Refreshed::No)
            }
            Err(error @ (TokenError::Refused { .. } | TokenError::Unknown { .. })) => self.refused_oddly(held, tokens, error),
            Err(error @ TokenError::InvalidClient { .. }) if self.options.client_id.is_none() => {
                self.options.notes.say(&Note::ClientEnded(error.to_string()));
                self.drop_tokens(held)?;
                let issuer = metadata.issuer.clone();
                if self.options.misbehaves(Misbehaviour::StaleClientReused) {
                    return Ok(Refreshed::No);
                }
                self.options.store.change(held, |all| all.issuers.get_mut(&issuer).into_iter().for_each(|entry| entry.client = None))?;
                Ok(Refreshed::No)
            }
            Err(_) if is_hasty => {
                self.drop_tokens(held)?;
                Ok(Refreshed::No)
            }
            // Nothing is known about the credentials: they stay.
            Err(error) => Err(error.into()),
        }
    }

    /// An answer that says nothing known about the refresh token (RFC 6749 §5.2): it is kept once. The same answer in another
    /// attempt means that it will never be taken again.
    fn refused_oddly(&self, held: &Lock, tokens: &Tokens, error: TokenError) -> Result<Refreshed, ClientError> {
        let answer = error.to_string();
        if tokens.refused.as_ref() == Some(&answer) {
            self.options.notes.say(&Note::GrantEnded(answer));
            self.drop_tokens(held)?;
            return Ok(Refreshed::No);
        }
        let mark = |entry: &mut ServerEntry| {
            if let Some(kept) = entry.tokens.get_mut(&entry.issuer) {
                kept.refused = Some(answer);
            }
        };
        self.options.store.change(held, |all| all.servers.get_mut(self.key()).map_or((), mark))?;
        Err(error.into())
    }

    /// Asks a person, and keeps what comes of it.
    async fn authorize(&mut self, held: &Lock, scope: Option<String>) -> Result<(), ClientError> {
        let Some((resource, metadata)) = &self.found else { return Err(ClientError::TokenRefused(without_query(&self.server))) };
        let login = Login { http: &self.http, options: &self.options, held, metadata, resource, scope: scope.as_deref() };
        let tokens = login.run().await?;
        self.asked_scope = scope;
        self.keep(held, tokens)
    }

    fn keep(&mut self, held: &Lock, tokens: Tokens) -> Result<(), ClientError> {
        self.fresh = Some(tokens.access_token.clone());
        let key = self.key().to_owned();
        let found = self.found.clone();
        Ok(self.options.store.change(held, |all| {
            let entry = all.servers.entry(key).or_default();
            if let Some((resource, metadata)) = found {
                *entry = ServerEntry { issuer: resource.issuer, resource: resource.name, tokens: std::mem::take(&mut entry.tokens) };
                all.issuers
                    .entry(entry.issuer.clone())
                    .and_modify(|known| known.metadata = metadata.clone())
                    .or_insert(IssuerEntry { metadata, client: None });
            }
            entry.tokens.insert(entry.issuer.clone(), tokens);
        })?)
    }

    fn drop_tokens(&self, held: &Lock) -> Result<(), super::StoreError> {
        let drop_them = |entry: &mut ServerEntry| drop(entry.tokens.remove(&entry.issuer));
        self.options.store.change(held, |all| all.servers.get_mut(self.key()).into_iter().for_each(drop_them))
    }

    /// Discovers once in the life of the process.
    async fn discover(&mut self, challenge: Option<&Challenge>) -> Result<&(Resource, Metadata), ClientError> {
        let found = match self.found.take() {
            Some(found) => found,
            None => {
                let resource = discovery::resource(&self.http, &self.options, &self.server, challenge).await?;
                let metadata = discovery::issuer(&self.http, &self.options, &resource.issuer).await?;
                (resource, metadata)
            }
        };
        Ok(self.found.insert(found))
    }

    fn client_at(&self, issuer: &IssuerEntry) -> Option<super::registration::Registered> {
        super::registration::known(&self.options, &issuer.metadata).or_else(|| issuer.client.clone())
    }

    /// The name of the server in the store.
    fn key(&self) -> &str {
        self.server.as_str()
    }
}
