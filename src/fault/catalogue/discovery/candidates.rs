//! Authorization server metadata under other names than the tape has it, or under none: what a client makes of the order of the
//! well-known names.

use super::{html, not_found};
use crate::fault::deeds::Made;
use crate::fault::{Attribute, Before, Control, Deed, Group, Life, Needs, Page, Scene, Spec, Stage, Trigger};
use crate::model::Model;
use crate::model::policy::WellKnown;
use crate::protocol::{Endpoint, Kind};
use crate::reply::Reply;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

pub(super) const BUSY: Spec = Spec {
    name: "as-metadata-5xx",
    group: Group::Discovery,
    page: Page {
        title: "Authorization server metadata answers 503",
        injects: "The first name of the authorization server metadata, /.well-known/oauth-authorization-server with the path of the issuer, \
                  answers 503. The other names answer as they do.",
        reproduces: &["the Rust SDK's test discovery_propagates_server_errors"],
        correct: "Tries again or says that the server is busy; never falls back to guessed endpoints.",
        source: "RFC 9110 §15.6.4; RFC 8414 §3.2; MCP 2025-11-25, Authorization Server Metadata Discovery",
        broken: "Take it for missing metadata and send the person to a guessed /authorize.",
    },
    attributes: &[],
    needs: Needs::Login,
    aims_at: &[Kind::AsMetadata, Kind::OidcConfig],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &["as-metadata-missing", "as-metadata-oidc-only", "well-known-junk"],
    make: |_| made(What::Busy),
};

pub(super) const OIDC_ONLY: Spec = Spec {
    name: "as-metadata-oidc-only",
    page: Page {
        title: "Metadata only as an OpenID configuration",
        injects: "The authorization server metadata is under the last name only: .well-known/openid-configuration behind the path of the \
                  issuer. The names before it answer 404.",
        reproduces: &["google-gemini/gemini-cli#13643", "the conformance suite's metadata-var1 and -var3"],
        correct: "Tries each name in order: oauth-authorization-server, then openid-configuration between host and path, then behind the path.",
        source: "MCP 2025-11-25, Authorization Server Metadata Discovery; RFC 8414 §5; OpenID Connect Discovery §4",
        broken: "Stop after the first name.",
    },
    excludes: &["as-metadata-missing", "well-known-junk"],
    make: |_| made(What::LastOnly),
    ..BUSY
};

pub(super) const MISSING: Spec = Spec {
    name: "as-metadata-missing",
    page: Page {
        title: "No authorization server metadata",
        injects: "Every name of the authorization server metadata answers 404 (scope=all), or every name but those without the path of the \
                  issuer (scope=root-only); the endpoints themselves work.",
        reproduces: &["aws/amazon-q-developer-cli#3638", "modelcontextprotocol/rust-sdk#632"],
        correct: "Tries the names in order, then says that there is no metadata. Guessed endpoints are for servers of 2025-03-26, which have \
                  no protected resource metadata either.",
        source: "RFC 8414 §3.1; MCP 2025-11-25, Authorization Server Metadata Discovery",
        broken: "Use guessed endpoints or the metadata of another issuer on the same host.",
    },
    attributes: &[Attribute { name: "scope", values: "all|root-only", default: "all", about: "which names are missing" }],
    excludes: &["well-known-junk"],
    make: |written| {
        made(match written.word("scope", &["all", "root-only"])? {
            "root-only" => What::RootOnly,
            _ => What::Missing,
        })
    },
    ..BUSY
};

pub(super) const JUNK: Spec = Spec {
    name: "well-known-junk",
    page: Page {
        title: "Metadata that is none",
        injects: "/.well-known/oauth-authorization-server answers 200 with {} (answer=empty), 200 with a page (html), or 302 to a page \
                  (redirect). The metadata is under the last name, openid-configuration.",
        reproduces: &["anthropics/claude-code#2831", "anthropics/claude-code#80785"],
        correct: "Takes it for not found and tries the next name.",
        source: "RFC 8414 §3.2, §3.3; RFC 9728 §3.2",
        broken: "Fail with a schema or JSON error, or guess the endpoints.",
    },
    attributes: &[Attribute { name: "answer", values: "empty|html|redirect", default: "empty", about: "what stands in for the metadata" }],
    excludes: &[],
    make: |written| {
        made(What::Junk(match written.word("answer", &["empty", "html", "redirect"])? {
            "html" => Junk::Html,
            "redirect" => Junk::Redirect,
            _ => Junk::Empty,
        }))
    },
    ..BUSY
};

fn made(what: What) -> Made {
    Ok(Box::new(Candidates { what, issuers: Vec::new() }))
}

/// Which of the names hold what.
struct Candidates {
    what: What,
    issuers: Vec<Issuer>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Busy,
    LastOnly,
    Missing,
    RootOnly,
    Junk(Junk),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Junk {
    Empty,
    Html,
    Redirect,
}

struct Issuer {
    origin: String,
    /// The path of its identifier, without a slash at the end.
    path: String,
    /// Where the tape has its metadata.
    document: String,
}

impl Deed for Candidates {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for id in &stage.issuers {
            let issuer = stage.model.issuer(*id);
            let Some(url) = Endpoint::parse(&issuer.identifier) else { continue };
            let (origin, path) = (url.origin().to_owned(), url.path().trim_end_matches('/').to_owned());
            if self.what == What::RootOnly && path.is_empty() {
                continue;
            }
            let document = match issuer.policy.metadata.first() {
                Some(WellKnown::OpenIdInserted) => format!("{origin}{OPENID}{path}"),
                Some(WellKnown::OpenIdAppended) => format!("{origin}{path}{OPENID}"),
                _ => format!("{origin}{OAUTH}{path}"),
            };
            self.issuers.push(Issuer { origin, path, document });
        }
        if self.issuers.is_empty() { Err("no authorization server of the tape has a path".to_owned()) } else { Ok(()) }
    }

    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        let mut near = self.issuers.iter().filter(|own| own.origin == scene.endpoint.origin());
        let path = scene.endpoint.path();
        let Some(issuer) = near.clone().find(|own| !own.path.is_empty() && path.contains(&own.path)).or_else(|| near.next()) else {
            return Before::Nothing;
        };
        let answer = |reply: Reply| Before::Answer(Box::new(reply));
        let is_last = path == format!("{}{OPENID}", issuer.path);
        let at_document = || Before::At(issuer.document.clone());
        match self.what {
            What::Busy if path == format!("{OAUTH}{}", issuer.path) => answer(Reply::text(503, "text/plain", "Service Unavailable")),
            What::LastOnly if is_last => at_document(),
            What::RootOnly if path == OAUTH || path == OPENID => at_document(),
            What::Junk(junk) if path.starts_with(OAUTH) => answer(junk.reply(scene)),
            What::Junk(_) if is_last => at_document(),
            What::Busy | What::Junk(_) => Before::Nothing,
            What::LastOnly | What::RootOnly | What::Missing => answer(not_found()),
        }
    }
}

impl Junk {
    fn reply(self, scene: &Scene<'_>) -> Reply {
        match self {
            Self::Empty => Reply::text(200, "application/json", "{}"),
            Self::Html => html(200),
            Self::Redirect if scene.request.url.contains("?page=") => html(200),
            Self::Redirect => {
                let mut reply = html(302);
                reply.set_header("location", &format!("{}?page=sign-in", scene.endpoint.as_str()));
                reply
            }
        }
    }
}
