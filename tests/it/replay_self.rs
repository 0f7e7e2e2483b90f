//! Each tape against itself: the player, sent the requests of its own tape, answers as the tape does.

use crate::replay_driver::{Ended, drive};
use crate::replay_lab::{AUTHTAPE, CURL, MCP, Making, Tape};
use authtape::cassette::Cassette;
use authtape::demo::Plan;
use authtape::model::policy::{AuthMethod, OldAccess, RefreshIssue, Registration, ReplyForm, Rotation};
use std::path::Path;
use std::time::Duration;

/// Holds a tape against its own player.
fn check(wrong: &mut Vec<String>, name: &str, cassette: &Cassette, acts: &[(u32, Ended)]) {
    for seed in [1, 2] {
        let differences = drive(cassette, acts, seed);
        assert!(differences.sent > 0, "{name}: nothing was sent");
        wrong.extend(differences.lines.iter().map(|line| format!("{name}: {line}")));
    }
}

/// Tapes whose servers ended something by themselves, and before which interaction.
const ACTS: &[(&str, &[(u32, Ended)])] = &[
    ("no-refresh-token", &[(15, Ended::Access)]),
    ("oidc-refresh", &[(14, Ended::Access)]),
    ("refresh-invalid-grant", &[(15, Ended::Access), (18, Ended::Grants)]),
    ("ts-v1-session", &[(13, Ended::Access)]),
    ("unknown-session", &[(13, Ended::Sessions)]),
];

#[test]
fn the_tapes_that_ship_are_answered_as_they_were_recorded() {
    let mut wrong = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes");
    let mut names: Vec<_> = folder.read_dir().expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    names.sort();
    assert!(names.len() >= ACTS.len());
    for path in names {
        let cassette = Cassette::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let acts = ACTS.iter().find(|(own, _)| *own == name).map(|(_, acts)| *acts).unwrap_or_default();
        check(&mut wrong, name, &cassette, acts);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn legacy(plan: &mut Plan) {
    plan.server.versions = vec!["2025-11-25".to_owned()];
}

type Change = fn(&mut Plan);

const PLANS: &[(&str, Change)] = &[
    ("modern", |_| {}),
    ("legacy", legacy),
    ("legacy, streams", |plan| {
        legacy(plan);
        plan.server.reply = ReplyForm::Stream;
    }),
    ("legacy, polled", |plan| {
        legacy(plan);
        plan.server.reply = ReplyForm::Poll;
    }),
    ("legacy without sessions", |plan| {
        legacy(plan);
        (plan.server.session_required, plan.server.get_stream) = (false, false);
    }),
    ("basic, no rotation", |plan| {
        plan.issuer.auth_methods = vec![AuthMethod::Basic];
        (plan.issuer.rotation, plan.issuer.send_iss) = (Rotation::Never, false);
    }),
    ("no refresh token", |plan| plan.issuer.refresh_issue = RefreshIssue::Never),
    ("old access tokens end", |plan| plan.issuer.old_access = OldAccess::Revoke),
    ("no protection", |plan| plan.server.protected = false),
    ("client documents", |plan| (plan.issuer.client_documents, plan.issuer.registration) = (true, Registration::Closed)),
];

#[test]
fn a_login_and_a_call_of_the_reference_client_are_answered_as_they_were_recorded() {
    let mut wrong = Vec::new();
    let document = [AUTHTAPE, "client", MCP, "--list", "--client-metadata-url", "https://client.example/metadata.json"];
    for (name, change) in PLANS {
        let mut making = Making::of(Plan::default());
        change(&mut making.plan);
        if *name == "client documents" {
            making.client = &document;
        }
        check(&mut wrong, name, &Tape::record(making).cassette(), &[]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A client that comes back, whose tokens were ended, refreshed and revoked in between.
const DAY: &str = r#"
    client="$1"; mcp="$2"
    "$client" client "$mcp" --list --store store.json
    "$client" client "$mcp" --tool echo --arguments '{"text":"a"}' --store store.json
    "$client" client "$mcp" --tool echo --arguments '{"text":"b"}' --store store.json
    "$client" client "$mcp" --login --tool echo --arguments '{"text":"a"}' --store store.json
    "$client" client "$mcp" --logout --store store.json
"#;

#[test]
fn a_day_with_expiry_a_second_login_and_a_logout_is_answered_as_it_was_recorded() {
    let mut wrong = Vec::new();
    let client = ["sh", "-c", DAY, "sh", AUTHTAPE, MCP];
    for (name, change) in PLANS.iter().filter(|(name, _)| !matches!(*name, "no protection" | "client documents")) {
        let mut making = Making::of(Plan::default());
        change(&mut making.plan);
        making.client = &client;
        // The client refreshes ahead of time: at each start.
        making.plan.issuer.access_ttl = Duration::from_secs(20);
        check(&mut wrong, name, &Tape::record(making).cassette(), &[]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A client that does everything wrong, in both eras.
const WRONG: &str = r#"
    init='{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'
    ping='{"jsonrpc":"2.0","id":7,"method":"ping"}'
    json -d "$ping" "$MCP"; rpc stale "$ping"; json -H 'authorization: Basic eDp5' -d "$ping" "$MCP"; rpc stale "$ping" -H 'origin: https://evil.example'
    id=$(register); other=$(register); json -d '{"redirect_uris":["http://evil.example/cb"]}' "$AUTH/register"; json -d 'nonsense' "$AUTH/register"
    code nobody; code "$id" -d scope=a
    curl -s -G "$AUTH/authorize" -d response_type=code -d client_id="$id" -d redirect_uri=http://127.0.0.1:4711/cb -d state=x
    curl -s -G "$AUTH/authorize" -d response_type=token -d client_id="$id" -d redirect_uri=http://127.0.0.1:4711/cb -d state=y
    curl -s -G "$AUTH/authorize" -d response_type=code -d client_id="$id" -d redirect_uri=http://127.0.0.1:4711/other -d state=z
    for change in code_verifier=wrong-verifier-that-is-long-enough-for-the-rfc redirect_uri=http://127.0.0.1:4711/x client_id=nobody grant_type=password; do
        name=${change%%=*}
        second=$(code "$id")
        set -- grant_type=authorization_code client_id="$id" code="$second" code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk redirect_uri=http://127.0.0.1:4711/cb
        data=""
        for field; do case "$field" in "$name"=*) ;; *) data="$data&$field" ;; esac; done
        curl -s -d "${data#&}&$change" "$AUTH/token"
    done
    tokens=$(redeem "$id" "$(code "$id")"); access=$(printf %s "$tokens" | member access_token); old=$(printf %s "$tokens" | member refresh_token)
    rpc "$access" "$ping"; rpc "$access" "$ping" -H 'mcp-session-id: nobody'; rpc "$access" 'nonsense'
    session=$(rpc "$access" "$init" -o /dev/null -D - | tr -d '\r' | sed -n 's/^[Mm]cp-[Ss]ession-[Ii]d: //p')
    if [ -n "$session" ]; then
        rpc "$access" "$ping" -H "mcp-session-id: $session"; rpc "$access" "$ping" -H "mcp-session-id: $session" -H 'mcp-protocol-version: 1999-01-01'
        curl -s -X DELETE -H "authorization: Bearer $access" -H "mcp-session-id: $session" "$MCP"; rpc "$access" "$ping" -H "mcp-session-id: $session"
        curl -s -X DELETE -H "authorization: Bearer $access" -H "mcp-session-id: $session" "$MCP"
    fi
    curl -s -X PUT -H "authorization: Bearer $access" "$MCP"; curl -s "$AUTH/token"; curl -s -X PUT "$AUTH/register"
    refresh "$other" nobody; refresh "$id" nobody; curl -s -d grant_type=refresh_token -d client_id="$id" -d refresh_token="$old" -d scope=more "$AUTH/token"
    new=$(refresh "$id" "$old" | member refresh_token); refresh "$id" "$old"; refresh "$id" "${new:-$old}"; rpc "$access" "$ping"
    tokens=$(redeem "$id" "$(code "$id")"); access=$(printf %s "$tokens" | member access_token); old=$(printf %s "$tokens" | member refresh_token)
    refresh "$other" "$old"; rpc "$access" "$ping"
    tokens=$(redeem "$id" "$(code "$id")"); access=$(printf %s "$tokens" | member access_token)
    curl -s -d token="$access" -d client_id="$other" "$AUTH/revoke"; rpc "$access" "$ping"
    curl -s -d token="$access" -d client_id="$id" "$AUTH/revoke"; rpc "$access" "$ping"
    again=$(code "$id"); redeem "$id" "$again"; redeem "$id" "$again"
    redeem "$other" "$(code "$id")"
"#;

#[test]
fn everything_that_a_client_may_do_wrong_is_refused_as_it_was_recorded() {
    let mut wrong = Vec::new();
    let script = format!("{CURL}\n{WRONG}");
    let client = ["sh", "-c", &script];
    for (name, change) in PLANS {
        let mut making = Making::of(Plan::default());
        change(&mut making.plan);
        making.client = &client;
        check(&mut wrong, name, &Tape::record(making).cassette(), &[]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
