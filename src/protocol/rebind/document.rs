//! Metadata documents and what else answers a client in JSON, and the event that names a URL. Which members are URLs of the server
//! is decided by their names; everything else, the client's own URLs above all, stays.

use super::{Endpoint, Rebinding};
use crate::exchange::{Json, JsonStyle};
use serde_json::{Map, Value};
use std::fmt;

/// Members that are URLs of the server or of one that it trusts: RFC 9728 §2, RFC 8414 §2, RFC 7591 §3.2.1, RFC 8628 §3.2,
/// RFC 8705 §5, OpenID Connect Discovery §3. Beside these, all whose names end in `_endpoint`.
const URLS: &[&str] = &[
    "resource",
    "authorization_servers",
    "issuer",
    "iss",
    "jwks_uri",
    "registration_client_uri",
    "verification_uri",
    "verification_uri_complete",
    "protected_resources",
    "check_session_iframe",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
    "service_documentation",
    "op_policy_uri",
    "op_tos_uri",
    "resource_metadata",
];

/// Members that send a client to a server.
const SERVERS: &[&str] = &["authorization_servers", "issuer", "jwks_uri"];

/// Metadata in a form that is signed for its own URLs (RFC 8414 §2.1, RFC 9728 §2.2): it would take precedence.
const SIGNED: &str = "signed_metadata";

/// A JSON object that is not a JSON-RPC message.
#[derive(Clone, PartialEq)]
pub struct Document {
    members: Map<String, Value>,
    style: JsonStyle,
}

impl Document {
    /// Reads a body; `None` when it is anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (value, style) = match Json::parse_faithful(text) {
            Some(json) => (json.value, json.style),
            None => (serde_json::from_str(text).ok()?, JsonStyle::Compact),
        };
        match value {
            Value::Object(members) if !members.contains_key("jsonrpc") => Some(Self { members, style }),
            _ => None,
        }
    }

    /// The document as a client is to see it, or as a server is; `None` where nothing changes.
    pub fn rebound(&self, rebinding: &Rebinding) -> Option<String> {
        let mut members = self.members.clone();
        let mut is_changed = false;
        for (_, value) in members.iter_mut().filter(|(name, _)| is_url(name)) {
            is_changed |= rebind(value, rebinding);
        }
        // RFC 8705 §5.
        if let Some(Value::Object(aliases)) = members.get_mut("mtls_endpoint_aliases") {
            aliases.values_mut().for_each(|value| is_changed |= rebind(value, rebinding));
        }
        if is_changed {
            members.shift_remove(SIGNED);
        }
        is_changed.then(|| self.written(members))
    }

    /// A request body whose parameters name servers; `None` where nothing changes.
    pub fn request(&self, rebinding: &Rebinding) -> Option<String> {
        let mut members = self.members.clone();
        let mut is_changed = false;
        for (_, value) in members.iter_mut().filter(|(name, _)| Rebinding::is_request_parameter(name)) {
            is_changed |= rebind(value, rebinding);
        }
        is_changed.then(|| self.written(members))
    }

    /// The origins to which this document sends a client, if it is metadata of an MCP server or of an authorization server.
    pub fn origins(&self) -> Vec<String> {
        let is_endpoint = |name: &str| name.ends_with("_endpoint");
        let of_resource = self.members.contains_key("resource") && self.members.contains_key("authorization_servers");
        let of_issuer = self.members.contains_key("issuer") && self.members.keys().any(|name| is_endpoint(name));
        if !of_resource && !of_issuer {
            return Vec::new();
        }
        let mut origins = Vec::new();
        for (_, value) in self.members.iter().filter(|(name, _)| is_endpoint(name) || SERVERS.contains(&name.as_str())) {
            for url in std::slice::from_ref(value).iter().chain(value.as_array().into_iter().flatten()).filter_map(Value::as_str) {
                let origin = Endpoint::parse(url).map(|url| url.origin().to_owned());
                origins.extend(origin.filter(|origin| !origins.contains(origin)));
            }
        }
        origins
    }

    /// True when it has this member.
    pub fn holds(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// True when this member is `true`.
    pub fn says(&self, name: &str) -> bool {
        self.members.get(name) == Some(&Value::Bool(true))
    }

    fn written(&self, members: Map<String, Value>) -> String {
        Json { value: Value::Object(members), style: self.style }.to_text()
    }
}

impl Rebinding {
    /// The event of the HTTP+SSE transport that names the URL for messages (MCP 2024-11-05, Transports): `event` is the text up to
    /// its blank line. `None` where nothing changes.
    pub fn endpoint_event(&self, event: &str) -> Option<String> {
        let field = |line: &str, name: &str| -> Option<String> {
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(value.strip_prefix(' ').unwrap_or(value).trim_end_matches(['\r', '\n']).to_owned())
        };
        let lines = || event.split_inclusive('\n');
        if !lines().any(|line| field(line, "event").as_deref() == Some("endpoint")) {
            return None;
        }
        let mut is_changed = false;
        let moved = lines().map(|line| match field(line, "data").and_then(|url| Some((self.url(url.trim())?, url))) {
            Some((moved, url)) => {
                is_changed = true;
                line.replacen(&url, &moved, 1)
            }
            None => line.to_owned(),
        });
        let text: String = moved.collect();
        is_changed.then_some(text)
    }
}

fn is_url(name: &str) -> bool {
    name.ends_with("_endpoint") || URLS.contains(&name)
}

/// A URL or a list of URLs.
fn rebind(value: &mut Value, rebinding: &Rebinding) -> bool {
    match value {
        Value::String(url) => match rebinding.url(url) {
            Some(moved) => {
                *url = moved;
                true
            }
            None => false,
        },
        Value::Array(urls) => {
            urls.iter_mut().filter(|url| url.is_string()).fold(false, |is_changed, url| rebind(url, rebinding) | is_changed)
        }
        _ => false,
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} members)", self.members.len())
    }
}
