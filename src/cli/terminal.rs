//! The two streams: stdout is data, stderr is talk. Text of foreign origin loses its control characters on the way, so no
//! cassette, client or server can move the cursor or speak to a CI runner.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{self, Write};

/// Where a command prints.
#[derive(Debug)]
pub struct Terminal {
    out: AutoStream<io::Stdout>,
    talk: AutoStream<io::Stderr>,
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

fn choice<S: anstream::stream::RawStream>(stream: &S) -> ColorChoice {
    AutoStream::choice(stream)
}

/// The text without control characters other than line feed, and without bidirectional overrides. A line that a CI runner
/// would take for a command (`::…`, `##[…`) is indented.
pub fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            clean.push('\n');
        }
        let trimmed = line.trim_start();
        if index > 0 && (trimmed.starts_with("::") || trimmed.starts_with("##[")) {
            clean.push_str("| ");
        }
        clean.extend(line.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }));
    }
    clean
}

fn is_harmful(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn foreign_text_moves_no_cursor_and_commands_no_runner() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{9b}"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(harmless("x\n::error::boo\n ##[x"), "x\n| ::error::boo\n|  ##[x");
        assert_eq!(harmless("plain\ttext – é"), "plain\ttext – é");
    }
}
