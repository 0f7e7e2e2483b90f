//! The reference client on the wire: proxies, redirects, streams that break.

use crate::client::{Home, legacy_world, logins, story, world};
use authtape::demo::{Names, Plan, World};
use authtape::exchange::Content;
use authtape::model::policy::ReplyForm;

#[tokio::test]
async fn it_goes_through_the_proxy_of_its_environment_even_to_this_machine() {
    let world = World::start(Plan { names: Names::MadeUp, ..Plan::default() }).await.unwrap();
    let home = Home::new();
    // Both servers take requests in absolute form, so one of them is the proxy. Only it knows the names.
    let proxy = format!("http://{}", world.connect_to[0].split_once('=').unwrap().1);
    let mut command = home.command(&world.url, &["--list"]);
    command.env("HTTP_PROXY", &proxy).env("http_proxy", &proxy).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(logins(&world), 1);
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_and_no_other() {
    for elsewhere in [false, true] {
        let (from, to, home) = (world().await, world().await, Home::new());
        home.echo(&from.url).await;
        let other = to.url.clone();
        from.front.edit(move |request, answer| {
            if request.url.ends_with("/moved") && request.method == "POST" {
                answer.response.status = 307;
                let target = if elsewhere { other.as_str() } else { "/mcp" };
                answer.response.headers.push("location", target);
            }
        });
        // The store knows the server by its URL: the moved one has the same tokens.
        let moved = from.url.replace("/mcp", "/moved");
        let store = std::fs::read_to_string(home.store_path()).unwrap();
        std::fs::write(home.store_path(), store.replace(&format!("\"{}\": {{", from.url), &format!("\"{moved}\": {{"))).unwrap();
        let run = home.run(&moved, &["--list"]).await;
        assert_eq!(run.code, Some(if elsewhere { 4 } else { 0 }), "{run:?}");
        assert_eq!(run.talk.contains("not followed with credentials"), elsewhere, "{run:?}");
        assert_eq!(story(&to), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_token_endpoint_that_redirects_elsewhere_gets_nothing_sent_there() {
    let (from, to, home) = (world().await, world().await, Home::new());
    let target = format!("{}/token", to.issuer_url);
    from.front.edit(move |request, answer| {
        if request.url.ends_with("/token") {
            answer.response.status = 307;
            answer.response.headers.push("location", target.as_str());
        }
    });
    let run = home.run(&from.url, &["--list"]).await;
    assert_eq!(run.code, Some(4), "{run:?}");
    assert_eq!(story(&to), Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_that_ends_without_its_answer_is_given_up() {
    let (modern, home) = (world().await, Home::new());
    home.echo(&modern.url).await;
    let cut = |request: &authtape::exchange::Request, answer: &mut authtape::model::Answer| {
        let is_call = request.body.content.json().is_some_and(|body| body["method"] == "tools/call");
        if is_call || request.headers.has("last-event-id") {
            answer.response.status = 200;
            answer.response.headers.retain(|name, _| name != "content-type");
            answer.response.headers.push("content-type", "text/event-stream");
            answer.response.body.content = Content::Text("retry: 1\nid: 7\ndata:\n\n".to_owned());
        }
    };
    modern.front.edit(cut);
    let run = home.run(&modern.url, &["--tool", "echo", "--arguments", r#"{"text":"x"}"#]).await;
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.talk.contains("without a response"), "{run:?}");
    assert!(!story(&modern).iter().any(|line| line.starts_with("GET /mcp")));
    // An older server is asked for the rest, but not for ever.
    let (legacy, home) = (legacy_world(|server| server.reply = ReplyForm::Stream).await, Home::new());
    legacy.front.edit(cut);
    let run = home.run(&legacy.url, &["--tool", "echo", "--arguments", r#"{"text":"x"}"#]).await;
    assert_eq!(run.code, Some(4), "{run:?}");
    assert_eq!(story(&legacy).iter().filter(|line| *line == "GET /mcp 200").count(), 1 + 5, "{:?}", story(&legacy));
}

#[tokio::test]
async fn a_get_that_is_no_stream_is_not_asked_for_again() {
    let (world, home) = (legacy_world(|_| {}).await, Home::new());
    world.front.edit(|request, answer| {
        if request.method == "GET" && request.url.ends_with("/mcp") && !request.url.contains("well-known") {
            answer.open = None;
            answer.response.headers.retain(|name, _| name != "content-type");
            answer.response.body.content = Content::Empty;
        }
    });
    home.echo(&world.url).await;
    assert_eq!(story(&world).iter().filter(|line| line.starts_with("GET /mcp")).count(), 1);
}

#[tokio::test]
async fn a_store_that_is_broken_is_named_and_kept() {
    let (world, home) = (world().await, Home::new());
    let path = home.path("store.json");
    std::fs::write(&path, "{\"servers\": 7, \"x\": \"s3cret\"}").unwrap();
    let run = home.run(&world.url, &["--list", "--store", path.to_str().unwrap()]).await;
    assert_eq!(run.code, Some(4));
    assert!(run.talk.contains("store.json:1:") && !run.talk.contains("s3cret"), "{run:?}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("s3cret"));
}
