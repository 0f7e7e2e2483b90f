//! What a tape shows of a server's gate and of what it checks before an answer's content matters: who gets in without a bearer,
//! which scope a tool needs, whether a session is demanded, which refusals are the gate's and not the answer to a call.

use super::conclusions::note;
use super::policies::FromTape;
use super::servers::messages;
use super::tape::is_success;
use crate::exchange::{Exchange, Response};
use crate::model::{Scope, ServerPolicy};
use crate::protocol::{Authorization, Kind, MODERN_SINCE, parse_challenges};
use serde_json::Value;

/// What the modern era checks before the method (state-model §6.6): header mismatch, capability, version.
const CHECKS: std::ops::RangeInclusive<i64> = -32022..=-32020;

/// True for a refusal for want of a bearer that holds, of scope, or of a good origin.
pub(super) fn is_refusal(response: &Response) -> bool {
    matches!(response.status, 401 | 403) || (response.status == 400 && response.headers.has("www-authenticate"))
}

/// True when a response says what became of this call, rather than that it was not looked at.
pub(super) fn is_answer(request: &Value, response: &Response) -> bool {
    if is_success(response.status) || request["method"] == "server/discover" {
        return true;
    }
    let is_own = |message: &Value| message["id"] == request["id"] && !request["id"].is_null();
    let is_check = |message: &Value| message["error"]["code"].as_i64().is_some_and(|code| CHECKS.contains(&code));
    messages(response).iter().any(|message| is_own(message) && !is_check(message))
}

/// Takes what the requests to one server show; `own` are all of them.
pub(super) fn look(own: &[(usize, &Exchange, Kind)], has_document: bool, policy: &mut ServerPolicy) -> FromTape {
    let mut names = FromTape::new();
    let seen: Vec<Seen<'_>> = own.iter().filter_map(|(_, exchange, kind)| Seen::of(exchange, *kind)).collect();
    let bare: Vec<&Seen<'_>> = seen.iter().filter(|own| !own.has_credential && !is_refusal(own.response)).collect();
    let demands = seen.iter().any(|own| own.response.headers.has("www-authenticate") || own.response.status == 401);
    let carries = seen.iter().any(|own| own.has_credential);
    let is_shown = !seen.is_empty();
    let protected = demands || ((has_document || carries) && bare.is_empty());
    note(&mut names, "protected", &mut policy.protected, (is_shown || has_document).then_some(protected));
    let mut open: Vec<String> = bare.iter().filter(|_| protected).map(|own| own.method.clone()).collect();
    open.sort_unstable();
    open.dedup();
    note(&mut names, "open-methods", &mut policy.open_methods, is_shown.then_some(open));
    let get_streams: Vec<_> = seen.iter().filter(|own| own.kind == Kind::McpGetStream && !is_refusal(own.response)).collect();
    let offers = get_streams.iter().any(|own| is_success(own.response.status));
    note(&mut names, "get-stream", &mut policy.get_stream, (!get_streams.is_empty()).then_some(offers));
    note(&mut names, "sessions", &mut policy.session_required, sessions(&seen));
    // Most servers look at no origin.
    policy.origins = vec!["*".to_owned()];
    note(&mut names, "origins", &mut policy.origins, origins(&seen));
    seen.iter().for_each(|own| own.scope(policy));
    seen.iter().for_each(|own| own.capabilities(policy));
    let shown = (!policy.tool_scopes.is_empty()).then(|| policy.tool_scopes.clone());
    note(&mut names, "tool-scopes", &mut policy.tool_scopes, shown);
    names
}

/// The origins that may ask, where one was turned away.
fn origins(seen: &[Seen<'_>]) -> Option<Vec<String>> {
    let origin = |own: &&Seen<'_>| own.exchange.request.headers.first("origin").map(str::to_owned);
    let is_bad = |own: &&Seen<'_>| own.response.status == 403 && !own.response.headers.has("www-authenticate");
    seen.iter().filter(is_bad).find_map(|own| origin(&own))?;
    let mut good: Vec<String> = seen.iter().filter(|own| !is_refusal(own.response)).filter_map(|own| origin(&own)).collect();
    good.sort_unstable();
    good.dedup();
    Some(good)
}

/// A session is demanded where one is given out or taken, unless the server also did without.
fn sessions(seen: &[Seen<'_>]) -> Option<bool> {
    let success = || seen.iter().filter(|own| is_success(own.response.status));
    let names = |own: &Seen<'_>| own.exchange.request.headers.has("mcp-session-id");
    let given = success().any(|own| own.response.headers.has("mcp-session-id") || names(own));
    let is_message = |own: &Seen<'_>| matches!(own.kind, Kind::McpRequest | Kind::McpNotification | Kind::McpBatch);
    let is_modern = |own: &Seen<'_>| own.exchange.request.headers.first("mcp-protocol-version").is_some_and(|own| own >= MODERN_SINCE);
    let is_first = |own: &Seen<'_>| matches!(own.method.as_str(), "initialize" | "server/discover" | "ping");
    let did_without = success().any(|own| is_message(own) && !names(own) && !is_first(own) && !is_modern(own));
    success().any(|own| is_message(own) && !is_modern(own)).then_some(given && !did_without)
}

/// An answered request.
struct Seen<'t> {
    exchange: &'t Exchange,
    kind: Kind,
    response: &'t Response,
    /// The JSON-RPC method, or the HTTP method where there is none.
    method: String,
    has_credential: bool,
}

impl<'t> Seen<'t> {
    fn of(exchange: &'t Exchange, kind: Kind) -> Option<Self> {
        let response = exchange.response()?;
        let body = exchange.request.body.content.json();
        let method = body.as_ref().and_then(|body| body["method"].as_str()).unwrap_or(&exchange.request.method).to_owned();
        let has_credential = Authorization::of(&exchange.request.headers).is_some();
        Some(Self { exchange, kind, response, method, has_credential })
    }

    /// RFC 6750 §3.1: the scope that was lacking, for the tool that was called or for everything.
    fn scope(&self, policy: &mut ServerPolicy) {
        let challenges = parse_challenges(&self.response.headers);
        let lacking = challenges.iter().find(|own| own.error() == Some("insufficient_scope"));
        let Some(scope) = lacking.and_then(|own| own.scope()).map(Scope::parse).filter(|scope| !scope.is_empty()) else { return };
        let body = self.exchange.request.body.content.json();
        let tool = body.as_ref().filter(|_| self.method == "tools/call").and_then(|body| body["params"]["name"].as_str());
        match tool {
            Some(tool) if policy.tool_scopes.iter().any(|(own, _)| own == tool) => {}
            Some(tool) => policy.tool_scopes.push((tool.to_owned(), scope)),
            None => policy.scope = scope,
        }
    }

    /// MCP 2026-07-28: the client capabilities that were missing.
    fn capabilities(&self, policy: &mut ServerPolicy) {
        for message in messages(self.response).iter().filter(|message| message["error"]["code"] == -32021) {
            let names = message["error"]["data"]["requiredCapabilities"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
            let further: Vec<String> = names.filter(|name| !policy.required_capabilities.contains(name)).collect();
            policy.required_capabilities.extend(further);
        }
    }
}
