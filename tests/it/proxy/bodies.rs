//! Bodies and heads pass unaltered, in every pairing of versions, and are recorded as they passed.

use super::origin::{Origin, Speaks};
use super::world::{World, response};
use authtape::exchange::{Actor, End, Version};

#[tokio::test]
async fn every_pairing_of_versions_works() {
    for (speaks, upstream) in [(Speaks::Http1, http::Version::HTTP_11), (Speaks::Http2, http::Version::HTTP_2)] {
        for http1_only in [true, false] {
            let (origin, world) = (Origin::start(speaks).await, World::new().await);
            let builder = world.client_builder();
            let client = if http1_only { builder.http1_only() } else { builder }.build().unwrap();
            for number in 1..=2 {
                let request = client.post(origin.url("/echo?a=b")).header("content-type", "application/json").body("{\"a\":1}");
                assert_eq!(request.send().await.unwrap().text().await.unwrap(), "{\"a\":1}");
                let exchange = world.exchange().await;
                assert_eq!((exchange.number, exchange.session, exchange.actor), (number, 1, Actor::Client));
                assert_eq!((exchange.request.method.as_str(), exchange.request.url), ("POST", origin.url("/echo?a=b")));
                assert_eq!(exchange.request.version, if http1_only { Version::Http11 } else { Version::Http2 });
                assert_eq!((&exchange.request.body.bytes[..], &exchange.request.body.end), (&b"{\"a\":1}"[..], &End::Complete));
            }
            let seen = origin.last();
            assert_eq!((seen.version, &seen.body[..]), (upstream, &b"{\"a\":1}"[..]));
            let is_named = upstream == http::Version::HTTP_11;
            assert_eq!(seen.headers.contains_key("host"), is_named, "h2 names the host elsewhere");
        }
    }
}

#[tokio::test]
async fn an_exchange_is_recorded_whole() {
    let (origin, world) = (Origin::start(Speaks::Http2).await, World::new().await);
    let answer = world.client().get(origin.url("/gzip")).header("x-a", "1").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let body = answer.bytes().await.unwrap();
    let exchange = world.exchange().await;
    let response = response(&exchange);
    assert_eq!((response.status, response.headers.first("content-encoding")), (200, Some("gzip")));
    assert_eq!((&response.body.bytes[..], &response.body.end), (&body[..], &End::Complete));
    assert!(!response.headers.has("date"), "nothing is added");
    assert_eq!(exchange.request.headers.first("x-a"), Some("1"));
    assert!(exchange.took.is_some());
}
