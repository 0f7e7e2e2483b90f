//! A tape without a wire: requests to the model, kept as interactions. Nothing is scrubbed; a player does not mind.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::replay_lab::{AUTH, CHALLENGE, MCP, VERIFIER};
use authtape::cassette::{Cassette, Interaction};
use authtape::exchange::{Actor, Body, Content, Exchange, Form, Headers, Outcome, Request, Response, Version};
use authtape::model::{Issuer, IssuerId, IssuerPolicy, Model, Moment, ServerPolicy};
use authtape::protocol::Kind;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// An authorization server and an MCP server with everything that they were asked.
pub struct Recorder {
    pub model: Model,
    pub issuer: IssuerId,
    pub at: Duration,
    interactions: Vec<Interaction>,
}

/// A login's outcome.
#[derive(Clone, Default)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Recorder {
    /// Two servers whose metadata was fetched.
    pub fn new(issuer: IssuerPolicy, server: ServerPolicy) -> Self {
        let mut model = Model::new([9; 32]);
        let issuer = model.add_issuer(Issuer::new(AUTH, issuer));
        model.add_server(MCP, &[issuer], server);
        let mut recorder = Self { model, issuer, at: Duration::ZERO, interactions: Vec::new() };
        recorder.get(Kind::Prm, "http://mcp.demo.localhost/.well-known/oauth-protected-resource/mcp");
        recorder.get(Kind::AsMetadata, &format!("{AUTH}/.well-known/oauth-authorization-server"));
        recorder
    }

    /// What was recorded.
    pub fn cassette(&self) -> Cassette {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tape.yaml");
        let head = "authtape: 1\nrecorded: {at: 2026-11-20T10:12:03Z, with: authtape 0.1.0, client: [other]}\nfinished: true\nraw: true\n";
        std::fs::write(&path, head).unwrap();
        let mut cassette = Cassette::load(&path).unwrap_or_else(|error| panic!("{error}"));
        cassette.interactions.clone_from(&self.interactions);
        cassette
    }

    pub fn send(&mut self, kind: Kind, method: &str, url: &str, headers: &[(&str, &str)], content: Content) -> Response {
        let headers: Headers = headers.iter().copied().collect();
        let (body, trailers) = (Body { content, ..Body::default() }, Headers::new());
        let request = Request { method: method.to_owned(), url: url.to_owned(), version: Version::Http11, headers, body, trailers };
        let now = Moment::since_epoch(Duration::from_secs(1_700_000_000) + self.at);
        let response = self.model.answer(&request, now).response;
        let number = u32::try_from(self.interactions.len()).unwrap() + 1;
        let (at, took, outcome) = (self.at, Some(Duration::from_millis(1)), Outcome::Response(response.clone()));
        let (session, connection, actor) = (1, 1, Actor::Client);
        let exchange = Exchange { number, session, actor, connection, at, took, request, outcome, inferred: false, answered: None };
        self.interactions.push(Interaction { exchange, kind });
        self.at += Duration::from_millis(10);
        response
    }

    fn get(&mut self, kind: Kind, url: &str) {
        self.send(kind, "GET", url, &[], Content::Empty);
    }

    pub fn form(&mut self, kind: Kind, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let form = fields.iter().copied().filter(|(_, value)| !value.is_empty()).collect::<Form>();
        let response = self.send(kind, "POST", &format!("{AUTH}{path}"), &[], Content::Form(form));
        let body = response.body.content.json().map(|body| body.into_owned()).unwrap_or_default();
        (response.status, body)
    }

    pub fn register(&mut self, redirect_uri: &str, change: &Value) -> Response {
        let mut metadata = json!({"client_name": "x", "redirect_uris": [redirect_uri], "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none"});
        metadata.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap_or_default());
        metadata.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let content = Content::of(metadata.to_string().into(), &Headers::new());
        self.send(Kind::DcrCreate, "POST", &format!("{AUTH}/register"), &[("content-type", "application/json")], content)
    }

    pub fn client(&mut self, redirect_uri: &str) -> String {
        let response = self.register(redirect_uri, &json!({}));
        let body = response.body.content.json().map(|body| body.into_owned()).unwrap_or_default();
        body["client_id"].as_str().unwrap_or_default().to_owned()
    }

    /// An authorization request; an empty value leaves the parameter out. The code, where one came.
    pub fn code(&mut self, client: &str, redirect_uri: &str, change: &[(&str, &str)]) -> Option<String> {
        let mut fields = vec![("response_type", "code"), ("client_id", client), ("redirect_uri", redirect_uri), ("state", "s")];
        fields.extend([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        fields.retain(|(name, _)| !change.iter().any(|(own, _)| own == name));
        fields.extend(change.iter().copied().filter(|(_, value)| !value.is_empty()));
        let mut url = Url::parse(&format!("{AUTH}/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        let response = self.send(Kind::Authorize, "GET", url.as_str(), &[], Content::Empty);
        let back = Url::parse(response.headers.first("location")?).unwrap();
        back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
    }

    pub fn redeem(&mut self, client: &str, redirect_uri: &str, code: &str, resource: &str) -> Option<Tokens> {
        let fields = [("grant_type", "authorization_code"), ("client_id", client), ("code", code), ("redirect_uri", redirect_uri)];
        let fields = [&fields[..], &[("code_verifier", VERIFIER), ("resource", resource)]].concat();
        let (_, body) = self.form(Kind::TokenCode, "/token", &fields);
        tokens(&body)
    }

    pub fn refresh(&mut self, client: &str, token: &str, resource: &str) -> Option<Tokens> {
        let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token), ("resource", resource)];
        let (_, body) = self.form(Kind::TokenRefresh, "/token", &fields);
        tokens(&body)
    }

    pub fn revoke(&mut self, client: &str, token: &str) {
        self.form(Kind::Revoke, "/revoke", &[("client_id", client), ("token", token)]);
    }

    /// A request of 2026-07-28; its status.
    pub fn ask(&mut self, bearer: &str, method: &str) -> u16 {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}});
        let bearer = format!("Bearer {bearer}");
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("content-type", "application/json")];
        headers.extend((bearer != "Bearer ").then_some(("authorization", bearer.as_str())));
        self.send(Kind::McpRequest, "POST", MCP, &headers, Content::of(message.to_string().into(), &Headers::new())).status
    }

    /// A whole login.
    pub fn login(&mut self, client: &str, redirect_uri: &str) -> Tokens {
        let code = self.code(client, redirect_uri, &[]).unwrap_or_default();
        self.redeem(client, redirect_uri, &code, "").unwrap_or_default()
    }

    pub fn wait(&mut self, seconds: u64) {
        self.at += Duration::from_secs(seconds);
    }
}

fn tokens(body: &Value) -> Option<Tokens> {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    body.get("access_token").map(|_| Tokens { access: text("access_token"), refresh: text("refresh_token") })
}
