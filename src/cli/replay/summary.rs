//! The last screen of a replay: what each client process did, in five lines, why the last refusal came, and what it asked for that the
//! tape does not hold.

use super::ReplayArguments;
use super::hermetic;
use crate::cassette::Session;
use crate::cli::Terminal;
use crate::cli::terminal::{BAD, GOOD, WARN, one_line, quoted};
use crate::replay::{Account, Assistance, Part, Told};
use crate::runner::sockets::Report;
use unicode_width::UnicodeWidthStr;

/// How many misses and hosts are named; the rest is counted.
const NAMED: usize = 8;
/// How many sessions are shown; of a server that ran for days nobody reads more.
const SESSIONS: usize = 20;
/// Where the steps of a part begin.
const INDENT: usize = 13;

/// Prints the screen.
pub fn print(arguments: &ReplayArguments, account: &Account, sessions: &[Session], seen: Option<&Report>, terminal: &mut Terminal) {
    let misses = match account.missed {
        0 => format!("{GOOD}no miss{GOOD:#}"),
        1 => format!("{WARN}1 miss{WARN:#}"),
        count => format!("{WARN}{count} misses{WARN:#}"),
    };
    let name = one_line(&arguments.cassette().to_string_lossy());
    let requests = if account.requests == 1 { "1 request".to_owned() } else { format!("{} requests", account.requests) };
    terminal.talk(format_args!("\n{name}: {requests}, {misses}, {}", hermetic::in_short(seen)));
    let width = terminal.talk_width().max(40);
    let others = if arguments.command.is_empty() { ": clients started elsewhere" } else { ", which did not end well" };
    for line in lines(account, sessions, others, width) {
        terminal.talk(line);
    }
    for miss in account.misses.iter().take(NAMED) {
        terminal.talk(format_args!("{WARN}miss{WARN:#}: {}", one_line(&miss.to_string())));
    }
    let rest = account.missed.saturating_sub(account.misses.len().min(NAMED) as u64);
    if rest > 0 {
        terminal.talk(format_args!("and {rest} more"));
    }
    print_others(account, arguments.strict, terminal);
    hermetic::print(seen, terminal);
    if let Some(path) = &arguments.output {
        terminal.talk(format_args!("next: authtape show {}", quoted(path)));
    }
}

/// `others` is said of sessions that are not listed.
fn lines(account: &Account, sessions: &[Session], others: &str, width: usize) -> Vec<String> {
    let number = |session: &Session| session.session;
    let started = sessions.iter().map(|session| (number(session), head(session)));
    let elsewhere = account.sessions.keys().filter(|own| !sessions.iter().any(|session| number(session) == **own));
    let served = elsewhere.map(|own| (*own, format!("session {own}{others}")));
    let all: Vec<(u32, String)> = started.chain(served).collect();
    let mut lines = Vec::new();
    for (number, head) in all.iter().take(SESSIONS) {
        lines.push(one_line(head));
        match account.sessions.get(number) {
            Some(told) => lines.extend(parts(told, width)),
            None => lines.push("  nothing was asked".to_owned()),
        }
    }
    if all.len() > SESSIONS {
        lines.push(format!("and {} more sessions", all.len() - SESSIONS));
    }
    lines
}

fn head(session: &Session) -> String {
    let end = match (session.exit, session.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended by us".to_owned(),
    };
    format!("session {}: {}, {end}", session.session, session.client.join(" "))
}

/// The four lines below the head of a session.
fn parts(told: &[Told], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, part) in [("discovery", Part::Discovery), ("login", Part::Login), ("mcp", Part::Mcp)] {
        let of_part = told.iter().filter(|own| own.part == part);
        lines.push(format!("  {name:<10} {}", steps(of_part, width.saturating_sub(INDENT))));
    }
    let (first, further) = wrapped(&refusals(told), width.saturating_sub(INDENT));
    let style = if first == "none" { GOOD } else { WARN };
    lines.push(format!("  {:<10} {style}{first}{style:#}", "refused"));
    lines.extend(further.into_iter().map(|line| format!("{:INDENT$}{WARN}{line}{WARN:#}", "")));
    lines
}

/// Each step with its status, as many as fit into a line; equal ones in a row are counted.
fn steps<'t>(told: impl Iterator<Item = &'t Told>, room: usize) -> String {
    let mut rows: Vec<(&str, String, usize)> = Vec::new();
    for own in told {
        let came = if own.is_miss { "MISS".to_owned() } else { own.status.to_string() };
        match rows.last_mut() {
            Some((what, status, count)) if *what == own.what && *status == came => *count += 1,
            _ => rows.push((&own.what, came, 1)),
        }
    }
    if rows.is_empty() {
        return "none".to_owned();
    }
    let step = |(what, status, count): &(&str, String, usize)| match count {
        1 => format!("{} {status}", one_line(what)),
        _ => format!("{} {status} ×{count}", one_line(what)),
    };
    let steps: Vec<String> = rows.iter().map(step).collect();
    let all = steps.join(", ");
    if all.width() <= room {
        return all;
    }
    // The end says more than the middle: what is left out stands before the last step.
    let last = steps.last().map(String::as_str).unwrap_or_default();
    let mut shown = String::new();
    let mut count = 0;
    let tail = |count: usize| format!("… {} more, {last}", steps.len() - count - 1);
    for step in &steps[..steps.len() - 1] {
        if shown.width() + step.width() + 2 + tail(count).width() > room {
            break;
        }
        shown.push_str(step);
        shown.push_str(", ");
        count += 1;
    }
    shown + &tail(count)
}

/// How often a client was refused, and why: the last refusal of its login, and the last of all. Where a document is not found is no
/// refusal.
fn refusals(told: &[Told]) -> String {
    let refused: Vec<&Told> = told.iter().filter(|own| own.status >= 400 && !own.is_miss && own.part != Part::Discovery).collect();
    let login = refused.iter().rposition(|own| own.part == Part::Login);
    let last = refused.len().checked_sub(1).filter(|last| Some(*last) != login);
    let reasons: Vec<String> = [login, last].into_iter().flatten().map(|index| reason(refused[index])).collect();
    match (refused.len(), reasons.join("; ")) {
        (0, _) => "none".to_owned(),
        (1, reasons) => reasons,
        (count, reasons) => format!("{count}, the last: {reasons}"),
    }
}

fn reason(told: &Told) -> String {
    let mut text = format!("{} {}", told.what, told.status);
    for (between, more) in [(" ", told.error), (": ", told.reason.as_deref())] {
        if let Some(more) = more {
            text.push_str(between);
            text.push_str(more);
        }
    }
    one_line(&text)
}

/// The text on lines of that width: the first, and the further ones.
fn wrapped(text: &str, room: usize) -> (String, Vec<String>) {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    let further = lines.split_off(1);
    (lines.remove(0), further)
}

fn print_others(account: &Account, is_strict: bool, terminal: &mut Terminal) {
    print_assistance(&account.assistance, terminal);
    for adopted in &account.adopted {
        terminal.talk(format_args!("adopted: {}, which the tape does not issue", one_line(adopted)));
    }
    if !account.elsewhere.is_empty() {
        let hosts = account.elsewhere.iter().take(NAMED).map(|(host, count)| format!("{host} ×{count}"));
        let rest = account.elsewhere.len().saturating_sub(NAMED);
        let rest = (rest > 0).then(|| format!("and {rest} more hosts"));
        let hosts: Vec<String> = hosts.chain(rest).collect();
        let (style, word) = if is_strict { (BAD, "error") } else { (WARN, "not on the tape") };
        let said = if is_strict { "hosts that are not on the tape: " } else { "answered 404: " };
        terminal.talk(format_args!("{style}{word}{style:#}: {said}{}", one_line(&hosts.join(", "))));
    }
    for url in account.untouched().take(NAMED) {
        terminal.error(format_args!("no request reached {}, an MCP server of the tape", one_line(url)));
    }
    let further = account.untouched().skip(NAMED).count();
    if further > 0 {
        terminal.error(format_args!("nor {further} more of its MCP servers"));
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
