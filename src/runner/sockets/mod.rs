//! Who was dialled during a replay: the sockets of this process and of everything it started, sampled on Linux. `kin` finds the
//! processes and `peek` looks at a socket, or else the kernel's tables tell; `ledger` judges.
//!
//! A TCP connection to anything but our own listeners or a listener of the run's own processes is a dial around the proxy. So is
//! a datagram socket that stays connected to another machine; to port 53 it is told apart, as a name lookup. What sampling
//! cannot see: a connection that begins and ends between two samples, a datagram sent without connecting, a name lookup by way
//! of this machine (127.0.0.53, a Unix socket), a process of another user or in a network namespace of its own. A namespace
//! ([`isolation`](super::isolation)) is the proof; this is the watch that needs no rights and tells who it was.

mod kin;
mod ledger;
mod peek;

pub use ledger::Protocol;

use crate::proxy::{LISTENS, SocketRow, socket_rows};
use kin::{Kin, program_of, sockets_of};
use ledger::{Holder, Ledger};
use nix::time::{ClockId, clock_gettime};
use peek::{Place, Socket, peek};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The time between two samples, at least.
pub const INTERVAL: Duration = Duration::from_millis(10);
/// And at least this many times the processor time that the last one took: a large tree has thousands of descriptors.
const REST: u32 = 4;
/// How many samples a socket may take to connect before the kernel's tables are asked, which show a peer that does not answer. To
/// read them takes milliseconds where they are large.
const LOOKS: u8 = 3;
/// What is not known by then is looked up in the tables once in this time.
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
        Self(sockets_of(nix::unistd::getpid().as_raw()).map(|place| place.inode).collect())
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

/// What is known of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// All there is to know.
    Settled,
    /// It is of UDP: its peer may change.
    Datagrams,
    /// Nothing, in so many looks.
    Open(u8),
}

struct Sampler {
    own: i32,
    kin: Kin,
    ledger: Ledger,
    /// The open sockets, by inode.
    known: HashMap<u64, Known>,
    read_at: Instant,
    samples: u64,
}

impl Sampler {
    fn new(earlier: &Earlier, markers: Vec<String>) -> Self {
        let own = nix::unistd::getpid().as_raw();
        let known = earlier.0.iter().map(|inode| (*inode, Known::Settled)).collect();
        Self { own, kin: Kin::new(markers), ledger: Ledger::default(), known, read_at: Instant::now(), samples: 0 }
    }

    fn run(mut self, stopped: &Receiver<()>) -> Self {
        let mut rest = INTERVAL;
        while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
            let began = processor_time();
            self.sample();
            rest = INTERVAL.max(processor_time().saturating_sub(began) * REST);
        }
        self.sample();
        self
    }

    fn sample(&mut self) {
        self.samples += 1;
        self.kin.look();
        let held = self.held();
        self.known.retain(|inode, _| held.contains_key(inode));
        let is_due = self.read_at.elapsed() >= REREAD;
        let mut asks_tables = false;
        for (holder, place) in held.values() {
            let known = self.known.entry(place.inode).or_insert(Known::Open(0));
            let Known::Open(looks) = *known else { continue };
            let socket = peek(*place);
            asks_tables |= match socket {
                Socket::Idle => is_due || looks == LOOKS,
                Socket::Hidden => is_due || looks < LOOKS,
                _ => false,
            };
            *known = match socket {
                Socket::Listens(local) => {
                    self.ledger.listener(local, *holder);
                    Known::Settled
                }
                Socket::Connected(local, remote) => {
                    self.ledger.connection(local, remote, *holder, || name_of(*holder));
                    Known::Settled
                }
                Socket::Datagrams => Known::Datagrams,
                Socket::Other => Known::Settled,
                Socket::Idle | Socket::Hidden => Known::Open(looks.saturating_add(1)),
            };
        }
        if asks_tables {
            self.look_up(&held);
            self.read_at = Instant::now();
        }
        self.look_up_datagrams(&held);
    }

    /// The sockets of the run. What two processes share belongs to this one, or to whoever is met first: a child that has just
    /// begun still has its parent's.
    fn held(&self) -> HashMap<u64, (Holder, Place)> {
        let own = sockets_of(self.own).map(|place| (place.inode, (Holder::Own, place)));
        let mut held: HashMap<_, _> = own.collect();
        for pid in self.kin.members() {
            for place in sockets_of(pid) {
                held.entry(place.inode).or_insert((Holder::Client(pid), place));
            }
        }
        held
    }

    /// Looks in the kernel's tables for the TCP sockets that are not known yet.
    fn look_up(&mut self, held: &HashMap<u64, (Holder, Place)>) {
        for row in TCP.iter().flat_map(|table| rows_of(table)) {
            let (Some((holder, _)), Some(known)) = (held.get(&row.inode), self.known.get_mut(&row.inode)) else { continue };
            if !matches!(std::mem::replace(known, Known::Settled), Known::Open(_)) {
                continue;
            }
            match row.state {
                LISTENS => self.ledger.listener(row.local, *holder),
                _ => self.ledger.connection(row.local, row.remote, *holder, || name_of(*holder)),
            }
        }
    }

    /// Looks in the kernel's tables, which are small, for the peers of UDP sockets.
    fn look_up_datagrams(&mut self, held: &HashMap<u64, (Holder, Place)>) {
        if self.known.values().all(|known| *known == Known::Settled) {
            return;
        }
        for row in UDP.iter().flat_map(|table| rows_of(table)) {
            if let Some((holder, _)) = held.get(&row.inode) {
                self.ledger.datagrams(&row, *holder, || name_of(*holder));
            }
        }
    }
}

fn rows_of(table: &str) -> Vec<SocketRow> {
    socket_rows(&fs::read_to_string(table).unwrap_or_default()).collect()
}

/// What this thread has used.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn name_of(holder: Holder) -> String {
    match holder {
        Holder::Own => String::new(),
        Holder::Client(pid) => program_of(pid),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd;

    fn known(sampler: &Sampler, socket: &impl AsRawFd) -> Option<Known> {
        let place = sockets_of(sampler.own).find(|place| place.fd == socket.as_raw_fd());
        sampler.known.get(&place.unwrap().inode).copied()
    }

    #[test]
    fn where_no_socket_may_be_looked_at_the_tables_tell() {
        let mut sampler = Sampler::new(&Earlier(Vec::new()), Vec::new());
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let held = sampler.held();
        sampler.known = held.keys().map(|inode| (*inode, Known::Open(0))).collect();
        sampler.look_up(&held);
        assert_eq!((known(&sampler, &listener), known(&sampler, &client)), (Some(Known::Settled), Some(Known::Settled)));
        assert_eq!(known(&sampler, &datagrams), Some(Known::Open(0)));
    }

    #[test]
    fn what_was_open_before_the_run_is_none_of_it() {
        let earlier = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sampler = Sampler::new(&Earlier::now(), Vec::new());
        let later = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!((known(&sampler, &earlier), known(&sampler, &later)), (Some(Known::Settled), None));
        sampler.sample();
        assert_eq!(known(&sampler, &later), Some(Known::Settled));
    }
}
