//! Protected resource metadata somewhere else than the tape has it: at a URL that only the challenge names, at the root behind a
//! page, or at the root under a name without path.

use super::{html, not_found};
use crate::fault::deeds::Made;
use crate::fault::{Attribute, Before, Control, Deed, Group, Life, Needs, Page, Scene, Spec, Stage, Trigger};
use crate::model::policy::{ResourceMetadata, ResourceRule};
use crate::model::{Model, ServerId};
use crate::protocol::{Endpoint, Kind};
use crate::reply::Reply;
use serde_json::json;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const RELOCATED: Spec = Spec {
    name: "prm-custom-location",
    group: Group::Discovery,
    page: Page {
        title: "Resource metadata only where the challenge says",
        injects: "The protected resource metadata is at /oauth/resource-metadata.json of the MCP server's origin; the challenge names that URL, \
                  and each well-known name answers 404.",
        reproduces: &["geelen/mcp-remote#214", "modelcontextprotocol/python-sdk#1054", "the conformance suite's metadata-var3"],
        correct: "Fetches the URL that the challenge names.",
        source: "RFC 9728 §5.1; MCP 2025-11-25, Authorization, Protected Resource Metadata Discovery",
        broken: "Try the well-known names only and find nothing.",
    },
    attributes: &[],
    needs: Needs::ResourceMetadata,
    aims_at: &[],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &["challenge-missing"],
    make: |_| made(Relocated::to("/oauth/resource-metadata.json", not_found)),
};

pub(super) const CUSTOM_LOCATION: Spec = RELOCATED;

pub(super) const HTML_200: Spec = Spec {
    name: "prm-html-200",
    page: Page {
        title: "A page in place of resource metadata",
        injects: "Every name for the protected resource metadata answers 200 with text/html, as servers of single-page applications do, \
                  except the well-known name of the root: the document is there.",
        reproduces: &["valon-technologies/gestalt#1267"],
        correct: "Takes what is no JSON for not found and tries the next name.",
        source: "RFC 9728 §3.2; MCP 2025-11-25, Authorization, Protected Resource Metadata Discovery",
        broken: "Fail with a JSON error, or hang.",
    },
    excludes: &["prm-custom-location", "prm-resource-slash"],
    make: |_| made(Relocated { challenge: Challenge::Stays, ..Relocated::to(WELL_KNOWN, || html(200)) }),
    ..RELOCATED
};

pub(super) const RESOURCE_SLASH: Spec = Spec {
    name: "prm-resource-slash",
    page: Page {
        title: "A resource without a path, byte for byte",
        injects: "The protected resource metadata is at the well-known name of the root, and the challenge names none. Its resource is the \
                  origin of the MCP server without a slash at the end (slash=without) or with one (slash=with). The authorization server \
                  accepts that value only, byte for byte, and answers invalid_target to any other.",
        reproduces: &["anthropics/claude-code#52871", "modelcontextprotocol/typescript-sdk#1968"],
        correct: "Sends the value of the metadata as it is in resource: at authorization, code exchange and refresh.",
        source: "RFC 8707 §2; RFC 9728 §3.3 (compared code point by code point); RFC 3986 §6.2.1",
        broken: "Send it through a URL parser, which adds the slash, and get invalid_target.",
    },
    attributes: &[Attribute { name: "slash", values: "without|with", default: "without", about: "whether the resource ends with a slash" }],
    excludes: &["prm-custom-location", "prm-wrong-resource"],
    make: |written| {
        let end = if written.word("slash", &["without", "with"])? == "with" { "/" } else { "" };
        made(Relocated { challenge: Challenge::Silent, pathless: Some(end), ..Relocated::to(WELL_KNOWN, not_found) })
    },
    ..RELOCATED
};

fn made(deed: Relocated) -> Made {
    Ok(Box::new(deed))
}

/// The metadata document at another place.
struct Relocated {
    /// The path of its new place, at the origin of the MCP server.
    to: &'static str,
    /// What every other place answers.
    elsewhere: fn() -> Reply,
    challenge: Challenge,
    /// The end of the origin that the document names as its resource; `None` where it keeps its name.
    pathless: Option<&'static str>,
    documents: Vec<Document>,
}

/// What the challenge names.
#[derive(PartialEq, Eq)]
enum Challenge {
    /// The new place.
    Follows,
    /// What it names on the tape.
    Stays,
    /// Nothing.
    Silent,
}

struct Document {
    origin: String,
    old: String,
    new: String,
}

impl Relocated {
    fn to(to: &'static str, elsewhere: fn() -> Reply) -> Self {
        Self { to, elsewhere, challenge: Challenge::Follows, pathless: None, documents: Vec::new() }
    }

    fn of(&self, scene: &Scene<'_>) -> Option<&Document> {
        self.documents.iter().find(|own| own.origin == scene.endpoint.origin())
    }

    /// The authorization servers know the resource by its new name only.
    fn rename(&self, model: &mut Model, id: ServerId, name: &str) {
        let old = model.server(id).resource.clone();
        for issuer in model.server(id).issuers.clone() {
            let issuer = model.issuer_mut(issuer);
            issuer.resources.retain(|known| {
                known.trim_end_matches('/') != old.trim_end_matches('/') && known.trim_end_matches('/') != name.trim_end_matches('/')
            });
            issuer.resources.push(name.to_owned());
            let policy = &mut issuer.policy;
            (policy.resource_at_authorize, policy.resource_at_token) = (ResourceRule::Exact, ResourceRule::Exact);
            policy.resource_at_refresh = ResourceRule::Exact;
        }
        model.server_mut(id).policy.check_audience = false;
    }
}

impl Deed for Relocated {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for facts in &stage.servers {
            let server = stage.model.server(facts.id);
            let Some(url) = Endpoint::parse(&server.resource) else { continue };
            let path = url.path().trim_end_matches('/');
            let origin = url.origin().to_owned();
            let old = match &server.policy.metadata {
                _ if !server.policy.protected => continue,
                ResourceMetadata::Nowhere => continue,
                ResourceMetadata::At(url) => url.clone(),
                ResourceMetadata::Inserted => format!("{origin}{WELL_KNOWN}{path}"),
                ResourceMetadata::Root => format!("{origin}{WELL_KNOWN}"),
            };
            // The root has one well-known name only.
            if path.is_empty() && self.challenge == Challenge::Stays {
                continue;
            }
            if let Some(end) = self.pathless {
                self.rename(stage.model, facts.id, &format!("{origin}{end}"));
            }
            self.documents.push(Document { new: format!("{origin}{}", self.to), origin, old });
        }
        if self.documents.is_empty() { Err("no MCP server of the tape has metadata that could be moved there".to_owned()) } else { Ok(()) }
    }

    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        let Some(document) =
            self.of(scene).filter(|_| scene.request.method == "GET" && scene.server.is_none_or(|_| scene.kind == Kind::Prm))
        else {
            return Before::Nothing;
        };
        match scene.endpoint.as_str() {
            url if url == document.new => Before::At(document.old.clone()),
            url if url == document.old || scene.kind == Kind::Prm => Before::Answer(Box::new((self.elsewhere)())),
            _ => Before::Nothing,
        }
    }

    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        let Some(document) = self.of(scene) else { return false };
        if scene.endpoint.as_str() == document.new {
            let Some(end) = self.pathless else { return false };
            let name = format!("{}{end}", document.origin);
            return reply.edit_json(|body| body["resource"] = json!(name));
        }
        if scene.kind == Kind::Prm || scene.server.is_none() || reply.status != 401 || self.challenge == Challenge::Stays {
            return false;
        }
        let old = reply.headers.first("www-authenticate").unwrap_or("Bearer").to_owned();
        let new = if self.challenge == Challenge::Silent { silent(&old) } else { naming(&old, &document.new) };
        reply.set_header("www-authenticate", &new);
        new != old
    }
}

/// The challenge with this URL as its `resource_metadata` (RFC 9728 §5.1).
fn naming(challenge: &str, url: &str) -> String {
    let named = format!("resource_metadata=\"{url}\"");
    if let Some((before, after)) = challenge.split_once("resource_metadata=\"")
        && let Some((_, rest)) = after.split_once('"')
    {
        return format!("{before}{named}{rest}");
    }
    let joint = if challenge.contains('=') { ", " } else { " " };
    format!("{challenge}{joint}{named}")
}

/// The challenge without its `resource_metadata`.
fn silent(challenge: &str) -> String {
    let Some((before, after)) = challenge.split_once("resource_metadata=\"") else { return challenge.to_owned() };
    let rest = after.split_once('"').map_or("", |(_, rest)| rest).trim_start_matches([',', ' ']);
    format!("{before}{rest}").trim_end_matches([',', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{naming, silent};

    #[test]
    fn a_challenge_names_the_new_place() {
        assert_eq!(naming("Bearer", "u"), "Bearer resource_metadata=\"u\"");
        assert_eq!(naming("Bearer scope=\"a\"", "u"), "Bearer scope=\"a\", resource_metadata=\"u\"");
        assert_eq!(silent("Bearer scope=\"a\", resource_metadata=\"x\""), "Bearer scope=\"a\"");
        assert_eq!(silent("Bearer resource_metadata=\"x\", scope=\"a\""), "Bearer scope=\"a\"");
        assert_eq!(silent("Bearer resource_metadata=\"x\""), "Bearer");
        assert_eq!(naming("Bearer resource_metadata=\"x\", scope=\"a\"", "u"), "Bearer resource_metadata=\"u\", scope=\"a\"");
    }
}
