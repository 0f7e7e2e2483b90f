//! A bearer with too little scope (403 insufficient_scope).

use super::RESOURCE;
use crate::fault::catalogue::answers::{admitted, challenge, strikes_call};
use crate::fault::deeds::{Made, answering};
use crate::fault::{Attribute, Attributes, Page, Scene, Spec};
use crate::model::{Access, Model, Scope, ServerId};
use crate::protocol::Kind;
use crate::reply::Reply;

pub(super) const LACKING: Spec = Spec {
    name: "scope-403",
    page: Page {
        title: "A tool call needs more scope",
        injects: "A tool call (or another method) whose bearer lacks scope (authtape:more) is answered 403 insufficient_scope; the challenge \
                  names that scope only. The authorization server grants what it is asked for.",
        reproduces: &[
            "anthropics/claude-code#28258",
            "anthropics/claude-code#44652",
            "google-gemini/gemini-cli#12108",
            "modelcontextprotocol/typescript-sdk#2255",
        ],
        correct: "Asks for authorization with the scope it has and the one that is missing, and repeats the call.",
        source: "MCP 2025-11-25, Scope Challenge Handling; SEP-2350; RFC 6750 §3.1",
        broken: "Refresh, which cannot widen a scope (RFC 6749 §6), ask for the new scope alone, or give up.",
    },
    attributes: &[SCOPE],
    aims_at: &[Kind::McpRequest],
    excludes: &["scope-403-forever", "scope-403-per-tool"],
    make: lacking,
    ..RESOURCE
};

pub(super) const FOREVER: Spec = Spec {
    name: "scope-403-forever",
    page: Page {
        title: "No scope is ever enough",
        injects: "Each tool call (or another method) is answered 403 insufficient_scope, whatever its bearer holds; the challenge names \
                  scope (authtape:more).",
        reproduces: &["modelcontextprotocol/conformance (scope-retry-limit)"],
        correct: "Asks for authorization a few times at most, then gives up and says so.",
        source: "MCP 2025-11-25, Scope Challenge Handling (no more than a few times)",
        broken: "Ask the person for consent without end.",
    },
    excludes: &["scope-403-per-tool"],
    make: forever,
    ..LACKING
};

pub(super) const PER_TOOL: Spec = Spec {
    name: "scope-403-per-tool",
    page: Page {
        title: "Each tool needs a scope of its own",
        injects: "A call of tool NAME whose bearer lacks the scope tool:NAME is answered 403 insufficient_scope; the challenge names that \
                  scope only, and a new token holds what was asked for and nothing else.",
        reproduces: &["modelcontextprotocol/typescript-sdk#2255"],
        correct: "Asks for the union of what it has and what is missing, so that one tool does not cost it the other.",
        source: "SEP-2350; MCP 2025-11-25, Scope Challenge Handling",
        broken: "Ask for the challenged scope alone, and go back and forth between two tools.",
    },
    attributes: &[],
    excludes: &[],
    make: |_| answering(|scene, model| lacks(scene, model, &tool_scope(scene.rpc?.tool?))),
    ..LACKING
};

const SCOPE: Attribute = Attribute { name: "scope", values: "TEXT", default: "authtape:more", about: "the scope that is missing" };

fn lacking(written: &Attributes) -> Made {
    let (scope, strikes) = (scope(written)?, strikes_call(written));
    answering(move |scene, model| if strikes(scene) { lacks(scene, model, &scope) } else { None })
}

fn forever(written: &Attributes) -> Made {
    let (scope, strikes) = (scope(written)?, strikes_call(written));
    answering(move |scene, model| {
        let (server, access) = admitted(scene, model).filter(|_| strikes(scene))?;
        Some(refused(model, server, &access, &scope))
    })
}

fn scope(written: &Attributes) -> Result<Scope, crate::fault::FaultError> {
    let text = written.text("scope").unwrap_or(SCOPE.default);
    let scope = Scope::parse(text);
    // RFC 6749 §3.3: a scope is made of these.
    let is_good = text.bytes().all(|byte| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if is_good && !scope.is_empty() { Ok(scope) } else { Err(written.refuse("scope", "a scope (RFC 6749 §3.3)")) }
}

/// The scope of a tool; whatever cannot stand in one becomes `_`.
fn tool_scope(tool: &str) -> Scope {
    let name: String =
        tool.chars().take(100).map(|own| if own.is_ascii_alphanumeric() || "-_.:/".contains(own) { own } else { '_' }).collect();
    Scope::parse(&format!("tool:{name}"))
}

/// The refusal of a bearer that would be taken but lacks this scope.
fn lacks(scene: &Scene<'_>, model: &mut Model, scope: &Scope) -> Option<Reply> {
    let (server, access) = admitted(scene, model).filter(|(_, access)| !access.scope.covers(scope))?;
    Some(refused(model, server, &access, scope))
}

fn refused(model: &mut Model, server: ServerId, access: &Access, scope: &Scope) -> Reply {
    if let Some((issuer, _)) = access.source {
        // The authorization server knows the scope from now on. One that lists none knows every scope.
        let known = &mut model.issuer_mut(issuer).policy.scopes;
        if !known.is_empty() {
            *known = Scope::parse(&format!("{known} {scope}"));
        }
    }
    challenge(model, server, 403, ("insufficient_scope", "more scope is needed"), scope)
}
