//! Which scope to ask for: the challenge's, else the server's list, else none (MCP 2026-07-28, Scope Selection Strategy).

use super::discovery::{Metadata, Resource};

/// The scope of a first authorization.
pub(super) fn initial(challenged: Option<&str>, resource: &Resource, metadata: &Metadata) -> Option<String> {
    let scope = challenged.filter(|scope| !scope.is_empty()).or(resource.scopes.as_deref())?;
    // SEP-2207: only where the authorization server lists it.
    let offers_offline = metadata.scopes_supported.iter().flatten().any(|word| word == "offline_access");
    Some(if offers_offline { union(&[scope, "offline_access"]) } else { scope.to_owned() })
}

/// All words once, in the order in which they come (SEP-2350: a step-up keeps what was granted).
pub(super) fn union(scopes: &[&str]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in scopes.iter().flat_map(|scope| scope.split_ascii_whitespace()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::union;

    #[test]
    fn a_union_keeps_the_order() {
        assert_eq!(union(&["b a", "a c", ""]), "b a c");
    }
}
