//! What the caller's variables say: other proxies, other interceptors, hosts to be left alone. A proxy's password is never
//! shown.

use super::{Finding, Severity};
use crate::runner::Environment;

/// Variables that name a proxy, in the order in which `record` asks them; each is read in both cases.
const PROXIES: &[&str] = &["https_proxy", "http_proxy", "all_proxy"];

/// Variables by which other interceptors mark what they started.
const MARKERS: &[(&str, &str)] =
    &[("AUTHTAPE_ACTIVE", "authtape"), ("HTTP_TOOLKIT_ACTIVE", "HTTP Toolkit"), ("PROXYMAN_INJECTED_ACTIVE", "Proxyman")];

/// Variables that name certificates or code, and what in their value betrays an interceptor.
const BEARERS: &[&str] =
    &["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "PYTHONPATH", "JAVA_TOOL_OPTIONS"];
const TRACES: &[(&str, &str)] = &[
    ("mitmproxy", "mitmproxy"),
    ("httptoolkit", "HTTP Toolkit"),
    ("http-toolkit", "HTTP Toolkit"),
    ("proxyman", "Proxyman"),
    ("charles", "Charles"),
];

/// What is to be known about the caller's environment.
pub fn surroundings(caller: &Environment) -> Vec<Finding> {
    let mut findings = vec![platform()];
    findings.extend(interceptors(caller));
    findings.extend(proxies(caller));
    let bypass = ["no_proxy", "NO_PROXY"].iter().find_map(|name| Some((name, caller.text(name)?)));
    if let Some((name, value)) = bypass {
        let message = format!("{name} is \"{value}\": record empties it for the client and honours it towards the servers");
        findings.push(Finding::new("no-proxy", Severity::Info, message));
    }
    if caller.text("NODE_TLS_REJECT_UNAUTHORIZED") == Some("0") {
        let message = "NODE_TLS_REJECT_UNAUTHORIZED=0: Node programs trust any certificate, so whether they would trust ours stays unknown";
        findings.push(Finding::new("node-trusts-anything", Severity::Info, message).advice("unset it"));
    }
    findings
}

fn platform() -> Finding {
    let (severity, message) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => (Severity::Info, "Linux x86-64: tested"),
        ("linux", _) => (Severity::Info, "Linux on another processor than x86-64: builds, untested"),
        ("macos", _) => (
            Severity::Warning,
            "macOS: builds, untested; programs may ask the Keychain for roots and open browsers with `open`, whatever PATH says",
        ),
        _ => (Severity::Warning, "this system is not supported yet"),
    };
    Finding::new("platform", severity, message)
}

fn interceptors(caller: &Environment) -> Vec<Finding> {
    let by_marker = MARKERS.iter().filter_map(|(name, who)| caller.text(name).map(|_| (*name, *who)));
    let by_trace = BEARERS.iter().filter_map(|name| {
        let value = caller.text(name)?.to_ascii_lowercase();
        let (_, who) = TRACES.iter().find(|(trace, _)| value.contains(trace))?;
        Some((*name, *who))
    });
    let mut found: Vec<(&str, &str)> = by_marker.chain(by_trace).collect();
    found.dedup_by_key(|(_, who)| *who);
    let finding = |(name, who): (&str, &str)| {
        let message = format!("{who} intercepts this shell already ({name} is set)");
        Finding::new("another-interceptor", Severity::Warning, message).advice("use a shell that it did not start")
    };
    found.into_iter().map(finding).collect()
}

fn proxies(caller: &Environment) -> Vec<Finding> {
    let both = PROXIES.iter().map(|lower| [(*lower).to_owned(), lower.to_ascii_uppercase()]);
    let set: Vec<(String, &str)> =
        both.filter_map(|names| names.into_iter().find_map(|name| Some((name.clone(), caller.text(&name)?)))).collect();
    let finding = |(name, value): &(String, &str)| {
        let host = host_of(value);
        let message = format!("{name} names the proxy {host}: record chains it, so the servers are reached through it");
        Finding::new("proxy-chained", Severity::Info, message)
    };
    set.iter().map(finding).collect()
}

/// Host and port of a proxy; never a user or a password.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Vec<String> {
        let findings = surroundings(&variables.iter().copied().collect());
        findings
            .iter()
            .filter(|finding| finding.rule != "platform")
            .map(|finding| format!("{}: {}", finding.rule, finding.message))
            .collect()
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let said = said(&[("https_proxy", "http://jane:hunter2@proxy.corp:8080/"), ("HTTPS_PROXY", "http://other"), ("NO_PROXY", "*")]);
        assert_eq!(
            said[0],
            "proxy-chained: https_proxy names the proxy proxy.corp:8080: record chains it, so the servers are reached through it"
        );
        assert!(said[1].starts_with("no-proxy: NO_PROXY is \"*\""));
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn other_interceptors_are_known_by_what_they_leave() {
        assert!(said(&[("AUTHTAPE_ACTIVE", "1")])[0].contains("authtape intercepts"));
        let toolkit = said(&[("HTTP_TOOLKIT_ACTIVE", "true"), ("NODE_OPTIONS", "--require /opt/httptoolkit-server/x.js")]);
        assert_eq!(toolkit, ["another-interceptor: HTTP Toolkit intercepts this shell already (HTTP_TOOLKIT_ACTIVE is set)"]);
        assert!(said(&[("REQUESTS_CA_BUNDLE", "/home/jane/.mitmproxy/mitmproxy-ca-cert.pem")])[0].contains("mitmproxy"));
        assert_eq!(said(&[("SSL_CERT_FILE", "/etc/ssl/cert.pem")]), Vec::<String>::new());
    }
}
