//! `authtape doctor`. Here stand the arguments and the order of things; what is known without starting anything is in
//! `runner::doctor`, the children that prove it are in `trial`, the pages in `page`.

mod page;
mod trial;

use super::format::Format;
use super::{CliError, Exit, Terminal};
use crate::runner::doctor::{self, Client, Finding, Row, Runtime, Severity, Version, matrix};
use crate::runner::{Environment, StartError};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use trial::Outcome;

/// Find out whether a client will be intercepted, and what to do if not
///
/// Looks at the program, at settings files and variables, and starts a small child of the same runtime behind a proxy that
/// answers by itself. No request leaves this machine, and your command is not run; Claude Code is asked for its version and for
/// `claude mcp list`, in an empty home.
///
/// Exit codes: 0 it will be intercepted as far as can be seen, 1 something prevents it, 2 usage, 4 could not run (no such
/// command).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  authtape doctor -- claude
  authtape doctor -- npx -y mcp-remote https://mcp.example.com/mcp")]
pub(super) struct DoctorArguments {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The client and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What was found out.
struct Diagnosis {
    client: Client,
    version: Option<Version>,
    row: Row,
    outcomes: Vec<Outcome>,
    findings: Vec<Finding>,
}

impl Diagnosis {
    fn exit(&self) -> Exit {
        if self.findings.iter().any(|finding| finding.severity == Severity::Error) { Exit::FINDINGS } else { Exit::OK }
    }
}

pub(super) fn run(given: &DoctorArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let caller = Environment::of_this_process();
    let client = Client::identify(&given.command, &caller).map_err(|error| not_found(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| CliError::new(Exit::CANNOT_RUN, format_args!("cannot start: {error}")))?;
    let diagnosis = runtime.block_on(diagnose(client, &caller))?;
    let text = match given.format {
        Format::Human => page::human(&diagnosis),
        Format::Json => page::json(&diagnosis),
    };
    terminal.print(&text)?;
    Ok(diagnosis.exit())
}

async fn diagnose(client: Client, caller: &Environment) -> Result<Diagnosis, CliError> {
    let version = trial::version(&client, caller).await;
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let mut findings = matrix::findings(&client, version);
    if client.runtime == Runtime::ClaudeCode {
        findings.extend(doctor::claude_settings(caller, &folder));
    }
    findings.extend(doctor::package_managers(caller, &folder));
    findings.extend(doctor::surroundings(caller));
    let outcomes = trial::run(&client, caller).await?;
    // What is known to fail has been said; the self-test only shows it.
    if !findings.iter().any(|finding| finding.severity == Severity::Error) {
        findings.extend(outcomes.iter().filter_map(Outcome::finding));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Diagnosis { row: Row::of(&client, version), client, version, outcomes, findings })
}

fn not_found(error: &StartError) -> CliError {
    let failed = CliError::new(Exit::CANNOT_RUN, error);
    match error {
        StartError::NotFound(_) => failed.hint("name the client as you would start it: authtape doctor -- claude"),
        _ => failed,
    }
}
