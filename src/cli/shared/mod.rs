//! Options that `record` and `replay` share: how the proxy reaches servers, and how a client is started.

use super::{CliError, Exit};
use crate::runner::{Environment, Home};
use crate::scenario;
use crate::upstream::{ConnectTo, ExtraRoots, ParentProxy, ProxyVariables, UpstreamOptions};
use crate::useragent::{UserAgent, Which};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the proxy listens and reaches the servers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// Where the proxy listens; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Dial ADDR:PORT where a client wants HOST:PORT (repeatable)
    #[arg(long, value_name = "HOST:PORT=ADDR:PORT")]
    pub connect_to: Vec<String>,
    /// Trust the certificates in this PEM file too when dialling servers
    #[arg(long, value_name = "FILE")]
    pub upstream_ca: Option<PathBuf>,
    /// Go through this proxy; otherwise the one your environment names
    #[arg(long, value_name = "URL")]
    pub upstream_proxy: Option<String>,
}

/// How the client is started.
#[derive(Debug, Args)]
#[command(next_help_heading = "Client")]
pub struct ClientOptions {
    /// Who does the browser's part of a login
    #[arg(long, value_name = "WHO", value_enum, default_value_t = Who::System)]
    pub user_agent: Who,
    /// Which of several opened URLs is completed
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Opened::All)]
    pub open: Opened,
    /// The client's home: yours (real), a throwaway one (temp), or a folder
    #[arg(long, value_name = "real|temp|DIR", default_value = "real")]
    pub home: PathBuf,
    /// Run this first, in the same home, with a terminal of its own (repeatable)
    #[arg(long, value_name = "CMD")]
    pub setup: Vec<String>,
    /// Give the client a terminal of its own
    #[arg(long)]
    pub pty: bool,
    /// End the client and all it started after this time: 90, 90s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// Who does the browser's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// authtape follows the redirects itself and stops at the first page that needs a person
    Auto,
    /// Your own browser
    System,
    /// A Chromium or Chrome with a profile of its own behind the proxy: the whole way is seen, no page is stored
    Chromium,
    /// Nobody comes
    None,
}

/// Which of several opened URLs is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Opened {
    /// The first of a session
    First,
    /// The last of those that follow one another within a second
    Last,
    /// Every one
    All,
}

impl NetworkOptions {
    /// The way to the servers.
    ///
    /// # Errors
    /// An option that cannot be read, a certificate file that cannot.
    pub fn upstream(&self, caller: &Environment) -> Result<UpstreamOptions, CliError> {
        let connect_to = ConnectTo::parse(self.connect_to.iter().map(String::as_str))
            .map_err(|error| usage(error).hint("for example --connect-to mcp.example.test:443=127.0.0.1:8443"))?;
        let extra_roots = self.upstream_ca.as_deref().map(extra_roots).transpose()?.unwrap_or_default();
        let parent = match &self.upstream_proxy {
            Some(url) => ParentProxy::from_url(url, &proxy_variables(caller).no).map_err(usage)?,
            None => ParentProxy::from_variables(&proxy_variables(caller))
                .map_err(|error| usage(error).hint("correct the variable, or name the proxy with --upstream-proxy"))?,
        };
        Ok(UpstreamOptions { connect_to, extra_roots, parent })
    }
}

impl ClientOptions {
    /// The home of the client.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn home(&self) -> Result<Home, CliError> {
        let home = match self.home.to_str() {
            Some("real") => Ok(Home::Real),
            Some("temp") => Home::temp(),
            _ => Home::dir(&self.home),
        };
        home.map_err(|error| usage(format_args!("cannot use {} as home: {error}", self.home.display())))
    }
}

impl From<Who> for UserAgent {
    fn from(who: Who) -> Self {
        match who {
            Who::Auto => Self::Auto,
            Who::System => Self::System,
            Who::Chromium => Self::Chromium,
            Who::None => Self::None,
        }
    }
}

impl From<Opened> for Which {
    fn from(opened: Opened) -> Self {
        match opened {
            Opened::First => Self::First,
            Opened::Last => Self::Last,
            Opened::All => Self::All,
        }
    }
}

fn extra_roots(path: &Path) -> Result<ExtraRoots, CliError> {
    let pem = std::fs::read(path).map_err(|error| usage(format_args!("cannot read {}: {error}", path.display())))?;
    ExtraRoots::from_pem(&pem).map_err(|error| usage(format_args!("{}: {error}", path.display())))
}

/// What the caller's environment says about proxies; lower case first, as curl does.
fn proxy_variables(caller: &Environment) -> ProxyVariables {
    let either = |lower: &str, upper: &str| caller.text(lower).or(caller.text(upper)).unwrap_or_default().to_owned();
    ProxyVariables {
        https: either("https_proxy", "HTTPS_PROXY"),
        http: either("http_proxy", "HTTP_PROXY"),
        all: either("all_proxy", "ALL_PROXY"),
        no: either("no_proxy", "NO_PROXY"),
    }
}

fn usage(message: impl std::fmt::Display) -> CliError {
    CliError::new(Exit::USAGE, message)
}

/// A year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A time limit: seconds, or a number with `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Result<Duration, String> {
    let limit = scenario::duration(text)?;
    if limit > LONGEST {
        return Err("a time limit is a year at most; without one the client may run for ever".to_owned());
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn a_time_limit_is_a_year_at_most() {
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("0").is_err() && duration("8761h").is_err());
    }
}
