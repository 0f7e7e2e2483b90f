//! How many exchanges a second are recorded, against the same servers and from the same clients: direct, hudsucker alone,
//! authtape, mitmdump.

use super::growth::Growth;
use super::load::{self, Limit, Protocol};
use super::peer::{Authtape, Peer};
use super::rounds::{ROUND, Round, Row, heading, round, verdict};
use super::{Bench, Fallible, median};

/// Measures and prints.
pub async fn run(bench: &Bench, rounds: usize) -> Fallible<()> {
    let bare = Peer::bare(&bench.upstream_ca)?;
    let mut authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
    let mitmdump = Peer::mitmdump(&bench.upstream_ca, None)?;
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
        heading(protocol);
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
