//! TLS handshakes and tunnels that go wrong, as curl meets them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use super::super::replay::{authtape, talk};
use std::process::Output;

const PRM: &str = "https://mcp.oidc.test/.well-known/oauth-protected-resource/mcp";

fn replay(fault: &str, script: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let cassette = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes/oidc-refresh.yaml");
    authtape(home.path()).args(["replay", cassette, "--fault", fault, "--", "sh", "-c", script]).output().unwrap()
}

fn curl(fault: &str, options: &str) -> (String, String) {
    let output = replay(fault, &format!("curl -sS -o /dev/null --max-time 10 -w '%{{http_code}} ' {options} {PRM}"));
    (String::from_utf8_lossy(&output.stdout).trim().to_owned(), talk(&output))
}

#[test]
fn a_certificate_with_a_flaw_is_shown_and_curl_names_the_flaw() {
    for (fault, says) in [
        ("certificate-expired", "certificate has expired"),
        ("certificate-wrong-host", "no alternative certificate subject name matches"),
        ("tls-untrusted", "self-signed certificate in certificate chain"),
        ("tls-untrusted:flaw=incomplete-chain", "unable to get local issuer certificate"),
        ("tls-untrusted:flaw=expired,host=mcp.oidc.test", "certificate has expired"),
        ("tls-handshake-failure", "handshake failure"),
    ] {
        let (status, said) = curl(fault, "");
        assert_eq!(status, "000", "{fault}: {said}");
        assert!(said.to_lowercase().contains(says), "{fault}: {said}");
        assert!(said.contains(&format!("fault: {fault} fired once")), "{said}");
    }
}

#[test]
fn who_does_not_look_at_the_certificate_is_answered() {
    let (status, said) = curl("certificate-expired", "-k");
    assert_eq!(status, "200", "{said}");
    assert!(said.contains("certificate-expired fired once"), "{said}");
}

#[test]
fn a_flaw_is_that_of_one_connection_and_of_one_host() {
    let script = format!("for try in 1 2 3; do curl -s -o /dev/null --max-time 10 -w '%{{http_code}} ' {PRM}; done");
    for (fault, statuses) in [
        ("certificate-expired:count=1", "000 200 200"),
        ("certificate-expired:nth=2,count=1", "200 000 200"),
        ("tls-handshake-failure", "000 200 200"),
        ("tls-untrusted", "000 000 000"),
    ] {
        let output = replay(fault, &script);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), statuses, "{fault}: {}", talk(&output));
    }
    let output = replay("tls-untrusted:host=auth.oidc.test", &script);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "200 200 200");
    assert_eq!(output.status.code(), Some(1));
    assert!(talk(&output).contains("never fired"), "{}", talk(&output));
}

#[test]
fn a_token_endpoint_out_of_reach_refuses_tunnels_too() {
    let post =
        "curl -s -o /dev/null --max-time 10 -w '%{http_code}/%{http_connect} ' -d grant_type=refresh_token https://auth.oidc.test/token";
    let other = format!("curl -s -o /dev/null --max-time 10 -w '%{{http_code}} ' {PRM}");
    let output = replay("refresh-unreachable", &format!("{post}; {post}; {other}; {post}"));
    let got = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(got.starts_with("000/200 000/502 200 4"), "{got}: {}", talk(&output));
    assert!(talk(&output).contains("refresh-unreachable fired 2 times"), "{}", talk(&output));
}

#[test]
fn what_only_requests_have_cannot_choose_a_handshake() {
    let output = replay("certificate-expired:kind=prm", "true");
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("kind says nothing about a handshake"), "{}", talk(&output));
}
