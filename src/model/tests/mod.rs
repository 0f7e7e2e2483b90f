//! Tests of the model: a small client in plain data, and one file a group of endpoints.

mod invariants;
mod mcp;
mod oauth;

use super::policy::{IssuerPolicy, ServerPolicy};
use super::*;
use crate::exchange::{Body, Content, Form, Headers, Json, JsonStyle, Version};
use crate::protocol::MODERN_SINCE;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) const AS: &str = "https://as.test/t";
pub(super) const RS: &str = "https://rs.test/mcp";
pub(super) const CALLBACK: &str = "http://127.0.0.1:4711/callback";
pub(super) const VERIFIER: &str = "a-verifier-of-forty-three-characters-at-least";

/// A model of one authorization server and one MCP server, with the time of the next request.
pub(super) struct World {
    pub(super) model: Model,
    pub(super) issuer: IssuerId,
    pub(super) server: ServerId,
    pub(super) now: Moment,
}

pub(super) fn world() -> World {
    world_with(IssuerPolicy::default(), ServerPolicy::default())
}

pub(super) fn world_with(issuer: IssuerPolicy, server: ServerPolicy) -> World {
    let mut model = Model::new([7; 32]);
    let issuer = model.add_issuer(Issuer::new(AS, issuer));
    let server = model.add_server(RS, &[issuer], server);
    World { model, issuer, server, now: Moment::since_epoch(Duration::from_secs(1_000_000)) }
}

pub(super) fn request(method: &str, url: &str, headers: &[(&str, &str)], content: Content) -> Request {
    let headers: Headers = headers.iter().copied().collect();
    let body = Body { content, ..Body::default() };
    Request { method: method.to_owned(), url: url.to_owned(), version: Version::Http11, headers, body, trailers: Headers::new() }
}

pub(super) fn json_content(value: Value) -> Content {
    Content::Json(Json { value, style: JsonStyle::Compact })
}

pub(super) fn body(response: &Response) -> Value {
    response.body.content.json().expect("a JSON body").into_owned()
}

/// The members of the query of a redirect.
pub(super) fn redirected(response: &Response) -> Form {
    assert_eq!(response.status, 302);
    let location = response.headers.first("location").expect("a location");
    Form::parse(location.split_once('?').expect("a query").1).expect("a form")
}

impl World {
    pub(super) fn send(&mut self, request: &Request) -> Response {
        self.model.answer(request, self.now).response
    }

    pub(super) fn post_form(&mut self, url: &str, members: &[(&str, &str)]) -> Response {
        let form: Form = members.iter().copied().collect();
        self.send(&request("POST", url, &[], Content::Form(form)))
    }

    pub(super) fn register(&mut self, change: Value) -> Response {
        let mut metadata = json!({
            "client_name": "test",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        if let (Some(metadata), Value::Object(change)) = (metadata.as_object_mut(), change) {
            metadata.extend(change);
        }
        self.send(&request("POST", &format!("{AS}/register"), &[], json_content(metadata)))
    }

    pub(super) fn client(&mut self) -> String {
        body(&self.register(json!({})))["client_id"].as_str().expect("an id").to_owned()
    }

    /// An authorization request; `change` replaces members, an empty value removes one.
    pub(super) fn authorize(&mut self, client: &str, change: &[(&str, &str)]) -> Response {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut members = vec![
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("state", "xyz"),
            ("scope", "a b"),
            ("resource", RS),
        ];
        alter(&mut members, change);
        let query: Form = members.into_iter().collect();
        self.send(&request("GET", &format!("{AS}/authorize?{}", query.to_text()), &[], Content::Empty))
    }

    pub(super) fn code(&mut self, client: &str) -> String {
        redirected(&self.authorize(client, &[])).first("code").expect("a code").to_owned()
    }

    pub(super) fn exchange(&mut self, client: &str, code: &str, change: &[(&str, &str)]) -> Response {
        let mut members = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("client_id", client),
            ("code_verifier", VERIFIER),
            ("resource", RS),
        ];
        alter(&mut members, change);
        self.post_form(&format!("{AS}/token"), &members)
    }

    pub(super) fn refresh(&mut self, client: &str, token: &str, change: &[(&str, &str)]) -> Response {
        let mut members = vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client), ("resource", RS)];
        alter(&mut members, change);
        self.post_form(&format!("{AS}/token"), &members)
    }

    /// A whole login: client, access token, refresh token.
    pub(super) fn login(&mut self) -> (String, String, String) {
        let client = self.client();
        let code = self.code(&client);
        let (access, refresh) = tokens(&self.exchange(&client, &code, &[]));
        (client, access, refresh)
    }

    pub(super) fn revoke(&mut self, client: &str, token: &str) -> Response {
        self.post_form(&format!("{AS}/revoke"), &[("token", token), ("client_id", client)])
    }

    /// A modern request; further headers replace the usual ones.
    pub(super) fn modern(&mut self, bearer: &str, method: &str, params: Value, change: &[(&str, &str)]) -> Response {
        let mut params = params;
        params["_meta"] =
            json!({"io.modelcontextprotocol/protocolVersion": MODERN_SINCE, "io.modelcontextprotocol/clientCapabilities": {}});
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let authorization = format!("Bearer {bearer}");
        let mut headers = vec![("authorization", authorization.as_str()), ("mcp-protocol-version", MODERN_SINCE), ("mcp-method", method)];
        headers.push(("mcp-name", &name));
        alter(&mut headers, change);
        let message = json!({"jsonrpc": "2.0", "id": "x1", "method": method, "params": params});
        self.send(&request("POST", RS, &headers, json_content(message)))
    }

    /// A legacy message with the session, if there is one.
    pub(super) fn legacy(&mut self, bearer: &str, session: &str, message: Value) -> Response {
        let authorization = format!("Bearer {bearer}");
        let mut headers = vec![("authorization", authorization.as_str()), ("accept", "application/json, text/event-stream")];
        headers.push(("content-type", "application/json"));
        if !session.is_empty() {
            headers.push(("mcp-session-id", session));
            headers.push(("mcp-protocol-version", "2025-11-25"));
        }
        self.send(&request("POST", RS, &headers, json_content(message)))
    }

    pub(super) fn session(&mut self, bearer: &str) -> String {
        let response = self.legacy(bearer, "", initialize());
        assert_eq!(response.status, 200);
        response.headers.first("mcp-session-id").expect("a session").to_owned()
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }
}

pub(super) fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}}})
}

pub(super) fn tokens(response: &Response) -> (String, String) {
    assert_eq!(response.status, 200, "{response:?}");
    let body = body(response);
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("access_token"), text("refresh_token"))
}

#[test]
fn debug_shows_no_value_that_was_issued() {
    let mut world = world();
    let (client, access, refresh) = world.login();
    let session = world.session(&access);
    let answer = world.model.answer(&request("GET", AS, &[], Content::Empty), world.now);
    let shown = format!("{:?} {answer:?}", world.model);
    for value in [client, access, refresh, session] {
        assert!(!shown.contains(&value) && !shown.contains(&value[8..]), "{shown}");
    }
}

fn alter<'a>(members: &mut Vec<(&'a str, &'a str)>, change: &[(&'a str, &'a str)]) {
    members.retain(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
    members.extend(change.iter().filter(|(_, value)| !value.is_empty()));
}
