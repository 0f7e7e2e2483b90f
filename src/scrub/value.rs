//! One string by the role of its field: replaced whole, kept and swept, or searched as free text.

use super::ground::{DEEPEST, Ground};
use super::jose;
use super::json_text;
use super::placeholder::is_placeholder;
use super::structure;
use super::sweep::{Thoroughness, sweep};
use super::table::Table;
use super::tokens::{self, Looks};
use crate::protocol::{FieldRole, Role};

/// What programs write where a value is missing. Says more than a placeholder and gives nothing away.
const MISSING: &[&str] = &["undefined", "null", "none", "None", "nil", "NaN", "[object Object]", "true", "false", "deleted", "*"];

/// The new text of a field, `None` when it stays.
pub(super) fn field(table: &mut Table, field: Option<FieldRole>, text: &str, ground: Ground) -> Option<String> {
    match field {
        Some(FieldRole { role: Role::Secret | Role::Personal | Role::Linking, label, .. }) => {
            let role = field.map_or(Role::Secret, |field| field.role);
            sensitive(table, text, label, role, ground)
        }
        // The audience of an id token is a client id (OpenID Connect Core §2), too short a one to be swept.
        Some(FieldRole { role: Role::Stable, label: "audience", .. }) => table.known(text).or_else(|| stable(table, text, ground)),
        Some(FieldRole { role: Role::Stable | Role::Volatile, .. }) => stable(table, text, ground),
        None => free(table, text, ground),
    }
}

/// What stands for a value at a sensitive position.
pub(super) fn sensitive(table: &mut Table, text: &str, label: &'static str, role: Role, ground: Ground) -> Option<String> {
    if text.is_empty() || MISSING.contains(&text) || (label == "event_id" && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let is_pkce = matches!(label, "code_verifier" | "code_challenge");
    if !is_pkce && let Some(placeholder) = table.recall(text, label, role) {
        return Some(placeholder).filter(|placeholder| placeholder != text);
    }
    let stays = if ground.again { is_placeholder(text) } else { table.is_foreign_placeholder(text) };
    if stays || table.is_placeholder_challenge(text) {
        return None;
    }
    match label {
        "code_verifier" => return Some(table.verifier(text)),
        "code_challenge" => return Some(table.challenge(text)).filter(|placeholder| placeholder != text),
        _ => {}
    }
    if role != Role::Personal && (text.starts_with("https://") || text.starts_with("http://")) {
        return free(table, text, ground);
    }
    if text.starts_with("eyJ")
        && let Some(rewritten) = jose::rewrite(table, text, label, ground)
    {
        return Some(rewritten).filter(|rewritten| rewritten != text);
    }
    Some(table.learn(text, label, role))
}

/// A value of the protocol: learned values and tokens of known formats are replaced, nothing is guessed.
pub(super) fn stable(table: &mut Table, text: &str, ground: Ground) -> Option<String> {
    if text.contains(':') && text.contains("://") {
        return free(table, text, ground);
    }
    let swept = sweep(table, text, 0, Thoroughness::NoWords);
    let known = tokens::replace(table, swept.as_deref().unwrap_or(text), ground, Looks::Formats);
    known.or(swept)
}

/// Text of which nothing is known: parameters and pairs in it, learned values, token formats, random text.
pub(super) fn free(table: &mut Table, text: &str, ground: Ground) -> Option<String> {
    let mut current: Option<String> = None;
    let mut ground = ground;
    if ground.depth < DEEPEST && json_text::looks_like_json(text) {
        let (changed, sound) = json_text::scrub(table, text, ground);
        current = changed;
        if sound {
            let swept = sweep(table, current.as_deref().unwrap_or(text), 0, Thoroughness::All);
            return swept.or(current);
        }
        ground = ground.again();
    }
    if let Some(next) = structure::scrub(table, current.as_deref().unwrap_or(text), ground) {
        current = Some(next);
    }
    if let Some(next) = sweep(table, current.as_deref().unwrap_or(text), 0, Thoroughness::All) {
        current = Some(next);
    }
    tokens::replace(table, current.as_deref().unwrap_or(text), ground, Looks::All).or(current)
}
