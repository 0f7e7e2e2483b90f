//! What makes two calls the same, and what is said when they are not.

use super::*;
use serde_json::json;

fn calls(messages: &[Value]) -> Calls {
    let mut calls = Calls::default();
    messages.iter().enumerate().for_each(|(number, message)| calls.add(number, message, |text| text == "*"));
    calls
}

fn call(id: &Value, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo", "arguments": arguments}})
}

#[test]
fn ids_meta_order_and_spelling_of_numbers_do_not_count() {
    let calls = calls(&[call(&json!(1), &json!({"a": 1, "b": [2, {"c": 3, "d": 4}]})), call(&json!(2), &json!({"a": 2}))]);
    let mut live = call(&json!("x"), &json!({"b": [2.0, {"d": 4, "c": 3}], "a": 1}));
    live["params"]["_meta"] = json!({"progressToken": 7});
    assert_eq!(calls.find(&live), Some(&[0][..]));
    assert_eq!(calls.find(&call(&json!(1), &json!({"a": 3}))), None);
    assert_eq!(calls.last("tools/call"), Some(1));
}

#[test]
fn nothing_is_an_empty_object() {
    let calls = calls(&[json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), call(&json!(1), &json!({}))]);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {}}});
    assert_eq!(calls.find(&list), Some(&[0][..]));
    let bare = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}});
    assert_eq!(calls.find(&bare), Some(&[1][..]));
}

#[test]
fn the_same_calls_keep_the_order_of_the_tape_and_a_placeholder_stands_for_any_text() {
    let recorded =
        [json!({"a": "x"}), json!({"a": "x"}), json!({"a": "*", "b": 1}), json!({"b": 1, "a": "*"}), json!({"a": "said", "b": 1})];
    let calls = calls(&recorded.map(|arguments| call(&json!(1), &arguments)));
    let found = |arguments: Value| calls.find(&call(&json!(9), &arguments)).map(<[usize]>::to_vec);
    assert_eq!(found(json!({"a": "x"})), Some(vec![0, 1]));
    assert_eq!(found(json!({"a": "secret", "b": 1})), Some(vec![2, 3]));
    assert_eq!(found(json!({"a": "said", "b": 1})), Some(vec![4]), "what was said in just these words comes first");
    assert_eq!(found(json!({"a": "secret", "b": 2})), None);
    assert_eq!(found(json!({"a": 7, "b": 1})), None, "a placeholder stands for a text");
}

#[test]
fn placeholders_may_stand_deep_and_at_several_places() {
    let calls = calls(&[call(&json!(1), &json!({"a": ["x", {"b": "*"}], "c": "*"})), call(&json!(2), &json!({"a": ["*"]}))]);
    let found = |arguments: Value| calls.find(&call(&json!(9), &arguments)).map(<[usize]>::to_vec);
    assert_eq!(found(json!({"c": "q", "a": ["x", {"b": "r"}]})), Some(vec![0]));
    assert_eq!(found(json!({"c": "q", "a": ["y", {"b": "r"}]})), None);
    assert_eq!(found(json!({"a": ["any"]})), Some(vec![1]));
    assert_eq!(found(json!({"a": ["any", "more"]})), None);
}

#[test]
fn a_miss_names_what_differs_and_no_value() {
    let calls = calls(&[call(&json!(1), &json!({"a": 1, "b": 2})), call(&json!(2), &json!({"a": "s3cret", "c": 1}))]);
    let nearest = calls.nearest(&call(&json!(3), &json!({"a": 1, "b": 3, "d": 1})));
    assert_eq!(nearest.number, Some(0));
    assert_eq!(nearest.reasons, ["params.arguments.b differs", "params.arguments.d is not on the tape"]);
    let other = calls.nearest(&json!({"jsonrpc": "2.0", "id": 1, "method": "prompts/get"}));
    assert_eq!(other.reasons, ["the tape holds no prompts/get for this server, but tools/call"]);
    let numbers = calls.nearest(&call(&json!(3), &json!({"a": 1.0, "b": 3.0})));
    assert_eq!(numbers.reasons, ["params.arguments.b differs"]);
}

#[test]
fn the_nearest_call_is_one_of_the_same_name_however_long_ago_it_was() {
    let named = |name: &str, value: usize| json!({"method": "tools/call", "params": {"name": name, "arguments": {"a": value}}});
    let mut messages = vec![named("wanted", 1)];
    messages.extend((0..200).map(|value| named("other", value)));
    let calls = calls(&messages);
    let nearest = calls.nearest(&named("wanted", 7));
    assert_eq!((nearest.number, nearest.reasons.as_slice()), (Some(0), &["params.arguments.a differs".to_owned()][..]));
    assert_eq!(calls.nearest(&named("unknown", 150)).reasons, ["params.name differs"], "of the latest calls the one that differs least");
}

#[test]
fn a_call_with_countless_members_is_a_miss_with_few_reasons() {
    let calls = calls(&[call(&json!(1), &json!({"a": 1}))]);
    let many: serde_json::Map<String, Value> = (0..100_000).map(|number| (number.to_string(), json!(1))).collect();
    assert_eq!(calls.nearest(&call(&json!(2), &Value::Object(many))).reasons.len(), 6);
}
