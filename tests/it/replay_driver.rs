//! The tape as a client: each recorded request is sent to the player again, in order and at its time, with the values that this
//! player issued in place of those on the tape. What comes back is compared with what was recorded.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::cassette::{Cassette, Interaction};
use authtape::exchange::{Content, Exchange, Headers, Outcome, Request, Response};
use authtape::keys::KeyRing;
use authtape::model::{Moment, OpenStream, Revocation};
use authtape::protocol::Kind;
use authtape::replay::{Answered, Player, PlayerOptions, Source};
use authtape::scrub::is_placeholder;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use url::{Url, form_urlencoded};

/// What differed, one line each.
#[derive(Debug, Default)]
pub struct Differences {
    pub lines: Vec<String>,
    /// How many requests were sent.
    pub sent: usize,
}

/// A client that says what a tape says.
pub struct Driver {
    player: Player,
    base: Duration,
    /// Recorded values and the live ones for them.
    live: BTreeMap<String, String>,
    /// Where the latest authorization request led.
    redirects: Vec<Url>,
    open: Vec<(Duration, OpenStream)>,
    differences: Differences,
    presumed: usize,
}

/// What a server ended by itself: nothing that the client asked for shows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ended the access tokens.
    Access,
    /// It ended the refresh tokens.
    Grants,
    /// It forgot its sessions.
    Sessions,
}

/// Sends the whole tape to a player of its own; the acts happen before the interaction of that number.
pub fn drive(cassette: &Cassette, acts: &[(u32, Ended)], seed: u8) -> Differences {
    let player = Player::new(cassette.clone(), [seed; 32], &PlayerOptions::default()).unwrap().sign_with(Box::new(KeyRing::default()));
    let base = Duration::from_secs(1_800_000_000);
    let (live, redirects, open, differences) = (BTreeMap::new(), Vec::new(), Vec::new(), Differences::default());
    let mut driver = Driver { player, base, live, redirects, open, differences, presumed: 0 };
    for interaction in &cassette.interactions {
        let number = interaction.exchange.number;
        acts.iter().filter(|(own, _)| *own == number).for_each(|(_, ended)| driver.end(*ended));
        driver.step(interaction);
    }
    driver.differences
}

impl Driver {
    fn end(&mut self, ended: Ended) {
        let (issuers, servers) = (self.player.issuers().to_vec(), self.player.servers().collect::<Vec<_>>());
        let model = self.player.model_mut();
        for id in issuers {
            let issuer = model.issuer_mut(id);
            let grants: Vec<_> = issuer.issued.grants().map(|(id, _)| id).collect();
            match ended {
                Ended::Access => grants.into_iter().for_each(|grant| issuer.revoke_access(grant)),
                Ended::Grants => grants.into_iter().for_each(|grant| issuer.issued.revoke(grant, Revocation::Requested)),
                Ended::Sessions => {}
            }
        }
        if ended == Ended::Sessions {
            servers.into_iter().for_each(|id| model.server_mut(id).end_sessions());
        }
    }

    fn step(&mut self, interaction: &Interaction) {
        let Interaction { exchange, kind } = interaction;
        match kind {
            Kind::Callback => return self.come_back(exchange),
            Kind::LlmApi | Kind::Telemetry | Kind::Preflight | Kind::Other => return,
            _ => {}
        }
        if let (Outcome::Failed(_), _) | (Outcome::Unseen, false) = (&exchange.outcome, *kind == Kind::Authorize) {
            return;
        }
        self.close_streams(exchange.at);
        let request = self.request(&exchange.request);
        let answered = self.player.answer(&request, exchange.session, Moment::since_epoch(self.base + exchange.at));
        self.differences.sent += 1;
        if let (Kind::Authorize, Some(location)) = (kind, answered.reply.headers.first("location")) {
            self.redirects.push(Url::parse(location).unwrap());
        }
        if let Some(response) = exchange.response() {
            self.compare(*kind, exchange, response, &answered);
            self.learn(response, &answered);
        }
        if let Some(stream) = answered.open {
            self.open.push((exchange.at + exchange.took.unwrap_or(Duration::MAX / 2), stream));
        }
    }

    /// The browser comes back: its parameters are those of the live redirect.
    fn come_back(&mut self, exchange: &Exchange) {
        let recorded = Url::parse(&exchange.request.url).unwrap();
        let state = |url: &Url| url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        let wanted = state(&recorded).map(|state| self.live.get(&state).cloned().unwrap_or(state));
        let Some(live) = self.redirects.iter().rev().find(|url| state(url) == wanted).cloned() else { return };
        self.learn_query(&recorded, &live);
    }

    fn close_streams(&mut self, now: Duration) {
        let (ended, open) = std::mem::take(&mut self.open).into_iter().partition(|(end, _)| *end <= now);
        self.open = open;
        let ended: Vec<(Duration, OpenStream)> = ended;
        ended.iter().for_each(|(_, stream)| self.player.stream_closed(stream));
    }

    fn request(&mut self, recorded: &Request) -> Request {
        let mut request = recorded.clone();
        self.presume(recorded);
        request.url = self.replaced(&request.url);
        for (name, value) in request.headers.iter_mut() {
            *value = match value.strip_prefix("Basic ").and_then(|encoded| STANDARD.decode(encoded).ok()) {
                Some(decoded) if name == "authorization" => {
                    format!("Basic {}", STANDARD.encode(replaced(&self.live, &String::from_utf8(decoded).unwrap())))
                }
                _ => replaced(&self.live, value),
            };
        }
        if let Ok(text) = String::from_utf8(recorded.body.content.to_bytes().into_owned()) {
            request.body.content = Content::of(self.replaced(&text).into(), &request.headers);
        }
        request
    }

    /// A credential that the tape presents and never issued: the client had it from before.
    fn presume(&mut self, recorded: &Request) {
        let mut held: Vec<String> = Vec::new();
        let authorization = recorded.headers.first("authorization").unwrap_or_default();
        held.extend(authorization.strip_prefix("Bearer ").map(str::to_owned));
        if let Some(basic) = authorization.strip_prefix("Basic ").and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok())
        {
            held.extend(basic.split(':').map(str::to_owned));
        }
        let query = Url::parse(&recorded.url).unwrap();
        let fields = query.query_pairs().filter(|(name, _)| name == "client_id").map(|(_, value)| value.into_owned());
        held.extend(fields);
        if let Some(form) = recorded.body.content.form() {
            let secret = ["refresh_token", "client_id", "client_secret", "token"];
            held.extend(form.iter().filter(|(name, _)| secret.contains(name)).map(|(_, value)| value.to_owned()));
        }
        if let Some(json) = recorded.body.content.json() {
            let secret = ["refresh_token", "client_id", "client_secret", "token"];
            held.extend(secret.iter().filter_map(|name| json[*name].as_str()).map(str::to_owned));
        }
        for value in held.into_iter().filter(|value| is_placeholder(value)) {
            if !self.live.contains_key(&value) {
                self.presumed += 1;
                self.live.insert(value, format!("from-before-{}", self.presumed));
            }
        }
    }

    fn replaced(&self, text: &str) -> String {
        replaced(&self.live, text)
    }

    /// Takes what was issued now for what was issued then.
    fn learn(&mut self, recorded: &Response, answered: &Answered) {
        let live: Option<Value> = serde_json::from_slice(&answered.reply.body()).ok();
        if let (Some(recorded), Some(live)) = (recorded.body.content.json(), live) {
            self.learn_value(&recorded, &live);
        }
        let header = |headers: &Headers, name: &str| headers.first(name).map(str::to_owned);
        if let (Some(then), Some(now)) = (header(&recorded.headers, "mcp-session-id"), header(&answered.reply.headers, "mcp-session-id")) {
            self.live.insert(then, now);
        }
        if let (Some(then), Some(now)) = (header(&recorded.headers, "location"), header(&answered.reply.headers, "location"))
            && let (Ok(then), Ok(now)) = (Url::parse(&then), Url::parse(&now))
        {
            self.learn_query(&then, &now);
        }
    }

    fn learn_query(&mut self, recorded: &Url, live: &Url) {
        for (name, then) in recorded.query_pairs().filter(|(_, value)| is_issued(value)) {
            if let Some((_, now)) = live.query_pairs().find(|(own, _)| *own == name) {
                self.live.insert(then.into_owned(), now.into_owned());
            }
        }
    }

    fn learn_value(&mut self, recorded: &Value, live: &Value) {
        match (recorded, live) {
            (Value::String(then), Value::String(now)) if then != now && is_issued(then) => {
                self.live.insert(then.clone(), now.clone());
            }
            (Value::Array(then), Value::Array(now)) => then.iter().zip(now).for_each(|(then, now)| self.learn_value(then, now)),
            (Value::Object(then), Value::Object(now)) => {
                then.iter().filter_map(|(name, then)| Some((then, now.get(name)?))).for_each(|(then, now)| self.learn_value(then, now));
            }
            _ => {}
        }
    }

    fn compare(&mut self, kind: Kind, exchange: &Exchange, recorded: &Response, answered: &Answered) {
        let reply = &answered.reply;
        let what = format!("interaction {} ({kind} {})", exchange.number, exchange.request.method);
        if let Source::Miss(miss) = &answered.source {
            return self.differences.lines.push(format!("{what}: {miss}"));
        }
        // RFC 9110 §15.4: which redirect it is does not matter to a client; an overloaded server is no rule of the model's.
        let same = recorded.status == reply.status || (is_redirect(recorded.status) && is_redirect(reply.status));
        if !same {
            let body = String::from_utf8_lossy(&reply.body()).chars().take(160).collect::<String>();
            return self.differences.lines.push(format!("{what}: recorded {}, now {} {body}", recorded.status, reply.status));
        }
        let media_type = |headers: &Headers| headers.media_type();
        if !recorded.body.content.is_empty() && media_type(&recorded.headers) != media_type(&reply.headers) {
            self.differences.lines.push(format!("{what}: another media type, {:?}", media_type(&reply.headers)));
        }
        let Some(then) = recorded.body.content.json() else { return };
        let now: Value = serde_json::from_slice(&reply.body()).unwrap_or_default();
        if kind.is_mcp() && is_success(recorded.status) {
            let then: Value = serde_json::from_str(&self.replaced(&then.to_string())).unwrap();
            if then != now {
                self.differences.lines.push(format!("{what}: another body"));
            }
        } else if let (Some(then), Some(now)) = (then.as_object(), now.as_object()) {
            let names = |members: &serde_json::Map<String, Value>| members.keys().cloned().collect::<Vec<_>>();
            if names(then) != names(now) {
                self.differences.lines.push(format!("{what}: recorded members {:?}, now {:?}", names(then), names(now)));
            }
        }
    }
}

/// A placeholder, or on a tape that was never scrubbed what looks like a value of the model's.
fn is_issued(value: &str) -> bool {
    is_placeholder(value) || (value.len() > 40 && !value.contains([' ', '/']))
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307)
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// The text with live values in place of recorded ones, percent-encoded ones too. No placeholder is the beginning of another.
fn replaced(live: &BTreeMap<String, String>, text: &str) -> String {
    let mut text = text.to_owned();
    for (then, now) in live.iter().filter(|(then, _)| then.len() > 3) {
        text = text.replace(then.as_str(), now);
        let encoded: String = form_urlencoded::byte_serialize(then.as_bytes()).collect();
        if encoded != *then {
            text = text.replace(&encoded, &form_urlencoded::byte_serialize(now.as_bytes()).collect::<String>());
        }
    }
    text
}
