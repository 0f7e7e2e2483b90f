//! A client without a terminal, one of several at once: its input is empty, its output is read line by line, so that lines of
//! different clients do not run into each other. Does not know where the lines go.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use tokio::sync::oneshot;

/// Takes a line without its end.
pub type Sink = Box<dyn FnMut(&[u8]) + Send>;

/// Where the lines of a client go.
pub struct Lines {
    /// Those of its standard output.
    pub out: Sink,
    /// Those of its standard error.
    pub err: Sink,
}

/// How long a line may be; the rest is another line.
const LONGEST: u64 = 64 << 10;

/// The reading of both streams, on threads that end with them.
pub(super) struct Readers(Vec<oneshot::Receiver<()>>);

/// Prepares a command whose output is read.
pub(super) fn connect(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

impl Readers {
    /// Reads what a child prints.
    pub fn of(child: &mut Child, lines: Lines) -> Self {
        let out = child.stdout.take().map(|stream| read(stream, lines.out));
        let err = child.stderr.take().map(|stream| read(stream, lines.err));
        Self(out.into_iter().chain(err).collect())
    }

    /// Waits until both streams have ended and every line was handed over.
    pub async fn drained(&mut self) {
        for reader in &mut self.0 {
            let _ = reader.await;
        }
    }
}

fn read(stream: impl Read + Send + 'static, mut sink: Sink) -> oneshot::Receiver<()> {
    let (over, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = (&mut stream).take(LONGEST).read_until(b'\n', &mut line) {
            sink(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
        let _ = over.send(());
    });
    ended
}
