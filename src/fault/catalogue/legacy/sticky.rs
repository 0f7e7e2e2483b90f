//! A session that lives on one node of several: a cookie says on which.

use super::LEGACY;
use crate::fault::catalogue::answers::rpc_error;
use crate::fault::{Before, Control, Deed, Needs, Page, Scene, Spec};
use crate::model::Model;
use crate::protocol::Kind;
use crate::reply::Reply;

pub(super) const SPEC: Spec = Spec {
    name: "sticky-cookie",
    page: Page {
        title: "A session is found only with its cookie",
        injects: "The answer to initialize sets a cookie; a request with a session id and without that cookie is answered 404 with the \
                  JSON-RPC error -32001, as if a load balancer had sent it to another node.",
        reproduces: &["modelcontextprotocol/modelcontextprotocol#325", "mcp-use#153", "mcp-gateway-registry#960"],
        correct: "No specification asks for cookies: a client that sends them passes; one that does not begins a new session once, then \
                  says what it got. To be reported, not to be failed.",
        source: "RFC 6265 §5.4; MCP 2025-11-25, Session Management, 4",
        broken: "Begin new sessions without end.",
    },
    needs: Needs::Sessions,
    aims_at: &[Kind::McpRequest, Kind::McpNotification, Kind::McpGetStream, Kind::McpResume],
    control: Control::Positive,
    excludes: &["session-lost-200"],
    make: |_| Ok(Box::new(Sticky)),
    ..LEGACY
};

const NAME: &str = "authtape-node";
const VALUE: &str = "node1";

struct Sticky;

impl Deed for Sticky {
    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        let cookies = scene.request.headers.all("cookie").flat_map(|field| field.split(';'));
        let has_cookie = cookies.filter_map(|cookie| cookie.trim().split_once('=')).any(|own| own == (NAME, VALUE));
        if has_cookie || !scene.request.headers.has("mcp-session-id") {
            return Before::Nothing;
        }
        Before::Answer(Box::new(rpc_error(scene, 404, -32001, "Session not found", None)))
    }

    fn edit(&mut self, _: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        let begins = reply.headers.has("mcp-session-id");
        if begins {
            reply.headers.push("set-cookie", format!("{NAME}={VALUE}; Path=/; HttpOnly"));
        }
        begins
    }
}
