//! What stands in files that programs read after their environment: Claude Code's settings, npm's and pip's configuration. A
//! value is never shown.

use super::{Finding, Severity, beginning};
use crate::runner::Environment;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// How much of a file is read.
const LIMIT: u64 = 1 << 20;
/// How many files of a directory are read.
const FILES: usize = 100;

/// Where an administrator puts settings that nobody overrules.
const MANAGED: &str = if cfg!(target_os = "macos") { "/Library/Application Support/ClaudeCode" } else { "/etc/claude-code" };

/// Whose settings a file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// Those that `--settings` beats.
    Own,
    /// Those that beat everything.
    Managed,
}

/// What Claude Code's settings files say about proxies and certificates. `folder` is the working directory.
pub fn claude_settings(caller: &Environment, folder: &Path) -> Vec<Finding> {
    claude_settings_in(caller, folder, Path::new(MANAGED))
}

fn claude_settings_in(caller: &Environment, folder: &Path, managed: &Path) -> Vec<Finding> {
    let own = caller.value("CLAUDE_CONFIG_DIR").map(PathBuf::from).or_else(|| Some(home(caller)?.join(".claude")));
    let mut files: Vec<(Rank, PathBuf)> = own.map(|own| (Rank::Own, own.join("settings.json"))).into_iter().collect();
    files.extend(["settings.json", "settings.local.json"].map(|name| (Rank::Own, folder.join(".claude").join(name))));
    files.push((Rank::Managed, managed.join("managed-settings.json")));
    files.extend(json_files(&managed.join("managed-settings.d")).into_iter().map(|file| (Rank::Managed, file)));
    files.iter().filter_map(|(rank, file)| claude_file(*rank, file)).collect()
}

fn claude_file(rank: Rank, file: &Path) -> Option<Finding> {
    let bytes = beginning(file, LIMIT).ok()?;
    let shown = file.display();
    let Ok(settings) = serde_json::from_slice::<Value>(&bytes) else {
        return Some(Finding::new("claude-settings-broken", Severity::Warning, format!("{shown} is not JSON")));
    };
    let names = settings.get("env")?.as_object()?.keys().filter(|name| is_about_proxies(name) || is_about_certificates(name));
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        return None;
    }
    let list = names.join(", ");
    Some(match rank {
        Rank::Own => {
            let message = format!("{shown} sets {list}: it would beat our variables, so record adds --settings, which beat it");
            Finding::new("claude-settings", Severity::Info, message)
        }
        Rank::Managed => {
            let severity = if names.iter().any(|name| is_about_proxies(name)) { Severity::Error } else { Severity::Warning };
            Finding::new(
                "claude-managed-settings",
                severity,
                format!("{shown} sets {list}, and managed settings beat everything that we can say"),
            )
            .advice("ask who manages this machine, or record elsewhere")
        }
    })
}

/// What npm's and pip's files say about proxies.
pub fn package_managers(caller: &Environment, folder: &Path) -> Vec<Finding> {
    let home = home(caller);
    let npm = [Some(folder.join(".npmrc")), home.as_ref().map(|home| home.join(".npmrc"))];
    let npm = npm.into_iter().flatten().filter_map(|file| {
        let list = keys_of(&file, &["proxy", "https-proxy", "http-proxy", "noproxy", "cafile"])?;
        let message = format!("{} sets {list}: our variables beat it", file.display());
        Some(Finding::new("npmrc", Severity::Info, message))
    });
    let config = caller.text("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".config")));
    let pip = [
        caller.text("PIP_CONFIG_FILE").map(PathBuf::from),
        config.map(|config| config.join("pip/pip.conf")),
        home.as_ref().map(|home| home.join(".pip/pip.conf")),
        Some("/etc/pip.conf".into()),
    ];
    let pip = pip.into_iter().flatten().filter_map(|file| {
        let list = keys_of(&file, &["proxy"])?;
        let message = format!("{} sets {list}, which beats our variables: what pip installs is not seen", file.display());
        Some(Finding::new("pip-conf", Severity::Info, message))
    });
    npm.chain(pip).collect()
}

/// Those of the keys that an INI file sets.
fn keys_of(file: &Path, keys: &[&str]) -> Option<String> {
    let bytes = beginning(file, LIMIT).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let set = text.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim());
    let found: Vec<&str> = set.filter(|key| keys.contains(key)).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn is_about_proxies(name: &str) -> bool {
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_about_certificates(name: &str) -> bool {
    ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "CLAUDE_CODE_CERT_STORE", "NODE_TLS_REJECT_UNAUTHORIZED"].contains(&name)
}

fn home(caller: &Environment) -> Option<PathBuf> {
    caller.value("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(FILES).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|file| file.extension() == Some(OsStr::new("json"))).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: PathBuf, text: &str) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn settings_files_are_named_with_the_variables_they_set_and_without_values() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(at("home/.claude/settings.json"), r#"{"env":{"HTTPS_PROXY":"http://jane:hunter2@x","FOO":"1"}}"#);
        write(at("project/.claude/settings.json"), r#"{"model":"m"}"#);
        write(at("project/.claude/settings.local.json"), "{oops");
        write(at("managed/managed-settings.d/10.json"), r#"{"env":{"no_proxy":"*"}}"#);
        write(at("managed/managed-settings.json"), r#"{"env":{"NODE_EXTRA_CA_CERTS":"/x"}}"#);
        let caller: Environment = [("HOME", at("home"))].into_iter().collect();
        let findings = claude_settings_in(&caller, &at("project"), &at("managed"));
        let rules: Vec<_> = findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
        use Severity::{Error, Info, Warning};
        let managed = "claude-managed-settings";
        assert_eq!(rules, [("claude-settings", Info), ("claude-settings-broken", Warning), (managed, Warning), (managed, Error)]);
        assert!(findings[0].message.contains("sets HTTPS_PROXY:") && !format!("{findings:?}").contains("hunter2"));
    }

    #[test]
    fn npm_and_pip_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(at(".npmrc"), "registry=https://r.test/\nhttps-proxy = http://x\n; proxy=no\n");
        write(at(".config/pip/pip.conf"), "[global]\nindex-url = https://r.test/\nproxy = http://x\n");
        let caller: Environment = [("HOME", folder.path())].into_iter().collect();
        let rules: Vec<_> = package_managers(&caller, &at("project")).iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["npmrc", "pip-conf"]);
    }
}
