//! What makes two calls the same, and what is said when they are not.

use super::*;
use serde_json::json;

const NOTHING_WILD: IsWild = |_| false;

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
    assert!(matches!(calls.find(&live, NOTHING_WILD), Found::Same { numbers: [0], .. }));
    assert_eq!(calls.find(&call(&json!(1), &json!({"a": 3})), NOTHING_WILD), Found::Nothing);
    assert_eq!(calls.last("tools/call"), Some(1));
}

#[test]
fn nothing_is_an_empty_object() {
    let calls = calls(&[json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), call(&json!(1), &json!({}))]);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {}}});
    assert!(matches!(calls.find(&list, NOTHING_WILD), Found::Same { numbers: [0], .. }));
    let bare = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}});
    assert!(matches!(calls.find(&bare, NOTHING_WILD), Found::Same { numbers: [1], .. }));
}

#[test]
fn the_same_calls_keep_the_order_of_the_tape_and_a_placeholder_stands_for_any_text() {
    let calls =
        calls(&[call(&json!(1), &json!({"a": "x"})), call(&json!(2), &json!({"a": "x"})), call(&json!(3), &json!({"a": "*", "b": 1}))]);
    assert!(matches!(calls.find(&call(&json!(9), &json!({"a": "x"})), NOTHING_WILD), Found::Same { numbers: [0, 1], .. }));
    let found = calls.find(&call(&json!(9), &json!({"a": "secret", "b": 1})), |text| text == "*");
    assert!(matches!(found, Found::Wild { number: 2, .. }));
    assert_eq!(calls.find(&call(&json!(9), &json!({"a": "secret", "b": 2})), |text| text == "*"), Found::Nothing);
}

#[test]
fn a_miss_names_what_differs_and_no_value() {
    let calls = calls(&[call(&json!(1), &json!({"a": 1, "b": 2})), call(&json!(2), &json!({"a": "s3cret", "c": 1}))]);
    let nearest = calls.nearest(&call(&json!(3), &json!({"a": 1, "b": 3, "d": 1})));
    assert_eq!(nearest.number, Some(0));
    assert_eq!(nearest.reasons, ["params.arguments.b differs", "params.arguments.d is not on the tape"]);
    let other = calls.nearest(&json!({"jsonrpc": "2.0", "id": 1, "method": "prompts/get"}));
    assert_eq!(other.reasons, ["the tape holds no prompts/get for this server, but tools/call"]);
}
