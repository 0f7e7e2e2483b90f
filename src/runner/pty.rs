//! A terminal for a client where we have none: what it prints goes to a writer, what it reads comes from an [`Input`] that never
//! ends, because many clients take the end of their input for the end of their work.

use pty_process::Size;
use pty_process::blocking::Pty;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// A terminal of the client's own.
pub struct OwnTerminal {
    /// Rows and columns.
    pub size: (u16, u16),
    /// Measures the window that shows its output, at the start and whenever that changes: it goes before `size`.
    pub measure: Option<Measure>,
    /// What the client reads; with `None` its input is open and silent.
    pub input: Option<Input>,
    /// Where its output goes, byte for byte.
    pub output: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Gives rows and columns; `None` if there is nothing to measure.
pub type Measure = Box<dyn Fn() -> Option<(u16, u16)> + Send>;

/// Bytes for clients, one after the other: what one of them did not take is there for the next.
#[derive(Clone)]
pub struct Input(Arc<Mutex<mpsc::Receiver<Vec<u8>>>>);

impl OwnTerminal {
    /// A terminal of 24 rows and 80 columns without input.
    pub fn new(output: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { size: (24, 80), measure: None, input: None, output: Box::new(output) }
    }
}

impl Input {
    /// Reads from `source` on a thread of its own, which ends with the source or the process.
    pub fn from_reader(mut source: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(16);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = read(&mut source, &mut buffer) {
                if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self(Arc::new(Mutex::new(receiver)))
    }
}

/// The copying in both directions. The blocking ends are threads, which end when the client's side of the terminal is closed.
pub(super) struct Pumps {
    output: JoinHandle<()>,
    input: Option<JoinHandle<()>>,
    pty: Pty,
    measure: Option<Measure>,
}

impl Pumps {
    /// Makes the terminal as large as the window that shows it; the kernel tells the client (SIGWINCH).
    pub fn fit(&self) {
        if let Some((rows, columns)) = self.measure.as_ref().and_then(|measure| measure()) {
            let _ = self.pty.resize(Size::new(rows, columns));
        }
    }

    /// Waits until the client's side is closed and everything it printed is written.
    pub async fn drained(&mut self) {
        let _ = (&mut self.output).await;
    }
}

impl Drop for Pumps {
    fn drop(&mut self) {
        self.output.abort();
        if let Some(input) = &self.input {
            input.abort();
        }
    }
}

/// Starts a command as leader of a session of its own on a new terminal.
pub(super) fn spawn(command: Command, terminal: OwnTerminal) -> io::Result<(Child, Pumps)> {
    let (pty, pts) = pty_process::blocking::open().map_err(to_io)?;
    let (rows, columns) = terminal.measure.as_ref().and_then(|measure| measure()).unwrap_or(terminal.size);
    pty.resize(Size::new(rows, columns)).map_err(to_io)?;
    let ours = File::from(pty.as_fd().try_clone_to_owned()?);
    let keyboard = ours.try_clone()?;
    let child = pty_process::blocking::Command::from(command).spawn(pts).map_err(to_io)?;
    let input = terminal.input.map(|input| tokio::spawn(copy_in(input, keyboard)));
    Ok((child, Pumps { output: tokio::spawn(copy_out(ours, terminal.output)), input, pty, measure: terminal.measure }))
}

fn to_io(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        other => io::Error::other(other),
    }
}

/// Ends when the last process on the terminal is gone: reading gives EIO then. That nobody reads our side stops no client.
async fn copy_out(mut terminal: File, mut output: Box<dyn AsyncWrite + Send + Unpin>) {
    let (sender, mut chunks) = mpsc::channel::<Vec<u8>>(16);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = read(&mut terminal, &mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    while let Some(chunk) = chunks.recv().await {
        let _ = output.write_all(&chunk).await;
        let _ = output.flush().await;
    }
}

async fn copy_in(input: Input, mut terminal: File) {
    let (sender, mut chunks) = mpsc::channel::<Vec<u8>>(1);
    std::thread::spawn(move || {
        while let Some(chunk) = chunks.blocking_recv() {
            if terminal.write_all(&chunk).is_err() {
                return;
            }
        }
    });
    let mut source = input.0.lock().await;
    while let Ok(place) = sender.reserve().await {
        let Some(chunk) = source.recv().await else { break };
        place.send(chunk);
    }
    // The end of our input is not the end of the client's: the terminal stays open.
    std::future::pending::<()>().await;
}

fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
