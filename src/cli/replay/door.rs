//! The player behind the proxy: requests become plain data, its replies are performed. Reads the clock for it; dials nothing.

use crate::cli::session::{Ending, Servers};
use crate::exchange::{Body as PlainBody, Content, Failure, Headers, Json, JsonStyle, Request as PlainRequest, Stage, Version};
use crate::fault::Fired;
use crate::model::Moment;
use crate::protocol::Kind;
use crate::proxy::{AtEnd, Body, Connection, Local, NoAnswer, Peer, perform};
use crate::replay::{Account, Player, Policies};
use crate::reply::{Handshake, Threshold};
use crate::upstream::RequestBody;
use crate::useragent::{Opening, Plan};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many bytes of a request are read.
const BODY_LIMIT: usize = 8 << 20;

/// What answers in place of the servers.
pub struct Door {
    player: Arc<Mutex<Player>>,
    /// Sessions that end with an answer.
    endings: Mutex<Vec<Arc<Ending>>>,
}

impl Door {
    pub fn new(player: Player) -> Self {
        Self { player: Arc::new(Mutex::new(player)), endings: Mutex::default() }
    }

    /// How often each fault fired.
    pub fn fired(&self) -> Vec<Fired> {
        locked(&self.player).fired().collect()
    }

    /// What becomes of redirects back to clients.
    pub fn plan(self: Arc<Self>) -> Plan {
        Arc::new(move |delivery| drop(locked(&self.player).deliver(delivery)))
    }

    /// What browsers open in place of what clients want shown.
    pub fn opening(self: Arc<Self>) -> Opening {
        Arc::new(move |session, url| locked(&self.player).open(session, url))
    }

    /// What decides where servers differ.
    pub fn policies(&self) -> Vec<Policies> {
        locked(&self.player).policies().to_vec()
    }

    /// What happened so far.
    pub fn account(&self) -> Account {
        locked(&self.player).account().clone()
    }

    /// The end of a session that is due with the answer to this request.
    fn ending(&self, request: &PlainRequest, session: u32) -> Option<Arc<Ending>> {
        let endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        if endings.is_empty() {
            return None;
        }
        let kind = locked(&self.player).kind_of(request);
        endings.iter().find(|ending| ending.is_with(session, kind)).cloned()
    }
}

impl Servers for Door {
    fn advance(&self, by: Duration) {
        locked(&self.player).model_mut().advance(by);
    }

    fn until_expired(&self) -> Duration {
        locked(&self.player).until_expired(real_time())
    }

    fn end_after(&self, session: u32, kind: Kind) -> Arc<Ending> {
        let ending = Arc::new(Ending::new(session, kind));
        self.endings.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&ending));
        ending
    }
}

impl Local for Door {
    fn handshake(&self, peer: Peer, host: &str, at: Threshold) -> Option<Handshake> {
        locked(&self.player).handshake(peer.session, host, at).0
    }

    fn answer(
        &self,
        peer: Peer,
        connection: Arc<Connection>,
        request: Request<RequestBody>,
    ) -> BoxFuture<'_, Result<Response<Body>, NoAnswer>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Some(body) = whole(body).await? else { return Ok(too_large()) };
            let request = plain(&parts, body);
            let answered = locked(&self.player).answer(&request, peer.session, real_time());
            if let Some(ending) = self.ending(&request, peer.session) {
                ending.come().await;
            }
            let by = answered.by();
            let at_end = answered.open.map(|stream| {
                let player = Arc::clone(&self.player);
                Box::new(move || locked(&player).stream_closed(&stream)) as AtEnd
            });
            let mut response = perform(answered.reply, connection, at_end).await?;
            // The recording shows it.
            response.extensions_mut().insert(by);
            Ok(response)
        })
    }
}

/// The body, once all of it is there; `None` for one that is too large.
async fn whole(mut body: RequestBody) -> Result<Option<Bytes>, Failure> {
    let gone = |reason: String| Failure { stage: Stage::ClientGone, reason };
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| gone(error.to_string()))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if bytes.len() > BODY_LIMIT {
            return Ok(None);
        }
    }
    Ok(Some(bytes.freeze()))
}

/// RFC 9110 §15.5.14.
fn too_large() -> Response<Body> {
    let mut response = Response::new(Body::from(format!("authtape: a request of more than {BODY_LIMIT} bytes\n")));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

/// The request as plain data.
fn plain(parts: &Parts, body: Bytes) -> PlainRequest {
    let fields = parts.headers.iter();
    let headers: Headers = fields.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
    let body = PlainBody { content: content(body, &headers), ..PlainBody::default() };
    let url = parts.uri.to_string();
    PlainRequest { method: parts.method.to_string(), url, version: Version::Http11, headers, body, trailers: Headers::new() }
}

/// The body of a request that is answered and never written again: JSON counts in whatever style it is.
fn content(body: Bytes, headers: &Headers) -> Content {
    if matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
        && let Ok(value) = serde_json::from_slice(&body)
    {
        return Content::Json(Json { value, style: JsonStyle::default() });
    }
    Content::of(body, headers)
}

fn locked(player: &Mutex<Player>) -> MutexGuard<'_, Player> {
    player.lock().unwrap_or_else(PoisonError::into_inner)
}

fn real_time() -> Moment {
    Moment::since_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
