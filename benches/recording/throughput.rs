//! How many exchanges a second, against the same servers and from the same clients: direct, hudsucker alone, authtape,
//! mitmdump. The rounds of all take turns, because other work on the machine comes and goes.

use super::growth::Growth;
use super::load::{self, Limit, Measured, Protocol};
use super::peer::{Authtape, Peer};
use super::{Bench, Fallible, median, process};
use std::time::Duration;

const ROUND: Duration = Duration::from_secs(2);

/// What one round of one peer gave.
struct Round {
    measured: Measured,
    /// Processor time of the proxy for each request, in microseconds.
    cpu: f64,
}

/// All rounds of one peer with one protocol.
#[derive(Default)]
struct Row(Vec<Round>);

/// Measures and prints.
pub async fn run(bench: &Bench, rounds: usize) -> Fallible<()> {
    let bare = Peer::bare(&bench.upstream_ca)?;
    let mut authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
    let mitmdump = Peer::mitmdump(&bench.upstream_ca)?;
    let mut growth = Growth::of(&authtape.part())?;
    if mitmdump.is_none() {
        println!("mitmdump: not found (AUTHTAPE_MITMDUMP or PATH); its rows are missing\n");
    }
    for protocol in Protocol::BOTH {
        let server = bench.server(protocol);
        let (mut direct, mut bares, mut ours, mut mitmdumps) = (Row::default(), Row::default(), Row::default(), Row::default());
        let mut lags = Vec::new();
        for _ in 0..rounds {
            let measured = load::run(&bench.direct, server, protocol, Limit::Time(ROUND)).await?;
            direct.0.push(Round { measured, cpu: f64::NAN });
            bares.0.push(round(&bare, server, protocol).await?);
            let round_of_ours = round(&authtape.peer, server, protocol).await?;
            growth.reach(growth.interactions + round_of_ours.measured.latencies.len() as u64)?;
            lags.push(round_of_ours.measured.last.elapsed().as_secs_f64() * 1000.0);
            ours.0.push(round_of_ours);
            if let Some(mitmdump) = &mitmdump {
                mitmdumps.0.push(round(mitmdump, server, protocol).await?);
            }
        }
        println!("{:<28} {:>8}  {:<17} {:>9} {:>9} {:>11}", protocol.alpn(), "req/s", "(min-max)", "p50 ms", "p99 ms", "CPU us/req");
        direct.print("direct");
        bares.print("hudsucker alone");
        ours.print("authtape record");
        mitmdumps.print("mitmdump -q");
        verdict("against hudsucker alone", &ours, &bares, 0.7, 0.9);
        verdict("against mitmdump -q", &ours, &mitmdumps, 20.0, 30.0);
        println!("writer lag at the end: {:.0} ms (most {:.0}; budget 1000)\n", median(&lags), lags.iter().copied().fold(0.0, f64::max));
    }
    let finishing = authtape.finish(|_| {})?;
    println!("{} interactions recorded; finishing the cassette took {:.1} s\n", growth.interactions, finishing.as_secs_f64());
    Ok(())
}

async fn round(peer: &Peer, server: std::net::SocketAddr, protocol: Protocol) -> Fallible<Round> {
    let before = process::cpu(peer.pid)?;
    let measured = load::run(&peer.way, server, protocol, Limit::Time(ROUND)).await?;
    let used = process::cpu(peer.pid)? - before;
    let cpu = used.as_secs_f64() * 1e6 / measured.latencies.len() as f64;
    Ok(Round { measured, cpu })
}

impl Row {
    fn all(&self, value: impl Fn(&Round) -> f64) -> Vec<f64> {
        self.0.iter().map(value).collect()
    }

    fn print(&self, name: &str) {
        if self.0.is_empty() {
            return;
        }
        let speeds = self.all(|round| round.measured.per_second());
        let (least, most) = speeds.iter().fold((f64::MAX, 0.0_f64), |(least, most), speed| (least.min(*speed), most.max(*speed)));
        let range = format!("({least:.0}-{most:.0})");
        let (p50, p99) =
            (median(&self.all(|round| round.measured.percentile(50))), median(&self.all(|round| round.measured.percentile(99))));
        let cpu = median(&self.all(|round| round.cpu));
        let cpu = if cpu.is_nan() { String::new() } else { format!("{cpu:.0}") };
        println!("{name:<28} {:>8.0}  {range:<17} {p50:>9.2} {p99:>9.2} {cpu:>11}", median(&speeds));
    }
}

/// The median of the ratios within each round.
fn verdict(name: &str, ours: &Row, theirs: &Row, budget: f64, goal: f64) {
    let ratios: Vec<f64> = ours.0.iter().zip(&theirs.0).map(|(a, b)| a.measured.per_second() / b.measured.per_second()).collect();
    if !ratios.is_empty() {
        println!("{name}: {:.2} x (budget {budget}, goal {goal}; processor time {:.2} x)", median(&ratios), {
            median(&ours.all(|round| round.cpu)) / median(&theirs.all(|round| round.cpu))
        });
    }
}
