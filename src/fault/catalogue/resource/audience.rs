//! A server that looks at whom a token was asked for.

use super::RESOURCE;
use crate::fault::catalogue::answers::{admitted, invalid_token};
use crate::fault::{Before, Control, Deed, Page, Scene, Spec, Stage};
use crate::model::Model;
use crate::model::policy::ResourceRule;
use crate::protocol::Bearer;
use crate::reply::Reply;

pub(super) const SPEC: Spec = Spec {
    name: "audience-401",
    page: Page {
        title: "A bearer that was asked for nobody is refused",
        injects: "A bearer is refused with 401 invalid_token unless its token request (or its authorization request) named this MCP server \
                  in the resource parameter. Fires with each bearer that is looked at.",
        reproduces: &["anthropics/claude-code#90497", "anthropics/claude-code#10572", "getsentry/sentry-mcp#1247"],
        correct: "Sends the resource that the metadata names, byte for byte, in every authorization and token request, and sees nothing \
                  of this.",
        source: "RFC 8707 §2; MCP 2025-06-18, Resource Parameter Implementation",
        broken: "Leave resource out, and log in again and again.",
    },
    control: Control::Positive,
    excludes: &["persistent-401", "resource-strict", "refresh-rejects-resource"],
    make: |_| Ok(Box::new(Audience)),
    ..RESOURCE
};

struct Audience;

impl Deed for Audience {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for id in &stage.issuers {
            let policy = &mut stage.model.issuer_mut(*id).policy;
            for rule in [&mut policy.resource_at_authorize, &mut policy.resource_at_token, &mut policy.resource_at_refresh] {
                if matches!(rule, ResourceRule::Ignore | ResourceRule::Forbid) {
                    *rule = ResourceRule::Allow;
                }
            }
        }
        Ok(())
    }

    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        let Some((server, access)) = admitted(scene, model) else { return Before::Nothing };
        let resource = &model.server(server).resource;
        let token = Bearer::of(scene.request).zip(access.source).and_then(|(bearer, (issuer, _))| {
            let token = model.issuer(issuer).valid_access(&bearer.token, scene.now)?;
            Some(!token.audience.is_empty() && token.is_for(resource))
        });
        if token == Some(false) { Before::Answer(Box::new(invalid_token(model, server))) } else { Before::Nothing }
    }

    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, model: &mut Model) -> bool {
        reply.status != 401 && admitted(scene, model).is_some()
    }
}
