//! What one answer of the player costs, in this process, with tapes of different lengths: it must not depend on the length.

use super::tape::{self, Arguments};
use super::{Fallible, median};
use authtape::exchange::Request;
use authtape::model::Moment;
use authtape::replay::{Player, PlayerOptions, Source};
use std::time::{Duration, Instant};

const LENGTHS: [u32; 4] = [100, 1_000, 10_000, 100_000];
/// Different requests that are sent in turn, spread over the tape: as many with each length, so that caches help each alike.
const REQUESTS: u32 = 90;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(30);

const BEARER: &str = "Bearer hV3kQ9sX2mB7tZ5wR8nL4cJ6yD1fG0pA";

/// Measures and prints.
pub fn run() -> Fallible<()> {
    print!("{:<44}", "an answer of the player, ns, on a tape of");
    LENGTHS.iter().for_each(|length| print!(" {length:>8}"));
    println!("   longest : shortest (budget 1.5)");
    let recorded = |number: u32| tape::live(number, Arguments::Plain, BEARER);
    let wild = |number: u32| tape::live(number, Arguments::Placeholder, BEARER);
    let missing = |number: u32| tape::live(number + 1_000_000, Arguments::Plain, BEARER);
    let unknown = |number: u32| tape::live(number, Arguments::Plain, "Bearer not the one of this run");
    row("a recorded call", Arguments::Plain, recorded, |source| matches!(source, Source::Tape { .. }))?;
    row("a call with a placeholder", Arguments::Placeholder, wild, |source| matches!(source, Source::Tape { .. }))?;
    row("a miss and its nearest", Arguments::Plain, missing, |source| matches!(source, Source::Miss(_)))?;
    row("a wrong bearer", Arguments::Plain, unknown, |source| matches!(source, Source::Dressed { .. } | Source::Model(_)))
}

fn row(name: &str, arguments: Arguments, request: impl Fn(u32) -> Request, expected: impl Fn(&Source) -> bool) -> Fallible<()> {
    let mut costs = Vec::new();
    for length in LENGTHS {
        let mut player = Player::new(tape::cassette(length, arguments)?, [7; 32], &PlayerOptions::default())?;
        let now = Moment::since_epoch(Duration::from_secs(1_800_000_000));
        // The bearer of the run.
        player.answer(&tape::live(2, arguments, BEARER), 1, now);
        let requests: Vec<Request> = (0..REQUESTS).map(|index| request(2 + index * (length - 2) / REQUESTS)).collect();
        if let Some(other) = requests.iter().map(|request| player.answer(request, 1, now).source).find(|source| !expected(source)) {
            return Err(format!("{name}, {length}: {other:?}").into());
        }
        costs.push(cost(&mut player, &requests, now));
    }
    print!("{name:<44}");
    costs.iter().for_each(|cost| print!(" {cost:>8.0}"));
    println!("   {:.2}", costs[costs.len() - 1] / costs[0]);
    Ok(())
}

/// Nanoseconds an answer.
fn cost(player: &mut Player, requests: &[Request], now: Moment) -> f64 {
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let (began, mut answers) = (Instant::now(), 0_u32);
        while began.elapsed() < ROUND {
            for request in requests {
                std::hint::black_box(player.answer(request, 1, now));
            }
            answers += REQUESTS;
        }
        costs.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(answers));
    }
    median(&costs)
}
