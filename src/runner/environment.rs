//! A process environment as plain data, and what is changed in it for a client. Reads the environment of this process in one
//! place only; everything else gets it as an argument.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// All variables of a process.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// Changes to an environment, in the order in which they were asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, Option<OsString>)>);

impl Environment {
    /// The environment of this process: the caller's.
    pub fn of_this_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable, even an empty one.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value of a variable that is set, not empty and UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(OsStr::to_str).filter(|text| !text.is_empty())
    }

    /// This environment with the changes made.
    #[must_use]
    pub fn with(mut self, changes: &Variables) -> Self {
        for (name, value) in changes.iter() {
            match value {
                Some(value) => self.0.insert(name.into(), value.to_owned()),
                None => self.0.remove(OsStr::new(name)),
            };
        }
        self
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Variables {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable; an earlier change of the same one is dropped.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.change(name, Some(value.into()));
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.change(name, None);
    }

    /// Adds the changes of another list, which win.
    pub fn extend(&mut self, later: Self) {
        for (name, value) in later.0 {
            self.change(&name, value);
        }
    }

    /// The new value of a variable, if it is set here.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.iter().find(|(n, _)| *n == name).and_then(|(_, value)| value)
    }

    /// Names with their new values; `None` removes the variable.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&OsStr>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    fn change(&mut self, name: &str, value: Option<OsString>) {
        self.0.retain(|(n, _)| n != name);
        self.0.push((name.to_owned(), value));
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut all = Self::new();
        for (name, value) in variables {
            all.set(&name.into(), value);
        }
        all
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, value.as_ref().map(|value| value.len())))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_apply_in_order_and_the_last_one_wins() {
        let mut changes: Variables = [("A", "1"), ("B", "2")].into_iter().collect();
        changes.set("A", "3");
        changes.unset("C");
        let caller: Environment = [("C", "x"), ("D", "")].into_iter().collect();
        let child = caller.with(&changes);
        assert_eq!((child.text("A"), child.text("B"), child.value("C")), (Some("3"), Some("2"), None));
        assert_eq!((child.text("D"), child.value("D")), (None, Some(OsStr::new(""))));
        assert_eq!(format!("{changes:?}"), r#"{"B": Some(1), "A": Some(1), "C": None}"#);
    }
}
