//! `authtape replay`: the client behind the proxy, the cassette in place of the servers. Here stand the arguments and the order of
//! things; `door` is what answers in this process, `hermetic` what the sockets say, `summary` the last screen. Nothing here can dial.

mod door;
mod faults;
mod hermetic;
mod run;
mod script;
mod summary;
mod written;

use super::session::{Gathering, Lab, Plan, ReverseOptions, Servers, Started, Troubles, Writer, client, output};
use super::shared::{ClientOptions, Who};
use super::{CliError, Exit, Terminal};
use crate::cassette::{Cassette, Existing, Header, PartFile, Warning, part_path};
use crate::fault::{Expiry, Fired};
use crate::keys::KeyRing;
use crate::proxy::{Answer, Captures, Peer};
use crate::record::OpenedUrl;
use crate::replay::{Account, Adoption, Player, PlayerOptions};
use crate::reply::Pace;
use crate::runner::isolation::{self, IsolationError};
use crate::runner::sockets::{Earlier, Report, Watch};
use crate::runner::{Ended, Environment, claude};
use crate::scenario::{AT_ONCE, Sessions, duration};
use crate::scrub::Policy;
use clap::Args;
use door::Door;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Replay a cassette to a client, with no network
///
/// Starts the client behind a local HTTPS intercepting proxy that answers in place of the recorded servers: registration, login,
/// tokens and sessions are made anew and demanded back, MCP calls get their recorded answers. Nothing is dialled. The client has a
/// throwaway home, so nothing that happens reaches your own credentials. Without a command it serves until Ctrl-C: `authtape env`
/// prints the variables for clients that you start yourself.
///
/// Exit codes: the client's own, but 1 when a request was not on the tape (a miss), nothing came through, an MCP server of the tape
/// got no request, something was dialled around the proxy, or --strict finds a host that is not on the tape. Before the client
/// starts: 2 usage, 3 the cassette is broken, 125 authtape failed, 126 or 127 the client cannot be started. 124: --timeout ended it.
#[derive(Debug, Args)]
#[command(
    mut_arg("user_agent", |arg| {
        arg.default_value("auto").hide_possible_values(true).help(
            "Who does the browser's part of a login: auto (authtape follows the redirects itself), chromium (one with a profile of its own), none",
        )
    }),
    mut_arg("home", |arg| arg.default_value("temp")),
    mut_arg("timeout", |arg| arg.help("End each client process and all it started after this time: 90, 90s, 5m [default: 120s]")),
    after_help = "Examples, the first two with the tapes of the repository:
  authtape replay cassettes/tool-fails.yaml -- authtape client https://mcp.ts.test/mcp --list
  authtape replay cassettes/ts-v1-session.yaml -- authtape client https://mcp.ts.test/mcp --list
  authtape replay login.yaml -o run.yaml           # serve, and record; in a second terminal: authtape env
  authtape replay linear.yaml --pty --setup 'claude mcp add --transport http linear https://mcp.linear.app/mcp' \\
    -- claude mcp login linear
  authtape replay linear.yaml --pty --setup 'claude mcp add …' --setup 'claude mcp login linear' \\
    -- claude -p 'go' --allowedTools mcp__linear"
)]
pub struct ReplayArguments {
    /// The cassette to replay
    #[arg(value_name = "FILE", required_unless_present = "scenario", conflicts_with = "scenario")]
    cassette: Option<PathBuf>,
    /// Replay what this file says: cassette, faults, setup, sessions, options
    ///
    /// YAML: `scenario: 1`, `cassette: PATH` beside the file; and where wanted `name`, `about`, `faults` (a list of NAME or {fault:
    /// NAME, KEY: VALUE}), `setup` (a list of commands), `sessions` (a list of `run`, `parallel: N`, `advance: 13h`, `kill: {after:
    /// KIND}`), `options: {expires_in: N, seed: N, timeout: 30s}`. What the file says cannot be said beside it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Record what the client does into this cassette, and what answered each request
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
    /// Let recorded waits take place: real, or N times as fast; without it they are skipped
    #[arg(long, value_name = "N|real", value_parser = speed)]
    speed: Option<NonZeroU32>,
    /// Refuse every credential that was not issued here, even where the tape begins logged in
    #[arg(long)]
    no_adopt: bool,
    /// Break something: NAME, or NAME:KEY=VALUE,… (repeatable; `authtape faults` lists them)
    #[arg(long, value_name = "NAME[:KEY=VALUE,…]")]
    fault: Vec<String>,
    /// Start the client this many times, one after the other, in one home; the last start counts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    sessions: Option<u32>,
    /// Make the last start one of this many processes at once; their lines begin with [1], [2], …
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(AT_ONCE)))]
    parallel: Option<u32>,
    /// Move the servers' clock before the last start: 90s, 15m, 13h, 30d. Tokens end, and the client does not know
    #[arg(long, value_name = "TIME", value_parser = duration)]
    advance: Option<Duration>,
    /// Fail when the client asks a host that is not on the tape
    #[arg(long)]
    strict: bool,
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
    reverse: ReverseOptions,
    #[command(flatten)]
    client: ClientOptions,
    /// The client and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl ReplayArguments {
    /// True where a client gets the terminal.
    pub fn starts_a_client(&self) -> bool {
        !self.command.is_empty()
    }

    /// The cassette, which the command line or the scenario names.
    fn cassette(&self) -> &Path {
        self.cassette.as_deref().unwrap_or(Path::new(""))
    }
}

/// How long a process may run where nothing else is said.
const LIMIT: Duration = Duration::from_secs(120);

/// Replays until the client ends or, without one, until Ctrl-C.
pub fn run(mut arguments: ReplayArguments, terminal: &mut Terminal) -> Result<Exit, CliError> {
    let scenario = written::applied(&mut arguments)?;
    arguments.client.timeout.get_or_insert(LIMIT);
    let (sessions, broken) = scenario.map(|own| (own.sessions, own.faults)).unwrap_or_default();
    let arguments = &arguments;
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    check(arguments)?;
    if let Some(path) = &arguments.output {
        output::check(path, existing, false)?;
        if let Some(cassette) = &arguments.cassette {
            check_not_the_tape(path, cassette)?;
        }
    }
    let caller = Environment::of_this_process();
    client::check(&arguments.command, &arguments.client, &caller)?;
    let plan = plan(arguments, sessions)?;
    let faults = faults::armed(&arguments.fault, broken, expiry(arguments, &plan))?;
    let mut player = player(arguments, terminal)?;
    player.arm(faults, plan.last_session()).map_err(|error| faults::refused(&error))?;
    arguments.reverse.check(Some(&player.origins()))?;
    let caller = with_credential(caller, arguments, &player);
    if arguments.isolate {
        // Before the first thread.
        isolation::enter().map_err(|error| not_isolated(&error))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| own(&error))?;
    runtime.block_on(replay(arguments, &plan, player, &caller, existing, terminal))
}

/// In a throwaway home nobody is logged in to the model. Where the tape demands no login there, a made-up credential does.
fn with_credential(caller: Environment, arguments: &ReplayArguments, player: &Player) -> Environment {
    if player.checks_the_model_s_bearer() || arguments.client.home.as_os_str() != "temp" {
        return caller;
    }
    let made_up = claude::made_up_credential(&caller);
    caller.with(&made_up)
}

/// The run must not take the place of the tape it comes from.
fn check_not_the_tape(output: &Path, cassette: &Path) -> Result<(), CliError> {
    let place = |path: &Path| std::fs::canonicalize(path).ok();
    if place(output).is_some_and(|output| Some(output) == place(cassette)) {
        let message = format_args!("-o {} is the cassette that is replayed", output.display()).to_string();
        return Err(CliError::new(Exit::USAGE, message).hint("name another file: -o run.yaml"));
    }
    Ok(())
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

/// How often the client is started.
fn plan(arguments: &ReplayArguments, written: Option<Sessions>) -> Result<Plan<'_>, CliError> {
    let usage = |message: String| CliError::new(Exit::USAGE, message);
    let in_a_row = || Sessions::in_a_row(arguments.sessions.unwrap_or(1), arguments.parallel.unwrap_or(1), arguments.advance);
    let sessions = written.map_or_else(in_a_row, Ok).map_err(usage)?;
    let plan = Plan { command: &arguments.command, options: &arguments.client, sessions };
    if !arguments.starts_a_client() && plan.sessions != Sessions::one() {
        let message = "several sessions are for a client that authtape starts, and no command is given".to_owned();
        return Err(usage(message).hint("put the client and its arguments behind --"));
    }
    if plan.sessions.begins_with_advance() && arguments.client.setup.is_empty() {
        let message = "advance: no session comes before it, so no token can grow old".to_owned();
        return Err(usage(message).hint("add --sessions 2, or log in with --setup"));
    }
    Ok(plan)
}

fn expiry(arguments: &ReplayArguments, plan: &Plan<'_>) -> Expiry {
    if arguments.expires_in.is_some() || plan.sessions.advances() { Expiry::Arranged } else { Expiry::AsRecorded }
}

fn player(arguments: &ReplayArguments, terminal: &mut Terminal) -> Result<Player, CliError> {
    let part = part_path(arguments.cassette());
    let path = if !arguments.cassette().exists() && part.exists() { &part } else { arguments.cassette() };
    let cassette = Cassette::load(path).map_err(|error| CliError::cassette(&error))?;
    for warning in &cassette.warnings {
        match warning {
            Warning::Unfinished => terminal.warning(format_args!("{} is not finished; what it holds is replayed", path.display())),
            other => terminal.warning(format_args!("{}: {other}", path.display())),
        }
    }
    let script = arguments.assistant.as_deref().map(script::load).transpose()?;
    let options = PlayerOptions {
        script,
        expires_in: arguments.expires_in.map(Duration::from_secs),
        pace: arguments.speed.map_or(Pace::Skipped, Pace::Times),
        adoption: if arguments.no_adopt { Adoption::None } else { Adoption::First },
    };
    let player = Player::new(cassette, seed(arguments)?, &options);
    player
        .map(|player| player.sign_with(Box::new(KeyRing::default())))
        .map_err(|error| CliError::new(Exit::BAD_FILE, format_args!("{}: {error}", arguments.cassette().display())))
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
    plan: &Plan<'_>,
    player: Player,
    caller: &Environment,
    existing: Existing,
    terminal: &mut Terminal,
) -> Result<Exit, CliError> {
    let door = Arc::new(Door::new(player));
    let earlier = Earlier::now();
    let (lab, captures) =
        Lab::open(arguments.listen, Answer::Local(Arc::clone(&door) as _), Peer::client(plan.last_session()), caller).await?;
    let lab = lab.with_plan(Arc::clone(&door).plan(), Arc::clone(&door).opening());
    let servers: Vec<String> = door.account().untouched().map(str::to_owned).collect();
    let mut reversed = arguments.reverse.open(&lab, &servers, terminal).await?;
    let watch = Watch::start(&earlier, lab.markers(plan.count()));
    let header = run::header(arguments, door.policies());
    let sink = Sink::start(arguments, captures, &header, existing, &lab)?;
    let ended = match arguments.starts_a_client() {
        true => plan.run(&lab, &sink.opened(), Some(&*door as &dyn Servers), terminal).await,
        false => client::serve(&arguments.client, &lab, sink.writer(), &mut reversed, terminal).await,
    };
    let limits = lab.reverse().limits();
    let seen = watch.and_then(|watch| watch.stop(&lab.callbacks()));
    lab.close().await;
    let (account, fired) = (door.account(), door.fired());
    let header = run::finished(header, &account, seen.as_ref());
    let (ended, troubles) = sink.finish(header, ended).inspect_err(|_| {
        if account.requests > 0 {
            // What a setup command did before it failed.
            summary::print(arguments, &account, &[], seen.as_ref(), terminal);
            faults::print(&fired, terminal);
        } else {
            hermetic::print(seen.as_ref(), terminal);
        }
    })?;
    summary::print(arguments, &account, &ended.sessions, seen.as_ref(), terminal);
    faults::print(&fired, terminal);
    troubles.print("", terminal);
    reversed.report(&limits, terminal);
    ended.notes.iter().for_each(|note| terminal.warning(note));
    ended.undone.iter().for_each(|undone| terminal.error(undone));
    if !ended.undone.is_empty() {
        return Ok(Exit::FINDINGS);
    }
    Ok(exit_of(ended.ended, &account, arguments.strict, seen.as_ref(), &fired))
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

    fn writer(&self) -> Option<&Writer> {
        match self {
            Self::File(writer) => Some(writer),
            Self::Nothing(_) => None,
        }
    }

    fn opened(&self) -> Sender<OpenedUrl> {
        self.writer().map_or_else(|| channel().0, Writer::opened)
    }

    /// Finishes the file, once nothing more is captured. Gives what came and was no request.
    fn finish(self, header: Header, ended: Result<Started, CliError>) -> Result<(Started, Troubles), CliError> {
        match (self, ended) {
            (Self::File(writer), Ok(started)) => {
                let tally = writer.finish(Header { sessions: started.sessions.clone(), ..header })?.tally;
                Ok((started, Troubles { events: tally.events, count: tally.event_count }))
            }
            (Self::File(writer), Err(error)) => {
                // Why there was no client says more than what became of the file.
                let _ = writer.give_up(header);
                Err(error)
            }
            (Self::Nothing(gathering), ended) => {
                let troubles = gathering.finish();
                Ok((ended?, troubles))
            }
        }
    }
}

/// 1 for what may not pass unseen, whatever the client returned; else the client's own code.
fn exit_of(ended: Option<Ended>, account: &Account, is_strict: bool, seen: Option<&Report>, fired: &[Fired]) -> Exit {
    let is_missed = account.missed > 0 || account.requests == 0 || account.untouched().next().is_some();
    match ended {
        Some(Ended::TimedOut) => Exit::TIMEOUT,
        _ if hermetic::is_left(seen) => Exit::FINDINGS,
        _ if is_missed || (is_strict && !account.elsewhere.is_empty()) => Exit::FINDINGS,
        _ if faults::lies_idle(fired) => Exit::FINDINGS,
        // Under a fault a client may well lose its tools: that is what the run shows.
        _ if fired.is_empty() && account.assistance.missing().next().is_some() => Exit::FINDINGS,
        Some(ended) => Exit(ended.exit_code()),
        None => Exit::OK,
    }
}

/// `real`, or how many times as fast.
fn speed(text: &str) -> Result<NonZeroU32, String> {
    match text {
        "real" => Ok(NonZeroU32::MIN),
        _ => text.parse().map_err(|_| "expected real, or a whole number such as 10 for ten times as fast".to_owned()),
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
