//! What a program is, by its name, its first line and its first bytes. Follows launchers (`env`) and scripts that start
//! something else, a few steps at most.

use super::{beginning, elf};
use crate::runner::{Environment, StartError, claude, program};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// What runs a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Claude Code, as a native program or as a script.
    ClaudeCode,
    /// Node.
    Node,
    /// Bun with a script.
    Bun,
    /// A program that Bun compiled.
    BunNative,
    /// Deno with a script.
    Deno,
    /// A program that Deno compiled.
    DenoNative,
    /// Python.
    Python,
    /// A program written in Go.
    Go,
    /// A Java virtual machine.
    Java,
    /// The .NET runtime.
    Dotnet,
    /// A program written in Rust.
    Rust,
    /// curl.
    Curl,
    /// wget.
    Wget,
    /// git.
    Git,
    /// A program that runs others with an environment of its own: sudo and its like.
    OtherUser,
    /// A shell script that does not say what it starts.
    Shell,
    /// A native program in some language.
    Native,
    /// A script of an interpreter that was not measured.
    Script,
}

impl Runtime {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Node => "node",
            Self::Bun => "bun",
            Self::BunNative => "bun-native",
            Self::Deno => "deno",
            Self::DenoNative => "deno-native",
            Self::Python => "python",
            Self::Go => "go",
            Self::Java => "java",
            Self::Dotnet => "dotnet",
            Self::Rust => "rust",
            Self::Curl => "curl",
            Self::Wget => "wget",
            Self::Git => "git",
            Self::OtherUser => "other-user",
            Self::Shell => "shell",
            Self::Native => "native",
            Self::Script => "script",
        }
    }
}

/// A client as far as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where it was found.
    pub path: PathBuf,
    /// Where that leads, links followed.
    pub real: PathBuf,
    /// What runs it.
    pub runtime: Runtime,
    /// The program that runs it, where that is known: an interpreter, or the program itself.
    pub interpreter: Option<PathBuf>,
    /// Its arguments; those of a launcher are left out.
    pub arguments: Vec<OsString>,
}

/// How much of a script is read.
const SCRIPT: u64 = 64 << 10;
/// How many launchers may stand before the program.
const LAUNCHERS: usize = 4;

impl Client {
    /// Finds the program of a command line and looks at it. `command` is the program and its arguments.
    ///
    /// # Errors
    /// It is not there, or cannot be executed.
    pub fn identify(command: &[OsString], caller: &Environment) -> Result<Self, StartError> {
        let mut words = command;
        for _ in 0..LAUNCHERS {
            let Some(rest) = behind_env(words) else { break };
            words = rest;
        }
        let (name, arguments) = words.split_first().unwrap_or((const { &OsString::new() }, &[]));
        let path = program::find(name, caller)?;
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let (runtime, interpreter) = if claude::is_claude_code(name, &path, arguments) {
            (Runtime::ClaudeCode, Some(path.clone()))
        } else {
            by_name(name)
                .or_else(|| by_name(real.as_os_str()))
                .map(|runtime| (runtime, Some(path.clone())))
                .unwrap_or_else(|| by_content(&real, caller))
        };
        Ok(Self { path, real, runtime, interpreter, arguments: arguments.to_vec() })
    }

    /// True when a word of the command line or the program's path names this package.
    pub fn names(&self, package: &str) -> bool {
        let words = self.arguments.iter().map(|word| word.to_string_lossy());
        words.chain([self.real.to_string_lossy(), self.path.to_string_lossy()]).any(|word| word.contains(package))
    }

    /// True when an argument is exactly this.
    pub fn has_argument(&self, wanted: &str) -> bool {
        self.arguments.iter().any(|argument| argument == wanted)
    }
}

/// The command behind `env NAME=VALUE …`.
fn behind_env(words: &[OsString]) -> Option<&[OsString]> {
    let (name, rest) = words.split_first()?;
    if Path::new(name).file_name()? != OsStr::new("env") {
        return None;
    }
    let start = rest.iter().position(|word| !word.as_encoded_bytes().contains(&b'='))?;
    // Options of env are rare, and some of them empty the environment: that is env's own affair.
    (!rest[start].as_encoded_bytes().starts_with(b"-")).then(|| &rest[start..])
}

fn by_name(program: &OsStr) -> Option<Runtime> {
    let base = Path::new(program).file_name()?.to_str()?;
    let bare = base.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    Some(match bare {
        "node" | "nodejs" | "npx" | "npm" | "pnpm" | "yarn" | "tsx" | "ts-node" => Runtime::Node,
        "bun" | "bunx" => Runtime::Bun,
        "deno" => Runtime::Deno,
        "python" | "pypy" | "uv" | "uvx" | "pipx" => Runtime::Python,
        "java" => Runtime::Java,
        "dotnet" => Runtime::Dotnet,
        "curl" => Runtime::Curl,
        "wget" => Runtime::Wget,
        "git" => Runtime::Git,
        "sudo" | "doas" | "su" | "runuser" | "ssh" | "docker" | "podman" => Runtime::OtherUser,
        _ => return None,
    })
}

type Found = (Runtime, Option<PathBuf>);

fn by_content(path: &Path, caller: &Environment) -> Found {
    let bytes = beginning(path, SCRIPT).unwrap_or_default();
    if bytes.starts_with(elf::MAGIC) {
        return (elf::runtime(path).unwrap_or(Runtime::Native), Some(path.to_owned()));
    }
    let is_mach_o = bytes.get(..4).is_some_and(|magic| matches!(magic, b"\xcf\xfa\xed\xfe" | b"\xca\xfe\xba\xbe"));
    if is_mach_o {
        return (Runtime::Native, Some(path.to_owned()));
    }
    let text = String::from_utf8_lossy(&bytes);
    let Some(interpreter) = text.strip_prefix("#!").and_then(|rest| interpreter(rest.lines().next()?, caller)) else {
        // execvp(3) and every shell give such a file to sh.
        return by_commands(&text, caller);
    };
    match by_name(interpreter.as_os_str()) {
        Some(runtime) => (runtime, Some(interpreter)),
        None if is_shell(&interpreter) => by_commands(&text, caller),
        None => (Runtime::Script, Some(interpreter)),
    }
}

/// The program of a `#!` line; behind `env` the first word that is no option and no variable.
fn interpreter(line: &str, caller: &Environment) -> Option<PathBuf> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if Path::new(first).file_name()? != OsStr::new("env") {
        return Some(first.into());
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    Some(program::find(OsStr::new(name), caller).unwrap_or_else(|_| name.into()))
}

fn is_shell(interpreter: &Path) -> bool {
    let names = ["sh", "bash", "dash", "zsh", "ksh", "fish"];
    interpreter.file_name().is_some_and(|base| names.iter().any(|name| base == OsStr::new(name)))
}

/// What a shell script becomes: the first program of an `exec` line that is known. So are the wrappers of pnpm, pip, uv, pyenv
/// and asdf.
fn by_commands(text: &str, caller: &Environment) -> Found {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| line.contains("exec")) {
        let words = line.split_ascii_whitespace().skip_while(|word| word.trim_matches('\'') != "exec").skip(1);
        for word in words.map(|word| word.trim_matches(['"', '\''])) {
            if Path::new(word).file_name() == Some(OsStr::new("pyenv")) {
                return (Runtime::Python, None);
            }
            if let Some(runtime) = by_name(OsStr::new(word)) {
                return (runtime, program::find(OsStr::new(word), caller).ok());
            }
        }
    }
    (Runtime::Shell, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn identified(text: &str, name: &str) -> Client {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [(name, text), ("node", "")] {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let caller: Environment = [("PATH", folder.path())].into_iter().collect();
        let command = ["/usr/bin/env", "A=1", name, "x"].map(OsString::from);
        Client::identify(&command, &caller).unwrap()
    }

    #[test]
    fn scripts_are_known_by_their_first_line_or_by_what_they_become() {
        for (text, runtime) in [
            ("#!/usr/bin/env node\nimport 'x'", Runtime::Node),
            ("#!/usr/bin/env -S A=1 node --no-warnings\n", Runtime::Node),
            ("#!/opt/venv/bin/python3.13\n", Runtime::Python),
            ("#!/bin/sh\n'''exec' '/opt/a b/python' \"$0\" \"$@\"\n", Runtime::Python),
            ("#!/bin/sh\nif x; then\n  exec node  \"$basedir/x.js\" \"$@\"\nfi\n", Runtime::Node),
            ("#!/usr/bin/env bash\nexec \"/home/ada/.pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n", Runtime::Python),
            ("exec java -jar x.jar", Runtime::Java),
            ("#!/bin/sh\n# exec node\nx\n", Runtime::Shell),
            ("#!/usr/bin/ruby\n", Runtime::Script),
        ] {
            assert_eq!(identified(text, "client").runtime, runtime, "{text}");
        }
        let client = identified("#!/usr/bin/env node\n", "client");
        assert!(client.interpreter.unwrap().ends_with("node"));
        assert_eq!(client.arguments, [OsString::from("x")]);
    }

    #[test]
    fn names_decide_before_contents() {
        assert_eq!(identified("#!/bin/sh\n", "python3").runtime, Runtime::Python);
        assert_eq!(identified("#!/bin/sh\n", "claude").runtime, Runtime::ClaudeCode);
        assert_eq!(identified("", "sudo").runtime, Runtime::OtherUser);
        let nobody = Client::identify(&["no-such-client".into()], &Environment::default());
        assert_eq!(nobody.unwrap_err().exit_code(), 127);
    }
}
