//! A browser with a profile of its own behind the run's proxy. It is told to trust the key of the run's certificates, to proxy
//! this machine too, and to do nothing of its own accord; what it shows is between the person and the servers.

use super::Opened;
use super::system::find;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use tokio::process::{Child, Command};

/// Browsers of the family, the free one first.
const NAMES: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "brave-browser"];

/// What keeps it from talking to anybody but the servers of a login, and from asking the person about itself.
const QUIET: &[&str] = &[
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--no-service-autorun",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--allow-browser-signin=false",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    "--disable-features=AutofillServerCommunication,DialMediaRouteProvider,HttpsUpgrades,MediaRouter,OptimizationHints,Translate",
];

/// What a browser is given.
pub struct ChromiumOptions {
    /// The browser.
    pub program: PathBuf,
    /// A private directory of the session; profiles are made in it.
    pub folder: PathBuf,
    /// A port of the run's proxy that asks for no credential: browsers take none on their command line.
    pub proxy: SocketAddr,
    /// Base64 of the SHA-256 of the public key of the run's certificates.
    pub trusted_key: String,
    /// All variables of the caller.
    pub caller: Vec<(OsString, OsString)>,
}

/// The browser of a session. Dropped, it is closed.
pub struct Chromium {
    options: ChromiumOptions,
    windows: Windows,
    visits: AtomicU32,
    running: Mutex<Vec<Child>>,
}

/// Whether there is somebody to look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Windows {
    Shown,
    /// No display: it can only follow what needs no person.
    Headless,
}

/// Whether the browser can lock itself in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandbox {
    Kept,
    /// Chromium refuses to run as root with it.
    Off,
}

/// The browser that a person has installed.
pub fn find_chromium(path: &OsStr) -> Option<PathBuf> {
    NAMES.iter().find_map(|name| find(name, path))
}

impl Chromium {
    /// A browser that is not started yet.
    pub fn new(options: ChromiumOptions) -> Self {
        let has = |name: &str| options.caller.iter().any(|(n, value)| n == OsStr::new(name) && !value.is_empty());
        let windows = if has("DISPLAY") || has("WAYLAND_DISPLAY") { Windows::Shown } else { Windows::Headless };
        Self { options, windows, visits: AtomicU32::new(0), running: Mutex::default() }
    }

    /// Shows a URL: in a window that is there already, or in a new one. Returns the name of the program.
    pub(super) fn show(&self, opened: &Opened) -> Result<String, String> {
        let program = self.options.program.display().to_string();
        self.start(&opened.url).map_err(|error| format!("{program}: {error}"))?;
        Ok(program)
    }

    fn start(&self, url: &str) -> io::Result<()> {
        let visit = self.visits.fetch_add(1, Relaxed);
        // A second process with the same profile hands the URL to the first and ends, but only where there are windows.
        let name = if self.windows == Windows::Shown { "profile".to_owned() } else { format!("profile-{visit}") };
        let profile = self.options.folder.join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&profile)?;
        let sandbox = if nix::unistd::geteuid().is_root() { Sandbox::Off } else { Sandbox::Kept };
        let mut command = Command::new(&self.options.program);
        command.args(arguments(&self.options, self.windows, sandbox, &profile)).arg(url);
        command.env_clear().envs(environment(&self.options.caller, &profile));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let child = command.spawn()?;
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        Ok(())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        for child in running {
            // One that has ended is not ours any more, nor is its number.
            if let (Ok(None), Some(pid)) = (child.try_wait(), child.id().and_then(|pid| i32::try_from(pid).ok())) {
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

fn arguments(options: &ChromiumOptions, windows: Windows, sandbox: Sandbox, profile: &Path) -> Vec<OsString> {
    let mut data = OsString::from("--user-data-dir=");
    data.push(profile);
    let mut arguments = vec![
        data,
        format!("--proxy-server=http://{}", options.proxy).into(),
        // Since Chromium 72 this machine is never proxied without it.
        "--proxy-bypass-list=<-loopback>".into(),
        format!("--ignore-certificate-errors-spki-list={}", options.trusted_key).into(),
    ];
    arguments.extend(QUIET.iter().map(OsString::from));
    if windows == Windows::Headless {
        arguments.push("--headless=new".into());
    }
    if sandbox == Sandbox::Off {
        arguments.push("--no-sandbox".into());
    }
    arguments
}

/// The caller's environment with the profile as home: a browser leaves caches and a certificate store there.
fn environment(caller: &[(OsString, OsString)], home: &Path) -> Vec<(OsString, OsString)> {
    const OWN: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"];
    let value = |name: &str| caller.iter().find(|(n, _)| n == OsStr::new(name)).map(|(_, value)| value);
    let mut environment: Vec<_> = caller.iter().filter(|(name, _)| !OWN.iter().any(|own| name == OsStr::new(own))).cloned().collect();
    environment.push(("HOME".into(), home.into()));
    if let (Some(old), None) = (value("HOME"), value("XAUTHORITY")) {
        environment.push(("XAUTHORITY".into(), Path::new(old).join(".Xauthority").into()));
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(caller: &[(&str, &str)]) -> ChromiumOptions {
        ChromiumOptions {
            program: "/usr/bin/chromium".into(),
            folder: "/run/chromium-1".into(),
            proxy: SocketAddr::from(([127, 0, 0, 1], 4711)),
            trusted_key: "a2V5".into(),
            caller: caller.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }

    #[test]
    fn the_command_line_leads_everything_through_the_proxy() {
        let arguments = arguments(&options(&[]), Windows::Headless, Sandbox::Off, Path::new("/run/p"));
        let text: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
        insta::assert_snapshot!(text.iter().filter(|text| !QUIET.contains(text)).copied().collect::<Vec<_>>().join("\n"), @"
        --user-data-dir=/run/p
        --proxy-server=http://127.0.0.1:4711
        --proxy-bypass-list=<-loopback>
        --ignore-certificate-errors-spki-list=a2V5
        --headless=new
        --no-sandbox
        ");
        assert!(QUIET.iter().all(|flag| text.contains(flag)));
        let shown = super::arguments(&options(&[]), Windows::Shown, Sandbox::Kept, Path::new("/run/p"));
        assert!(!shown.iter().any(|argument| argument == "--no-sandbox" || argument == "--headless=new"));
    }

    #[test]
    fn it_is_headless_without_a_display_and_has_a_home_of_its_own() {
        assert_eq!(Chromium::new(options(&[])).windows, Windows::Headless);
        assert_eq!(Chromium::new(options(&[("DISPLAY", "")])).windows, Windows::Headless);
        assert_eq!(Chromium::new(options(&[("WAYLAND_DISPLAY", "wayland-0")])).windows, Windows::Shown);
        let caller = options(&[("HOME", "/home/jane"), ("XDG_CONFIG_HOME", "/home/jane/.config"), ("LANG", "C")]).caller;
        let environment = environment(&caller, Path::new("/run/p"));
        let text: Vec<String> = environment.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
        assert_eq!(text, ["LANG=C", "HOME=/run/p", "XAUTHORITY=/home/jane/.Xauthority"]);
    }
}
