//! Header fields between two connections: what is recorded, what belongs to one connection only and is not forwarded
//! (RFC 9110 §7.6.1), and what our own credential must never become.

use crate::exchange::Headers;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields for the record, in order, without those between the client and us.
pub(super) fn record(headers: &HeaderMap) -> Headers {
    headers
        .iter()
        .filter(|(name, _)| *name != header::PROXY_AUTHORIZATION && *name != PROXY_CONNECTION)
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

/// True for the head of an event stream.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
    media_type.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

/// Removes the fields that concern one connection only.
pub(super) fn strip(headers: &mut HeaderMap) {
    let wants_trailers = headers.get(header::TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ] {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// The protocol that a request wants to change to on its connection; `h2c` is not offered (RFC 9113 §3.1).
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_asked_for = connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(header::UPGRADE).filter(|_| is_asked_for)?;
    (!protocol.as_bytes().to_ascii_lowercase().starts_with(b"h2c")).then(|| protocol.clone())
}

/// HTTP/2 allows several `cookie` fields, HTTP/1.1 one (RFC 9113 §8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Puts `host` first when the request has none: HTTP/2 names the host elsewhere.
pub(super) fn add_host(headers: &mut HeaderMap, authority: &str) {
    if headers.contains_key(header::HOST) {
        return;
    }
    let Ok(value) = HeaderValue::from_str(authority) else { return };
    let rest = std::mem::take(headers);
    headers.reserve(rest.len() + 1);
    headers.insert(header::HOST, value);
    headers.extend(rest);
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    connection_options(headers).filter_map(|option| option.parse().ok()).collect()
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn what_belongs_to_a_connection_is_not_forwarded() {
        let mut headers = map(&[
            ("host", "a"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        assert!(!record(&headers).has("proxy-authorization"));
        strip(&mut headers);
        let mut left = names(&headers);
        left.sort_unstable();
        assert_eq!(left, ["accept", "host", "te"]);
    }

    #[test]
    fn only_another_protocol_is_an_upgrade() {
        assert!(upgrade(&map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).is_some());
        assert!(upgrade(&map(&[("upgrade", "websocket")])).is_none());
        assert!(upgrade(&map(&[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")])).is_none());
    }

    #[test]
    fn cookies_are_joined_and_a_missing_host_comes_first() {
        let mut headers = HeaderMap::new();
        headers.append("accept", HeaderValue::from_static("*/*"));
        headers.append("cookie", HeaderValue::from_static("a=1"));
        headers.append("cookie", HeaderValue::from_static("b=2"));
        join_cookies(&mut headers);
        add_host(&mut headers, "a.test:8443");
        assert_eq!(names(&headers), ["host", "accept", "cookie"]);
        assert_eq!(headers["cookie"], "a=1; b=2");
    }
}
