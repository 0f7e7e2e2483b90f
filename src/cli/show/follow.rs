//! `--follow`: the rows of a recording as they come, in order of completion, until nobody writes any more.

use super::body::gist;
use super::header::{State, sentence};
use super::layout::Layout;
use super::note::trouble;
use super::row::Row;
use super::times::short;
use super::{counted, quoted};
use crate::cassette::{Closing, Entry, Follower, Header, Interaction, More, has_writer, part_path};
use crate::cli::terminal::{Reader, one_line};
use crate::cli::{CliError, Exit, Terminal};
use crate::exchange::End;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints until the recording is over, or until nobody reads what is printed.
pub(super) fn run(path: &Path, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let part = part_path(path);
    // A cassette that is being replaced still stands there, but what grows is the part.
    let path = if has_writer(&part) { &part } else { path };
    let refused = |error| CliError::cassette(&error);
    let mut follower = Follower::open(path).map_err(refused)?;
    terminal.talk(format_args!("reading {}", quoted(follower.path())));
    let mut feed = Feed::new(terminal.width());
    loop {
        let entries = follower.poll().map_err(refused)?;
        let text = feed.lines(follower.header(), follower.is_over(), entries);
        if !text.is_empty() {
            terminal.print(&text)?;
        }
        if follower.is_over() {
            say_the_end(&follower, feed.interactions, terminal);
            return Ok(Exit::OK);
        }
        if terminal.wait(PAUSE) == Reader::Gone {
            return Ok(Exit::OK);
        }
    }
}

fn say_the_end(follower: &Follower, interactions: u64, terminal: &mut Terminal) {
    let path = follower.path();
    let target = target_of(path).filter(|target| !path.exists() && target.exists());
    let count = counted(interactions, "interaction");
    let is_finished = follower.header().is_some_and(|header| header.finished);
    match target {
        Some(target) => terminal.talk(format_args!("finished: {count}; next: authtape show {}", quoted(&target))),
        None if is_finished => terminal.talk(format_args!("finished: {count}; nothing more will come")),
        None => terminal.warning(format_args!("the recording ended without being finished: {count} in {}", path.display())),
    }
}

/// `linear.yaml.part` → `linear.yaml`.
fn target_of(path: &Path) -> Option<PathBuf> {
    (path.extension()? == "part").then(|| path.with_extension(""))
}

/// Turns documents into lines.
struct Feed {
    layout: Layout,
    width: usize,
    has_begun: bool,
    interactions: u64,
    /// When the interactions with open streams began.
    open: HashMap<u32, Duration>,
}

impl Feed {
    fn new(width: usize) -> Self {
        Self { layout: Layout::growing(width, false), width, has_begun: false, interactions: 0, open: HashMap::new() }
    }

    fn lines(&mut self, header: Option<&Header>, is_over: bool, entries: Vec<Entry>) -> String {
        let mut text = String::new();
        if let Some(header) = header.filter(|_| !self.has_begun) {
            self.has_begun = true;
            self.layout = Layout::growing(self.width, header.replayed.is_some());
            let state = if is_over { State::Still } else { State::Growing };
            text.push_str(&sentence(header, state, self.width));
            text.push('\n');
            text.push_str(&self.layout.heading());
        }
        for entry in entries {
            match entry {
                Entry::Interaction(interaction) => text.push_str(&self.interaction(&interaction)),
                Entry::Event(event) => text.push_str(&self.layout.row(&Row::of_event(&event))),
                Entry::More(more) => text.push_str(&self.more(&more)),
            }
        }
        text
    }

    fn interaction(&mut self, interaction: &Interaction) -> String {
        let exchange = &interaction.exchange;
        self.interactions += 1;
        if exchange.response().is_some_and(|response| response.body.end == End::Open) {
            self.open.insert(exchange.number, exchange.at);
        }
        self.layout.row(&Row::of(interaction))
    }

    fn more(&mut self, more: &More) -> String {
        let began = self.open.get(&more.number).copied().unwrap_or_default();
        let line = |at: Duration, text: &str| self.layout.addition(more.number, &short(began + at), text);
        let mut text: String = more.events.iter().map(|event| line(event.at, &gist(event))).collect();
        if let Some(closing) = &more.closing {
            let last = more.events.last().map(|event| event.at);
            text.push_str(&line(closing.took.or(last).unwrap_or_default(), &end_of(closing)));
            self.open.remove(&more.number);
        }
        text
    }
}

fn end_of(closing: &Closing) -> String {
    let took = closing.took.map(|took| format!(" after {}", short(took))).unwrap_or_default();
    let trouble = trouble(&closing.end).map(|trouble| format!(": {}", one_line(&trouble))).unwrap_or_default();
    format!("the stream ended{took}{trouble}")
}
