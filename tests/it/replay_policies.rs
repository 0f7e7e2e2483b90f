//! Policies that a tape shows: each is taken, said to be from the tape, and decides in the replay what it decided when it was
//! recorded.

use crate::replay_driver::drive;
use crate::replay_lab::{MCP, REDIRECT};
use crate::replay_recorder::{Recorder, Tokens};
use authtape::model::policy::*;
use authtape::model::{IssuerPolicy, Scope, ServerPolicy};
use authtape::replay::{Player, PlayerOptions, Policies};
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

/// The policies that the tape shows.
fn shown(player: &Player) -> Vec<String> {
    player.policies().iter().flat_map(|own| own.tape.clone()).collect()
}

type Doing = fn(&mut Recorder);

/// A policy, what shows it, and how it is called.
fn case(name: &str, value: &str, change: fn(&mut IssuerPolicy), doing: Doing) {
    let mut policy = IssuerPolicy::default();
    change(&mut policy);
    let mut recorder = Recorder::new(policy, ServerPolicy::default());
    doing(&mut recorder);
    let cassette = recorder.cassette();
    let player = Player::new(cassette.clone(), [1; 32], &PlayerOptions::default()).expect("a tape");
    assert!(shown(&player).contains(&format!("{name}={value}")), "{name}={value}: {:?}", shown(&player));
    let differences = drive(&cassette, &[], 1);
    assert!(differences.lines.is_empty(), "{name} {value}: {}", differences.lines.join("\n"));
}

/// A refresh, the same token again, and the one that replaced it.
fn reuse(recorder: &mut Recorder) {
    let client = recorder.client(REDIRECT);
    let Tokens { refresh, .. } = recorder.login(&client, REDIRECT);
    let next = recorder.refresh(&client, &refresh, "").unwrap_or_default();
    recorder.refresh(&client, &refresh, "");
    recorder.refresh(&client, &next.refresh, "");
    recorder.ask(&next.access, "ping");
}

/// An access token after its refresh, and after its revocation.
fn old_access(recorder: &mut Recorder) {
    let client = recorder.client(REDIRECT);
    let Tokens { access, refresh } = recorder.login(&client, REDIRECT);
    let next = recorder.refresh(&client, &refresh, "").unwrap_or_default();
    recorder.ask(&access, "ping");
    recorder.revoke(&client, &next.access);
    recorder.refresh(&client, &next.refresh, "");
}

fn resources(recorder: &mut Recorder) {
    let client = recorder.client(REDIRECT);
    for resource in [MCP, "http://mcp.demo.localhost/mcp/", ""] {
        let code = recorder.code(&client, REDIRECT, &[("resource", resource)]).unwrap_or_default();
        let tokens = recorder.redeem(&client, REDIRECT, &code, resource).unwrap_or_default();
        recorder.refresh(&client, &tokens.refresh, resource);
    }
}

fn again(recorder: &mut Recorder) {
    let first = recorder.client(REDIRECT);
    let tokens = recorder.login(&first, REDIRECT);
    let second = recorder.client("http://127.0.0.1:9/cb");
    recorder.login(&second, "http://127.0.0.1:9/cb");
    recorder.refresh(&first, &tokens.refresh, "");
}

#[test]
fn what_a_refresh_token_may_do() {
    case("reuse", "revoke-family", |_| {}, reuse);
    case("reuse", "refuse", |policy| policy.reuse = Reuse::Refuse, reuse);
    case("grace", "1s", |policy| policy.grace = Duration::from_secs(1), reuse);
    case("rotation", "never", |policy| policy.rotation = Rotation::Never, reuse);
    case("rotation", "strict", |_| {}, reuse);
    case("old-access", "keep", |_| {}, old_access);
    case("old-access", "revoke", |policy| policy.old_access = OldAccess::Revoke, old_access);
    case("access-revocation", "token", |_| {}, old_access);
    case("access-revocation", "grant", |policy| policy.access_revocation = AccessRevocation::Grant, old_access);
    case("access-ttl", "77s", |policy| policy.access_ttl = Duration::from_secs(77), old_access);
}

#[test]
fn who_gets_a_refresh_token() {
    let plain: Doing = |recorder| {
        let client = recorder.client(REDIRECT);
        recorder.login(&client, REDIRECT);
    };
    case("refresh-token", "when-registered", |_| {}, plain);
    case("refresh-token", "never", |policy| policy.refresh_issue = RefreshIssue::Never, plain);
    let offline: fn(&mut IssuerPolicy) = |policy| {
        (policy.refresh_issue, policy.scopes) = (RefreshIssue::OfflineAccess, Scope::parse("a offline_access"));
    };
    case("refresh-token", "offline-access", offline, |recorder| {
        let client = recorder.client(REDIRECT);
        let code = recorder.code(&client, REDIRECT, &[("scope", "a")]).unwrap_or_default();
        recorder.redeem(&client, REDIRECT, &code, "");
        let code = recorder.code(&client, REDIRECT, &[("scope", "a offline_access")]).unwrap_or_default();
        recorder.redeem(&client, REDIRECT, &code, "");
    });
    case(
        "refresh-token",
        "always",
        |policy| policy.refresh_issue = RefreshIssue::Always,
        |recorder| {
            let response = recorder.register(REDIRECT, &json!({"grant_types": null}));
            let client = response.body.content.json().expect("a body")["client_id"].as_str().expect("an id").to_owned();
            let tokens = recorder.login(&client, REDIRECT);
            recorder.refresh(&client, &tokens.refresh, "");
        },
    );
}

#[test]
fn what_the_resource_parameter_is_held_to() {
    let names = ["resource-at-authorize", "resource-at-token", "resource-at-refresh"];
    let set: [fn(&mut IssuerPolicy, ResourceRule); 3] = [
        |policy, rule| policy.resource_at_authorize = rule,
        |policy, rule| policy.resource_at_token = rule,
        |policy, rule| policy.resource_at_refresh = rule,
    ];
    for (name, set) in names.into_iter().zip(set) {
        for (value, rule) in [("forbid", ResourceRule::Forbid), ("require", ResourceRule::Require), ("exact", ResourceRule::Exact)] {
            let mut policy = IssuerPolicy::default();
            set(&mut policy, rule);
            let mut recorder = Recorder::new(policy, ServerPolicy::default());
            resources(&mut recorder);
            let player = Player::new(recorder.cassette(), [1; 32], &PlayerOptions::default()).expect("a tape");
            assert!(shown(&player).contains(&format!("{name}={value}")), "{name}={value}: {:?}", shown(&player));
            let differences = drive(&recorder.cassette(), &[], 1);
            assert!(differences.lines.is_empty(), "{name} {value}: {}", differences.lines.join("\n"));
        }
    }
}

#[test]
fn who_may_register_and_what_a_second_registration_does() {
    case("registration", "open", |_| {}, again);
    case(
        "registration",
        "closed",
        |policy| policy.registration = Registration::Limit(0),
        |recorder| {
            recorder.model.issuer_mut(recorder.issuer).policy.registration = Registration::Closed;
            recorder.client(REDIRECT);
        },
    );
    case("registration", "limit-1", |policy| policy.registration = Registration::Limit(1), again);
    case("reregistration", "same-id", |policy| policy.reregistration = Reregistration::SameId, again);
    case("reregistration", "supersede", |policy| policy.reregistration = Reregistration::Supersede, again);
    case("reregistration", "orphan", |_| {}, again);
}

#[test]
fn what_an_authorization_request_is_held_to() {
    let other: Doing = |recorder| {
        let client = recorder.client(REDIRECT);
        recorder.login(&client, "http://127.0.0.1:4711/cb?x=1");
        recorder.login(&client, "http://127.0.0.1:9/cb");
    };
    case("redirect", "path-without-loopback-port", |policy| policy.redirect.matching = RedirectMatching::Path, other);
    case("redirect", "exact-but-loopback-port", |_| {}, other);
    case("redirect", "exact", |policy| policy.redirect.loopback_port_free = false, other);
    let bare: Doing = |recorder| {
        let client = recorder.client(REDIRECT);
        recorder.code(&client, REDIRECT, &[("code_challenge", ""), ("code_challenge_method", "")]);
    };
    case("pkce", "required", |_| {}, bare);
    case("pkce", "optional", |policy| policy.require_pkce = false, bare);
    let plain: Doing = |recorder| {
        let client = recorder.client(REDIRECT);
        recorder.code(&client, REDIRECT, &[("scope", "a")]);
        recorder.code(&client, REDIRECT, &[("scope", "z")]);
    };
    case("consent", "denied", |policy| policy.consent = Consent::Denied, plain);
    case("consent", "unavailable", |policy| policy.consent = Consent::Unavailable, plain);
    case("consent", "granted", |_| {}, plain);
    case("iss", "false", |policy| policy.send_iss = false, plain);
    case("iss", "true", |_| {}, plain);
    case("scopes", "a+b", |policy| policy.scopes = Scope::parse("a b"), plain);
}

#[test]
fn what_the_tape_does_not_show_is_a_stated_default() {
    let mut recorder = Recorder::new(IssuerPolicy::default(), ServerPolicy::default());
    let client = recorder.client(REDIRECT);
    let tokens = recorder.login(&client, REDIRECT);
    recorder.ask(&tokens.access, "tools/list");
    let player = Player::new(recorder.cassette(), [1; 32], &PlayerOptions::default()).expect("a tape");
    let names = |all: fn(&Policies) -> &Vec<String>| -> Vec<String> {
        let rows = player.policies().iter().flat_map(all);
        rows.map(|row| row.split('=').next().unwrap_or_default().to_owned()).collect()
    };
    let (shown, stated) = (names(|own| &own.tape), names(|own| &own.default));
    for name in ["registration", "redirect", "consent", "iss", "refresh-token", "access-ttl", "protected", "open-methods"] {
        assert!(shown.iter().any(|own| own == name), "{name}: {shown:?}");
    }
    for name in ["reuse", "grace", "rotation", "old-access", "reregistration", "resource-at-token", "sessions", "origins"] {
        assert!(stated.iter().any(|own| own == name), "{name}: {stated:?}");
    }
}

/// One thing a client may do.
#[derive(Clone, Debug)]
enum Step {
    Register(bool),
    Login(usize),
    Code(usize, bool),
    Redeem(usize, usize, bool),
    Refresh(usize, usize, bool),
    Revoke(usize, usize, bool),
    Ask(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (one, flag) = (0usize..7, any::<bool>());
    let step = prop_oneof![
        1 => flag.prop_map(Step::Register),
        3 => one.clone().prop_map(Step::Login),
        2 => (one.clone(), flag).prop_map(|(client, named)| Step::Code(client, named)),
        2 => (one.clone(), one.clone(), flag).prop_map(|(client, code, named)| Step::Redeem(client, code, named)),
        5 => (one.clone(), one.clone(), flag).prop_map(|(client, token, named)| Step::Refresh(client, token, named)),
        1 => (one.clone(), one.clone(), flag).prop_map(|(client, token, access)| Step::Revoke(client, token, access)),
        4 => one.prop_map(Step::Ask),
        2 => (1u64..4000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..30)
}

fn play(recorder: &mut Recorder, steps: &[Step]) {
    let mut clients = vec![recorder.client(REDIRECT)];
    let (mut codes, mut tokens): (Vec<String>, Vec<Tokens>) = (Vec::new(), vec![Tokens::default()]);
    let resource = |named: bool| if named { MCP } else { "" };
    for step in steps {
        let client = |index: &usize| clients[index % clients.len()].clone();
        match step {
            Step::Register(same) => clients.push(recorder.client(if *same { REDIRECT } else { "http://127.0.0.1:4711/other" })),
            Step::Login(own) => {
                let made = recorder.login(&client(own), REDIRECT);
                tokens.push(made);
            }
            Step::Code(own, named) => codes.extend(recorder.code(&client(own), REDIRECT, &[("resource", resource(*named))])),
            Step::Redeem(own, code, named) if !codes.is_empty() => {
                let code = codes[code % codes.len()].clone();
                tokens.extend(recorder.redeem(&client(own), REDIRECT, &code, resource(*named)));
            }
            Step::Redeem(..) => {}
            Step::Refresh(own, token, named) => {
                let token = tokens[token % tokens.len()].refresh.clone();
                tokens.extend(recorder.refresh(&client(own), &token, resource(*named)));
            }
            Step::Revoke(own, token, access) => {
                let token = &tokens[token % tokens.len()];
                let token = if *access { &token.access } else { &token.refresh };
                recorder.revoke(&client(own), &token.clone());
            }
            Step::Ask(token) => {
                recorder.ask(&tokens[token % tokens.len()].access.clone(), "tools/list");
            }
            Step::Wait(seconds) => recorder.wait(*seconds),
        }
    }
}

fn policies() -> impl Strategy<Value = IssuerPolicy> {
    let flags = proptest::array::uniform6(any::<bool>());
    (flags, 0u64..3, 30u64..8000).prop_map(|([strict, reuse, keep, whole, require, iss], grace, ttl)| IssuerPolicy {
        rotation: if strict { Rotation::Strict } else { Rotation::Never },
        reuse: if reuse { Reuse::RevokeFamily } else { Reuse::Refuse },
        old_access: if keep { OldAccess::Keep } else { OldAccess::Revoke },
        access_revocation: if whole { AccessRevocation::Grant } else { AccessRevocation::Token },
        resource_at_token: if require { ResourceRule::Require } else { ResourceRule::Allow },
        send_iss: iss,
        grace: Duration::from_secs(grace * 1000),
        access_ttl: Duration::from_secs(ttl),
        ..IssuerPolicy::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_tape_of_any_server_yields_its_statuses(steps in steps(), policy in policies()) {
        let mut recorder = Recorder::new(policy, ServerPolicy::default());
        play(&mut recorder, &steps);
        let differences = drive(&recorder.cassette(), &[], 3);
        prop_assert!(differences.lines.is_empty(), "{}", differences.lines.join("\n"));
    }
}
