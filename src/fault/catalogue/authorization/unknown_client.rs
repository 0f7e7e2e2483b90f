//! The authorization endpoint does not know the client and redirects nobody.

use super::{ENDPOINT, asked, page};
use crate::fault::deeds::perhaps;
use crate::fault::{Life, Page, Spec};

pub(super) const SPEC: Spec = Spec {
    name: "authorize-unknown-client",
    page: Page {
        title: "The authorization endpoint does not know the client",
        injects: "The client id of the first request that is hit is unknown from then on: each request with it gets a page with status 400, \
                  and no redirect. Other client ids pass, those of a new registration too. To hit a client that is registered already: nth=2.",
        reproduces: &["anthropics/claude-code#84614", "anthropics/claude-code#79505", "supabase-community/supabase-mcp#355"],
        correct: "Gives up waiting for the browser, registers again once, and authorizes with the new client id.",
        source: "RFC 6749 §4.1.2.1 (the server must not redirect)",
        broken: "Wait for a callback that cannot come, and send the same client id again.",
    },
    life: Life::Forever,
    make: |_| {
        let mut unknown: Option<String> = None;
        perhaps(move |scene, _| {
            let id = asked(scene.request, "client_id")?;
            let is_unknown = *unknown.get_or_insert_with(|| id.clone()) == id;
            is_unknown.then(|| page(400, "invalid_client: unknown client"))
        })
    },
    ..ENDPOINT
};
