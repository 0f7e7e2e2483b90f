//! `authtape record`: the client behind the proxy, the cassette on the disk. Here stand the arguments and the order of things;
//! the parts that `replay` needs too are in `cli::session`, the last screen is `summary`.

mod summary;

use super::session::{Lab, Plan, ReverseOptions, Started, Writer, Written, client, output};
use super::shared::{ClientOptions, NetworkOptions};
use super::{CliError, Exit, Terminal};
use crate::cassette::{Existing, Header, PartFile, Recorded};
use crate::proxy::{Answer, Peer};
use crate::runner::{Ended, Environment};
use crate::scrub::Policy;
use crate::upstream::Upstream;
use clap::Args;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Record a client's OAuth and MCP traffic into a cassette
///
/// Starts the client behind a local HTTPS intercepting proxy, with a certificate made for this run, and writes what it says to
/// authorization servers and MCP servers into a YAML file. Secrets are replaced before the first byte is written. The terminal
/// belongs to the client; its exit code becomes ours. Without a command it serves until Ctrl-C: `authtape env` prints the
/// variables for a client that you start yourself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  authtape record -o linear.yaml -- claude
  authtape record -o login.yaml --user-agent auto --pty -- claude mcp login linear
  authtape record -o ide.yaml                      # serve; in a second terminal: authtape env")]
pub struct RecordArguments {
    /// The cassette to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the cassette if it is there
    #[arg(long)]
    force: bool,
    /// Keep the secrets: the file is readable for you alone, and its name must end in .raw.yaml
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    network: NetworkOptions,
    #[command(flatten)]
    reverse: ReverseOptions,
    #[command(flatten)]
    client: ClientOptions,
    /// The client and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl RecordArguments {
    /// True where a client gets the terminal.
    pub fn starts_a_client(&self) -> bool {
        !self.command.is_empty()
    }
}

/// Records until the client ends or, without one, until Ctrl-C.
pub fn run(arguments: &RecordArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    output::check(&arguments.output, existing, arguments.raw)?;
    let caller = Environment::of_this_process();
    client::check(&arguments.command, &arguments.client, &caller)?;
    arguments.reverse.check(None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    let runtime = runtime.map_err(|error| CliError::new(Exit::OWN_FAILURE, format_args!("cannot start: {error}")))?;
    runtime.block_on(record(arguments, &caller, existing, terminal))
}

/// The core of the machine that is left is the client's.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4))
}

async fn record(arguments: &RecordArguments, caller: &Environment, existing: Existing, terminal: &mut Terminal) -> Result<Exit, CliError> {
    // A file that reaches `ulimit -f` is an error of its write then, as a full disk is, and not our end.
    let _caught = signal(SignalKind::from_raw(Signal::SIGXFSZ as i32));
    let upstream = Upstream::new(arguments.network.upstream(caller)?);
    let plan = Plan::once(&arguments.command, &arguments.client);
    let strangers = Peer::client(plan.last_session());
    let (lab, captures) = Lab::open(arguments.network.listen, Answer::Upstream(Box::new(upstream)), strangers, caller).await?;
    let mut reversed = arguments.reverse.open(&lab, &[], terminal).await?;
    let header = header_of(arguments);
    let part = PartFile::create(&arguments.output, &header, existing).map_err(|error| output::explain(&error))?;
    let policy = if arguments.raw { Policy::Raw } else { Policy::Recording };
    let writer = Writer::start(part, captures, policy, lab.started())?;
    let ended = match arguments.starts_a_client() {
        true => plan.run(&lab, &writer.opened(), None, terminal).await,
        false => client::serve(&arguments.client, &lab, Some(&writer), &mut reversed, terminal).await,
    };
    let (started, limits) = (lab.started(), lab.reverse().limits());
    lab.close().await;
    let Started { ended, notes, sessions, .. } = match ended {
        Ok(started) => started,
        Err(error) => {
            // Why there was no client says more than what became of the file.
            let _ = writer.give_up(header);
            return Err(error);
        }
    };
    let written = writer.finish(Header { sessions, ..header })?;
    summary::print(&arguments.output, &written, started.elapsed(), terminal);
    reversed.report(&limits, terminal);
    notes.iter().for_each(|note| terminal.warning(note));
    if arguments.raw {
        terminal.warning("this file holds live secrets and must not be shared; keep *.raw.yaml* out of git");
    }
    Ok(exit_of(ended, &written))
}

fn header_of(arguments: &RecordArguments) -> Header {
    Header {
        recorded: Recorded {
            at: jiff::Timestamp::now(),
            with: concat!("authtape ", env!("CARGO_PKG_VERSION")).to_owned(),
            client: client::shown(&arguments.command),
            client_version: None,
        },
        scrubbed: None,
        finished: false,
        raw: arguments.raw,
        sessions: Vec::new(),
        passed: Vec::new(),
        tools: Vec::new(),
        replayed: None,
    }
}

/// The client's own code, unless nothing came through us.
fn exit_of(ended: Option<Ended>, written: &Written) -> Exit {
    match ended {
        Some(Ended::TimedOut) => Exit::TIMEOUT,
        _ if written.tally.exchanges() == 0 => Exit::FINDINGS,
        Some(ended) => Exit(ended.exit_code()),
        None => Exit::OK,
    }
}
