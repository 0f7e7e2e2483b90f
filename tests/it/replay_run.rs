//! The file and the last screen of a replay: what answered each request, why the client was refused, and no value of the run.

use crate::replay::{AUTHTAPE, ECHO, MCP, Tape, authtape, legacy, talk};
use authtape::cassette::{Cassette, Existing};
use authtape::exchange::AnsweredBy;
use authtape::protocol::Kind;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A login by hand with curl; it says each value it was given. RFC 7636, appendix B. `$VERIFIER` and `$BEARER` may be wrong ones.
const LOGIN: &str = r#"
A=http://auth.demo.localhost; M=http://mcp.demo.localhost/mcp; R=http://127.0.0.1:4711/cb
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
post() { curl -s -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' "$@"; }
ID=$(post -d "{\"redirect_uris\":[\"$R\"],\"token_endpoint_auth_method\":\"none\",\"grant_types\":[\"authorization_code\",\"refresh_token\"]}" $A/register | field client_id)
Q="response_type=code&client_id=$ID&redirect_uri=$R&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
CODE=$(curl -s -D - -o /dev/null "$A/authorize?$Q&state=s" | tr -d '\r' | sed -n 's/^location:.*code=\([^&]*\).*/\1/Ip')
T=$(curl -s -d grant_type=authorization_code -d client_id=$ID -d code=$CODE -d redirect_uri=$R \
  -d code_verifier=${VERIFIER:-dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk} $A/token)
echo "$CODE $(echo "$T" | field access_token) $(echo "$T" | field refresh_token)"
post -o /dev/null -H "authorization: Bearer ${BEARER:-$(echo "$T" | field access_token)}" -H 'mcp-protocol-version: 2026-07-28' \
  -H 'mcp-method: server/discover' \
  -d '{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}' $M
"#;

fn by_hand(tape: &Tape, options: &[&str], before: &str) -> Output {
    tape.replay(options, &["sh", "-c", &format!("{before}\n{LOGIN}")])
}

fn values(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

/// The last screen, below the name of the cassette.
fn screen(output: &Output) -> String {
    let talk = talk(output);
    talk[talk.find("\ntape.yaml: ").unwrap_or_else(|| panic!("{talk}")) + 1..].trim_end().to_owned()
}

#[test]
fn a_run_names_what_answered_each_request_and_holds_no_value_of_it() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = by_hand(&tape, &["-o", "run.yaml", "--seed", "7", "--expires-in", "90"], "");
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let issued = values(&output);
    assert_eq!(issued.len(), 3, "{issued:?}");
    let path = tape.path("run.yaml");
    let text = fs::read_to_string(&path).unwrap();
    for value in &issued {
        assert!(value.len() > 20 && !text.contains(value.as_str()), "{value}");
    }
    let run = Cassette::load(&path).unwrap();
    let answered: Vec<(Kind, Option<AnsweredBy>)> = run.interactions.iter().map(|own| (own.kind, own.exchange.answered.clone())).collect();
    let like = |like| Some(AnsweredBy::Model { like: Some(like), reasons: Vec::new() });
    let recorded = Cassette::load(&tape.path("tape.yaml")).unwrap();
    let number = |kind: Kind| recorded.interactions.iter().rfind(|own| own.kind == kind).unwrap().exchange.number;
    let of_kind = |kind: Kind| (kind, like(number(kind)));
    let discover = recorded.interactions.iter().find(|own| own.kind == Kind::McpRequest && own.exchange.status() == Some(200)).unwrap();
    let expected = [
        of_kind(Kind::DcrCreate),
        of_kind(Kind::Authorize),
        of_kind(Kind::TokenCode),
        (Kind::McpRequest, Some(AnsweredBy::Tape { interaction: discover.exchange.number })),
    ];
    assert_eq!(answered, expected);
    let replayed = run.header.replayed.clone().unwrap();
    assert_eq!((replayed.cassette.as_str(), replayed.seed, replayed.expires_in), ("tape.yaml", Some(7), Some(90)));
    assert_eq!((replayed.upstream_connections, replayed.missed, replayed.untouched.len()), (Some(0), 0, 0));
    assert_eq!(run.header.sessions[0].exit, Some(0));
    assert!(run.header.finished && run.header.scrubbed.is_some_and(|scrubbed| scrubbed.secrets >= 3));
    let again = tape.path("again.yaml");
    run.save(&again, Existing::Refuse).unwrap();
    assert_eq!(fs::read_to_string(again).unwrap(), text);
}

#[test]
fn a_seed_repeats_every_value_and_none_makes_them_new() {
    let tape = Tape::record(|_| {}, ECHO);
    let run = |options: &[&str]| values(&by_hand(&tape, options, ""));
    let (first, again, other, random) = (run(&["--seed", "7"]), run(&["--seed", "7"]), run(&["--seed", "8"]), run(&[]));
    assert_eq!(first.len(), 3);
    assert_eq!(first, again);
    for (own, theirs) in first.iter().zip(other.iter().chain(&random)) {
        assert_ne!(own, theirs);
    }
}

#[test]
fn the_last_screen_says_what_the_client_did_and_why_it_was_refused() {
    let tape = Tape::record(|_| {}, ECHO);
    let done = |before: &str| screen(&by_hand(&tape, &[], before));
    insta::assert_snapshot!(done(""), @"
    tape.yaml: 4 requests, no miss, upstream connections: 0
    session 1: sh …, exit 0
      discovery  none
      login      dcr-create 201, authorize 302, token-code 200
      mcp        server/discover 200
      refused    none
    ");
    insta::assert_snapshot!(done("VERIFIER=another-verifier-that-is-long-enough-for-the-rfc"), @"
    tape.yaml: 4 requests, no miss, upstream connections: 0
    session 1: sh …, exit 0
      discovery  none
      login      dcr-create 201, authorize 302, token-code 400
      mcp        server/discover 400
      refused    2, the last: token-code 400 invalid_grant: code_verifier does not
                 fit; server/discover 400: one bearer in the Authorization header is
                 expected
    ");
    insta::assert_snapshot!(done("BEARER=at_of_another_run"), @"
    tape.yaml: 4 requests, no miss, upstream connections: 0
    session 1: sh …, exit 0
      discovery  none
      login      dcr-create 201, authorize 302, token-code 200
      mcp        server/discover 401
      refused    server/discover 401: the bearer was not issued in this run
    ");
}

#[test]
fn a_miss_is_in_the_run_with_its_reasons_and_show_marks_it() {
    let tape = Tape::record(legacy, ECHO);
    let output = tape.reference(&["-o", "run.yaml"], &["--tool", "echo", "--arguments", r#"{"text":"other"}"#]);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    let run = Cassette::load(&tape.path("run.yaml")).unwrap();
    let replayed = run.header.replayed.unwrap();
    assert_eq!((replayed.missed, replayed.misses[0].session), (1, 1));
    assert_eq!(replayed.misses[0].reasons, ["params.arguments.text differs"]);
    let last = run.interactions.iter().rfind(|own| matches!(own.exchange.answered, Some(AnsweredBy::Miss { .. }))).unwrap();
    assert_eq!(
        last.exchange.answered,
        Some(AnsweredBy::Miss { nearest: replayed.misses[0].nearest, reasons: replayed.misses[0].reasons.clone() })
    );
    let mut show = authtape(tape.folder.path());
    let shown = show.args(["show", "run.yaml"]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let nearest = replayed.misses[0].nearest.unwrap();
    assert!(shown.contains("replay of tape.yaml") && shown.contains(&format!("MISS ~{nearest}\n")), "{shown}");
    assert!(shown.contains("1 miss, upstream connections: 0"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let mut show = authtape(tape.folder.path());
    let json = show.args(["show", "run.yaml", "--format", "json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["header"]["replayed"]["missed"], 1);
    let answers: Vec<_> = json["interactions"].as_array().unwrap().iter().map(|own| own["answer"]["by"].clone()).collect();
    assert!(answers.contains(&"miss".into()) && answers.contains(&"tape".into()) && answers.contains(&"model".into()), "{answers:?}");
}

#[test]
fn hosts_that_are_not_on_the_tape_are_listed_and_fail_a_strict_run() {
    let tape = Tape::record(|_| {}, ECHO);
    let script = format!("curl -s -o /dev/null http://api.elsewhere.test/v1/secrets; curl -s -o /dev/null {MCP}");
    for (options, code) in [(&["-o", "run.yaml"][..], 0), (&["--strict"], 1)] {
        let output = tape.replay(options, &["sh", "-c", &script]);
        assert_eq!(output.status.code(), Some(code), "{}", talk(&output));
        assert!(screen(&output).contains("api.elsewhere.test ×1"), "{}", talk(&output));
    }
    let text = fs::read_to_string(tape.path("run.yaml")).unwrap();
    assert!(text.contains("elsewhere:\n    - {host: api.elsewhere.test, requests: 1}\n") && !text.contains("v1/secrets"), "{text}");
    assert_eq!(tape.replay(&["--strict"], &["curl", "-s", "-o", "/dev/null", MCP]).status.code(), Some(0));
}

#[test]
fn access_tokens_live_as_long_as_they_are_told() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = tape.reference(&["-o", "run.yaml", "--expires-in", "7"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(fs::read_to_string(tape.path("run.yaml")).unwrap().contains("expires_in: 7\n"));
}

#[test]
fn a_path_that_a_shell_would_take_apart_is_quoted() {
    let tape = Tape::record(|_| {}, ECHO);
    let output = tape.reference(&["-o", "my run.yaml"], ECHO);
    assert!(talk(&output).ends_with("next: authtape show 'my run.yaml'\n"), "{}", talk(&output));
}

#[test]
fn a_client_that_cannot_be_run_leaves_no_file_and_replaces_none() {
    let tape = Tape::record(|_| {}, ECHO);
    fs::write(tape.path("run.yaml"), "mine").unwrap();
    let output = tape.replay(&["-o", "run.yaml", "--force", "--setup", "exit 3"], &["true"]);
    assert_eq!(output.status.code(), Some(125), "{}", talk(&output));
    assert_eq!(fs::read_to_string(tape.path("run.yaml")).unwrap(), "mine");
    assert!(!tape.path("run.yaml.part").exists());
}

#[test]
fn recorded_waits_pass_when_they_are_asked_for() {
    let tape = Tape::record(|_| {}, ECHO);
    let text = fs::read_to_string(tape.path("tape.yaml")).unwrap();
    let slow = regex::Regex::new(r"took: \d+ms\nkind: (prm|token-code)\n").unwrap();
    fs::write(tape.path("tape.yaml"), slow.replace_all(&text, "took: 800ms\nkind: $1\n").as_ref()).unwrap();
    for (speed, least, written) in [("real", 800, "  speed: 1\n"), ("4", 200, "  speed: 4\n")] {
        let run = format!("{speed}.yaml");
        assert_eq!(tape.reference(&["-o", &run, "--speed", speed], ECHO).status.code(), Some(0));
        assert!(fs::read_to_string(tape.path(&run)).unwrap().contains(written));
        for kind in [Kind::Prm, Kind::TokenCode] {
            let run = Cassette::load(&tape.path(&run)).unwrap();
            let took = run.interactions.iter().find(|own| own.kind == kind).unwrap().exchange.took.unwrap();
            assert!(took.as_millis() >= least, "{kind}: {took:?}");
        }
    }
    assert_eq!(tape.reference(&["--speed", "0"], ECHO).status.code(), Some(2));
}

#[test]
fn a_run_says_which_policies_the_tape_shows() {
    let tape = Tape::record(|_| {}, ECHO);
    assert_eq!(tape.reference(&["-o", "run.yaml"], ECHO).status.code(), Some(0));
    let policies = Cassette::load(&tape.path("run.yaml")).unwrap().header.replayed.unwrap().policies;
    let lists: Vec<_> = policies.iter().map(|own| format!("{}\n{}\n{}", own.of, own.tape.join(" "), own.default.join(" "))).collect();
    insta::assert_snapshot!(lists.join("\n"), @"
    http://auth.demo.localhost
    metadata=oauth registration=open client-documents=false auth-methods=none+client_secret_post+client_secret_basic redirect=exact-but-loopback-port iss=true access-ttl=3600s refresh-token=when-registered consent=granted
    reregistration=orphan unnamed-auth=advertised pkce=required resource-at-authorize=allow resource-at-token=allow resource-at-refresh=allow code-ttl=60s refresh-ttl=none rotation=strict grace=0s reuse=revoke-family foreign-refresh=revoke-family old-access=keep access-revocation=token scopes=any
    http://mcp.demo.localhost/mcp
    versions=2026-07-28 protected=true open-methods=none metadata=at-a-url audience=checked
    sessions=false get-stream=false tool-scopes=none origins=*
    ");
}

#[test]
fn a_run_is_a_cassette_too() {
    let tape = Tape::record(|_| {}, ECHO);
    assert_eq!(tape.reference(&["-o", "run.yaml"], ECHO).status.code(), Some(0));
    fs::rename(tape.path("run.yaml"), tape.path("tape.yaml")).unwrap();
    let output = tape.reference(&["-o", "second.yaml"], ECHO);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("hi"));
}

#[test]
fn the_examples_of_the_help_work_as_typed() {
    let folder = tempfile::tempdir().unwrap();
    let help = authtape(folder.path()).args(["replay", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let examples: Vec<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("authtape replay cassettes/")).collect();
    assert_eq!(examples.len(), 2, "{help}");
    let path = format!("{}:/usr/bin:/bin", Path::new(AUTHTAPE).parent().unwrap().display());
    for example in examples {
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", &path).env("HOME", folder.path()).env("TMPDIR", folder.path());
        let output = shell.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-c", example]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{example}: {}", talk(&output));
        assert!(talk(&output).contains("no miss, upstream connections: 0"), "{}", talk(&output));
    }
}

/// A tape that begins logged in: the first credentials that nobody knows are taken for those of the tape, unless that is not wanted.
#[test]
fn what_is_adopted_is_in_the_run_and_nothing_is_with_no_adopt() {
    let folder = tempfile::tempdir().unwrap();
    let tape = Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes/claude-list.yaml");
    let call =
        "curl -s -o /dev/null -w '%{http_code} ' -H 'content-type: application/json' -H 'accept: application/json, text/event-stream'";
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    let script =
        ["first", "second"].map(|bearer| format!("{call} -H 'authorization: Bearer {bearer}' -d '{message}' https://mcp.ts.test/mcp"));
    for (options, statuses, adopted) in [(&[][..], "200 401", 1), (&["--no-adopt"], "401 401", 0)] {
        let mut replay = authtape(folder.path());
        replay.arg("replay").arg(&tape).args(["-o", "run.yaml", "--force"]).args(options);
        let output = replay.args(["--", "sh", "-c", &script.join(";")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), statuses, "{}", talk(&output));
        let run = Cassette::load(&folder.path().join("run.yaml")).unwrap();
        assert_eq!(run.header.replayed.unwrap().adopted.len(), adopted, "{}", talk(&output));
        assert!(!fs::read_to_string(folder.path().join("run.yaml")).unwrap().contains("Bearer first"));
    }
}
