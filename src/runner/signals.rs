//! The signals that matter while a client runs. One that our caller told us to ignore (`nohup`, a background job of a script)
//! stays ignored.

use nix::sys::signal::Signal;
use std::future::pending;
use std::io;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What ends a process that serves: Ctrl-C, `kill`, a terminal that was closed.
pub struct Stop {
    streams: [Option<Stream>; 3],
}

impl Stop {
    /// Installs the handlers. From here on none of these signals ends this process.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        let listen = Listen::new();
        Ok(Self { streams: [listen.to(Signal::SIGINT)?, listen.to(Signal::SIGTERM)?, listen.to(Signal::SIGHUP)?] })
    }

    /// Waits until one of them comes.
    pub async fn asked(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.streams;
        tokio::select! {
            () = next(interrupt) => {}
            () = next(terminate) => {}
            () = next(hang_up) => {}
        }
    }
}

/// What a signal asks for.
pub(super) enum Notice {
    /// Some child changed its state.
    Child,
    /// We were stopped and run on.
    Resumed,
    /// The window of our terminal has another size.
    Resized,
    /// The client is to get this one too.
    PassOn(Signal),
}

/// The listeners of one client.
pub(super) struct Signals {
    child: Stream,
    resumed: Stream,
    resized: Stream,
    interrupt: Option<Stream>,
    terminate: Option<Stream>,
    hang_up: Option<Stream>,
    quit: Option<Stream>,
}

impl Signals {
    /// Installs the handlers. From here on none of these signals ends this process.
    pub fn listen() -> io::Result<Self> {
        let listen = Listen::new();
        Ok(Self {
            child: signal(SignalKind::child())?,
            resumed: signal(SignalKind::from_raw(Signal::SIGCONT as i32))?,
            resized: signal(SignalKind::window_change())?,
            interrupt: listen.to(Signal::SIGINT)?,
            terminate: listen.to(Signal::SIGTERM)?,
            hang_up: listen.to(Signal::SIGHUP)?,
            quit: listen.to(Signal::SIGQUIT)?,
        })
    }

    /// The next of them.
    pub async fn next(&mut self) -> Notice {
        tokio::select! {
            _ = self.child.recv() => Notice::Child,
            _ = self.resumed.recv() => Notice::Resumed,
            _ = self.resized.recv() => Notice::Resized,
            () = next(&mut self.interrupt) => Notice::PassOn(Signal::SIGINT),
            () = next(&mut self.terminate) => Notice::PassOn(Signal::SIGTERM),
            () = next(&mut self.hang_up) => Notice::PassOn(Signal::SIGHUP),
            () = next(&mut self.quit) => Notice::PassOn(Signal::SIGQUIT),
        }
    }
}

/// Listens to what is not ignored.
struct Listen {
    ignored: u64,
}

impl Listen {
    fn new() -> Self {
        Self { ignored: ignored_signals() }
    }

    fn to(&self, name: Signal) -> io::Result<Option<Stream>> {
        if self.ignored & (1 << (name as i32 - 1)) != 0 {
            return Ok(None);
        }
        signal(SignalKind::from_raw(name as i32)).map(Some)
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
