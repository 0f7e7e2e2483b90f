//! The reference client keeps its credentials alive, and keeps them through other people's trouble.

use crate::client::{Home, count, legacy_world, logins, refreshes, registrations, world, world_with};
use authtape::exchange::Request;
use authtape::model::policy::{RefreshIssue, Rotation};
use authtape::model::{ClientStatus, Decided, GrantType, Scope};
use std::time::Duration;
use tokio::task::JoinSet;

fn is_refresh(request: &Request) -> bool {
    request.body.content.form().is_some_and(|form| form.first("grant_type") == Some("refresh_token"))
}

fn is_mcp(request: &Request) -> bool {
    request.url.ends_with("/mcp") && !request.url.contains("well-known")
}

#[tokio::test]
async fn what_is_known_to_expire_is_refreshed_first() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
    home.echo(&world.url).await;
    assert_eq!((refreshes(&world), logins(&world)), (1, 1));
    assert_eq!(count(&world, |decided| matches!(decided, Decided::Challenged { .. })), 1);
}

#[tokio::test]
async fn a_401_before_the_end_is_answered_with_one_refresh() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    world.front.advance(Duration::from_secs(7200));
    home.echo(&world.url).await;
    assert_eq!((refreshes(&world), logins(&world)), (1, 1));
    assert_eq!(count(&world, |decided| matches!(decided, Decided::Challenged { .. })), 2);
}

#[tokio::test]
async fn five_processes_refresh_once() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    for early in [false, true] {
        let before = refreshes(&world);
        if early {
            world.front.advance(Duration::from_secs(7200));
        } else {
            home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
        }
        let mut runs = JoinSet::new();
        for _ in 0..5 {
            runs.spawn(home.command(&world.url, &["--list"]).output());
        }
        for output in runs.join_all().await {
            let output = output.unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        }
        assert_eq!((refreshes(&world) - before, logins(&world)), (1, 1), "early: {early}");
    }
}

#[tokio::test]
async fn five_processes_without_credentials_log_in_once() {
    let (world, home) = (world().await, Home::new());
    let mut runs = JoinSet::new();
    for _ in 0..5 {
        runs.spawn(home.command(&world.url, &["--list"]).output());
    }
    for output in runs.join_all().await {
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!((registrations(&world), logins(&world)), (1, 1));
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let (world, home) = (world_with(|issuer| issuer.rotation = Rotation::Never, |_| {}).await, Home::new());
    home.echo(&world.url).await;
    for round in 1..3 {
        home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
        home.echo(&world.url).await;
        assert_eq!((refreshes(&world), logins(&world)), (round, 1));
    }
}

#[tokio::test]
async fn a_token_of_no_declared_life_is_presented_at_least_once() {
    for has_refresh in [true, false] {
        let issue = if has_refresh { RefreshIssue::WhenRegistered } else { RefreshIssue::Never };
        let (world, home) = (world_with(|issuer| issuer.refresh_issue = issue, |_| {}).await, Home::new());
        world.front.edit(|request, answer| {
            if request.url.ends_with("/token") {
                let text = String::from_utf8(answer.response.body.content.to_bytes().into_owned()).unwrap();
                answer.response.body.content = authtape::exchange::Content::Text(text.replace("\"expires_in\":3600", "\"expires_in\":0"));
            }
        });
        home.echo(&world.url).await;
        assert_eq!((logins(&world), refreshes(&world)), (1, usize::from(has_refresh)));
    }
}

#[tokio::test]
async fn a_grant_that_ended_leads_to_one_login() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    {
        let mut model = world.front.model();
        let issuer = model.issuer_mut(world.issuer);
        let grant = issuer.issued.grants().next().unwrap().0;
        issuer.issued.revoke(grant, authtape::model::Revocation::Requested);
    }
    let run = home.echo(&world.url).await;
    assert!(run.talk.contains("invalid_grant"), "{run:?}");
    assert_eq!((refreshes(&world), logins(&world), registrations(&world)), (0, 2, 1));
    let refused = |decided: &Decided| matches!(decided, Decided::TokenRefused { grant_type: GrantType::Refresh, .. });
    assert_eq!(count(&world, refused), 1);
}

#[tokio::test]
async fn a_client_that_was_pruned_registers_once_more() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    let prune = || {
        let mut model = world.front.model();
        let issuer = model.issuer_mut(world.issuer);
        let id = issuer.clients().last().unwrap().id.clone();
        issuer.end_client(&id, ClientStatus::Pruned);
    };
    prune();
    let run = home.echo(&world.url).await;
    assert!(run.talk.contains("invalid_client"), "{run:?}");
    assert_eq!((logins(&world), registrations(&world)), (2, 2));
    // Without tokens the client learns it from an authorization page that redirects nobody.
    prune();
    let run = home.run(&world.url, &["--login", "--timeout", "4"]).await;
    assert_eq!((run.code, registrations(&world)), (Some(0), 3), "{run:?}");
}

#[tokio::test]
async fn a_busy_server_costs_patience_but_no_credentials() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
    let mut failures = 1;
    world.front.edit(move |request, answer| {
        if is_refresh(request) && failures > 0 {
            failures -= 1;
            answer.response.status = 503;
        }
    });
    // The model has rotated although the answer was lost: only what comes back counts for the client, so it must not rotate.
    world.front.model().issuer_mut(world.issuer).policy.rotation = Rotation::Never;
    home.echo(&world.url).await;
    assert_eq!(logins(&world), 1);
    world.front.edit(|request, answer| {
        if is_refresh(request) {
            answer.response.status = 500;
        }
    });
    home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
    let before = home.store();
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!((run.code, logins(&world)), (Some(4), 1), "{run:?}");
    assert!(run.talk.contains("credentials are kept"), "{run:?}");
    assert_eq!(home.store(), before);
}

#[tokio::test]
async fn an_answer_in_nobodys_format_costs_no_credentials() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
    world.front.edit(|request, answer| {
        if is_refresh(request) {
            answer.response.status = 400;
            answer.response.body.content = authtape::exchange::Content::Text("{\"type\":\"error\"}".to_owned());
        }
    });
    let before = home.store();
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!((run.code, logins(&world)), (Some(4), 1), "{run:?}");
    // All that is new is the note that it was refused so once: the second time it is given up.
    let refusal = |text: serde_json::Value| {
        let mut text = text;
        text["servers"][&world.url]["tokens"].as_object_mut().unwrap().values_mut().for_each(|own| {
            own.as_object_mut().unwrap().remove("refused");
        });
        text
    };
    assert_eq!(refusal(home.store()), before);
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_asked_once_more_and_left() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    world.front.edit(|request, answer| {
        if is_mcp(request) {
            answer.response.status = 401;
        }
    });
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!((run.code, refreshes(&world), logins(&world)), (Some(1), 1, 2), "{run:?}");
    assert!(run.talk.contains("even to a token from a new login"), "{run:?}");
}

#[tokio::test]
async fn more_scope_is_asked_for_on_top_of_what_was_granted() {
    for legacy in [false, true] {
        let needs = |server: &mut authtape::model::ServerPolicy| {
            server.scope = Scope::parse("read");
            server.tool_scopes = vec![("whoami".to_owned(), Scope::parse("write"))];
        };
        let world = if legacy { legacy_world(needs).await } else { world_with(|_| {}, needs).await };
        let home = Home::new();
        home.echo(&world.url).await;
        assert_eq!(logins(&world), 1);
        let run = home.run(&world.url, &["--tool", "whoami"]).await;
        assert!(run.out.ends_with("ada with scope \"read write\"\n"), "{run:?}");
        assert_eq!((logins(&world), refreshes(&world)), (2, 0));
    }
}

#[tokio::test]
async fn scope_that_is_never_enough_is_asked_for_three_times() {
    let (world, home) = (world().await, Home::new());
    world.front.edit(|request, answer| {
        if is_mcp(request) && answer.response.status == 200 {
            answer.response.status = 403;
            answer.response.headers.push("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"more\"");
        }
    });
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!((run.code, logins(&world)), (Some(1), 4), "{run:?}");
}

#[tokio::test]
async fn another_authorization_server_gets_nothing_of_the_first() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    // A second server of the same model takes over: the metadata now names it, and the old tokens are refused.
    let other = crate::client::world().await;
    let (from, to) = (world.issuer_url.clone(), other.issuer_url.clone());
    let first = world.url.clone();
    other.front.model().issuer_mut(other.issuer).resources.push(first);
    world.front.edit(move |request, answer| {
        if request.url.contains("oauth-protected-resource") {
            let text = String::from_utf8(answer.response.body.content.to_bytes().into_owned()).unwrap();
            answer.response.body.content = authtape::exchange::Content::Text(text.replace(&from, &to));
        }
    });
    world.front.advance(Duration::from_secs(7200));
    let run = home.run(&world.url, &["--list"]).await;
    // The first server does not trust the second one's tokens, refreshed ones neither, so it ends there; what matters is what was
    // sent where.
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!((registrations(&other), logins(&other), refreshes(&other)), (1, 1, 1));
    assert_eq!((refreshes(&world), registrations(&world)), (0, 1));
}
