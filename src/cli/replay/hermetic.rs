//! What the sockets of a replay say: in the first line of the last screen, in a line a dial, and in the exit code.

use crate::cli::Terminal;
use crate::cli::terminal::{BAD, GOOD, WARN, one_line};
use crate::runner::sockets::{Dial, Report};

/// How many dials are named; the rest is counted.
const NAMED: usize = 8;

/// The sockets in a few words. Without a report nobody looked.
pub fn in_short(seen: Option<&Report>) -> String {
    let Some(report) = seen else { return format!("{WARN}sockets not watched{WARN:#}") };
    match report.upstream_connections() {
        0 => format!("{GOOD}upstream connections: 0{GOOD:#}"),
        count => format!("{BAD}upstream connections: {count}{BAD:#}"),
    }
}

/// True when something was dialled that is not on this tape.
pub fn is_left(seen: Option<&Report>) -> bool {
    seen.is_some_and(|report| report.upstream_connections() > 0)
}

/// Names who dialled whom.
pub fn print(seen: Option<&Report>, terminal: &mut Terminal) {
    let Some(report) = seen else {
        return terminal.warning("there is no /proc here: nobody watched whether the client dials around the proxy");
    };
    for dial in report.around.iter().take(NAMED) {
        terminal.error(format_args!("dialled around the proxy: {}", one_line(&dial.to_string())));
    }
    let unnamed = report.around.iter().skip(NAMED).map(|dial| dial.count).sum::<u64>() + report.further;
    if unnamed > 0 {
        terminal.error(format_args!("and {unnamed} more connections"));
    }
    if report.own > 0 {
        terminal.error(format_args!("authtape itself dialled, {} times: this is a bug, please report it", report.own));
    }
    if !report.lookups.is_empty() {
        let lookups: Vec<String> = report.lookups.iter().take(NAMED).map(Dial::to_string).collect();
        terminal.talk(format_args!("{WARN}names looked up{WARN:#} at another machine: {}", one_line(&lookups.join("; "))));
    }
    if !report.around.is_empty() {
        terminal.hint("`authtape doctor -- CLIENT` says whether a client heeds the proxy; --isolate leaves it nothing to dial");
    }
}
