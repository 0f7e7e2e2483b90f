//! Values for property tests.

use proptest::prelude::*;
use serde_json::Value;

const WORDS: &[&str] = &[
    "yes",
    "no",
    "On",
    "null",
    "~",
    "1",
    "0x1F",
    "1_000",
    "12:30:45",
    "2026-01-01",
    "1e5",
    "1.0",
    "<<",
    "=",
    "---",
    "...",
    "- a",
    "? a",
    ": ",
    " #",
    "{",
    "]",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "  ",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{0}",
    "\u{7f}",
    "\u{9b}",
    "\u{202e}",
    "😀",
    "é",
    "\"",
    "'",
    "\\",
    "&a",
    "*a",
    "!t",
    "%",
    "@",
    "`",
    "|",
    ">",
    ",",
    "a",
    "b: c",
    "\u{ffff}",
    "\u{e000}",
    "\u{10ffff}",
];

/// Texts that readers of YAML are known to take for something else.
pub(crate) fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(WORDS), 0..6).prop_map(|words| words.concat()),
        any::<String>(),
        "[a-z]{90,120}",
    ]
}

/// Any JSON value.
pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        nasty().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((nasty(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
