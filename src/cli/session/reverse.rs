//! `--reverse`: what it takes, the listeners it opens, and what is said of them. What such a listener does is the proxy's work.

use super::lab::Lab;
use crate::cli::terminal::{DIM, one_line};
use crate::cli::{CliError, Exit, Terminal};
use crate::protocol::Endpoint;
use crate::protocol::rebind::Spelling;
use crate::proxy::{Limit, Standing, Wanted};
use clap::Args;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Servers under loopback URLs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct ReverseOptions {
    /// Serve plain HTTP at LISTEN in place of the server at URL, for a client that ignores proxies (repeatable)
    ///
    /// The client is given the printed URL. Metadata, challenges, redirects and the resource parameter are rebound to it, the
    /// cassette holds the real URLs. Authorization servers that the metadata names get listeners of their own. LISTEN is a loopback
    /// address, 127.0.0.1:0 for any free port. DPoP, signed assertions and checks of an ID token's iss do not work this way.
    #[arg(long, value_name = "URL=LISTEN", value_parser = Reversal::parse)]
    reverse: Vec<Reversal>,
}

/// An origin and where it is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reversal {
    /// The server, with the path that was given.
    server: Endpoint,
    listen: SocketAddr,
}

/// The listeners of a run, and which of them were told of.
pub struct Reversed {
    standing: watch::Receiver<Vec<Standing>>,
    told: usize,
}

impl Reversal {
    fn parse(text: &str) -> Result<Self, String> {
        let example = "expected URL=ADDR:PORT, such as https://mcp.example.test=127.0.0.1:7300";
        let (url, listen) = text.rsplit_once('=').ok_or(example)?;
        let server = Endpoint::parse(url).ok_or_else(|| format!("{url} is no http or https URL; {example}"))?;
        let listen: SocketAddr = listen.parse().map_err(|_| format!("{listen} is no ADDR:PORT; {example}"))?;
        if !listen.ip().is_loopback() {
            return Err(format!("{listen} is not a loopback address: what is served there is for this machine alone"));
        }
        Ok(Self { server, listen })
    }
}

impl ReverseOptions {
    /// Checks what can be checked before anything starts. `origins` are those that can be served; `None` for any.
    ///
    /// # Errors
    /// An origin twice or one that the tape does not hold, a system that does not tell whose a connection is.
    pub fn check(&self, origins: Option<&BTreeSet<String>>) -> Result<(), CliError> {
        if !self.reverse.is_empty() && !cfg!(target_os = "linux") {
            return Err(usage("--reverse works on Linux only so far: elsewhere a port cannot tell whose program connects"));
        }
        for (index, reversal) in self.reverse.iter().enumerate() {
            let origin = reversal.server.origin();
            if self.reverse[..index].iter().any(|other| other.server.origin() == origin) {
                return Err(usage(format_args!("--reverse {origin}: is given twice")));
            }
            if let Some(origins) = origins.filter(|origins| !origins.contains(origin)) {
                let held = origins.iter().map(|origin| one_line(origin)).collect::<Vec<_>>().join(", ");
                return Err(
                    usage(format_args!("--reverse {origin}: the cassette holds nothing of it")).hint(format_args!("it holds {held}"))
                );
            }
        }
        Ok(())
    }

    /// Opens the listeners and says where they are. `servers` are URLs of MCP servers, as far as they are known.
    ///
    /// # Errors
    /// A port that is taken, a listener that would stand for itself.
    pub async fn open(&self, lab: &Lab, servers: &[String], terminal: &mut Terminal) -> Result<Reversed, CliError> {
        let reverse = lab.reverse();
        for reversal in &self.reverse {
            let listener = super::lab::listen(reversal.listen, "--reverse").await?;
            reverse
                .stand_for(reversal.server.origin(), listener, Wanted::Asked)
                .map_err(|error| CliError::new(Exit::OWN_FAILURE, error))?;
        }
        let standing = reverse.standing();
        let all = standing.borrow().clone();
        for own in &all {
            if all.iter().any(|other| other.binding.is_at(&own.binding.origin)) {
                return Err(usage(format_args!("--reverse {}: that is a listener of this run", own.binding.origin)));
            }
        }
        for (own, reversal) in all.iter().zip(&self.reverse) {
            let given = Some(reversal.server.as_str().to_owned()).filter(|_| reversal.server.path() != "/");
            let known = servers.iter().filter(|url| Endpoint::parse(url).is_some_and(|url| url.origin() == own.binding.origin));
            let mut urls: Vec<String> = known.cloned().chain(given).collect();
            urls.dedup();
            if urls.is_empty() {
                urls.push(own.binding.origin.clone());
            }
            urls.iter().for_each(|url| say(own, url, terminal));
        }
        let told = all.len();
        Ok(Reversed { standing, told })
    }
}

impl Reversed {
    /// Waits for listeners that were opened since.
    pub async fn changed(&mut self) {
        // Without a proxy there will be none.
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Says which listeners were opened since.
    pub fn announce(&mut self, terminal: &mut Terminal) {
        let all = self.standing.borrow_and_update().clone();
        for own in &all[self.told.min(all.len())..] {
            say(own, &own.binding.origin, terminal);
        }
        self.told = all.len();
    }

    /// The last word: what was opened meanwhile, and what does not work behind another URL.
    pub fn report(mut self, limits: &[Limit], terminal: &mut Terminal) {
        self.announce(terminal);
        limits.iter().for_each(|limit| terminal.warning(limit));
    }
}

fn say(own: &Standing, url: &str, terminal: &mut Terminal) {
    let local = own.binding.local_origin(Spelling::Address);
    let path = url.strip_prefix(own.binding.origin.as_str()).unwrap_or_default();
    let why = match own.wanted {
        Wanted::Asked => String::new(),
        Wanted::Named => {
            format!(" {DIM}(metadata names it; --reverse {}=ADDR:PORT gives it a port of its own){DIM:#}", one_line(&own.binding.origin))
        }
    };
    terminal.talk(format_args!("reverse: {local}{} stands for {}{why}", one_line(path), one_line(url)));
}

fn usage(message: impl std::fmt::Display) -> CliError {
    CliError::new(Exit::USAGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[&str]) -> ReverseOptions {
        ReverseOptions { reverse: given.iter().map(|text| Reversal::parse(text).unwrap()).collect() }
    }

    #[test]
    fn a_reversal_is_a_url_and_a_loopback_address() {
        let reversal = Reversal::parse("https://MCP.example.test/mcp?a=b=127.0.0.1:7300").unwrap();
        assert_eq!((reversal.server.as_str(), reversal.listen.port()), ("https://mcp.example.test/mcp", 7300));
        assert!(Reversal::parse("http://a.test:8080=[::1]:0").is_ok());
        for wrong in [
            "https://a.test",
            "a.test=127.0.0.1:0",
            "https://a.test=0.0.0.0:80",
            "https://a.test=192.0.2.1:1",
            "ftp://a=127.0.0.1:1",
            "https://a.test=7300",
        ] {
            assert!(Reversal::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_origin_is_served_once_and_only_if_it_can_be() {
        assert!(options(&["https://a.test/x=127.0.0.1:0", "https://a.test=127.0.0.1:0"]).check(None).is_err());
        let one = options(&["https://a.test/x=127.0.0.1:0"]);
        let held = BTreeSet::from(["https://a.test".to_owned()]);
        assert!(one.check(None).is_ok() && one.check(Some(&held)).is_ok());
        assert!(one.check(Some(&BTreeSet::new())).is_err() && options(&[]).check(Some(&BTreeSet::new())).is_ok());
    }
}
