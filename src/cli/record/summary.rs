//! The last screen of a recording: what is in the file, what is not and why, and what to do next.

use crate::cli::Terminal;
use crate::cli::session::{Troubles, Written};
use crate::cli::terminal::{DIM, GOOD, WARN, harmless, one_line, quoted};
use crate::protocol::Kind;
use crate::record::Tally;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// How many hosts are named; the rest is counted.
const NAMED: usize = 8;

/// Prints the screen.
pub fn print(path: &Path, written: &Written, took: Duration, terminal: &mut Terminal) {
    let tally = &written.tally;
    let interactions = written.summary.interactions;
    let sessions = tally.stored.len();
    terminal.talk(format_args!(
        "\n{GOOD}{}{GOOD:#}: {}, {}, {}; {} s",
        path.display(),
        counted(u64::from(interactions), "interaction"),
        counted(sessions as u64, "session"),
        counted(u64::from(written.secrets), "secret").replace("secret", "replaced secret"),
        seconds(took),
    ));
    print_kinds(tally, terminal);
    print_passed(tally, terminal);
    Troubles { events: tally.events.clone(), count: tally.event_count }.print("; `authtape show` lists them", terminal);
    print_failures(tally, terminal);
    print_next(path, tally, terminal);
}

/// A row a kind, a column a session.
fn print_kinds(tally: &Tally, terminal: &mut Terminal) {
    let sessions: Vec<u32> = tally.stored.keys().copied().collect();
    if sessions.is_empty() {
        return;
    }
    let mut head = format!("  {:<26}", "kind");
    for session in sessions.iter().take(NAMED) {
        let _ = write!(head, "{:>6}", format!("s{session}"));
    }
    terminal.talk(format_args!("\n{DIM}{head}{DIM:#}"));
    let count = |session: &u32, kind: &Kind| tally.stored.get(session).and_then(|kinds| kinds.get(kind)).copied().unwrap_or(0);
    for kind in Kind::ALL.iter().filter(|kind| sessions.iter().any(|session| count(session, kind) > 0)) {
        let mut row = format!("  {:<26}", kind.name());
        for session in sessions.iter().take(NAMED) {
            let _ = match count(session, kind) {
                0 => write!(row, "{:>6}", "."),
                number => write!(row, "{number:>6}"),
            };
        }
        terminal.talk(row);
    }
}

fn print_passed(tally: &Tally, terminal: &mut Terminal) {
    let passed = &tally.passed;
    if passed.total() == 0 {
        return;
    }
    terminal.talk(format_args!("\nforwarded and not stored: {}", counted(passed.total(), "request")));
    let mut hosts: Vec<(&String, u64)> = passed.hosts.iter().map(|(host, kinds)| (host, kinds.values().sum())).collect();
    hosts.sort_by_key(|(_, requests)| std::cmp::Reverse(*requests));
    for (host, requests) in hosts.iter().take(NAMED) {
        terminal.talk(format_args!("  {requests:>6}  {}", harmless(host)));
    }
    if hosts.len() > NAMED {
        terminal.talk(format_args!("          and {} more hosts", hosts.len() - NAMED));
    }
    for (tool, requests) in &passed.tools {
        terminal.talk(format_args!("  {requests:>6}  {tool} {DIM}(a tool that the client started){DIM:#}"));
    }
}

/// Requests that no server answered, and bodies that are not whole.
fn print_failures(tally: &Tally, terminal: &mut Terminal) {
    if !tally.failed.is_empty() {
        terminal.talk(format_args!("\n{WARN}no answer from{WARN:#}:"));
        let mut failed: Vec<_> = tally.failed.iter().collect();
        failed.sort_by_key(|(_, requests)| std::cmp::Reverse(**requests));
        for ((host, reason), requests) in failed.iter().take(NAMED) {
            terminal.talk(format_args!("  {requests:>6}  {}: {}", one_line(host), one_line(reason)));
        }
        if failed.len() > NAMED {
            terminal.talk(format_args!("          and {} more", failed.len() - NAMED));
        }
    }
    if tally.cut > 0 {
        let bodies = if tally.cut == 1 { "1 body is".to_owned() } else { format!("{} bodies are", tally.cut) };
        terminal.talk(format_args!(
            "\n{WARN}cut{WARN:#}: {bodies} longer than what is stored of one (8 MiB, less under load); the client got the whole"
        ));
    }
}

fn print_next(path: &Path, tally: &Tally, terminal: &mut Terminal) {
    terminal.talk("");
    if tally.exchanges() == 0 {
        terminal.error("nothing came through the proxy");
        terminal.hint("does this client heed proxies at all? `authtape doctor -- CLIENT` says; --reverse serves one that does not, one that runs already must be started anew");
        return;
    }
    let has = |test: fn(&Kind) -> bool| tally.stored.values().any(|kinds| kinds.keys().any(test));
    if !has(|kind| kind.is_token() || *kind == Kind::Authorize) {
        terminal.hint("the recording holds no login; log the client out first, or give it an empty home with --home temp");
    }
    if !has(|kind| kind.is_mcp()) && !has(|kind| kind.is_token()) {
        terminal.hint("it holds no MCP traffic either; let the client use a server while it is recorded");
    }
    terminal.talk(format_args!("next: authtape show {}", quoted(path)));
}

fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn seconds(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64())
}
