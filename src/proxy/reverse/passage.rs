//! A request that came to a reverse URL on its way to the real one, and the answer on its way back. What is recorded is what the
//! real server gets and says; the client sees neither.

use super::super::context::{Context, Via};
use super::super::forward::{self, Codings};
use super::body::{self, FirstEvent, LIMIT, Read};
use super::{Limit, Reverse, View};
use crate::exchange::{Coding, Inflater};
use crate::protocol::Endpoint;
use crate::protocol::parse_challenges;
use crate::protocol::rebind::{Document, Rebinding};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, request, response};
use hudsucker::Body;
use std::sync::Arc;

/// Fields that hold for the bytes of the real document, or would lead past us.
const NOT_OURS: &[&str] =
    &["content-length", "content-encoding", "etag", "last-modified", "digest", "content-digest", "repr-digest", "content-md5"];
/// Parameters that a client signs for the URLs it knows: RFC 7523 §2.2, RFC 7521 §4.1, RFC 9101 §5.
const SIGNED: &[&str] = &["client_assertion", "assertion", "request"];

/// What an answer is told by its question.
struct Asked {
    method: Method,
    is_well_known: bool,
    /// A JSON-RPC message: what it is answered is no metadata.
    is_rpc: bool,
}

/// Passes a request on to the origin that its URL stands for.
pub(in super::super) async fn pass(context: &Arc<Context>, via: &Via, view: View, mut head: request::Parts, body: Body) -> Response<Body> {
    let reverse = &context.reverse;
    let inward = view.inward();
    let Some(uri) = real_url(&inward, &head.uri.to_string()).and_then(|url| url.parse::<Uri>().ok()) else {
        return forward::text(StatusCode::BAD_REQUEST, "authtape: this URL cannot be mapped to its server\n".to_owned());
    };
    reverse.look_at(uri.query().unwrap_or_default(), &view);
    if head.headers.contains_key("dpop") {
        reverse.meet(Limit::Dpop);
    }
    rewrite(&mut head.headers, |name, value| inward.request_header(name, value));
    if let Some(host) = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        head.headers.insert(header::HOST, host);
    }
    head.uri = uri;
    let (body, is_rpc) = asked_for(reverse, &view, &mut head, body).await;
    let asked = Asked { method: head.method.clone(), is_well_known: head.uri.path().contains("/.well-known/"), is_rpc };
    let response = forward::pass(context, via, Request::from_parts(head, body), Codings::None).await;
    answered(reverse, view, &asked, response).await
}

/// The real URL of a local one, what its query names included; `None` when it is at no reverse listener.
pub(super) fn real_url(inward: &Rebinding, url: &str) -> Option<String> {
    let moved = inward.url(url)?;
    let (before, fragment) = moved.split_once('#').map_or((moved.as_str(), None), |(before, fragment)| (before, Some(fragment)));
    let query = before.split_once('?').and_then(|(place, query)| Some((place, inward.request_parameters(query)?)));
    Some(match (query, fragment) {
        (None, _) => moved,
        (Some((place, query)), None) => format!("{place}?{query}"),
        (Some((place, query)), Some(fragment)) => format!("{place}?{query}#{fragment}"),
    })
}

/// The body of a request as the server is to get it, and whether it is a JSON-RPC message.
async fn asked_for(reverse: &Reverse, view: &View, head: &mut request::Parts, body: Body) -> (Body, bool) {
    let inward = view.inward();
    let media_type = media_type(&head.headers);
    let is_form = media_type == "application/x-www-form-urlencoded";
    if !(is_form || is_json(&media_type)) || head.headers.contains_key(header::CONTENT_ENCODING) {
        return (body, false);
    }
    let bytes = match body::read(body).await {
        Read::Whole(bytes) => bytes,
        Read::Rest(rest) => return (rest, !is_form),
    };
    let is_rpc = !is_form && memchr::memmem::find(&bytes, b"\"jsonrpc\"").is_some();
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let moved = if is_form {
        reverse.look_at(text, view);
        inward.request_parameters(text)
    } else {
        Document::read(&bytes).filter(|_| !is_rpc).and_then(|document| {
            SIGNED.iter().filter(|name| document.holds(name)).for_each(|_| reverse.meet(Limit::Assertion));
            document.request(&inward)
        })
    };
    let Some(moved) = moved else { return (Body::from(bytes), is_rpc) };
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(moved.len()));
    (Body::from(moved), is_rpc)
}

/// The answer as the client is to get it.
async fn answered(reverse: &Reverse, mut view: View, asked: &Asked, response: Response<Body>) -> Response<Body> {
    let (mut head, mut body) = response.into_parts();
    let mut document = None;
    if is_document(asked, &head) {
        match body::read(body).await {
            Read::Whole(bytes) => {
                document = decoded(&head.headers, &bytes).and_then(|bytes| Document::read(&bytes));
                body = Body::from(bytes);
            }
            Read::Rest(rest) => body = rest,
        }
    }
    let mut named = challenged(&head.headers);
    if let Some(document) = &document {
        named.extend(document.origins());
        reverse.note_document(document);
    }
    reverse.stand_for_named(named).await;
    view.bindings = reverse.bindings();
    let outward = view.outward();
    rewrite(&mut head.headers, |name, value| outward.response_header(name, value));
    head.headers.remove(header::ALT_SVC);
    if let Some(text) = document.and_then(|document| document.rebound(&outward)) {
        NOT_OURS.iter().for_each(|name| drop(head.headers.remove(*name)));
        // The port may be another one tomorrow.
        head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        body = Body::from(text);
    } else if asked.method == Method::GET && media_type(&head.headers) == "text/event-stream" {
        head.headers.remove(header::CONTENT_LENGTH);
        body = FirstEvent::of(body, outward);
    }
    Response::from_parts(head, body)
}

/// True for an answer that may name URLs of servers. A page is left alone, and so is what answers a message.
fn is_document(asked: &Asked, head: &response::Parts) -> bool {
    let media_type = media_type(&head.headers);
    let may_be_json = is_json(&media_type) || (asked.is_well_known && media_type != "text/html");
    may_be_json && !asked.is_rpc && asked.method != Method::HEAD && !matches!(head.status.as_u16(), 100..=199 | 204 | 206 | 304)
}

/// The body without codings: a server may encode though it was asked not to. `None` when that cannot be undone.
fn decoded(headers: &HeaderMap, bytes: &Bytes) -> Option<Bytes> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::to_str).collect::<Result<Vec<_>, _>>().ok()?;
    let codings = Coding::parse_list(values.into_iter()).ok()?;
    if codings.is_empty() {
        return Some(bytes.clone());
    }
    let mut inflater = Inflater::new(&codings, LIMIT);
    let decoded = inflater.push(bytes).ok()?;
    (!inflater.overflowed()).then(|| decoded.into())
}

/// The origins at which a challenge names metadata (RFC 9728 §5.1).
fn challenged(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges = parse_challenges(&values.map(|value| ("www-authenticate", value)).collect());
    let urls = challenges.iter().filter_map(|challenge| Endpoint::parse(challenge.resource_metadata()?));
    urls.map(|url| url.origin().to_owned()).collect()
}

/// Replaces values of fields, each in its place.
fn rewrite(headers: &mut HeaderMap, moved: impl Fn(&str, &str) -> Option<String>) {
    for (name, value) in headers.iter_mut() {
        let new = value.to_str().ok().and_then(|text| moved(HeaderName::as_str(name), text));
        if let Some(new) = new.and_then(|new| HeaderValue::try_from(new).ok()) {
            *value = new;
        }
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

impl Reverse {
    /// Looks at the parameters of a request: a login to be remembered, or something signed for the wrong URL.
    fn look_at(&self, parameters: &str, view: &View) {
        let has = |wanted: &[&str]| url::form_urlencoded::parse(parameters.as_bytes()).any(|(name, _)| wanted.contains(&name.as_ref()));
        if has(SIGNED) {
            self.meet(Limit::Assertion);
        }
        // RFC 6749 §4.1.1, RFC 9126 §2.1.
        if has(&["client_id"]) && has(&["response_type", "code_challenge"]) {
            self.note_state(parameters, view.spelling);
        }
    }

    fn note_document(&self, document: &Document) {
        if document.holds("id_token") {
            self.meet(Limit::IdToken);
        }
        if document.says("authorization_response_iss_parameter_supported") {
            self.sends_iss.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
