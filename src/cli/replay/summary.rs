//! The last screen of a replay: what the client did, in five lines a session, and what it asked for that the tape does not hold.

use super::hermetic;
use crate::cassette::Session;
use crate::cli::Terminal;
use crate::cli::terminal::{GOOD, WARN, one_line};
use crate::replay::{Account, Assistance, Part, Told};
use crate::runner::sockets::Report;
use std::fmt::Write;
use std::path::Path;

/// How many misses and hosts are named, and how many steps of a part; the rest is counted.
const NAMED: usize = 8;
const STEPS: usize = 12;

/// Prints the screen.
pub fn print(
    cassette: &Path,
    output: Option<&Path>,
    account: &Account,
    sessions: &[Session],
    seen: Option<&Report>,
    terminal: &mut Terminal,
) {
    let misses = match account.missed {
        0 => format!("{GOOD}no miss{GOOD:#}"),
        1 => format!("{WARN}1 miss{WARN:#}"),
        count => format!("{WARN}{count} misses{WARN:#}"),
    };
    terminal.talk(format_args!("\n{}: {} requests, {misses}, {}", cassette.display(), account.requests, hermetic::in_short(seen)));
    for session in sessions {
        print_session(session, account.sessions.get(&session.session).map(Vec::as_slice).unwrap_or_default(), terminal);
    }
    for miss in account.misses.iter().take(NAMED) {
        terminal.talk(format_args!("{WARN}miss{WARN:#}: {}", one_line(&miss.to_string())));
    }
    let rest = account.missed.saturating_sub(account.misses.len().min(NAMED) as u64);
    if rest > 0 {
        terminal.talk(format_args!("and {rest} more"));
    }
    print_others(account, terminal);
    hermetic::print(seen, terminal);
    if let Some(path) = output {
        terminal.talk(format_args!("next: authtape show {}", path.display()));
    }
}

fn print_session(session: &Session, told: &[Told], terminal: &mut Terminal) {
    let end = match (session.exit, session.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended by us".to_owned(),
    };
    terminal.talk(format_args!("session {}: {}, {end}", session.session, one_line(&session.client.join(" "))));
    for (name, part) in [("discovery", Part::Discovery), ("login", Part::Login), ("mcp", Part::Mcp)] {
        let of_part = told.iter().filter(|own| own.part == part);
        terminal.talk(format_args!("  {name:<10} {}", one_line(&steps(of_part))));
    }
    terminal.talk(format_args!("  {:<10} {}", "refused", one_line(&refusals(told))));
}

/// Each step with its status; equal ones in a row are counted.
fn steps<'t>(told: impl Iterator<Item = &'t Told>) -> String {
    let mut rows: Vec<(&str, u16, usize)> = Vec::new();
    for own in told {
        match rows.last_mut() {
            Some((what, status, count)) if *what == own.what && *status == own.status => *count += 1,
            _ => rows.push((&own.what, own.status, 1)),
        }
    }
    let mut text = String::new();
    for (what, status, count) in rows.iter().take(STEPS) {
        let _ = write!(text, "{}{what} {status}", if text.is_empty() { "" } else { ", " });
        if *count > 1 {
            let _ = write!(text, " ×{count}");
        }
    }
    if rows.len() > STEPS {
        let _ = write!(text, ", and {} more", rows.len() - STEPS);
    }
    if text.is_empty() { "-".to_owned() } else { text }
}

fn refusals(told: &[Told]) -> String {
    let refused = told.iter().filter(|own| own.status >= 400);
    let named = refused.map(|own| match own.error {
        Some(error) => format!("{} {} {error}", own.what, own.status),
        None => format!("{} {}", own.what, own.status),
    });
    let named: Vec<String> = named.collect();
    match named.as_slice() {
        [] => "-".to_owned(),
        [.., last] => format!("{} in all, the last: {last}", named.len()),
    }
}

fn print_others(account: &Account, terminal: &mut Terminal) {
    print_assistance(&account.assistance, terminal);
    for adopted in &account.adopted {
        terminal.talk(format_args!("adopted: {}, which the tape does not issue", one_line(adopted)));
    }
    if !account.elsewhere.is_empty() {
        let hosts: Vec<String> = account.elsewhere.iter().take(NAMED).map(|(host, count)| format!("{host} ×{count}")).collect();
        terminal.talk(format_args!("not on the tape, answered 404: {}", one_line(&hosts.join(", "))));
    }
    for url in account.untouched() {
        terminal.error(format_args!("no request reached {url}, an MCP server of the tape"));
    }
    if account.requests == 0 {
        terminal.error("nothing came through the proxy");
    }
}

fn print_assistance(assistance: &Assistance, terminal: &mut Terminal) {
    let mut did = Vec::new();
    if assistance.model > 0 {
        let called: Vec<String> = assistance.called.iter().take(NAMED).map(|(tool, count)| format!("{tool} ×{count}")).collect();
        let called = if called.is_empty() { "no tool".to_owned() } else { called.join(", ") };
        did.push(format!("{} requests to the model answered, {called} called", assistance.model));
    }
    if assistance.startup > 0 {
        did.push(format!("{} start-up calls answered", assistance.startup));
    }
    if !did.is_empty() {
        terminal.talk(format_args!("assistant: {}", one_line(&did.join("; "))));
    }
    for (tool, offered) in assistance.missing().take(NAMED) {
        let offered = if offered.is_empty() { "no tool of an MCP server".to_owned() } else { offered.join(", ") };
        terminal.error(format_args!("the client offered no tool {} to the model; it offered {}", one_line(tool), one_line(&offered)));
    }
}
