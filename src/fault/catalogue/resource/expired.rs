//! A client starts with an access token that has expired, and knows it.

use super::RESOURCE;
use crate::fault::catalogue::seconds;
use crate::fault::deeds::Made;
use crate::fault::{Attribute, Attributes, Before, Deed, Life, Needs, Page, Scene, Spec, Stage};
use crate::model::{Decided, IssuerId, Model};
use crate::protocol::Kind;
use crate::reply::Reply;
use std::time::Duration;

pub(super) const SPEC: Spec = Spec {
    name: "expired-at-start",
    page: Page {
        title: "The stored bearer has expired when the client starts",
        injects: "Access tokens that are issued before the last session live seconds (1), and say so in expires_in; those of the last \
                  session live as on the tape. The last session starts once they have ended. Refresh tokens stay good. It is expiry that \
                  the client knows of. Takes two sessions: --setup, --sessions or a scenario.",
        reproduces: &[
            "anthropics/claude-code#21333",
            "anthropics/claude-code#25245",
            "anthropics/claude-code#55055",
            "anthropics/claude-code#76939",
            "anthropics/claude-code#82513",
            "modelcontextprotocol/python-sdk#1318",
            "modelcontextprotocol/python-sdk#3250",
            "openai/codex#17265",
            "mcp-use#2560",
        ],
        correct: "Refreshes without asking anybody, before or after the first 401.",
        source: "RFC 6749 §1.5, §6; MCP 2026-07-28, Refresh Tokens",
        broken: "Ask for a full authorization, or offer tools that only log in.",
    },
    attributes: &[Attribute { name: "seconds", values: "SECONDS", default: "1", about: "how long the earlier access tokens live" }],
    needs: Needs::Refresh,
    aims_at: &[Kind::TokenCode, Kind::TokenRefresh],
    life: Life::Forever,
    excludes: &["early-401", "token-no-refresh-token"],
    make: expired,
    ..RESOURCE
};

fn expired(written: &Attributes) -> Made {
    Ok(Box::new(Expired { lifetime: seconds(written, "seconds", 1.0)?, usual: Vec::new() }))
}

struct Expired {
    lifetime: Duration,
    /// The lifetimes of the tape.
    usual: Vec<(IssuerId, Duration)>,
}

impl Deed for Expired {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        if stage.sessions == 1 {
            return Err("there is one session only; let it log in with --setup, or run several".to_owned());
        }
        self.usual = stage.issuers.iter().map(|id| (*id, stage.model.issuer(*id).policy.access_ttl)).collect();
        Ok(())
    }

    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        let is_last = scene.is_last();
        for (id, usual) in self.usual.iter().filter(|(id, _)| Some(*id) == scene.issuer) {
            model.issuer_mut(*id).policy.access_ttl = if is_last { *usual } else { self.lifetime.min(*usual) };
        }
        Before::Nothing
    }

    fn edit(&mut self, scene: &Scene<'_>, _: &mut Reply, _: &mut Model) -> bool {
        !scene.is_last() && matches!(scene.decided, Some(Decided::Issued { .. }))
    }
}
