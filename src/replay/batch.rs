//! JSON-RPC batches (MCP 2025-03-26, Transports; JSON-RPC 2.0 §6): each message is checked and answered as if it had come alone, and
//! a recorded batch is read as its messages. Later revisions have none.

use super::made::accepted;
use super::servers::messages;
use super::{Answered, Player, Source, json_response};
use crate::cassette::Interaction;
use crate::exchange::{Body, Content, Json, Outcome, Request, SseParser};
use crate::model::{Access, Decided, Moment, ServerId};
use crate::protocol::{Era, Kind};
use crate::reply::Reply;
use serde_json::{Value, json};
use std::time::Duration;

/// The revision that has batches, and the most messages of one.
const REVISION: &str = "2025-03-26";
const MOST: usize = 100;

impl Player {
    pub(super) fn batch(
        &mut self,
        id: ServerId,
        request: &Request,
        process: u32,
        access: &Access,
        (all, now): (&[Value], Moment),
    ) -> Answered {
        let session = match self.model.session_of(id, request, access) {
            Ok(session) => session,
            Err(response) => return Answered::whole(&response, decided()),
        };
        let session = session.and_then(|name| self.model.server(id).session(&name)).map(|session| session.version.as_str());
        let version = session.or_else(|| request.headers.first("mcp-protocol-version")).unwrap_or(REVISION);
        let opens = all.iter().any(|message| message["method"] == "initialize");
        if version > REVISION || opens || all.is_empty() || all.len() > MOST {
            let error = json!({"code": -32600, "message": "Invalid Request: no batch of this kind is accepted"});
            return Answered::whole(&json_response(400, json!({"jsonrpc": "2.0", "error": error, "id": null})), decided());
        }
        let mut answers = Vec::new();
        let mut source = None;
        for message in all {
            let one = Request { body: json_body(message.clone()), ..request.clone() };
            let access = match self.model.admit(id, &one, now) {
                Ok(access) => access,
                Err(response) => return self.challenged(id, &one, &response),
            };
            let answered = self.post(id, &one, process, &access, now);
            if source.is_none() || matches!(answered.source, Source::Miss(_)) {
                source = Some(answered.source);
            }
            answers.extend(said(&answered.reply));
        }
        match source.filter(|_| !answers.is_empty()) {
            Some(source) => Answered::whole(&json_response(200, Value::Array(answers)), source),
            None => accepted("batch".to_owned()),
        }
    }
}

fn decided() -> Source {
    Source::Model(Decided::Mcp { era: Era::Legacy, method: "batch".to_owned() })
}

fn json_body(value: Value) -> Body {
    Body { content: Content::Json(Json { value, style: Default::default() }), ..Body::default() }
}

/// The answers in a reply, as JSON or as events.
fn said(reply: &Reply) -> Vec<Value> {
    let body = reply.body();
    let all = match serde_json::from_slice(&body) {
        Ok(value) => vec![value],
        Err(_) => {
            let mut events = Vec::new();
            SseParser::default().push(Duration::ZERO, &body, &mut events);
            events.iter().filter_map(|event| event.json().cloned()).collect()
        }
    };
    all.into_iter().filter(is_answer).collect()
}

fn is_answer(message: &Value) -> bool {
    message.get("result").is_some() || message.get("error").is_some()
}

/// The requests of a recorded batch, each with its answer.
pub(super) fn requests(interaction: &Interaction) -> Vec<Interaction> {
    let (Kind::McpBatch, Some(response)) = (interaction.kind, interaction.exchange.response()) else { return Vec::new() };
    let body = interaction.exchange.request.body.content.json();
    let answers: Vec<Value> = messages(response).into_iter().flat_map(|own| own.as_array().cloned().unwrap_or_else(|| vec![own])).collect();
    let asked = body.as_ref().and_then(|body| body.as_array()).into_iter().flatten();
    asked
        .filter(|message| message.get("id").is_some() && message.get("method").is_some())
        .filter_map(|message| {
            let answer = answers.iter().find(|answer| answer["id"] == message["id"] && is_answer(answer))?;
            let mut exchange = interaction.exchange.clone();
            exchange.request.body = json_body(message.clone());
            let mut response = response.clone();
            response.body = json_body(answer.clone());
            response.headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
            response.headers.push("content-type", "application/json");
            exchange.outcome = Outcome::Response(response);
            Some(Interaction { exchange, kind: Kind::McpRequest })
        })
        .collect()
}
