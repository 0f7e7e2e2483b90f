//! What is checked before a client is started, how a cassette shows its command line, and serving clients that are started
//! elsewhere. How sessions of a client run is the business of `plan`.

use super::Writer;
use super::attended::{self, Attended};
use super::lab::Lab;
use super::reverse::Reversed;
use crate::cassette::Session;
use crate::cli::shared::ClientOptions;
use crate::cli::{CliError, Exit, Terminal};
use crate::proxy::Peer;
use crate::runner::{Ended, Environment, ServingState, StartError, Stop, program};
use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::channel;
use tokio::sync::watch;

/// The sessions that ran and how the last one ended; `None` when we only served.
#[derive(Default)]
pub struct Started {
    /// The client processes.
    pub sessions: Vec<Session>,
    /// The end that counts: of the last start, the worst one.
    pub ended: Option<Ended>,
    /// What became of URLs that no browser could deal with.
    pub notes: Vec<String>,
    /// What was to happen between sessions and did not.
    pub undone: Vec<String>,
}

/// Looks for the program before anything is set up.
///
/// # Errors
/// It is not there, or cannot be executed; the browser that is asked for is not there. Without a program: somebody serves already,
/// or an option is given that only a program needs.
pub fn check(command: &[OsString], options: &ClientOptions, caller: &Environment) -> Result<(), CliError> {
    match command.first() {
        Some(program) => program::find(program, caller).map(drop).map_err(|error| refused(&error)),
        None => check_serving(options, caller),
    }?;
    attended::check(options, caller)
}

fn check_serving(options: &ClientOptions, caller: &Environment) -> Result<(), CliError> {
    for (name, is_given) in [("--setup", !options.setup.is_empty()), ("--pty", options.pty)] {
        if is_given {
            let message = format!("{name} is for a client that authtape starts, and no command is given");
            return Err(CliError::new(Exit::USAGE, message).hint("put the client and its arguments behind --"));
        }
    }
    let Ok(other) = ServingState::read(&ServingState::default_path(caller)) else { return Ok(()) };
    let hint = "end that one, give the client behind --, or serve under another XDG_RUNTIME_DIR and ask for its variables there";
    Err(CliError::new(Exit::USAGE, format_args!("process {} is serving already", other.pid)).hint(hint))
}

/// The command line as a cassette shows it: the program's base name and leading subcommands. The rest may hold anything.
pub fn shown(command: &[OsString]) -> Vec<String> {
    let Some((program, rest)) = command.split_first() else { return Vec::new() };
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
    let subcommands = rest.iter().map_while(|argument| argument.to_str().filter(|text| is_subcommand(text))).take(2);
    let mut shown: Vec<String> = std::iter::once(name).chain(subcommands.map(str::to_owned)).collect();
    if shown.len() <= rest.len() {
        shown.push("…".to_owned());
    }
    shown
}

/// A shell's command line as a cassette shows it: as the command that it begins with, where that is plain.
pub(super) fn shown_line(line: &str) -> Vec<String> {
    let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let is_plain = |word: &OsString| {
        word.to_str().is_some_and(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/')))
    };
    if words.first().is_some_and(is_plain) { shown(&words) } else { vec!["sh".to_owned(), "…".to_owned()] }
}

fn is_subcommand(text: &str) -> bool {
    text.len() <= 16 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// Serves until Ctrl-C for clients that are started elsewhere. What they do goes to the writer, where there is one.
///
/// # Errors
/// The state file for `authtape env` cannot be written.
pub async fn serve(
    options: &ClientOptions,
    lab: &Lab,
    writer: Option<&Writer>,
    reversed: &mut Reversed,
    terminal: &mut Terminal,
) -> Result<Started, CliError> {
    let home = options.home()?;
    let mut stop = Stop::listen().map_err(|error| CliError::new(Exit::OWN_FAILURE, format_args!("cannot wait for Ctrl-C: {error}")))?;
    let opened = writer.map_or_else(|| channel().0, Writer::opened);
    let session = Attended::begin(1, options, &home, lab, &opened).await?;
    let state = ServingState {
        proxy: lab.proxy_url(Peer::client(1)),
        root: lab.root_file(),
        openers: Some(session.openers().to_owned()),
        home: home.path().map(Path::to_owned),
        pid: std::process::id(),
    };
    let path = ServingState::default_path(&lab.caller);
    state.write(&path).map_err(|error| {
        CliError::new(Exit::OWN_FAILURE, format_args!("cannot write {}, where `authtape env` looks: {error}", path.display()))
    })?;
    terminal.talk(format_args!("serving on {}; Ctrl-C ends it", lab.proxy().address()));
    terminal.talk("in another terminal, before you start a client:  eval \"$(authtape env)\"");
    if home.path().is_some() {
        terminal.talk("clients that are started there get a home of their own: your credentials are not in it");
    }
    let mut trouble = writer.map(Writer::trouble);
    loop {
        tokio::select! {
            () = stop.asked() => break,
            () = reversed.changed() => reversed.announce(terminal),
            changed = next(&mut trouble) => match changed {
                Ok(text) => say_trouble(text.as_deref(), terminal),
                // The writer is gone: nothing more will be recorded.
                Err(_) => break,
            },
        }
    }
    state.remove(&path);
    let notes = session.leave().await;
    Ok(Started { notes, ..Started::default() })
}

/// The next trouble of the writer; never where nothing is written.
async fn next(trouble: &mut Option<watch::Receiver<Option<String>>>) -> Result<Option<String>, watch::error::RecvError> {
    let Some(trouble) = trouble else { return std::future::pending().await };
    trouble.changed().await?;
    Ok(trouble.borrow_and_update().clone())
}

fn say_trouble(trouble: Option<&str>, terminal: &mut Terminal) {
    match trouble {
        Some(trouble) => terminal.error(format_args!("{trouble}; what comes waits in memory, as far as it goes")),
        None => terminal.talk("writing works again"),
    }
}

pub(super) fn refused(error: &StartError) -> CliError {
    CliError::new(Exit(error.exit_code()), error)
}

#[cfg(test)]
mod tests {
    use super::{shown, shown_line};

    #[test]
    fn a_cassette_shows_the_program_and_its_subcommands_only() {
        let command = |words: &[&str]| shown(&words.iter().map(|word| (*word).into()).collect::<Vec<_>>());
        assert_eq!(command(&["/usr/bin/claude", "mcp", "login", "linear"]), ["claude", "mcp", "login", "…"]);
        assert_eq!(command(&["claude"]), ["claude"]);
        assert_eq!(command(&["python3", "client.py", "https://u:p@x"]), ["python3", "…"]);
    }

    #[test]
    fn a_setup_command_is_shown_as_what_it_starts() {
        assert_eq!(shown_line("/opt/bin/claude mcp add --transport http lab https://x"), ["claude", "mcp", "add", "…"]);
        assert_eq!(shown_line("TOKEN=hunter2 claude mcp list"), ["sh", "…"]);
        assert_eq!(shown_line("(cd /srv; ./login)"), ["sh", "…"]);
        assert_eq!(shown_line(""), ["sh", "…"]);
    }
}
