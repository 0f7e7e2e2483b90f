//! Layer 3: is this JSON-RPC call the one that was recorded? Knows methods, canonical parameters and what may differ without
//! meaning; finds the recorded calls by hash, so the cost does not depend on how many there are. Does not know who calls, how
//! often, or what the answer is.

mod canonical;
mod nearest;

pub use nearest::Nearest;

use canonical::{Places, text, wild_places};
use nearest::Recent;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// The recorded calls of one server, in the order of the tape, by the numbers that the caller gave them.
#[derive(Clone, Default)]
pub struct Calls {
    by_text: HashMap<Vec<u8>, Vec<usize>>,
    /// Calls whose parameters hold wild texts, by method, and then by the places where those stand: tapes have few sets of them.
    wild: HashMap<String, Vec<Masked>>,
    by_method: HashMap<String, Recent>,
}

/// Calls with wild texts at the same places.
#[derive(Clone, Default)]
struct Masked {
    places: Places,
    /// By canonical text without the wild ones.
    by_text: HashMap<Vec<u8>, Vec<usize>>,
}

/// A text of a tape that stands for any text: a placeholder.
pub type IsWild = fn(&str) -> bool;

impl Calls {
    /// Adds a recorded call. `number` is the caller's name for it and grows.
    pub fn add(&mut self, number: usize, message: &Value, is_wild: IsWild) {
        let Some(method) = message["method"].as_str() else { return };
        let parameters = &message["params"];
        let same = self.by_text.entry(text(method, parameters, &Places::new())).or_default();
        same.push(number);
        let recent = self.by_method.entry(method.to_owned()).or_default();
        recent.add(number, parameters, same.len() == 1);
        let places = wild_places(parameters, is_wild);
        if places.is_empty() {
            return;
        }
        let all = self.wild.entry(method.to_owned()).or_default();
        let at = all.iter().position(|masked| masked.places == places).unwrap_or_else(|| {
            all.push(Masked { places, by_text: HashMap::new() });
            all.len() - 1
        });
        let masked = &mut all[at];
        masked.by_text.entry(text(method, parameters, &masked.places)).or_default().push(number);
    }

    /// The recorded calls that are this one, in the order of the tape; never empty. Those whose wild texts stand for what is asked
    /// for here come into question where none says just this.
    pub fn find(&self, message: &Value) -> Option<&[usize]> {
        let method = message["method"].as_str()?;
        let parameters = &message["params"];
        let same = self.by_text.get(&text(method, parameters, &Places::new()));
        let wild = || {
            let mut all = self.wild.get(method)?.iter();
            all.find_map(|masked| masked.by_text.get(&text(method, parameters, &masked.places)))
        };
        same.or_else(wild).map(Vec::as_slice)
    }

    /// The last recorded call of a method.
    pub fn last(&self, method: &str) -> Option<usize> {
        self.by_method.get(method).map(Recent::last)
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

/// Calls may hold anything a person says: only their number is shown.
impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calls({} different)", self.by_text.len())
    }
}

#[cfg(test)]
mod tests;
