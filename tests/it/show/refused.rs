//! What cannot be shown: a wrong command line, files that are missing, broken or no cassettes.

use super::{command, golden, run};

/// The exit code and what was said; nothing may be printed as data.
fn refused(arguments: &[&str]) -> String {
    let shown = run(command(&golden(), arguments));
    assert_eq!(shown.out, "");
    format!("{}\n{}", shown.code.unwrap(), shown.talk)
}

#[test]
fn an_interaction_that_is_not_there() {
    insta::assert_snapshot!(refused(&["login.yaml", "9"]), @r"
    2
    error: login.yaml has no interaction 9: they are numbered 1 to 6
    ");
    insta::assert_snapshot!(refused(&["killed.yaml.part", "1"]), @r"
    2
    error: killed.yaml.part has no interaction 1: its only one is 3
    ");
}

#[test]
fn a_command_line_that_makes_no_sense() {
    insta::assert_snapshot!(refused(&["login.yaml", "seven"]), @r"
    2
    error: invalid value 'seven' for '[N]': invalid digit found in string

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["login.yaml", "7", "--follow"]), @r"
    2
    error: the argument '[N]' cannot be used with '--follow'

    Usage: authtape show <FILE> <N>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["login.yaml", "--follow", "--format", "json"]), @r"
    2
    error: --follow prints lines as they come, --format json one document
    hint: follow without --format, or ask for the JSON when the recording is over
    ");
}

#[test]
fn a_file_that_cannot_be_read() {
    insta::assert_snapshot!(refused(&["nowhere.yaml"]), @r"
    3
    error: cannot read nowhere.yaml: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(refused(&["nowhere.yaml", "--follow"]), @r"
    3
    error: cannot read nowhere.yaml: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(refused(&["."]), @r"
    3
    error: cannot read .: Is a directory (os error 21)
    ");
}

#[test]
fn a_broken_file_is_shown_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let login = std::fs::read_to_string(golden().join("login.yaml")).unwrap();
    let refused = |text: String, arguments: &[&str]| {
        std::fs::write(folder.path().join("broken.yaml"), text).unwrap();
        let shown = run(command(folder.path(), arguments));
        assert_eq!((shown.code, shown.out.as_str()), (Some(3), ""));
        shown.talk
    };
    let stauts = login.replacen("status: 401", "stauts: 401", 1);
    insta::assert_snapshot!(refused(stauts.clone(), &["broken.yaml"]), @r"
    error: broken.yaml:25:3: unknown field `stauts`, expected one of status, headers, encoding, style, json, json_text, form, events, tail, text, base64, cut, ended, reason, trailers
    25 |   stauts: 401
       |   ^
    ");
    assert_eq!(refused(stauts.clone(), &["broken.yaml", "2", "--format=json"]), refused(stauts, &["broken.yaml"]));
    insta::assert_snapshot!(refused("hello: \u{1b}[2J\u{202e}world\n".to_owned(), &["broken.yaml"]), @r"
    error: broken.yaml:1:1: not a cassette: expected a YAML file that begins with `authtape: 1`
    1 | hello: �[2J�world
      | ^
    hint: cassettes/README.md shows a whole cassette
    ");
    insta::assert_snapshot!(refused(login.replace("detail: the", "detail: &a the"), &["broken.yaml"]), @r"
    error: broken.yaml:51:12: anchors and aliases are no part of the format
    51 | detail: &a the client sent the alert unknown_ca
       |            ^
    ");
    insta::assert_snapshot!(refused(String::new(), &["broken.yaml", "--follow"]), @r"
    reading broken.yaml
    error: broken.yaml:1:1: an empty file: expected a cassette, which begins with `authtape: 1`
    ");
}
