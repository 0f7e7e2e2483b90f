//! Whether a connection is a dial around the proxy. Judges at the end, when every listener of the run is known: what the kernel
//! shows in one moment may be half of a connection.

use super::{Callbacks, Dial, Report};
use crate::proxy::SocketRow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many connections wait for judgement; further ones are only counted.
const CANDIDATES: usize = 4096;
/// How many pairs of addresses are remembered.
const ENDS: usize = 65_536;
/// How often a datagram socket has to be seen: resolvers connect one for a moment and send nothing, to learn their own address.
const SIGHTINGS: u32 = 2;
/// Where name servers listen.
const DNS: u16 = 53;

/// Who has a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// This process.
    Own,
    /// A process of the run.
    Client(i32),
}

/// How a socket talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Ledger {
    own_listeners: HashSet<SocketAddr>,
    client_listeners: HashSet<SocketAddr>,
    /// Local and remote address of connections with an end in the run.
    ends: HashSet<(SocketAddr, SocketAddr)>,
    candidates: Vec<Candidate>,
    /// Those that found no room.
    further: u64,
    /// Datagram sockets by inode and peer.
    sightings: HashMap<(u64, SocketAddr), u32>,
}

struct Candidate {
    holder: Holder,
    program: String,
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Ledger {
    /// Takes note of a TCP socket that listens.
    pub fn listener(&mut self, local: SocketAddr, holder: Holder) {
        match holder {
            Holder::Own => self.own_listeners.insert(local),
            Holder::Client(_) => self.client_listeners.insert(local),
        };
    }

    /// Takes note of a TCP connection, once.
    pub fn connection(&mut self, local: SocketAddr, remote: SocketAddr, holder: Holder, program: impl FnOnce() -> String) {
        let is_of_client = || holder != Holder::Own && touches(&self.client_listeners, local, remote);
        // Most connections lead to our proxy.
        if touches(&self.own_listeners, local, remote) || is_of_client() {
            return;
        }
        if self.ends.len() < ENDS {
            self.ends.insert((local, remote));
        }
        self.suspect(Protocol::Tcp, local, remote, holder, program);
    }

    /// Takes note of a UDP socket, as often as it is seen.
    pub fn datagrams(&mut self, row: &SocketRow, holder: Holder, program: impl FnOnce() -> String) {
        if row.remote.port() == 0 || row.remote.ip().is_loopback() || self.sightings.len() >= ENDS {
            return;
        }
        let count = self.sightings.entry((row.inode, row.remote)).or_default();
        *count += 1;
        if *count == SIGHTINGS {
            self.suspect(Protocol::Udp, row.local, row.remote, holder, program);
        }
    }

    fn suspect(&mut self, protocol: Protocol, local: SocketAddr, remote: SocketAddr, holder: Holder, program: impl FnOnce() -> String) {
        if self.candidates.len() >= CANDIDATES {
            self.further += 1;
            return;
        }
        self.candidates.push(Candidate { holder, program: program(), protocol, local, remote });
    }

    /// Judges.
    pub fn settle(self, callbacks: &Callbacks, samples: u64) -> Report {
        let mut report = Report { callbacks: callbacks.count(), samples, further: self.further, ..Report::default() };
        let (mut around, mut lookups) = (BTreeMap::new(), BTreeMap::new());
        for candidate in &self.candidates {
            match candidate.holder {
                _ if candidate.protocol == Protocol::Tcp && self.is_inside(candidate, callbacks) => {}
                Holder::Own => report.own += 1,
                Holder::Client(pid) => {
                    let is_lookup = candidate.protocol == Protocol::Udp && candidate.remote.port() == DNS;
                    let dials: &mut BTreeMap<_, Dial> = if is_lookup { &mut lookups } else { &mut around };
                    let Candidate { program, protocol, remote, .. } = candidate;
                    let dial = dials.entry((program, *protocol, *remote)).or_insert_with(|| Dial {
                        pid,
                        program: program.clone(),
                        protocol: *protocol,
                        peer: *remote,
                        count: 0,
                    });
                    dial.count += 1;
                }
            }
        }
        report.around = around.into_values().collect();
        report.lookups = lookups.into_values().collect();
        report
    }

    /// True for a connection that stays within the run, and for one that somebody else opened.
    fn is_inside(&self, candidate: &Candidate, callbacks: &Callbacks) -> bool {
        let Candidate { local, remote, .. } = *candidate;
        if touches(&self.own_listeners, local, remote) {
            return true;
        }
        match candidate.holder {
            Holder::Own => callbacks.lead_to(remote),
            Holder::Client(_) => {
                touches(&self.client_listeners, local, remote) || self.ends.contains(&(remote, local)) || callbacks.lead_to(local)
            }
        }
    }
}

/// True when one end of a connection is one of these listeners. One that is bound to all addresses is this machine's: it is meant
/// only where both ends are.
fn touches(listeners: &HashSet<SocketAddr>, local: SocketAddr, remote: SocketAddr) -> bool {
    let is_here = remote.ip().is_loopback() || remote.ip() == local.ip();
    let all = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    let any = |port: u16| all.iter().any(|ip| listeners.contains(&SocketAddr::new(*ip, port)));
    listeners.contains(&remote) || (is_here && any(remote.port())) || listeners.contains(&local) || any(local.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "127.0.0.1:7200";
    const NOBODY: &str = "0.0.0.0:0";

    /// What is left of connections: `o` is this process, `c` the client; a connection without a peer listens.
    fn judged(sockets: &[(char, &str, &str)], callbacks: &[u16]) -> Report {
        let mut ledger = Ledger::default();
        ledger.listener(PROXY.parse().unwrap(), Holder::Own);
        for (holder, local, remote) in sockets {
            let holder = if *holder == 'o' { Holder::Own } else { Holder::Client(7) };
            let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
            match remote {
                _ if remote == NOBODY.parse().unwrap() => ledger.listener(local, holder),
                _ => ledger.connection(local, remote, holder, || "node".to_owned()),
            }
        }
        let announced = Callbacks::default();
        callbacks.iter().for_each(|port| announced.begun(*port));
        ledger.settle(&announced, 1)
    }

    fn peers(report: &Report) -> Vec<String> {
        report.around.iter().map(|dial| format!("{} ×{}", dial.peer, dial.count)).collect()
    }

    #[test]
    fn only_what_leaves_the_run_is_around_the_proxy() {
        let report = judged(
            &[
                ('c', "127.0.0.1:40000", PROXY),
                ('o', PROXY, "127.0.0.1:40000"),
                ('c', "127.0.0.1:40001", "127.0.0.1:5000"),
                ('c', "127.0.0.1:40002", "127.0.0.1:5000"),
                ('c', "10.0.0.2:40003", "203.0.113.7:443"),
                ('c', "[::1]:40004", "[::1]:5000"),
            ],
            &[],
        );
        assert_eq!(peers(&report), ["127.0.0.1:5000 ×2", "203.0.113.7:443 ×1", "[::1]:5000 ×1"]);
        assert_eq!((report.around[0].program.as_str(), report.around[0].pid, report.own), ("node", 7, 0));
        assert_eq!(report.upstream_connections(), 4);
    }

    #[test]
    fn a_listener_of_the_client_may_be_seen_after_its_connection_or_never() {
        let within = [('c', "127.0.0.1:40001", "127.0.0.1:5000"), ('c', "127.0.0.1:5000", NOBODY)];
        assert_eq!(peers(&judged(&within, &[])), [""; 0]);
        let both_ends = [('c', "127.0.0.1:40001", "127.0.0.1:5000"), ('c', "127.0.0.1:5000", "127.0.0.1:40001")];
        assert_eq!(peers(&judged(&both_ends, &[])), [""; 0]);
        let somebody_came = [('c', "127.0.0.1:5000", NOBODY), ('c', "127.0.0.1:5000", "127.0.0.1:40001")];
        assert_eq!(peers(&judged(&somebody_came, &[])), [""; 0]);
    }

    #[test]
    fn a_listener_on_all_addresses_is_this_machine_and_no_other() {
        let sockets = [
            ('c', "0.0.0.0:5000", NOBODY),
            ('c', "127.0.0.1:40001", "127.0.0.1:5000"),
            ('c', "10.0.0.2:40002", "10.0.0.2:5000"),
            ('c', "10.0.0.2:40003", "10.0.0.3:5000"),
        ];
        assert_eq!(peers(&judged(&sockets, &[])), ["10.0.0.3:5000 ×1"]);
    }

    #[test]
    fn the_user_agent_is_counted_apart_and_anything_else_of_ours_is_not_excused() {
        let callback = [('o', "127.0.0.1:40001", "127.0.0.1:5000"), ('c', "127.0.0.1:5000", "127.0.0.1:40001")];
        let report = judged(&callback, &[5000]);
        assert_eq!((report.own, report.callbacks, peers(&report).len()), (0, 1, 0));
        // Half of it was seen.
        assert_eq!(peers(&judged(&callback[1..], &[5000])), [""; 0]);
        let report = judged(&[('o', "127.0.0.1:40001", "127.0.0.1:5001"), ('o', "10.0.0.2:40001", "203.0.113.7:5000")], &[5000]);
        assert_eq!((report.own, report.upstream_connections()), (2, 2));
    }

    #[test]
    fn datagrams_count_when_they_stay_and_names_are_told_apart() {
        let mut ledger = Ledger::default();
        for (inode, remote, sightings) in
            [(1, "203.0.113.7:443", 1), (2, "203.0.113.8:443", 5), (3, "10.0.0.1:53", 2), (4, "127.0.0.53:53", 3), (5, NOBODY, 3)]
        {
            let (local, remote) = ("10.0.0.2:4000".parse().unwrap(), remote.parse().unwrap());
            let row = SocketRow { local, remote, state: 1, uid: 0, inode };
            (0..sightings).for_each(|_| ledger.datagrams(&row, Holder::Client(7), || "node".to_owned()));
        }
        let report = ledger.settle(&Callbacks::default(), 1);
        assert_eq!(peers(&report), ["203.0.113.8:443 ×1"]);
        assert_eq!(report.lookups.iter().map(|dial| dial.peer.port()).collect::<Vec<_>>(), [53]);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let sockets: Vec<_> = (0..CANDIDATES + 3).map(|_| ('c', "10.0.0.2:4000", "203.0.113.7:443")).collect();
        let report = judged(&sockets, &[]);
        assert_eq!((report.further, report.upstream_connections()), (3, CANDIDATES as u64 + 3));
    }
}
