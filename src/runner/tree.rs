//! The processes that belong to a client, found in `/proc`: its group, its session, its descendants, and those that carry the
//! marker of its session in their environment though they have left the tree. Where there is no `/proc`, only the group is known.

use super::interception::MARKER;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid, getsid};
use std::collections::HashSet;
use std::fs;

/// What of a client's processes is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What still belongs to the terminal or the group: a daemon that the client started on purpose lives on.
    Attached,
    /// Everything, daemons too.
    Everything,
}

/// How the processes of one client are recognised.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// The client: leader of its group.
    leader: Pid,
    /// `AUTHTAPE_PROXY=…`, if the client's environment has it.
    marker: Option<String>,
    /// When the client began, in the kernel's ticks: what is older is none of its processes, whatever it looks like.
    born: u64,
}

/// A line of `/proc/<pid>/stat`.
pub(super) struct Entry {
    pub pid: i32,
    state: char,
    pub parent: i32,
    group: i32,
    session: i32,
    born: u64,
}

impl Family {
    /// The processes of a client that has just been started; `marker` is the value of [`MARKER`] in its environment.
    pub fn of(leader: Pid, marker: Option<&str>) -> Self {
        let born = Entry::read(leader.as_raw()).map_or(0, |entry| entry.born);
        Self { leader, marker: marker.map(|value| format!("{MARKER}={value}")), born }
    }

    /// The living members. Never this process, a zombie or process 1.
    pub fn members(&self, reach: Reach) -> Vec<Pid> {
        self.entries(reach).iter().map(|entry| Pid::from_raw(entry.pid)).collect()
    }

    /// Sends a signal to the group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        let _ = killpg(self.leader, signal);
    }

    /// Sends a signal to the group at once and then to every other member by its id: to each process once.
    pub fn signal(&self, signal: Signal, reach: Reach) {
        let others = self.entries(reach).into_iter().filter(|entry| entry.group != self.leader.as_raw());
        let others: Vec<Entry> = others.collect();
        self.signal_group(signal);
        for entry in others {
            let _ = kill(Pid::from_raw(entry.pid), signal);
        }
    }

    fn entries(&self, reach: Reach) -> Vec<Entry> {
        let entries = processes();
        let leader = self.leader.as_raw();
        let own = getpid().as_raw();
        let own_session = getsid(None).map_or(-1, Pid::as_raw);
        let descendants = descendants(leader, &entries);
        let belongs = |entry: &Entry| {
            entry.group == leader
                || entry.session == leader
                || match reach {
                    Reach::Attached => entry.session == own_session && (descendants.contains(&entry.pid) || self.marks(entry.pid)),
                    Reach::Everything => descendants.contains(&entry.pid) || self.marks(entry.pid),
                }
        };
        let is_alive = |entry: &Entry| !matches!(entry.state, 'Z' | 'X');
        let ours = ancestors(own, &entries);
        let is_other = |entry: &Entry| ours.contains(&entry.pid) || entry.born < self.born;
        entries.into_iter().filter(|entry| is_alive(entry) && !is_other(entry) && belongs(entry)).collect()
    }

    fn marks(&self, pid: i32) -> bool {
        self.marker.as_ref().is_some_and(|marker| carries(pid, |variable| variable == marker.as_bytes()))
    }
}

/// True when a process was started with such a variable (`NAME=value`) in its environment.
pub(super) fn carries(pid: i32, is_it: impl Fn(&[u8]) -> bool) -> bool {
    let Ok(block) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    block.split(|byte| *byte == 0).any(is_it)
}

/// The ids of all processes.
pub(super) fn process_ids() -> impl Iterator<Item = i32> {
    let folder = fs::read_dir("/proc").into_iter().flatten().flatten();
    folder.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Sends a signal to the other processes of our own group.
pub(super) fn signal_own_group_but_us(signal: Signal) {
    let own = getpid().as_raw();
    let group = nix::unistd::getpgrp().as_raw();
    for entry in processes().iter().filter(|entry| entry.group == group && entry.pid != own) {
        let _ = kill(Pid::from_raw(entry.pid), signal);
    }
}

fn processes() -> Vec<Entry> {
    process_ids().filter_map(Entry::read).collect()
}

impl Entry {
    pub fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in brackets may hold anything: fields are counted from the last bracket (proc_pid_stat(5)).
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = || fields.next()?.parse().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        // The state is field 3, the time of birth field 22.
        let born = fields.nth(15)?.parse().ok()?;
        Some(Self { pid, state, parent, group, session, born })
    }
}

/// A process, its parents and process 1: a time of birth is too coarse to tell a client from the shell that has just begun.
fn ancestors(pid: i32, entries: &[Entry]) -> HashSet<i32> {
    let mut found = HashSet::from([1]);
    let mut next = pid;
    while found.insert(next) {
        let Some(entry) = entries.iter().find(|entry| entry.pid == next) else { break };
        next = entry.parent;
    }
    found
}

fn descendants(root: i32, entries: &[Entry]) -> HashSet<i32> {
    let mut found = HashSet::from([root]);
    loop {
        let before = found.len();
        for entry in entries {
            if found.contains(&entry.parent) {
                found.insert(entry.pid);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_hides_no_field() {
        let entry = Entry::parse(7, "7 (a ) S 1 2) R 5 6 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9").unwrap();
        assert_eq!((entry.state, entry.parent, entry.group, entry.session, entry.born), ('R', 5, 6, 7, 4711));
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let entry = |pid, parent| Entry { pid, state: 'S', parent, group: 0, session: 0, born: 0 };
        let found = descendants(2, &[entry(4, 3), entry(3, 2), entry(5, 1), entry(2, 1)]);
        assert_eq!(found, HashSet::from([2, 3, 4]));
        assert_eq!(ancestors(4, &[entry(2, 1), entry(4, 3), entry(3, 2), entry(9, 1)]), HashSet::from([1, 2, 3, 4]));
    }
}
