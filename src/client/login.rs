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
use std::time::Duration;
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
    /// Logs in. A registration of an earlier run that the server has forgotten is replaced once (RFC 6749 §5.2), and so is a metadata
    /// document that the server cannot get, where it registers clients.
    pub(super) async fn run(&self) -> Result<Tokens, ClientError> {
        let mut outcome = self.attempt().await;
        for _ in 0..self.repetitions() {
            if outcome.is_ok() {
                break;
            }
            outcome = self.attempt().await;
        }
        outcome
    }

    /// How often a login that failed begins anew by itself: a person decides that.
    fn repetitions(&self) -> u32 {
        if self.options.misbehaves(Misbehaviour::AuthLoop) { 3 } else { 0 }
    }

    async fn attempt(&self) -> Result<Tokens, ClientError> {
        let client = match known(self.options, self.metadata) {
            Some(client) => Some(client),
            None => self.stored_client()?,
        };
        let is_replaceable = client.as_ref().is_some_and(|client| match client.source {
            Source::Registration => true,
            Source::Document => self.metadata.registration_endpoint.is_some(),
            Source::Configured => false,
        });
        match self.round(client.clone()).await? {
            Round::Done(tokens) => Ok(tokens),
            Round::ClientEnded(reason) if is_replaceable => {
                self.options.notes.say(&Note::ClientEnded(reason));
                match self.round(self.replaced(client)?).await? {
                    Round::Done(tokens) => Ok(tokens),
                    Round::ClientEnded(reason) => Err(ClientError::ClientRefused(reason)),
                }
            }
            Round::ClientEnded(reason) => Err(ClientError::ClientRefused(reason)),
        }
    }

    /// Who comes after a client that was refused: a new one.
    fn replaced(&self, refused: Option<Registered>) -> Result<Option<Registered>, ClientError> {
        if self.options.misbehaves(Misbehaviour::StaleClientReused) {
            return Ok(refused);
        }
        self.keep_client(None)?;
        Ok(None)
    }

    /// One attempt as this client, or as one that is registered first.
    async fn round(&self, client: Option<Registered>) -> Result<Round, ClientError> {
        let listener = self.listen(client.as_ref()).await?;
        let redirect_uri = listener.redirect_uri();
        let client = match client {
            Some(client) => client,
            None => self.registered(&redirect_uri).await?,
        };
        let redirect_uri = self.sent(redirect_uri);
        let wish = Wish {
            metadata: self.metadata,
            client_id: &client.client_id,
            redirect_uri: &redirect_uri,
            resource: &self.resource.name,
            scope: self.scope,
            misbehave: self.options.misbehave,
        };
        let attempt = Attempt::new(&wish)?;
        self.open_browser(&attempt.url);
        let limit = self.patience();
        let Some(callback) = listener.wait(limit).await else {
            // A server that does not know the client shows a page and redirects nobody (RFC 6749 §4.1.2.1).
            if self.is_turned_away(&client, &attempt.url).await {
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
        let exchanged = endpoint.exchange(&code, &redirect_uri, &attempt.verifier).await;
        if self.options.misbehaves(Misbehaviour::CodeReplayed) {
            let _ = endpoint.exchange(&code, &redirect_uri, &attempt.verifier).await;
        }
        match exchanged {
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

    /// Registers; once more where the secret that it is given has ended already (RFC 7591 §3.2.1).
    async fn registered(&self, redirect_uri: &str) -> Result<Registered, ClientError> {
        let register = async || register(self.http, self.options, self.metadata, redirect_uri, self.scope).await;
        let mut client = register().await?;
        let takes_any = self.options.misbehaves(Misbehaviour::StaleClientReused);
        if client.has_ended(now()) && !takes_any {
            self.options.notes.say(&Note::ClientEnded(format!("the secret that {} gave has ended already", self.metadata.issuer)));
            client = register().await?;
        }
        if client.has_ended(now()) && !takes_any {
            let reason = format!("{} gives secrets that have ended already", self.metadata.issuer);
            return Err(ClientError::ClientRefused(reason));
        }
        self.keep_client(Some(client.clone()))?;
        self.options.notes.say(&Note::Registered(self.metadata.issuer.clone()));
        Ok(client)
    }

    /// The redirect URI that is sent: the one that was registered.
    fn sent(&self, registered: String) -> String {
        let is_other = self.options.misbehaves(Misbehaviour::RedirectUriMismatch);
        if is_other { registered.replace("127.0.0.1", "localhost") } else { registered }
    }

    /// How long the browser is waited for.
    fn patience(&self) -> Duration {
        const WITHOUT_END: Duration = Duration::from_secs(365 * 24 * 3600);
        if self.options.misbehaves(Misbehaviour::CallbackNeverReceived) { WITHOUT_END } else { self.options.login_limit }
    }

    fn open_browser(&self, url: &Url) {
        match self.options.browser.open(url.as_str()) {
            Some((name, _child)) => self.options.notes.say(&Note::BrowserOpened(name)),
            None => self.options.notes.say(&Note::OpenThis(url.to_string())),
        }
    }

    /// True where the server answers an authorization request of this client with an error instead of a redirect. One that cannot
    /// get a metadata document may call that a failure of its own.
    async fn is_turned_away(&self, client: &Registered, url: &Url) -> bool {
        let refusals = match client.source {
            Source::Configured => return false,
            Source::Registration => 400..500,
            Source::Document => 400..600,
        };
        let call = Call::new(Method::GET, url.clone(), Follow::Nowhere);
        self.http.open(&call).await.is_ok_and(|answer| refusals.contains(&answer.status))
    }

    fn stored_client(&self) -> Result<Option<Registered>, ClientError> {
        if self.options.misbehaves(Misbehaviour::RedundantRegistration) {
            return Ok(None);
        }
        let stored = self.options.store.load()?;
        let client = stored.issuers.get(&self.metadata.issuer).and_then(|issuer| issuer.client.clone());
        let elsewhere = || stored.issuers.values().find_map(|issuer| issuer.client.clone());
        let client = client.or_else(|| elsewhere().filter(|_| self.options.misbehaves(Misbehaviour::CrossAsClientReuse)));
        Ok(client.filter(|client| !client.has_ended(now())))
    }

    fn keep_client(&self, client: Option<Registered>) -> Result<(), ClientError> {
        let (issuer, metadata) = (self.metadata.issuer.clone(), self.metadata.clone());
        Ok(self.options.store.change(self.held, |all| {
            all.issuers.entry(issuer).or_insert(IssuerEntry { metadata, client: None }).client = client;
        })?)
    }
}
