//! What came to the proxy and was no request: named on the last screen of a run.

use crate::cli::Terminal;
use crate::cli::terminal::{WARN, harmless};
use crate::exchange::{Captured, ConnectionEvent, Trouble};
use crate::proxy::{Captures, Received};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many troubles are named; the rest is counted.
const NAMED: usize = 8;
/// How long the thread sleeps when nothing comes.
const PACE: Duration = Duration::from_millis(200);

/// Connections without a request.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    /// The first of them.
    pub events: Vec<ConnectionEvent>,
    /// All of them.
    pub count: u64,
}

/// A thread that gathers them from captures which nobody records.
pub struct Gathering {
    thread: JoinHandle<Troubles>,
    /// Set when nothing more is captured.
    ending: Arc<AtomicBool>,
}

impl Gathering {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has none left.
    pub fn start(mut captures: Captures) -> io::Result<Self> {
        captures.only_events();
        let ending = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("troubles".to_owned()).spawn(move || {
            let mut found = Troubles::default();
            loop {
                let is_ending = until.load(Ordering::Acquire);
                match captures.recv(PACE) {
                    Received::Message(Captured::Event(event)) => found.add(event),
                    Received::Message(_) => {}
                    Received::Nothing if !is_ending => {}
                    Received::Nothing | Received::Closed => return found,
                }
            }
        })?;
        Ok(Self { thread, ending })
    }

    /// What came, all of it.
    pub fn finish(self) -> Troubles {
        self.ending.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

impl Troubles {
    fn add(&mut self, event: ConnectionEvent) {
        self.count += 1;
        if self.events.len() < NAMED {
            self.events.push(event);
        }
    }

    /// Names them.
    pub fn print(&self, rest: &str, terminal: &mut Terminal) {
        if self.events.is_empty() {
            return;
        }
        terminal.talk(format_args!("\n{WARN}not intercepted{WARN:#}:"));
        for event in self.events.iter().take(NAMED) {
            terminal.talk(format_args!("  {}", harmless(&said(event))));
        }
        let others = self.count - self.events.len().min(NAMED) as u64;
        if others > 0 {
            terminal.talk(format_args!("  and {others} more{rest}"));
        }
    }
}

fn said(event: &ConnectionEvent) -> String {
    let host = event.host.as_deref().unwrap_or("an unnamed host");
    let what = match event.trouble {
        Trouble::TlsHandshakeFailed => "the client does not trust our certificate",
        Trouble::ConnectRefused => "refused",
        Trouble::Silent => "a connection without a request",
        Trouble::NotHttp => "neither TLS nor HTTP",
    };
    if event.detail.is_empty() { format!("{host}: {what}") } else { format!("{host}: {what} ({})", event.detail) }
}
