//! A 401 without its challenge: the client has to look for metadata by itself.

use crate::fault::deeds::edited;
use crate::fault::{Control, Group, Life, Needs, Page, Spec, Trigger};

pub(super) const SPEC: Spec = Spec {
    name: "challenge-missing",
    group: Group::Discovery,
    page: Page {
        title: "A 401 without WWW-Authenticate",
        injects: "Every 401 of the MCP server comes without its WWW-Authenticate field; status and body stay.",
        reproduces: &["anthropics/claude-code#5706"],
        correct: "Looks for protected resource metadata at the well-known name with the path of the MCP URL behind it, then at the one of \
                  the root, and logs in.",
        source: "MCP 2025-11-25, Authorization, Protected Resource Metadata Discovery (SEP-985); RFC 9728 §3.1",
        broken: "Call themselves connected and have no tools, or report an error without looking.",
    },
    attributes: &[],
    needs: Needs::ResourceMetadata,
    aims_at: &[],
    life: Life::Forever,
    trigger: Trigger::None,
    control: Control::Negative,
    excludes: &[],
    make: |_| edited(|scene, reply| scene.server.is_some() && reply.status == 401 && reply.remove_header("www-authenticate")),
};
