//! How long things take that a person waits for: the first event of a stream, the start.

use super::load::{Client, Protocol, Way};
use super::peer::Authtape;
use super::{Bench, Fallible, median};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const STREAMS: usize = 200;
const STARTS: usize = 15;
const PATIENCE: Duration = Duration::from_secs(10);

/// The first event of an SSE stream: through the proxy and direct, by turns, on connections that are open already.
pub async fn first_event(bench: &Bench) -> Fallible<()> {
    let authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
    for protocol in Protocol::BOTH {
        let server = bench.server(protocol);
        let mut straight = Client::connect(&bench.direct, server, protocol).await?;
        let mut through = Client::connect(&authtape.peer.way, server, protocol).await?;
        let (mut direct, mut proxied) = (Vec::new(), Vec::new());
        for _ in 0..STREAMS {
            direct.push(until_first_event(&mut straight).await?);
            proxied.push(until_first_event(&mut through).await?);
        }
        let (direct, proxied) = (median(&direct), median(&proxied));
        println!(
            "first SSE event, {}: {proxied:.2} ms through authtape, {direct:.2} ms direct: {:.2} ms added (p50; budget 2, goal 1)",
            protocol.alpn(),
            proxied - direct
        );
    }
    fresh(bench, &authtape.peer.way).await
}

/// The same with a connection of its own each time: how a client's first request feels.
async fn fresh(bench: &Bench, way: &Way) -> Fallible<()> {
    let server = bench.server(Protocol::Http1);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..STREAMS / 4 {
        for (way, times) in [&bench.direct, way].into_iter().zip(&mut times) {
            times.push(connected(way, server).await?);
        }
    }
    let [direct, proxied] = times.map(|times| median(&times));
    println!("the same on a new connection, http/1.1: {proxied:.2} ms through authtape, {direct:.2} ms direct");
    Ok(())
}

async fn connected(way: &Way, server: SocketAddr) -> Fallible<f64> {
    let began = Instant::now();
    let mut client = Client::connect(way, server, Protocol::Http1).await?;
    let connected = began.elapsed();
    Ok(connected.as_secs_f64() * 1000.0 + until_first_event(&mut client).await?)
}

/// Milliseconds from the request to the first piece of the body. Reads the stream to its end.
async fn until_first_event(client: &mut Client) -> Fallible<f64> {
    let began = Instant::now();
    let request = client.request("GET", Full::<Bytes>::default());
    let mut body = tokio::time::timeout(PATIENCE, client.send(request)).await??.into_body();
    body.frame().await.ok_or("an empty stream")??;
    let first = began.elapsed();
    body.collect().await?;
    Ok(first.as_secs_f64() * 1000.0)
}

/// From the start of `authtape record` until it says that it serves.
pub fn start(bench: &Bench) -> Fallible<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
        times.push(authtape.until_serving.as_secs_f64() * 1000.0);
    }
    let least = times.iter().copied().fold(f64::MAX, f64::min);
    println!("start to listening: {:.1} ms (p50 of {STARTS}, least {least:.1}; budget 20, goal 10)", median(&times));
    Ok(())
}
