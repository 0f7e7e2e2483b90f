//! Memory while a long recording grows, and how fast cassettes are read and made ready.

use super::growth::Growth;
use super::load::{self, Limit, Protocol};
use super::peer::{Authtape, Run};
use super::tape::{self, Arguments};
use super::{Bench, Fallible, median, process};
use authtape::cassette::Cassette;
use authtape::replay::{Player, PlayerOptions};
use std::time::Instant;

/// After so many exchanges we look.
const MARKS: [u64; 4] = [1_000, 10_000, 50_000, 100_000];
const LOADED: [u32; 3] = [10, 10_000, 100_000];
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

/// Reads cassettes as `show` and `replay` do and makes them ready to be replayed; then as a process.
pub fn load() -> Fallible<()> {
    let folder = tempfile::tempdir()?;
    for count in LOADED {
        let path = folder.path().join(format!("{count}.yaml"));
        tape::write(&path, count, Arguments::Plain)?;
        let (mut loading, mut preparing, mut starting, mut memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..LOADS {
            let began = Instant::now();
            let cassette = Cassette::load(&path)?;
            loading.push(began.elapsed().as_secs_f64());
            let began = Instant::now();
            Player::new(cassette, [7; 32], &PlayerOptions::default())?;
            preparing.push(began.elapsed().as_secs_f64());
            let replay = Authtape::replay(&path, Run::Forgotten)?;
            starting.push(replay.until_serving.as_secs_f64());
            memory.push(process::mebibytes(replay.peer.pid, "VmRSS")?);
        }
        let size = std::fs::metadata(&path)?.len() as f64 / 1e6;
        print!("{count} interactions ({size:.1} MB): load {:.3} s, player {:.3} s", median(&loading), median(&preparing));
        println!("; start to listening {:.3} s, resident {:.1} MiB", median(&starting), median(&memory));
    }
    println!("(budget for 10000: load 1.5 s, goal 0.5)\n");
    Ok(())
}
