//! Metadata documents that say something else than those of the tape.

use crate::fault::deeds::{altered, edited};
use crate::fault::{Attribute, Before, Control, Deed, Group, Life, Needs, Page, Scene, Spec, Stage, Trigger};
use crate::model::Model;
use crate::model::policy::Registration;
use crate::protocol::{Endpoint, Kind};
use crate::reply::Reply;
use serde_json::{Value, json};

pub(super) const WRONG_RESOURCE: Spec = Spec {
    name: "prm-wrong-resource",
    page: Page {
        title: "Resource metadata of another resource",
        injects: "The resource of the protected resource metadata is at another origin (to=other), or is the root of the MCP server although \
                  the document is that of a path (to=root).",
        reproduces: &["anthropics/claude-ai-mcp#560", "modelcontextprotocol/typescript-sdk#2751", "anthropics/claude-code#52871"],
        correct: "Does not use the document, and says so.",
        source: "RFC 9728 §3.3",
        broken: "Go on and get a token for another audience.",
    },
    attributes: &[Attribute { name: "to", values: "other|root", default: "other", about: "which resource the document names" }],
    needs: Needs::ResourceMetadata,
    aims_at: &[Kind::Prm],
    make: |written| {
        let to = written.word("to", &["other", "root"])?;
        edited(move |scene, reply| {
            let root = format!("{}/", scene.endpoint.origin());
            let name = if to == "root" { root.as_str() } else { "https://other.example.test/mcp" };
            reply.status == 200 && reply.edit_json(|body| body["resource"] = json!(name))
        })
    },
    ..ISSUER_MISMATCH
};

pub(super) const ISSUER_MISMATCH: Spec = Spec {
    name: "as-metadata-issuer-mismatch",
    group: Group::Discovery,
    page: Page {
        title: "Metadata of another issuer",
        injects: "The issuer of the authorization server metadata differs from the one that the protected resource metadata names: by a slash \
                  at the end (by=slash), by its path, or by its host.",
        reproduces: &["anomalyco/opencode#50036", "atlassian/atlassian-mcp-server#205", "modelcontextprotocol/python-sdk#1919"],
        correct: "Does not use the document, and names both issuers.",
        source: "RFC 8414 §3.3 (identical, by simple string comparison)",
        broken: "Go on, or fail without saying why.",
    },
    attributes: &[Attribute { name: "by", values: "slash|path|host", default: "slash", about: "what differs" }],
    needs: Needs::Login,
    aims_at: &[Kind::AsMetadata, Kind::OidcConfig],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |written| {
        let by = written.word("by", &["slash", "path", "host"])?;
        edited(move |_, reply| {
            member(reply, "issuer", |issuer| {
                let text = issuer.as_str()?;
                let base = text.trim_end_matches('/');
                Some(json!(match by {
                    "path" => format!("{base}/other"),
                    "host" => format!("https://other.example.test{}", Endpoint::parse(text)?.path().trim_end_matches('/')),
                    _ if base == text => format!("{base}/"),
                    _ => base.to_owned(),
                }))
            })
        })
    },
};

pub(super) const NO_PKCE: Spec = Spec {
    name: "as-no-pkce-metadata",
    page: Page {
        title: "Metadata that does not speak of PKCE",
        injects: "code_challenge_methods_supported is left out of the authorization server metadata.",
        reproduces: &["both SDKs go on, by their source"],
        correct: "Refuses to go on: support of PKCE cannot be known.",
        source: "MCP 2025-11-25, Authorization Code Protection (clients MUST refuse); RFC 8414 §2",
        broken: "Go on as if PKCE were supported.",
    },
    attributes: &[],
    make: |_| edited(|_, reply| member(reply, "code_challenge_methods_supported", |_| None)),
    ..ISSUER_MISMATCH
};

pub(super) const ADVERTISES_ISS: Spec = Spec {
    name: "as-advertises-iss",
    page: Page {
        title: "The authorization server sends iss and says so",
        injects: "The metadata says authorization_response_iss_parameter_supported: true, and the callback has the right iss. Nothing is wrong; \
                  combine it with callback-iss-missing or callback-iss-wrong.",
        reproduces: &["openai/codex#32472", "openai/codex#37300", "mcp-use/mcp-use#2356"],
        correct: "Compares iss with the issuer and exchanges the code.",
        source: "RFC 9207 §2, §2.4; SEP-2468",
        broken: "Reject the callback.",
    },
    attributes: &[],
    control: Control::Positive,
    make: |_| Ok(Box::new(AdvertisesIss)),
    ..ISSUER_MISMATCH
};

struct AdvertisesIss;

impl Deed for AdvertisesIss {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for id in &stage.issuers {
            stage.model.issuer_mut(*id).policy.send_iss = true;
        }
        Ok(())
    }

    fn edit(&mut self, _: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        let name = "authorization_response_iss_parameter_supported";
        reply.edit_json(|body| body[name] = json!(true)) || reply.json_body().is_some_and(|body| body[name] == true)
    }
}

pub(super) const NO_REGISTRATION: Spec = Spec {
    name: "as-no-registration",
    page: Page {
        title: "No dynamic registration",
        injects: "registration_endpoint is left out of the metadata and nobody can register. With cimd=true the metadata says that client id \
                  metadata documents are supported, with cimd=false that they are not.",
        reproduces: &["anthropics/claude-code#67258", "microsoft/vscode#257415", "aaif-goose/goose#8918"],
        correct: "Uses a client that was registered beforehand, then a client id metadata document where they are supported, else asks for a \
                  client id. Never posts to a guessed /register.",
        source: "MCP 2025-11-25, Client Registration Approaches; SEP-991",
        broken: "Post to a guessed /register, or wait for a callback that cannot come.",
    },
    attributes: &[Attribute {
        name: "cimd",
        values: "false|true",
        default: "false",
        about: "whether client id metadata documents are supported",
    }],
    needs: Needs::Registration,
    excludes: &["dcr-duplicate"],
    make: |written| Ok(Box::new(NoRegistration { documents: written.word("cimd", &["false", "true"])? == "true" })),
    ..ISSUER_MISMATCH
};

struct NoRegistration {
    documents: bool,
}

impl Deed for NoRegistration {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for id in &stage.issuers {
            let policy = &mut stage.model.issuer_mut(*id).policy;
            (policy.registration, policy.client_documents) = (Registration::Closed, self.documents);
        }
        Ok(())
    }

    fn edit(&mut self, _: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        let is_document = reply.json_body().is_some_and(|body| body.get("issuer").is_some());
        member(reply, "registration_endpoint", |_| None);
        reply.edit_json(|body| body["client_id_metadata_document_supported"] = json!(self.documents));
        is_document
    }
}

pub(super) const MIGRATED: Spec = Spec {
    name: "as-migrated",
    page: Page {
        title: "The MCP server changes its authorization server",
        injects: "When the last session comes with its first valid bearer, the protected resource metadata names another authorization server, \
                  whose identifier ends with /migrated. The MCP server takes tokens of that one only. An earlier session must have logged in: \
                  use --setup or --sessions.",
        reproduces: &["the conformance suite's authorization-server-migration", "SEP-2352"],
        correct: "Fetches the metadata again, registers at the new authorization server and logs in there; nothing of the old one goes to it.",
        source: "MCP 2026-07-28, Authorization Server Binding (SEP-2352)",
        broken: "Use the old client id or refresh token at the new authorization server, or the old server again.",
    },
    attributes: &[],
    needs: Needs::ResourceMetadata,
    aims_at: &[],
    make: |_| {
        let mut identifier: Option<String> = None;
        Ok(Box::new(Migrated { step: Box::new(move |scene, model| migrate(scene, model, &mut identifier)) }))
    },
    ..ISSUER_MISMATCH
};

type Step = Box<dyn FnMut(&Scene<'_>, &mut Model) -> Option<String> + Send>;

struct Migrated {
    step: Step,
}

impl Deed for Migrated {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        if stage.sessions < 2 { Err("it needs an earlier session that logs in (--setup)".to_owned()) } else { Ok(()) }
    }

    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        if scene.server.is_some() && scene.kind != Kind::Prm && scene.is_last() {
            (self.step)(scene, model);
        }
        Before::Nothing
    }

    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, model: &mut Model) -> bool {
        if scene.kind != Kind::Prm {
            return false;
        }
        let Some(identifier) = (self.step)(scene, model) else { return false };
        reply.edit_json(|body| body["authorization_servers"] = json!([identifier]))
    }
}

/// Lets an MCP server trust another authorization server once a good bearer of the old one comes. Gives the identifier of the new
/// one from then on.
fn migrate(scene: &Scene<'_>, model: &mut Model, identifier: &mut Option<String>) -> Option<String> {
    if identifier.is_none()
        && let Some(server) = scene.server
        && let Ok(access) = model.admit(server, scene.request, scene.now)
        && let Some((old, _)) = access.source
    {
        let old = model.issuer(old);
        let name = format!("{}/migrated", old.identifier.trim_end_matches('/'));
        let mut new = crate::model::Issuer::new(&name, old.policy.clone());
        new.resources.clone_from(&old.resources);
        let new = model.add_issuer(new);
        model.server_mut(server).issuers = vec![new];
        *identifier = Some(name);
    }
    identifier.clone()
}

/// Changes a member of a JSON document; `None` takes it out. False where it is not there or stays.
fn member(reply: &mut Reply, name: &str, change: impl FnOnce(&Value) -> Option<Value>) -> bool {
    reply.edit_json(|body| {
        let Some(members) = body.as_object_mut() else { return };
        let Some(old) = members.get(name) else { return };
        match change(old) {
            Some(new) => drop(members.insert(name.to_owned(), new)),
            None => drop(members.remove(name)),
        }
    })
}

pub(super) const CORS_MISSING: Spec = Spec {
    name: "cors-missing",
    page: Page {
        title: "Answers that a browser may not read",
        injects: "Answers to requests of a page, with an Origin, come without Access-Control fields (what=all), or without \
                  Access-Control-Expose-Headers alone (what=expose), so that the page cannot see the challenge.",
        reproduces: &["better-auth/better-auth#10272", "twentyhq/twenty#19836"],
        correct: "A client in a browser says that the server does not let it read the answer; for others nothing is different.",
        source: "Fetch, CORS protocol; RFC 9728 §5.1",
        broken: "Report a network error, or take the server for unprotected.",
    },
    attributes: &[Attribute { name: "what", values: "all|expose", default: "all", about: "which fields are missing" }],
    needs: Needs::Nothing,
    aims_at: &[],
    make: |written| {
        let prefix = match written.word("what", &["all", "expose"])? {
            "expose" => "access-control-expose-headers",
            _ => "access-control-",
        };
        altered(move |_, reply, _| {
            let is_own = |name: &str| name.to_ascii_lowercase().starts_with(prefix);
            let had = reply.headers.iter().any(|(name, _)| is_own(name));
            reply.headers.retain(|name, _| !is_own(name));
            had
        })
    },
    ..ISSUER_MISMATCH
};
