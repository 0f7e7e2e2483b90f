//! What `doctor` prints: a page for people, or one JSON document.

use super::Diagnosis;
use super::trial::{Outcome, Way};
use crate::cli::Exit;
use crate::cli::terminal::{BAD, DIM, GOOD, NAME, WARN, one_line};
use crate::runner::doctor::{Finding, Severity, matrix};
use anstyle::Style;
use serde_json::{Value, json};
use std::fmt::Write;

/// The page for people.
pub(super) fn human(diagnosis: &Diagnosis) -> String {
    let Diagnosis { client, version, row, outcomes, findings } = diagnosis;
    let mut page = String::new();
    let mut path = client.path.display().to_string();
    if client.real != client.path {
        let _ = write!(path, " → {}", client.real.display());
    }
    line(&mut page, "client", &path);
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    let by = client.interpreter.as_ref().filter(|interpreter| **interpreter != client.path && **interpreter != client.real);
    let by = by.map_or_else(String::new, |interpreter| format!(" ({})", interpreter.display()));
    line(&mut page, "runtime", &format!("{}{version}{by}", client.runtime.name()));
    line(&mut page, "row", row.kind);
    for (name, text) in [("proxy", row.proxy), ("localhost", row.localhost), ("trust", row.trust)] {
        line(&mut page, "", &format!("{name}: {text}"));
    }
    if outcomes.is_empty() {
        line(&mut page, "self-test", "none");
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        let (style, said) = said(outcome);
        let text = format!("{}: {} {style}{said}{style:#}", outcome.name, one_line(&outcome.url));
        let _ = writeln!(page, "{NAME}{:<10}{NAME:#} {text}", if index == 0 { "self-test" } else { "" });
    }
    page.push('\n');
    findings.iter().for_each(|finding| push_finding(&mut page, finding));
    page.push('\n');
    let (style, verdict) = verdict(diagnosis);
    let _ = writeln!(page, "{style}{verdict}{style:#}");
    page
}

/// The document for programs.
pub(super) fn json(diagnosis: &Diagnosis) -> String {
    let Diagnosis { client, version, row, outcomes, findings } = diagnosis;
    let outcomes: Vec<Value> =
        outcomes.iter().map(|outcome| json!({"by": outcome.name, "url": outcome.url, "way": outcome.way.name()})).collect();
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({"rule": finding.rule, "severity": finding.severity.name(), "message": finding.message, "advice": finding.advice})
        })
        .collect();
    let document = json!({
        "program": client.path.to_string_lossy(),
        "real_path": client.real.to_string_lossy(),
        "runtime": client.runtime.name(),
        "interpreter": client.interpreter.as_ref().map(|interpreter| interpreter.to_string_lossy()),
        "version": version.map(|version| version.to_string()),
        "row": {"kind": row.kind, "proxy": row.proxy, "localhost": row.localhost, "trust": row.trust},
        "self_test": outcomes,
        "findings": findings,
        "intercepted": intercepted(diagnosis),
    });
    format!("{document:#}\n")
}

fn line(page: &mut String, name: &str, text: &str) {
    let _ = writeln!(page, "{NAME}{name:<10}{NAME:#} {}", one_line(text));
}

fn said(outcome: &Outcome) -> (Style, &'static str) {
    match outcome.way {
        Way::Proxied if outcome.url.starts_with("https:") => (GOOD, "through the proxy, certificate accepted"),
        Way::Proxied => (GOOD, "through the proxy"),
        Way::CertificateRefused => (BAD, "came to the proxy, certificate refused"),
        Way::Direct => (WARN, "around the proxy"),
        Way::NotSeen => (BAD, "not seen"),
    }
}

fn push_finding(page: &mut String, finding: &Finding) {
    let style = match finding.severity {
        Severity::Error => BAD,
        Severity::Warning => WARN,
        Severity::Info => DIM,
    };
    let _ = writeln!(page, "{style}{}{style:#} {NAME}{}{NAME:#}: {}", finding.severity.name(), finding.rule, one_line(&finding.message));
    if let Some(advice) = &finding.advice {
        let _ = writeln!(page, "  {GOOD}hint{GOOD:#}: {}", one_line(advice));
    }
}

fn verdict(diagnosis: &Diagnosis) -> (Style, &'static str) {
    match intercepted(diagnosis) {
        "yes" => (GOOD, "this client will be intercepted"),
        "no" => (BAD, "this client will not be intercepted"),
        _ => (WARN, "nothing speaks against it; only a recording proves that this client is intercepted"),
    }
}

/// `yes`, `no`, or `unproven`.
fn intercepted(diagnosis: &Diagnosis) -> &'static str {
    match diagnosis.exit() {
        Exit::OK if matrix::is_provable(&diagnosis.client) && !diagnosis.outcomes.is_empty() => "yes",
        Exit::OK => "unproven",
        _ => "no",
    }
}
