//! The authorization servers of a tape: from their metadata where it was recorded, from their endpoints where it was not. Policies
//! come from what the tape shows; the model's stated defaults fill the rest.

use super::conclusions;
use super::evidence::{Evidence, Verdict};
use super::policies::FromTape;
use super::seed;
use super::tape::{Tape, is_success};
use super::vendor::Login;
use crate::model::Issuer;
use crate::model::policy::{AuthMethod, Registration, WellKnown};
use crate::protocol::{Endpoint, EndpointRole, Kind};
use serde_json::Value;

/// An authorization server, and the resources that clients named to it.
pub(super) struct Described {
    pub(super) issuer: Issuer,
    pub(super) resources: Vec<String>,
    /// Which of its policies the tape shows.
    pub(super) shown: FromTape,
}

/// The authorization servers that the tape describes, in the order of the tape; vendors' logins without metadata are not among them.
pub(super) fn of(tape: &Tape, logins: &[Login]) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    let documents = tape.iter().filter(|(_, own)| matches!(own.kind, Kind::AsMetadata | Kind::OidcConfig));
    for (_, interaction) in documents {
        let exchange = &interaction.exchange;
        let Some(response) = exchange.response().filter(|response| is_success(response.status)) else { continue };
        let Some(document) = response.body.content.json() else { continue };
        let Some(identifier) = document["issuer"].as_str().map(str::to_owned).or_else(|| origin_of(&exchange.request.url)) else {
            continue;
        };
        let form = form_of(&exchange.request.url, &identifier);
        match found.iter_mut().find(|own| seed::same(&own.issuer.identifier, &identifier)) {
            Some(known) if !known.issuer.policy.metadata.contains(&form) => known.issuer.policy.metadata.push(form),
            Some(_) => {}
            None => found.push(described(tape, &identifier, &document, form)),
        }
    }
    let roles = [EndpointRole::Token, EndpointRole::Authorization, EndpointRole::Registration, EndpointRole::Revocation];
    if found.is_empty()
        && let Some(shown) = roles.into_iter().find_map(|role| first(tape, role, |url| !logins.iter().any(|login| login.owns(url))))
    {
        found.extend(Endpoint::parse(&shown).map(|shown| generated(tape, shown.origin())));
    }
    found
}

/// An authorization server without metadata: endpoints that the tape shows, and the usual ones for the rest.
pub(super) fn generated(tape: &Tape, identifier: &str) -> Described {
    let mut issuer = seed::plain(identifier);
    let own = Endpoint::parse(identifier).map(|own| own.origin().to_owned()).unwrap_or_default();
    let shown = |role| first(tape, role, |url| url.starts_with(&own));
    let endpoints = &mut issuer.endpoints;
    for (role, place) in [
        (EndpointRole::Token, &mut endpoints.token),
        (EndpointRole::Authorization, &mut endpoints.authorize),
        (EndpointRole::Registration, &mut endpoints.register),
        (EndpointRole::Revocation, &mut endpoints.revoke),
    ] {
        if let Some(url) = shown(role) {
            *place = url;
        }
    }
    let mut shown = FromTape::new();
    let resources = behaviour(tape, &mut issuer, &[], &mut shown);
    Described { issuer, resources, shown }
}

fn described(tape: &Tape, identifier: &str, document: &Value, form: WellKnown) -> Described {
    let mut issuer = seed::plain(identifier);
    let url = |member: &str| document[member].as_str().unwrap_or_default().to_owned();
    issuer.endpoints.token = url("token_endpoint");
    issuer.endpoints.authorize = url("authorization_endpoint");
    issuer.endpoints.register = url("registration_endpoint");
    issuer.endpoints.revoke = url("revocation_endpoint");
    let flag = |member: &str| document[member] == Value::Bool(true);
    let policy = &mut issuer.policy;
    let mut shown = FromTape::from(["metadata", "iss", "client-documents", "registration"]);
    policy.metadata = vec![form];
    policy.send_iss = flag("authorization_response_iss_parameter_supported");
    policy.client_documents = flag("client_id_metadata_document_supported");
    policy.advertise_pkce = document.get("code_challenge_methods_supported").is_some();
    if document.get("registration_endpoint").is_none() {
        policy.registration = Registration::Closed;
    }
    let methods = document["token_endpoint_auth_methods_supported"].as_array();
    let methods: Vec<_> = methods.into_iter().flatten().filter_map(Value::as_str).filter_map(AuthMethod::parse).collect();
    if !methods.is_empty() {
        policy.auth_methods = methods;
        shown.insert("auth-methods");
    }
    let supported = document["scopes_supported"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let resources = behaviour(tape, &mut issuer, &supported.collect::<Vec<_>>(), &mut shown);
    Described { issuer, resources, shown }
}

/// What the tape shows the server do. Returns the resources that it accepted.
pub(super) fn behaviour(tape: &Tape, issuer: &mut Issuer, supported: &[String], shown: &mut FromTape) -> Vec<String> {
    // Real servers take what they do not advertise; what is advertised comes first.
    for method in [AuthMethod::None, AuthMethod::Post, AuthMethod::Basic] {
        if !issuer.policy.auth_methods.contains(&method) {
            issuer.policy.auth_methods.push(method);
        }
    }
    let evidence = Evidence::of(tape, issuer);
    conclusions::take(&evidence, supported, &mut issuer.policy, shown);
    let accepted = evidence.all().filter(|own| !matches!(own.verdict, Verdict::Refused(_)));
    let mut resources: Vec<String> = accepted.filter_map(|own| own.resource.clone()).collect();
    resources.sort_unstable();
    resources.dedup();
    resources
}

fn first(tape: &Tape, role: EndpointRole, fits: impl Fn(&str) -> bool) -> Option<String> {
    tape.roles.endpoints(role).map(|endpoint| endpoint.as_str().to_owned()).filter(|url| fits(url)).min()
}

fn origin_of(url: &str) -> Option<String> {
    Endpoint::parse(url).map(|endpoint| endpoint.origin().to_owned())
}

/// Under which well-known name a document was found (RFC 8414 §3.1, §5).
fn form_of(url: &str, identifier: &str) -> WellKnown {
    let appended = format!("{}/.well-known/openid-configuration", identifier.trim_end_matches('/'));
    match url {
        url if url.contains("/.well-known/oauth-authorization-server") => WellKnown::OAuth,
        url if url == appended => WellKnown::OpenIdAppended,
        _ => WellKnown::OpenIdInserted,
    }
}
