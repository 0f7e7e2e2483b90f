//! Claude Code reads `env` of its settings files after its environment, so a settings file beats the variables we set; only
//! `--settings` directly after the program name beats the file (measured with 2.1.329). This adds it, merged into the user's own.
//!
//! The settings go into a private file and not into the arguments: the proxy's URL holds the run's credential, and a command
//! line is readable for everybody on the machine. A `claude` that somebody else starts (a setup command's shell, a script) finds
//! a wrapper first on its PATH that does the same.

use super::bundle::write_private;
use super::{Environment, Variables, program};
use serde_json::{Map, Value};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

const NAME: &str = "claude";

const OPTION: &str = "--settings";

/// The size of a settings file that is read.
const LIMIT: u64 = 1 << 20;

/// Adds the settings to a command line of Claude Code. `found` is where the program was found; `variables` are those of
/// [`interception::variables`](super::interception::variables); the settings are written to `file`, in a private folder.
pub fn adapt(
    program: &OsStr,
    found: &Path,
    arguments: &[OsString],
    variables: &Variables,
    caller: &Environment,
    file: &Path,
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
    write_private(file, Value::Object(settings).to_string().as_bytes())?;
    kept.splice(place..place, [OsString::from(OPTION), file.as_os_str().to_owned()]);
    Ok(Adapted::Arguments(kept))
}

/// True for a command line of Claude Code. `found` is where the program was found.
pub fn is_claude_code(program: &OsStr, found: &Path, arguments: &[OsString]) -> bool {
    place_of_options(program, found, arguments).is_some()
}

/// Variables by which somebody says who pays for the model.
const CREDENTIALS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
];

/// A made-up credential for the model, where the caller has none: without one Claude Code asks no model (measured with 2.1.329).
pub fn made_up_credential(caller: &Environment) -> Variables {
    let has_one = CREDENTIALS.iter().any(|name| caller.value(name).is_some_and(|value| !value.is_empty()));
    // Unlike a key in a variable, a token is used without a question.
    if has_one { Variables::new() } else { [("ANTHROPIC_AUTH_TOKEN", "authtape-made-up")].into_iter().collect() }
}

/// The settings file of a session.
pub fn settings_file(folder: &Path, session: u32) -> PathBuf {
    folder.join(format!("claude-settings-{session}.json"))
}

/// Puts a `claude` into a directory that comes first on a client's PATH, if the caller has one: it runs the caller's own with
/// our settings. `authtape` is our own binary, `file` the settings file of the session.
pub fn wrap(folder: &Path, authtape: &Path, variables: &Variables, caller: &Environment, file: &Path) -> io::Result<()> {
    let Ok(found) = program::find(OsStr::new(NAME), caller) else { return Ok(()) };
    let found = std::path::absolute(found)?;
    adapt(OsStr::new(NAME), &found, &[], variables, &Environment::default(), file)?;
    let [authtape, found, file] = [authtape, &found, file].map(quoted);
    let script = format!("#!/bin/sh\nexec {authtape} start-claude --program {found} --settings {file} -- \"$@\"\n");
    let wrapper = folder.join(NAME);
    write_private(&wrapper, script.as_bytes())?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700))
}

/// What the wrapper does before it becomes the program: the arguments with the session's settings, merged with those among the
/// arguments. The merged ones go into a file beside `base`, the settings file of the session.
pub fn adapt_again(found: &Path, arguments: &[OsString], caller: &Environment, base: &Path) -> io::Result<Adapted> {
    let settings = read(&base.to_string_lossy(), caller).map_err(io::Error::other)?;
    let env = settings.get("env").and_then(Value::as_object).into_iter().flatten();
    let variables = env.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    let file = base.with_extension(format!("{}.json", std::process::id()));
    adapt(OsStr::new(NAME), found, arguments, &variables, caller, &file)
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
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
    path.file_name() == Some(OsStr::new(NAME)) || text.contains("@anthropic-ai/claude-code") || text.contains("/claude/versions/")
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
        match adapt(OsStr::new(program), found, &arguments, &variables, &Environment::default(), &settings_file(folder.path(), 1)).unwrap()
        {
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
    fn a_wrapper_merges_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let claude = folder.path().join("claude");
        fs::write(&claude, "").unwrap();
        fs::set_permissions(&claude, fs::Permissions::from_mode(0o755)).unwrap();
        let caller: Environment = [("PATH", folder.path())].into_iter().collect();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let base = settings_file(folder.path(), 7);
        let variables: Variables = [("HTTPS_PROXY", "http://p")].into_iter().collect();
        wrap(&bin, Path::new("/opt/authtape"), &variables, &caller, &base).unwrap();
        let script = fs::read_to_string(bin.join("claude")).unwrap();
        assert!(script.contains("'/opt/authtape' start-claude --program ") && script.contains("claude-settings-7.json"), "{script}");
        let arguments = ["--settings", "{\"model\":\"m\"}", "mcp", "list"].map(OsString::from);
        let Adapted::Arguments(arguments) = adapt_again(&claude, &arguments, &caller, &base).unwrap() else { panic!("adapted") };
        assert_eq!(arguments[2..], ["mcp", "list"].map(OsString::from));
        let merged: Value = serde_json::from_str(&fs::read_to_string(&arguments[1]).unwrap()).unwrap();
        assert_eq!((&merged["model"], &merged["env"]["HTTPS_PROXY"]), (&"m".into(), &"http://p".into()));
        wrap(&folder.path().join("none"), Path::new("x"), &variables, &Environment::default(), &base).unwrap();
        assert!(!folder.path().join("none").exists());
    }

    #[test]
    fn a_credential_is_made_up_where_there_is_none() {
        let made_up = |name: &str, value: &str| made_up_credential(&[(name, value)].into_iter().collect()).iter().count();
        assert_eq!((made_up("PATH", "/bin"), made_up("ANTHROPIC_API_KEY", "")), (1, 1));
        assert_eq!((made_up("ANTHROPIC_API_KEY", "k"), made_up("CLAUDE_CODE_USE_BEDROCK", "1")), (0, 0));
    }

    #[test]
    fn others_are_left_alone_and_nonsense_is_named() {
        assert_eq!(adapted("codex", &["claude"]).0, ["Unchanged"]);
        assert_eq!(adapted("node", &["server.js"]).0, ["Unchanged"]);
        assert_eq!(adapted("claude", &["--settings", "{oops"]).0, [r#"NotMerged("--settings is not JSON: line 1, column 2")"#]);
    }
}
