//! Layer 4: answers in place of a client's model. Knows scripts (`script`), requests to the Messages API (`request`) and how
//! its answers are written (`write`), and what clients ask their vendor at start (`startup`). Does not know tapes, logins or
//! sockets: whoever asks has checked the credential.
//!
//! Nothing is remembered between requests. Each one carries its whole conversation, and the ids of the calls in it say which step
//! is due. So a request that is repeated gets the same answer, and any number of conversations may run at once.

mod offer;
mod request;
mod script;
mod startup;
mod write;

pub use script::{Call, FILE_LIMIT, Reach, Script, Step, Turn};
pub use startup::startup;

use crate::exchange::{Headers, Request, Response};
use crate::protocol::Endpoint;
use crate::reply::Reply;
use request::{Asked, Outcome};
use serde_json::{Value, json};
use write::{Block, Message};

/// An answer, and what it does with the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What to perform.
    pub reply: Reply,
    /// What it does.
    pub did: Did,
}

/// What an answer does with the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// It calls these tools of the script; the names are the script's.
    Called(Vec<String>),
    /// It ends a turn. The tools that the client did not offer, by the script's names, and a few of those that it did.
    Said {
        /// The script's names of calls that could not be made.
        missing: Vec<String>,
        /// Tools of MCP servers that were offered, at most [`NAMED`].
        offered: Vec<String>,
    },
    /// It answers what does not belong to the conversation: a title, a quota probe, a count of tokens.
    Aside,
    /// It refuses a request that nobody could read.
    Refused,
    /// It answers a call that a client makes at its start.
    StartUp,
}

/// How many of the offered tools are named when one is missing.
pub const NAMED: usize = 5;

/// How much of a tool's result is quoted, in characters.
const QUOTED: usize = 200;

/// What is said beside the conversation.
const ASIDE: &str = "authtape replay";

/// Where requests of the Messages API go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The next message.
    Messages,
    /// A count of tokens.
    CountTokens,
}

impl Door {
    /// The door that a request knocks at: by its path, and at a gateway also by its body.
    pub fn of(request: &Request, endpoint: &Endpoint) -> Option<Self> {
        let path = endpoint.path();
        let door = match () {
            () if path.ends_with("/v1/messages") => Self::Messages,
            () if path.ends_with("/v1/messages/count_tokens") => Self::CountTokens,
            () => return None,
        };
        let is_prompt = || request.body.content.json().is_some_and(|body| body.get("model").is_some() && body.get("messages").is_some());
        (request.method == "POST" && (endpoint.host() == startup::MODEL_API || is_prompt())).then_some(door)
    }
}

impl Script {
    /// Answers a request at a door.
    pub fn answer(&self, request: &Request, door: Door) -> Answer {
        let body = request.body.content.json();
        let Some(asked) = body.as_deref().and_then(|body| Asked::of(body, &request.headers)) else {
            return Answer { reply: refusal(400, "invalid_request_error", "authtape: expected a model and messages"), did: Did::Refused };
        };
        if door == Door::CountTokens {
            // Four bytes a token, roughly.
            let count = request.body.content.to_bytes().len() / 4;
            return Answer { reply: json_reply(200, &json!({"input_tokens": count})), did: Did::Aside };
        }
        let (block, did) = if asked.is_aside { (asked.aside(ASIDE), Did::Aside) } else { self.next(&asked) };
        Answer { reply: Message { asked: &asked, blocks: block }.reply(), did }
    }

    /// The blocks of the step that is due.
    fn next(&self, asked: &Asked<'_>) -> (Vec<Block>, Did) {
        let turn = self.turn(asked.turn);
        let from = asked.outcomes.iter().map(|outcome| outcome.step + 1).max().unwrap_or_default();
        for (index, step) in turn.steps.iter().enumerate().skip(from) {
            let found = step.calls.iter().enumerate().filter_map(|(number, call)| Some((number, call, asked.offer.find(call)?)));
            let found: Vec<_> = found.collect();
            if !found.is_empty() {
                let did = Did::Called(found.iter().map(|(_, call, _)| call.name.clone()).collect());
                let block = |(number, call, name): (usize, &Call, &str)| Block::Call {
                    id: request::id_of(asked.turn, index, number),
                    name: name.to_owned(),
                    arguments: Value::Object(call.arguments.clone()),
                };
                return (found.into_iter().map(block).collect(), did);
            }
        }
        let missing = missing(turn, asked);
        let mut text = String::new();
        if !missing.is_empty() {
            text = asked.offer.complaint(&missing);
        }
        let own = turn.text.clone().unwrap_or_else(|| summary(turn, &asked.outcomes));
        if !text.is_empty() && !own.is_empty() {
            text.push('\n');
        }
        text.push_str(&own);
        let offered = asked.offer.tools_of_servers().take(NAMED).map(str::to_owned).collect();
        (vec![Block::Text(text)], Did::Said { missing, offered })
    }
}

/// The calls of a turn that were never made.
fn missing(turn: &Turn, asked: &Asked<'_>) -> Vec<String> {
    let is_made = |step: usize, call: usize| asked.outcomes.iter().any(|own| own.step == step && own.call == call);
    let calls = turn.steps.iter().enumerate().flat_map(|(index, step)| step.calls.iter().enumerate().map(move |call| (index, call)));
    calls.filter(|(step, (number, _))| !is_made(*step, *number)).map(|(_, (_, call))| call.name.clone()).collect()
}

/// The end of a turn without words of its own: what each tool said.
fn summary(turn: &Turn, outcomes: &[Outcome]) -> String {
    let line = |outcome: &Outcome| {
        let call = turn.steps.get(outcome.step)?.calls.get(outcome.call)?;
        let said = if outcome.is_error { "failed" } else { "said" };
        Some(format!("The tool {} {said}: {}", call.name, outcome.quoted(QUOTED)))
    };
    outcomes.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

/// The refusal of the Messages API.
pub fn refusal(status: u16, error: &str, message: &str) -> Reply {
    json_reply(status, &json!({"type": "error", "error": {"type": error, "message": message}, "request_id": "req_authtape"}))
}

fn json_reply(status: u16, body: &Value) -> Reply {
    let headers: Headers = [("content-type", "application/json"), ("request-id", "req_authtape")].into_iter().collect();
    Reply::whole(&Response {
        status,
        headers,
        body: crate::exchange::Body { content: crate::exchange::Content::Text(body.to_string()), ..Default::default() },
        trailers: Headers::new(),
    })
}

#[cfg(test)]
mod tests;
