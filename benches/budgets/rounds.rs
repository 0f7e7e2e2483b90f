//! Rounds of several peers that take turns, because other work on the machine comes and goes: what each gave, and how they compare.

use super::load::{self, Limit, Measured, Protocol};
use super::peer::Peer;
use super::{Fallible, median, process};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a round lasts.
pub const ROUND: Duration = Duration::from_secs(2);

/// What one round of one peer gave.
pub struct Round {
    pub measured: Measured,
    /// Processor time of the proxy for each request, in microseconds.
    pub cpu: f64,
}

/// All rounds of one peer with one protocol.
#[derive(Default)]
pub struct Row(pub Vec<Round>);

/// Prints the names of the columns.
pub fn heading(protocol: Protocol) {
    println!("{:<28} {:>8}  {:<17} {:>9} {:>9} {:>11}", protocol.alpn(), "req/s", "(min-max)", "p50 ms", "p99 ms", "CPU us/req");
}

/// One round of a peer.
pub async fn round(peer: &Peer, server: SocketAddr, protocol: Protocol) -> Fallible<Round> {
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

    /// Prints the medians.
    pub fn print(&self, name: &str) {
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
pub fn verdict(name: &str, ours: &Row, theirs: &Row, budget: f64, goal: f64) {
    let ratios: Vec<f64> = ours.0.iter().zip(&theirs.0).map(|(a, b)| a.measured.per_second() / b.measured.per_second()).collect();
    if !ratios.is_empty() {
        println!("{name}: {:.2} x (budget {budget}, goal {goal}; processor time {:.2} x)", median(&ratios), {
            median(&ours.all(|round| round.cpu)) / median(&theirs.all(|round| round.cpu))
        });
    }
}
