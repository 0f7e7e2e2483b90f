//! The small children that show what a client of their kind will do: one request to each URL, with the environment of a
//! recording.

use super::{Client, Runtime, matrix};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A program to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What it shows, for reports.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// True for the client itself: it gets nothing of the caller's environment and home.
    pub is_the_client: bool,
}

/// The exit code by which a child says that its library is not installed.
pub const NOT_INSTALLED: i32 = 77;

/// Asks each URL and goes on after a failure.
const FETCH: &str =
    "for (const url of URLS) { await fetch(url).then(r => r.text()).catch(e => console.error(url, e.cause?.code ?? e.message)) }";

const PYTHON: &str = "
import sys
try: import LIBRARY as library
except ImportError: sys.exit(77)
for url in sys.argv[1:]:
    try: CALL
    except Exception as error: print(url, error, file=sys.stderr)
";

/// The calls of Python's libraries.
const LIBRARIES: &[(&str, &str, &str)] = &[
    ("python urllib", "urllib.request", "library.urlopen(url, timeout=10).read()"),
    ("python httpx", "httpx", "library.get(url, timeout=10)"),
    ("python httpx2", "httpx2", "library.get(url, timeout=10)"),
    ("python requests", "requests", "library.get(url, timeout=10)"),
];

/// The children that stand for a client. None where nothing small does.
pub fn probes(client: &Client, urls: &[String]) -> Vec<Probe> {
    let Some(program) = client.interpreter.as_deref().filter(|_| matrix::is_provable(client)) else { return Vec::new() };
    let one = |name: &'static str, arguments: Vec<OsString>| {
        vec![Probe { name, program: runtime_of(client.runtime, program), arguments, is_the_client: false }]
    };
    let urls_of = urls.iter().map(OsString::from);
    match client.runtime {
        Runtime::Node => one("node fetch", vec!["--input-type=module".into(), "-e".into(), fetch(urls)]),
        Runtime::Bun => one("bun fetch", vec!["-e".into(), fetch(urls)]),
        Runtime::Deno => one("deno fetch", vec!["eval".into(), fetch(urls)]),
        Runtime::Python => {
            let python = runtime_of(client.runtime, program);
            LIBRARIES.iter().map(|(name, library, call)| python_probe(name, &python, library, call, urls)).collect()
        }
        Runtime::Curl => {
            one("curl", ["-sS".into()].into_iter().chain(urls_of.flat_map(|url| ["-o".into(), "/dev/null".into(), url])).collect())
        }
        Runtime::Wget => {
            let options = ["-q", "-t", "1", "-T", "10", "-O", "/dev/null"].map(OsString::from);
            one("wget", options.into_iter().chain(urls_of).collect())
        }
        Runtime::ClaudeCode => {
            let arguments = ["mcp", "list"].map(OsString::from).into();
            vec![Probe { name: "claude mcp list", program: client.path.clone(), arguments, is_the_client: true }]
        }
        _ => Vec::new(),
    }
}

/// Claude Code's configuration with a server at each URL, for a home of its own.
pub fn claude_configuration(urls: &[String]) -> String {
    let server = |(index, url): (usize, &String)| (format!("selftest-{index}"), serde_json::json!({"type": "http", "url": url}));
    let servers: serde_json::Map<String, serde_json::Value> = urls.iter().enumerate().map(server).collect();
    serde_json::json!({"hasCompletedOnboarding": true, "mcpServers": servers}).to_string()
}

fn fetch(urls: &[String]) -> OsString {
    FETCH.replace("URLS", &serde_json::json!(urls).to_string()).into()
}

fn python_probe(name: &'static str, python: &Path, library: &str, call: &str, urls: &[String]) -> Probe {
    let script = PYTHON.replace("LIBRARY", library).replace("CALL", call);
    let arguments = ["-c".into(), script.into()].into_iter().chain(urls.iter().map(OsString::from)).collect();
    Probe { name, program: python.to_owned(), arguments, is_the_client: false }
}

/// The interpreter for `npx`, `bunx`, `uvx` and their like: the one beside them, or on PATH.
fn runtime_of(runtime: Runtime, program: &Path) -> PathBuf {
    let base = program.file_name().map(|base| base.to_string_lossy().into_owned()).unwrap_or_default();
    let name = match runtime {
        Runtime::Node if !base.starts_with("node") => "node",
        Runtime::Bun if base != "bun" => "bun",
        Runtime::Python if !base.starts_with("py") => "python3",
        _ => return program.to_owned(),
    };
    let beside = program.with_file_name(name);
    if beside.is_file() { beside } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(runtime: Runtime, program: &str) -> Client {
        let path = PathBuf::from(program);
        Client { path: path.clone(), real: path.clone(), runtime, interpreter: Some(path), arguments: Vec::new() }
    }

    #[test]
    fn each_runtime_has_its_child() {
        let urls = ["https://selftest.authtape.test/".to_owned()];
        let of = |runtime, program| probes(&client(runtime, program), &urls);
        assert_eq!(of(Runtime::Node, "/no/such/npx")[0].program, Path::new("node"));
        assert_eq!(of(Runtime::Node, "/usr/bin/node22")[0].program, Path::new("/usr/bin/node22"));
        let script = of(Runtime::Bun, "bun")[0].arguments[1].to_string_lossy().into_owned();
        assert!(script.starts_with("for (const url of [\"https://selftest.authtape.test/\"])"), "{script}");
        let names: Vec<_> = of(Runtime::Python, "/venv/bin/python").iter().map(|probe| probe.name).collect();
        assert_eq!(names, ["python urllib", "python httpx", "python httpx2", "python requests"]);
        assert!(of(Runtime::ClaudeCode, "/opt/claude")[0].is_the_client);
        assert!(of(Runtime::Go, "/opt/x").is_empty() && of(Runtime::Java, "java").is_empty());
        assert!(claude_configuration(&urls).contains(r#""selftest-0":{"type":"http","url":"https://selftest.authtape.test/"}"#));
    }
}
