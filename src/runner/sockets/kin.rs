//! The processes of a run: everything this process started, what that started, and what carries the marker of a session though
//! it has left the tree. Who belonged once belongs to its end. Each process is looked at once, so a look is cheap.

use super::peek::Place;
use crate::runner::interception::MARKER;
use crate::runner::tree::{Entry, carries, process_ids};
use std::collections::HashSet;
use std::fs;

/// The longest name of a program that is told.
const NAME: usize = 40;

/// The processes of a run, this one left out.
pub(super) struct Kin {
    own: i32,
    /// Values of [`MARKER`].
    markers: Vec<String>,
    members: HashSet<i32>,
    strangers: HashSet<i32>,
}

impl Kin {
    /// Who lives now is a stranger.
    pub fn new(markers: Vec<String>) -> Self {
        let own = nix::unistd::getpid().as_raw();
        Self { own, markers, members: HashSet::new(), strangers: process_ids().collect() }
    }

    /// Takes note of processes that have begun or ended.
    pub fn look(&mut self) {
        let living: HashSet<i32> = process_ids().collect();
        self.members.retain(|pid| living.contains(pid));
        self.strangers.retain(|pid| living.contains(pid));
        let is_new = |pid: &&i32| !self.members.contains(*pid) && !self.strangers.contains(*pid);
        let mut new: Vec<Entry> = living.iter().filter(is_new).filter_map(|pid| Entry::read(*pid)).collect();
        self.adopt_children(&mut new);
        let (marked, others): (Vec<Entry>, Vec<Entry>) = new.into_iter().partition(|entry| self.is_marked(entry.pid));
        self.members.extend(marked.iter().map(|entry| entry.pid));
        let mut others = others;
        self.adopt_children(&mut others);
        self.strangers.extend(others.iter().map(|entry| entry.pid));
    }

    /// Their ids.
    pub fn members(&self) -> impl Iterator<Item = i32> {
        self.members.iter().copied()
    }

    /// Moves children of members to the members, in whatever order they stand.
    fn adopt_children(&mut self, entries: &mut Vec<Entry>) {
        loop {
            let before = entries.len();
            entries.retain(|entry| {
                let is_child = entry.parent == self.own || self.members.contains(&entry.parent);
                if is_child {
                    self.members.insert(entry.pid);
                }
                !is_child
            });
            if entries.len() == before {
                return;
            }
        }
    }

    fn is_marked(&self, pid: i32) -> bool {
        let value_of = |variable: &[u8]| Some(variable.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?.to_owned());
        carries(pid, |variable| value_of(variable).is_some_and(|value| self.markers.iter().any(|marker| marker.as_bytes() == value)))
    }
}

/// The sockets that a process has open. Nothing of a process that is gone.
pub(super) fn sockets_of(pid: i32) -> impl Iterator<Item = Place> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    folder.filter_map(move |entry| {
        let target = fs::read_link(entry.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some(Place { pid, fd: entry.file_name().to_str()?.parse().ok()?, inode })
    })
}

/// The name of a program: the first word of its command line without folders, or what the kernel calls it.
pub(super) fn program_of(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = line.split(|byte| *byte == 0 || *byte == b' ').next().unwrap_or_default();
    let base = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = String::from_utf8_lossy(base).chars().filter(|c| !c.is_control()).take(NAME).collect::<String>();
    if !name.is_empty() {
        return name;
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().chars().filter(|c| !c.is_control()).take(NAME).collect()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::process::{Child, Command, Stdio};

    /// Ended with its children when dropped.
    struct Shell(Child);

    impl Shell {
        fn start(script: &str, marker: &str) -> Self {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).env_clear().env(MARKER, marker).stdin(Stdio::piped()).stdout(Stdio::piped());
            Self(command.spawn().unwrap())
        }

        /// What it prints first.
        fn number(&mut self) -> i32 {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(self.0.stdout.as_mut().unwrap()), &mut line).unwrap();
            line.trim().parse().unwrap()
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            let _ = self.0.wait();
        }
    }

    #[test]
    fn children_their_children_and_who_left_the_tree_belong() {
        let earlier = Shell::start("read x", "mine");
        let mut kin = Kin::new(vec!["mine".to_owned()]);
        // The grandchild loses its parent at once; `cat` ends with the pipe.
        let mut child = Shell::start("(cat <&3 >/dev/null & echo $!) 3<&0; read x", "mine");
        let orphan = child.number();
        let child_id = i32::try_from(child.0.id()).unwrap();
        kin.look();
        let members: HashSet<i32> = kin.members().collect();
        assert!(members.contains(&child_id) && members.contains(&orphan), "{members:?}");
        assert!(!members.contains(&i32::try_from(earlier.0.id()).unwrap()) && !members.contains(&kin.own));
        drop(child);
        kin.look();
        assert!(!kin.members().any(|pid| pid == child_id));
    }

    #[test]
    fn the_sockets_and_the_name_of_a_process() {
        let own = nix::unistd::getpid().as_raw();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inode: u64 = link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap();
        assert!(sockets_of(own).any(|found| found == Place { pid: own, fd: listener.as_raw_fd(), inode }));
        assert_eq!(sockets_of(i32::MAX).count(), 0);
        let mut shell = Shell::start("echo 1; read x", "");
        // Between fork and exec it bears our name; what it says it says afterwards.
        shell.number();
        assert_eq!(program_of(i32::try_from(shell.0.id()).unwrap()), "sh");
        assert_eq!(program_of(i32::MAX), "");
    }
}
