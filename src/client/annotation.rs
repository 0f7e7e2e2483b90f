//! Arguments that a server wants to see in headers too: `x-mcp-header` in a tool's schema (SEP-2243). Only properties that
//! are reached from the root through `properties` alone can be annotated.

use serde_json::Value;

/// The `Mcp-Param-…` headers of a call: name and plain value of each annotated argument that is given.
pub(super) fn headers(schema: &Value, arguments: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(schema, arguments, &mut found);
    found
}

fn collect(schema: &Value, arguments: &Value, found: &mut Vec<(String, String)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let argument = &arguments[name.as_str()];
        let header = property["x-mcp-header"].as_str().filter(|header| is_token(header));
        if let (Some(header), Some(value)) = (header, plain(argument)) {
            found.push((format!("mcp-param-{}", header.to_ascii_lowercase()), value));
        }
        collect(property, argument, found);
    }
}

fn plain(argument: &Value) -> Option<String> {
    match argument {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::headers;
    use serde_json::json;

    #[test]
    fn annotated_arguments_become_headers() {
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"size": {"type": "integer", "x-mcp-header": "Size"}}},
            "bad": {"type": "string", "x-mcp-header": "no header"},
            "absent": {"type": "string", "x-mcp-header": "Absent"},
            "list": {"items": {"properties": {"x": {"x-mcp-header": "Item"}}}},
        }});
        let arguments = json!({"region": "eu", "deep": {"size": 7}, "bad": "x", "absent": null, "list": [{"x": "y"}]});
        let expected = [("mcp-param-region", "eu"), ("mcp-param-size", "7")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers(&schema, &arguments), expected);
    }
}
