//! Where the cells of a row stand: widths of columns, shortening, colours. Does not know what the cells mean.

use super::row::Row;
use crate::cli::terminal::{DIM, NAME};
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Narrower terminals wrap.
const NARROWEST: usize = 60;

/// The widths of the columns.
pub(super) struct Layout {
    number: usize,
    at: usize,
    session: usize,
    what: usize,
    request: usize,
    status: usize,
    took: usize,
    /// None where it is 0.
    answer: usize,
    width: usize,
}

const STATUS: &str = "status";
const TOOK: &str = "took";
const ANSWER: &str = "answer";
/// The widest answer that is likely: `model ~1234`.
const WIDEST_ANSWER: usize = 11;

impl Layout {
    /// The columns that suit these rows best.
    pub(super) fn fitting(rows: &[Row], width: usize) -> Self {
        let widest = |least: usize, cell: fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or_default().max(least);
        let layout = Self {
            number: widest(1, |row| row.number.len()),
            at: widest(2, |row| row.at.len()),
            session: widest(1, |row| row.session.len()),
            what: widest(4, |row| row.what.width()),
            request: widest(7, |row| request(row).width()),
            status: widest(STATUS.len(), |row| row.status.len()),
            took: widest(TOOK.len(), |row| row.took.len()),
            answer: match widest(0, |row| row.answer.len()) {
                0 => 0,
                width => width.max(ANSWER.len()),
            },
            width: width.max(NARROWEST),
        };
        layout.shared()
    }

    /// Columns for rows that are still to come, with what answered them in the run of a replay.
    pub(super) fn growing(width: usize, is_replay: bool) -> Self {
        let width = width.max(NARROWEST);
        let layout = Self {
            number: 3,
            at: 6,
            session: 1,
            what: 0,
            request: 0,
            status: STATUS.len(),
            took: 6,
            answer: if is_replay { WIDEST_ANSWER } else { 0 },
            width,
        };
        let rest = layout.rest();
        // What was called says more than where: it gets the bigger part.
        let what = (rest * 9 / 16).min(44);
        Self { what, request: rest - what, ..layout }
    }

    /// Divides what is left of the line between the two columns of text.
    fn shared(self) -> Self {
        let rest = self.rest();
        if self.what + self.request <= rest {
            return self;
        }
        let what = self.what.min((rest / 2 + 1).max(rest.saturating_sub(self.request)));
        Self { what, request: rest - what, ..self }
    }

    /// The room for the two columns of text.
    fn rest(&self) -> usize {
        let answer = if self.answer > 0 { 2 + self.answer } else { 0 };
        self.width.saturating_sub(self.indent() + 2 + 2 + self.status + 1 + self.took + answer)
    }

    /// Where the text begins.
    fn indent(&self) -> usize {
        self.number + 1 + self.at + 2 + self.session + 2
    }

    /// The names of the columns.
    pub(super) fn heading(&self) -> String {
        let Self { number, at, session, what, request, status, took, .. } = self;
        let answer = if self.answer > 0 { "  answer" } else { "" };
        format!(
            "{DIM}{:>number$} {:>at$}  {:>session$}  {:<what$}  {:<request$}  {STATUS:<status$} {TOOK:>took$}{answer}{DIM:#}\n",
            "#", "at", "s", "kind", "request"
        )
    }

    /// A row, with its note on a second line.
    pub(super) fn row(&self, row: &Row) -> String {
        let mood = row.mood.style();
        let what = padded(&end_cut(&row.what, self.what), self.what);
        let what = if row.method.is_empty() { format!("{mood}{what}{mood:#}") } else { what };
        let mut line = format!("{NAME}{:>width$}{NAME:#}", row.number, width = self.number);
        let _ = write!(line, " {:>at$}  {:>session$}  {what}", row.at, row.session, at = self.at, session = self.session);
        let _ = write!(line, "  {}", padded(&self.request(row), self.request));
        if !row.status.is_empty() {
            let fill = self.status.saturating_sub(row.status.len());
            let _ = write!(line, "  {mood}{}{mood:#}{:fill$} {:>took$}", row.status, "", row.took, took = self.took);
        }
        if !row.answer.is_empty() {
            let style = if row.answer.starts_with("MISS") { mood } else { DIM };
            let _ = write!(line, "  {style}{}{style:#}", row.answer);
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        if let Some(note) = &row.note {
            let indent = self.indent();
            let _ = writeln!(line, "{:indent$}{mood}{}{mood:#}", "", end_cut(note, self.width - indent));
        }
        line
    }

    /// A line of talk about a row that stands above: when, and what.
    pub(super) fn addition(&self, number: u32, at: &str, text: &str) -> String {
        let indent = self.session + 2;
        let room = self.width - self.indent() - 2;
        format!("{NAME}{number:>0$}{NAME:#} {at:>1$}  {2:indent$}{DIM}+{DIM:#} {3}\n", self.number, self.at, "", end_cut(text, room))
    }

    fn request(&self, row: &Row) -> String {
        if row.method.is_empty() {
            return middle_cut(&row.address, self.request);
        }
        let method = end_cut(&row.method, 8);
        let room = self.request.saturating_sub(method.width() + 1);
        format!("{method} {}", middle_cut(&row.address, room))
    }
}

fn request(row: &Row) -> String {
    if row.method.is_empty() { row.address.clone() } else { format!("{} {}", end_cut(&row.method, 8), row.address) }
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{:fill$}", "", fill = width.saturating_sub(text.width()))
}

/// The beginning of a text.
fn end_cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = head(text, width.saturating_sub(1));
    short.push('…');
    short
}

/// The beginning and the end of an address: its last segment, where that leaves room for the host.
fn middle_cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let last = text.rfind('/').map(|index| &text[index..]).filter(|last| last.width() * 5 <= room * 3);
    let end = last.map_or_else(|| tail(text, room / 2), str::to_owned);
    format!("{}…{end}", head(text, room - end.width()))
}

fn tail(text: &str, width: usize) -> String {
    let backwards: String = text.chars().rev().collect();
    head(&backwards, width).chars().rev().collect()
}

fn head(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or_default();
        used <= width
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_columns() {
        assert_eq!(end_cut("mcp-request tools/call echo", 20), "mcp-request tools/c…");
        assert_eq!(end_cut("日本語", 5), "日本…");
        assert_eq!(middle_cut("mcp.example.test/.well-known/oauth-protected-resource/mcp", 24), "mcp.example.test/.w…/mcp");
        assert_eq!(middle_cut("auth.example.test/token", 20), "auth.example.…/token");
        assert_eq!(middle_cut("a.test/.well-known/oauth-protected-resource", 20), "a.test/.we…-resource");
        assert_eq!(middle_cut("a.test/mcp", 20), "a.test/mcp");
        for width in 0..12 {
            assert!(middle_cut("日本語.example.test/mcp", width).width() <= width.max(1));
        }
    }
}
