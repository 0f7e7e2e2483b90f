//! A decision of the model in the clothes of the tape: the headers and further members of the recorded answer of that kind, the
//! values of the model.

use super::account::kind_of;
use super::tape::{Tape, is_success};
use super::{Answered, Source};
use crate::exchange::{Content, Headers, Json, Request, Response};
use crate::model::{Answer, Decided};
use crate::protocol::{Endpoint, Kind, Parameters, Place, Role, field_role};
use crate::reply::Reply;
use serde_json::{Map, Value};

/// Header fields that frame a body, or that are made anew for each answer.
const FRAMING: &[&str] =
    &["content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "trailer", "location", "mcp-session-id"];

/// The header fields of a recorded answer that hold for another one.
pub(super) fn lasting(headers: &Headers) -> Headers {
    let mut kept = headers.clone();
    kept.retain(|name, _| {
        let role = field_role(Place::Header, name).map(|field| field.role);
        !FRAMING.iter().any(|own| name.eq_ignore_ascii_case(own)) && !matches!(role, Some(Role::Volatile | Role::Secret | Role::Linking))
    });
    kept
}

/// The model's answer as the tape's server would have written it.
pub(super) fn dressed(tape: &Tape, request: &Request, endpoint: &Endpoint, answer: Answer) -> Answered {
    let Answer { response, open, decided } = answer;
    let Some(index) = model_of(tape, endpoint, &response, &decided) else {
        return Answered { reply: Reply::whole(&response), source: Source::Model(decided), open };
    };
    let (interaction, recorded) = tape.answer(index);
    let mut clothed = response.clone();
    if let (Some(own), Some(made)) = (recorded.body.content.json(), response.body.content.json()) {
        let asked = Asked { recorded: &tape.exchange(index).request, live: request };
        let value = match decided {
            Decided::Issued { .. } => tokens(&own, &made, &asked),
            Decided::Registered => registration(&own, &made, &asked),
            _ => own.into_owned(),
        };
        let style = if let Content::Json(json) = &recorded.body.content { json.style } else { Default::default() };
        clothed.body.content = Content::Json(Json { value, style });
    } else if decided == Decided::Revoked {
        clothed.body.content = recorded.body.content.clone();
    }
    clothed.status = recorded.status;
    clothed.headers = lasting(&recorded.headers);
    let own = |name: &str| name == "location" || name == "www-authenticate" || name.starts_with("access-control-");
    for (name, value) in response.headers.iter().filter(|(name, _)| own(name)) {
        clothed.headers.retain(|other, _| !other.eq_ignore_ascii_case(name));
        clothed.headers.push(name, value);
    }
    if !clothed.headers.has("content-type") && !clothed.body.content.is_empty() {
        clothed.headers.push("content-type", "application/json");
    }
    Answered { reply: Reply::whole(&clothed), source: Source::Dressed { interaction, decided }, open }
}

/// What was asked then and now.
struct Asked<'a> {
    recorded: &'a Request,
    live: &'a Request,
}

/// The recorded answer that says the same.
pub(super) fn model_of(tape: &Tape, endpoint: &Endpoint, made: &Response, decided: &Decided) -> Option<usize> {
    let url = endpoint.as_str();
    let success = |_: &Request, response: &Response| is_success(response.status);
    let same_error = |error: &str, response: &Response| {
        response.status == made.status
            && response.body.content.json().is_some_and(|body| body["error"] == error || body["error"].is_object())
    };
    match decided {
        Decided::Registered => tape.last_of(Kind::DcrCreate, url, success),
        Decided::Authorized => tape.last_of(Kind::Authorize, url, |_, response| response.status == made.status),
        Decided::Issued { grant_type } => {
            tape.last_of(kind_of(*grant_type), url, success).or_else(|| tape.last_of(Kind::TokenCode, url, success))
        }
        Decided::TokenRefused { grant_type, error, .. } => {
            tape.last_of(kind_of(*grant_type), url, |_, response| same_error(error, response))
        }
        Decided::Revoked => tape.last_of(Kind::Revoke, url, success),
        Decided::Refused { error, .. } => {
            let said = tape.last_of(Kind::DcrCreate, url, |_, response| same_error(error, response));
            // Nobody may register here: the tape's server says so in its own way.
            let closed = || tape.last_of(Kind::DcrCreate, url, |_, response| matches!(response.status, 401 | 403..=405 | 429 | 501));
            said.or_else(|| (made.status == 403 || made.status == 429).then(closed).flatten())
        }
        _ => None,
    }
}

/// RFC 6749 §5.1: what was issued now, among the other members of the recorded answer.
fn tokens(own: &Value, made: &Value, asked: &Asked<'_>) -> Value {
    let mut body = Map::new();
    for (name, value) in own.as_object().into_iter().flatten() {
        let now = match name.as_str() {
            "access_token" | "expires_in" => made.get(name).cloned(),
            "id_token" => made.get(name).or(Some(value)).cloned(),
            "refresh_token" => made.get(name).cloned().or_else(|| repeated(value, asked)),
            "scope" => made.get(name).filter(|scope| scope.as_str().is_some_and(|scope| !scope.is_empty())).or(Some(value)).cloned(),
            _ => Some(value.clone()),
        };
        body.extend(now.map(|now| (name.clone(), now)));
    }
    for name in ["access_token", "token_type", "refresh_token"] {
        if let (false, Some(value)) = (body.contains_key(name), made.get(name)) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(body)
}

/// A server that does not rotate may repeat the refresh token that it was sent.
fn repeated(value: &Value, asked: &Asked<'_>) -> Option<Value> {
    let then = Parameters::of(&asked.recorded.body.content);
    let now = Parameters::of(&asked.live.body.content);
    let is_repeated = then.text("refresh_token").is_some() && then.text("refresh_token") == value.as_str();
    now.text("refresh_token").filter(|_| is_repeated).map(Value::from)
}

/// RFC 7591 §3.2.1: what was registered now, with what the recorded server added or left out.
fn registration(own: &Value, made: &Value, asked: &Asked<'_>) -> Value {
    let live = asked.live.body.content.json();
    let mut body = Map::new();
    for (name, value) in own.as_object().into_iter().flatten() {
        let now = match name.as_str() {
            "client_id" | "client_id_issued_at" => made.get(name),
            "client_secret" | "client_secret_expires_at" => match made.get(name) {
                None => continue,
                now => now,
            },
            "token_endpoint_auth_method" => made.get(name),
            _ => live.as_deref().and_then(|live| live.get(name)),
        };
        body.insert(name.clone(), now.unwrap_or(value).clone());
    }
    for name in ["client_id", "client_secret", "client_secret_expires_at", "redirect_uris"] {
        if let (false, Some(value)) = (body.contains_key(name), made.get(name)) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(body)
}
