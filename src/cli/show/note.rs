//! What stands under a row: why an exchange failed, how its body broke off, which error it carries. Reads what the standards
//! say about errors; does not judge.

use crate::cassette::{Interaction, stage_name};
use crate::exchange::{AnsweredBy, Content, End, Exchange, Outcome, Response};
use crate::protocol::{parse_challenges, query_of};
use serde_json::Value;

/// The note of an interaction, if there is one. Foreign text.
pub(super) fn note_of(interaction: &Interaction) -> Option<String> {
    let exchange = &interaction.exchange;
    let parts: Vec<String> = match &exchange.outcome {
        Outcome::Failed(failure) => vec![format!("{}: {}", stage_name(failure.stage), failure.reason)],
        Outcome::Unseen => redirect_error(&exchange.request.url).into_iter().collect(),
        Outcome::Response(response) => [trouble(&response.body.end), error_of(exchange, response)].into_iter().flatten().collect(),
    };
    let note = parts.join("; ");
    let refused = refused(exchange).filter(|reason| !note.contains(reason.as_str()));
    let all: Vec<String> = [Some(note).filter(|note| !note.is_empty()), refused].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Why the model of a replay refused, or why nothing of the cassette fitted.
fn refused(exchange: &Exchange) -> Option<String> {
    match exchange.answered.as_ref()? {
        AnsweredBy::Model { reasons, .. } | AnsweredBy::Miss { reasons, .. } if !reasons.is_empty() => Some(reasons.join("; ")),
        _ => None,
    }
}

/// How a body ended, where that is a trouble.
pub(super) fn trouble(end: &End) -> Option<String> {
    match end {
        End::Complete | End::Cut { .. } | End::Open => None,
        End::ClientGone => Some("the client went away".to_owned()),
        End::ServerGone(reason) => Some(format!("the server broke off: {reason}")),
        End::Undecodable(reason) => Some(format!("the body could not be decoded: {reason}")),
    }
}

fn error_of(exchange: &Exchange, response: &Response) -> Option<String> {
    let by_redirect = || redirect_error(response.headers.first("location")?);
    let by_request = || redirect_error(&exchange.request.url);
    by_content(&response.body.content, response.status).or_else(|| by_challenge(response)).or_else(by_redirect).or_else(by_request)
}

/// RFC 6749 §5.2, JSON-RPC 2.0 §5.1, or a tool's own failure (MCP, Tools).
fn by_content(content: &Content, status: u16) -> Option<String> {
    if let Some(stream) = content.events() {
        return stream.events.iter().find_map(|event| rpc_error(event.json()?));
    }
    let value = content.json()?;
    match (status, value.get("error").and_then(Value::as_str)) {
        (400.., Some(error)) => Some(with_description(error, value.get("error_description").and_then(Value::as_str))),
        _ => rpc_error(&value),
    }
}

/// The error that a JSON-RPC message carries.
pub(super) fn rpc_error(message: &Value) -> Option<String> {
    message.get("jsonrpc")?;
    if let Some(error) = message.get("error").and_then(Value::as_object) {
        let code = error.get("code").map(Value::to_string).unwrap_or_default();
        let text = error.get("message").and_then(Value::as_str);
        return Some(with_description(&format!("error {code}"), text));
    }
    let result = message.get("result")?;
    if result.get("isError") != Some(&Value::Bool(true)) {
        return None;
    }
    let text = result.pointer("/content/0/text").and_then(Value::as_str);
    Some(with_description("the tool failed", text))
}

/// RFC 6750 §3.1.
fn by_challenge(response: &Response) -> Option<String> {
    let challenges = parse_challenges(&response.headers);
    let challenge = challenges.iter().find(|challenge| challenge.error().is_some())?;
    Some(with_description(challenge.error()?, challenge.error_description()))
}

/// RFC 6749 §4.1.2.1: the error that a redirect brings back to the client.
fn redirect_error(url: &str) -> Option<String> {
    let query = query_of(url);
    if !query.contains("error=") {
        return None;
    }
    let form = crate::exchange::Form::parse(query)?;
    Some(with_description(form.first("error")?, form.first("error_description")))
}

fn with_description(error: &str, description: Option<&str>) -> String {
    match description.filter(|text| !text.is_empty()) {
        Some(description) => format!("{error}: {description}"),
        None => error.to_owned(),
    }
}
