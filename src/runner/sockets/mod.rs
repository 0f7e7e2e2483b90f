//! Who was dialled during a replay: the sockets of this process and of everything it started, sampled from `/proc` on Linux.
//!
//! A TCP connection to anything but our own listeners or a listener of the run's own processes is a dial around the proxy. So is
//! a datagram socket that stays connected to another machine; to port 53 it is told apart, as a name lookup. What sampling
//! cannot see: a connection that begins and ends between two samples, a datagram sent without connecting, a name lookup by way
//! of this machine (127.0.0.53, a Unix socket), a process of another user or in a network namespace of its own. A namespace
//! ([`isolation`](super::isolation)) is the proof; this is the watch that needs no rights and tells who it was.

mod kin;
mod ledger;

pub use ledger::Protocol;

use crate::proxy::socket_rows;
use kin::{Kin, program_of, sockets_of};
use ledger::{Holder, Ledger};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The time between two samples, at least.
pub const INTERVAL: Duration = Duration::from_millis(20);
/// And at least this many times as long as the last one took: where the kernel's tables are large, reading one takes
/// milliseconds.
const REST: u32 = 4;
/// A new socket is looked up this often; many are none of TCP or UDP, and some are connected late.
const LOOKS: u8 = 3;
/// All sockets are looked up once in this time.
const REREAD: Duration = Duration::from_secs(1);

/// Sampling that goes on until it is stopped.
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Sampler>,
}

/// The sockets that a process had before a run: they are none of the run's, whoever inherits them.
pub struct Earlier(Vec<u64>);

/// Whom the user agent went to by itself: the client's own listeners.
#[derive(Clone, Debug, Default)]
pub struct Callbacks(Arc<Mutex<Announced>>);

#[derive(Debug, Default)]
struct Announced {
    ports: BTreeSet<u16>,
    count: u64,
}

/// What a watch saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Dials around the proxy.
    pub around: Vec<Dial>,
    /// Connections beyond the first 4096 that were not judged any more.
    pub further: u64,
    /// Name lookups at another machine.
    pub lookups: Vec<Dial>,
    /// Connections of this process to anything but its own listeners and the callbacks.
    pub own: u64,
    /// Callbacks that the user agent took to the client's own listener.
    pub callbacks: u64,
    /// How often was looked.
    pub samples: u64,
}

/// Connections of a program to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The process that was seen first.
    pub pid: i32,
    /// Its program, at most 40 characters.
    pub program: String,
    /// How it talked.
    pub protocol: Protocol,
    /// To whom.
    pub peer: SocketAddr,
    /// How many sockets.
    pub count: u64,
}

impl Watch {
    /// Begins to sample; `markers` are the values of `AUTHTAPE_PROXY` that the sessions of the run will have. `None` where there is
    /// no `/proc`.
    pub fn start(earlier: &Earlier, markers: Vec<String>) -> Option<Self> {
        fs::read_to_string(TCP[0]).ok()?;
        let sampler = Sampler::new(earlier, markers);
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("sockets".to_owned()).spawn(move || sampler.run(&stopped)).ok()?;
        Some(Self { stop, thread })
    }

    /// Looks once more and judges. `None` if the thread has failed.
    pub fn stop(self, callbacks: &Callbacks) -> Option<Report> {
        drop(self.stop);
        let sampler = self.thread.join().ok()?;
        Some(sampler.ledger.settle(callbacks, sampler.samples))
    }
}

impl Earlier {
    /// Those that this process has now: to be asked before the proxy listens.
    pub fn now() -> Self {
        Self(sockets_of(nix::unistd::getpid().as_raw()).collect())
    }
}

impl Callbacks {
    /// The user agent is about to dial this port of a loopback address.
    pub fn begun(&self, port: u16) {
        let mut announced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        announced.ports.insert(port);
        announced.count += 1;
    }

    fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    fn lead_to(&self, address: SocketAddr) -> bool {
        address.ip().is_loopback() && self.0.lock().unwrap_or_else(PoisonError::into_inner).ports.contains(&address.port())
    }
}

impl Report {
    /// Connections that left the run, ours and the client's.
    pub fn upstream_connections(&self) -> u64 {
        self.own + self.further + self.around.iter().map(|dial| dial.count).sum::<u64>()
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.protocol == Protocol::Udp { " (UDP)" } else { "" };
        write!(f, "{} (process {}) to {}{protocol}", self.program, self.pid, self.peer)?;
        if self.count > 1 { write!(f, ", {} times", self.count) } else { Ok(()) }
    }
}

const TCP: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
const UDP: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// Nothing more is to be learned of a socket.
const SETTLED: u8 = u8::MAX;

struct Sampler {
    own: i32,
    kin: Kin,
    ledger: Ledger,
    /// Open sockets, with the number of looks that did not find them.
    known: HashMap<u64, u8>,
    read_at: Instant,
    samples: u64,
}

impl Sampler {
    fn new(earlier: &Earlier, markers: Vec<String>) -> Self {
        let own = nix::unistd::getpid().as_raw();
        let known = earlier.0.iter().map(|inode| (*inode, SETTLED)).collect();
        Self { own, kin: Kin::new(markers), ledger: Ledger::default(), known, read_at: Instant::now(), samples: 0 }
    }

    fn run(mut self, stopped: &Receiver<()>) -> Self {
        let mut rest = INTERVAL;
        while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
            let began = Instant::now();
            self.sample();
            rest = INTERVAL.max(began.elapsed() * REST);
        }
        self.sample();
        self
    }

    fn sample(&mut self) {
        self.samples += 1;
        self.kin.look();
        let held = self.held();
        self.known.retain(|inode, _| held.contains_key(inode));
        let is_open = |inode: &u64, limit: u8| self.known.get(inode).is_none_or(|looks| *looks < limit);
        let is_due = self.read_at.elapsed() >= REREAD;
        if is_due || held.keys().any(|inode| is_open(inode, LOOKS)) {
            self.look_up(&held);
            self.read_at = Instant::now();
        }
        let (ledger, known) = (&mut self.ledger, &self.known);
        for row in UDP.iter().flat_map(|table| rows_of(table)) {
            if let Some(holder) = held.get(&row.inode).filter(|_| known.get(&row.inode) != Some(&SETTLED)) {
                ledger.datagrams(&row, *holder, || name_of(*holder));
            }
        }
    }

    /// The sockets of the run. What two processes share belongs to this one, or to whoever is met first: a child that has just
    /// begun still has its parent's.
    fn held(&self) -> HashMap<u64, Holder> {
        let own = sockets_of(self.own).map(|inode| (inode, Holder::Own));
        let mut held: HashMap<u64, Holder> = own.collect();
        for pid in self.kin.members() {
            for inode in sockets_of(pid) {
                held.entry(inode).or_insert(Holder::Client(pid));
            }
        }
        held
    }

    fn look_up(&mut self, held: &HashMap<u64, Holder>) {
        for inode in held.keys() {
            let looks = self.known.entry(*inode).or_insert(0);
            // A settled one stays what it is.
            *looks = if *looks == SETTLED { SETTLED } else { (*looks + 1).min(LOOKS) };
        }
        for row in TCP.iter().flat_map(|table| rows_of(table)) {
            let (Some(holder), Some(looks)) = (held.get(&row.inode), self.known.get_mut(&row.inode)) else { continue };
            if std::mem::replace(looks, SETTLED) != SETTLED {
                self.ledger.connection(&row, *holder, || name_of(*holder));
            }
        }
    }
}

fn rows_of(table: &str) -> Vec<crate::proxy::SocketRow> {
    socket_rows(&fs::read_to_string(table).unwrap_or_default()).collect()
}

fn name_of(holder: Holder) -> String {
    match holder {
        Holder::Own => String::new(),
        Holder::Client(pid) => program_of(pid),
    }
}
