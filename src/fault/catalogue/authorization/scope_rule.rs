//! A server that takes certain scopes only.

use super::{ENDPOINT, asked, redirected_error};
use crate::fault::{Attribute, Before, Deed, Life, Page, Scene, Spec};
use crate::model::{Model, Scope};
use crate::protocol::Kind;
use crate::reply::Reply;
use serde_json::json;

pub(super) const SPEC: Spec = Spec {
    name: "authorize-scope-rule",
    page: Page {
        title: "Certain scopes only",
        injects: "An authorization request is redirected back with error=invalid_scope unless its scope lies within allow and holds all of \
                  require; without either, every request is. With at=token it passes, and the code exchange is refused 400 invalid_scope.",
        reproduces: &[
            "anthropics/claude-code#12077",
            "anthropics/claude-code#83679",
            "openchoreo/openchoreo#3217",
            "modelcontextprotocol/modelcontextprotocol#653",
        ],
        correct: "Asks for the scope of the challenge, else for the scopes of the resource metadata, else for none; after invalid_scope says \
                  so and tries at most once more.",
        source: "RFC 6749 §3.3, §4.1.2.1; MCP 2025-11-25, Authorization, Scope Selection Strategy; SEP-2207",
        broken: "Ask for every scope they have heard of, or repeat the request without end.",
    },
    attributes: &[
        Attribute { name: "allow", values: "TEXT", default: "", about: "the scopes that may be asked for, spaces between" },
        Attribute { name: "require", values: "TEXT", default: "", about: "the scopes that must be asked for, spaces between" },
        Attribute { name: "at", values: "authorize|token", default: "authorize", about: "where it is refused" },
    ],
    aims_at: &[Kind::Authorize, Kind::TokenCode],
    life: Life::Forever,
    make: |written| {
        let own = |name: &str| written.text(name).map(Scope::parse);
        let at_token = written.word("at", &["authorize", "token"])? == "token";
        Ok(Box::new(Rule { allow: own("allow"), require: own("require"), at_token, is_broken: false }))
    },
    ..ENDPOINT
};

struct Rule {
    allow: Option<Scope>,
    require: Option<Scope>,
    at_token: bool,
    /// Whether the authorization request before the code exchange broke the rule.
    is_broken: bool,
}

impl Rule {
    fn takes(&self, scope: &Scope) -> bool {
        let has_rule = self.allow.is_some() || self.require.is_some();
        has_rule
            && self.allow.as_ref().is_none_or(|allow| allow.covers(scope))
            && self.require.as_ref().is_none_or(|require| scope.covers(require))
    }
}

impl Deed for Rule {
    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        if scene.kind == Kind::Authorize {
            let scope = asked(scene.request, "scope").as_deref().map(Scope::parse).unwrap_or_default();
            self.is_broken = !self.takes(&scope);
            if self.is_broken && !self.at_token {
                return Before::Answer(Box::new(redirected_error(scene, model, "invalid_scope", "this scope cannot be asked for")));
            }
        } else if self.is_broken && self.at_token {
            let body = json!({"error": "invalid_scope", "error_description": "this scope cannot be asked for"});
            return Before::Answer(Box::new(Reply::json(400, &body)));
        }
        Before::Nothing
    }
}
