//! The signals that matter while a client runs. One that our caller told us to ignore (`nohup`, a background job of a script)
//! stays ignored.

use nix::sys::signal::Signal;
use std::future::pending;
use std::io;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
pub(super) enum Notice {
    /// Some child changed its state.
    Child,
    /// We were stopped and run on.
    Resumed,
    /// The client is to get this one too.
    PassOn(Signal),
}

/// The listeners of one client.
pub(super) struct Signals {
    child: Stream,
    resumed: Stream,
    interrupt: Option<Stream>,
    terminate: Option<Stream>,
    hang_up: Option<Stream>,
    quit: Option<Stream>,
}

impl Signals {
    /// Installs the handlers. From here on none of these signals ends this process.
    pub fn listen() -> io::Result<Self> {
        let ignored = ignored_signals();
        let listen = |name: Signal| signal(SignalKind::from_raw(name as i32));
        let unless_ignored = |name: Signal| if ignored & (1 << (name as i32 - 1)) == 0 { listen(name).map(Some) } else { Ok(None) };
        Ok(Self {
            child: listen(Signal::SIGCHLD)?,
            resumed: listen(Signal::SIGCONT)?,
            interrupt: unless_ignored(Signal::SIGINT)?,
            terminate: unless_ignored(Signal::SIGTERM)?,
            hang_up: unless_ignored(Signal::SIGHUP)?,
            quit: unless_ignored(Signal::SIGQUIT)?,
        })
    }

    /// The next of them.
    pub async fn next(&mut self) -> Notice {
        tokio::select! {
            _ = self.child.recv() => Notice::Child,
            _ = self.resumed.recv() => Notice::Resumed,
            () = next(&mut self.interrupt) => Notice::PassOn(Signal::SIGINT),
            () = next(&mut self.terminate) => Notice::PassOn(Signal::SIGTERM),
            () = next(&mut self.hang_up) => Notice::PassOn(Signal::SIGHUP),
            () = next(&mut self.quit) => Notice::PassOn(Signal::SIGQUIT),
        }
    }
}

async fn next(stream: &mut Option<Stream>) {
    match stream {
        Some(stream) => {
            stream.recv().await;
        }
        None => pending().await,
    }
}

/// The mask of signals that this process ignores; nothing where `/proc` does not tell. tokio's own handlers never ignore.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
