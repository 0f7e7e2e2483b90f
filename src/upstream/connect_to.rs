//! `--connect-to HOST:PORT=ADDR:PORT`: where a server's name leads to for this run. Names, `Host` and SNI stay as they are.

use http::uri::Authority;
use std::collections::HashMap;
use std::str::FromStr;

/// Addresses dialled in place of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectTo {
    targets: HashMap<(String, u16), (String, u16)>,
}

/// What is wrong with a `HOST:PORT=ADDR:PORT`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadConnectTo {
    /// No `=`.
    #[error("`{0}` has no `=`: expected HOST:PORT=ADDR:PORT")]
    NoEquals(String),
    /// A side that is not `host:port`.
    #[error("`{side}` in `{text}` is not HOST:PORT")]
    NotHostPort {
        /// The whole text.
        text: String,
        /// The side that is wrong.
        side: String,
    },
    /// The same server twice.
    #[error("{0} is given twice")]
    Twice(String),
}

impl ConnectTo {
    /// Collects rules, one `HOST:PORT=ADDR:PORT` each.
    pub fn parse<'a>(rules: impl IntoIterator<Item = &'a str>) -> Result<Self, BadConnectTo> {
        let mut all = Self::default();
        for rule in rules {
            for (from, to) in rule.parse::<Self>()?.targets {
                let name = format!("{}:{}", from.0, from.1);
                if all.targets.insert(from, to).is_some() {
                    return Err(BadConnectTo::Twice(name));
                }
            }
        }
        Ok(all)
    }

    /// The address to dial for a server, if there is a rule for it.
    pub fn target(&self, host: &str, port: u16) -> Option<(&str, u16)> {
        let (host, port) = self.targets.get(&(host.to_ascii_lowercase(), port))?;
        Some((host, *port))
    }
}

impl FromStr for ConnectTo {
    type Err = BadConnectTo;

    fn from_str(text: &str) -> Result<Self, BadConnectTo> {
        let (from, to) = text.split_once('=').ok_or_else(|| BadConnectTo::NoEquals(text.to_owned()))?;
        let side = |side: &str| host_port(side).ok_or_else(|| BadConnectTo::NotHostPort { text: text.to_owned(), side: side.to_owned() });
        Ok(Self { targets: HashMap::from([(side(from)?, side(to)?)]) })
    }
}

/// Brackets of an IPv6 address stay, as in a URL.
fn host_port(text: &str) -> Option<(String, u16)> {
    let authority: Authority = text.parse().ok()?;
    let port = authority.port_u16()?;
    if authority.host().is_empty() || text.contains('@') {
        return None;
    }
    Some((authority.host().to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_looked_up_without_case() {
        let rules = ConnectTo::parse(["Auth.example.test:443=127.0.0.1:8443", "[::1]:80=[::1]:8080"]).unwrap();
        assert_eq!(rules.target("AUTH.example.test", 443), Some(("127.0.0.1", 8443)));
        assert_eq!(rules.target("[::1]", 80), Some(("[::1]", 8080)));
        assert_eq!(rules.target("auth.example.test", 80), None);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |text: &str| text.parse::<ConnectTo>().unwrap_err().to_string();
        assert_eq!(error("a:1"), "`a:1` has no `=`: expected HOST:PORT=ADDR:PORT");
        assert_eq!(error("a=b:1"), "`a` in `a=b:1` is not HOST:PORT");
        assert_eq!(error("a:1=b:x"), "`b:x` in `a:1=b:x` is not HOST:PORT");
        assert_eq!(ConnectTo::parse(["a:1=b:2", "A:1=c:3"]).unwrap_err().to_string(), "a:1 is given twice");
    }
}
