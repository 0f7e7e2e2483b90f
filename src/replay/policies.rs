//! Where the behaviour of each server comes from: what the tape shows, and what is a stated default because the tape is silent.

use crate::model::policy::{AuthMethod, RedirectMatching, Registration, ResourceMetadata, WellKnown};
use crate::model::{IssuerPolicy, ServerPolicy};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

/// The names of the policies that a tape shows.
pub(super) type FromTape = BTreeSet<&'static str>;

/// The policies of one server, each `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// The identifier of the authorization server, or the URL of the MCP server.
    pub of: String,
    /// What the tape shows.
    pub tape: Vec<String>,
    /// What is a stated default.
    pub default: Vec<String>,
}

impl Policies {
    pub(super) fn of_issuer(of: &str, policy: &IssuerPolicy, shown: &FromTape) -> Self {
        let methods: Vec<&str> = policy.auth_methods.iter().map(|method: &AuthMethod| method.name()).collect();
        let registration = match policy.registration {
            Registration::Limit(limit) => format!("limit-{limit}"),
            other => word(other),
        };
        let redirect = match (policy.redirect.matching, policy.redirect.loopback_port_free) {
            (RedirectMatching::Exact, true) => "exact-but-loopback-port".to_owned(),
            (matching, true) => format!("{}-without-loopback-port", word(matching)),
            (matching, false) => word(matching),
        };
        let rows = [
            ("metadata", policy.metadata.iter().map(well_known).collect::<Vec<_>>().join("+")),
            ("registration", registration),
            ("reregistration", word(policy.reregistration)),
            ("client-documents", word(policy.client_documents)),
            ("auth-methods", methods.join("+")),
            ("unnamed-auth", word(policy.unnamed_auth)),
            ("pkce", if policy.require_pkce { "required" } else { "optional" }.to_owned()),
            ("redirect", redirect),
            ("iss", word(policy.send_iss)),
            ("resource-at-authorize", word(policy.resource_at_authorize)),
            ("resource-at-token", word(policy.resource_at_token)),
            ("resource-at-refresh", word(policy.resource_at_refresh)),
            ("code-ttl", seconds(policy.code_ttl)),
            ("access-ttl", seconds(policy.access_ttl)),
            ("refresh-ttl", policy.refresh_ttl.map_or_else(|| "none".to_owned(), seconds)),
            ("refresh-token", word(policy.refresh_issue)),
            ("rotation", word(policy.rotation)),
            ("grace", seconds(policy.grace)),
            ("reuse", word(policy.reuse)),
            ("foreign-refresh", word(policy.foreign_refresh)),
            ("old-access", word(policy.old_access)),
            ("access-revocation", word(policy.access_revocation)),
            ("consent", word(policy.consent)),
            ("scopes", if policy.scopes.is_empty() { "any".to_owned() } else { list(policy.scopes.iter()) }),
        ];
        Self::sorted(of, rows.into(), shown)
    }

    pub(super) fn of_server(of: &str, policy: &ServerPolicy, shown: &FromTape) -> Self {
        let metadata = match &policy.metadata {
            ResourceMetadata::At(_) => "at-a-url".to_owned(),
            other => word(other),
        };
        let rows = [
            ("versions", policy.versions.join("+")),
            ("protected", word(policy.protected)),
            ("sessions", word(policy.session_required)),
            ("get-stream", word(policy.get_stream)),
            ("open-methods", list(policy.open_methods.iter().map(String::as_str))),
            ("tool-scopes", list(policy.tool_scopes.iter().map(|(tool, _)| tool.as_str()))),
            ("origins", list(policy.origins.iter().map(String::as_str))),
            ("metadata", metadata),
            ("audience", if policy.check_audience { "checked" } else { "any" }.to_owned()),
        ];
        Self::sorted(of, rows.into(), shown)
    }

    fn sorted(of: &str, rows: Vec<(&'static str, String)>, shown: &FromTape) -> Self {
        let (tape, default): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(name, _)| shown.contains(name));
        let written = |rows: Vec<(&str, String)>| rows.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self { of: of.to_owned(), tape: written(tape), default: written(default) }
    }
}

fn well_known(name: &WellKnown) -> &'static str {
    match name {
        WellKnown::OAuth => "oauth",
        WellKnown::OpenIdInserted => "openid-inserted",
        WellKnown::OpenIdAppended => "openid-appended",
    }
}

/// The name of a value, in lower case with hyphens: `RevokeFamily` is `revoke-family`.
fn word<T: Debug>(value: T) -> String {
    let name = format!("{value:?}");
    let mut word = String::new();
    for (index, character) in name.chars().enumerate() {
        if index > 0 && character.is_ascii_uppercase() {
            word.push('-');
        }
        word.push(character.to_ascii_lowercase());
    }
    word
}

/// Names in a row; `none` where there are none.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join("+") }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}
