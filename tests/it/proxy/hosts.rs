//! Which server a request goes to, and whether the client believes the certificate it is shown for it.

use super::origin::{Origin, Speaks, authority};
use super::world::{Setup, World};

#[tokio::test]
async fn addresses_are_names_too() {
    let (origin, world) = (Origin::start(Speaks::Http1).await, World::new().await);
    let output = world.curl(&[&origin.url("/")]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{output:?}");
    world.client().get(origin.url("/")).send().await.unwrap();
}

#[tokio::test]
async fn ipv6_addresses_are_names_too() {
    if tokio::net::TcpListener::bind("[::1]:0").await.is_err() {
        return; // this machine has no IPv6
    }
    let (origin, world) = (Origin::start_on("[::1]:0", Speaks::Http2, authority()).await, World::new().await);
    let output = world.curl(&["--globoff", &origin.url("/")]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{output:?}");
    assert_eq!(world.exchange().await.request.url, origin.url("/"));
}

#[tokio::test]
async fn connect_to_leads_elsewhere_and_changes_nothing_else() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let origin = Origin::start(speaks).await;
        let setup = Setup::default().connect_to(&format!("mcp.example.test:443={}", origin.address));
        let world = setup.start().await;
        for _ in 0..2 {
            let output = world.curl(&["https://mcp.example.test/mcp"]).await;
            assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{output:?}");
            assert_eq!(world.exchange().await.request.url, "https://mcp.example.test/mcp");
        }
        let seen = origin.last();
        match speaks {
            Speaks::Http2 => assert_eq!(seen.uri, "https://mcp.example.test/mcp"),
            _ => assert_eq!(seen.headers.iter().next().unwrap(), (&http::header::HOST, &"mcp.example.test".parse().unwrap())),
        }
    }
}

#[tokio::test]
async fn connect_to_works_for_plain_http() {
    let origin = Origin::start(Speaks::PlainHttp).await;
    let world = Setup::default().connect_to(&format!("auth.example.test:80={}", origin.address)).start().await;
    let output = world.curl(&["http://auth.example.test/token"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{output:?}");
    assert_eq!(origin.last().headers["host"], "auth.example.test");
}

#[tokio::test]
async fn another_host_field_goes_to_the_server_of_the_url() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let origin = Origin::start(speaks).await;
        let world = Setup::default().connect_to(&format!("mcp.example.test:443={}", origin.address)).start().await;
        let output = world.curl(&["--header", "host: other.example.test", "https://mcp.example.test/mcp"]).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{output:?}");
        let exchange = world.exchange().await;
        assert_eq!(exchange.request.url, "https://mcp.example.test/mcp");
        assert_eq!(exchange.request.headers.first("host"), Some("other.example.test"));
        assert_eq!(origin.last().headers["host"], "other.example.test");
    }
}
