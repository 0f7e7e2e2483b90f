//! The recorded call that is most like one that is not on the tape, and each reason why it is another one. Names members, never
//! their values.

use super::canonical::parameters;
use super::{Calls, Recorded, called};
use serde_json::Value;

/// How many recorded calls are looked at, the latest first, and how many reasons are given.
const LOOKED_AT: usize = 64;
const REASONS: usize = 6;

/// What comes nearest to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearest {
    /// Its number; `None` when nothing comes near.
    pub number: Option<usize>,
    /// Each reason why it is not the same call.
    pub reasons: Vec<String>,
}

pub(super) fn of(calls: &Calls, message: &Value) -> Nearest {
    let method = message["method"].as_str().unwrap_or_default();
    let live = parameters(message);
    let Some(recorded) = calls.by_method.get(method) else {
        let mut methods: Vec<&str> = calls.by_method.keys().map(String::as_str).collect();
        methods.sort_unstable();
        let reason = match methods.as_slice() {
            [] => "the tape holds no call of this server".to_owned(),
            methods => format!("the tape holds no {method} for this server, but {}", methods.join(", ")),
        };
        return Nearest { number: None, reasons: vec![reason] };
    };
    let candidates = recorded.iter().rev().take(LOOKED_AT).map(|own| (own, differences(&own.parameters, &live)));
    // The same name counts more than anything that differs beside it.
    let weight = |own: &Recorded, differences: &[String]| (called(&own.parameters) != called(&live), differences.len());
    let best = candidates.min_by_key(|(own, differences)| weight(own, differences));
    best.map(|(own, mut reasons)| {
        reasons.truncate(REASONS);
        Nearest { number: Some(own.number), reasons }
    })
    .unwrap_or_default()
}

fn differences(recorded: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("params", recorded, live, &mut found);
    found
}

fn compare(path: &str, recorded: &Value, live: &Value, found: &mut Vec<String>) {
    let (Value::Object(own), Value::Object(other)) = (recorded, live) else {
        if recorded != live {
            found.push(format!("{path} differs"));
        }
        return;
    };
    for (name, value) in own {
        match other.get(name) {
            Some(live) => compare(&format!("{path}.{name}"), value, live, found),
            None => found.push(format!("{path}.{name} is only on the tape")),
        }
    }
    found.extend(other.keys().filter(|name| !own.contains_key(*name)).map(|name| format!("{path}.{name} is not on the tape")));
}
