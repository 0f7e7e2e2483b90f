//! Job control: an interactive shell on a terminal starts a small program that runs a client as `record` does, and somebody
//! types. The program is this test binary: see [`program`].

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::runner_process::{DEADLINE, environment};
use authtape::runner::{Environment, Input, Launch, OwnTerminal, Screen};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::time::timeout;

/// Runs `$CLIENT` in a shell on the terminal it has, and ends with the client's exit code.
#[tokio::test]
#[ignore = "the program of the other tests"]
async fn program() {
    let Ok(client) = std::env::var("CLIENT") else { return };
    let launch = Launch { timeout: Some(DEADLINE), ..Launch::shell(&client, Environment::of_this_process(), Screen::Inherited) };
    let ended = launch.start().unwrap().finish().await;
    std::process::exit(ended.exit_code().into());
}

/// A shell on a terminal, its keyboard and its screen.
struct Shell {
    keyboard: std::io::PipeWriter,
    screen: DuplexStream,
    seen: String,
}

impl Shell {
    fn start() -> Self {
        let (reader, keyboard) = std::io::pipe().unwrap();
        let (ours, screen) = tokio::io::duplex(1 << 16);
        let program = std::env::current_exe().unwrap();
        let line = format!("'{}' --exact runner_jobs::program --ignored --nocapture", program.display());
        let own: Environment = [("PS1", "$ "), ("TERM", "dumb"), ("PROGRAM", line.as_str())].into_iter().collect();
        let environment: Environment = environment("jobs").iter().chain(own.iter()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let terminal = OwnTerminal { input: Some(Input::from_reader(reader)), ..OwnTerminal::new(ours) };
        let mut shell = Launch::shell("", environment, Screen::Own(terminal));
        shell.arguments = vec!["-i".into()];
        shell.timeout = Some(2 * DEADLINE);
        let running = shell.start().unwrap();
        tokio::spawn(running.finish());
        Self { keyboard, screen, seen: String::new() }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows a text behind what was awaited before.
    async fn until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let read = timeout(DEADLINE, self.screen.read(&mut buffer)).await;
            let count = read.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen)).unwrap();
            assert!(count > 0, "the shell ended before {text:?}: {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        self.seen = self.seen.split_once(text).unwrap().1.to_owned();
    }

    async fn run(&mut self, client: &str) {
        self.until("$ ").await;
        self.type_in(&format!("export CLIENT='{client}'; eval \"$PROGRAM\"; echo code=$?\n"));
    }
}

#[tokio::test]
async fn a_client_is_stopped_and_goes_on_as_the_shell_s_own_job() {
    let mut shell = Shell::start();
    shell.run("echo up\"\"on; read a; echo \"got-$a\"; read b; echo \"got-$b\"; exit 6").await;
    shell.until("upon").await;
    shell.type_in("one\n");
    shell.until("got-one").await;
    shell.type_in("\x1a");
    shell.until("Stopped").await;
    shell.until("$ ").await;
    shell.type_in("echo be\"\"tween\n");
    shell.until("between").await;
    shell.type_in("fg; echo code=$?\n");
    shell.until("--nocapture").await;
    shell.type_in("two\n");
    shell.until("got-two").await;
    shell.until("code=6").await;
}

#[tokio::test]
async fn control_c_is_the_client_s() {
    let mut shell = Shell::start();
    shell.run("trap \"echo tr\"\"apped; exit 9\" INT; echo up\"\"on; while :; do sleep 0.02; done").await;
    shell.until("upon").await;
    shell.type_in("\x03");
    shell.until("trapped").await;
    shell.until("code=9").await;
}

#[tokio::test]
async fn a_terminal_left_in_disorder_is_put_in_order() {
    let mut shell = Shell::start();
    shell.run("stty raw -echo; kill -KILL $$").await;
    shell.until("code=137").await;
    shell.until("$ ").await;
    shell.type_in("stty -a | grep -o \"[-]*icanon\\|[-]*echo \"; echo e\"\"nd\n");
    shell.until("end").await;
    assert!(!shell.seen.contains("-icanon") && !shell.seen.contains("-echo "), "{:?}", shell.seen);
    let before_end = Instant::now();
    shell.type_in("echo al\"\"ive\n");
    shell.until("alive").await;
    assert!(before_end.elapsed() < DEADLINE - Duration::from_secs(1));
}
