//! How many requests a second are answered from a tape: `authtape replay` and `mitmdump --server-replay`, each with a tape of the
//! same exchange that it recorded itself, asked for again and again with a live bearer. No server is asked.

use super::load::{self, Limit, Protocol};
use super::peer::{Authtape, Peer, Run};
use super::rounds::{ROUND, Round, Row, heading, round, verdict};
use super::{Bench, Fallible};
use std::path::Path;

/// Measures and prints.
pub async fn run(bench: &Bench, rounds: usize) -> Fallible<()> {
    for protocol in Protocol::BOTH {
        let folder = tempfile::tempdir()?;
        let (tape, flows) = (folder.path().join("tape.yaml"), folder.path().join("flows"));
        record(bench, protocol, &tape, &flows).await?;
        let (ours, recorded) = (Authtape::replay(&tape, Run::Forgotten)?, Authtape::replay(&tape, Run::Recorded)?);
        let mitmdump = Peer::mitmdump_replay(&flows)?;
        let server = bench.server(protocol);
        let (mut direct, mut rows, mut mitmdumps) = (Row::default(), [Row::default(), Row::default()], Row::default());
        for _ in 0..rounds {
            let measured = load::run(&bench.direct, server, protocol, Limit::Time(ROUND)).await?;
            direct.0.push(Round { measured, cpu: f64::NAN });
            for (peer, row) in [&ours, &recorded].into_iter().zip(&mut rows) {
                row.0.push(round(&peer.peer, server, protocol).await?);
            }
            if let Some(mitmdump) = &mitmdump {
                mitmdumps.0.push(round(mitmdump, server, protocol).await?);
            }
        }
        heading(protocol);
        direct.print("the server itself, direct");
        rows[0].print("authtape replay");
        rows[1].print("authtape replay -o");
        mitmdumps.print("mitmdump --server-replay");
        verdict("against mitmdump --server-replay", &rows[0], &mitmdumps, 30.0, 60.0);
        println!();
    }
    Ok(())
}

/// One exchange, recorded by each of them.
async fn record(bench: &Bench, protocol: Protocol, tape: &Path, flows: &Path) -> Fallible<()> {
    let server = bench.server(protocol);
    let mut authtape = Authtape::record(&bench.upstream_ca, &bench.servers())?;
    load::run(&authtape.peer.way, server, protocol, Limit::Requests(1)).await?;
    authtape.finish(|_| {})?;
    std::fs::copy(authtape.cassette(), tape)?;
    if let Some(mitmdump) = Peer::mitmdump(&bench.upstream_ca, Some(flows))? {
        load::run(&mitmdump.way, server, protocol, Limit::Requests(1)).await?;
        mitmdump.stop()?;
    }
    Ok(())
}
