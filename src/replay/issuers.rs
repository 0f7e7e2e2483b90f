//! The authorization servers of a tape: from their metadata where it was recorded, from their endpoints where it was not. Policies
//! come from what the tape shows; the model's stated defaults fill the rest.

use super::jwt::Pattern;
use super::seed;
use super::tape::{Tape, is_success};
use crate::exchange::{Exchange, Response};
use crate::model::policy::{AuthMethod, RefreshIssue, Registration, Rotation, WellKnown};
use crate::model::{Issuer, IssuerPolicy};
use crate::protocol::{Endpoint, EndpointRole, Kind, Parameters, request_parameters};
use serde_json::Value;
use std::time::Duration;

/// An authorization server, and the resources that clients named to it.
pub(super) struct Described {
    pub(super) issuer: Issuer,
    pub(super) resources: Vec<String>,
}

/// The authorization servers that the tape describes, in the order of the tape.
pub(super) fn of(tape: &Tape) -> Vec<Described> {
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
        && let Some(shown) = roles.into_iter().find_map(|role| first(tape, role))
    {
        found.extend(Endpoint::parse(&shown).map(|shown| generated(tape, shown.origin())));
    }
    found
}

/// An authorization server without metadata: endpoints that the tape shows, and the usual ones for the rest.
pub(super) fn generated(tape: &Tape, identifier: &str) -> Described {
    let mut issuer = seed::plain(identifier);
    let own = Endpoint::parse(identifier).map(|own| own.origin().to_owned()).unwrap_or_default();
    let shown = |role| first(tape, role).filter(|url| url.starts_with(&own));
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
    let resources = behaviour(tape, &mut issuer);
    Described { issuer, resources }
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
    }
    let resources = behaviour(tape, &mut issuer);
    Described { issuer, resources }
}

/// What the tape shows the server do. Returns the resources that it accepted.
fn behaviour(tape: &Tape, issuer: &mut Issuer) -> Vec<String> {
    let (authorize, token, register) =
        (issuer.endpoints.authorize.clone(), issuer.endpoints.token.clone(), issuer.endpoints.register.clone());
    let mut resources = Vec::new();
    let policy = &mut issuer.policy;
    let registrations: Vec<_> = at(tape, Kind::DcrCreate, &register).collect();
    // Real servers take what they do not advertise; what is advertised comes first.
    let further = [AuthMethod::None, AuthMethod::Post, AuthMethod::Basic];
    further.into_iter().for_each(|method| {
        if !policy.auth_methods.contains(&method) {
            policy.auth_methods.push(method);
        }
    });
    if !registrations.is_empty() && !registrations.iter().any(|(_, response)| is_success(response.status)) {
        policy.registration = Registration::Closed;
    }
    for (exchange, _) in tape.iter().filter(|(_, own)| own.kind == Kind::Authorize).map(|(_, own)| (&own.exchange, ())) {
        let asked = request_parameters(&exchange.request);
        if is_at(exchange, &authorize) {
            policy.require_pkce &= asked.has("code_challenge");
            resources.extend(asked.text("resource").map(str::to_owned));
        }
    }
    let codes: Vec<_> = at(tape, Kind::TokenCode, &token).filter(|(_, response)| is_success(response.status)).collect();
    let refreshes: Vec<_> = at(tape, Kind::TokenRefresh, &token).filter(|(_, response)| is_success(response.status)).collect();
    lifetimes(policy, &codes, &refreshes);
    for (exchange, _) in codes.iter().chain(&refreshes) {
        resources.extend(Parameters::of(&exchange.request.body.content).text("resource").map(str::to_owned));
    }
    resources.sort_unstable();
    resources.dedup();
    resources
}

fn lifetimes(policy: &mut IssuerPolicy, codes: &[(&Exchange, &Response)], refreshes: &[(&Exchange, &Response)]) {
    let issued = |response: &Response, name: &str| Parameters::of(&response.body.content).text(name).map(str::to_owned);
    if !codes.is_empty() && !codes.iter().any(|(_, response)| issued(response, "refresh_token").is_some()) {
        policy.refresh_issue = RefreshIssue::Never;
    }
    if let Some((exchange, response)) = refreshes.last() {
        let asked = Parameters::of(&exchange.request.body.content).text("refresh_token").map(str::to_owned);
        let given = issued(response, "refresh_token");
        policy.rotation = if given.is_none() || given == asked { Rotation::Never } else { Rotation::Strict };
    }
    let lifetime = |response: &Response| Parameters::of(&response.body.content).value("expires_in").and_then(Value::as_u64);
    if let Some(seconds) = codes.iter().chain(refreshes).filter_map(|(_, response)| lifetime(response)).next_back() {
        policy.access_ttl = Duration::from_secs(seconds);
    }
    let answers = codes.iter().chain(refreshes).map(|(_, response)| *response);
    policy.refresh_ttl = answers.filter_map(refresh_lifetime).next_back().map(Duration::from_secs).or(policy.refresh_ttl);
}

/// How long a refresh token lasts, in seconds: no specification has a member for it, and some servers have one.
fn refresh_lifetime(response: &Response) -> Option<u64> {
    let members = Parameters::of(&response.body.content);
    let said = ["refresh_expires_in", "refresh_token_expires_in"].into_iter().find_map(|name| members.value(name).and_then(Value::as_u64));
    let signed = || Pattern::of(members.text("refresh_token")?)?.lifetime();
    said.or_else(signed).filter(|seconds| *seconds > 0)
}

fn at<'t>(tape: &'t Tape, kind: Kind, url: &'t str) -> impl Iterator<Item = (&'t Exchange, &'t Response)> {
    tape.of_kind(kind).filter(move |(exchange, _)| is_at(exchange, url))
}

fn is_at(exchange: &Exchange, url: &str) -> bool {
    let place = Endpoint::parse(&exchange.request.url);
    place.is_some() && place == Endpoint::parse(url)
}

fn first(tape: &Tape, role: EndpointRole) -> Option<String> {
    tape.roles.endpoints(role).map(|endpoint| endpoint.as_str().to_owned()).min()
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
