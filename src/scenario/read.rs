//! The file of a scenario, version 1: read strictly, and refused with line, column and the nearest name.

use super::{Options, Scenario, Sessions, Step, duration};
use crate::cassette::Broken;
use crate::fault::{self, Attributes, Spec};
use crate::protocol::Kind;
use crate::yaml;
use serde::Deserialize as Read;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the format.
pub const VERSION: u32 = 1;

/// How large a scenario may be, in bytes.
pub const FILE_LIMIT: usize = 1 << 20;

impl Scenario {
    /// Reads a scenario; `path` is for error messages, and the cassette is looked for beside it.
    ///
    /// # Errors
    /// The text is no scenario, or larger than the limit: the line and what was expected.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Box<Broken>> {
        let broken = |line: u64, column: u64, message: String| {
            let shown = usize::try_from(line).ok().and_then(|line| text.lines().nth(line.saturating_sub(1)));
            let hint = Some("`authtape replay --help` names a whole scenario; `authtape faults` lists the faults");
            Box::new(Broken { path: path.to_owned(), line, column, message, text: shown.unwrap_or_default().to_owned(), hint })
        };
        if text.len() > FILE_LIMIT {
            return Err(broken(1, 1, format!("a scenario may be {FILE_LIMIT} bytes, this one is {}", text.len())));
        }
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Err(broken(1, 1, format!("an empty file: expected a scenario, which begins with `scenario: {VERSION}`")));
        }
        let wire: WireScenario = yaml::from_str(text).map_err(|error| broken(error.line, error.column, with_nearest(error.message)))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let options = wire.options.unwrap_or_default();
        Ok(Self {
            name: wire.name,
            about: wire.about,
            cassette: folder.join(wire.cassette),
            faults: wire.faults.into_iter().map(|fault| (fault.0, fault.1)).collect(),
            setup: wire.setup,
            sessions: wire.sessions.map(|list| list.0),
            options: Options { expires_in: options.expires_in, seed: options.seed, timeout: options.timeout.map(|span| span.0) },
        })
    }
}

/// What serde says of an unknown member, and the nearest of those that it lists.
fn with_nearest(message: String) -> String {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return message;
    }
    let Some(written) = message.split('`').nth(1) else { return message };
    let listed = message.split_once("expected ").map_or("", |(_, list)| list);
    let names = listed.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|name| !name.is_empty());
    let near = names.map(|own| (strsim::jaro_winkler(written, own), own)).filter(|(likeness, _)| *likeness > 0.75);
    match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, own)) => format!("{message}; did you mean {own}?"),
        None => message,
    }
}

/// A scenario: which cassette is replayed, what breaks, and how often the client is started.
#[derive(Read)]
#[serde(deny_unknown_fields)]
struct WireScenario {
    #[serde(rename = "scenario")]
    _version: Version,
    name: Option<String>,
    about: Option<String>,
    cassette: PathBuf,
    #[serde(default)]
    faults: Vec<WireFault>,
    #[serde(default)]
    setup: Vec<String>,
    sessions: Option<WireSessions>,
    options: Option<WireOptions>,
}

#[derive(Read)]
#[serde(try_from = "u32")]
struct Version;

#[derive(Default, Read)]
#[serde(deny_unknown_fields)]
struct WireOptions {
    expires_in: Option<u64>,
    seed: Option<u64>,
    timeout: Option<Span>,
}

struct Span(Duration);

struct WireFault(&'static Spec, Attributes);

#[derive(Read)]
#[serde(try_from = "Vec<WireStep>")]
struct WireSessions(Sessions);

struct WireStep(Step);

#[derive(Read)]
#[serde(deny_unknown_fields)]
struct WireKill {
    after: KindName,
}

#[derive(Read)]
#[serde(try_from = "String")]
struct KindName(Kind);

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            VERSION => Ok(Self),
            _ => Err(format!("scenario version {version}; this authtape reads version {VERSION}")),
        }
    }
}

impl TryFrom<Vec<WireStep>> for WireSessions {
    type Error = String;

    fn try_from(steps: Vec<WireStep>) -> Result<Self, String> {
        Sessions::of(steps.into_iter().map(|step| step.0).collect()).map(Self)
    }
}

impl TryFrom<String> for KindName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.parse() {
            Ok(Kind::Callback) => Err("the callback is answered by the client itself: kill it after authorize or token-code".to_owned()),
            Ok(kind) => Ok(Self(kind)),
            Err(_) => Err(format!("{name:?} is not a kind such as authorize or token-refresh")),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        duration(&text).map(Self).map_err(de::Error::custom)
    }
}

/// A scalar as its text.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Text, E> {
                Ok(Text(truth.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

impl<'de> Deserialize<'de> for WireFault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = WireFault;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a fault, or `{fault: NAME, attribute: value}`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<WireFault, E> {
                fault::of(name, Vec::new()).map(|(spec, own)| WireFault(spec, own)).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireFault, A::Error> {
                let (mut name, mut pairs) = (None, Vec::new());
                while let Some((key, Text(value))) = map.next_entry::<String, Text>()? {
                    match key.as_str() {
                        "fault" => name = Some(value),
                        _ => pairs.push((key, value)),
                    }
                }
                let name = name.ok_or_else(|| de::Error::missing_field("fault"))?;
                fault::of(&name, pairs).map(|(spec, own)| WireFault(spec, own)).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

const STEPS: &[&str] = &["run", "parallel", "advance", "kill"];

impl<'de> Deserialize<'de> for WireStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = WireStep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`run`, `parallel: N`, `advance: 13h` or `kill: {after: KIND}`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<WireStep, E> {
                if word == "run" { Ok(WireStep(Step::Run(1))) } else { Err(E::unknown_variant(word, STEPS)) }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireStep, A::Error> {
                let name = map.next_key::<String>()?.unwrap_or_default();
                let step = match name.as_str() {
                    "parallel" => match map.next_value::<u32>()? {
                        0 => return Err(de::Error::custom("parallel: 0 starts nothing")),
                        count => Step::Run(count),
                    },
                    "advance" => Step::Advance(map.next_value::<Span>()?.0),
                    "kill" => Step::Kill { after: map.next_value::<WireKill>()?.after.0 },
                    _ => return Err(de::Error::unknown_variant(&name, STEPS)),
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom("more than one name in a step: each step is an item of its own"));
                }
                Ok(WireStep(step))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Scenario::parse(Path::new("s.yaml"), text).expect_err("refused").to_string()
    }

    #[test]
    fn every_part_is_read() {
        let text = "scenario: 1\nname: vendor\nabout: two lines\ncassette: tapes/a.yaml\nfaults:\n  - refresh-400-vendor\n  \
                    - {fault: reset, kind: prm, nth: 2}\nsetup: [login]\nsessions:\n  - run\n  - advance: 13h\n  - kill: {after: authorize}\n  \
                    - parallel: 3\noptions: {expires_in: 60, seed: 7, timeout: 30s}\n";
        let read = Scenario::parse(Path::new("suite/s.yaml"), text).unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!(read.cassette, Path::new("suite/tapes/a.yaml"));
        assert_eq!(read.faults.iter().map(|(spec, _)| spec.name).collect::<Vec<_>>(), ["refresh-400-vendor", "reset"]);
        assert_eq!(read.faults[1].1.text("nth"), Some("2"));
        let steps = [Step::Run(1), Step::Advance(Duration::from_secs(46_800)), Step::Kill { after: Kind::Authorize }, Step::Run(3)];
        assert_eq!(read.sessions.expect("sessions").steps(), steps);
        assert_eq!((read.options.expires_in, read.options.seed), (Some(60), Some(7)));
        assert_eq!((read.setup, read.options.timeout), (vec!["login".to_owned()], Some(Duration::from_secs(30))));
    }

    #[test]
    fn a_typo_is_named_with_its_line_and_the_nearest_name() {
        let with = |rest: &str| refusal(&format!("scenario: 1\ncassette: a.yaml\n{rest}"));
        for (rest, line, said) in [
            ("faults:\n  - refresh-invalid-grand\n", 4, "did you mean refresh-invalid-grant?"),
            ("faults:\n  - {fault: reset, knd: prm}\n", 4, "did you mean kind?"),
            ("fautls: []\n", 3, "did you mean faults?"),
            ("sessions:\n  - run\n  - paralel: 2\n", 5, "did you mean parallel?"),
            ("sessions:\n  - rum\n", 4, "did you mean run?"),
            ("sessions:\n  - kill: {after: authorise}\n", 4, "not a kind"),
            ("options: {timeout: 3x}\n", 3, "one unit"),
        ] {
            let refused = with(rest);
            assert!(refused.starts_with(&format!("s.yaml:{line}:")) && refused.contains(said), "{rest}: {refused}");
        }
        assert!(refusal("scenario: 2\ncassette: a.yaml\n").contains("version 2"));
        assert!(refusal("# nothing\n").contains("an empty file"));
        assert!(with("sessions: []\n").contains("empty") && with("sessions: [{advance: 1h}]\n").contains("nobody would see it"));
    }
}
