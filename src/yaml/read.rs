//! Reads one YAML document into a type of ours. The only file that names the YAML crate. Limits: [`DOCUMENT_LIMIT`] bytes, 64
//! levels, 8,000,000 nodes, no anchors, no aliases, no merge keys, no repeated keys.

use serde::de::DeserializeOwned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{MessageFormatter, Options, UserMessageFormatter};

/// How large one document may be, in bytes.
pub const DOCUMENT_LIMIT: usize = 96 << 20;

const DEPTH: usize = 64;
const NODES: usize = 8_000_000;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// The line, from 1, counted from the beginning of the document.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
    /// What is wrong, and what was expected where that is known.
    pub message: String,
}

/// Reads one document.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    if text.len() > DOCUMENT_LIMIT {
        return Err(Error { line: 1, column: 1, message: format!("a document may be {DOCUMENT_LIMIT} bytes, this one is {}", text.len()) });
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| describe(&error))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 3 * NODES,
            max_nodes: NODES,
            max_depth: DEPTH,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
            max_total_scalar_bytes: DOCUMENT_LIMIT,
            max_total_comment_bytes: DOCUMENT_LIMIT,
            max_buffered_comment_events: 10_000,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn describe(error: &serde_saphyr::Error) -> Error {
    let (line, column) = error.location().map_or((1, 1), |location| (location.line().max(1), location.column().max(1)));
    Error { line, column, message: message(error) }
}

/// The crate's words, and ours where those speak of its own insides.
fn message(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as E;
    use serde_saphyr::budget::BudgetBreach as Limit;
    match error {
        E::InvalidScalar { ty: "bool", .. } | E::InvalidBooleanStrict { .. } => "expected true or false".to_owned(),
        E::InvalidScalar { ty, .. } if ty.starts_with(['u', 'i']) => format!("expected a whole number ({ty})"),
        E::Budget { breach: Limit::Anchors { .. } | Limit::Aliases { .. }, .. } => {
            "anchors and aliases are no part of the format".to_owned()
        }
        E::Budget { breach: Limit::Depth { .. }, .. } => format!("nested more than {DEPTH} levels deep"),
        E::Budget { breach: Limit::Nodes { .. } | Limit::Events { .. }, .. } => format!("more than {NODES} nodes in one document"),
        error => UserMessageFormatter.format_message(error).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Emitter;
    use super::super::arbitrary::json_value;
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn written(value: &Value) -> String {
        let mut out = String::new();
        Emitter::new(&mut out).name("json").json(value);
        out
    }

    fn check(value: &Value) {
        let text = written(value);
        let expected = json!({ "json": value });
        let read: Value = from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read, expected, "{text}");
        let other: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(other, expected, "{text}");
    }

    #[test]
    fn short_containers_of_scalars_stay_on_one_line() {
        let value = json!({
            "jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "add", "arguments": {}}, [1, [2, "x"], "two\nlines"]], "ok": [true, null, 1.0, 1e100]},
        });
        assert_eq!(
            written(&value),
            "json:\n  jsonrpc: \"2.0\"\n  id: 1\n  result:\n    tools:\n      - {name: add, arguments: {}}\n      - - 1\n        - [2, x]\n        \
             - |-\n          two\n          lines\n    ok: [true, null, 1.0, 1.0e+100]\n"
        );
        check(&value);
    }

    #[test]
    fn anchors_merges_and_repeated_keys_are_refused() {
        assert!(from_str::<Value>("a: &x 1\nb: *x\n").is_err());
        assert!(from_str::<Value>("a: 1\na: 2\n").is_err());
        assert!(from_str::<Value>(&"[".repeat(100_000)).is_err());
        let error = from_str::<Value>("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.line >= 2, "{error}");
        assert_eq!(from_str::<Value>("a: yes\n").unwrap(), json!({"a": "yes"}));
    }

    proptest! {
        #[test]
        fn any_value_is_read_back_by_two_readers(value in json_value()) {
            check(&value);
        }
    }

    #[test]
    fn long_keys_and_numbers_at_the_edge_come_back() {
        check(&json!({"k".repeat(3000): {"x".repeat(1200): "v"}, "a": [{"y".repeat(1500): [1]}]}));
        check(&json!([u64::MAX, i64::MIN, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e16, 1e15, 123456789.125]));
        check(&json!({"1": 1, "0x1": 2, "01": 3, "1.0": 4, "": 5, "<<": {"a": 1}, "null": null, "true": true}));
    }
}
