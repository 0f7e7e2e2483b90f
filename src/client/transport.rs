//! Requests to the MCP server with the bearer on every one of them, and what 401 and 403 lead to.

use super::bearer::Bearer;
use super::http::{Call, Follow, Http, Open};
use super::rpc::Messages;
use super::{ClientError, Misbehaviour, Options};
use crate::protocol::{Challenge, parse_challenges};
use ::http::Method;
use serde_json::Value;
use std::sync::Arc;
use url::Url;

/// How often a request is sent while the server asks for patience.
const ATTEMPTS: u32 = 3;

/// The way to one MCP server.
pub(super) struct Transport {
    pub(super) http: Http,
    pub(super) server: Url,
    options: Arc<Options>,
    bearer: Bearer,
    ids: u64,
}

impl Transport {
    pub(super) fn new(http: Http, options: Arc<Options>, server: Url) -> Self {
        Self { bearer: Bearer::new(http.clone(), options.clone(), server.clone()), options, http, server, ids: 0 }
    }

    /// The access token, to log in or out.
    pub(super) fn bearer(&mut self) -> &mut Bearer {
        &mut self.bearer
    }

    /// An id that no request has had.
    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A message for the server.
    pub(super) fn post(&self, message: &Value) -> Call {
        let call = Call::new(Method::POST, self.server.clone(), self.follow());
        call.with("accept", "application/json, text/event-stream").with_body("application/json", message.to_string())
    }

    /// Any other request to the server.
    pub(super) fn call(&self, method: Method) -> Call {
        Call::new(method, self.server.clone(), self.follow())
    }

    /// Which redirects are followed with the bearer (RFC 9700 §4.9).
    fn follow(&self) -> Follow {
        if self.options.misbehaves(Misbehaviour::TokenSentElsewhere) { Follow::Anywhere } else { Follow::SameOrigin }
    }

    /// Whether an answer begins a login: a 401 does, unless it asks for another scheme only (RFC 9110 §11.6.1, RFC 9728 §5.1).
    fn asks_for_login(&self, status: u16, challenges: &[Challenge]) -> bool {
        let is_bearers = challenges.is_empty() || challenges.iter().any(|challenge| challenge.is("bearer"));
        let is_reckless = self.options.misbehaves(Misbehaviour::AuthFlowWithoutChallenge);
        (status == 401 && (is_bearers || is_reckless)) || (status == 403 && challenges.is_empty() && is_reckless)
    }

    /// Sends a request with the bearer; ends when the server neither refuses it nor wants more scope.
    pub(super) async fn send(&mut self, call: &Call) -> Result<Open, ClientError> {
        let mut attempts = 1;
        loop {
            let token = self.bearer.current().await?;
            let call = with_bearer(call.clone(), token.as_deref());
            let open = self.http.open(&call).await?;
            let challenges = parse_challenges(&open.headers);
            let challenge = challenges.iter().find(|challenge| challenge.is("bearer"));
            match open.status {
                401 | 403 if attempts < ATTEMPTS && token.is_some() && self.insists(open.status) => attempts += 1,
                status if self.asks_for_login(status, &challenges) => self.bearer.refused(challenge, token.as_deref()).await?,
                401 => return Ok(open),
                403 if is_scope_challenge(challenge) && !self.misbehaves(Misbehaviour::StepUpIgnored) => match challenge {
                    Some(challenge) => self.bearer.widen(challenge).await?,
                    None => return Ok(open),
                },
                // RFC 6585 §4: the request was not looked at.
                429 if attempts < ATTEMPTS => {
                    tokio::time::sleep(open.patience()).await;
                    attempts += 1;
                }
                _ => {
                    self.bearer.accepted();
                    return Ok(open);
                }
            }
        }
    }

    /// Whether a refused request is sent again as it was. Never, unless told to misbehave.
    fn insists(&self, status: u16) -> bool {
        self.misbehaves(if status == 401 { Misbehaviour::UnauthorizedRetryLoop } else { Misbehaviour::StepUpIgnored })
    }

    /// True when this decision is to be made wrongly.
    pub(super) fn misbehaves(&self, how: Misbehaviour) -> bool {
        self.options.misbehaves(how)
    }

    /// The same call for somebody who sends it later, with the token of now.
    pub(super) async fn signed(&mut self, call: Call) -> Result<Call, ClientError> {
        let token = self.bearer.current().await?;
        Ok(with_bearer(call, token.as_deref()))
    }

    /// The messages of an answer.
    pub(super) fn messages(&self, open: Open) -> Messages {
        Messages::of(open, &self.http, &self.server)
    }
}

fn with_bearer(call: Call, token: Option<&str>) -> Call {
    match token {
        Some(token) => call.with("authorization", format!("Bearer {token}")),
        None => call,
    }
}

fn is_scope_challenge(challenge: Option<&Challenge>) -> bool {
    challenge.is_some_and(|challenge| challenge.error() == Some("insufficient_scope"))
}
