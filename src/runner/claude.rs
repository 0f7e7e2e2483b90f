//! Claude Code reads `env` of its settings files after its environment, so a settings file beats the variables we set; only
//! `--settings` directly after the program name beats the file (measured with 2.1.329). This adds it, merged into the user's own.
//!
//! The settings go into a private file and not into the arguments: the proxy's URL holds the run's credential, and a command
//! line is readable for everybody on the machine.

use super::bundle::write_private;
use super::{Environment, Variables};
use serde_json::{Map, Value};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

/// What became of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adapted {
    /// It is not Claude Code.
    Unchanged,
    /// These are the arguments now.
    Arguments(Vec<OsString>),
    /// It is Claude Code, but the user's own `--settings` cannot be merged; the text says why. The arguments stay.
    NotMerged(String),
}

const OPTION: &str = "--settings";

/// The size of a settings file that is read.
const LIMIT: u64 = 1 << 20;

/// Adds the settings to a command line of Claude Code. `found` is where the program was found; `variables` are those of
/// [`interception::variables`](super::interception::variables); the file is written into `folder`, which must be private.
pub fn adapt(
    program: &OsStr,
    found: &Path,
    arguments: &[OsString],
    variables: &Variables,
    caller: &Environment,
    folder: &Path,
) -> io::Result<Adapted> {
    let Some(place) = place_of_options(program, found, arguments) else { return Ok(Adapted::Unchanged) };
    let (mut kept, given) = without_settings(arguments, place);
    let mut settings = match given.as_deref().map(|given| read(given, caller)).transpose() {
        Ok(settings) => settings.unwrap_or_default(),
        Err(reason) => return Ok(Adapted::NotMerged(reason)),
    };
    let env = settings.entry("env").or_insert_with(|| Value::Object(Map::new()));
    let Some(env) = env.as_object_mut() else { return Ok(Adapted::NotMerged(format!("`env` in {OPTION} is not an object"))) };
    for (name, value) in variables.iter() {
        // A variable cannot be removed there; an empty one counts as unset for those that we remove.
        env.insert(name.to_owned(), value.unwrap_or_default().to_string_lossy().into());
    }
    let file = folder.join("claude-settings.json");
    write_private(&file, Value::Object(settings).to_string().as_bytes())?;
    kept.splice(place..place, [OsString::from(OPTION), file.into_os_string()]);
    Ok(Adapted::Arguments(kept))
}

/// Where Claude Code's own options begin among the arguments; `None` if the program is another one.
fn place_of_options(program: &OsStr, found: &Path, arguments: &[OsString]) -> Option<usize> {
    let resolved = fs::canonicalize(found).unwrap_or_else(|_| found.to_owned());
    if is_claude(Path::new(program)) || is_claude(&resolved) {
        return Some(0);
    }
    let base = Path::new(program).file_name()?.to_str()?;
    if !matches!(base, "node" | "bun" | "npx" | "bunx") {
        return None;
    }
    let script = arguments.iter().position(|argument| !argument.as_encoded_bytes().starts_with(b"-"))?;
    let named = Path::new(&arguments[script]);
    let resolved = fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
    (is_claude(named) || is_claude(&resolved)).then_some(script + 1)
}

/// `claude`, `…/@anthropic-ai/claude-code/cli.js`, `…/@anthropic-ai/claude-code-linux-x64/claude`, `~/.local/share/claude/versions/2.1.329`.
fn is_claude(path: &Path) -> bool {
    let text = path.to_string_lossy();
    path.file_name() == Some(OsStr::new("claude")) || text.contains("@anthropic-ai/claude-code") || text.contains("/claude/versions/")
}

/// The arguments without the user's own `--settings`, and its value: the last one counts, as for any option.
fn without_settings(arguments: &[OsString], from: usize) -> (Vec<OsString>, Option<String>) {
    let mut kept: Vec<OsString> = arguments[..from].to_vec();
    let mut given = None;
    let mut rest = arguments[from..].iter();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--") => {
                kept.push(argument.clone());
                kept.extend(rest.cloned());
                break;
            }
            Some(OPTION) => given = rest.next().map(|value| value.to_string_lossy().into_owned()),
            Some(text) if text.starts_with("--settings=") => given = Some(text["--settings=".len()..].to_owned()),
            _ => kept.push(argument.clone()),
        }
    }
    (kept, given)
}

/// The user's settings: JSON on the command line, or the path of a file. The error quotes no value.
fn read(given: &str, caller: &Environment) -> Result<Map<String, Value>, String> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        let path = match (given.strip_prefix("~/"), caller.text("HOME")) {
            (Some(below), Some(home)) => Path::new(home).join(below),
            _ => Path::new(given).to_owned(),
        };
        let metadata = fs::metadata(&path).map_err(|error| format!("{OPTION} {}: {error}", path.display()))?;
        if metadata.len() > LIMIT {
            return Err(format!("{OPTION} {}: larger than {LIMIT} bytes", path.display()));
        }
        fs::read_to_string(&path).map_err(|error| format!("{OPTION} {}: {error}", path.display()))?
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(settings)) => Ok(settings),
        Ok(_) => Err(format!("{OPTION} is not a JSON object")),
        Err(error) => Err(format!("{OPTION} is not JSON: line {}, column {}", error.line(), error.column())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(program: &str, arguments: &[&str]) -> (Vec<String>, Value) {
        let folder = tempfile::tempdir().unwrap();
        let variables: Variables = [("HTTPS_PROXY", "http://p"), ("NO_PROXY", "")].into_iter().collect();
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let found = Path::new("/usr/bin/x");
        match adapt(OsStr::new(program), found, &arguments, &variables, &Environment::default(), folder.path()).unwrap() {
            Adapted::Arguments(arguments) => {
                let at = arguments.iter().position(|argument| argument == OPTION).unwrap();
                let text = fs::read_to_string(&arguments[at + 1]).unwrap();
                let shown = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
                let shown = shown.map(|argument| if argument.starts_with('/') { "FILE".to_owned() } else { argument });
                (shown.collect(), serde_json::from_str(&text).unwrap())
            }
            other => (vec![format!("{other:?}")], Value::Null),
        }
    }

    #[test]
    fn settings_stand_directly_behind_the_program() {
        let (arguments, settings) = adapted("/opt/bin/claude", &["mcp", "list"]);
        assert_eq!(arguments, ["--settings", "FILE", "mcp", "list"]);
        assert_eq!(settings["env"]["HTTPS_PROXY"], "http://p");
        assert_eq!(settings["env"]["NO_PROXY"], "");
        let (arguments, _) = adapted("npx", &["-y", "@anthropic-ai/claude-code@2.1.329", "-p", "x"]);
        assert_eq!(arguments, ["-y", "@anthropic-ai/claude-code@2.1.329", "--settings", "FILE", "-p", "x"]);
    }

    #[test]
    fn the_user_s_own_settings_are_merged_and_keep_what_we_do_not_set() {
        let own = r#"{"model":"m","env":{"HTTPS_PROXY":"http://other","A":"1"}}"#;
        let (arguments, settings) = adapted("claude", &["-p", "x", "--settings", own, "--", "--settings"]);
        assert_eq!(arguments, ["--settings", "FILE", "-p", "x", "--", "--settings"]);
        assert_eq!(
            (&settings["model"], &settings["env"]["A"], &settings["env"]["HTTPS_PROXY"]),
            (&"m".into(), &"1".into(), &"http://p".into())
        );
        let (arguments, settings) = adapted("claude", &["--settings={\"model\":\"n\"}"]);
        assert_eq!((arguments.len(), &settings["model"]), (2, &"n".into()));
    }

    #[test]
    fn others_are_left_alone_and_nonsense_is_named() {
        assert_eq!(adapted("codex", &["claude"]).0, ["Unchanged"]);
        assert_eq!(adapted("node", &["server.js"]).0, ["Unchanged"]);
        assert_eq!(adapted("claude", &["--settings", "{oops"]).0, [r#"NotMerged("--settings is not JSON: line 1, column 2")"#]);
    }
}
