//! What may be written about faults, and what is wrong with the rest.

use super::*;

fn armed(texts: &[&str]) -> Result<Faults, FaultError> {
    let read = texts.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()?;
    Faults::arm(read, Expiry::AsRecorded)
}

fn refusal(texts: &[&str]) -> String {
    armed(texts).expect_err("refused").to_string()
}

fn names(faults: &Faults) -> Vec<&'static str> {
    faults.fired().map(|own| own.name).collect()
}

#[test]
fn every_page_is_whole_and_every_fault_can_be_armed_as_it_is() {
    let mut seen = std::collections::HashSet::new();
    for spec in ALL.iter() {
        assert!(seen.insert(spec.name), "{} is there twice", spec.name);
        let Page { title, injects, correct, source, broken, .. } = &spec.page;
        for part in [title, injects, correct, source, broken] {
            assert!(part.len() > 8 && part.trim() == *part && !part.contains("  "), "{}: {part:?}", spec.name);
        }
        assert!(title.len() <= 60 && !title.ends_with('.'), "{}: {title}", spec.name);
        let is_sentence = |text: &str| text.ends_with('.') || text.ends_with(".)");
        assert!(is_sentence(injects) && is_sentence(correct) && is_sentence(broken), "{}", spec.name);
        assert!(spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{}", spec.name);
        for other in spec.excludes {
            assert!(find(other).is_some() || !seen.contains(other), "{} excludes {other}, which does not exist", spec.name);
        }
        armed(&[spec.name]).unwrap_or_else(|error| panic!("{}: {error}", spec.name));
    }
}

#[test]
fn what_is_misspelt_gets_the_nearest_name() {
    assert_eq!(refusal(&["refresh-invalid-grand"]), r#"unknown fault "refresh-invalid-grand"; did you mean refresh-invalid-grant?"#);
    assert_eq!(refusal(&["zzz"]), r#"unknown fault "zzz""#);
    assert_eq!(refusal(&["reset:knd=authorize"]), r#"reset has no attribute "knd"; did you mean kind?"#);
    assert_eq!(refusal(&["reset:at=tail"]), r#"reset: at="tail" is not one of request, head, body"#);
    assert_eq!(refusal(&["reset:kind=tokens"]), r#"reset: kind="tokens" is not a kind, as in `authtape show`"#);
    assert_eq!(refusal(&["reset:nth"]), r#"reset: "nth" is not KEY=VALUE"#);
    assert_eq!(refusal(&["refresh-5xx:status=400"]), r#"refresh-5xx: status="400" is not a status from 500 to 599"#);
}

#[test]
fn contradictions_are_refused() {
    assert_eq!(refusal(&["reset:nth=0"]), r#"reset: nth="0" is not a number from 1"#);
    assert_eq!(refusal(&["reset:nth=1,nth=2"]), "reset: nth is there twice");
    assert_eq!(refusal(&["reset:count=2,life=once"]), "reset: count and life say the same thing; write one of them");
    assert_eq!(refusal(&["callback-dropped:trigger=none"]), "callback-dropped needs no trigger");
    assert_eq!(
        refusal(&["refresh-5xx:trigger=early-401", "refresh-invalid-grant:trigger=none"]),
        "two faults of one run ask for different triggers"
    );
}

#[test]
fn a_fault_that_waits_for_a_refresh_brings_its_trigger() {
    let all = |texts: &[&str]| names(&armed(texts).expect("armed"));
    assert_eq!(all(&["refresh-5xx"]), ["early-401", "refresh-5xx"]);
    assert_eq!(all(&["refresh-5xx:trigger=none"]), ["refresh-5xx"]);
    assert_eq!(all(&["reset:kind=token-refresh"]), ["early-401", "reset"]);
    assert_eq!(all(&["early-401", "refresh-invalid-grant"]), ["early-401", "refresh-invalid-grant"]);
    assert_eq!(all(&["reset"]), ["reset"]);
    let read = vec![read("refresh-5xx").expect("read")];
    assert_eq!(names(&Faults::arm(read, Expiry::Arranged).expect("armed")), ["refresh-5xx"]);
}

#[test]
fn a_comma_in_a_value_is_written_twice() {
    let (_, attributes) = read("status:code=403,body=a,,b").expect("read");
    assert_eq!(attributes.text("body"), Some("a,b"));
}
