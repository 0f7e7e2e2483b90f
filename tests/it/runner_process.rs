//! Clients as real processes: environment, exit codes, time limit, terminal, what they leave behind.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use authtape::runner::{Ended, Environment, Input, Launch, Measure, OwnTerminal, Screen};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

pub const DEADLINE: Duration = Duration::from_secs(30);

/// The environment of the tests' clients: little of ours, and a marker like no other.
pub fn environment(session: &str) -> Environment {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = std::env::var_os("PATH").expect("PATH is set");
    let count = COUNT.fetch_add(1, Relaxed);
    let marker = OsString::from(format!("http://{session}:{}-{count}@127.0.0.1:1", std::process::id()));
    [("PATH", path), ("AUTHTAPE_PROXY", marker)].into_iter().collect()
}

fn launch(program: &str, arguments: &[&str], session: &str) -> Launch {
    let environment = environment(session);
    Launch {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        caller: environment.clone(),
        environment,
        folder: None,
        screen: Screen::Inherited,
        timeout: Some(DEADLINE),
    }
}

/// Runs a command on a terminal of its own and gives what it printed.
pub async fn on_a_terminal(mut launch: Launch, input: Option<Input>) -> (Ended, String) {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    launch.screen = Screen::Own(OwnTerminal { input, ..OwnTerminal::new(ours) });
    let running = launch.start().unwrap();
    let mut text = String::new();
    let (ended, _) = tokio::join!(running.finish(), theirs.read_to_string(&mut text));
    (ended, text)
}

/// Waits until a file has content.
pub async fn content_of(path: &Path) -> String {
    let end = Instant::now() + DEADLINE;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < end, "{} stays empty", path.display()),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn the_exit_code_is_the_client_s_own() {
    for (script, ended, code) in [("exit 7", Ended::Exited(7), 7), ("kill -KILL $$", Ended::Killed(9), 137), ("true", Ended::Exited(0), 0)]
    {
        let running = launch("sh", &["-c", script], "codes").start().unwrap();
        let got = running.finish().await;
        assert_eq!((got, got.exit_code()), (ended, code), "{script}");
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let code = |program: &str| launch(program, &[], "none").start().err().unwrap().exit_code();
    assert_eq!(code("authtape-has-no-such-program"), 127);
    let text = folder.path().join("text");
    std::fs::write(&text, "text").unwrap();
    assert_eq!(code(text.to_str().unwrap()), 126);
    let orphan = executable(folder.path(), "orphan", "#!/no/such/interpreter\n");
    let error = launch(&orphan, &[], "none").start().err().unwrap();
    assert_eq!((error.exit_code(), error.to_string()), (126, format!("{orphan}: cannot be executed: its interpreter is missing")));
}

#[tokio::test]
async fn a_script_without_its_first_line_runs_as_in_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let script = executable(folder.path(), "script", "exit \"$1\"\n");
    assert_eq!(launch(&script, &["5"], "script").start().unwrap().finish().await, Ended::Exited(5));
}

#[tokio::test]
async fn a_client_sees_exactly_the_environment_it_is_given() {
    let mut client = launch("env", &[], "env");
    client.environment = [("A", "1"), ("B", "x y")].into_iter().collect();
    let (ended, text) = on_a_terminal(client, None).await;
    assert_eq!((ended, text.as_str()), (Ended::Exited(0), "A=1\r\nB=x y\r\n"));
}

#[tokio::test]
async fn a_time_limit_ends_what_ignores_it_and_what_left_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!(
        "trap '' TERM; sleep 1000 & a=$!; setsid -f sh -c 'echo $$ > {0}.daemon; exec sleep 1000'; \
         (trap '' TERM HUP; sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' & wait) & \
         while [ ! -s {0}.daemon ]; do sleep 0.01; done; echo $$ $a $! $(cat {0}.daemon) > {0}; wait; sleep 1000",
        pids.display()
    );
    let mut client = launch("sh", &["-c", &script], "limit");
    client.timeout = None;
    let running = client.start().unwrap();
    let started = content_of(&pids).await;
    drop(running);
    gone(&started).await;

    std::fs::remove_file(&pids).unwrap();
    std::fs::remove_file(format!("{}.daemon", pids.display())).unwrap();
    let mut client = launch("sh", &["-c", &script], "limit");
    client.timeout = Some(Duration::from_millis(1_500));
    let ended = client.start().unwrap().finish().await;
    assert_eq!((ended, ended.exit_code()), (Ended::TimedOut, 124));
    let started = content_of(&pids).await;
    assert_eq!(started.split_whitespace().count(), 4);
    assert!(started.split_whitespace().all(|pid| !is_alive(pid)), "{started}");
}

async fn gone(pids: &str) {
    let end = Instant::now() + DEADLINE;
    while let Some(pid) = pids.split_whitespace().find(|pid| is_alive(pid)) {
        assert!(Instant::now() < end, "{pid} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_client_leaves_in_its_group_ends_with_it_and_a_daemon_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let (left, daemon) = (folder.path().join("left"), folder.path().join("daemon"));
    let script = format!(
        "sleep 1000 & echo $! > {}; setsid -f sh -c 'echo $$ > {1}; exec sleep 1000'; while [ ! -s {1} ]; do sleep 0.01; done; exit 3",
        left.display(),
        daemon.display()
    );
    let ended = launch("sh", &["-c", &script], "left").start().unwrap().finish().await;
    assert_eq!(ended, Ended::Exited(3));
    assert!(!is_alive(&content_of(&left).await));
    let daemon = content_of(&daemon).await;
    assert!(is_alive(&daemon));
    let killed = std::process::Command::new("kill").arg(daemon.trim()).status().unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn a_terminal_of_its_own_becomes_as_large_as_the_window_that_shows_it() {
    let (rows, (ours, mut theirs)) = (Arc::new(AtomicU16::new(30)), tokio::io::duplex(1 << 16));
    let script = "trap 'stty size; exit 5' WINCH; stty size; while :; do sleep 0.01; done";
    let mut client = launch("sh", &["-c", script], "window");
    let shown = Arc::clone(&rows);
    let measure = Some(Box::new(move || Some((shown.load(Relaxed), 100_u16))) as Measure);
    client.screen = Screen::Own(OwnTerminal { measure, ..OwnTerminal::new(ours) });
    let running = tokio::spawn(client.start().unwrap().finish());
    let mut line = [0; 8];
    theirs.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"30 100\r\n");
    rows.store(40, Relaxed);
    // To this process alone, as a terminal does to its foreground.
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGWINCH).unwrap();
    theirs.read_exact(&mut line).await.unwrap();
    assert_eq!((&line, running.await.unwrap()), (b"40 100\r\n", Ended::Exited(5)));
}

#[tokio::test]
async fn a_terminal_of_its_own_is_a_terminal_with_a_size_and_an_open_input() {
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size && read line && echo \"got $line\"";
    let input = Input::from_reader(std::io::Cursor::new(b"hello\n".to_vec()));
    let (ended, text) = on_a_terminal(launch("sh", &["-c", script], "tty"), Some(input)).await;
    assert_eq!(ended, Ended::Exited(0));
    assert!(text.contains("24 80\r\n") && text.contains("got hello\r\n"), "{text:?}");
}

#[tokio::test]
async fn input_that_one_client_did_not_take_is_there_for_the_next() {
    let (reader, writer) = std::io::pipe().unwrap();
    let input = Input::from_reader(reader);
    let (ended, _) = on_a_terminal(launch("true", &[], "in1"), Some(input.clone())).await;
    assert_eq!(ended, Ended::Exited(0));
    std::io::Write::write_all(&mut &writer, b"later\n").unwrap();
    let (_, text) = on_a_terminal(launch("sh", &["-c", "read x; echo got $x"], "in2"), Some(input)).await;
    assert!(text.contains("got later"), "{text:?}");
}

#[tokio::test]
async fn a_setup_command_is_a_line_for_the_shell() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let setup = Launch::shell("echo one && exit 4", environment("setup"), Screen::Own(OwnTerminal::new(ours)));
    let mut text = String::new();
    let running = setup.start().unwrap();
    let (ended, _) = tokio::join!(running.finish(), theirs.read_to_string(&mut text));
    assert_eq!((ended, text.as_str()), (Ended::Exited(4), "one\r\n"));
}

pub fn executable(folder: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}
