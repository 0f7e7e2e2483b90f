//! Redirect URIs are compared byte for byte, ports included.

use super::{ENDPOINT, asked, page};
use crate::fault::{Attribute, Before, Control, Deed, Life, Page, Scene, Spec, Stage};
use crate::model::Model;
use crate::model::policy::{RedirectMatching, RedirectRule};
use crate::reply::Reply;

pub(super) const SPEC: Spec = Spec {
    name: "redirect-strict",
    page: Page {
        title: "Redirect URIs are compared strictly",
        injects: "The authorization endpoint answers 400 without a redirect unless the redirect URI is one that the client registered: all \
                  of it (match=exact), up to the path or the host, the port of a loopback URI always included. With uri, only those count.",
        reproduces: &[
            "openai/codex#30460",
            "opencode-ai/opencode#18955",
            "anthropics/claude-code#82096",
            "anthropics/claude-code#56557",
            "apify/mcpc#269",
            "cloudflare/workers-oauth-provider#29",
        ],
        correct: "Sends a redirect URI that it registered, byte for byte. A server that refuses only the port of a loopback URI is at \
                  fault; a client that listens where it is registered passes all the same.",
        source: "RFC 6749 §3.1.2.3; OAuth 2.1 §2.3.1; RFC 8252 §7.3, §8.3",
        broken: "Register one spelling (localhost) and send another (127.0.0.1), or keep a registration and change the port.",
    },
    attributes: &[
        Attribute { name: "match", values: "exact|path|host", default: "exact", about: "how much of it counts" },
        Attribute {
            name: "uri",
            values: "TEXT",
            default: "",
            about: "the redirect URIs that are allowed, spaces between, whatever was registered",
        },
    ],
    life: Life::Forever,
    control: Control::Positive,
    make: |written| {
        let matching = match written.word("match", &["exact", "path", "host"])? {
            "path" => RedirectMatching::Path,
            "host" => RedirectMatching::Host,
            _ => RedirectMatching::Exact,
        };
        let allowed = written.text("uri").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        Ok(Box::new(Strict { matching, allowed }))
    },
    ..ENDPOINT
};

struct Strict {
    matching: RedirectMatching,
    allowed: Vec<String>,
}

impl Deed for Strict {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for id in &stage.issuers {
            stage.model.issuer_mut(*id).policy.redirect = RedirectRule { matching: self.matching, loopback_port_free: false };
        }
        Ok(())
    }

    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        let is_allowed = self.allowed.is_empty() || asked(scene.request, "redirect_uri").is_some_and(|uri| self.allowed.contains(&uri));
        if is_allowed { Before::Nothing } else { Before::Answer(Box::new(page(400, "redirect_uri differs from the registered one"))) }
    }

    /// Its condition is met when somebody asks.
    fn edit(&mut self, scene: &Scene<'_>, _: &mut Reply, _: &mut Model) -> bool {
        scene.decided.is_some()
    }
}
