//! Broken and hostile files: never a panic, always a place in the file.

use authtape::cassette::{Cassette, CassetteError, Existing, Follower};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

const LOGIN: &str = include_str!("../golden/show/login.yaml");

fn write(folder: &Path, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join("x.yaml");
    fs::write(&path, bytes).expect("a file");
    path
}

/// The message for a file, without its folder.
fn refused(bytes: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Cassette::load(&write(folder.path(), bytes)).expect_err("a refusal");
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

fn changed(from: &str, to: &str) -> String {
    assert!(LOGIN.contains(from), "{from}");
    refused(LOGIN.replacen(from, to, 1))
}

#[test]
fn a_file_that_is_no_cassette_is_refused_with_its_place() {
    let messages = [
        refused(""),
        refused("\n# nothing\n"),
        refused("{\"log\": {\"entries\": []}}"),
        refused("hello: world\n"),
        refused(LOGIN.split_once("---\n").unwrap().1),
        changed("authtape: 1", "authtape: 2"),
        changed("finished: true\n", ""),
        changed("  status: 401", "  stauts: 401"),
    ];
    insta::assert_snapshot!(messages.join("\n\n"), @r#"
    x.yaml:1:1: an empty file: expected a cassette, which begins with `authtape: 1`

    x.yaml:1:1: an empty file: expected a cassette, which begins with `authtape: 1`

    x.yaml:1:1: not a cassette: expected a YAML file that begins with `authtape: 1`
    1 | {"log": {"entries": []}}
      | ^

    x.yaml:1:1: not a cassette: expected a YAML file that begins with `authtape: 1`
    1 | hello: world
      | ^

    x.yaml:1:1: the header is missing: expected a first document that begins with `authtape: 1`
    1 | interaction: 1
      | ^

    x.yaml:1:1: cassette version 2; this authtape reads version 1
    1 | authtape: 2
      | ^

    x.yaml:6:1: missing field `finished`
    6 | passed:
      | ^

    x.yaml:25:3: unknown field `stauts`, expected one of status, headers, encoding, style, json, json_text, form, events, tail, text, base64, cut, ended, reason, trailers
    25 |   stauts: 401
       |   ^
    "#);
}

#[test]
fn a_member_that_is_wrong_is_shown_with_its_line() {
    let messages = [
        changed("  status: 401", "  status: fourhundred"),
        changed("at: 61ms", "at: 61s"),
        changed("kind: prm", "kind: metadata"),
        changed("  style: python", "  style: crlf"),
        changed("  style: python", "  text: x"),
        changed("failed:\n  stage: connect", "failed:\n  stage: bored"),
        changed("unseen: true\n", ""),
    ];
    insta::assert_snapshot!(messages.join("\n\n"), @r#"
    x.yaml:25:11: expected a whole number (u16)
    25 |   status: fourhundred
       |           ^

    x.yaml:32:5: expected a time in milliseconds such as 1204ms, found "61s"
    32 | at: 61s
       |     ^

    x.yaml:34:7: unknown kind "metadata"
    34 | kind: metadata
       |       ^

    x.yaml:72:3: no style of `json`: expected compact, python or indent2
    72 |   style: crlf
       |   ^

    x.yaml:72:3: both `json` and `text`: a body is given in one way
    72 |   text: x
       |   ^

    x.yaml:142:3: unknown variant `bored`, expected one of resolve, connect, tls, response, client-gone
    142 |   stage: bored
        |   ^

    x.yaml:75:1: no outcome: expected `response`, `failed` or `unseen: true`
    75 | interaction: 4
       | ^
    "#);
}

#[test]
fn documents_and_yaml_that_are_wrong_are_shown_with_their_line() {
    let messages = [
        changed("interaction: 6", "interaction: 3"),
        changed("event: tls-handshake-failed", "happened: tls-handshake-failed"),
        changed("    - content-type: application/json\n", "    - {content-type: application/json, accept: x}\n"),
        changed("  url: https://auth", "  url: 'https://auth"),
        changed("  reason: connection reset", "\treason: connection reset"),
        changed("detail: the", "detail: &a the"),
        changed("event: tls-handshake-failed", "authtape: 1"),
    ];
    insta::assert_snapshot!(messages.join("\n\n"), @r"
    x.yaml:129:1: interaction 3 is there twice, first on line 53
    129 | interaction: 3
        | ^

    x.yaml:46:1: neither an interaction nor an event: expected a line that begins with `interaction:` or `event:`
    46 | happened: tls-handshake-failed
       | ^

    x.yaml:21:7: more than one name in an item: each `name: value` is an item of its own
    21 |     - {content-type: application/json, accept: x}
       |       ^

    x.yaml:62:3: invalid indentation in multiline quoted scalar
    62 |   headers:
       |   ^

    x.yaml:126:10: while scanning a plain scalar, found a tab
    126 |   ended: server-gone
        |          ^

    x.yaml:51:12: anchors and aliases are no part of the format
    51 | detail: &a the client sent the alert unknown_ca
       |            ^

    x.yaml:46:1: a second header: `authtape:` stands only in the first document
    46 | authtape: 1
       | ^
    ");
}

#[test]
fn the_cassette_in_the_specification_is_one() {
    let specification = include_str!("../../cassettes/README.md");
    let lines = specification.lines().skip_while(|line| *line != "    authtape: 1").take_while(|line| line.starts_with("    "));
    let text: String = lines.map(|line| format!("{}\n", &line[4..])).collect();
    let folder = tempfile::tempdir().unwrap();
    let cassette = Cassette::load(&write(folder.path(), &text)).unwrap();
    let again = folder.path().join("again.yaml");
    cassette.save(&again, Existing::Refuse).unwrap();
    assert_eq!(fs::read_to_string(&again).unwrap(), text);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Cassette::load(&write(folder.path(), LOGIN)).unwrap();
    let windows = Cassette::load(&write(folder.path(), format!("\u{feff}{}", LOGIN.replace('\n', "\r\n")))).unwrap();
    assert!(plain.interactions == windows.interactions && plain.header == windows.header);
    assert_eq!((plain.interactions.len(), plain.events.len()), (6, 1));
    let again = folder.path().join("again.yaml");
    plain.save(&again, Existing::Refuse).unwrap();
    let again = Cassette::load(&again).unwrap();
    assert!(plain.interactions == again.interactions && plain.events == again.events);
}

#[test]
fn bombs_end_quickly() {
    let header = LOGIN.split_once("interaction:").unwrap().0;
    let nested = format!("{header}interaction: {}\n", "[".repeat(200_000));
    let blocks = format!("{header}interaction:\n{}", (1..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>());
    let laughs = format!("{header}interaction: &a [x, x]\nsession: &b [*a, *a, *a]\nconnection: [*b, *b]\n");
    for bomb in [nested, blocks, laughs] {
        assert!(refused(bomb).starts_with("x.yaml:"));
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let bytes = LOGIN.as_bytes();
    let cut = (0..bytes.len(), 0..200usize).prop_map(move |(start, length)| {
        let end = (start + length).min(bytes.len());
        [&bytes[..start], &bytes[end..]].concat()
    });
    let put = (
        0..bytes.len(),
        proptest::sample::select(vec!["---\n", "\n", "  ", ": ", "- ", "|", "\"", "{", "*a", "\u{0}", "é", "0", "more: 3\n", "\t"]),
    );
    let put = put.prop_map(move |(at, text)| [&bytes[..at], text.as_bytes(), &bytes[at..]].concat());
    let flip = (0..bytes.len(), any::<u8>()).prop_map(move |(at, byte)| {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        bytes
    });
    prop_oneof![cut, put, flip]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_change_to_a_file_makes_a_panic(bytes in mutated(), unfinished in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = if unfinished { String::from_utf8_lossy(&bytes).replace("finished: true", "finished: false").into_bytes() } else { bytes };
        let path = write(folder.path(), &bytes);
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
        match Cassette::load(&path) {
            Ok(cassette) => {
                let again = folder.path().join("again.yaml");
                cassette.save(&again, Existing::Refuse).unwrap();
                let read = Cassette::load(&again).unwrap();
                prop_assert!(read.interactions == cassette.interactions && read.events == cassette.events);
            }
            Err(CassetteError::Broken(broken)) => prop_assert!(broken.line >= 1 && broken.line <= lines + 1, "{broken}"),
            Err(error) => panic!("{error}"),
        }
        if let Ok(mut follower) = Follower::open(&path) {
            let _ = follower.poll();
        }
    }
}
