//! MCP 2025-11-25 and earlier: `initialize`, a session, streams that are resumed. A session that the server has forgotten
//! (404) is replaced by a new one; at the end it is deleted.

use super::http::{Call, Open};
use super::listen::Listening;
use super::rpc::{self, Heard, Messages};
use super::transport::Transport;
use super::{ClientError, Misbehaviour, ServerInfo};
use ::http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The versions this module speaks, newest first.
pub(super) const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// How often one answer is resumed without a new event.
const RESUMES: u32 = 5;
/// How long to wait before coming back when the server says nothing.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// A session, or the stateless service of a server that gives none.
pub(super) struct Legacy {
    pub(super) info: ServerInfo,
    session: Option<String>,
    listening: Option<Listening>,
}

impl Legacy {
    /// Initializes, says so, and listens for what the server has to say.
    pub(super) async fn open(transport: &mut Transport) -> Result<Self, ClientError> {
        let mut this = Self { info: ServerInfo::default(), session: None, listening: None };
        let params = json!({"protocolVersion": VERSIONS[0], "capabilities": {}, "clientInfo": super::client_info()});
        let id = transport.next_id();
        let open = transport.send(&transport.post(&rpc::request(id, "initialize", params))).await?;
        this.session = open.headers.first("mcp-session-id").map(str::to_owned);
        let result = this.answer(transport, open, id, "initialize").await?;
        let version = result["protocolVersion"].as_str().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return Err(ClientError::NoCommonVersion(version.chars().take(40).collect()));
        }
        this.info = ServerInfo::of(&result["serverInfo"], version);
        let initialized = transport.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        let open = transport.send(&this.in_session(initialized)).await?;
        if open.status >= 400 {
            return Err(ClientError::Status { status: open.status, method: "notifications/initialized".to_owned() });
        }
        let get = this.in_session(transport.call(Method::GET).with("accept", "text/event-stream"));
        let replies = this.in_session(transport.post(&Value::Null));
        let (get, replies) = (transport.signed(get).await?, transport.signed(replies).await?);
        if transport.misbehaves(Misbehaviour::GetStreamStorm) {
            super::listen::storm(&transport.http, &get).await;
        }
        this.listening = Listening::start(transport.http.clone(), get, replies).await;
        Ok(this)
    }

    /// Sends a request and waits for its answer, in a new session if the server has forgotten this one.
    pub(super) async fn request(&mut self, transport: &mut Transport, method: &str, params: &Value) -> Result<Value, ClientError> {
        let mut is_renewed = false;
        loop {
            let id = transport.next_id();
            let call = self.in_session(transport.post(&rpc::request(id, method, params.clone())));
            let open = transport.send(&call).await?;
            let is_kept = is_renewed || transport.misbehaves(Misbehaviour::StaleSessionIdReuse);
            if open.status != 404 || self.session.is_none() || is_kept {
                return self.answer(transport, open, id, method).await;
            }
            // 2025-11-25, Session Management 4.
            self.listening = None;
            *self = Box::pin(Self::open(transport)).await?;
            is_renewed = true;
        }
    }

    /// Ends the session. Whether the server allows that (405) does not matter.
    pub(super) async fn close(mut self, transport: &mut Transport) {
        if self.session.is_some() {
            let _ = transport.send(&self.in_session(transport.call(Method::DELETE))).await;
        }
        self.listening = None;
    }

    async fn answer(&mut self, transport: &mut Transport, open: Open, id: u64, method: &str) -> Result<Value, ClientError> {
        let status = open.status;
        let mut messages = transport.messages(open);
        let mut resumes = 0;
        let most = if transport.misbehaves(Misbehaviour::SseResumeMissing) { 0 } else { RESUMES };
        loop {
            match self.listen_for(transport, &mut messages, id).await {
                Ok(Some(answer)) => return answer,
                Err(error) if messages.last_id.is_none() => return Err(error),
                _ => {}
            }
            if !(200..300).contains(&status) {
                return Err(ClientError::Status { status, method: method.to_owned() });
            }
            let Some(last) = messages.last_id.clone().filter(|_| messages.is_stream() && resumes < most) else {
                return Err(ClientError::NoAnswer);
            };
            let retry = messages.retry;
            tokio::time::sleep(retry.unwrap_or(RETRY)).await;
            let call = transport.call(Method::GET).with("accept", "text/event-stream").with("last-event-id", &last);
            let open = transport.send(&self.in_session(call)).await?;
            if open.status != 200 {
                return Err(ClientError::Status { status: open.status, method: method.to_owned() });
            }
            messages = transport.messages(open);
            messages.last_id = Some(last);
            messages.retry = retry;
            resumes += 1;
        }
    }

    async fn listen_for(
        &mut self,
        transport: &mut Transport,
        messages: &mut Messages,
        id: u64,
    ) -> Result<Option<Result<Value, ClientError>>, ClientError> {
        while let Some(message) = messages.next().await? {
            match rpc::heard(&message, id) {
                Heard::Answer(answer) => return Ok(Some(answer)),
                Heard::Request(reply) => {
                    let call = self.in_session(transport.post(&reply));
                    transport.send(&call).await?;
                }
                Heard::Other => {}
            }
        }
        Ok(None)
    }

    /// The call with the headers of a session that has begun.
    fn in_session(&self, mut call: Call) -> Call {
        if !self.info.protocol.is_empty() {
            call = call.with("mcp-protocol-version", self.info.protocol.as_str());
        }
        match &self.session {
            Some(session) => call.with("mcp-session-id", session.as_str()),
            None => call,
        }
    }
}
