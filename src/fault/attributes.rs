//! What stands behind a fault's name: `name:key=value,key=value` on a command line, a mapping in YAML. Reads both into the same
//! pairs and says what is wrong with them; does not know what a fault does with its own attributes.

use super::selection::SELECTING;
use super::spec::Spec;
use super::{ALL, find};
use std::fmt::Display;
use std::str::FromStr;

/// The attributes of one fault, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pairs: Vec<(String, String)>,
    spec: &'static str,
}

/// A fault that was written wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No such fault.
    #[error("unknown fault {name:?}{}", nearest.map(|own| format!("; did you mean {own}?")).unwrap_or_default())]
    Unknown {
        /// What was written.
        name: String,
        /// The nearest name.
        nearest: Option<&'static str>,
    },
    /// No such attribute.
    #[error("{fault} has no attribute {name:?}{}", nearest.as_ref().map(|own| format!("; did you mean {own}?")).unwrap_or_default())]
    UnknownAttribute {
        /// The fault.
        fault: &'static str,
        /// What was written.
        name: String,
        /// The nearest name.
        nearest: Option<String>,
    },
    /// A value that the attribute cannot have.
    #[error("{fault}: {attribute}={value:?} is not {expected}")]
    Value {
        /// The fault.
        fault: &'static str,
        /// The attribute.
        attribute: String,
        /// What was written.
        value: String,
        /// What may be written.
        expected: String,
    },
    /// Not `key=value`.
    #[error("{fault}: {text:?} is not KEY=VALUE")]
    Shape {
        /// The fault.
        fault: String,
        /// What was written.
        text: String,
    },
    /// Attributes or faults that cannot hold together.
    #[error("{0}")]
    Contradiction(String),
    /// The tape holds nothing that the fault could strike.
    #[error("{fault} cannot strike here: {reason}")]
    Unfit {
        /// The fault.
        fault: &'static str,
        /// What is missing.
        reason: String,
    },
}

/// Reads `name:key=value,…`: the fault and its attributes. A comma in a value is written twice.
///
/// # Errors
/// An unknown name, an unknown or repeated attribute, something that is no pair.
pub fn read(text: &str) -> Result<(&'static Spec, Attributes), FaultError> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut pairs = Vec::new();
    for part in rest.replace(",,", "\u{0}").split(',').filter(|part| !part.is_empty()) {
        let part = part.replace('\u{0}', ",");
        let shape = || FaultError::Shape { fault: name.to_owned(), text: part.clone() };
        let (key, value) = part.split_once('=').ok_or_else(shape)?;
        pairs.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    of(name.trim(), pairs)
}

/// The fault of that name with these attributes.
///
/// # Errors
/// An unknown name, an unknown or repeated attribute.
pub fn of(name: &str, pairs: Vec<(String, String)>) -> Result<(&'static Spec, Attributes), FaultError> {
    let spec =
        find(name).ok_or_else(|| FaultError::Unknown { name: name.to_owned(), nearest: nearest(name, ALL.iter().map(|own| own.name)) })?;
    for (index, (key, _)) in pairs.iter().enumerate() {
        let known = || SELECTING.iter().copied().chain(spec.attributes.iter().map(|own| own.name));
        if !known().any(|own| own == key) {
            let nearest = nearest(key, known()).map(str::to_owned);
            return Err(FaultError::UnknownAttribute { fault: spec.name, name: key.clone(), nearest });
        }
        if pairs[..index].iter().any(|(other, _)| other == key) {
            return Err(FaultError::Contradiction(format!("{}: {key} is there twice", spec.name)));
        }
    }
    Ok((spec, Attributes { pairs, spec: spec.name }))
}

fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = known.map(|own| (strsim::jaro_winkler(name, own), own)).filter(|(likeness, _)| *likeness > 0.75);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, own)| own)
}

impl Attributes {
    /// The text of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// An attribute that is read as `T`; `expected` says in an error what may be written.
    ///
    /// # Errors
    /// The value cannot be read.
    pub fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, FaultError> {
        let read = |text: &str| text.parse().map_err(|_| self.refuse(name, expected));
        self.text(name).map(read).transpose()
    }

    /// One of these words; the first where nothing is written.
    ///
    /// # Errors
    /// Another word.
    pub fn word(&self, name: &str, words: &[&'static str]) -> Result<&'static str, FaultError> {
        let Some(text) = self.text(name) else { return Ok(words.first().copied().unwrap_or_default()) };
        words.iter().copied().find(|own| *own == text).ok_or_else(|| self.refuse(name, format!("one of {}", words.join(", "))))
    }

    /// An error about the value of an attribute.
    pub fn refuse(&self, name: &str, expected: impl Display) -> FaultError {
        let value = self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default();
        FaultError::Value { fault: self.spec, attribute: name.to_owned(), value, expected: expected.to_string() }
    }

    /// The attributes as they were written.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}
