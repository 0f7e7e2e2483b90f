//! Where the assistant comes in: requests to the model's API and calls that a client makes at its start. The default script is
//! what the tape's client called. Knows nothing of how an answer is made.

use super::servers::messages;
use super::tape::{Tape, is_success};
use super::{Answered, Player, Source};
use crate::assistant::{Answer, Call, Did, Door, Reach, Script, Step, Turn, startup};
use crate::exchange::Request;
use crate::model::Moment;
use crate::protocol::{Endpoint, Kind};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// How many calls the default script makes: the first one of each server.
const CALLS: usize = 8;

/// What the assistant did in a replay, beside what the servers of the tape did.
#[derive(Clone, Debug, Default)]
pub struct Assistance {
    /// Requests to the model's API.
    pub model: u64,
    /// Calls that clients make at their start.
    pub startup: u64,
    /// How often each tool of the script was called.
    pub called: BTreeMap<String, u64>,
    missing: BTreeMap<String, Vec<String>>,
}

impl Assistance {
    pub(super) fn note(&mut self, did: &Did) {
        *(if *did == Did::StartUp { &mut self.startup } else { &mut self.model }) += 1;
        match did {
            Did::Called(tools) => tools.iter().for_each(|tool| *self.called.entry(tool.clone()).or_default() += 1),
            Did::Said { missing, offered } => self.missing.extend(missing.iter().map(|tool| (tool.clone(), offered.clone()))),
            Did::Aside | Did::Refused | Did::StartUp => {}
        }
    }

    /// The tools of the script that no client ever offered when their turn came, each with some that were offered then.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &[String])> {
        let never = self.missing.iter().filter(|(tool, _)| !self.called.contains_key(*tool));
        never.map(|(tool, offered)| (tool.as_str(), offered.as_slice()))
    }
}

impl Player {
    /// The answer of the assistant, if the request is for it.
    pub(super) fn assisted(&mut self, request: &Request, endpoint: &Endpoint, now: Moment) -> Option<Answered> {
        let Some(door) = Door::of(request, endpoint) else { return Answered::of_start(request, endpoint) };
        if let Some(refused) = self.refused_at_gate(request, endpoint, now) {
            return Some(refused);
        }
        Some(Answered::assistant(self.script.answer(request, door)))
    }
}

impl Answered {
    fn assistant(answer: Answer) -> Self {
        let Answer { reply, did } = answer;
        Self { reply, source: Source::Assistant(did), open: None }
    }

    /// The answer to a call that a client makes at its start.
    pub(super) fn of_start(request: &Request, endpoint: &Endpoint) -> Option<Self> {
        startup(request, endpoint).map(Self::assistant)
    }
}

/// The first tool call of each MCP server of the tape that was answered, with the recorded arguments.
pub(super) fn script_of(tape: &Tape) -> Script {
    let mut descriptions: HashMap<(String, String), String> = HashMap::new();
    let mut steps: Vec<(Endpoint, Step)> = Vec::new();
    let requests = tape.iter().filter(|(_, own)| own.kind == Kind::McpRequest).map(|(_, own)| &own.exchange);
    for exchange in requests {
        let Some(response) = exchange.response().filter(|response| is_success(response.status)) else { continue };
        let Some(server) = Endpoint::parse(&exchange.request.url) else { continue };
        let Some(message) = exchange.request.body.content.json() else { continue };
        match message["method"].as_str() {
            Some("tools/list") => {
                let results = messages(response);
                let tools = results.iter().filter_map(|result| result["result"]["tools"].as_array()).flatten();
                descriptions.extend(tools.filter_map(|tool| {
                    Some(((server.as_str().to_owned(), tool["name"].as_str()?.to_owned()), tool["description"].as_str()?.to_owned()))
                }));
            }
            Some("tools/call")
                if steps.len() < CALLS
                    && !steps.iter().any(|(own, _)| *own == server)
                    && messages(response).iter().any(|own| own.get("result").is_some()) =>
            {
                steps.extend(call_of(&message["params"]).map(|call| (server, Step { calls: vec![call] })));
            }
            _ => {}
        }
    }
    if steps.is_empty() {
        let text = "authtape: the tape holds no tool call to repeat".to_owned();
        return Script::new(vec![Turn { steps: Vec::new(), text: Some(text) }]);
    }
    let described = |(server, mut step): (Endpoint, Step)| {
        for call in &mut step.calls {
            let description = descriptions.get(&(server.as_str().to_owned(), call.name.clone())).cloned();
            call.reach = Reach::Servers { description };
        }
        step
    };
    Script::new(vec![Turn { steps: steps.into_iter().map(described).collect(), text: None }])
}

fn call_of(parameters: &Value) -> Option<Call> {
    let arguments = parameters["arguments"].as_object().cloned().unwrap_or_default();
    Some(Call { name: parameters["name"].as_str()?.to_owned(), arguments, reach: Reach::Servers { description: None } })
}
