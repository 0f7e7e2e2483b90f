//! The whole command line reference is one snapshot, so that no option changes unseen.

use std::process::Command;

#[test]
fn the_command_line_is_as_documented() {
    let mut reference = help(&["--help"]);
    let commands: Vec<String> = reference
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.strip_prefix("  ").and_then(|line| line.split_whitespace().next()))
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(commands.iter().any(|name| name == "record"), "the commands were found");
    for command in commands {
        reference.push_str(&format!("\n\n==== authtape {command} --help\n"));
        reference.push_str(&help(&[&command, "--help"]));
    }
    insta::assert_snapshot!("reference", reference);
}

#[test]
fn what_is_no_command_is_refused_with_the_nearest_one() {
    let output = Command::new(env!("CARGO_BIN_EXE_authtape")).arg("recrod").output().expect("authtape runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'record'"));
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_authtape")).args(arguments).env("COLUMNS", "100").output().expect("authtape runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("help is UTF-8");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
