//! The two streams: stdout is data, stderr is talk. Text of foreign origin loses its control characters on the way, so no
//! cassette, client or server can move the cursor or speak to a CI runner.

use super::CliError;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// Where a command prints.
#[derive(Debug)]
pub struct Terminal {
    out: AutoStream<io::Stdout>,
    talk: AutoStream<io::Stderr>,
}

/// Whether somebody still reads the data stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As far as we know.
    There,
    /// The pipe is closed, or the terminal is.
    Gone,
}

/// Errors and what failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Warnings and what to look at.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Names that a reader looks for.
pub const NAME: Style = AnsiColor::Cyan.on_default();
/// What can be skipped.
pub const DIM: Style = Style::new().dimmed();

impl Terminal {
    /// The streams of this process; colour follows the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
    pub fn new() -> Self {
        Self { out: AutoStream::new(io::stdout(), choice(&io::stdout())), talk: AutoStream::new(io::stderr(), choice(&io::stderr())) }
    }

    /// The data stream. A closed pipe is the reader's wish and ends the program quietly at the next write error.
    pub fn out(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Prints data, all of it or nothing more.
    ///
    /// # Errors
    /// The stream cannot be written. That its reader went away is an error that says nothing and exits with 0.
    pub fn print(&mut self, text: &str) -> Result<(), CliError> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|error| CliError::output(&error))
    }

    /// How many columns the data stream has: `COLUMNS`, else those of the terminal, else 80.
    pub fn width(&self) -> usize {
        width_of(&io::stdout())
    }

    /// How many columns the talk stream has.
    pub fn talk_width(&self) -> usize {
        width_of(&io::stderr())
    }

    /// Waits, but not longer than until the reader of the data stream goes away.
    pub fn wait(&self, time: Duration) -> Reader {
        let stdout = io::stdout();
        let mut streams = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        // An interrupted wait is a short one.
        match poll(&mut streams, timeout) {
            Ok(ready) if ready > 0 => Reader::Gone,
            _ => Reader::There,
        }
    }

    /// The talk stream. That it cannot be written is no reason to fail.
    pub fn talk(&mut self, line: impl Display) {
        let _ = writeln!(self.talk, "{line}");
    }

    /// What went wrong.
    pub fn error(&mut self, message: impl Display) {
        self.talk(format_args!("{BAD}error{BAD:#}: {}", harmless(&message.to_string())));
    }

    /// What deserves a look.
    pub fn warning(&mut self, message: impl Display) {
        self.talk(format_args!("{WARN}warning{WARN:#}: {}", harmless(&message.to_string())));
    }

    /// What to do about it.
    pub fn hint(&mut self, message: impl Display) {
        self.talk(format_args!("{GOOD}hint{GOOD:#}: {}", harmless(&message.to_string())));
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

fn width_of(stream: &impl AsFd) -> usize {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    let seen = || terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
    named.or_else(seen).unwrap_or(80)
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "/._-+=:@%,~".contains(c)) && !text.starts_with('-');
    let text = if is_plain { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) };
    one_line(&text)
}

fn choice<S: anstream::stream::RawStream>(stream: &S) -> ColorChoice {
    AutoStream::choice(stream)
}

/// The text without control characters other than line feed, and without bidirectional overrides. Nothing in it is taken for
/// a command by a CI runner, as lines that begin with `::` or hold `##[` are. For text that begins in the middle of a line.
pub fn harmless(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut clean = without_harm(lines.next().unwrap_or_default());
    for line in lines {
        clean.push('\n');
        clean.push_str(&harmless_line(line));
    }
    clean
}

/// [`harmless`] for a text that stands alone on its line.
pub fn harmless_line(line: &str) -> String {
    let clean = without_harm(line);
    if clean.trim_start().starts_with("::") { format!("| {clean}") } else { clean }
}

/// [`harmless`] for a text that has to fit into a line: line feeds and tabs are blanks.
pub fn one_line(text: &str) -> String {
    without_harm(&text.replace(['\n', '\t'], " "))
}

fn without_harm(line: &str) -> String {
    let clean: String = line.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect();
    if clean.contains("##") { clean.replace("##[", "## [").replace("##vso[", "##vso [") } else { clean }
}

/// True for characters that a terminal obeys rather than shows.
pub fn is_harmful(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{harmless, harmless_line, one_line};

    #[test]
    fn foreign_text_moves_no_cursor_and_commands_no_runner() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{9b}"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(harmless("x\n::error::boo\n ##[x\n##vso[y"), "x\n| ::error::boo\n ## [x\n##vso [y");
        assert_eq!(harmless_line(" ::error::boo"), "|  ::error::boo");
        assert_eq!(one_line("a\n::b\tc\u{202e}"), "a ::b c\u{fffd}");
        assert_eq!(harmless("plain\ttext – é"), "plain\ttext – é");
    }
}
