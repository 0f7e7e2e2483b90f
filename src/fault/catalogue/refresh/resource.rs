//! Authorization servers with a rule about the `resource` parameter: one general fault, and the two of it that people meet at a
//! refresh.

use crate::fault::deeds::{Made, stricter};
use crate::fault::{Attribute, Control, Life, Needs, Page, Spec, Trigger};
use crate::model::IssuerPolicy;
use crate::model::policy::ResourceRule;
use crate::protocol::Kind;

/// Where there is a `resource` parameter.
const PLACES: &[Kind] = &[Kind::Authorize, Kind::TokenCode, Kind::TokenRefresh];

pub(super) const STRICT: Spec = Spec {
    name: "resource-strict",
    page: Page {
        title: "An authorization server with a rule about resource",
        injects: "The authorization server answers invalid_target unless resource names a server of its own byte for byte (exact), unless it is \
                  there (require), or when it is there (forbid). kind says where: authorize, token-code or token-refresh; all three without it.",
        reproduces: &["anthropics/claude-ai-mcp#514", "microsoft/azure-devops-mcp#1511"],
        correct: "Sends the resource of the server's metadata byte for byte in all three. To forbid it is a deviation of the server, to be \
                  reported.",
        source: "RFC 8707 §2; RFC 9728 §3.3; MCP 2025-06-18, Authorization, Resource Parameter",
        broken: "Leave it out, or put a slash behind it.",
    },
    attributes: &[Attribute { name: "rule", values: "exact|require|forbid", default: "exact", about: "what the server wants" }],
    needs: Needs::Login,
    aims_at: PLACES,
    life: Life::Forever,
    trigger: Trigger::None,
    excludes: &["refresh-needs-resource", "refresh-rejects-resource"],
    make: |written| {
        let rule = match written.word("rule", &["exact", "require", "forbid"])? {
            "require" => ResourceRule::Require,
            "forbid" => ResourceRule::Forbid,
            _ => ResourceRule::Exact,
        };
        let chosen: Option<Kind> = written.parsed("kind", "a kind")?;
        if chosen.is_some_and(|kind| !PLACES.contains(&kind)) {
            return Err(written.refuse("kind", "authorize, token-code or token-refresh"));
        }
        ruled(rule, chosen)
    },
    ..super::REFRESH
};

pub(super) const NEEDED: Spec = Spec {
    name: "refresh-needs-resource",
    page: Page {
        title: "A refresh without resource is refused",
        injects: "A refresh without the resource parameter is answered 400 {\"error\":\"invalid_target\"}.",
        reproduces: &["openai/codex#33403", "stacklok/toolhive#3713", "dust-tt/dust#20789", "anthropics/claude-code#90497"],
        correct: "Sends resource with each refresh.",
        source: "MCP 2025-06-18, Authorization, Resource Parameter; RFC 8707 §2.2",
        broken: "Send it with the code only, and fail when the first token ends.",
    },
    life: Life::Forever,
    control: Control::Positive,
    excludes: &["refresh-rejects-resource", "token-no-refresh-token"],
    make: |_| ruled(ResourceRule::Require, Some(Kind::TokenRefresh)),
    ..super::REFRESH
};

pub(super) const REJECTED: Spec = Spec {
    name: "refresh-rejects-resource",
    page: Page {
        title: "A refresh with resource is refused",
        injects: "A refresh with the resource parameter is answered 400 {\"error\":\"invalid_target\"}.",
        reproduces: &["modelcontextprotocol/python-sdk#2853", "dust-tt/dust#22773"],
        correct: "Sends it all the same, as the specification says, keeps its credentials and says what the server said.",
        source: "MCP 2025-06-18, Authorization, Resource Parameter; RFC 8707 §2 (invalid_target)",
        broken: "Lose their credentials. A second try without the parameter is a deviation that helps.",
    },
    life: Life::Forever,
    excludes: &["refresh-needs-resource", "token-no-refresh-token"],
    make: |_| ruled(ResourceRule::Forbid, Some(Kind::TokenRefresh)),
    ..super::REFRESH
};

/// Authorization servers with this rule at this place, at all of them where none is chosen.
fn ruled(rule: ResourceRule, place: Option<Kind>) -> Made {
    stricter(
        move |stage| {
            for id in &stage.issuers {
                let policy = &mut stage.model.issuer_mut(*id).policy;
                for kind in PLACES.iter().filter(|kind| place.is_none_or(|own| own == **kind)) {
                    *rule_at(policy, *kind) = rule;
                }
            }
            Ok(())
        },
        // Its condition is met when somebody asks there.
        |scene, _| scene.decided.is_some(),
    )
}

fn rule_at(policy: &mut IssuerPolicy, kind: Kind) -> &mut ResourceRule {
    match kind {
        Kind::Authorize => &mut policy.resource_at_authorize,
        Kind::TokenCode => &mut policy.resource_at_token,
        _ => &mut policy.resource_at_refresh,
    }
}
