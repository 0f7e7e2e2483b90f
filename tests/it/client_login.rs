//! The reference client logs in: discovery, registration, browser, callback, and what it must not accept.

use crate::client::{Home, count, logins, registrations, story, world, world_with};
use authtape::model::policy::{AuthMethod, Consent, Registration, ResourceMetadata, ServerPolicy, WellKnown};
use authtape::model::{Client, Decided, Scope};
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn a_first_start_logs_in_and_a_second_one_does_not() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    let expected = [
        "POST /mcp 401",
        "GET /.well-known/oauth-protected-resource/mcp 200",
        "GET /.well-known/oauth-authorization-server 200",
        "POST /register 201",
        "GET /authorize 302",
        "POST /token 200",
        "POST /mcp 200",
        "POST /mcp 200",
    ];
    assert_eq!(story(&world), expected);
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.out.contains("MCP 2026-07-28") && run.out.contains("whoami"), "{run:?}");
    assert_eq!(story(&world).len(), expected.len() + 2);
    let mode = std::fs::metadata(home.store_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    world.stop().await;
}

#[tokio::test]
async fn the_json_output_is_one_document() {
    let (world, home) = (world().await, Home::new());
    let run = home.run(&world.url, &["--list", "--tool", "add", "--arguments", r#"{"a":2,"b":3}"#, "--format", "json"]).await;
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["result"]["content"][0]["text"], "5");
    assert_eq!(document["tools"][0]["name"], "echo");
    assert_eq!(document["server"]["protocol"], "2026-07-28");
}

#[tokio::test]
async fn metadata_is_found_wherever_it_may_be() {
    let places: [fn(&mut ServerPolicy); 3] = [
        |server| server.metadata_in_challenge = false,
        |server| {
            server.metadata_in_challenge = false;
            server.metadata = ResourceMetadata::Root;
        },
        |server| server.scope = Scope::parse("a"),
    ];
    for place in places {
        let (world, home) = (world_with(|issuer| issuer.metadata = vec![WellKnown::OpenIdInserted], place).await, Home::new());
        home.echo(&world.url).await;
    }
}

#[tokio::test]
async fn a_secret_is_presented_as_the_registration_says() {
    for method in [AuthMethod::Basic, AuthMethod::Post] {
        let (world, home) = (world_with(|issuer| issuer.auth_methods = vec![method], |_| {}).await, Home::new());
        home.echo(&world.url).await;
        home.change_tokens(|tokens| tokens["expires_at"] = 1.into());
        home.echo(&world.url).await;
        assert_eq!((logins(&world), registrations(&world)), (1, 1));
    }
}

#[tokio::test]
async fn a_registered_client_and_a_document_need_no_registration() {
    let (world, home) = (world_with(|issuer| issuer.registration = Registration::Closed, |_| {}).await, Home::new());
    let client = Client::configured("known", vec!["http://127.0.0.1/callback".to_owned()]).confidential(AuthMethod::Post, "s3cret");
    world.front.model().issuer_mut(world.issuer).add_client(client);
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!(run.code, Some(4));
    assert!(run.talk.contains("--client-id"), "{run:?}");
    let run = home.run(&world.url, &["--list", "--client-id", "known", "--client-secret", "s3cret"]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let (world, home) = (world_with(|issuer| issuer.client_documents = true, |_| {}).await, Home::new());
    let run = home.run(&world.url, &["--list", "--client-metadata-url", "https://client.test/client.json"]).await;
    assert_eq!((run.code, registrations(&world)), (Some(0), 0), "{run:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_for_us_is_thrown_away() {
    for (from, to, reason) in [("state=", "state=x", "state that is not ours"), ("iss=", "iss=x", "another authorization server")] {
        let (world, home) = (world().await, Home::new());
        world.front.edit(move |_, answer| {
            for (name, value) in answer.response.headers.iter_mut() {
                if name == "location" {
                    *value = value.replace(from, to);
                }
            }
        });
        let run = home.run(&world.url, &["--list"]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.talk.contains(reason), "{run:?}");
        assert_eq!(count(&world, |decided| matches!(decided, Decided::Issued { .. })), 0);
    }
}

#[tokio::test]
async fn a_missing_issuer_that_was_promised_is_refused() {
    let (world, home) = (world().await, Home::new());
    world.front.edit(|_, answer| {
        for (name, value) in answer.response.headers.iter_mut() {
            if name == "location" {
                *value = value.replace("&iss=", "&was=");
            }
        }
    });
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!(run.code, Some(1));
    assert!(run.talk.contains("RFC 9207"), "{run:?}");
}

#[tokio::test]
async fn a_server_without_pkce_or_with_foreign_metadata_is_refused() {
    let (world, home) = (world_with(|issuer| issuer.advertise_pkce = false, |_| {}).await, Home::new());
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!((run.code, logins(&world)), (Some(4), 0));
    assert!(run.talk.contains("S256"), "{run:?}");
    for (from, to, reason) in
        [("\"issuer\":\"http", "\"issuer\":\"https", "RFC 8414"), ("\"resource\":\"http", "\"resource\":\"https", "RFC 9728")]
    {
        let (world, home) = (crate::client::world().await, Home::new());
        world.front.edit(move |_, answer| {
            let text = String::from_utf8(answer.response.body.content.to_bytes().into_owned()).unwrap();
            answer.response.body.content = authtape::exchange::Content::Text(text.replace(from, to));
        });
        let run = home.run(&world.url, &["--list"]).await;
        assert_eq!((run.code, registrations(&world)), (Some(4), 0), "{run:?}");
        assert!(run.talk.contains(reason), "{run:?}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_person_ends_it() {
    let (world, home) = (world_with(|issuer| issuer.consent = Consent::Denied, |_| {}).await, Home::new());
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!((run.code, logins(&world)), (Some(1), 0));
    assert!(run.talk.contains("access_denied"), "{run:?}");
}

#[tokio::test]
async fn a_browser_that_never_comes_back_is_waited_for_and_no_longer() {
    let (world, home) = (world().await, Home::new());
    home.browser("exit 0");
    let run = home.run(&world.url, &["--list", "--timeout", "1"]).await;
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.talk.contains("did not come back within 1 s"), "{run:?}");
    // The registration is still good: the next start uses it.
    home.browser("exec curl -sL -o /dev/null \"$1\"");
    home.echo(&world.url).await;
    assert_eq!(registrations(&world), 1);
}

#[tokio::test]
async fn without_a_browser_the_address_is_printed() {
    let (world, home) = (world().await, Home::new());
    let mut command = home.command(&world.url, &["--list", "--timeout", "1"]);
    command.env("BROWSER", "/does/not/exist");
    let output = command.output().await.unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains(&format!("{}/authorize?", world.issuer_url)), "{talk}");
}

#[tokio::test]
async fn a_logout_revokes_and_the_next_start_logs_in() {
    let (world, home) = (world().await, Home::new());
    home.echo(&world.url).await;
    let run = home.run(&world.url, &["--logout"]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(0), "logged out\n"), "{run:?}");
    assert_eq!(count(&world, |decided| matches!(decided, Decided::Revoked)), 1);
    assert_eq!(home.run(&world.url, &["--logout"]).await.out, "there was no login\n");
    home.echo(&world.url).await;
    assert_eq!((logins(&world), registrations(&world)), (2, 1));
    let run = home.run(&world.url, &["--login"]).await;
    assert_eq!((run.code, logins(&world)), (Some(0), 3), "{run:?}");
}

#[tokio::test]
async fn usage_errors_are_said_before_anything_is_sent() {
    let home = Home::new();
    for arguments in [&["--arguments", "{}"][..], &["--tool", "x", "--arguments", "[]"], &["--login", "--logout"]] {
        assert_eq!(home.run("http://127.0.0.1:9/mcp", arguments).await.code, Some(2), "{arguments:?}");
    }
    assert_eq!(home.run("ftp://127.0.0.1/", &[]).await.code, Some(2));
    let run = home.run("http://127.0.0.1:9/mcp", &["--list"]).await;
    assert_eq!(run.code, Some(4));
    assert!(run.talk.contains("no answer from 127.0.0.1:9"), "{run:?}");
    let run = home.run("http://mcp.example.test/mcp", &["--list"]).await;
    assert!(run.talk.contains("not encrypted"), "{run:?}");
}
