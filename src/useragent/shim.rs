//! The openers of a session: small scripts first on the client's PATH and behind `$BROWSER`, and the socket on which the URLs
//! arrive.
//!
//! Clients differ: some run `$BROWSER`, some `xdg-open` or `open` from PATH, some ship an `xdg-open` of their own that asks the
//! desktop's handler first when DISPLAY is set. That one is led to `$BROWSER` by an `xdg-mime` that knows no handler and by the
//! desktop name `X-Generic`; the person's own configuration is not touched.

use super::Opened;
use super::opener::{MESSAGE_LIMIT, Message, TAKEN};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Programs that show a URL.
const OPENERS: &[&str] = &[
    "xdg-open",
    "open",
    "www-browser",
    "x-www-browser",
    "sensible-browser",
    "gnome-open",
    "gnome-www-browser",
    "gvfs-open",
    "gio",
    "kde-open",
    "kde-open5",
    "kde-open6",
    "exo-open",
    "firefox",
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    BROWSER,
];

/// What `$BROWSER` names. Not one of the names that clients take for a text browser.
pub(super) const BROWSER: &str = "authtape-browser";

/// The variable that names the socket.
pub const SOCKET: &str = "AUTHTAPE_USER_AGENT";

/// Whether a display is pretended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// The caller's, or none.
    AsItIs,
    /// A name that leads nowhere where the caller has none: some clients only open a browser when they see a display. Not for
    /// [`UserAgent::System`](super::UserAgent::System), whose browser is real.
    Pretended,
}

/// The openers of one session. Dropped, the socket goes away and openers fail.
#[derive(Debug)]
pub struct Shim {
    folder: PathBuf,
    socket: PathBuf,
    opened: mpsc::Receiver<Opened>,
    listening: JoinHandle<()>,
}

impl Shim {
    /// Writes the openers of a session into a directory of the run (private, short path: a socket's is limited to about 100
    /// bytes) and listens. `authtape` is our own binary. Needs a tokio runtime.
    pub fn install(run_folder: &Path, authtape: &Path, session: u32) -> io::Result<Self> {
        let folder = run_folder.join(format!("bin-{session}"));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let socket = run_folder.join(format!("open-{session}"));
        for opener in OPENERS {
            write_script(&folder.join(opener), &script(authtape, &socket, opener, &folder))?;
        }
        write_script(&folder.join("xdg-mime"), &without_handler(&folder))?;
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        let (sender, opened) = mpsc::channel(64);
        let listening = tokio::spawn(listen(listener, session, sender));
        Ok(Self { folder, socket, opened, listening })
    }

    /// The directory of the openers.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The variables that lead a client to the openers. `caller` looks up the caller's value of a variable.
    pub fn variables<'a>(&self, caller: impl Fn(&str) -> Option<&'a OsStr>, display: Display) -> Vec<(&'static str, OsString)> {
        let mut variables = variables(&self.folder, caller, display);
        variables.push((SOCKET, self.socket.clone().into()));
        variables
    }

    /// The next URL that the session's client opened.
    pub async fn next(&mut self) -> Option<Opened> {
        self.opened.recv().await
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.listening.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The variables that lead to the openers in a directory.
pub fn variables<'a>(folder: &Path, caller: impl Fn(&str) -> Option<&'a OsStr>, display: Display) -> Vec<(&'static str, OsString)> {
    let path = caller("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let mut first = folder.to_owned().into_os_string();
    first.push(":");
    first.push(path);
    let mut variables = vec![("PATH", first), ("BROWSER", folder.join(BROWSER).into())];
    if caller("XDG_CURRENT_DESKTOP").is_some() || caller("DISPLAY").is_some() || display == Display::Pretended {
        variables.push(("XDG_CURRENT_DESKTOP", "X-Generic".into()));
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| caller(name).is_some_and(|value| !value.is_empty()));
    if display == Display::Pretended && !has_display {
        variables.push(("DISPLAY", ":authtape".into()));
    }
    variables
}

fn write_script(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(path)?;
    file.write_all(text.as_bytes())
}

/// All paths stand in the script: a client that cleans the environment of its children still finds the run.
fn script(authtape: &Path, socket: &Path, opener: &str, folder: &Path) -> String {
    let [authtape, socket, folder] = [authtape, socket, folder].map(quoted);
    format!("#!/bin/sh\nexec {authtape} open-url --socket {socket} --hidden-by {folder} --opener {opener} -- \"$@\"\n")
}

fn without_handler(folder: &Path) -> String {
    let folder = quoted(folder);
    format!(
        "#!/bin/sh\ncase \"$*\" in 'query default x-scheme-handler/http'*) exit 0 ;; esac\n\
         here={folder}\nPATH=${{PATH#\"$here\":}}\nexport PATH\nexec xdg-mime \"$@\"\n"
    )
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

async fn listen(listener: UnixListener, session: u32, sender: mpsc::Sender<Opened>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(take(stream, session, sender.clone()))),
            // Out of descriptors: the waiting opener is served when there is one again.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn take(mut stream: UnixStream, session: u32, sender: mpsc::Sender<Opened>) {
    let mut bytes = Vec::new();
    let mut limited = (&mut stream).take(MESSAGE_LIMIT);
    let reading = limited.read_to_end(&mut bytes);
    if !matches!(tokio::time::timeout(Duration::from_secs(10), reading).await, Ok(Ok(_))) {
        return;
    }
    let Ok(message) = serde_json::from_slice::<Message>(&bytes) else { return };
    if sender.send(Opened::new(session, &message.opener, &message.url)).await.is_ok() {
        let _ = stream.write_all(&[TAKEN]).await;
    }
}
