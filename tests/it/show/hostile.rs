//! A cassette whose every text speaks to terminals and CI runners: none of it comes through.

use super::{command, golden, run};

/// Characters that move cursors or turn text around; line ends aside.
fn is_obeyed(character: char) -> bool {
    let turns = "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    (character.is_control() && character != '\n') || turns.contains(character)
}

#[test]
fn nothing_that_is_obeyed_comes_through() {
    let views: [&[&str]; 11] = [
        &["hostile.yaml"],
        &["hostile.yaml", "1"],
        &["hostile.yaml", "2"],
        &["hostile.yaml", "3"],
        &["hostile.yaml", "4"],
        &["hostile.yaml", "--follow"],
        &["hostile.yaml", "--format", "json"],
        &["hostile.yaml", "--format", "json", "1"],
        &["hostile.yaml", "--format", "json", "2"],
        &["hostile.yaml", "--format", "json", "3"],
        &["hostile\u{1b}[2J\n::error::\u{202e}.yaml"],
    ];
    for view in views {
        let shown = run(command(&golden(), view));
        for text in [&shown.out, &shown.talk] {
            assert_eq!(text.chars().find(|c| is_obeyed(*c)), None, "{view:?}: {text:?}");
            for line in text.lines() {
                let is_command = line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[");
                assert!(!is_command, "{view:?}: {line:?}");
            }
        }
        assert!(shown.out.len() + shown.talk.len() > 60, "{view:?}");
    }
}
