//! The variables that lead a client through the proxy and make it trust the run's root: the union of what the measured clients
//! read. Leaves out what leaks into every grandchild or prints a line (`JAVA_TOOL_OPTIONS`, `NODE_OPTIONS`, `PYTHONPATH`), and
//! `NODE_USE_SYSTEM_CA`, because our root is never in the system's store.
//!
//! `SSL_CERT_DIR` is removed: a hashed directory would need OpenSSL's subject hash, every client that reads it reads
//! `SSL_CERT_FILE` too, and what the caller's directory held is in the bundle.

use super::bundle::{ADDING, REPLACING};
use super::{Bundles, Variables};
use std::path::Path;

/// Variables that name the proxy; those that are read in both cases are here in both.
const PROXY: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "WS_PROXY",
    "ws_proxy",
    "WSS_PROXY",
    "wss_proxy",
    "CGI_HTTP_PROXY",
    "GLOBAL_AGENT_HTTP_PROXY",
    "GLOBAL_AGENT_HTTPS_PROXY",
    "npm_config_proxy",
    "npm_config_https_proxy",
    "CARGO_HTTP_PROXY",
];

/// Variables that name hosts to be dialled directly. Clients read either case; one that is empty does not cancel the other.
const BYPASS: &[&str] = &["NO_PROXY", "no_proxy", "GLOBAL_AGENT_NO_PROXY", "npm_config_noproxy"];

/// Switches of runtimes that otherwise ignore the variables above.
const SWITCHES: &[(&str, &str)] = &[("NODE_USE_ENV_PROXY", "1"), ("DENO_TLS_CA_STORE", "system,mozilla"), ("UV_NATIVE_TLS", "true")];

/// What becomes of the caller's `NO_PROXY` on the client's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoProxy {
    /// Emptied: everything is seen. Our upstream side honours the caller's value.
    #[default]
    Emptied,
    /// Left as it is: what it names is not seen.
    Kept,
}

/// The variables for one client. `proxy` is the proxy's URL with the credential of the client's session.
pub fn variables(proxy: &str, bundles: &Bundles, no_proxy: NoProxy) -> Variables {
    let mut variables: Variables = PROXY.iter().map(|name| (*name, proxy)).collect();
    if no_proxy == NoProxy::Emptied {
        BYPASS.iter().for_each(|name| variables.set(name, ""));
    }
    REPLACING.iter().for_each(|name| variables.set(name, &bundles.all));
    ADDING.iter().for_each(|name| variables.set(name, &bundles.added));
    variables.unset("SSL_CERT_DIR");
    SWITCHES.iter().for_each(|(name, value)| variables.set(name, value));
    variables
}

/// The variables by which a client, its children and the search for left-over processes know the run.
pub fn markers(proxy: &str) -> Variables {
    [("AUTHTAPE_ACTIVE", "1"), (MARKER, proxy)].into_iter().collect()
}

/// The variable whose value is unlike that of any other session of any other run.
pub const MARKER: &str = "AUTHTAPE_PROXY";

/// The JVM's options for those who ask for them: Java reads no variable of the list (`JAVA_TOOL_OPTIONS`, which prints a line to
/// stderr). `trust_store` is a PKCS12 file. Java cannot send the credential.
pub fn java_options(host: &str, port: u16, trust_store: &Path) -> String {
    let mut options = Vec::new();
    for scheme in ["http", "https"] {
        options.push(format!("-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={port}"));
    }
    options.push("-Dhttp.nonProxyHosts=".to_owned());
    options.push(format!("-Djavax.net.ssl.trustStore={} -Djavax.net.ssl.trustStoreType=PKCS12", trust_store.display()));
    options.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn given(no_proxy: NoProxy) -> Variables {
        let bundles = Bundles { all: "/run/roots.pem".into(), added: "/run/added.pem".into() };
        variables("http://s1:x@127.0.0.1:1", &bundles, no_proxy)
    }

    #[test]
    fn both_cases_name_the_proxy_and_none_names_a_bypass() {
        let variables = given(NoProxy::Emptied);
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "npm_config_https_proxy"] {
            assert_eq!(variables.get(name), Some(OsStr::new("http://s1:x@127.0.0.1:1")), "{name}");
        }
        assert_eq!((variables.get("NO_PROXY"), variables.get("no_proxy")), (Some(OsStr::new("")), Some(OsStr::new(""))));
        assert_eq!(variables.get("SSL_CERT_FILE"), Some(OsStr::new("/run/roots.pem")));
        assert_eq!(variables.get("NODE_EXTRA_CA_CERTS"), Some(OsStr::new("/run/added.pem")));
        assert!(variables.iter().any(|change| change == ("SSL_CERT_DIR", None)));
        for opt_in in ["NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "NODE_USE_SYSTEM_CA", "PYTHONPATH"] {
            assert!(variables.iter().all(|(name, _)| name != opt_in), "{opt_in}");
        }
    }

    #[test]
    fn a_kept_bypass_is_not_touched() {
        assert!(given(NoProxy::Kept).iter().all(|(name, _)| !name.eq_ignore_ascii_case("no_proxy")));
    }
}
