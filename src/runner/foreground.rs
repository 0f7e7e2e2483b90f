//! Job control from the middle: the client's group gets the terminal, we take it back when the client stops or ends, and stop
//! ourselves when the client was stopped, so that the shell above sees one job.

use super::tree::signal_own_group_but_us;
use nix::sys::signal::{SigSet, Signal, killpg, raise};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use std::fs::{File, OpenOptions};
use std::io::IsTerminal;

/// The controlling terminal of this process, with the modes it had when we came.
pub(super) struct Foreground {
    tty: File,
    modes: Option<Termios>,
}

impl Foreground {
    /// The controlling terminal, if there is one.
    pub fn open() -> Option<Self> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let modes = tcgetattr(&tty).ok();
        Some(Self { tty, modes })
    }

    /// True when our group owns the terminal now.
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(&self.tty) == Ok(getpgrp())
    }

    /// Gives the terminal to the client's group if it is ours to give. A group that ran into the terminal before is woken.
    pub fn hand_to(&self, group: Pid) {
        if self.is_ours() {
            self.give(group);
            let _ = killpg(group, Signal::SIGCONT);
        }
    }

    /// Hands over at the start: only where the client reads from the terminal, or a pipeline's other members would lose it.
    pub fn hand_over(&self, group: Pid) {
        if std::io::stdin().is_terminal() {
            self.hand_to(group);
        }
    }

    /// Takes the terminal back from the client's group and puts its modes in order.
    pub fn take_back(&self, group: Pid) {
        if tcgetpgrp(&self.tty) != Ok(group) && !self.is_ours() {
            return;
        }
        self.give(getpgrp());
        if let Some(modes) = &self.modes {
            self.set_modes(modes);
        }
    }

    /// The client's group was stopped: by the terminal because it is not its own yet (then it gets it), or by its user (then
    /// we stop as well, and when we run on, so does it).
    pub fn stopped(&self, group: Pid, by: Signal) {
        if matches!(by, Signal::SIGTTIN | Signal::SIGTTOU) && self.is_ours() {
            return self.hand_to(group);
        }
        let modes = tcgetattr(&self.tty).ok().filter(|_| tcgetpgrp(&self.tty) == Ok(group));
        self.take_back(group);
        signal_own_group_but_us(Signal::SIGTSTP);
        // In an orphaned group, where nobody could wake us, the kernel ignores this one.
        let _ = raise(Signal::SIGTSTP);
        if let Some(modes) = modes.filter(|_| self.is_ours()) {
            self.set_modes(&modes);
        }
        self.resumed(group);
    }

    /// We run on: the client too, in the foreground if we are.
    pub fn resumed(&self, group: Pid) {
        self.hand_to(group);
        let _ = killpg(group, Signal::SIGCONT);
    }

    fn give(&self, group: Pid) {
        let _ = unstoppably(|| tcsetpgrp(&self.tty, group));
    }

    fn set_modes(&self, modes: &Termios) {
        let _ = unstoppably(|| tcsetattr(&self.tty, SetArg::TCSADRAIN, modes));
    }
}

/// Runs something that the terminal would stop a background process for (tcsetpgrp(3), SIGTTOU).
fn unstoppably<T>(action: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    let before = SigSet::thread_get_mask()?;
    blocked.thread_block()?;
    let result = action();
    before.thread_set_mask()?;
    result
}
