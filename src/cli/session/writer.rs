//! The thread between the proxy and the file: captures become entries, entries become documents on the disk, within a
//! fraction of the 100 ms that a recording promises. Knows when to write; what is written is the recorder's work.

use crate::cassette::{CassetteError, Entry, Header, PartFile, Passed, Recorded, Scrubbed, Summary, Tool};
use crate::cli::{CliError, Exit};
use crate::proxy::{Captures, Received};
use crate::record::{Finishing, OpenedUrl, Recorder, Tally};
use crate::scrub::{Policy, Scrubber};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long the thread sleeps when nothing comes: open streams are written at this pace.
const PACE: Duration = Duration::from_millis(200);
/// How long written documents may wait for others while captures keep coming.
const LATEST: Duration = Duration::from_millis(20);
/// How many bytes of documents wait while writing fails; what comes after that is lost.
const WAITING: usize = 16 << 20;

/// The thread that writes a recording.
pub struct Writer {
    thread: JoinHandle<Work>,
    opened: Sender<OpenedUrl>,
    /// Set when nothing more is captured.
    ending: Arc<AtomicBool>,
    trouble: watch::Receiver<Option<String>>,
}

/// What became of a recording.
pub struct Written {
    /// What was seen.
    pub tally: Tally,
    /// What the file holds.
    pub summary: Summary,
    /// The replaced secrets.
    pub secrets: u32,
}

struct Work {
    part: PartFile,
    recorder: Recorder,
    entries: Vec<Entry>,
    /// The last failure to write; cleared when writing works again.
    failed: Option<CassetteError>,
    /// Documents that found no room while writing failed.
    lost: u64,
    /// Tells of failures while they last.
    trouble: watch::Sender<Option<String>>,
    written_at: Instant,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn start(part: PartFile, captures: Captures, policy: Policy, started: Instant) -> Result<Self, CliError> {
        let (opened, urls) = channel();
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| CliError::new(Exit::OWN_FAILURE, format_args!("no random numbers: {error}")))?;
        let recorder = Recorder::new(Scrubber::new(policy, u64::from_ne_bytes(seed)));
        let (told, trouble) = watch::channel(None);
        let work = Work { part, recorder, entries: Vec::new(), failed: None, lost: 0, trouble: told, written_at: started };
        let ending = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || work.run(captures, &urls, started, &until));
        let thread = thread.map_err(|error| CliError::new(Exit::OWN_FAILURE, format_args!("cannot start: {error}")))?;
        Ok(Self { thread, opened, ending, trouble })
    }

    /// A way to tell of a URL that the client opened in a browser which authtape does not drive.
    pub fn opened(&self) -> Sender<OpenedUrl> {
        self.opened.clone()
    }

    /// Why the file cannot be written at the moment, and when it can again.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// Ends a recording whose client could not be run. One of nothing is taken back: what it would have replaced stays.
    ///
    /// # Errors
    /// As for [`Writer::finish`].
    pub fn give_up(self, header: Header) -> Result<(), CliError> {
        let work = self.work()?;
        let is_empty = work.recorder.tally().exchanges() == 0 && work.recorder.tally().event_count == 0;
        if is_empty {
            work.part.discard();
            return Ok(());
        }
        work.finish(header).map(drop)
    }

    /// Waits until everything captured is written, and finishes the file.
    ///
    /// # Errors
    /// The file could not be finished; the part stays and says so.
    pub fn finish(self, header: Header) -> Result<Written, CliError> {
        self.work()?.finish(header)
    }

    fn work(self) -> Result<Work, CliError> {
        self.ending.store(true, Ordering::Release);
        let stopped = |_| CliError::new(Exit::OWN_FAILURE, "the writer stopped unexpectedly; what it wrote is in the .part file");
        self.thread.join().map_err(stopped)
    }
}

impl Work {
    fn run(mut self, mut captures: Captures, urls: &Receiver<OpenedUrl>, started: Instant, ending: &AtomicBool) -> Self {
        let mut wait = PACE;
        let mut paced_at = Instant::now();
        loop {
            let is_ending = ending.load(Ordering::Acquire);
            let received = captures.recv(wait);
            urls.try_iter().for_each(|url| self.recorder.opened_url(&url, &mut self.entries));
            match received {
                Received::Message(message) => {
                    self.recorder.take(message, &mut self.entries);
                    wait = Duration::ZERO;
                    self.append();
                    if self.written_at.elapsed() >= LATEST {
                        self.write();
                    }
                }
                Received::Nothing if is_ending => break,
                Received::Nothing => {
                    self.append();
                    self.write();
                    wait = PACE;
                }
                Received::Closed => break,
            }
            if paced_at.elapsed() >= PACE {
                paced_at = Instant::now();
                self.recorder.flush(started.elapsed(), &mut self.entries);
                self.append();
            }
        }
        self.recorder.finish(&mut self.entries);
        self.append();
        self.write();
        self
    }

    fn append(&mut self) {
        for entry in self.entries.drain(..) {
            if self.part.waiting() > WAITING {
                self.lost += 1;
            } else if let Err(error) = self.part.append(&entry) {
                self.failed = Some(error);
            }
        }
    }

    /// Writes what waits. After a failure (a full disk) it waits on and the next call tries again.
    fn write(&mut self) {
        self.written_at = Instant::now();
        self.failed = self.part.flush().err();
        let trouble = self.failed.as_ref().map(ToString::to_string);
        self.trouble.send_if_modified(|told| {
            let is_news = told.is_some() != trouble.is_some();
            if is_news {
                *told = trouble;
            }
            is_news
        });
    }

    fn finish(mut self, header: Header) -> Result<Written, CliError> {
        let tally = self.recorder.tally().clone();
        let counts = self.recorder.counts();
        let part = self.part.path().to_owned();
        if let Some(error) = self.failed {
            return Err(CliError::new(Exit::OWN_FAILURE, error).hint(format_args!("what was written until then is in {}", part.display())));
        }
        if self.lost > 0 {
            let message = format!("{} documents were lost while {} could not be written", self.lost, part.display());
            return Err(CliError::new(Exit::OWN_FAILURE, message).hint("the rest is in that file; every command reads it"));
        }
        let mut header = Header {
            scrubbed: Some(Scrubbed { policy: counts.policy, secrets: counts.secrets, personal: counts.personal }).filter(|_| !header.raw),
            passed: passed(&tally),
            tools: tools(&tally),
            recorded: Recorded { client_version: tally.client_version.clone(), ..header.recorded },
            ..header
        };
        self.recorder.scrub_header(&mut header);
        let summary = self.part.finish(&header, &mut Finishing::new(&mut self.recorder)).map_err(|error| {
            let hint = format!("everything is in {}; every command reads it", part.display());
            CliError::new(Exit::OWN_FAILURE, format_args!("cannot finish the cassette: {error}")).hint(hint)
        })?;
        Ok(Written { tally, summary, secrets: counts.secrets })
    }
}

fn passed(tally: &Tally) -> Vec<Passed> {
    let hosts = tally.passed.hosts.iter();
    let kinds = hosts.flat_map(|(host, kinds)| kinds.iter().map(move |(kind, requests)| (host, *kind, *requests)));
    kinds.map(|(host, kind, requests)| Passed { host: host.clone(), kind, requests }).collect()
}

fn tools(tally: &Tally) -> Vec<Tool> {
    tally.passed.tools.iter().map(|(name, requests)| Tool { tool: (*name).to_owned(), requests: *requests }).collect()
}
