//! The browser opens the authorization request cut short.

use super::ENDPOINT;
use crate::fault::{Attribute, Attributes, Deed, Life, Page, Spec};

pub(super) const SPEC: Spec = Spec {
    name: "authorize-url-cut",
    page: Page {
        title: "The browser opens the URL cut short",
        injects: "The authorization request that the client opens is cut at its first & (at=ampersand), as a shell does without quotes, or \
                  behind so many characters (at=columns), as a terminal does that breaks a line.",
        reproduces: &["google-gemini/gemini-cli#23769", "anthropics/claude-code#17733", "anthropics/claude-code#78422"],
        correct: "Hands the URL over as one argument and prints it on one line. Gives up after a stated time: the page of the server is \
                  final.",
        source: "RFC 6749 §4.1.1, §4.1.2.1; RFC 7636 §4.3",
        broken: "Wait for ever.",
    },
    attributes: &[
        Attribute { name: "at", values: "ampersand|columns", default: "ampersand", about: "where it is cut" },
        Attribute { name: "columns", values: "N", default: "80", about: "how many characters are left, with at=columns" },
    ],
    life: Life::Times(1),
    make: |written| {
        let is_narrow = written.word("at", &["ampersand", "columns"])? == "columns";
        let columns = columns(written)?;
        Ok(Box::new(Cut { columns: is_narrow.then_some(columns) }))
    },
    ..ENDPOINT
};

fn columns(written: &Attributes) -> Result<usize, crate::fault::FaultError> {
    let columns: usize = written.parsed("columns", "a number from 1")?.unwrap_or(80);
    if columns == 0 { Err(written.refuse("columns", "a number from 1")) } else { Ok(columns) }
}

struct Cut {
    /// Where a line ends; `None` for the first `&`.
    columns: Option<usize>,
}

impl Deed for Cut {
    fn open(&mut self, url: &str) -> Option<String> {
        let end = match self.columns {
            Some(columns) => url.char_indices().nth(columns)?.0,
            None => url.find('&')?,
        };
        Some(url[..end].to_owned())
    }
}
