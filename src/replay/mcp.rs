//! Requests to an MCP server: the model's gate and checks first, then the recorded answer of the same call, its ids and session
//! those of the caller.

use super::made::{self, accepted};
use super::rewrite::{self, After, Live};
use super::tape::is_success;
use super::{Answered, Caller, Miss, Player, Source, dress, json_response};
use crate::exchange::{Headers, Request, Response};
use crate::model::{Access, Decided, Denied, Moment, Passed, ServerId};
use crate::protocol::{Bearer, Endpoint, Era, parse_challenges};
use crate::reply::{Ending, Reply};
use serde_json::{Value, json};
use std::collections::HashMap;

/// How many pairs of ids a caller keeps at least.
const KEPT_IDS: usize = 64;

/// What a caller asks for with a JSON-RPC request.
struct Call<'a> {
    server: ServerId,
    caller: Caller,
    /// The client process.
    process: u32,
    message: &'a Value,
    session: Option<&'a str>,
    version: Option<&'a str>,
    era: Era,
}

impl Player {
    pub(super) fn mcp(&mut self, id: ServerId, request: &Request, process: u32, now: Moment) -> Answered {
        self.adopt_bearer(id, request, now);
        let time = self.model.time(now);
        let access = match self.model.admit(id, request, time) {
            Ok(access) => access,
            Err(denied) => return self.challenged(id, request, &denied),
        };
        match request.method.as_str() {
            "POST" => self.post(id, request, process, &access, time),
            "GET" if request.headers.has("last-event-id") => self.resumed(id, request, &access),
            "GET" => self.stream(id, request, process, &access, now),
            _ => self.modelled(request, now),
        }
    }

    fn modelled(&mut self, request: &Request, now: Moment) -> Answered {
        let answer = self.model.answer(request, now);
        Answered { reply: Reply::whole(&answer.response), source: Source::Model(answer.decided), open: answer.open }
    }

    /// A refusal of the gate, as the tape's server writes it.
    pub(super) fn challenged(&self, id: ServerId, request: &Request, denied: &Denied) -> Answered {
        let made = &denied.response;
        let decided = Decided::Challenged { status: made.status, reason: denied.reason };
        let error = |response: &Response| parse_challenges(&response.headers).iter().find_map(|own| own.error().map(str::to_owned));
        let recorded = self.lines.get(&id).and_then(|line| {
            line.challenges.iter().rev().copied().find(|index| {
                let exchange = self.tape.exchange(*index);
                let had_bearer = Bearer::of(&exchange.request).is_some();
                let response = self.tape.answer(*index).1;
                response.status == made.status
                    && had_bearer == Bearer::of(request).is_some()
                    && (!had_bearer || error(response) == error(made))
            })
        });
        let Some(index) = recorded else { return Answered::whole(made, Source::Model(decided)) };
        let (interaction, response) = self.tape.answer(index);
        let response = Response { headers: dress::lasting(&response.headers), ..response.clone() };
        Answered::whole(&response, Source::Dressed { interaction, decided })
    }

    pub(super) fn post(&mut self, id: ServerId, request: &Request, process: u32, access: &Access, now: Moment) -> Answered {
        let body = request.body.content.json();
        if let Some(Value::Array(all)) = body.as_deref() {
            return self.batch(id, request, process, access, (all, now));
        }
        let empty = Value::Null;
        let message = body.as_deref().unwrap_or(&empty);
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let (is_legacy, is_modern) = self.lines.get(&id).map_or((true, true), |line| (line.is_legacy, line.is_modern));
        let caller = caller_of(access, process);
        let mut call = Call { server: id, caller, process, message, session: None, version: None, era: Era::Legacy };
        // The probe of a newer client gets the answer of the older server, which looks neither at headers nor at sessions.
        if method == "server/discover" && is_legacy && !is_modern {
            return self.refused_probe(&call);
        }
        if method == "initialize" && is_modern && !is_legacy {
            return self.missed(
                &call,
                None,
                vec!["the tape holds MCP 2026-07-28 only, and this client speaks an older revision".to_owned()],
            );
        }
        let passed = match self.model.pass(id, request, access) {
            Ok(passed) => passed,
            Err(response) => {
                let era = if is_modern { Era::Modern } else { Era::Legacy };
                return Answered::whole(&response, Source::Model(Decided::Mcp { era, method }));
            }
        };
        match &passed {
            Passed::Accepted => accepted(method),
            Passed::Opened { session, version } => {
                (call.session, call.version) = (session.as_deref(), Some(version.as_str()));
                call.caller = session.clone().map_or(call.caller, Caller::Session);
                self.called(&call)
            }
            Passed::Request { session, era } => {
                call.era = *era;
                call.caller = session.clone().map_or(call.caller, Caller::Session);
                self.called(&call)
            }
        }
    }

    fn refused_probe(&mut self, call: &Call<'_>) -> Answered {
        if self.lines.get(&call.server).is_some_and(|line| line.calls.last("server/discover").is_some()) {
            return self.called(call);
        }
        let text = "Bad Request: Server not initialized";
        let refused = json!({"jsonrpc": "2.0", "error": {"code": -32000, "message": text}, "id": call.message["id"]});
        let decided = Decided::Mcp { era: Era::Legacy, method: "server/discover".to_owned() };
        Answered::whole(&json_response(400, refused), Source::Model(decided))
    }

    /// The recorded answer of the same call: the next one that this caller has not had, then the last one.
    fn called(&mut self, call: &Call<'_>) -> Answered {
        let Some(line) = self.lines.get(&call.server) else { return self.missed(call, None, Vec::new()) };
        let method = call.message["method"].as_str().unwrap_or_default();
        let index = match line.calls.find(call.message) {
            Some(numbers) => numbers[turn(&mut self.used, call, numbers[0]).min(numbers.len() - 1)],
            None => match line.calls.last(method).filter(|_| is_about_the_server(method)) {
                Some(index) => index,
                None => {
                    if let Some(answered) = made::answer(line, call.message, call.era) {
                        return answered;
                    }
                    let nearest = line.calls.nearest(call.message);
                    let number = nearest.number.map(|index| self.tape.exchange(index).number);
                    return self.missed(call, number, nearest.reasons);
                }
            },
        };
        self.recorded(call, index)
    }

    fn recorded(&mut self, call: &Call<'_>, index: usize) -> Answered {
        let exchange = self.tape.exchange(index);
        let then = exchange.request.body.content.json().unwrap_or_default();
        let ids = self.ids.entry(call.caller.clone()).or_default();
        if ids.len() == 2 * KEPT_IDS {
            ids.drain(..KEPT_IDS);
        }
        ids.push((then["id"].clone(), call.message["id"].clone()));
        let (own, now) = (progress_token(&then), progress_token(call.message));
        let progress = own.map(|own| (own, now));
        let live = Live { ids, progress, session: call.session, version: call.version, pace: self.pace };
        let (interaction, response) = self.tape.answer(index);
        let reply = rewrite::reply(response, &live, After::Answer);
        Answered { reply, source: Source::Tape { interaction }, open: None }
    }

    /// A stream for what the server has to say, kept open where the tape kept it open.
    fn stream(&mut self, id: ServerId, request: &Request, process: u32, access: &Access, now: Moment) -> Answered {
        let answer = self.model.answer(request, now);
        let streams = self.lines.get(&id).map(|line| line.streams.as_slice()).unwrap_or_default();
        // The model opens streams for sessions only; a server without sessions may have them all the same.
        let is_sessionless = !request.headers.has("mcp-session-id") && !self.model.server(id).policy.session_required;
        if streams.is_empty() || !(is_success(answer.response.status) || is_sessionless) {
            return Answered { reply: Reply::whole(&answer.response), source: Source::Model(answer.decided), open: answer.open };
        }
        let session = request.headers.first("mcp-session-id").map(str::to_owned);
        let caller = session.map_or_else(|| caller_of(access, process), Caller::Session);
        let used = self.used.entry((id, caller, None)).or_default();
        let index = streams[(*used).min(streams.len() - 1)];
        *used += 1;
        let (interaction, response) = self.tape.answer(index);
        let reply = rewrite::reply(response, &Live { pace: self.pace, ..Live::default() }, After::Recorded);
        Answered { reply, source: Source::Tape { interaction }, open: answer.open }
    }

    /// The rest of a stream that broke off (MCP 2025-11-25, Resumability): the recorded one, or what followed the event.
    fn resumed(&mut self, id: ServerId, request: &Request, access: &Access) -> Answered {
        let session = match self.model.session_of(id, request, access) {
            Ok(session) => session,
            Err(response) => return Answered::whole(&response, Source::Model(Decided::Mcp { era: Era::Legacy, method: "GET".to_owned() })),
        };
        let last = request.headers.first("last-event-id").unwrap_or_default();
        let held = session.as_deref().and_then(|session| self.model.server(id).held_back(session, last));
        if let Some(response) = held {
            return Answered::whole(&response, Source::Model(Decided::Mcp { era: Era::Legacy, method: "GET".to_owned() }));
        }
        let line = self.lines.get(&id);
        let same = |index: &usize| self.tape.exchange(*index).request.headers.first("last-event-id") == Some(last);
        let resumed = line.and_then(|line| line.resumed.iter().rev().copied().find(same));
        let ids = session.and_then(|session| self.ids.get(&Caller::Session(session))).map(Vec::as_slice).unwrap_or_default();
        let live = Live { ids, pace: self.pace, ..Live::default() };
        if let Some(index) = resumed {
            let (interaction, response) = self.tape.answer(index);
            let reply = rewrite::reply(response, &live, After::Recorded);
            return Answered { reply, source: Source::Tape { interaction }, open: None };
        }
        let rest = line.into_iter().flat_map(|line| &line.streams).find_map(|index| self.behind(*index, last));
        match rest {
            Some((interaction, response)) => {
                let reply = rewrite::reply(&response, &live, After::Recorded);
                Answered { reply, source: Source::Tape { interaction }, open: None }
            }
            // Nothing more to say: the stream is open and silent, as that of a server without news.
            None => {
                let headers: Headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")].into_iter().collect();
                let reply = Reply::of(200, headers, Vec::new(), Ending::Open);
                let decided = Decided::Mcp { era: Era::Legacy, method: "GET".to_owned() };
                Answered { reply, source: Source::Model(decided), open: None }
            }
        }
    }

    /// A recorded stream from behind one of its events on.
    fn behind(&self, index: usize, last: &str) -> Option<(u32, Response)> {
        let (interaction, response) = self.tape.answer(index);
        let mut response = response.clone();
        let crate::exchange::Content::Events(stream) = &mut response.body.content else { return None };
        let place = stream.events.iter().position(|event| event.id() == Some(last))?;
        // The rest begins now.
        let before = stream.events[place].at;
        stream.events.drain(..=place);
        stream.events.iter_mut().for_each(|event| event.at = event.at.saturating_sub(before));
        Some((interaction, response))
    }

    /// JSON-RPC -32603: never 401, 403 or 5xx, which clients take for something else.
    fn missed(&self, call: &Call<'_>, nearest: Option<u32>, reasons: Vec<String>) -> Answered {
        let method = call.message["method"].as_str().unwrap_or("a message without a method");
        let name = call.message["params"]["name"].as_str().or(call.message["params"]["uri"].as_str());
        let mut what: String = name.map_or_else(|| method.to_owned(), |name| format!("{method} {name}"));
        if let Some(host) = Endpoint::parse(&self.model.server(call.server).resource) {
            what = format!("{} at {}{}", what.chars().take(120).collect::<String>(), host.host(), host.path());
        }
        let miss = Miss { session: call.process, what, nearest, reasons };
        let data = json!({"authtape": {"nearest": miss.nearest, "reasons": miss.reasons}});
        let error = json!({"code": -32603, "message": format!("authtape: {miss}"), "data": data});
        let response = json_response(200, json!({"jsonrpc": "2.0", "id": call.message["id"], "error": error}));
        Answered::whole(&response, Source::Miss(Box::new(miss)))
    }
}

fn progress_token(message: &Value) -> Option<&Value> {
    message.pointer("/params/_meta/progressToken")
}

/// How often this caller made this call before.
fn turn(used: &mut HashMap<(ServerId, Caller, Option<usize>), usize>, call: &Call<'_>, first: usize) -> usize {
    // `initialize` begins a session, so it is counted by the process that begins it.
    let caller = if call.session.is_some() { Caller::Process(call.process) } else { call.caller.clone() };
    let count = used.entry((call.server, caller, Some(first))).or_default();
    *count += 1;
    *count - 1
}

fn caller_of(access: &Access, process: u32) -> Caller {
    access.source.map_or(Caller::Process(process), |(issuer, grant)| Caller::Grant(issuer, grant))
}

/// Calls that ask what the server is and has: another client's way to ask gets the same answer.
fn is_about_the_server(method: &str) -> bool {
    matches!(method, "initialize" | "server/discover" | "subscriptions/listen") || method.ends_with("/list")
}
