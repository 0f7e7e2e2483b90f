//! `authtape replay`: the client behind the proxy, the cassette in place of the servers. Here stand the arguments and the order of
//! things; `door` is what answers in this process, `hermetic` what the sockets say, `summary` the last screen. Nothing here can dial.

mod door;
mod hermetic;
mod script;
mod summary;

use super::session::{Gathering, Lab, Started, Troubles, Writer, client, output};
use super::shared::{ClientOptions, Who};
use super::{CliError, Exit, Terminal};
use crate::cassette::{Cassette, Existing, Header, PartFile, Recorded};
use crate::keys::KeyRing;
use crate::proxy::{Answer, Captures, Peer};
use crate::replay::{Account, Adoption, Player, PlayerOptions};
use crate::runner::isolation::{self, IsolationError};
use crate::runner::sockets::{Earlier, Report, Watch};
use crate::runner::{Ended, Environment};
use crate::scrub::Policy;
use clap::Args;
use door::Door;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Replay a cassette to a client, with no network
///
/// Starts the client behind a local HTTPS intercepting proxy that answers in place of the recorded servers: registration, login,
/// tokens and sessions are made anew and demanded back, MCP calls get their recorded answers. Nothing is dialled. The client has a
/// throwaway home, so nothing that happens reaches your own credentials. Exits with the client's code; with 1 when a request was
/// not on the tape, nothing came through, an MCP server of the tape got no request, or something was dialled around the proxy.
#[derive(Debug, Args)]
#[command(
    mut_arg("user_agent", |arg| {
        arg.default_value("auto").hide_possible_values(true).help(
            "Who does the browser's part of a login: auto (authtape follows the redirects itself), chromium (one with a profile of its own), none",
        )
    }),
    mut_arg("home", |arg| arg.default_value("temp")),
    mut_arg("timeout", |arg| arg.default_value("120s")),
    after_help = "Examples:
  authtape replay login.yaml -- claude mcp list
  authtape replay linear.yaml --pty --setup 'claude mcp add --transport http linear https://mcp.linear.app/mcp' \\
    -- claude mcp login linear
  authtape replay linear.yaml --pty --setup 'claude mcp add …' --setup 'claude mcp login linear' \\
    -- claude -p 'go' --allowedTools mcp__linear"
)]
pub struct ReplayArguments {
    /// The cassette to replay
    #[arg(value_name = "FILE")]
    cassette: PathBuf,
    /// Record what the client does into this cassette
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace that cassette if it is there
    #[arg(long, requires = "output")]
    force: bool,
    /// Where the proxy listens; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Let access tokens live this many seconds instead of as long as on the tape
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
    /// Issue the same values in each replay with this number; tokens that are signed differ all the same
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Refuse every credential that was not issued here, even where the tape begins logged in
    #[arg(long)]
    no_adopt: bool,
    /// What the model does, as a script; without it, the tape's first tool call of each server, then a few words
    #[arg(long, value_name = "FILE")]
    assistant: Option<PathBuf>,
    /// Allow --home real: the client may change or delete your own credentials
    #[arg(long)]
    allow_real_home: bool,
    /// Leave nothing to dial: run authtape and the client in a network namespace with loopback only (Linux)
    #[arg(long)]
    isolate: bool,
    #[command(flatten)]
    client: ClientOptions,
    /// The client and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Replays until the client ends.
pub fn run(arguments: &ReplayArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    check(arguments)?;
    if let Some(path) = &arguments.output {
        output::check(path, existing, false)?;
    }
    let caller = Environment::of_this_process();
    client::check(&arguments.command, &arguments.client, &caller)?;
    let player = player(arguments, terminal)?;
    if arguments.isolate {
        // Before the first thread.
        isolation::enter().map_err(|error| not_isolated(&error))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| own(&error))?;
    runtime.block_on(replay(arguments, player, &caller, existing, terminal))
}

/// What a replay does not do.
fn check(arguments: &ReplayArguments) -> Result<(), CliError> {
    if arguments.client.user_agent == Who::System {
        let message = "--user-agent system: your own browser knows nothing of the cassette";
        return Err(CliError::new(Exit::USAGE, message).hint("--user-agent auto goes the way of the redirects itself"));
    }
    if arguments.client.home.as_os_str() == "real" && !arguments.allow_real_home {
        let message = "--home real: a client that meets a refused login may delete your own credentials";
        return Err(CliError::new(Exit::USAGE, message).hint("leave --home out for a throwaway one, or add --allow-real-home"));
    }
    Ok(())
}

fn player(arguments: &ReplayArguments, terminal: &mut Terminal) -> Result<Player, CliError> {
    let cassette = Cassette::load(&arguments.cassette).map_err(|error| CliError::cassette(&error))?;
    if !cassette.warnings.is_empty() {
        terminal.warning(format_args!("{} is not finished; what it holds is replayed", arguments.cassette.display()));
    }
    let script = arguments.assistant.as_deref().map(script::load).transpose()?;
    let options = PlayerOptions {
        script,
        expires_in: arguments.expires_in.map(Duration::from_secs),
        adoption: if arguments.no_adopt { Adoption::None } else { Adoption::First },
    };
    let player = Player::new(cassette, seed(arguments)?, &options);
    player
        .map(|player| player.sign_with(Box::new(KeyRing::default())))
        .map_err(|error| CliError::new(Exit::BAD_FILE, format_args!("{}: {error}", arguments.cassette.display())))
}

fn seed(arguments: &ReplayArguments) -> Result<[u8; 32], CliError> {
    let mut seed = [0; 32];
    match arguments.seed {
        Some(number) => seed = Sha256::digest(number.to_be_bytes()).into(),
        None => getrandom::fill(&mut seed).map_err(|error| own(&error))?,
    }
    Ok(seed)
}

async fn replay(
    arguments: &ReplayArguments,
    player: Player,
    caller: &Environment,
    existing: Existing,
    terminal: &mut Terminal,
) -> Result<Exit, CliError> {
    let door = Arc::new(Door::new(player));
    let earlier = Earlier::now();
    let (lab, captures) =
        Lab::open(arguments.listen, Answer::Local(Arc::clone(&door) as _), Peer::client(arguments.client.last_session()), caller).await?;
    let watch = Watch::start(&earlier, lab.markers(arguments.client.last_session()));
    let header = header_of(arguments);
    let sink = Sink::start(arguments, captures, &header, existing, &lab)?;
    let (program, rest) = arguments.command.split_first().ok_or_else(|| own(&"no command"))?;
    let opened = match &sink {
        Sink::File(writer) => writer.opened(),
        Sink::Nothing(_) => channel().0,
    };
    let ended = client::run_all(program, rest, &arguments.client, &lab, &opened, terminal).await;
    let seen = watch.and_then(|watch| watch.stop(&lab.callbacks()));
    lab.close().await;
    let sessions = ended.as_ref().map(|started| started.sessions.clone()).unwrap_or_default();
    let troubles = sink.finish(Header { sessions: sessions.clone(), ..header })?;
    let Started { ended, .. } = ended.inspect_err(|_| hermetic::print(seen.as_ref(), terminal))?;
    let account = door.account();
    summary::print(&arguments.cassette, arguments.output.as_deref(), &account, &sessions, seen.as_ref(), terminal);
    troubles.print("", terminal);
    Ok(exit_of(ended, &account, seen.as_ref()))
}

/// Where the exchanges of a replay go.
enum Sink {
    File(Box<Writer>),
    Nothing(Gathering),
}

impl Sink {
    fn start(arguments: &ReplayArguments, captures: Captures, header: &Header, existing: Existing, lab: &Lab) -> Result<Self, CliError> {
        let Some(path) = &arguments.output else {
            return Ok(Self::Nothing(Gathering::start(captures).map_err(|error| own(&error))?));
        };
        let part = PartFile::create(path, header, existing).map_err(|error| output::explain(&error))?;
        Ok(Self::File(Box::new(Writer::start(part, captures, Policy::Recording, lab.started())?)))
    }

    /// Finishes the file, once nothing more is captured. Gives what came and was no request.
    fn finish(self, header: Header) -> Result<Troubles, CliError> {
        match self {
            Self::File(writer) => {
                let tally = writer.finish(header)?.tally;
                Ok(Troubles { events: tally.events, count: tally.event_count })
            }
            Self::Nothing(gathering) => Ok(gathering.finish()),
        }
    }
}

fn header_of(arguments: &ReplayArguments) -> Header {
    Header {
        recorded: Recorded {
            at: jiff::Timestamp::now(),
            with: concat!("authtape ", env!("CARGO_PKG_VERSION")).to_owned(),
            client: client::shown(&arguments.command),
            client_version: None,
        },
        scrubbed: None,
        finished: false,
        raw: false,
        sessions: Vec::new(),
        passed: Vec::new(),
        tools: Vec::new(),
    }
}

/// 1 for what may not pass unseen, whatever the client returned; else the client's own code.
fn exit_of(ended: Option<Ended>, account: &Account, seen: Option<&Report>) -> Exit {
    match ended {
        Some(Ended::TimedOut) => Exit::TIMEOUT,
        _ if hermetic::is_left(seen) => Exit::FINDINGS,
        _ if account.missed > 0 || account.requests == 0 || account.untouched().next().is_some() => Exit::FINDINGS,
        _ if account.assistance.missing().next().is_some() => Exit::FINDINGS,
        Some(ended) => Exit(ended.exit_code()),
        None => Exit::OK,
    }
}

fn not_isolated(error: &IsolationError) -> CliError {
    let refused = CliError::new(Exit::OWN_FAILURE, format_args!("--isolate: {error}"));
    match error {
        IsolationError::NotAllowed(_) => refused.hint(
            "sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces and AppArmor decide, and a container's seccomp profile; \
             without --isolate the client's sockets are watched and a dial around the proxy fails the run",
        ),
        IsolationError::NotOnThisSystem => {
            CliError::new(Exit::USAGE, format_args!("--isolate: {error}")).hint("leave it out: the proxy dials nothing in a replay")
        }
        IsolationError::Broken(_) => refused,
    }
}

fn own(error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::OWN_FAILURE, format_args!("cannot start: {error}"))
}
