//! Layer 3: is this JSON-RPC call the one that was recorded? Knows methods, canonical parameters and what may differ without
//! meaning; finds the recorded calls by hash, so the cost does not depend on how many there are. Does not know who calls, how
//! often, or what the answer is.

mod canonical;
mod nearest;

pub use nearest::Nearest;

use canonical::{fits, parameters, text};
use serde_json::Value;
use std::collections::HashMap;

/// The recorded calls of one server, in the order of the tape, by the numbers that the caller gave them.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    by_text: HashMap<Key, Vec<usize>>,
    by_method: HashMap<String, Vec<Recorded>>,
    /// Calls whose parameters hold a wild text, by method and by the name that is called.
    wild: HashMap<(String, String), Vec<Recorded>>,
}

/// What makes two calls the same: the method, and the parameters in canonical form.
pub type Key = (String, String);

/// A recorded call.
#[derive(Clone)]
struct Recorded {
    number: usize,
    parameters: Value,
}

/// What was found for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'c> {
    /// The same calls, in the order of the tape; never empty. The key counts their occurrence.
    Same {
        /// Their numbers.
        numbers: &'c [usize],
        /// The key of the call.
        key: Key,
    },
    /// A call whose wild texts stand for what is asked for here.
    Wild {
        /// Its number.
        number: usize,
        /// The key of the call.
        key: Key,
    },
    /// No such call.
    Nothing,
}

/// A text of a tape that stands for any text: a placeholder.
pub type IsWild = fn(&str) -> bool;

impl Calls {
    /// Adds a recorded call. `number` is the caller's name for it and grows.
    pub fn add(&mut self, number: usize, message: &Value, is_wild: IsWild) {
        let Some(method) = message["method"].as_str() else { return };
        let parameters = parameters(message);
        let recorded = Recorded { number, parameters };
        let key = (method.to_owned(), text(&recorded.parameters));
        if canonical::has_wild(&recorded.parameters, is_wild) {
            self.wild.entry((method.to_owned(), called(&recorded.parameters))).or_default().push(recorded.clone());
        }
        self.by_text.entry(key).or_default().push(number);
        self.by_method.entry(method.to_owned()).or_default().push(recorded);
    }

    /// The recorded calls that are this one.
    pub fn find(&self, message: &Value, is_wild: IsWild) -> Found<'_> {
        let Some(method) = message["method"].as_str() else { return Found::Nothing };
        let parameters = parameters(message);
        let key = (method.to_owned(), text(&parameters));
        if let Some(numbers) = self.by_text.get(&key) {
            return Found::Same { numbers, key };
        }
        let wild = self.wild.get(&(method.to_owned(), called(&parameters)));
        let found = wild.and_then(|recorded| recorded.iter().find(|own| fits(&own.parameters, &parameters, is_wild)));
        found.map_or(Found::Nothing, |own| Found::Wild { number: own.number, key })
    }

    /// The last recorded call of a method.
    pub fn last(&self, method: &str) -> Option<usize> {
        self.by_method.get(method)?.last().map(|recorded| recorded.number)
    }

    /// True when no call is recorded.
    pub fn is_empty(&self) -> bool {
        self.by_method.is_empty()
    }

    /// The recorded call that is most like this one, and why it is another one.
    pub fn nearest(&self, message: &Value) -> Nearest {
        nearest::of(self, message)
    }
}

/// What a call names: the tool, the prompt, the resource.
fn called(parameters: &Value) -> String {
    parameters["name"].as_str().or_else(|| parameters["uri"].as_str()).unwrap_or_default().to_owned()
}

/// Parameters may be anything a person says: only their size is shown.
impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorded({})", self.number)
    }
}

#[cfg(test)]
mod tests;
