//! Metadata under a name that the tape does not hold: an OpenID provider has its document under both names, and a client may ask for
//! it under the one that the recorded client did not try.

use super::Player;
use super::seed::same;
use crate::protocol::{Endpoint, Kind};

impl Player {
    /// The place of the recorded document of the OpenID provider whose configuration this is (OpenID Connect Discovery §4,
    /// RFC 8414 §5); `None` for any other URL, and for servers that do not describe themselves as OpenID providers.
    pub(super) fn configuration_at(&self, endpoint: &Endpoint) -> Option<usize> {
        let identifier = identifier_of(endpoint)?;
        let mut served = self.tape.places_of(Kind::AsMetadata).filter_map(|index| {
            let document = self.tape.answer(index).1.body.content.json()?;
            // OpenID Connect Discovery §3: required there, unknown to RFC 8414.
            let is_provider = document.get("subject_types_supported").is_some();
            (is_provider && same(document["issuer"].as_str()?, &identifier)).then_some(index)
        });
        served.next()
    }
}

/// The issuer identifier whose configuration would be at this URL.
fn identifier_of(endpoint: &Endpoint) -> Option<String> {
    let (before, after) = endpoint.path().split_once("/.well-known/openid-configuration")?;
    (before.is_empty() || after.is_empty()).then(|| format!("{}{before}{after}", endpoint.origin()))
}
