//! Writes YAML line by line: keys, items, scalars. The caller gives the order; the layout is fixed: two columns a level, lists
//! one level below their key. Does not read anything back and cannot write what a reader would refuse.

use super::scalar::{self, Place};
use std::fmt::{Display, Write};

/// Keys longer than this are written with `?`, because readers look for a colon only so far (YAML 1.2 §7.4.2).
const LONG_KEY: usize = 1000;

/// Appends YAML to a string.
pub struct Emitter<'a> {
    pub(super) out: &'a mut String,
    /// The column of the current mapping's keys.
    indent: usize,
    /// True behind a `-`: the next key or item continues the line.
    pub(super) inline: bool,
}

impl<'a> Emitter<'a> {
    /// Writes a document's text to the end of `out`.
    pub fn new(out: &'a mut String) -> Self {
        Self { out, indent: 0, inline: false }
    }

    /// Begins an entry of the current mapping.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.place();
        if key.len() < LONG_KEY {
            scalar::write(key, Place::Key, self.out);
        } else {
            self.out.push_str("? ");
            scalar::write(key, Place::Key, self.out);
            self.out.push('\n');
            self.pad(self.indent);
        }
        self.out.push(':');
        self
    }

    /// Begins an entry whose key is one of ours.
    pub fn name(&mut self, key: &'static str) -> &mut Self {
        self.place();
        self.out.push_str(key);
        self.out.push(':');
        self
    }

    /// Ends the line with a string, or with a literal block.
    pub fn text(&mut self, text: &str) {
        self.inline_space();
        let item = std::mem::take(&mut self.inline);
        let column = if item { self.indent } else { self.indent + 2 };
        if !scalar::is_literal(text) || Self::is_mostly_indent(text, column) {
            scalar::write(text, Place::Block, self.out);
            return self.out.push('\n');
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        let is_ambiguous = body.trim_start_matches('\n').starts_with([' ', '\t']);
        self.out.push('|');
        self.out.push_str(if is_ambiguous { "2" } else { "" });
        self.out.push_str(if body.len() == text.len() { "-\n" } else { "\n" });
        for line in body.split('\n') {
            if !line.is_empty() {
                self.pad(column);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    /// Ends the line with a value that is plain as it stands: a number, a duration, a name of ours.
    pub fn plain(&mut self, value: impl Display) {
        self.inline_space();
        writeln!(self.out, "{value}").expect("a string takes any text");
        self.inline = false;
    }

    /// Begins a nested mapping or list as the value of a key or as an item.
    pub fn begin(&mut self) {
        if !self.inline {
            self.out.push('\n');
            self.indent += 2;
        }
    }

    /// Ends what [`Emitter::begin`] began as the value of a key. What began as an item ends with [`Emitter::end_item`].
    pub fn end(&mut self) {
        self.indent -= 2;
    }

    /// Begins an item of the current list.
    pub fn item(&mut self) -> &mut Self {
        self.place();
        self.out.push('-');
        self.indent += 2;
        self.inline = true;
        self
    }

    /// Ends an item.
    pub fn end_item(&mut self) {
        self.indent -= 2;
        self.inline = false;
    }

    /// Begins `{…}` as the value of a key or as an item.
    pub fn flow(&mut self) -> Flow<'_> {
        self.inline_space();
        self.inline = false;
        self.out.push('{');
        Flow { out: self.out, is_first: true }
    }

    /// Writes an empty list, `[]`, as the value of a key.
    pub fn empty_list(&mut self) {
        self.plain("[]");
    }

    /// True where a literal block would be several times the size of its text.
    fn is_mostly_indent(text: &str, column: usize) -> bool {
        text.len() > 1 << 16 && memchr::memchr_iter(b'\n', text.as_bytes()).count() * column > 3 * text.len()
    }

    fn place(&mut self) {
        if std::mem::take(&mut self.inline) {
            self.out.push(' ');
        } else {
            self.pad(self.indent);
        }
    }

    pub(super) fn inline_space(&mut self) {
        self.out.push(' ');
    }

    fn pad(&mut self, columns: usize) {
        const BLANKS: &str = "                                                                ";
        let mut left = columns;
        while left > 0 {
            let step = left.min(BLANKS.len());
            self.out.push_str(&BLANKS[..step]);
            left -= step;
        }
    }
}

/// A mapping on one line.
pub struct Flow<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl Flow<'_> {
    /// An entry with a string.
    pub fn text(&mut self, key: &'static str, text: &str) -> &mut Self {
        self.name(key);
        scalar::write(text, Place::Flow, self.out);
        self
    }

    /// An entry with a value that is plain as it stands.
    pub fn plain(&mut self, key: &'static str, value: impl Display) -> &mut Self {
        self.name(key);
        write!(self.out, "{value}").expect("a string takes any text");
        self
    }

    /// An entry with a list of strings.
    pub fn texts<'t>(&mut self, key: &'static str, texts: impl IntoIterator<Item = &'t str>) -> &mut Self {
        self.name(key);
        self.out.push('[');
        for (index, text) in texts.into_iter().enumerate() {
            self.out.push_str(if index == 0 { "" } else { ", " });
            scalar::write(text, Place::Flow, self.out);
        }
        self.out.push(']');
        self
    }

    /// Ends the mapping and its line.
    pub fn end(&mut self) {
        self.out.push_str("}\n");
    }

    fn name(&mut self, key: &'static str) {
        self.out.push_str(if self.is_first { "" } else { ", " });
        self.is_first = false;
        self.out.push_str(key);
        self.out.push_str(": ");
    }
}
