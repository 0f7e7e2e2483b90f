//! The parameters of an OAuth request, from a query, a form or a JSON object, with the rule that none of them may be there
//! twice (RFC 6749 §3.1, §3.2; `resource` is the exception, RFC 8707 §2).

use crate::exchange::{Content, Form};
use serde_json::Value;

/// Names and values in order. An empty value counts as absent (RFC 6749 §3.1).
#[derive(Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string.
    pub(super) fn of_query(query: &str) -> Option<Self> {
        Some(Self::of_form(&Form::parse(query)?))
    }

    /// Reads a body: a form, or the JSON object that some vendors send.
    pub(super) fn of_body(content: &Content) -> Option<Self> {
        if let Some(json) = content.json() {
            let members = json.as_object()?.iter();
            return members.map(|(name, value)| Some((name.clone(), text_of(value)?))).collect::<Option<_>>().map(Self);
        }
        content.form().map(|form| Self::of_form(&form))
    }

    fn of_form(form: &Form) -> Self {
        Self(form.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The value of a parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The first name that is there twice, `resource` excepted.
    pub(super) fn duplicated(&self) -> Option<&str> {
        let names = self.0.iter().map(|(name, _)| name.as_str()).enumerate();
        names.filter(|(_, name)| *name != "resource").find(|(index, name)| self.0[..*index].iter().any(|(n, _)| n == name)).map(|(_, n)| n)
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn only_resource_may_be_repeated_and_empty_is_absent() {
        let parameters = Parameters::of_query("resource=a&resource=b&state=&x=1").unwrap();
        assert_eq!(parameters.duplicated(), None);
        assert_eq!(parameters.all("resource").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((parameters.get("state"), parameters.get("x")), (None, Some("1")));
        assert_eq!(Parameters::of_query("x=1&y=2&x=1").unwrap().duplicated(), Some("x"));
    }
}
