//! The reference client speaks both eras: fallback, sessions, streams, tools.

use crate::client::{Home, count, legacy_world, story, world, world_with};
use authtape::model::Decided;
use authtape::model::policy::ReplyForm;
use authtape::protocol::Era;

#[tokio::test]
async fn an_older_server_gets_initialize_a_session_and_a_goodbye() {
    let (world, home) = (legacy_world(|_| {}).await, Home::new());
    let run = home.run(&world.url, &["--list", "--tool", "echo", "--arguments", r#"{"text":"x"}"#]).await;
    assert_eq!((run.code, run.out.lines().next()), (Some(0), Some("authtape-model 0.1.0, MCP 2025-11-25")), "{run:?}");
    let story = story(&world);
    let login = story.iter().position(|line| line == "POST /token 200").unwrap();
    let expected = [
        "POST /mcp 400",   // server/discover
        "POST /mcp 200",   // initialize
        "POST /mcp 202",   // notifications/initialized
        "GET /mcp 200",    // the stream
        "POST /mcp 200",   // tools/list
        "POST /mcp 200",   // tools/call
        "DELETE /mcp 200", // the end
    ];
    assert_eq!(story[login + 1..], expected);
    world.stop().await;
}

#[tokio::test]
async fn a_server_without_a_get_stream_or_without_sessions_is_fine() {
    let (world, home) = (legacy_world(|server| server.get_stream = false).await, Home::new());
    home.echo(&world.url).await;
    assert!(story(&world).contains(&"GET /mcp 405".to_owned()));
    let (world, home) = (legacy_world(|server| server.session_required = false).await, Home::new());
    home.echo(&world.url).await;
    assert!(!story(&world).iter().any(|line| line.starts_with("DELETE")));
}

#[tokio::test]
async fn answers_come_as_streams_and_after_a_resumption_too() {
    for form in [ReplyForm::Stream, ReplyForm::Poll] {
        let (world, home) = (legacy_world(|server| server.reply = form).await, Home::new());
        home.echo(&world.url).await;
        let gets = story(&world).iter().filter(|line| *line == "GET /mcp 200").count();
        assert_eq!(gets, if form == ReplyForm::Poll { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_forgotten_session_is_replaced() {
    let (world, home) = (legacy_world(|_| {}).await, Home::new());
    let mut is_first = true;
    world.front.edit(move |request, answer| {
        let method = request.body.content.json().map(|body| body["method"].as_str().unwrap_or_default().to_owned());
        if method.as_deref() == Some("tools/list") && std::mem::take(&mut is_first) {
            answer.response.status = 404;
        }
    });
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let initializations = count(&world, |decided| matches!(decided, Decided::Mcp { era: Era::Legacy, method } if method == "initialize"));
    assert_eq!(initializations, 2);
}

#[tokio::test]
async fn what_the_tool_refuses_is_exit_one() {
    let (world, home) = (world().await, Home::new());
    let run = home.run(&world.url, &["--tool", "echo"]).await;
    assert_eq!((run.code, run.out.lines().last()), (Some(1), Some("wrong arguments")), "{run:?}");
    let run = home.run(&world.url, &["--tool", "nothing"]).await;
    assert_eq!(run.code, Some(1));
    assert!(run.talk.contains("Unknown tool (-32602)"), "{run:?}");
}

#[tokio::test]
async fn a_server_of_another_time_is_named() {
    let (world, home) = (world_with(|_| {}, |server| server.versions = vec!["2027-07-01".to_owned()]).await, Home::new());
    let run = home.run(&world.url, &["--list"]).await;
    assert_eq!(run.code, Some(4));
    assert!(run.talk.contains("the server speaks 2027-07-01"), "{run:?}");
}

#[tokio::test]
async fn an_open_server_is_used_without_a_login() {
    let (world, home) = (world_with(|_| {}, |server| server.protected = false).await, Home::new());
    home.echo(&world.url).await;
    assert_eq!(story(&world), ["POST /mcp 200", "POST /mcp 200"]);
}
