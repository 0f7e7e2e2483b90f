//! One login from registration to tokens: identity, listener, browser, callback, exchange.

use super::authorize::{Attempt, AuthorizeError, Wish};
use super::callback::CallbackListener;
use super::discovery::{Metadata, Resource};
use super::http::{Call, Follow, Http};
use super::registration::{Registered, Source, known, register};
use super::store::{IssuerEntry, Lock, Tokens, now};
use super::token::{TokenEndpoint, TokenError};
use super::{ClientError, Misbehaviour, Note, Options};
use ::http::Method;
use url::Url;

/// What a login needs to know.
pub(super) struct Login<'a> {
    pub(super) http: &'a Http,
    pub(super) options: &'a Options,
    pub(super) held: &'a Lock,
    pub(super) metadata: &'a Metadata,
    pub(super) resource: &'a Resource,
    pub(super) scope: Option<&'a str>,
}

/// What one round came to.
enum Round {
    Done(Tokens),
    /// The server does not know the client.
    ClientEnded(String),
}

impl Login<'_> {
    /// Logs in. A registration of an earlier run that the server has forgotten is replaced once (RFC 6749 §5.2).
    pub(super) async fn run(&self) -> Result<Tokens, ClientError> {
        let stored = self.stored_client()?;
        let is_stored = stored.is_some();
        match self.round(stored).await? {
            Round::Done(tokens) => Ok(tokens),
            Round::ClientEnded(reason) if is_stored => {
                self.options.notes.say(&Note::ClientEnded(reason));
                self.keep_client(None)?;
                match self.round(None).await? {
                    Round::Done(tokens) => Ok(tokens),
                    Round::ClientEnded(reason) => Err(ClientError::ClientRefused(reason)),
                }
            }
            Round::ClientEnded(reason) => Err(ClientError::ClientRefused(reason)),
        }
    }

    async fn round(&self, stored: Option<Registered>) -> Result<Round, ClientError> {
        let listener = self.listen(stored.as_ref()).await?;
        let redirect_uri = listener.redirect_uri();
        let client = match known(self.options, self.metadata).or(stored) {
            Some(client) => client,
            None => self.registered(&redirect_uri).await?,
        };
        let wish = Wish {
            metadata: self.metadata,
            client_id: &client.client_id,
            redirect_uri: &redirect_uri,
            resource: &self.resource.name,
            scope: self.scope,
        };
        let attempt = Attempt::new(&wish)?;
        self.open_browser(&attempt.url);
        let limit = self.options.login_limit;
        let Some(callback) = listener.wait(limit).await else {
            // A server that does not know the client shows a page and redirects nobody (RFC 6749 §4.1.2.1).
            if client.source == Source::Registration && self.is_turned_away(&attempt.url).await {
                return Ok(Round::ClientEnded(format!("{} turns its authorization request away", self.metadata.issuer)));
            }
            return Err(AuthorizeError::TimedOut(limit.as_secs()).into());
        };
        let code = match attempt.code(callback.parameters()) {
            Ok(code) => code,
            Err(error) => {
                callback.reject().await;
                return Err(error.into());
            }
        };
        callback.accept().await;
        let endpoint = TokenEndpoint { http: self.http, metadata: self.metadata, client: &client, resource: &self.resource.name };
        match endpoint.exchange(&code, &redirect_uri, &attempt.verifier).await {
            Ok(mut tokens) => {
                // RFC 6749 §5.1: no scope means the one that was asked for.
                tokens.scope = tokens.scope.or_else(|| self.scope.map(str::to_owned));
                self.options.notes.say(&Note::LoggedIn);
                Ok(Round::Done(tokens))
            }
            Err(error @ TokenError::InvalidClient { .. }) => Ok(Round::ClientEnded(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// Listens where the client is registered, so that servers that compare ports are content too; elsewhere if that port is
    /// taken (RFC 8252 §7.3).
    async fn listen(&self, stored: Option<&Registered>) -> Result<CallbackListener, AuthorizeError> {
        let wanted = self.options.redirect_port.or_else(|| stored.and_then(Registered::port)).unwrap_or(0);
        match CallbackListener::bind(wanted).await {
            Err(_) if self.options.redirect_port.is_none() && wanted != 0 => CallbackListener::bind(0).await,
            bound => bound,
        }
        .map_err(AuthorizeError::Listen)
    }

    async fn registered(&self, redirect_uri: &str) -> Result<Registered, ClientError> {
        let client = register(self.http, self.metadata, redirect_uri, self.scope).await?;
        self.keep_client(Some(client.clone()))?;
        self.options.notes.say(&Note::Registered(self.metadata.issuer.clone()));
        Ok(client)
    }

    fn open_browser(&self, url: &Url) {
        match self.options.browser.open(url.as_str()) {
            Some((name, _child)) => self.options.notes.say(&Note::BrowserOpened(name)),
            None => self.options.notes.say(&Note::OpenThis(url.to_string())),
        }
    }

    async fn is_turned_away(&self, url: &Url) -> bool {
        let call = Call::new(Method::GET, url.clone(), Follow::Nowhere);
        self.http.open(&call).await.is_ok_and(|answer| (400..500).contains(&answer.status))
    }

    fn stored_client(&self) -> Result<Option<Registered>, ClientError> {
        if self.options.misbehaves(Misbehaviour::RedundantRegistration) {
            return Ok(None);
        }
        let stored = self.options.store.load()?;
        let client = stored.issuers.get(&self.metadata.issuer).and_then(|issuer| issuer.client.clone());
        Ok(client.filter(|client| !client.has_ended(now())))
    }

    fn keep_client(&self, client: Option<Registered>) -> Result<(), ClientError> {
        let (issuer, metadata) = (self.metadata.issuer.clone(), self.metadata.clone());
        Ok(self.options.store.change(self.held, |all| {
            all.issuers.entry(issuer).or_insert(IssuerEntry { metadata, client: None }).client = client;
        })?)
    }
}
