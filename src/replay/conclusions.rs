//! Which policies of an authorization server a tape shows. `None` is always: it does not show it, so the stated default holds.
//! Reads what was asked and answered; decides nothing about a live request.

use super::evidence::{Asked, Evidence, Registered, Verdict, registered};
use super::jwt::Pattern;
use super::policies::FromTape;
use super::tape::is_success;
use crate::exchange::Response;
use crate::model::policy::{
    AccessRevocation, AuthMethod, Consent, OldAccess, RedirectMatching, RedirectRule, RefreshIssue, Registration, Reregistration,
    ResourceRule, Reuse, Rotation,
};
use crate::model::{Client, IssuerPolicy, Scope};
use crate::protocol::Parameters;
use serde_json::Value;
use std::time::Duration;

/// Takes every policy that the evidence shows, and notes its name. `supported` are the scopes that the metadata names.
pub(super) fn take(evidence: &Evidence<'_>, supported: &[String], policy: &mut IssuerPolicy, names: &mut FromTape) {
    auth_methods(evidence, policy);
    note(names, "registration", &mut policy.registration, registration(evidence));
    note(names, "reregistration", &mut policy.reregistration, reregistration(evidence));
    note(names, "pkce", &mut policy.require_pkce, require_pkce(evidence));
    note(names, "redirect", &mut policy.redirect, redirect(evidence));
    note(names, "consent", &mut policy.consent, consent(evidence));
    note(names, "iss", &mut policy.send_iss, send_iss(evidence));
    note(names, "scopes", &mut policy.scopes, scopes(evidence, supported));
    note(names, "resource-at-authorize", &mut policy.resource_at_authorize, resource(&evidence.authorizations));
    note(names, "resource-at-token", &mut policy.resource_at_token, resource(&evidence.codes));
    note(names, "resource-at-refresh", &mut policy.resource_at_refresh, resource(&evidence.refreshes));
    note(names, "refresh-token", &mut policy.refresh_issue, refresh_issue(evidence, supported));
    note(names, "rotation", &mut policy.rotation, rotation(evidence));
    note(names, "grace", &mut policy.grace, grace(evidence));
    note(names, "reuse", &mut policy.reuse, reuse(evidence));
    note(names, "old-access", &mut policy.old_access, old_access(evidence));
    note(names, "access-revocation", &mut policy.access_revocation, access_revocation(evidence));
    note(names, "access-ttl", &mut policy.access_ttl, last(evidence, access_lifetime));
    note(names, "refresh-ttl", &mut policy.refresh_ttl, last(evidence, refresh_lifetime).map(Some));
}

/// Takes a policy that the tape shows.
pub(super) fn note<T>(names: &mut FromTape, name: &'static str, place: &mut T, shown: Option<T>) {
    if let Some(shown) = shown {
        *place = shown;
        names.insert(name);
    }
}

/// What registration refused by name is not supported.
fn auth_methods(evidence: &Evidence<'_>, policy: &mut IssuerPolicy) {
    let method = |own: &Registered| own.method;
    let accepted: Vec<_> = evidence.registrations.iter().filter(|own| own.id.is_some()).filter_map(method).collect();
    let refused = evidence.registrations.iter().filter(|own| own.error.as_deref() == Some("invalid_client_metadata")).filter_map(method);
    let refused: Vec<AuthMethod> = refused.filter(|method| !accepted.contains(method)).collect();
    policy.auth_methods.retain(|method| !refused.contains(method));
}

fn registration(evidence: &Evidence<'_>) -> Option<Registration> {
    let statuses: Vec<u16> = evidence.registrations.iter().map(|own| own.status).collect();
    let accepted = statuses.iter().take_while(|status| **status != 429).filter(|status| is_success(**status)).count();
    let after = statuses.iter().skip_while(|status| **status != 429);
    match statuses.as_slice() {
        [] => None,
        [.., 429] if after.clone().all(|status| *status == 429) => Some(Registration::Limit(accepted)),
        all if all.iter().all(|status| matches!(status, 401 | 403..=405 | 501)) => Some(Registration::Closed),
        all if all.iter().any(|status| is_success(*status)) => Some(Registration::Open),
        _ => None,
    }
}

fn reregistration(evidence: &Evidence<'_>) -> Option<Reregistration> {
    let made: Vec<&Registered> = evidence.registrations.iter().filter(|own| own.id.is_some()).collect();
    for (index, second) in made.iter().enumerate() {
        let Some(first) = made[..index].iter().rev().find(|first| first.client().resembles(&second.client())) else { continue };
        if first.id == second.id {
            return Some(Reregistration::SameId);
        }
        let used = evidence.all().filter(|own| own.at > second.at && own.client == first.id);
        let mut verdicts = used.map(|own| own.error() == Some("invalid_client"));
        if let Some(is_refused) = verdicts.next_back() {
            return Some(if is_refused { Reregistration::Supersede } else { Reregistration::Orphan });
        }
    }
    None
}

fn require_pkce(evidence: &Evidence<'_>) -> Option<bool> {
    let bare = evidence.authorizations.iter().filter(|own| !own.has_challenge);
    bare.filter_map(|own| match own.verdict {
        Verdict::Refused(_) => (own.error() == Some("invalid_request")).then_some(true),
        Verdict::Accepted | Verdict::Unknown => Some(false),
    })
    .next_back()
}

/// RFC 9207 §2.
fn send_iss(evidence: &Evidence<'_>) -> Option<bool> {
    evidence.authorizations.iter().filter(|own| own.has_redirect && !own.is_inferred).map(|own| own.has_iss).next_back()
}

fn redirect(evidence: &Evidence<'_>) -> Option<RedirectRule> {
    let rule = |matching, loopback_port_free| RedirectRule { matching, loopback_port_free };
    let mut shown = None;
    for own in &evidence.authorizations {
        let client = own.client.as_deref().and_then(|id| registered(evidence, id)).map(Registered::client);
        let (Some(client), Some(asked)) = (client, own.redirect_uri.as_deref()) else { continue };
        let covers = |rule| Client::covers(&client, asked, rule);
        match own.verdict {
            Verdict::Accepted => {
                let all = [RedirectMatching::Exact, RedirectMatching::Path, RedirectMatching::Host];
                let narrowest = all.into_iter().map(|matching| rule(matching, true)).find(|rule| covers(*rule));
                let is_wider = |known: &RedirectRule| covers(*known);
                shown = shown.filter(is_wider).or(narrowest);
            }
            Verdict::Refused(_)
                if own.error() != Some("invalid_client") && covers(rule(RedirectMatching::Exact, true)) && !own.has_redirect =>
            {
                shown = (!covers(rule(RedirectMatching::Exact, false))).then_some(rule(RedirectMatching::Exact, false)).or(shown);
            }
            _ => {}
        }
    }
    shown
}

/// What the person says, where every authorization ended the same way.
fn consent(evidence: &Evidence<'_>) -> Option<Consent> {
    let answered = || evidence.authorizations.iter().filter(|own| own.has_redirect);
    let all = |error: &str| answered().all(|own| own.error() == Some(error));
    match () {
        () if answered().next().is_none() => None,
        () if all("access_denied") => Some(Consent::Denied),
        () if all("temporarily_unavailable") => Some(Consent::Unavailable),
        () => answered().any(|own| own.verdict == Verdict::Accepted).then_some(Consent::Granted),
    }
}

/// The known scopes, where an unknown one was refused.
fn scopes(evidence: &Evidence<'_>, supported: &[String]) -> Option<Scope> {
    evidence.authorizations.iter().find(|own| own.error() == Some("invalid_scope"))?;
    let accepted = evidence.authorizations.iter().filter(|own| own.verdict == Verdict::Accepted).filter_map(|own| own.scope.clone());
    let words: Vec<String> = supported.iter().cloned().chain(accepted).collect();
    Some(Scope::parse(&words.join(" "))).filter(|scope| !scope.is_empty())
}

/// RFC 8707 §2: what was refused as a target, and what was accepted beside it.
fn resource(all: &[Asked]) -> Option<ResourceRule> {
    let accepted = || all.iter().filter(|own| own.verdict == Verdict::Accepted);
    let refused = || all.iter().filter(|own| own.error() == Some("invalid_target"));
    let plain = |own: &Asked| own.resource.as_deref().map(|resource| resource.trim_end_matches('/').to_owned());
    let by_its_slash = |own: &Asked| plain(own).is_some() && accepted().any(|other| plain(other) == plain(own));
    let named = |own: &&Asked| own.resource.is_some();
    match () {
        () if refused().next().is_none() => None,
        () if refused().any(by_its_slash) => Some(ResourceRule::Exact),
        () if refused().any(|own| !named(&own)) => Some(ResourceRule::Require),
        () if accepted().any(|own| !named(&own)) && !accepted().any(|own| named(&own)) => Some(ResourceRule::Forbid),
        () => Some(ResourceRule::Allow),
    }
}

fn refresh_issue(evidence: &Evidence<'_>, supported: &[String]) -> Option<RefreshIssue> {
    let offline = |own: &Asked| own.scope.as_deref().is_some_and(|scope| Scope::parse(scope).has("offline_access"));
    let asked = |own: &Asked| evidence.authorizations.iter().rfind(|first| first.at < own.at && first.client == own.client);
    let is_offline = |own: &Asked| offline(own) || asked(own).is_some_and(offline);
    let cannot = |own: &Asked| own.client.as_deref().and_then(|id| registered(evidence, id)).is_some_and(|own| !own.may_refresh);
    let granted: Vec<&Asked> = evidence.codes.iter().filter(|own| own.verdict == Verdict::Accepted).collect();
    let (with, without): (Vec<&Asked>, Vec<&Asked>) = granted.iter().partition(|own| own.refresh.is_some());
    let is_optional = supported.iter().any(|scope| scope == "offline_access");
    match (with.as_slice(), without.as_slice()) {
        ([], []) => None,
        (with, _) if with.iter().any(|own| cannot(own)) => Some(RefreshIssue::Always),
        ([], without) if without.iter().all(|own| cannot(own)) => Some(RefreshIssue::WhenRegistered),
        ([], without) if is_optional && !without.iter().any(|own| is_offline(own)) => Some(RefreshIssue::OfflineAccess),
        ([], _) => Some(RefreshIssue::Never),
        (with, [_, ..]) if with.iter().all(|own| is_offline(own)) && !without.iter().any(|own| is_offline(own)) => {
            Some(RefreshIssue::OfflineAccess)
        }
        _ => Some(RefreshIssue::WhenRegistered),
    }
}

fn rotation(evidence: &Evidence<'_>) -> Option<Rotation> {
    let last = evidence.refreshes.iter().rfind(|own| own.verdict == Verdict::Accepted)?;
    let is_same = last.refresh.is_none() || last.refresh == last.presented;
    Some(if is_same { Rotation::Never } else { Rotation::Strict })
}

/// Two requests with one refresh token that was replaced: the earlier and the later.
fn reused<'e>(evidence: &'e Evidence<'_>) -> impl Iterator<Item = (&'e Asked, &'e Asked)> {
    let rotated = |own: &&Asked| own.verdict == Verdict::Accepted && own.refresh.is_some() && own.refresh != own.presented;
    evidence.refreshes.iter().enumerate().filter_map(move |(index, later)| {
        let earlier = evidence.refreshes[..index].iter().filter(rotated).find(|own| own.presented == later.presented)?;
        Some((earlier, later))
    })
}

/// How long a replaced refresh token was seen to work.
fn grace(evidence: &Evidence<'_>) -> Option<Duration> {
    let accepted = reused(evidence).filter(|(_, later)| later.verdict == Verdict::Accepted);
    accepted.map(|(earlier, later)| later.at.saturating_sub(earlier.at) + Duration::from_secs(1)).max()
}

/// What a replaced refresh token did to the one that replaced it.
fn reuse(evidence: &Evidence<'_>) -> Option<Reuse> {
    let refused = reused(evidence).filter(|(_, later)| later.error() == Some("invalid_grant"));
    let next = refused.flat_map(|(earlier, later)| {
        let is_replaced =
            |own: &Asked| evidence.refreshes.iter().any(|one| one.at < own.at && is_accepted(one) && one.presented == own.presented);
        let is_of_it = |own: &Asked| own.family == earlier.family && own.client == earlier.client;
        let is_next = move |own: &&Asked| own.at > later.at && is_of_it(own) && !is_replaced(own);
        let refreshed = evidence.refreshes.iter().filter(is_next).map(is_accepted);
        let family = evidence.issues().filter(move |own| own.family == earlier.family);
        refreshed.chain(family.flat_map(move |own| evidence.uses(own, later.at)))
    });
    any(next).map(|lives| if lives { Reuse::Refuse } else { Reuse::RevokeFamily })
}

/// What became of an access token after a refresh of its grant.
fn old_access(evidence: &Evidence<'_>) -> Option<OldAccess> {
    let renewed = evidence.refreshes.iter().filter(|own| is_accepted(own));
    let used = renewed.flat_map(|own| {
        let before = evidence.issues().filter(|first| first.family == own.family && first.at < own.at && first.access != own.access);
        before.flat_map(move |first| evidence.uses(first, own.at))
    });
    any(used).map(|lives| if lives { OldAccess::Keep } else { OldAccess::Revoke })
}

/// What became of the refresh token beside an access token that was revoked.
fn access_revocation(evidence: &Evidence<'_>) -> Option<AccessRevocation> {
    let revoked = evidence.revocations.iter().filter(|own| own.verdict == Verdict::Accepted);
    let next = revoked.flat_map(|own| {
        let issued = evidence.issues().filter(|first| first.access == own.presented && first.client == own.client);
        issued.flat_map(move |first| {
            let is_next = move |later: &&Asked| later.at > own.at && later.family == first.family && later.client == own.client;
            let refreshed = evidence.refreshes.iter().filter(is_next).map(is_accepted);
            let others = evidence.issues().filter(move |other| other.family == first.family && other.access != first.access);
            refreshed.chain(others.flat_map(move |other| evidence.uses(other, own.at)))
        })
    });
    any(next).map(|lives| if lives { AccessRevocation::Token } else { AccessRevocation::Grant })
}

fn is_accepted(own: &Asked) -> bool {
    own.verdict == Verdict::Accepted
}

/// True where one of them is; `None` where there is none. Whatever lives once was not ended; what does not may have ended for
/// another reason.
fn any(mut all: impl Iterator<Item = bool>) -> Option<bool> {
    all.next().map(|first| first || all.any(|own| own))
}

fn last<T>(evidence: &Evidence<'_>, of: impl Fn(&Response) -> Option<T>) -> Option<T> {
    let token = |response: &Response| Parameters::of(&response.body.content).text("access_token").map(str::to_owned);
    let all = &evidence.token_answers;
    // A token that is given out again has less time left.
    let is_fresh = |index: usize| !all[..index].iter().any(|before| token(before) == token(all[index]));
    (0..all.len()).rev().filter(|index| is_fresh(*index)).find_map(|index| of(all[index]))
}

/// RFC 6749 §5.1.
pub(super) fn access_lifetime(response: &Response) -> Option<Duration> {
    let members = Parameters::of(&response.body.content);
    members.value("expires_in").and_then(Value::as_u64).map(Duration::from_secs)
}

/// How long a refresh token lasts: no specification has a member for it, and some servers have one.
fn refresh_lifetime(response: &Response) -> Option<Duration> {
    let members = Parameters::of(&response.body.content);
    let said = ["refresh_expires_in", "refresh_token_expires_in"].into_iter().find_map(|name| members.value(name).and_then(Value::as_u64));
    let signed = || Pattern::of(members.text("refresh_token")?)?.lifetime();
    said.or_else(signed).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}
