//! What stands at the MCP URL before a client is in: other answers than a challenge, redirects, methods that need no bearer.

use super::html;
use crate::fault::deeds::edited;
use crate::fault::{Attribute, Before, Control, Deed, Group, Life, Needs, Page, Scene, Spec, Stage, Trigger};
use crate::model::Model;
use crate::protocol::{Authorization, Endpoint};
use crate::reply::Reply;
use serde_json::json;

pub(super) const UNAUTHENTICATED_STATUS: Spec = Spec {
    name: "unauthenticated-status",
    group: Group::Discovery,
    page: Page {
        title: "No challenge, but something else",
        injects: "A request without a bearer that would get a 401 gets 403 with a page (answer=forbidden), 401 with a Basic or a Negotiate \
                  challenge (basic, negotiate), 302 to a sign-in page (sign-in), or 200 with a JSON-RPC error (rpc-error).",
        reproduces: &["docker/mcp-gateway#157", "anthropics/claude-code#46879"],
        correct: "Begins no login without a Bearer challenge, and says what the server answered.",
        source: "RFC 9110 §11.6.1, §15.5.2, §15.5.4; RFC 9728 §5.1",
        broken: "Begin a login that cannot help, or remember for long that the server needs one.",
    },
    attributes: &[Attribute {
        name: "answer",
        values: "forbidden|basic|negotiate|sign-in|rpc-error",
        default: "forbidden",
        about: "what stands in for the challenge",
    }],
    needs: Needs::Protected,
    aims_at: &[],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &["challenge-missing", "prm-custom-location", "prm-resource-slash"],
    make: |written| {
        let answer = written.word("answer", &["forbidden", "basic", "negotiate", "sign-in", "rpc-error"])?;
        edited(move |scene, reply| {
            let is_bare = Authorization::of(&scene.request.headers).is_none();
            if scene.server.is_none() || reply.status != 401 || !is_bare {
                return false;
            }
            *reply = unauthenticated(answer, scene);
            true
        })
    },
};

fn unauthenticated(answer: &str, scene: &Scene<'_>) -> Reply {
    let with = |mut reply: Reply, name: &str, value: &str| {
        reply.set_header(name, value);
        reply
    };
    match answer {
        "basic" => with(html(401), "www-authenticate", "Basic realm=\"mcp\""),
        "negotiate" => with(html(401), "www-authenticate", "Negotiate"),
        "sign-in" => with(html(302), "location", &format!("{}/sign-in", scene.endpoint.origin())),
        "rpc-error" => {
            let id = scene.rpc.as_ref().map(|rpc| rpc.id.clone()).unwrap_or_default();
            let error = json!({"code": -32000, "message": "Authentication required"});
            Reply::json(200, &json!({"jsonrpc": "2.0", "id": id, "error": error}))
        }
        _ => html(403),
    }
}

pub(super) const REDIRECT_CROSS_ORIGIN: Spec = Spec {
    name: "redirect-cross-origin",
    page: Page {
        title: "The MCP URL redirects to another origin",
        injects: "A request with a bearer is answered 307 to https://elsewhere.example.test with the same path.",
        reproduces: &["the redirectPolicy of the TypeScript SDK and the Rust SDK, by their source"],
        correct: "Does not send the bearer there, and says where the server points.",
        source: "RFC 9700 §4.9; RFC 9110 §15.4; MCP 2025-11-25, Token Handling (MUST NOT send tokens to other servers)",
        broken: "Follow with the bearer: the token leaks.",
    },
    attributes: &[],
    excludes: &["redirect-slash"],
    make: |_| {
        let redirect = |scene: &Scene<'_>| moved(307, &format!("https://elsewhere.example.test{}", scene.endpoint.path()));
        Ok(Box::new(WithBearer(Box::new(move |scene| redirect(scene)))))
    },
    ..UNAUTHENTICATED_STATUS
};

type Answer = Box<dyn FnMut(&Scene<'_>) -> Reply + Send>;

/// Answers requests for an MCP server that carry a bearer.
struct WithBearer(Answer);

impl Deed for WithBearer {
    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        let carries = scene.kind.is_mcp() && Authorization::of(&scene.request.headers).is_some();
        if carries { Before::Answer(Box::new((self.0)(scene))) } else { Before::Nothing }
    }
}

pub(super) const REDIRECT_SLASH: Spec = Spec {
    name: "redirect-slash",
    page: Page {
        title: "The MCP URL redirects to itself with a slash",
        injects: "The MCP URL answers 307 (or the code that is given) to itself with a slash at the end, where the server is \
                  (to=same-origin), or to the same with http (to=downgrade).",
        reproduces: &["wmde/WikidataMCP#3", "PrefectHQ/fastmcp#1867", "modelcontextprotocol/python-sdk#1110"],
        correct: "Within the origin and for 307 and 308, repeats the request there with method, body, bearer and session. Never follows from \
                  https to http with a bearer, and says so.",
        source: "RFC 9110 §15.4.8, §15.4.9; OAuth 2.1 §1.5; RFC 9700 §4.9",
        broken: "Turn POST into GET, lose the bearer, or send it in the clear.",
    },
    attributes: &[
        Attribute { name: "to", values: "same-origin|downgrade", default: "same-origin", about: "where it leads" },
        Attribute { name: "code", values: "307|308|301", default: "307", about: "the status" },
    ],
    needs: Needs::Server,
    excludes: &[],
    make: |written| {
        let code = written.word("code", &["307", "308", "301"])?.parse().unwrap_or(307);
        let is_downgrade = written.word("to", &["same-origin", "downgrade"])? == "downgrade";
        Ok(Box::new(Slash { code, scheme: if is_downgrade { Scheme::Http } else { Scheme::Same } }))
    },
    ..UNAUTHENTICATED_STATUS
};

struct Slash {
    code: u16,
    scheme: Scheme,
}

#[derive(PartialEq, Eq)]
enum Scheme {
    Same,
    Http,
}

impl Deed for Slash {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        let fits = |url: Endpoint| url.path() != "/" && (self.scheme == Scheme::Same || url.as_str().starts_with("https:"));
        let resources = stage.servers.iter().map(|own| &stage.model.server(own.id).resource);
        if resources.filter_map(|own| Endpoint::parse(own)).any(fits) {
            return Ok(());
        }
        let what = if self.scheme == Scheme::Http { "is https and has a path" } else { "has a path" };
        Err(format!("no MCP server of the tape {what}"))
    }

    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        let Some(own) = scene.server.filter(|_| scene.kind.is_mcp()).map(|id| model.server(id).resource.clone()) else {
            return Before::Nothing;
        };
        let (url, query) = scene
            .request
            .url
            .split_once('?')
            .map_or((scene.request.url.as_str(), String::new()), |(url, query)| (url, format!("?{query}")));
        let own = own.split('?').next().unwrap_or_default();
        let other = if own.ends_with('/') { own.trim_end_matches('/').to_owned() } else { format!("{own}/") };
        if url == other {
            return Before::At(format!("{own}{query}"));
        }
        let target = format!("{other}{query}");
        match (&self.scheme, target.strip_prefix("https:")) {
            (Scheme::Same, _) => Before::Answer(Box::new(moved(self.code, &target))),
            (Scheme::Http, Some(rest)) => Before::Answer(Box::new(moved(self.code, &format!("http:{rest}")))),
            (Scheme::Http, None) => Before::Nothing,
        }
    }
}

fn moved(code: u16, location: &str) -> Reply {
    let mut reply = Reply { status: code, ..Reply::default() };
    reply.set_header("location", location);
    reply
}

pub(super) const LAZY_AUTH: Spec = Spec {
    name: "lazy-auth",
    page: Page {
        title: "Only some methods need a bearer",
        injects: "initialize, server/discover, tools/list, ping and notifications/initialized pass without a bearer (open= names others, with \
                  + between them); tools/call and GET answer 401.",
        reproduces: &["aaif-goose/goose#4600"],
        correct: "Logs in when the 401 comes, once, whatever else is under way, and repeats the request.",
        source: "MCP 2025-11-25, Authorization (a server may answer 401 to any request); RFC 9110 §15.5.2",
        broken: "Look for a 401 only at the beginning and report an error of the tool.",
    },
    attributes: &[Attribute {
        name: "open",
        values: "METHOD+METHOD",
        default: "initialize+server/discover+tools/list+ping+notifications/initialized",
        about: "the methods that need no bearer",
    }],
    excludes: &["unauthenticated-status"],
    make: |written| {
        let default = "initialize+server/discover+tools/list+ping+notifications/initialized";
        let open = written.text("open").unwrap_or(default).split('+').map(str::to_owned).collect();
        Ok(Box::new(Lazy { open }))
    },
    ..UNAUTHENTICATED_STATUS
};

struct Lazy {
    open: Vec<String>,
}

impl Deed for Lazy {
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        for facts in &stage.servers {
            stage.model.server_mut(facts.id).policy.open_methods.clone_from(&self.open);
        }
        Ok(())
    }

    /// The condition is met by a refusal of a method that needs a bearer.
    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        let is_bare = Authorization::of(&scene.request.headers).is_none();
        scene.server.is_some() && is_bare && reply.status == 401
    }
}
