//! The MCP servers of a tape: where they are, whom they trust, which revisions they speak, and what was asked of them.

use super::policies::FromTape;
use super::tape::{Tape, is_success};
use super::{gate, seed};
use crate::exchange::{Exchange, Response};
use crate::matcher::Calls;
use crate::model::Scope;
use crate::model::ServerPolicy;
use crate::model::policy::ResourceMetadata;
use crate::protocol::{Authorization, Bearer, Endpoint, Kind, MODERN_SINCE, Parameters, parse_challenges};
use crate::scrub::is_placeholder;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The older revisions, newest first: a server that speaks one speaks those before it.
const OLDER: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26"];

/// An MCP server as the tape shows it.
pub(super) struct Shown {
    pub(super) url: String,
    /// The authorization servers that its metadata names.
    pub(super) authorization_servers: Vec<String>,
    /// What its metadata calls it, beside its URL.
    pub(super) names: Vec<String>,
    pub(super) policy: ServerPolicy,
    /// Which of its policies the tape shows.
    pub(super) shown: FromTape,
    pub(super) line: Line,
}

/// What was recorded of one MCP server.
#[derive(Default)]
pub(super) struct Line {
    /// The calls that it answered.
    pub(super) calls: Calls,
    /// Its GET streams.
    pub(super) streams: Vec<usize>,
    /// Its streams that were resumed.
    pub(super) resumed: Vec<usize>,
    /// Its refusals for want of a bearer that holds, or of scope.
    pub(super) challenges: Vec<usize>,
    /// True when it was seen to speak the older revisions.
    pub(super) is_legacy: bool,
    /// True when it was seen to speak 2026-07-28.
    pub(super) is_modern: bool,
    /// What it said that it offers, in its latest `initialize` or `server/discover`.
    pub(super) capabilities: Option<Value>,
    /// True while a bearer may be taken for the one that the tape begins with.
    pub(super) may_adopt: bool,
    requests: usize,
}

impl Line {
    /// True when the tape holds requests to it, beside those that only looked for a login.
    pub(super) fn is_spoken_to(&self) -> bool {
        self.requests > 0
    }
}

impl Shown {
    /// True when its metadata names this authorization server.
    pub(super) fn trusts(&self, identifier: &str) -> bool {
        self.authorization_servers.iter().any(|own| seed::same(own, identifier))
    }
}

/// The MCP servers of a tape, in the order of the tape.
pub(super) fn of(tape: &Tape) -> Vec<Shown> {
    let mut urls: Vec<Endpoint> = Vec::new();
    let mut spoken_to: HashMap<Endpoint, Vec<(usize, &Exchange, Kind)>> = HashMap::new();
    for (index, interaction) in tape.iter().filter(|(_, own)| own.kind.is_mcp()) {
        let Some(url) = Endpoint::parse(&interaction.exchange.request.url) else { continue };
        let own = spoken_to.entry(url.clone()).or_default();
        if own.is_empty() {
            urls.push(url);
        }
        own.push((index, &interaction.exchange, interaction.kind));
    }
    // A tape of a login alone never speaks to the server; its metadata names it.
    let mut origins: HashSet<String> = urls.iter().map(|url| url.origin().to_owned()).collect();
    for (_, response) in documents(tape) {
        let named = response.body.content.json().and_then(|document| Endpoint::parse(document["resource"].as_str()?));
        urls.extend(named.filter(|named| origins.insert(named.origin().to_owned())));
    }
    urls.iter().map(|url| shown(tape, url, spoken_to.get(url).map(Vec::as_slice).unwrap_or_default())).collect()
}

/// False when the server refused every bearer from before the recording.
fn takes_presumed(tape: &Tape, own: &[(usize, &Exchange, Kind)]) -> bool {
    let issued: HashSet<String> = tape
        .token_answers()
        .filter_map(|(_, answer)| Some(Parameters::of(&answer.body.content).text("access_token")?.to_owned()))
        .collect();
    let presumed = own.iter().filter(|(_, exchange, _)| {
        let bearer = Bearer::of_headers(&exchange.request.headers);
        bearer.is_some_and(|bearer| !issued.contains(bearer.token.as_ref()))
    });
    let answers: Vec<&Response> = presumed.filter_map(|(_, exchange, _)| exchange.response()).collect();
    answers.is_empty() || answers.iter().any(|answer| !gate::is_refusal(answer))
}

fn documents(tape: &Tape) -> impl Iterator<Item = (&Exchange, &Response)> {
    tape.of_kind(Kind::Prm).filter(|(_, response)| is_success(response.status))
}

fn shown(tape: &Tape, url: &Endpoint, own: &[(usize, &Exchange, Kind)]) -> Shown {
    let mut line = Line::default();
    let mut policy = ServerPolicy { session_required: false, get_stream: false, scope: Scope::default(), ..ServerPolicy::default() };
    let mut versions = Vec::new();
    for (index, exchange, kind) in own {
        note(*index, exchange, *kind, &mut line, &mut versions);
    }
    let challenged = own.iter().filter_map(|(_, exchange, _)| exchange.response()).find_map(metadata_in_challenge);
    let document = document_of(tape, url, challenged.as_deref());
    let carries = own.iter().any(|(_, exchange, _)| Authorization::of(&exchange.request.headers).is_some());
    let mut shown = gate::look(own, document.is_some(), &mut policy);
    policy.versions = spoken(&line, versions);
    let logs_in = tape.of_kind(Kind::TokenCode).any(|(_, response)| is_success(response.status));
    line.may_adopt = carries && !logs_in && takes_presumed(tape, own);
    let mut names = Vec::new();
    let mut authorization_servers = Vec::new();
    policy.metadata = match challenged {
        Some(metadata) => ResourceMetadata::At(metadata),
        // A login without such a document: this server has none.
        None if document.is_none() && logs_in => ResourceMetadata::Nowhere,
        None => ResourceMetadata::Inserted,
    };
    policy.check_audience = false;
    if let Some((exchange, response)) = document {
        let document = response.body.content.json().map(|document| document.into_owned()).unwrap_or_default();
        let servers = document["authorization_servers"].as_array().into_iter().flatten();
        authorization_servers.extend(servers.filter_map(Value::as_str).map(str::to_owned));
        names.extend(document["resource"].as_str().map(str::to_owned));
        policy.check_audience = names.iter().any(|name| seed::same(name, url.as_str()));
        policy.metadata = ResourceMetadata::At(exchange.request.url.clone());
    }
    shown.extend(seen_of(&line, &policy, !names.is_empty()));
    Shown { url: url.as_str().to_owned(), authorization_servers, names, policy, shown, line }
}

/// Which further policies the tape shows: those of a server that nobody spoke to are defaults.
fn seen_of(line: &Line, policy: &ServerPolicy, has_document: bool) -> FromTape {
    let rows = [
        ("versions", line.is_legacy || line.is_modern),
        ("metadata", has_document || matches!(policy.metadata, ResourceMetadata::At(_))),
        ("audience", policy.check_audience),
    ];
    rows.into_iter().filter(|(_, is_shown)| *is_shown).map(|(name, _)| name).collect()
}

/// Takes what one exchange shows of its server.
fn note(index: usize, exchange: &Exchange, kind: Kind, line: &mut Line, versions: &mut Vec<String>) {
    line.requests += 1;
    let Some(response) = exchange.response() else { return };
    if gate::is_refusal(response) {
        line.challenges.push(index);
        return;
    }
    let body = exchange.request.body.content.json();
    let method = body.as_ref().and_then(|body| body["method"].as_str()).unwrap_or_default();
    let succeeded = is_success(response.status);
    match kind {
        Kind::McpGetStream if succeeded => {
            line.streams.push(index);
        }
        Kind::McpResume if succeeded => line.resumed.push(index),
        Kind::McpRequest => {
            if let Some(body) = body.as_ref().filter(|body| gate::is_answer(body, response)) {
                line.calls.add(index, body, is_placeholder);
            }
        }
        _ => {}
    }
    if !succeeded {
        return;
    }
    let result = messages(response).into_iter().find_map(|message| message.get("result").cloned()).unwrap_or_default();
    if matches!(method, "initialize" | "server/discover") {
        line.capabilities = result.get("capabilities").cloned().or(line.capabilities.take());
    }
    match method {
        "initialize" => {
            line.is_legacy = true;
            versions.extend(result["protocolVersion"].as_str().map(str::to_owned));
        }
        "server/discover" => {
            line.is_modern = true;
            let supported = result["supportedVersions"].as_array().into_iter().flatten();
            versions.extend(supported.filter_map(Value::as_str).map(str::to_owned));
        }
        _ => {
            let header = exchange.request.headers.first("mcp-protocol-version");
            line.is_modern |= kind == Kind::McpRequest && header.is_some_and(|version| version >= MODERN_SINCE);
        }
    }
}

/// The JSON-RPC messages of an answer.
pub(super) fn messages(response: &Response) -> Vec<Value> {
    match response.body.content.events() {
        Some(stream) => stream.events.iter().filter_map(|event| event.json().cloned()).collect(),
        None => response.body.content.json().map(|body| body.into_owned()).into_iter().collect(),
    }
}

/// The revisions that a server speaks: those that it named, and the ones before.
fn spoken(line: &Line, seen: Vec<String>) -> Vec<String> {
    let is_silent = !line.is_legacy && !line.is_modern;
    let newest_older = seen.iter().filter(|version| version.as_str() < MODERN_SINCE).max().cloned();
    let mut versions: Vec<String> = seen.into_iter().filter(|version| version.as_str() >= MODERN_SINCE && line.is_modern).collect();
    if line.is_modern || is_silent {
        versions.push(MODERN_SINCE.to_owned());
    }
    if line.is_legacy || is_silent {
        let newest = newest_older.unwrap_or_else(|| OLDER[0].to_owned());
        versions.extend(OLDER.iter().filter(|version| **version < newest.as_str()).map(|version| (*version).to_owned()));
        versions.push(newest);
    }
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.dedup();
    versions
}

fn metadata_in_challenge(response: &Response) -> Option<String> {
    parse_challenges(&response.headers).iter().find_map(|challenge| challenge.resource_metadata().map(str::to_owned))
}

/// The metadata of a server: the one that its challenge names, the one that names it, or the one of its host.
fn document_of<'t>(tape: &'t Tape, url: &Endpoint, challenged: Option<&str>) -> Option<(&'t Exchange, &'t Response)> {
    let names = |response: &Response, fits: &dyn Fn(&str) -> bool| {
        response.body.content.json().is_some_and(|document| document["resource"].as_str().is_some_and(fits))
    };
    documents(tape)
        .find(|(exchange, _)| Some(exchange.request.url.as_str()) == challenged)
        .or_else(|| documents(tape).find(|(_, response)| names(response, &|resource| seed::same(resource, url.as_str()))))
        .or_else(|| {
            let of_host = |resource: &str| Endpoint::parse(resource).is_some_and(|resource| resource.origin() == url.origin());
            documents(tape).find(|(_, response)| names(response, &of_host))
        })
}
