//! Servers that are not there, not believed, or behind another proxy.

use super::origin::{Origin, Speaks, TestAuthority};
use super::world::{Setup, World};
use authtape::exchange::{RawExchange, RawOutcome, Stage};
use authtape::proxy::{ERROR_HEADER, Peer};
use authtape::upstream::{ExtraRoots, ParentProxy, UpstreamOptions};

fn failure(exchange: &RawExchange) -> (Stage, &str) {
    match &exchange.outcome {
        RawOutcome::Failed(failure) => (failure.stage, &failure.reason),
        RawOutcome::Response(_) => panic!("a response"),
    }
}

async fn fails(world: &World, url: &str) -> (Stage, String) {
    let answer = world.client().get(url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (502, &"text/plain; charset=utf-8".parse().unwrap()));
    let named = answer.headers()[ERROR_HEADER].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    let exchange = world.exchange().await;
    let (stage, reason) = failure(&exchange);
    assert!(text.contains(reason) && !reason.contains('\n'), "{text} / {reason}");
    assert_eq!(format!("{stage:?}").to_lowercase(), named);
    assert!(exchange.took.is_some());
    (stage, reason.to_owned())
}

#[tokio::test]
async fn a_server_that_is_down_is_a_clear_502() {
    let world = World::new().await;
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (stage, reason) = fails(&world, &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!(stage, Stage::Connect);
    assert!(reason.contains("refused"), "{reason}");
    let (stage, _) = fails(&world, &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(stage, Stage::Connect);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_clear_502() {
    let (stage, reason) = fails(&World::new().await, "https://no-such.invalid/").await;
    assert_eq!(stage, Stage::Resolve, "{reason}");
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_is_a_clear_502() {
    let foreign = TestAuthority::new();
    let origin = Origin::start_on("127.0.0.1:0", Speaks::Http1, &foreign).await;
    let (stage, reason) = fails(&World::new().await, &origin.url("/")).await;
    assert_eq!(stage, Stage::Tls);
    assert!(reason.contains("UnknownIssuer"), "{reason}");

    let mut setup = Setup::default();
    setup.upstream.extra_roots = ExtraRoots::from_pem(foreign.pem().as_bytes()).unwrap();
    let world = setup.start().await;
    assert_eq!(world.client().get(origin.url("/")).send().await.unwrap().status(), 200, "with --upstream-ca it is");
}

#[tokio::test]
async fn a_server_that_closes_before_the_head_is_a_clear_502() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
        }
    });
    let (stage, reason) = fails(&World::new().await, &url).await;
    assert_eq!(stage, Stage::Response);
    assert!(reason.contains("connection closed before message completed"), "{reason}");
}

/// Our own proxy is the parent of another.
async fn behind(parent: &World, proxy: &str, no_proxy: &str) -> World {
    let mut roots = parent.root.certificate_pem().to_owned();
    roots.push_str(&super::origin::authority().pem());
    let upstream = UpstreamOptions {
        extra_roots: ExtraRoots::from_pem(roots.as_bytes()).unwrap(),
        parent: ParentProxy::from_url(proxy, no_proxy).unwrap(),
        ..UpstreamOptions::default()
    };
    Setup { upstream, ..Setup::default() }.start().await
}

#[tokio::test]
async fn a_parent_proxy_is_chained_with_its_credential() {
    for speaks in [Speaks::Http1, Speaks::PlainHttp] {
        let origin = Origin::start(speaks).await;
        let scheme = if speaks == Speaks::PlainHttp { "http" } else { "https" };
        let url = format!("{scheme}://mcp.example.test:8443/mcp");
        let parent = Setup::default().connect_to(&format!("mcp.example.test:8443={}", origin.address)).start().await;
        let world = behind(&parent, &parent.credential.proxy_url(parent.proxy.address(), Peer::client(9)), "").await;
        let answer = world.client().get(&url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
        let (inner, outer) = (world.exchange().await, parent.exchange().await);
        assert_eq!((inner.request.url, outer.request.url, outer.session), (url.clone(), url, 9));
        assert!(!origin.last().headers.contains_key("proxy-authorization"));
    }
}

#[tokio::test]
async fn a_parent_proxy_that_refuses_is_a_clear_502() {
    let parent = World::new().await;
    let world = behind(&parent, &format!("http://{}", parent.proxy.address()), "").await;
    let (stage, reason) = fails(&world, "https://mcp.example.test/").await;
    assert_eq!(stage, Stage::Connect);
    assert!(reason.starts_with("parent proxy: ") && reason.contains("proxy authorization required"), "{reason}");
}

#[tokio::test]
async fn hosts_of_no_proxy_and_redirected_ones_are_dialled_directly() {
    let origin = Origin::start(Speaks::Http1).await;
    let parent = World::new().await;
    let no_such_proxy = "http://127.0.0.1:1";
    let mut setup = Setup::default().connect_to(&format!("mcp.example.test:443={}", origin.address));
    setup.upstream.parent = ParentProxy::from_url(no_such_proxy, "").unwrap();
    let world = setup.start().await;
    assert_eq!(world.client().get("https://mcp.example.test/").send().await.unwrap().status(), 200);

    let world = behind(&parent, no_such_proxy, "example.invalid").await;
    let (stage, _) = fails(&world, "https://a.example.invalid/").await;
    assert_eq!(stage, Stage::Resolve, "dialled here, not by the proxy");
    let (stage, reason) = fails(&world, "https://example.test/").await;
    assert_eq!(stage, Stage::Connect);
    assert!(reason.starts_with("parent proxy: "), "{reason}");
}
