//! `authtape faults`: the catalogue, and the page of one fault. The pages stand beside the faults; this file lays them out.

use super::{CliError, Exit, Terminal};
use crate::cli::format::Format;
use crate::fault::{ALL, Control, Group, Spec, Trigger};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;

/// List the faults that a replay can inject, or print the page of one
///
/// A page says what is injected, which reports it reproduces, what a correct client does and who says so.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  authtape faults
  authtape faults refresh-invalid-grant
  authtape replay login.yaml --fault refresh-400-vendor:count=2 -- claude mcp list")]
pub(super) struct FaultsArguments {
    /// The fault whose page is printed
    name: Option<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

pub(super) fn run(given: &FaultsArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let width = terminal.width().clamp(40, 100);
    let Some(name) = &given.name else {
        let text = match given.format {
            Format::Human => list(width),
            Format::Json => pretty(&Value::Array(ALL.iter().map(|spec| data(spec)).collect())),
        };
        terminal.print(&text)?;
        return Ok(Exit::OK);
    };
    let (spec, _) =
        crate::fault::of(name, Vec::new()).map_err(|error| CliError::new(Exit::USAGE, error).hint("`authtape faults` lists them"))?;
    terminal.print(&match given.format {
        Format::Human => page(spec, width),
        Format::Json => pretty(&data(spec)),
    })?;
    Ok(Exit::OK)
}

fn list(width: usize) -> String {
    let longest = ALL.iter().map(|spec| spec.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for group in Group::ALL {
        let own: Vec<&Spec> = ALL.iter().copied().filter(|spec| spec.group == *group).collect();
        if own.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}", group.title());
        for spec in own {
            let title = textwrap::wrap(spec.page.title, width.saturating_sub(longest + 4).max(20));
            for (index, line) in title.iter().enumerate() {
                let _ = writeln!(text, "  {:<longest$}  {line}", if index == 0 { spec.name } else { "" });
            }
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{} faults. `authtape faults NAME` prints the page of one.", ALL.len());
    text
}

fn page(spec: &Spec, width: usize) -> String {
    let mut text = format!("{}: {}\n", spec.name, spec.page.title);
    let mut part = |title: &str, content: &str| {
        if !content.is_empty() {
            let options = textwrap::Options::new(width).initial_indent("  ").subsequent_indent("  ");
            let _ = writeln!(text, "\n{title}\n{}", textwrap::fill(content, options));
        }
    };
    part("Injects", spec.page.injects);
    part("A correct client", spec.page.correct);
    part("Who says so", spec.page.source);
    part("Broken clients", spec.page.broken);
    part("Seen in", &spec.page.reproduces.join(", "));
    part("Lives", &spec.life.to_string());
    if spec.trigger == Trigger::Refresh {
        part(
            "Trigger",
            "A client with a valid token has no reason to refresh. Unless --expires-in or another fault gives it one, the first bearer of \
             the last session is refused once with 401 invalid_token. trigger=none leaves that out, trigger=expired-at-start lets the \
             tokens of earlier sessions expire instead.",
        );
    }
    if spec.control == Control::Positive {
        part("Control", "A correct client passes: nothing is wrong here but what clients make of it.");
    }
    let attributes: Vec<String> =
        spec.attributes.iter().map(|own| format!("  {}={}  {} (default: {})", own.name, own.values, own.about, own.default)).collect();
    if !attributes.is_empty() {
        let _ = writeln!(text, "\nAttributes\n{}", attributes.join("\n"));
    }
    let _ = writeln!(text, "\nEvery fault also takes\n{SELECTION}");
    text
}

const SELECTION: &str = "  issuer=URL, server=URL, host=NAME   where; a host alone will do
  kind=KIND, method=NAME, tool=NAME   which requests (HTTP or JSON-RPC method)
  session=N                           which client process, setup commands count
  nth=N                               the first of them that is hit (default: 1)
  count=N, life=once|until-code|forever   how often, how long
  after=KIND                          only once an exchange of that kind was answered";

fn data(spec: &Spec) -> Value {
    json!({
        "fault": spec.name,
        "group": spec.group.title(),
        "title": spec.page.title,
        "injects": spec.page.injects,
        "correct": spec.page.correct,
        "source": spec.page.source,
        "broken": spec.page.broken,
        "seen_in": spec.page.reproduces,
        "life": spec.life.to_string(),
        "control": spec.control == Control::Positive,
        "kinds": spec.aims_at.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "attributes": spec.attributes.iter().map(|own| json!({
            "name": own.name, "values": own.values, "default": own.default, "about": own.about,
        })).collect::<Vec<_>>(),
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
