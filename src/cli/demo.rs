//! `authtape demo`: a whole login on this machine, recorded.

use super::record::{self, RecordArguments};
use super::{CliError, Exit, Terminal, show};
use crate::cassette::Cassette;
use crate::demo::{Names, Plan, World};
use crate::exchange::Request;
use crate::model::Scope;
use clap::{Args, Parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How far the clock of the servers moves between the two starts of the client: more than the life of an access token.
const LATER: Duration = Duration::from_secs(2 * 3600);

/// Record a whole login on this machine, with nothing installed
///
/// Starts an MCP server and an authorization server on loopback and records our own client with them: it registers, logs in
/// and calls a tool; two hours later, by the clock of the servers, it starts again, finds its access token expired, refreshes
/// it and calls another. Then shows the cassette and says where it is.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Cassette to write [default: demo.yaml in a new temporary folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the cassette if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

/// The command line that the demonstration runs.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    record: RecordArguments,
}

/// Runs the command.
pub(super) fn run(arguments: &DemoArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let own = |error: &dyn std::fmt::Display| CliError::new(Exit::CANNOT_RUN, format_args!("cannot prepare the demonstration: {error}"));
    let authtape = std::env::current_exe().map_err(|error| own(&error))?;
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => new_folder().map_err(|error| own(&error))?.join("demo.yaml"),
    };
    let (runtime, world) = start_world().map_err(|error| own(&error))?;
    let words = command_line(&authtape, &world, &output, arguments.force);
    let line = Line::try_parse_from(words).map_err(|error| own(&error))?;
    terminal.talk(format_args!("an MCP server at {} and an authorization server at {}", world.url, world.issuer_url));
    terminal.talk(format_args!("recording: authtape client {} --tool echo, and two hours later --tool whoami\n", world.url));
    let exit = record::run(&line.record, terminal)?;
    runtime.block_on(world.stop());
    let cassette = Cassette::load(&output).map_err(|error| own(&error))?;
    let table = show::table::of(&cassette, terminal.width());
    terminal.print(&format!("{table}\n{}\n", output.display()))?;
    Ok(exit)
}

/// The servers run on a thread of their own: the recorder has a runtime to itself.
fn start_world() -> std::io::Result<(Runtime, World)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut plan = Plan { names: Names::MadeUp, ..Plan::default() };
    plan.server.scope = Scope::parse("tools");
    plan.issuer.scopes = Scope::parse("tools");
    getrandom::fill(&mut plan.seed).map_err(|error| std::io::Error::other(error.to_string()))?;
    let world = runtime.block_on(World::start(plan))?;
    let front = Arc::downgrade(&world.front);
    let mut is_later = false;
    world.front.edit(move |request, _| {
        if is_tool_call(request) && !is_later {
            is_later = true;
            front.upgrade().into_iter().for_each(|front| front.advance(LATER));
        }
    });
    Ok((runtime, world))
}

fn is_tool_call(request: &Request) -> bool {
    request.body.content.json().is_some_and(|body| body["method"] == "tools/call")
}

/// `authtape record …`: the first start of the client is a setup command, so both have one home.
fn command_line(authtape: &Path, world: &World, output: &Path, force: bool) -> Vec<OsString> {
    let client = format!("'{}' client {}", authtape.display().to_string().replace('\'', r"'\''"), world.url);
    let mut words: Vec<OsString> = vec!["record".into(), "--output".into(), output.into()];
    words.extend(force.then(|| "--force".into()));
    words.extend(["--user-agent", "auto", "--home", "temp"].map(OsString::from));
    words.extend(world.connect_to.iter().flat_map(|rule| ["--connect-to".into(), rule.into()]));
    words.extend(["--setup".into(), format!("{client} --tool echo --arguments '{{\"text\":\"hello\"}}'").into(), "--".into()]);
    words.push(authtape.into());
    words.extend(["client", &world.url, "--tool", "whoami"].map(OsString::from));
    words
}

fn new_folder() -> std::io::Result<PathBuf> {
    Ok(tempfile::Builder::new().prefix("authtape-demo-").tempdir()?.keep())
}
