//! The other end of an opener: the process that a client starts to show a URL. Hands the URL to the run through its socket, or
//! runs the program that the opener hides when it is no URL for a browser.

use super::opened::URL_LIMIT;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What one opener says to the run.
#[derive(Serialize, Deserialize)]
pub(super) struct Message {
    pub opener: String,
    pub url: String,
}

/// The size of a message that is read.
pub(super) const MESSAGE_LIMIT: u64 = 256 << 10;

/// What the run says when it has the URL.
pub(super) const TAKEN: u8 = b'+';

/// What became of an opener's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// The run has the URL.
    Over,
    /// There is no URL for a browser among them: the hidden program is to run.
    NotForABrowser,
}

/// How long a run may take to accept a URL.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands the first `http` URL among the arguments to the run.
///
/// # Errors
/// When the run is gone or does not answer.
pub fn hand_over(socket: &Path, opener: &str, arguments: &[OsString]) -> io::Result<Handed> {
    let Some(url) = url_for_a_browser(opener, arguments) else { return Ok(Handed::NotForABrowser) };
    // One byte more than is taken lets the other side see that it was cut.
    let url: String = url.chars().take(URL_LIMIT + 1).collect();
    let message = serde_json::to_vec(&Message { opener: opener.to_owned(), url })?;
    let mut run = UnixStream::connect(socket)?;
    run.set_read_timeout(Some(PATIENCE))?;
    run.set_write_timeout(Some(PATIENCE))?;
    run.write_all(&message)?;
    run.shutdown(std::net::Shutdown::Write)?;
    let mut answer = [0];
    run.read_exact(&mut answer)?;
    if answer == [TAKEN] { Ok(Handed::Over) } else { Err(io::Error::other("the run refused the URL")) }
}

/// Becomes the program that the opener hides: the next one of its name on PATH. Only returns when there is none.
pub fn run_original(opener: &str, arguments: &[OsString], path: &OsStr, hidden_by: &Path) -> io::Error {
    let folders: Vec<PathBuf> = std::env::split_paths(path).filter(|folder| folder != hidden_by).collect();
    let Some(program) = folders.iter().map(|folder| folder.join(opener)).find(|file| file.is_file()) else {
        return io::Error::new(io::ErrorKind::NotFound, format!("{opener}: command not found"));
    };
    let path = std::env::join_paths(&folders).unwrap_or_else(|_| path.to_owned());
    Command::new(program).args(arguments).env("PATH", path).exec()
}

/// A browser driven by a program (a test tool, a debugger) is nobody's login.
fn url_for_a_browser<'a>(opener: &str, arguments: &'a [OsString]) -> Option<&'a str> {
    let mut texts = arguments.iter().filter_map(|argument| argument.to_str());
    let is_driven = |text: &str| text.starts_with("--headless") || text.starts_with("--remote-debugging");
    if texts.clone().any(is_driven) || (opener == "gio" && texts.clone().next() != Some("open")) {
        return None;
    }
    texts.find(|text| is_web(text))
}

fn is_web(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(opener: &str, arguments: &[&str]) -> Option<String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        url_for_a_browser(opener, &arguments).map(str::to_owned)
    }

    #[test]
    fn only_a_person_s_url_is_taken() {
        assert_eq!(url("xdg-open", &["HTTPS://as.test/a"]).as_deref(), Some("HTTPS://as.test/a"));
        assert_eq!(url("firefox", &["--new-window", "http://x"]).as_deref(), Some("http://x"));
        assert_eq!(url("gio", &["open", "http://x"]).as_deref(), Some("http://x"));
        assert_eq!(url("gio", &["info", "http://x"]), None);
        assert_eq!(url("xdg-open", &["README.md"]), None);
        assert_eq!(url("chromium", &["--headless=new", "http://x"]), None);
        assert_eq!(url("google-chrome", &["--version"]), None);
    }
}
