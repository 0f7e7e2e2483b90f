//! What programs of a kind do with the variables we set: the interception matrix, as measured in November 2026 on Linux, and the
//! findings that follow from it.

use super::{Client, Finding, Runtime, Severity};
use std::fmt;

/// What one kind of program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The kind.
    pub kind: &'static str,
    /// Whether it heeds proxy variables.
    pub proxy: &'static str,
    /// What it does with `http://localhost` and loopback addresses.
    pub localhost: &'static str,
    /// The variable by which it trusts our certificate.
    pub trust: &'static str,
}

/// A version of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version number in a text, as in `v24.5.0` or `Python 3.13.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.split_ascii_whitespace().find(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))?;
        let mut numbers = word.trim_start_matches('v').split(['.', '-', '+']).map_while(|part| part.parse().ok());
        Some(Self(numbers.next()?, numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
    }

    /// True for a Node that knows `NODE_USE_ENV_PROXY` for fetch and http(s): 22.21, 24.5 and later.
    pub fn node_heeds_proxies(self) -> bool {
        match self.0 {
            22 => self >= Self(22, 21, 0),
            _ => self >= Self(24, 5, 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Row {
    const fn new(kind: &'static str, proxy: &'static str, localhost: &'static str, trust: &'static str) -> Self {
        Self { kind, proxy, localhost, trust }
    }

    /// The row of a client.
    pub fn of(client: &Client, version: Option<Version>) -> Self {
        const BOTH: &str = "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY";
        const OPENSSL: &str = "SSL_CERT_FILE";
        match client.runtime {
            Runtime::ClaudeCode => {
                Self::new("Claude Code", "any proxy variable, unless its settings files say otherwise", "proxied", "NODE_EXTRA_CA_CERTS")
            }
            Runtime::Node if has_own_agent(client) => {
                Self::new("mcp-remote --enable-proxy", "HTTPS_PROXY, by an agent of its own", "proxied", "NODE_EXTRA_CA_CERTS")
            }
            Runtime::Node if version.is_some_and(Version::node_heeds_proxies) => {
                Self::new("Node 22.21, 24.5 and later", "with NODE_USE_ENV_PROXY=1, which we set", "proxied", "NODE_EXTRA_CA_CERTS")
            }
            Runtime::Node => Self::new("Node before 22.21 and 24.5", "none for fetch and http(s)", "direct", "NODE_EXTRA_CA_CERTS"),
            Runtime::Bun | Runtime::BunNative => {
                Self::new("Bun", "for fetch and axios; none for node:https", "proxied by fetch", "NODE_EXTRA_CA_CERTS")
            }
            Runtime::Deno | Runtime::DenoNative => Self::new("Deno", "for fetch; none for node:https", "proxied by fetch", "DENO_CERT"),
            Runtime::Python => Self::new(
                "Python",
                "requests, httpx, urllib; aiohttp only with trust_env=True",
                "proxied",
                "SSL_CERT_FILE; REQUESTS_CA_BUNDLE for requests",
            ),
            Runtime::Go => Self::new("Go net/http", "HTTPS_PROXY and HTTP_PROXY", "always direct", "SSL_CERT_FILE, on Linux"),
            Runtime::Java => Self::new("Java", "none", "direct", "-Djavax.net.ssl.trustStore"),
            Runtime::Dotnet => Self::new(".NET (not measured)", BOTH, "not measured", OPENSSL),
            Runtime::Rust => Self::new("Rust with reqwest", BOTH, "proxied", "SSL_CERT_FILE, on Linux"),
            Runtime::Curl => Self::new("curl", BOTH, "proxied", OPENSSL),
            Runtime::Wget => Self::new("wget", "https_proxy and http_proxy", "proxied", "none: ca_certificate in .wgetrc"),
            Runtime::Git => Self::new("git", "https_proxy and http_proxy", "proxied", "GIT_SSL_CAINFO"),
            Runtime::OtherUser | Runtime::Shell | Runtime::Native | Runtime::Script => {
                Self::new("not in the matrix", "unknown", "unknown", "unknown")
            }
        }
    }
}

/// What follows from the row.
pub fn findings(client: &Client, version: Option<Version>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = of_runtime(client, version).into_iter().collect();
    if !is_provable(client) && findings.iter().all(|finding| finding.severity != Severity::Error) {
        let message = "nothing small stands for this program, so the self-test cannot prove it: only a recording can";
        findings.push(
            Finding::new("unproven", Severity::Info, message)
                .advice("record it once with `authtape record`: the last screen says what was intercepted"),
        );
    }
    findings
}

/// True when a small child of the same runtime, or a harmless command of the client itself, shows what the client will do.
pub fn is_provable(client: &Client) -> bool {
    let runtime = matches!(
        client.runtime,
        Runtime::ClaudeCode | Runtime::Node | Runtime::Bun | Runtime::Deno | Runtime::Python | Runtime::Curl | Runtime::Wget
    );
    runtime && client.interpreter.is_some() && !has_own_agent(client)
}

fn has_own_agent(client: &Client) -> bool {
    client.names("mcp-remote") && client.has_argument("--enable-proxy")
}

fn of_runtime(client: &Client, version: Option<Version>) -> Option<Finding> {
    use Severity::{Error, Info, Warning};
    Some(match client.runtime {
        Runtime::Node if has_own_agent(client) || version.is_none_or(Version::node_heeds_proxies) => return None,
        Runtime::Node => node_ignores(client, version),
        Runtime::Java => Finding::new("java-reads-no-variable", Error, "Java reads none of the proxy and certificate variables").advice(
            "serve with `authtape record -o FILE --listen 127.0.0.1:8080` and start the JVM with -Dhttps.proxyHost=127.0.0.1 \
             -Dhttps.proxyPort=8080 (and the same for http), -Dhttp.nonProxyHosts= and -Djavax.net.ssl.trustStore=FILE; keytool \
             -importcert makes FILE from the certificate that `authtape env` names as NODE_EXTRA_CA_CERTS",
        ),
        Runtime::OtherUser => Finding::new(
            "environment-reset",
            Error,
            format!("{} runs programs with an environment of its own: none of our variables arrives", client.path.display()),
        )
        .advice("put `authtape record -- …` behind it: the client itself has to be what authtape starts"),
        Runtime::Go => Finding::new("go-skips-localhost", Warning, "Go never uses a proxy for localhost and loopback addresses").advice(
            "a server on this machine needs another name: --connect-to mcp.test:80=127.0.0.1:3000, and http://mcp.test/ in the client",
        ),
        Runtime::Wget => {
            Finding::new("wget-needs-a-file", Warning, "wget reads no variable for certificates").advice("set ca_certificate in .wgetrc")
        }
        Runtime::Bun | Runtime::BunNative | Runtime::Deno | Runtime::DenoNative => {
            Finding::new("node-https-ignores-proxies", Info, "node:https ignores proxies in Bun and Deno; fetch heeds them")
        }
        Runtime::Python => Finding::new("aiohttp-needs-trust-env", Info, "aiohttp heeds proxies only when made with trust_env=True"),
        Runtime::Shell => Finding::new("starts-something-else", Warning, "a shell script that does not say what it starts")
            .advice("ask about the program that it starts"),
        Runtime::ClaudeCode | Runtime::Dotnet | Runtime::Rust | Runtime::Curl | Runtime::Git | Runtime::Native | Runtime::Script => {
            return None;
        }
    })
}

fn node_ignores(client: &Client, version: Option<Version>) -> Finding {
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    let advice = if client.names("mcp-remote") {
        "give mcp-remote --enable-proxy, or run it with Node 24.5 or later, or give it a plain URL with --reverse"
    } else {
        "run it with Node 24.5 or later (or 22.21), where NODE_USE_ENV_PROXY=1 works, which we set (axios heeds proxies in any Node); \
         or give it a plain URL with --reverse"
    };
    Finding::new("node-ignores-proxies", Severity::Error, format!("Node{version} ignores proxy variables, whatever they say"))
        .advice(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(runtime: Runtime, arguments: &[&str]) -> Client {
        let path = std::path::PathBuf::from("/usr/bin/client");
        let arguments = arguments.iter().map(Into::into).collect();
        Client { path: path.clone(), real: path.clone(), runtime, interpreter: Some(path), arguments }
    }

    fn rules(client: &Client, version: &str) -> Vec<(&'static str, Severity)> {
        findings(client, Version::parse(version)).iter().map(|finding| (finding.rule, finding.severity)).collect()
    }

    #[test]
    fn a_version_is_read_as_runtimes_print_it() {
        assert_eq!(Version::parse("v20.20.2\n"), Some(Version(20, 20, 2)));
        assert_eq!(Version::parse("Python 3.14.0rc1"), Some(Version(3, 14, 0)));
        assert_eq!(Version::parse("deno 2.9.6 (stable)"), Some(Version(2, 9, 6)));
        assert_eq!(Version::parse("2.1.329 (Claude Code)"), Some(Version(2, 1, 329)));
        assert_eq!(Version::parse("none"), None);
    }

    #[test]
    fn node_depends_on_its_version_and_on_the_client() {
        let node = client(Runtime::Node, &["server.js"]);
        for (version, heeds) in
            [("v20.20.2", false), ("v22.20.0", false), ("v22.21.0", true), ("v23.9.0", false), ("v24.4.0", false), ("v24.5.0", true)]
        {
            assert_eq!(rules(&node, version).is_empty(), heeds, "{version}");
        }
        assert_eq!(rules(&node, "v20.1.0"), [("node-ignores-proxies", Severity::Error)]);
        let remote = client(Runtime::Node, &["-y", "mcp-remote@0.15.1", "https://x", "--enable-proxy"]);
        assert_eq!(rules(&remote, "v20.1.0"), [("unproven", Severity::Info)]);
        let remote = client(Runtime::Node, &["mcp-remote"]);
        assert!(findings(&remote, Version::parse("20.0.0"))[0].advice.as_ref().unwrap().contains("--enable-proxy"));
    }

    #[test]
    fn what_cannot_work_is_an_error() {
        for runtime in [Runtime::Java, Runtime::OtherUser] {
            assert_eq!(rules(&client(runtime, &[]), "")[0].1, Severity::Error, "{runtime:?}");
        }
        assert_eq!(rules(&client(Runtime::Go, &[]), "")[0], ("go-skips-localhost", Severity::Warning));
        assert_eq!(rules(&client(Runtime::ClaudeCode, &[]), ""), []);
    }
}
