//! Form parameters (`application/x-www-form-urlencoded`, the WHATWG URL standard) in wire order. Does not know names.

use percent_encoding::percent_decode_str;
use std::fmt;

/// Decoded names and values in wire order, duplicates kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Parses a text and returns the parameters if [`Form::to_text`] gives the same text again.
    pub fn parse_canonical(text: &str) -> Option<Self> {
        let form = Self::parse(text)?;
        (form.to_text() == text).then_some(form)
    }

    /// Parses a text that looks like a form: `name=value` pairs with names of letters, digits, `_`, `-`, `.`, `[` and `]`.
    pub fn parse_by_shape(text: &str) -> Option<Self> {
        let named = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default();
            pair.contains('=') && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.[]%".contains(&b))
        };
        text.split('&').all(named).then(|| Self::parse(text)).flatten()
    }

    /// Parses any query or form; `None` when a percent sequence is not UTF-8.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        text.split('&')
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// The canonical text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
            text.push('=');
            text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        }
        text
    }

    /// The first value of a name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Names and mutable values in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut String)> {
        self.0.iter_mut().map(|(name, value)| (name.as_str(), value))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, value.len()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn canonical_text_comes_back() {
        let text = "grant_type=refresh_token&scope=a+b&x=%2F&x=%C3%A9";
        let form = Form::parse_canonical(text).unwrap();
        assert_eq!(form.first("scope"), Some("a b"));
        assert_eq!(form.iter().filter(|(name, _)| *name == "x").count(), 2);
        assert_eq!(form.to_text(), text);
    }

    #[test]
    fn other_spellings_are_no_canonical_form() {
        for text in ["a=%2f", "a=b%20c", "a", "a=~"] {
            assert!(Form::parse_canonical(text).is_none(), "{text}");
        }
    }
}
