//! The GET stream of an older server: opened once a session has begun, resumed when it breaks, answered where the server asks
//! something. A server without one (405) is fine.

use super::http::{Call, Http, HttpError};
use super::legacy::RETRY;
use super::rpc::{self, Heard, Messages};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long the head of the stream is waited for; some servers send it with the first event only.
const HEAD: Duration = Duration::from_secs(2);
/// How often in a row a stream that brings nothing is opened again.
const REOPENINGS: u32 = 5;

/// How often it is opened by a client that storms.
const STORM: u32 = 12;

/// A stream that is listened to, until it is dropped.
pub(super) struct Listening(JoinHandle<()>);

impl Listening {
    /// Sends `get` and goes on in the background once its answer has begun. `reply` is what carries answers to the server.
    pub(super) async fn start(http: Http, get: Call, reply: Call) -> Option<Self> {
        let (begun, head) = oneshot::channel();
        let task = tokio::spawn(listen(http, get, reply, begun));
        let _ = tokio::time::timeout(HEAD, head).await;
        Some(Self(task)).filter(|listening| !listening.0.is_finished())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens the stream again and again, whatever comes of it: what a client does that is told to misbehave.
pub(super) async fn storm(http: &Http, get: &Call) {
    for _ in 0..STORM {
        let _ = http.open(get).await;
    }
}

async fn listen(http: Http, get: Call, reply: Call, begun: oneshot::Sender<()>) {
    let mut begun = Some(begun);
    let mut last_id: Option<String> = None;
    let mut retry = RETRY;
    for _ in 0..REOPENINGS {
        let call = match &last_id {
            Some(id) => get.clone().with("last-event-id", id.as_str()),
            None => get.clone(),
        };
        let Ok(open) = http.open(&call).await else { return };
        let is_open = open.status == 200;
        let mut messages = Messages::of(open, &http, &get.url);
        drop(begun.take());
        // Neither a stream nor 405 is still no reason to come back again and again.
        if !is_open || !messages.is_stream() {
            return;
        }
        hear(&http, &reply, &mut messages).await;
        last_id = messages.last_id.clone().or(last_id);
        retry = messages.retry.unwrap_or(retry);
        tokio::time::sleep(retry).await;
    }
}

/// Listens until the stream ends. Silence does not end it.
async fn hear(http: &Http, reply: &Call, messages: &mut Messages) {
    loop {
        match messages.next().await {
            Ok(Some(message)) => answer(http, reply, &message).await,
            Err(HttpError::TimedOut { .. }) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

async fn answer(http: &Http, reply: &Call, message: &Value) {
    if let Heard::Request(text) = rpc::heard(message, 0) {
        let mut call = reply.clone();
        call.body = text.to_string().into();
        let _ = http.open(&call).await;
    }
}
