//! The recorded call that is most like one that is not on the tape, and each reason why it is another one. Names members, never
//! their values.

use super::Calls;
use super::canonical::{counts, is_same};
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many recorded calls are looked at, the latest first, and how many reasons are given.
const LOOKED_AT: usize = 64;
const REASONS: usize = 6;
/// How many members of one object are counted that are not on the tape.
const MOST: usize = 32;

/// What comes nearest to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearest {
    /// Its number; `None` when nothing comes near.
    pub number: Option<usize>,
    /// Each reason why it is not the same call.
    pub reasons: Vec<String>,
}

/// The latest different calls of one method: of all, and of each thing that is called.
#[derive(Clone, Default)]
pub(super) struct Recent {
    last: usize,
    all: VecDeque<Recorded>,
    by_name: HashMap<String, VecDeque<Recorded>>,
}

/// A recorded call.
#[derive(Clone)]
struct Recorded {
    number: usize,
    parameters: Arc<Value>,
}

impl Recent {
    pub(super) fn add(&mut self, number: usize, parameters: &Value, is_new: bool) {
        self.last = number;
        if !is_new {
            return;
        }
        let recorded = Recorded { number, parameters: Arc::new(parameters.clone()) };
        for latest in [self.by_name.entry(called(parameters).to_owned()).or_default(), &mut self.all] {
            if latest.len() == LOOKED_AT {
                latest.pop_front();
            }
            latest.push_back(recorded.clone());
        }
    }

    pub(super) fn last(&self) -> usize {
        self.last
    }
}

pub(super) fn of(calls: &Calls, message: &Value) -> Nearest {
    let method = message["method"].as_str().unwrap_or_default();
    let live = &message["params"];
    let Some(recent) = calls.by_method.get(method) else {
        let mut methods: Vec<&str> = calls.by_method.keys().map(String::as_str).collect();
        methods.sort_unstable();
        let reason = match methods.as_slice() {
            [] => "the tape holds no call of this server".to_owned(),
            methods => format!("the tape holds no {method} for this server, but {}", methods.join(", ")),
        };
        return Nearest { number: None, reasons: vec![reason] };
    };
    // The same name counts more than anything that differs beside it.
    let recorded = recent.by_name.get(called(live)).unwrap_or(&recent.all);
    let candidates = recorded.iter().rev().map(|own| (own.number, differences(&own.parameters, live)));
    let best = candidates.min_by_key(|(_, differences)| differences.len());
    best.map(|(number, mut reasons)| {
        reasons.truncate(REASONS);
        Nearest { number: Some(number), reasons }
    })
    .unwrap_or_default()
}

/// What a call names: the tool, the prompt, the resource.
fn called(parameters: &Value) -> &str {
    parameters["name"].as_str().or_else(|| parameters["uri"].as_str()).unwrap_or_default()
}

fn differences(recorded: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let none = Map::new();
    let members = |value: &'_ Value| value.is_null() || value.is_object();
    if members(recorded) && members(live) {
        let (own, other) = (recorded.as_object().unwrap_or(&none), live.as_object().unwrap_or(&none));
        compare_members(&mut "params".to_owned(), own, other, counts, &mut found);
    } else {
        compare(&mut "params".to_owned(), recorded, live, &mut found);
    }
    found
}

fn compare(place: &mut String, recorded: &Value, live: &Value, found: &mut Vec<String>) {
    match (recorded, live) {
        (Value::Object(own), Value::Object(other)) => compare_members(place, own, other, |_, _| true, found),
        _ if is_same(recorded, live) => {}
        _ => found.push(format!("{place} differs")),
    }
}

type Counts = fn(&str, &Value) -> bool;

fn compare_members(place: &mut String, own: &Map<String, Value>, live: &Map<String, Value>, counts: Counts, found: &mut Vec<String>) {
    let counted = |members: &'_ Map<String, Value>, name: &str| members.get(name).is_some_and(|value| counts(name, value));
    for (name, value) in own.iter().filter(|(name, value)| counts(name, value)) {
        if counted(live, name) {
            let length = place.len();
            place.push('.');
            place.push_str(name);
            compare(place, value, &live[name], found);
            place.truncate(length);
        } else {
            found.push(format!("{place}.{name} is only on the tape"));
        }
    }
    // A call may have any number of members.
    let added = live.iter().filter(|(name, value)| counts(name, value) && !counted(own, name)).take(MOST);
    found.extend(added.map(|(name, _)| format!("{place}.{name} is not on the tape")));
}
