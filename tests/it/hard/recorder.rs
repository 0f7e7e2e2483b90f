//! The binary as a test starts it: from an empty environment, in a folder of its own, ended by its process id.

use crate::proxy::origin::authority;
use crate::proxy::world::soon;
use authtape::cassette::Cassette;
use authtape::runner::ServingState;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The name under which clients know the server of a test.
pub const HOST: &str = "mcp.example.test";

/// Where one `authtape record` runs.
pub struct Place {
    folder: TempDir,
}

/// A running `authtape record`.
pub struct Recorder {
    pub place: Place,
    child: Child,
    pub pid: Pid,
    stderr: Arc<Printed>,
    reading: JoinHandle<()>,
    stdout: Option<ChildStdout>,
}

#[derive(Default)]
struct Printed {
    text: Mutex<String>,
    more: Notify,
}

/// How it ended.
pub struct Over {
    pub place: Place,
    pub code: Option<i32>,
    pub stderr: String,
    pub stdout: String,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["out", "home", "tmp", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("ca.pem"), authority().pem()).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn tape(&self) -> PathBuf {
        self.path("out/tape.yaml")
    }

    pub fn part(&self) -> PathBuf {
        self.path("out/tape.yaml.part")
    }

    pub fn load(&self) -> Cassette {
        Cassette::load(&self.tape()).unwrap()
    }

    /// The binary in this place, with no other environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.folder.path()).env("PATH", "/usr/bin:/bin").env("HOME", self.path("home"));
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("TMPDIR", self.path("tmp"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// `authtape record` with the usual options, these, and a client after `--`.
    pub fn record(&self, options: &[&str], client: &[&str]) -> Command {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_authtape")));
        command.args(["record", "--user-agent", "none", "--upstream-ca", "ca.pem"]).args(options);
        if !options.contains(&"-o") {
            command.args(["-o", "out/tape.yaml"]);
        }
        if !client.is_empty() {
            command.arg("--").args(client);
        }
        command
    }

    pub fn run(self, mut command: Command) -> Recorder {
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
        let stderr = Arc::<Printed>::default();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let printed = Arc::clone(&stderr);
        let reading = tokio::spawn(async move {
            let mut line = String::new();
            while lines.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                printed.text.lock().unwrap().push_str(&std::mem::take(&mut line));
                printed.more.notify_waiters();
            }
        });
        let stdout = child.stdout.take();
        Recorder { place: self, child, pid, stderr, reading, stdout }
    }
}

impl Recorder {
    /// A recorder that serves.
    pub async fn serve(server: SocketAddr, options: &[&str]) -> Self {
        Self::serve_with(server, options, |command| command).await
    }

    pub async fn serve_with(server: SocketAddr, options: &[&str], change: impl FnOnce(Command) -> Command) -> Self {
        let place = Place::new();
        let rule = format!("{HOST}:443={server}");
        let command = place.record(&[&["--connect-to", &rule], options].concat(), &[]);
        let recorder = place.run(change(command));
        recorder.said("serving on ").await;
        recorder
    }

    /// A recorder that runs a shell script as its client; it finds the server under `https://mcp.example.test`.
    pub fn client(server: SocketAddr, options: &[&str], script: &str) -> Self {
        let place = Place::new();
        let rule = format!("{HOST}:443={server}");
        let command = place.record(&[&["--connect-to", &rule], options].concat(), &["/bin/sh", "-c", script]);
        place.run(command)
    }

    /// Waits until it printed this.
    pub async fn said(&self, what: &str) {
        let said = async {
            loop {
                let more = self.stderr.more.notified();
                if self.stderr.text.lock().unwrap().contains(what) {
                    return;
                }
                more.await;
            }
        };
        if tokio::time::timeout(crate::proxy::world::PATIENCE, said).await.is_err() {
            panic!("it never said {what:?}: {}", self.stderr.text.lock().unwrap());
        }
    }

    fn state(&self) -> ServingState {
        ServingState::read(&self.place.path("run/authtape.json")).unwrap()
    }

    /// The proxy's URL, credential included.
    pub fn proxy(&self) -> String {
        self.state().proxy
    }

    /// The proxy's address.
    pub fn address(&self) -> SocketAddr {
        self.proxy().rsplit_once('@').unwrap().1.trim_end_matches('/').parse().unwrap()
    }

    /// A client that trusts the recorder and sends everything through it.
    pub fn http(&self) -> reqwest::Client {
        self.http_builder().build().unwrap()
    }

    pub fn http_builder(&self) -> reqwest::ClientBuilder {
        let state = self.state();
        client(&state.proxy, &fs::read(state.root).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// A line of `/proc/PID/status`, in kB.
    pub fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Clock ticks that it used so far.
    pub fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// How long its writer was ready to run and got no processor, since it began (`/proc/PID/task/TID/schedstat`).
    pub fn starved(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        let writer =
            tasks.map(|task| task.unwrap().path()).find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "writer\n"));
        let Some(Ok(stat)) = writer.map(|task| fs::read_to_string(task.join("schedstat"))) else { return Duration::ZERO };
        stat.split(' ').nth(1).map_or(Duration::ZERO, |waited| Duration::from_nanos(waited.parse().unwrap()))
    }

    /// Asks it to end, and waits.
    pub async fn stop(self) -> Over {
        self.signal(Signal::SIGINT);
        self.over().await
    }

    /// Waits for its end.
    pub async fn over(mut self) -> Over {
        let mut stdout = Vec::new();
        let status = soon(async {
            if let Some(mut out) = self.stdout.take() {
                out.read_to_end(&mut stdout).await.unwrap();
            }
            self.child.wait().await.unwrap()
        });
        let status = status.await;
        soon(self.reading).await.unwrap();
        let stderr = std::mem::take(&mut *self.stderr.text.lock().unwrap());
        Over { place: self.place, code: status.code(), stderr, stdout: String::from_utf8(stdout).unwrap() }
    }

    /// Its standard output, which is also the client's.
    pub fn stdout(&mut self) -> ChildStdout {
        self.stdout.take().unwrap()
    }
}

/// A client behind a proxy, trusting one root.
pub fn client(proxy: &str, root: &[u8]) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(root).unwrap();
    reqwest::Client::builder().tls_certs_only([root]).proxy(reqwest::Proxy::all(proxy).unwrap())
}

impl Over {
    /// What was printed, with what differs from run to run made equal.
    pub fn plain(&self) -> String {
        let folder = self.place.path("");
        let text = self.stderr.replace(folder.to_str().unwrap(), "PLACE/");
        regex::Regex::new(r"; \d+\.\d s").unwrap().replace_all(&text, "; T s").into_owned()
    }
}

/// Every byte of every file below a folder.
pub fn all_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_bytes(&path));
        } else if path.is_file() {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}

/// True when a process of this id runs (and is no zombie).
pub fn is_alive(pid: impl AsRef<OsStr>) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.as_ref()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}
