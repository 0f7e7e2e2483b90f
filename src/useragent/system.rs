//! The person's own browser, started in the person's own environment: none of our variables, no proxy, no openers.

use super::Opened;
use super::shim::BROWSER;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// What opens a URL where the person names no browser.
const FALLBACKS: &[&str] = &["xdg-open", "open", "sensible-browser", "x-www-browser", "www-browser"];

/// Shows a URL. `caller` is the caller's original environment. Returns the name of the program that was started.
pub(super) fn show(opened: &Opened, caller: &[(OsString, OsString)]) -> Result<String, String> {
    let value = |name: &str| caller.iter().find(|(n, _)| n == OsStr::new(name)).map(|(_, value)| value.as_os_str());
    let path = value("PATH").unwrap_or_default();
    let browsers = value("BROWSER").and_then(OsStr::to_str).unwrap_or_default().split(':').filter(|browser| !browser.is_empty());
    let asked = Some(opened.opener.as_str()).filter(|opener| *opener != BROWSER);
    // The program that the client asked for, then the person's choice, then the desktop's.
    let candidates = asked.into_iter().chain(browsers).chain(FALLBACKS.iter().copied());
    let mut reason = "no browser found".to_owned();
    for candidate in candidates {
        let mut words = candidate.split_ascii_whitespace();
        let Some(program) = words.next().and_then(|name| find(name, path)) else { continue };
        let mut arguments: Vec<String> = words.map(|word| word.replace("%s", &opened.url)).collect();
        if !candidate.contains("%s") {
            arguments.push(opened.url.clone());
        }
        match start(&program, &arguments, caller) {
            Ok(()) => return Ok(program.display().to_string()),
            Err(error) => reason = format!("{}: {error}", program.display()),
        }
    }
    Err(reason)
}

pub(super) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|file| file.is_file());
    }
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Starts it in a group of its own, silent: it outlives the client and prints nothing into the client's terminal.
fn start(program: &Path, arguments: &[String], caller: &[(OsString, OsString)]) -> std::io::Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(caller.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn()?;
    tokio::spawn(async move { child.wait().await });
    Ok(())
}
