//! A generated login with secrets planted at every structural position, repeated in every encoding elsewhere.

use super::leak::encodings;
use super::random::{BASE62, Chance, URL_SAFE, jwt, secret, uuid};
use crate::exchange::{Actor, Body, Content, End, Exchange, Failure, Headers, Outcome, Request, Response, SseParser, Stage, Version};
use crate::protocol::Kind;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What was planted, by role.
pub struct Planted {
    pub client_id: String,
    pub client_secret: String,
    pub registration_token: String,
    pub state: String,
    pub code: String,
    pub verifier: String,
    pub challenge: String,
    pub access: String,
    pub refresh: String,
    pub id_token: String,
    pub session: String,
    pub cookie: String,
    pub api_key: String,
    pub password: String,
}

impl Planted {
    pub fn new(chance: &mut Chance) -> Self {
        let verifier = chance.text(URL_SAFE, 43);
        Self {
            client_id: if chance.below(2) == 0 { uuid(chance) } else { chance.text(BASE62, 24) },
            client_secret: secret(chance, false),
            registration_token: secret(chance, true),
            state: chance.text(URL_SAFE, 43),
            code: secret(chance, false),
            challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())),
            verifier,
            access: secret(chance, true),
            refresh: secret(chance, false),
            id_token: jwt(chance),
            session: secret(chance, true),
            cookie: chance.text(BASE62, 26),
            api_key: secret(chance, true),
            password: secret(chance, false),
        }
    }

    /// The personal claim of the id token.
    pub fn email(&self) -> String {
        let payload = URL_SAFE_NO_PAD.decode(self.id_token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&payload).unwrap()["email"].as_str().unwrap().to_owned()
    }

    pub fn all(&self) -> Vec<&str> {
        vec![
            &self.client_id,
            &self.client_secret,
            &self.registration_token,
            &self.state,
            &self.code,
            &self.verifier,
            &self.challenge,
            &self.access,
            &self.refresh,
            &self.id_token,
            &self.session,
            &self.cookie,
            &self.api_key,
            &self.password,
        ]
    }
}

pub fn exchange(
    number: u32,
    method: &str,
    url: &str,
    request: (&[(&str, &str)], &str),
    response: (u16, &[(&str, &str)], &str),
) -> Exchange {
    let headers = |fields: &[(&str, &str)]| fields.iter().copied().collect::<Headers>();
    let body = |headers: &Headers, text: &str| {
        let content = match headers.media_type().as_deref() {
            Some("text/event-stream") => {
                let (mut parser, mut events) = (SseParser::default(), Vec::new());
                parser.push(Duration::ZERO, text.as_bytes(), &mut events);
                Content::Events(crate::exchange::EventStream { style: parser.style(), events, tail: parser.into_tail() })
            }
            _ => Content::of(text.to_owned().into(), headers),
        };
        Body { content, codings: Vec::new(), end: End::Complete }
    };
    let asked = headers(request.0);
    let answered = headers(response.1);
    Exchange {
        number,
        session: 1,
        actor: Actor::Client,
        connection: 1,
        at: Duration::ZERO,
        took: None,
        request: Request {
            method: method.into(),
            url: url.into(),
            version: Version::Http11,
            body: body(&asked, request.1),
            headers: asked,
            trailers: Headers::new(),
        },
        outcome: Outcome::Response(Response {
            status: response.0,
            body: body(&answered, response.2),
            headers: answered,
            trailers: Headers::new(),
        }),
        inferred: false,
        answered: None,
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const HTML: (&str, &str) = ("content-type", "text/html");
const EVENTS: (&str, &str) = ("content-type", "text/event-stream");

fn query(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
}

const REDIRECT: &str = "http://localhost:49152/callback";
const TOKEN: &str = "https://as.example/token";

/// The exchanges of the login, in order.
pub fn login(p: &Planted, chance: &mut Chance) -> Vec<(Exchange, Kind)> {
    let style = chance.below(3);
    let written = move |value: &Value| match style {
        0 => value.to_string(),
        1 => serde_json::to_string_pretty(value).unwrap(),
        _ => value.to_string().replace("\":", "\" : ").replace('/', "\\/"),
    };
    let bearer = format!("Bearer {}", p.access);
    let (auth, session) = (("authorization", bearer.as_str()), ("mcp-session-id", p.session.as_str()));
    let keyed = format!("https://mcp.example/mcp?api_key={}", query(&p.api_key));
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":{"name":"claude-code","version":"2.1.329"}}}"#;
    let initialized = (200, [JSON, session], r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let mut all = front_channel(p, &written);
    all.push(code_exchange(p, &written));
    all.push((exchange(5, "POST", &keyed, (&[JSON, auth], initialize), (initialized.0, &initialized.1, initialized.2)), Kind::McpRequest));
    all.push(echo(6, p, chance, &[JSON, auth, session]));
    let refresh = format!("grant_type=refresh_token&refresh_token={}&scope=read%20write", query(&p.refresh));
    let refused = written(&json!({"error": "invalid_grant", "error_description": format!("token {} is unknown", p.refresh)}));
    let basic = basic(p);
    all.push((exchange(7, "POST", TOKEN, (&[FORM, ("authorization", &basic)], &refresh), (400, &[JSON], &refused)), Kind::TokenRefresh));
    let password = form(&[("grant_type", "password"), ("username", "jane"), ("password", &p.password)]);
    all.push((exchange(8, "POST", TOKEN, (&[FORM], &password), (401, &[], "")), Kind::TokenOther));
    all
}

fn basic(p: &Planted) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", query(&p.client_id), query(&p.client_secret))))
}

/// Registration, authorization and callback.
fn front_channel(p: &Planted, written: &dyn Fn(&Value) -> String) -> Vec<(Exchange, Kind)> {
    let authorize = format!(
        "https://as.example/authorize?response_type=code&client_id={}&redirect_uri={}&state={}&code_challenge={}&code_challenge_method=S256&scope=read+write",
        query(&p.client_id),
        query(REDIRECT),
        query(&p.state),
        p.challenge
    );
    let callback = format!("{REDIRECT}?code={}&state={}&iss=https%3A%2F%2Fas.example", query(&p.code), query(&p.state));
    let page = format!(
        "<html><form method=post action=\"/cb\"><input type=\"hidden\" name=\"code\" value=\"{}\"><input name=state value='{}'></form><script>window.location = \"{}\"</script></html>",
        encodings(&p.code).into_iter().find(|(name, _)| *name == "html").unwrap().1,
        p.state,
        callback.replace('/', "\\/").replace('&', "\\u0026")
    );
    let registered = json!({
        "registration_client_uri": format!("https://as.example/register/{}", p.client_id), "client_id": p.client_id,
        "client_secret": p.client_secret, "registration_access_token": p.registration_token, "client_name": "Reference client",
        "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic",
    });
    let set = format!("sid={}; Path=/; HttpOnly", p.cookie);
    let cookie = format!("a=b; sid={}", p.cookie);
    let asked = (&[JSON][..], r#"{"client_name":"Reference client"}"#);
    vec![
        (
            exchange(1, "POST", "https://as.example/register", asked, (201, &[JSON, ("set-cookie", &set)], &written(&registered))),
            Kind::DcrCreate,
        ),
        (exchange(2, "GET", &authorize, (&[], ""), (302, &[("location", &callback), HTML], &page)), Kind::Authorize),
        (exchange(3, "GET", &callback, (&[("referer", &authorize), ("cookie", &cookie)], ""), (200, &[HTML], &page)), Kind::Callback),
    ]
}

fn code_exchange(p: &Planted, written: &dyn Fn(&Value) -> String) -> (Exchange, Kind) {
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &p.code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", &p.verifier),
        ("client_id", &p.client_id),
    ]);
    let tokens = json!({
        "access_token": p.access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": p.refresh, "id_token": p.id_token,
        "scope": "read write",
    });
    let basic = basic(p);
    (exchange(4, "POST", TOKEN, (&[FORM, ("authorization", &basic)], &body), (200, &[JSON], &written(&tokens))), Kind::TokenCode)
}

/// A tool call whose arguments and results repeat every secret, each in some encoding.
pub fn echo(number: u32, p: &Planted, chance: &mut Chance, headers: &[(&str, &str)]) -> (Exchange, Kind) {
    let mut lines = Vec::new();
    for value in p.all() {
        let forms = encodings(value);
        let (_, form) = &forms[chance.below(forms.len())];
        let whole = match chance.below(6) {
            0 => STANDARD.encode(format!("{}{value}", chance.text(BASE62, 5))),
            1 => URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"https://as.example","nested":"{}"}}"#, value.replace('"', ""))),
            2 => serde_json::to_string(&json!({"deep": json!({"token": value}).to_string()})).unwrap(),
            _ => form.clone(),
        };
        lines.push(format!("{} {whole} .", chance.pick(&["the value is", "see:", "<a href=\"", "got"])));
    }
    let arguments = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo", "arguments": {"lines": lines}}});
    let result = json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": lines.join("\n")}], "structuredContent": {"text": lines.join("|")}}});
    let stream = format!(": hello\n\nid: {}\nevent: message\ndata: {result}\n\ndata:{}\n\nid: 7\n", chance.text(BASE62, 22), lines[0]);
    (exchange(number, "POST", "https://mcp.example/mcp", (headers, &arguments.to_string()), (200, &[EVENTS], &stream)), Kind::McpRequest)
}

/// Early text that shows secrets before their positions do.
pub fn early(p: &Planted, chance: &mut Chance) -> Vec<(Exchange, Kind)> {
    let (echo, kind) = echo(100, p, chance, &[JSON]);
    let mut failed = exchange(101, "GET", "https://mcp.example/", (&[("user-agent", &p.cookie)], ""), (200, &[], ""));
    failed.outcome = Outcome::Failed(Failure { stage: Stage::Response, reason: format!("broke off after {}", p.password) });
    vec![(echo, kind), (failed, Kind::Other)]
}
