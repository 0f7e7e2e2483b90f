//! The way to the token endpoint: slow, walled off, or gone when a refresh is due.

use crate::fault::catalogue::seconds;
use crate::fault::deeds::{edited, instead};
use crate::fault::{Attribute, Before, Deed, Life, Needs, Page, Scene, Spec, Stage, Trigger};
use crate::model::Model;
use crate::protocol::{Endpoint, Kind};
use crate::reply::{Break, Handshake, Reply};

pub(super) const SLOW: Spec = Spec {
    name: "refresh-slow",
    page: Page {
        title: "A refresh takes its time",
        injects: "The server refreshes at once and answers after so many seconds.",
        reproduces: &["anthropics/claude-code#84440", "anthropics/claude-code#85236"],
        correct: "Waits, and begins no second refresh meanwhile.",
        source: "RFC 9700 §4.14.2; OAuth 2.1 §4.3.1",
        broken: "Refresh again with the same token, in this process or in another.",
    },
    attributes: &[Attribute { name: "seconds", values: "SECONDS", default: "1", about: "how long it takes" }],
    life: Life::Times(1),
    make: |written| {
        let wait = seconds(written, "seconds", 1.0)?;
        edited(move |_, reply| {
            reply.delay += wait;
            true
        })
    },
    ..super::REFRESH
};

pub(super) const UNREACHABLE: Spec = Spec {
    name: "refresh-unreachable",
    page: Page {
        title: "The token endpoint is out of reach",
        injects: "The connection of a refresh is reset before an answer; while the fault lives, a new tunnel to that host is refused with 502. \
                  The server never sees the refresh.",
        reproduces: &["anthropics/claude-code#94855"],
        correct: "Keeps the refresh token, waits, tries again.",
        source: "RFC 6749 §5.2 (nothing was said about the token); RFC 9110 §15.6 by analogy",
        broken: "Drop their credentials and ask for authorization.",
    },
    life: Life::Times(2),
    make: |_| Ok(Box::new(Gone::default())),
    ..super::REFRESH
};

pub(super) const WALL: Spec = Spec {
    name: "token-waf-403",
    page: Page {
        title: "A firewall stands before the token endpoint",
        injects: "A token request is answered 403 text/html with cf-mitigated: challenge; the server never sees it.",
        reproduces: &["openai/codex#2414"],
        correct: "Keeps its credentials, and says that something before the server refused.",
        source: "RFC 9110 §15.5.4; RFC 6749 §5.2 (an answer without error says nothing about the grant)",
        broken: "Take it for a dead grant, or show a JSON error.",
    },
    needs: Needs::Login,
    aims_at: &[Kind::TokenCode, Kind::TokenRefresh],
    life: Life::Times(1),
    trigger: Trigger::None,
    excludes: &[],
    make: |_| {
        instead(|_| {
            let mut reply = Reply::text(403, "text/html; charset=UTF-8", "<!DOCTYPE html><title>Just a moment...</title>");
            reply.headers.push("cf-mitigated", "challenge");
            reply
        })
    },
    ..super::REFRESH
};

/// A token endpoint that goes away when somebody refreshes.
#[derive(Default)]
struct Gone {
    hosts: Vec<String>,
    is_gone: bool,
}

impl Deed for Gone {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        let endpoints = stage.issuers.iter().map(|id| Endpoint::parse(&stage.model.issuer(*id).endpoints.token));
        self.hosts = endpoints.flatten().map(|endpoint| endpoint.host().to_owned()).collect();
        Ok(())
    }

    fn before(&mut self, _: &Scene<'_>, _: &mut Model) -> Before {
        self.is_gone = true;
        Before::Answer(Box::new(Reply { broken: Some(Break::Reset), ..Reply::default() }))
    }

    fn handshake(&mut self, host: &str) -> Option<Handshake> {
        let is_gone = self.is_gone && self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        is_gone.then_some(Handshake::Refused(502))
    }
}
