//! The rows of the design's budgets, each beside its peers in the same run:
//!
//! ```text
//! cargo bench --bench budgets                         # all of it
//! cargo bench --bench budgets -- throughput 5         # one part; five rounds
//! ```
//!
//! Parts: `throughput`, `latency`, `start`, `memory` of a recording, `replay` and `matching` of a replay, `load`. Everything stays on loopback; ratios within a run are sound,
//! absolute figures are those of the machine.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod authority;
mod bare;
mod growth;
mod latency;
mod load;
mod matching;
mod memory;
mod peer;
mod process;
mod replay;
mod rounds;
mod server;
mod tape;
mod throughput;

use authority::Authority;
use load::{Protocol, Way};
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Rounds of each peer, unless a number is given.
const ROUNDS: usize = 3;

/// What all parts need: the upstream servers and the way to them.
struct Bench {
    http1: SocketAddr,
    http2: SocketAddr,
    /// Without a proxy.
    direct: Way,
    /// The file with the certificate of the servers' authority.
    upstream_ca: PathBuf,
    _folder: TempDir,
}

#[tokio::main]
async fn main() -> Fallible<()> {
    // `--bench` comes from cargo.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [role, folder, upstream_ca] = arguments.as_slice()
        && role == "serve-bare"
    {
        return bare::serve(Path::new(folder), Path::new(upstream_ca)).await;
    }
    let wanted = |part: &str| arguments.iter().all(|argument| argument.parse::<usize>().is_ok() || argument == part);
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let bench = Bench::start().await?;
    if wanted("throughput") {
        throughput::run(&bench, rounds).await?;
    }
    if wanted("latency") {
        latency::first_event(&bench).await?;
    }
    if wanted("start") {
        latency::start(&bench)?;
    }
    if wanted("memory") {
        memory::resident(&bench).await?;
    }
    if wanted("replay") {
        replay::run(&bench, rounds).await?;
    }
    if wanted("matching") {
        matching::run()?;
    }
    if wanted("load") {
        memory::load()?;
    }
    Ok(())
}

impl Bench {
    async fn start() -> Fallible<Self> {
        let authority = Authority::new("upstream servers of the bench")?;
        let folder = tempfile::tempdir()?;
        let upstream_ca = folder.path().join("upstream.pem");
        std::fs::write(&upstream_ca, authority.pem())?;
        Ok(Self {
            http1: server::start(&authority, Protocol::Http1).await?,
            http2: server::start(&authority, Protocol::Http2).await?,
            direct: Way { proxy: None, trusted: authority.pem() },
            upstream_ca,
            _folder: folder,
        })
    }

    fn server(&self, protocol: Protocol) -> SocketAddr {
        match protocol {
            Protocol::Http1 => self.http1,
            Protocol::Http2 => self.http2,
        }
    }

    fn servers(&self) -> [SocketAddr; 2] {
        [self.http1, self.http2]
    }
}

/// The middle value; not a number for none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
