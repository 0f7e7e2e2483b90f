//! Starts a client and sees it to its end: terminal, signals, time limit, exit code, and nothing left behind.
//!
//! The client leads a process group of its own, so that a time limit can end all of it; on a terminal that group gets the
//! foreground. Does not know proxies, homes or browsers: it gets a finished environment.

use super::foreground::Foreground;
use super::interception::MARKER;
use super::piped::{self, Lines, Readers};
use super::pty::{self, OwnTerminal, Pumps};
use super::signals::{Notice, Signals};
use super::tree::{Family, Reach};
use super::{Environment, StartError, program};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long a process may take to end after SIGTERM before it is killed.
pub const GRACE: Duration = Duration::from_secs(2);

/// How often the process table is read while left-over processes end: they are not our children, so nobody tells us.
const LOOK: Duration = Duration::from_millis(10);

/// A client to be started.
pub struct Launch {
    /// As on the command line.
    pub program: OsString,
    /// What follows it.
    pub arguments: Vec<OsString>,
    /// Where `program` is looked up: the caller's environment, whose PATH has none of our openers.
    pub caller: Environment,
    /// The client's whole environment.
    pub environment: Environment,
    /// The working directory; ours if `None`.
    pub folder: Option<PathBuf>,
    /// Its terminal.
    pub screen: Screen,
    /// The time limit.
    pub timeout: Option<Duration>,
}

/// The terminal of a client.
pub enum Screen {
    /// Ours: standard input, output and error untouched.
    Inherited,
    /// One of its own.
    Own(OwnTerminal),
    /// None: it reads nothing, and what it prints is handed over line by line.
    Piped(Lines),
}

/// A client that runs. Dropped before its end, it is killed with everything it started.
pub struct Running {
    leader: Pid,
    family: Family,
    foreground: Option<Foreground>,
    pumps: Option<Pumps>,
    readers: Option<Readers>,
    signals: Signals,
    deadline: Option<Instant>,
    over: bool,
}

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with a code.
    Exited(i32),
    /// By a signal that was not ours.
    Killed(i32),
    /// By `--timeout`.
    TimedOut,
}

impl Ended {
    /// The exit code that stands for it: the client's own, 128 and the signal, or 124.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Exited(code) => u8::try_from(code).unwrap_or(u8::MAX),
            Self::Killed(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Self::TimedOut => 124,
        }
    }
}

impl Launch {
    /// A command line for the shell, as `--setup` gives it.
    pub fn shell(command: &str, environment: Environment, screen: Screen) -> Self {
        let arguments = vec!["-c".into(), command.into()];
        Self { program: "/bin/sh".into(), arguments, caller: Environment::default(), environment, folder: None, screen, timeout: None }
    }

    /// Starts the client. Needs a tokio runtime with I/O and time.
    pub fn start(self) -> Result<Running, StartError> {
        let path = program::find(&self.program, &self.caller)?;
        let name = self.program.to_string_lossy().into_owned();
        let own = |error: io::Error| StartError::Own { program: name.clone(), reason: error.to_string() };
        let signals = Signals::listen().map_err(own)?;
        let mut command = Command::new(&path);
        command.arg0(&self.program).args(&self.arguments).env_clear().envs(self.environment.iter());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        let (mut foreground, mut pumps, mut readers) = (None, None, None);
        let child = match self.screen {
            Screen::Inherited => {
                foreground = Foreground::open();
                spawn_in_group(command, &path, &self.arguments, |_| {})
            }
            Screen::Own(terminal) => pty::spawn(command, terminal).map(|(child, own)| {
                pumps = Some(own);
                child
            }),
            Screen::Piped(lines) => spawn_in_group(command, &path, &self.arguments, piped::connect).map(|mut child| {
                readers = Some(Readers::of(&mut child, lines));
                child
            }),
        };
        let child = child.map_err(|error| refused(name, &error))?;
        let leader = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        if let Some(foreground) = &foreground {
            foreground.hand_over(leader);
        }
        let family = Family::of(leader, self.environment.text(MARKER));
        Ok(Running { leader, family, foreground, pumps, readers, signals, deadline, over: false })
    }
}

fn spawn_in_group(mut command: Command, path: &Path, arguments: &[OsString], connect: fn(&mut Command)) -> io::Result<Child> {
    connect(&mut command);
    match command.process_group(0).spawn() {
        // A script without `#!`: as execvp(3) and every shell do.
        Err(error) if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(path).args(arguments).env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            if let Some(folder) = command.get_current_dir() {
                shell.current_dir(folder);
            }
            connect(&mut shell);
            shell.process_group(0).spawn()
        }
        result => result,
    }
}

fn refused(program: String, error: &io::Error) -> StartError {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE) | None => {
            StartError::Own { program, reason: error.to_string() }
        }
        Some(Errno::ENOENT) => StartError::NotExecutable { program, reason: "its interpreter is missing".to_owned() },
        Some(errno) => StartError::NotExecutable { program, reason: errno.desc().to_owned() },
    }
}

/// When the client's time is over: by `--timeout`, or because we were told to end.
struct Limit {
    at: Option<Instant>,
    /// True until the first step of `--timeout` was taken.
    is_first: bool,
    timed_out: bool,
}

enum Step {
    Terminate,
    Kill,
}

impl Limit {
    fn new(deadline: Option<Instant>) -> Self {
        Self { at: deadline, is_first: true, timed_out: false }
    }

    async fn reached(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Asks politely once; whoever is still there after that is killed, again and again.
    fn next_step(&mut self) -> Step {
        let step = if self.is_first { Step::Terminate } else { Step::Kill };
        self.timed_out |= self.is_first;
        self.at = Some(Instant::now() + if self.is_first { GRACE } else { LOOK });
        self.is_first = false;
        step
    }

    /// The client was asked to end by somebody else: it has as long as after our own asking.
    fn shorten(&mut self) {
        let end = Instant::now() + GRACE;
        if self.at.is_none_or(|at| at > end) {
            self.at = Some(end);
            self.is_first = false;
        }
    }
}

/// What became of the client since we last looked.
enum Change {
    Over(Ended),
    Stopped(Signal),
    None,
}

impl Running {
    /// The process id of the client, which is also that of its group.
    pub fn pid(&self) -> u32 {
        self.leader.as_raw().unsigned_abs()
    }

    /// Waits for the end, passes signals on, keeps the time limit, and ends what the client left running.
    pub async fn finish(self) -> Ended {
        self.finish_unless(&CancellationToken::new()).await
    }

    /// The same, but kills all of it as soon as `killed` is cancelled.
    pub async fn finish_unless(mut self, killed: &CancellationToken) -> Ended {
        let mut limit = Limit::new(self.deadline);
        let mut is_killed = false;
        let ended = loop {
            match self.look() {
                Change::Over(ended) => break ended,
                Change::Stopped(by) => self.stopped(by),
                Change::None => {}
            }
            tokio::select! {
                notice = self.signals.next() => self.heed(&notice, &mut limit),
                () = killed.cancelled(), if !is_killed => {
                    is_killed = true;
                    self.end(Signal::SIGKILL);
                }
                () = limit.reached() => match limit.next_step() {
                    Step::Terminate => self.end(Signal::SIGTERM),
                    Step::Kill => self.end(Signal::SIGKILL),
                },
            }
        };
        let reach = if limit.timed_out || is_killed { Reach::Everything } else { Reach::Attached };
        self.sweep(reach, limit.at.filter(|_| limit.timed_out)).await;
        self.over = true;
        if limit.timed_out { Ended::TimedOut } else { ended }
    }

    fn heed(&self, notice: &Notice, limit: &mut Limit) {
        match notice {
            Notice::Child => {}
            Notice::Resumed => self.resumed(),
            // A terminal that the client shares with us tells it by itself.
            Notice::Resized => self.pumps.iter().for_each(Pumps::fit),
            Notice::PassOn(signal) => {
                self.family.signal_group(*signal);
                if matches!(signal, Signal::SIGTERM | Signal::SIGHUP) {
                    limit.shorten();
                }
            }
        }
    }

    fn look(&self) -> Change {
        loop {
            match waitpid(self.leader, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
                Ok(WaitStatus::Exited(_, code)) => return Change::Over(Ended::Exited(code)),
                Ok(WaitStatus::Signaled(_, signal, _)) => return Change::Over(Ended::Killed(signal as i32)),
                Ok(WaitStatus::Stopped(_, signal)) => return Change::Stopped(signal),
                Ok(_) => return Change::None,
                Err(Errno::EINTR) => {}
                // Nobody else reaps our child; if it happens, the client is gone and its code with it.
                Err(_) => return Change::Over(Ended::Exited(0)),
            }
        }
    }

    fn stopped(&self, by: Signal) {
        match &self.foreground {
            Some(foreground) => foreground.stopped(self.leader, by),
            // Nobody could wake it on a terminal of its own.
            None if self.pumps.is_some() && by != Signal::SIGSTOP => self.family.signal_group(Signal::SIGCONT),
            None => {}
        }
    }

    fn resumed(&self) {
        match &self.foreground {
            Some(foreground) => foreground.resumed(self.leader),
            None => self.family.signal_group(Signal::SIGCONT),
        }
    }

    /// Sends an ending signal to everything; what is stopped is woken to receive it.
    fn end(&self, signal: Signal) {
        self.family.signal(signal, Reach::Everything);
        self.family.signal(Signal::SIGCONT, Reach::Everything);
    }

    /// Ends what is left of the client's processes and gives the terminal back to the caller.
    async fn sweep(&mut self, reach: Reach, patience: Option<Instant>) {
        if let Some(foreground) = &self.foreground {
            foreground.take_back(self.leader);
        }
        let mut kill_at = patience.unwrap_or_else(|| Instant::now() + GRACE);
        let give_up = kill_at + GRACE;
        if patience.is_none() && !self.family.members(reach).is_empty() {
            self.family.signal(Signal::SIGTERM, reach);
            self.family.signal(Signal::SIGCONT, reach);
        }
        while !self.family.members(reach).is_empty() && Instant::now() < give_up {
            if Instant::now() >= kill_at {
                self.family.signal(Signal::SIGKILL, reach);
                kill_at = Instant::now() + LOOK;
            }
            sleep_until(Instant::now() + LOOK).await;
        }
        if let Some(pumps) = &mut self.pumps {
            // A daemon on purpose may keep the terminal open; what the client itself printed is read by then.
            let _ = timeout_at(Instant::now() + GRACE, pumps.drained()).await;
        }
        if let Some(readers) = &mut self.readers {
            let _ = timeout_at(Instant::now() + GRACE, readers.drained()).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.family.signal(Signal::SIGKILL, Reach::Everything);
        let _ = waitpid(self.leader, None);
        if let Some(foreground) = &self.foreground {
            foreground.take_back(self.leader);
        }
    }
}
