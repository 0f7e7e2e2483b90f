//! Memory while a long recording grows, and how fast its cassette is read.

use super::growth::Growth;
use super::load::{self, Limit, Protocol};
use super::peer::Authtape;
use super::{Bench, Fallible, median, process};
use authtape::cassette::Cassette;
use std::time::Instant;

/// After so many exchanges we look.
const MARKS: [u64; 4] = [1_000, 10_000, 50_000, 100_000];
const LOADED: u64 = 10_000;
const LOADS: usize = 5;

/// Resident memory at each mark, and the most while the cassette is finished.
pub async fn resident(bench: &Bench) -> Fallible<()> {
    let mut authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
    let mut growth = Growth::of(&authtape.part())?;
    let pid = authtape.peer.pid;
    print!("resident memory: {:.1} MiB at the start", process::mebibytes(pid, "VmRSS")?);
    let protocol = Protocol::Http1;
    for mark in MARKS {
        let missing = mark - growth.interactions;
        load::run(&authtape.peer.way, bench.server(protocol), protocol, Limit::Requests(missing)).await?;
        growth.reach(mark)?;
        print!(", {:.1} after {mark}", process::mebibytes(pid, "VmRSS")?);
    }
    let before_end = process::mebibytes(pid, "VmHWM")?;
    let mut most = before_end;
    let took = authtape.finish(|pid| {
        // Gone at the very end.
        most = process::mebibytes(pid, "VmHWM").map_or(most, |now| now.max(most));
    })?;
    println!("; most {before_end:.1}, while finishing {most:.1} (budget 64, flat); finishing took {:.2} s", took.as_secs_f64());
    Ok(())
}

/// Reads a cassette of 10,000 interactions as `show` and `replay` do.
pub async fn load(bench: &Bench) -> Fallible<()> {
    let mut authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
    let protocol = Protocol::Http1;
    load::run(&authtape.peer.way, bench.server(protocol), protocol, Limit::Requests(LOADED)).await?;
    authtape.finish(|_| {})?;
    let mut times = Vec::new();
    for _ in 0..LOADS {
        let began = Instant::now();
        let cassette = Cassette::load(&authtape.cassette())?;
        times.push(began.elapsed().as_secs_f64());
        if cassette.interactions.len() as u64 != LOADED {
            return Err(format!("{} interactions in place of {LOADED}", cassette.interactions.len()).into());
        }
    }
    let size = std::fs::metadata(authtape.cassette())?.len() as f64 / 1e6;
    println!("load {LOADED} interactions ({size:.1} MB): {:.2} s (budget 1.5, goal 0.5)", median(&times));
    Ok(())
}
