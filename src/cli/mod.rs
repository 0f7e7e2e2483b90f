//! Layer 10: the command line, and the only place that prints. One file a command: its arguments (the doc comments are the
//! help) and its `run`.

mod ca;
mod client;
mod demo;
mod doctor;
mod env;
mod error;
mod exit;
mod faults;
mod format;
mod log;
mod open_url;
mod panics;
mod record;
mod replay;
mod session;
mod shared;
mod show;
mod start_claude;
mod terminal;

pub use error::CliError;
pub use exit::Exit;
pub use terminal::Terminal;

use clap::{Parser, Subcommand};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Record an AI client's OAuth and MCP traffic once, replay it anywhere, break it on purpose, see what the client does.
#[derive(Debug, Parser)]
#[command(name = "authtape", version, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Record(Box<record::RecordArguments>),
    Replay(Box<replay::ReplayArguments>),
    Show(show::ShowArguments),
    Faults(faults::FaultsArguments),
    Env(env::Env),
    Doctor(doctor::DoctorArguments),
    Ca(ca::Ca),
    Client(Box<client::ClientArguments>),
    Demo(demo::DemoArguments),
    #[command(hide = true)]
    OpenUrl(open_url::OpenUrl),
    #[command(hide = true)]
    StartClaude(start_claude::StartClaude),
}

/// Reads the command line, runs the command and says what went wrong.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return error::report_usage(&error),
    };
    let mut terminal = Terminal::new();
    panics::watch();
    let ran = catch_unwind(AssertUnwindSafe(|| run(arguments.command, &mut terminal)));
    panics::report(&mut terminal);
    match ran {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => error.report(&mut terminal),
        Err(_) => Exit::OWN_FAILURE.into(),
    }
}

fn run(command: Command, terminal: &mut Terminal) -> Result<Exit, CliError> {
    log::start(command.screen())?;
    match command {
        Command::Record(given) => record::run(&given, terminal),
        Command::Replay(given) => replay::run(*given, terminal),
        Command::Show(given) => show::run(&given, terminal),
        Command::Faults(given) => faults::run(&given, terminal),
        Command::Doctor(given) => doctor::run(&given, terminal),
        Command::Env(given) => env::run(&given, terminal),
        Command::Ca(given) => ca::run(&given, terminal),
        Command::Client(arguments) => client::run(*arguments, terminal),
        Command::Demo(arguments) => demo::run(&arguments, terminal),
        Command::OpenUrl(given) => open_url::run(&given),
        Command::StartClaude(given) => start_claude::run(&given, terminal),
    }
}

impl Command {
    fn screen(&self) -> log::Screen {
        match self {
            Self::Record(given) if given.starts_a_client() => log::Screen::Clients,
            Self::Replay(given) if given.starts_a_client() => log::Screen::Clients,
            _ => log::Screen::Ours,
        }
    }
}
