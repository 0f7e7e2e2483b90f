//! The model behind axum: turns requests into plain data, asks the model, performs its answer. Plain http, for loopback.

use crate::exchange::{Body as PlainBody, Content, Headers, Request, Version};
use crate::model::{Answer, Decided, Model, Moment, OpenStream};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

/// How many bytes of a request are read.
const BODY_LIMIT: usize = 1 << 20;

/// Changes an answer on its way out: a fault, made by hand.
pub type Edit = Box<dyn FnMut(&Request, &mut Answer) + Send>;

/// A model that is being served, its clock and its log.
pub struct Front {
    model: Mutex<Model>,
    seen: Mutex<Vec<Seen>>,
    edit: Mutex<Option<Edit>>,
    inner: Option<Router>,
    shutdown: CancellationToken,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The status that went out, after any edit.
    pub status: u16,
    /// What the model decided; `None` for what another server behind the gate answered.
    pub decided: Option<Decided>,
}

impl Front {
    /// A front for this model.
    pub fn new(model: Model) -> Self {
        Self { model: Mutex::new(model), seen: Mutex::default(), edit: Mutex::default(), inner: None, shutdown: CancellationToken::new() }
    }

    /// The same front with another MCP server behind its gate: what the model would let through, that server answers.
    #[must_use]
    pub fn before(mut self, inner: Router) -> Self {
        self.inner = Some(inner);
        self
    }

    /// The model, to look at or to change; the servers wait meanwhile.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the model's clock forward.
    pub fn advance(&self, by: Duration) {
        self.model().advance(by);
    }

    /// Changes every answer from now on.
    pub fn edit(&self, edit: impl FnMut(&Request, &mut Answer) + Send + 'static) {
        *self.edit.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(edit));
    }

    /// Every request so far, in order of answer.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends open streams and the servers.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Answers one request, as [`serve`] does.
    pub fn answer(&self, request: &Request) -> Answer {
        let mut answer = self.model().answer(request, real_time());
        if let Some(edit) = self.edit.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            edit(request, &mut answer);
        }
        self.log(request, answer.response.status, Some(answer.decided.clone()));
        answer
    }

    /// The server behind the gate, if the request is for it and may pass.
    fn passes(&self, request: &Request) -> Option<Router> {
        let inner = self.inner.as_ref()?;
        let model = self.model();
        let server = model.server_at(&request.url)?;
        model.admit(server, request, model.time(real_time())).is_ok().then(|| inner.clone())
    }

    fn log(&self, request: &Request, status: u16, decided: Option<Decided>) {
        let path = url::Url::parse(&request.url).map(|url| url.path().to_owned()).unwrap_or_default();
        let seen = Seen { method: request.method.clone(), path, status, decided };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

/// Serves on a bound listener until [`Front::stop`].
///
/// # Errors
/// Those of accepting connections.
pub async fn serve(listener: TcpListener, front: Arc<Front>) -> io::Result<()> {
    let shutdown = front.shutdown.clone();
    let router = Router::new().fallback(handle).with_state(front);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn handle(State(front): State<Arc<Front>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else { return refused(StatusCode::PAYLOAD_TOO_LARGE) };
    let request = plain(&parts, body.clone());
    if let Some(mut inner) = front.passes(&request) {
        let Ok(response) = inner.call(http::Request::from_parts(parts, Body::from(body))).await;
        front.log(&request, response.status().as_u16(), None);
        return response;
    }
    let answer = front.answer(&request);
    perform(answer, front).unwrap_or_else(|_| refused(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The request as plain data; its URL is absolute.
fn plain(parts: &Parts, body: Bytes) -> Request {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Headers = parts.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let authority = parts.uri.authority().map(|authority| authority.as_str()).or_else(|| headers.first("host")).unwrap_or_default();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let url = format!("http://{authority}{target}");
    let body = PlainBody { content: Content::of(body, &headers), ..PlainBody::default() };
    Request { method: parts.method.to_string(), url, version: Version::Http11, headers, body, trailers: Headers::new() }
}

fn perform(answer: Answer, front: Arc<Front>) -> Result<Response, http::Error> {
    let Answer { response, open, .. } = answer;
    let bytes = Bytes::from(response.body.content.to_bytes().into_owned());
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in response.headers.iter() {
        builder = builder.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    match open {
        None => builder.body(Body::from(bytes)),
        Some(stream) => builder.body(kept_open(bytes, OpenGuard { front, stream })),
    }
}

/// A body that says what it has to say and then stays open until one side leaves.
fn kept_open(first: Bytes, guard: OpenGuard) -> Body {
    let state = (Some(first), guard);
    Body::from_stream(stream::unfold(state, async |(first, guard)| match first {
        Some(first) => Some((Ok::<_, Infallible>(first), (None, guard))),
        None => {
            guard.front.shutdown.cancelled().await;
            None
        }
    }))
}

/// Tells the model when a stream is over, however it ends.
struct OpenGuard {
    front: Arc<Front>,
    stream: OpenStream,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.front.model().stream_closed(&self.stream);
    }
}

fn refused(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn real_time() -> Moment {
    Moment::since_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}
