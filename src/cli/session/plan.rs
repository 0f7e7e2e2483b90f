//! The sessions of a run: setup commands, then the client as often and as many at once as is planned, in one home. Knows in which
//! order they run; how a process is started and ended is the runner's work, who visits a URL the user agent's.

use super::attended::Attended;
use super::client::{Started, refused, shown, shown_line};
use super::ending::Ending;
use super::lab::Lab;
use crate::cli::shared::ClientOptions;
use crate::cli::{CliError, Exit, Terminal};
use crate::protocol::Kind;
use crate::record::OpenedUrl;
use crate::runner::claude::{self, Adapted};
use crate::runner::{Ended, Home, Input, Launch, Lines, Measure, OwnTerminal, Running, Screen, program};
use crate::scenario::{Sessions, Step};
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::io::AsyncWrite;

/// How long the last start waits until the tokens of earlier sessions have ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is started.
pub struct Plan<'a> {
    /// The client and its arguments.
    pub command: &'a [OsString],
    /// How it is started, and what runs first.
    pub options: &'a ClientOptions,
    /// How often.
    pub sessions: Sessions,
}

/// The servers of a replay, as far as sessions change them.
pub trait Servers: Send + Sync {
    /// Moves their clock.
    fn advance(&self, by: Duration);
    /// How long until every access token issued so far has ended, where the last session is to begin with such.
    fn until_expired(&self) -> Duration;
    /// Gives a session its end with the answer to a request of that kind.
    fn end_after(&self, session: u32, kind: Kind) -> Arc<Ending>;
}

impl<'a> Plan<'a> {
    /// The client once.
    pub fn once(command: &'a [OsString], options: &'a ClientOptions) -> Self {
        Self { command, options, sessions: Sessions::one() }
    }

    /// How many processes there will be, setup commands too.
    pub fn count(&self) -> u32 {
        u32::try_from(self.options.setup.len()).unwrap_or(u32::MAX - 1).saturating_add(self.sessions.count())
    }

    /// The number of the first process of the last start.
    pub fn last_session(&self) -> u32 {
        self.count() - self.sessions.last() + 1
    }

    /// Runs it.
    ///
    /// # Errors
    /// A setup command that fails, a client that cannot be started.
    pub async fn run(
        &self,
        lab: &Lab,
        opened: &Sender<OpenedUrl>,
        servers: Option<&dyn Servers>,
        terminal: &mut Terminal,
    ) -> Result<Started, CliError> {
        let home = self.options.home()?;
        let mut run = Run { plan: self, lab, opened, servers, home: &home, number: 0, started: Started::default() };
        for setup in &self.options.setup {
            run.setup(setup).await?;
        }
        let steps = self.sessions.steps();
        for (index, step) in steps.iter().enumerate() {
            if let (true, Some(servers)) = (index + 1 == steps.len(), servers) {
                tokio::time::sleep(servers.until_expired().min(PATIENCE)).await;
            }
            let ended = match step {
                Step::Run(count) => run.start(*count, terminal).await?,
                Step::Kill { after } => run.killed(*after, terminal).await?,
                Step::Advance(by) => {
                    servers.inspect(|servers| servers.advance(*by));
                    continue;
                }
            };
            run.started.ended = Some(ended);
            if is_interrupted(ended) {
                break;
            }
        }
        Ok(run.started)
    }
}

/// True where somebody asked for the end of it all.
fn is_interrupted(ended: Ended) -> bool {
    let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    ends.iter().any(|signal| ended == Ended::Killed(*signal as i32) || ended == Ended::Exited(128 + *signal as i32))
}

/// A plan under way.
struct Run<'a> {
    plan: &'a Plan<'a>,
    lab: &'a Lab,
    opened: &'a Sender<OpenedUrl>,
    servers: Option<&'a dyn Servers>,
    home: &'a Home,
    /// The number of the session that began last.
    number: u32,
    started: Started,
}

impl Run<'_> {
    async fn begin(&mut self) -> Result<Attended, CliError> {
        self.number += 1;
        Attended::begin(self.number, self.plan.options, self.home, self.lab, self.opened).await
    }

    async fn end(&mut self, session: Attended, client: Vec<String>, ended: Ended) {
        let (session, visited) = session.end(client, ended).await;
        self.started.sessions.push(session);
        self.started.notes.extend(visited);
    }

    async fn setup(&mut self, setup: &str) -> Result<(), CliError> {
        let session = self.begin().await?;
        let mut launch = Launch::shell(setup, session.environment().clone(), Screen::Own(terminal_like_ours(tokio::io::stderr())));
        launch.timeout = self.plan.options.timeout;
        let ended = launch.start().map_err(|error| refused(&error))?.finish().await;
        self.end(session, shown_line(setup), ended).await;
        if ended.exit_code() != 0 {
            let message = format!("the setup command number {} ended with code {}", self.number, ended.exit_code());
            return Err(CliError::new(Exit::OWN_FAILURE, message).hint("run it by hand to see why; its output is above"));
        }
        Ok(())
    }

    /// Starts the client so many times at once. The worst end counts.
    async fn start(&mut self, count: u32, terminal: &mut Terminal) -> Result<Ended, CliError> {
        let mut sessions = Vec::new();
        for _ in 0..count {
            sessions.push(self.begin().await?);
        }
        let mut running: Vec<Running> = Vec::new();
        for (session, label) in sessions.iter().zip(1..) {
            let screen = if count == 1 { screen(self.plan.options) } else { Screen::Piped(lines(label)) };
            running.push(self.launched(session, screen, terminal)?);
        }
        let ends = join_all(running.into_iter().map(Running::finish)).await;
        for (session, ended) in sessions.into_iter().zip(&ends) {
            self.end(session, shown(self.plan.command), *ended).await;
        }
        let worst = ends.into_iter().max_by_key(|ended| (*ended == Ended::TimedOut, ended.exit_code()));
        Ok(worst.unwrap_or(Ended::Exited(0)))
    }

    /// Starts the client, and kills it when a request of that kind was answered.
    async fn killed(&mut self, after: Kind, terminal: &mut Terminal) -> Result<Ended, CliError> {
        let session = self.begin().await?;
        let ending = self.servers.map(|servers| servers.end_after(self.number, after)).unwrap_or_default();
        let running = self.launched(&session, screen(self.plan.options), terminal)?;
        let ended = running.finish_unless(ending.due()).await;
        // The answer is on its way now: to the browser, or to nobody.
        ending.over();
        self.end(session, shown(self.plan.command), ended).await;
        if ending.due().is_cancelled() {
            // As it was planned.
            return Ok(Ended::Exited(0));
        }
        self.started.undone.push(format!("session {} was never killed: no {} was answered", self.number, after.name()));
        Ok(ended)
    }

    fn launched(&self, session: &Attended, screen: Screen, terminal: &mut Terminal) -> Result<Running, CliError> {
        let launch = Launch {
            program: self.plan.command.first().cloned().unwrap_or_default(),
            arguments: self.adapted(session, terminal)?,
            caller: self.lab.caller.clone(),
            environment: session.environment().clone(),
            folder: None,
            screen,
            timeout: self.plan.options.timeout,
        };
        launch.start().map_err(|error| refused(&error))
    }

    /// Claude Code gets our variables by `--settings` too.
    fn adapted(&self, session: &Attended, terminal: &mut Terminal) -> Result<Vec<OsString>, CliError> {
        let Some((program, arguments)) = self.plan.command.split_first() else { return Ok(Vec::new()) };
        let lab = self.lab;
        let found = program::find(program, &lab.caller).map_err(|error| refused(&error))?;
        let settings = lab.claude_settings(session.number());
        match claude::adapt(program, &found, arguments, session.interception(), &lab.caller, &settings)
            .map_err(|error| CliError::new(Exit::OWN_FAILURE, format_args!("cannot write settings for the client: {error}")))?
        {
            Adapted::Unchanged => Ok(arguments.to_vec()),
            Adapted::Arguments(arguments) => Ok(arguments),
            Adapted::NotMerged(reason) => {
                terminal
                    .warning(format_args!("your --settings stay as they are ({reason}); if they set a proxy, nothing will be recorded"));
                Ok(arguments.to_vec())
            }
        }
    }
}

fn screen(options: &ClientOptions) -> Screen {
    if !options.pty || std::io::stdin().is_terminal() {
        return Screen::Inherited;
    }
    let mut own = terminal_like_ours(tokio::io::stdout());
    own.input = Some(Input::from_reader(std::io::stdin()));
    Screen::Own(own)
}

/// The lines of one of several clients, marked with its place among them.
fn lines(label: u32) -> Lines {
    fn marked(label: u32, line: &[u8], mut stream: impl Write) {
        let line = [format!("[{label}] ").as_bytes(), line, b"\n"].concat();
        // Whoever reads our output may have gone; the client runs on.
        let _ = stream.write_all(&line).and_then(|()| stream.flush());
    }
    Lines {
        out: Box::new(move |line| marked(label, line, std::io::stdout().lock())),
        err: Box::new(move |line| marked(label, line, std::io::stderr().lock())),
    }
}

/// A terminal as large as the one that shows its output, and as that becomes; 24 rows and 80 columns where nothing does.
fn terminal_like_ours(output: impl AsyncWrite + Send + Unpin + AsFd + 'static) -> OwnTerminal {
    let shown = output.as_fd().try_clone_to_owned().ok();
    let measure = shown.map(|shown| {
        let size = move || terminal_size::terminal_size_of(&shown).map(|(columns, rows)| (rows.0, columns.0));
        Box::new(size) as Measure
    });
    OwnTerminal { measure, ..OwnTerminal::new(output) }
}
