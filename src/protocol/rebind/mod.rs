//! Origins under other names: for a client that ignores proxies, a URL on this machine stands for the origin of a real server.
//! Here is how a URL, and what carries one in OAuth and MCP, is moved from the one to the other. Knows where a URL stands in a
//! header field, a parameter, a metadata document and an event; knows no sockets. What is signed is never touched.

mod document;
mod fields;
#[cfg(test)]
mod tests;

pub use document::Document;

use super::endpoint::Endpoint;
use std::net::SocketAddr;

/// An origin and the loopback address that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The origin as [`Endpoint::origin`] spells it, such as `https://mcp.example.test`.
    pub origin: String,
    /// Where plain HTTP is served for it.
    pub local: SocketAddr,
}

/// How a client spells this machine. It is answered in the same spelling: clients compare what metadata says with the URL that
/// they asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `127.0.0.1`, `[::1]`.
    #[default]
    Address,
    /// `localhost`.
    Localhost,
}

/// URLs of some origins, moved to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebinding {
    /// Origins as [`Endpoint::origin`] spells them.
    pairs: Vec<(String, String)>,
}

impl Binding {
    /// The origin that clients see, such as `http://127.0.0.1:7300`.
    pub fn local_origin(&self, spelling: Spelling) -> String {
        let port = self.local.port();
        let host = match (spelling, self.local) {
            (Spelling::Localhost, _) => "localhost".to_owned(),
            (Spelling::Address, SocketAddr::V4(address)) => address.ip().to_string(),
            (Spelling::Address, SocketAddr::V6(address)) => format!("[{}]", address.ip()),
        };
        if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") }
    }

    /// True when a URL leads to this very address: whoever stood for it would ask itself for ever.
    pub fn is_at(&self, url: &str) -> bool {
        let authority = Endpoint::parse(url).map(|url| format!("{}:{}", url.host(), url.port()));
        authority.is_some_and(|authority| self.spelling_of(&authority).is_some())
    }

    /// How a request spells this address, if its authority (`host:port`) is this address: the check against names that lead
    /// here without being ours (DNS rebinding).
    pub fn spelling_of(&self, authority: &str) -> Option<Spelling> {
        let asked = Endpoint::parse(&format!("http://{authority}"))?;
        let is_plain = !authority.contains(['@', '/', '?', '#']);
        [Spelling::Address, Spelling::Localhost].into_iter().find(|spelling| is_plain && asked.origin() == self.local_origin(*spelling))
    }
}

impl Rebinding {
    /// From the real origins to the local ones: what goes to the client.
    pub fn outward(bindings: &[Binding], spelling: Spelling) -> Self {
        Self { pairs: bindings.iter().map(|binding| (binding.origin.clone(), binding.local_origin(spelling))).collect() }
    }

    /// From the local origins, in either spelling, to the real ones: what comes from the client.
    pub fn inward(bindings: &[Binding]) -> Self {
        let of = |spelling| bindings.iter().map(move |binding| (binding.local_origin(spelling), binding.origin.clone()));
        Self { pairs: of(Spelling::Address).chain(of(Spelling::Localhost)).collect() }
    }

    /// The same URL at the other origin, its path, query and fragment as they were; `None` when it is at none of these origins.
    pub fn url(&self, url: &str) -> Option<String> {
        let (scheme, behind) = url.split_once("://")?;
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        // Whoever names a person at the origin means something else than the origin.
        if authority.contains('@') {
            return None;
        }
        let origin = Endpoint::parse(&format!("{scheme}://{authority}"))?;
        let (_, other) = self.pairs.iter().find(|(own, _)| own == origin.origin())?;
        Some(format!("{other}{rest}"))
    }
}
