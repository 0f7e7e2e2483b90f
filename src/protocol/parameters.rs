//! The parameters of a message, whichever way they were sent: a query, a form or a JSON body. Real servers and clients mix them
//! up (Claude's own token endpoint takes JSON), so the content decides and not its media type.

use super::endpoint::query_of;
use crate::exchange::{Content, Form};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// Named values of a query, a form or a JSON body.
#[derive(Clone, Default)]
pub struct Parameters<'a>(Source<'a>);

#[derive(Clone, Default)]
enum Source<'a> {
    #[default]
    None,
    Form(Cow<'a, Form>),
    Json(Cow<'a, Value>),
}

impl<'a> Parameters<'a> {
    /// The parameters of a body: a JSON object or array, else a form. A body stored as text is parsed here, once.
    pub fn of(content: &'a Content) -> Self {
        if let Some(json) = content.json() {
            return Self(Source::Json(json));
        }
        Self(content.form().map_or(Source::None, Source::Form))
    }

    /// The parameters of a URL's query.
    pub fn of_query(url: &str) -> Parameters<'static> {
        let query = query_of(url);
        if query.is_empty() {
            return Parameters::default();
        }
        Parameters(Form::parse(query).map_or(Source::None, |form| Source::Form(Cow::Owned(form))))
    }

    /// The whole JSON body.
    pub fn json(&self) -> Option<&Value> {
        match &self.0 {
            Source::Json(json) => Some(json),
            _ => None,
        }
    }

    /// True for a JSON object.
    pub fn is_object(&self) -> bool {
        self.json().is_some_and(Value::is_object)
    }

    /// True when the parameter is there, whatever its type.
    pub fn has(&self, name: &str) -> bool {
        match &self.0 {
            Source::None => false,
            Source::Form(form) => form.first(name).is_some(),
            Source::Json(json) => json.get(name).is_some(),
        }
    }

    /// The first value of a parameter that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Source::None => None,
            Source::Form(form) => form.first(name),
            Source::Json(json) => json.get(name)?.as_str(),
        }
    }

    /// The same as [`Parameters::text`], for keeping: borrowed from the message where that is possible.
    pub fn kept_text(&self, name: &str) -> Option<Cow<'a, str>> {
        match &self.0 {
            Source::Form(Cow::Borrowed(form)) => form.first(name).map(Cow::Borrowed),
            Source::Json(Cow::Borrowed(json)) => json.get(name)?.as_str().map(Cow::Borrowed),
            _ => self.text(name).map(|text| Cow::Owned(text.to_owned())),
        }
    }

    /// The JSON value of a parameter.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.json()?.get(name)
    }

    /// The texts of a JSON array.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.value(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The names, in order.
    pub fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.0 {
            Source::None => Box::new(std::iter::empty()),
            Source::Form(form) => Box::new(form.iter().map(|(name, _)| name)),
            Source::Json(json) => Box::new(json.as_object().into_iter().flatten().map(|(name, _)| name.as_str())),
        }
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.0 {
            Source::None => "None",
            Source::Form(_) => "Form",
            Source::Json(_) => "Json",
        };
        write!(f, "Parameters({source}, {} names)", self.names().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Headers;

    fn content(media_type: &str, body: &'static str) -> Content {
        Content::of(body.into(), &[("content-type", media_type)].into_iter().collect::<Headers>())
    }

    #[test]
    fn the_content_decides_and_not_the_media_type() {
        for (media_type, body) in [
            ("application/x-www-form-urlencoded", "grant_type=x&a=b+c"),
            ("application/json", "grant_type=x&a=b+c"),
            ("application/x-www-form-urlencoded", r#"{"grant_type":"x","a":"b c"}"#),
            ("text/plain", "{\n\t\"grant_type\": \"x\", \"a\": \"b c\"}"),
        ] {
            let content = content(media_type, body);
            let parameters = Parameters::of(&content);
            assert_eq!((parameters.text("grant_type"), parameters.text("a")), (Some("x"), Some("b c")), "{media_type} {body}");
            assert_eq!(parameters.kept_text("a").as_deref(), Some("b c"));
            assert_eq!(parameters.names().collect::<Vec<_>>(), ["grant_type", "a"]);
        }
    }

    #[test]
    fn a_query_is_read_and_nothing_is_nothing() {
        let parameters = Parameters::of_query("https://x.test/y?code=a%2Fb&state=#frag");
        assert_eq!(parameters.text("code"), Some("a/b"));
        assert!(parameters.has("state") && !parameters.has("frag") && !parameters.is_object());
        assert_eq!(Parameters::of_query("https://x.test/").names().count(), 0);
        assert_eq!(format!("{parameters:?}"), "Parameters(Form, 2 names)");
    }

    #[test]
    fn values_that_are_no_text_are_there_all_the_same() {
        let content = content("application/json", r#"{"active":true,"redirect_uris":["a",1,"b"]}"#);
        let parameters = Parameters::of(&content);
        assert!(parameters.has("active") && parameters.text("active").is_none());
        assert_eq!(parameters.texts("redirect_uris").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(parameters.texts("active").count(), 0);
    }
}
