//! The proxies that are measured, each a process of its own with an empty environment on loopback: the real `authtape record` and
//! `authtape replay`, hudsucker alone, and mitmdump where there is one.

use super::Fallible;
use super::load::Way;
use authtape::runner::ServingState;
use base64::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a peer may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running proxy. It is killed when this goes.
pub struct Peer {
    pub way: Way,
    pub pid: u32,
    child: Child,
    folder: TempDir,
}

/// What becomes of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Nothing is kept.
    Forgotten,
    /// It is recorded.
    Recorded,
}

/// `authtape record` or `authtape replay`, serving.
pub struct Authtape {
    pub peer: Peer,
    /// From its start until it says that it serves.
    pub until_serving: Duration,
    errors: BufReader<std::process::ChildStderr>,
}

impl Peer {
    /// This program in the role of hudsucker alone.
    pub fn bare(upstream_ca: &Path) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = clean(std::env::current_exe()?, folder.path());
        let child = command.arg("serve-bare").arg(folder.path()).arg(upstream_ca).spawn()?;
        let peer = |child: Child, folder, way| Self { way, pid: child.id(), child, folder };
        let nowhere = Way { proxy: None, trusted: String::new() };
        let mut peer = peer(child, folder, nowhere);
        let address = peer.folder.path().join("address");
        peer.wait_until(|| address.exists())?;
        peer.way.proxy = Some((fs::read_to_string(address)?.parse()?, None));
        peer.way.trusted = fs::read_to_string(peer.folder.path().join("root.pem"))?;
        Ok(peer)
    }

    /// `mitmdump -q` as a recorder, if there is one. It keeps the flows in `flows` where that is asked for.
    pub fn mitmdump(upstream_ca: &Path, flows: Option<&Path>) -> Fallible<Option<Self>> {
        let mut settings = vec![setting("ssl_verify_upstream_trusted_ca", upstream_ca)];
        settings.extend(flows.map(|flows| setting("save_stream_file", flows)));
        Self::mitmdump_with(&settings)
    }

    /// `mitmdump -q --server-replay FLOWS`: each flow as often as it is asked for, and nothing is dialled.
    pub fn mitmdump_replay(flows: &Path) -> Fallible<Option<Self>> {
        let fixed = ["server_replay_reuse=true", "server_replay_extra=500", "connection_strategy=lazy", "upstream_cert=false"];
        // In its favour: bodies are not compared and dates stay as they are.
        let fixed = fixed.into_iter().chain(["server_replay_ignore_content=true", "server_replay_refresh=false"]);
        let settings = std::iter::once(setting("server_replay", flows)).chain(fixed.map(str::to_owned));
        Self::mitmdump_with(&settings.collect::<Vec<_>>())
    }

    fn mitmdump_with(settings: &[String]) -> Fallible<Option<Self>> {
        let Some(program) = find_mitmdump() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let root = folder.path().join("mitmproxy-ca-cert.pem");
        let mut command = clean(program, folder.path());
        command.args(["-q", "--listen-host", "127.0.0.1", "--listen-port", &address.port().to_string(), "--set"]);
        command.arg(setting("confdir", folder.path()));
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let child = command.stderr(Stdio::null()).spawn()?;
        let way = Way { proxy: Some((address, None)), trusted: String::new() };
        let mut peer = Self { way, pid: child.id(), child, folder };
        peer.wait_until(|| root.exists() && TcpStream::connect(address).is_ok())?;
        peer.way.trusted = fs::read_to_string(root)?;
        Ok(Some(peer))
    }

    /// Ends it as Ctrl-C does, so that it writes what it has.
    pub fn stop(mut self) -> Fallible<()> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGINT)?;
        self.child.wait()?;
        Ok(())
    }

    fn wait_until(&mut self, mut is_there: impl FnMut() -> bool) -> Fallible<()> {
        let began = Instant::now();
        while !is_there() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("a peer ended early: {status}").into());
            }
            if began.elapsed() > PATIENCE {
                return Err("a peer did not start".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; the process is ours until it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Authtape {
    /// Starts to record into a new cassette. These servers are reached by `--connect-to`.
    pub fn record(upstream_ca: &Path, servers: &[SocketAddr]) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = clean(env!("CARGO_BIN_EXE_authtape"), folder.path());
        command.env("XDG_RUNTIME_DIR", folder.path()).arg("record").arg("-o").arg(folder.path().join("bench.yaml"));
        command.arg("--upstream-ca").arg(upstream_ca);
        for server in servers {
            command.arg("--connect-to").arg(format!("localhost:{}={server}", server.port()));
        }
        Self::serving(command, folder)
    }

    /// Starts to replay a tape.
    pub fn replay(tape: &Path, run: Run) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = clean(env!("CARGO_BIN_EXE_authtape"), folder.path());
        command.env("XDG_RUNTIME_DIR", folder.path()).arg("replay").arg(tape);
        if run == Run::Recorded {
            command.arg("-o").arg(folder.path().join("bench.yaml"));
        }
        Self::serving(command, folder)
    }

    fn serving(mut command: Command, folder: TempDir) -> Fallible<Self> {
        let began = Instant::now();
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut errors = BufReader::new(child.stderr.take().ok_or("no pipe")?);
        let way = Way { proxy: None, trusted: String::new() };
        let mut peer = Peer { way, pid: child.id(), child, folder };
        let mut said = String::new();
        while !said.contains("serving on ") {
            if errors.read_line(&mut said)? == 0 {
                return Err(format!("authtape did not start: {said}").into());
            }
        }
        let until_serving = began.elapsed();
        let state = ServingState::read(&peer.folder.path().join("authtape.json"))?;
        peer.way = Way { proxy: Some(proxy_of(&state.proxy)?), trusted: fs::read_to_string(&state.root)? };
        Ok(Self { peer, until_serving, errors })
    }

    /// Where the cassette will be.
    pub fn cassette(&self) -> PathBuf {
        self.peer.folder.path().join("bench.yaml")
    }

    /// Where it grows.
    pub fn part(&self) -> PathBuf {
        self.peer.folder.path().join("bench.yaml.part")
    }

    /// Ends the recording as Ctrl-C does and waits for the cassette; calls `watch` while it waits. Gives the time it took.
    pub fn finish(&mut self, mut watch: impl FnMut(u32)) -> Fallible<Duration> {
        let began = Instant::now();
        kill(Pid::from_raw(i32::try_from(self.peer.pid)?), Signal::SIGINT)?;
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.peer.child.try_wait()? {
                let said: Vec<String> = self.errors.by_ref().lines().collect::<Result<_, _>>()?;
                return if status.success() { Ok(began.elapsed()) } else { Err(format!("{status}: {}", said.join("\n")).into()) };
            }
            watch(self.peer.pid);
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("authtape did not end".into())
    }
}

/// Address and credential of a proxy URL.
fn proxy_of(url: &str) -> Fallible<(SocketAddr, Option<String>)> {
    let url = url::Url::parse(url)?;
    let address = url.socket_addrs(|| None)?.into_iter().next().ok_or("no address")?;
    let credential = format!("{}:{}", url.username(), url.password().unwrap_or_default());
    Ok((address, Some(format!("Basic {}", BASE64_STANDARD.encode(credential)))))
}

/// A command with nothing of our environment but the PATH.
fn clean(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("TMPDIR", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn setting(name: &str, value: &Path) -> String {
    format!("{name}={}", value.display())
}

/// `AUTHTAPE_MITMDUMP`, else what PATH has.
fn find_mitmdump() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("AUTHTAPE_MITMDUMP") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("mitmdump")).find(|program| program.is_file())
}
