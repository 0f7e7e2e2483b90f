//! Header fields: credentials, cookies, challenges, addresses. Everything else goes by its role.

use super::ground::Ground;
use super::sweep::{Alphabet, Edit, Padding, engine, splice};
use super::table::Table;
use super::value::{field, free, sensitive};
use crate::protocol::{FieldRole, Place, Role, field_role};
use base64::Engine;
use percent_encoding::percent_decode_str;

/// The new value of a header field, `None` when it stays.
pub(super) fn value(table: &mut Table, name: &str, value: &str, ground: Ground) -> Option<String> {
    let role = field_role(Place::Header, name);
    match role {
        Some(FieldRole { label: "access_token", .. }) if ends_with(name, "authorization") => credentials(table, value, ground),
        Some(FieldRole { label: "cookie", .. }) if ends_with(name, "set-cookie") => {
            let end = value.find(';').unwrap_or(value.len());
            cookie(table, &value[..end], ground).map(|pair| format!("{pair}{}", &value[end..]))
        }
        Some(FieldRole { label: "cookie", .. }) => list(value, ';', |pair| cookie(table, pair, ground)),
        Some(FieldRole { label: "address", .. }) => list(value, ',', |address| {
            let new = sensitive(table, address.trim(), "address", Role::Personal, ground)?;
            Some(address.replace(address.trim(), &new))
        }),
        None if ends_with(name, "-authenticate") || ends_with(name, "-info") => challenge(table, value, ground),
        _ => field(table, role, value, ground),
    }
}

fn ends_with(name: &str, ending: &str) -> bool {
    let start = name.len().wrapping_sub(ending.len());
    name.as_bytes().get(start..).is_some_and(|end| end.eq_ignore_ascii_case(ending.as_bytes()))
}

/// `Authorization` (RFC 9110 §11.6.2): the scheme stays.
fn credentials(table: &mut Table, value: &str, ground: Ground) -> Option<String> {
    let Some((scheme, rest)) = value.split_once(' ') else {
        return sensitive(table, value, "access_token", Role::Secret, ground);
    };
    let token = rest.trim();
    let new = if scheme.eq_ignore_ascii_case("basic") {
        basic(table, token, ground)
    } else {
        sensitive(table, token, "access_token", Role::Secret, ground)
    };
    new.map(|new| format!("{scheme} {}", rest.replacen(token, &new, 1)))
}

/// `Basic` (RFC 7617; RFC 6749 §2.3.1: both halves form-encoded): both halves are values of their own, so that they stay
/// linked with the forms and documents that hold them.
pub(super) fn basic(table: &mut Table, token: &str, ground: Ground) -> Option<String> {
    let padding = if token.ends_with('=') || token.len().is_multiple_of(4) { Padding::Yes } else { Padding::No };
    let engine = engine(Alphabet::Standard, padding);
    let text = engine.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((user, password)) = text.as_deref().and_then(|text| text.split_once(':')) else {
        return sensitive(table, token, "access_token", Role::Secret, ground);
    };
    let mut half = |text: &str, label, role| {
        let decoded = percent_decode_str(text).decode_utf8().unwrap_or_else(|_| text.into());
        sensitive(table, &decoded, label, role, ground)
    };
    let new_user = half(user, "client_id", Role::Linking);
    let new_password = half(password, "client_secret", Role::Secret);
    if new_user.is_none() && new_password.is_none() {
        return None;
    }
    Some(engine.encode(format!("{}:{}", new_user.as_deref().unwrap_or(user), new_password.as_deref().unwrap_or(password))))
}

/// `name=value`; the name stays (RFC 6265 §4).
fn cookie(table: &mut Table, pair: &str, ground: Ground) -> Option<String> {
    let (name, value) = pair.split_once('=')?;
    let bare = value.trim().trim_matches('"');
    let new = sensitive(table, bare, "cookie", Role::Secret, ground)?;
    Some(format!("{name}={}", value.replacen(bare, &new, 1)))
}

/// `WWW-Authenticate` and its kin (RFC 9110 §11.6.1): nonces are replaced, the rest is searched.
fn challenge(table: &mut Table, value: &str, ground: Ground) -> Option<String> {
    let mut edits: Vec<Edit> = Vec::new();
    for name in ["nonce=", "opaque=", "nextnonce=", "cnonce=", "rspauth="] {
        for (found, _) in value.match_indices(name) {
            if value[..found].ends_with(|before: char| before.is_ascii_alphanumeric()) {
                continue;
            }
            let from = found + name.len();
            let from = from + usize::from(value[from..].starts_with('"'));
            let length = value[from..].find(['"', ',', ' ']).unwrap_or(value.len() - from);
            let new = sensitive(table, &value[from..from + length], "nonce", Role::Linking, ground);
            edits.extend(new.map(|new| (from..from + length, new)));
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let edited = (!edits.is_empty()).then(|| splice(value, edits));
    let ground = if edited.is_some() { ground.again() } else { ground };
    free(table, edited.as_deref().unwrap_or(value), ground).or(edited)
}

/// The elements of a list, some of them new.
fn list(value: &str, separator: char, mut element: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut changed = false;
    let elements: Vec<String> = value
        .split(separator)
        .map(|old| {
            let new = element(old);
            changed |= new.is_some();
            new.unwrap_or_else(|| old.to_owned())
        })
        .collect();
    changed.then(|| elements.join(&separator.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrub::ground::Side;
    use base64::engine::general_purpose::STANDARD;

    fn scrubbed(name: &str, text: &str) -> String {
        value(&mut Table::new(1), name, text, Ground::head(Side::Response)).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn each_header_keeps_its_form() {
        for (name, text, expected) in [
            ("authorization", "Bearer abcdefghijklmnop", "Bearer SCRUBBED0001xxxx"),
            ("Authorization", "bearer undefined", "bearer undefined"),
            ("Authorization", "Bearer ", "Bearer "),
            ("Authorization", "abcdefghijklmnop", "SCRUBBED0001xxxx"),
            ("authorization", "Digest username=\"a\"", "Digest S1xxxxxxxxxx"),
            ("cookie", "a=abc; b=\"xyz\"; c=abc; d=", "a=S1x; b=\"S2x\"; c=S1x; d="),
            ("set-cookie", "sid=abcdef; Path=/; Max-Age=3600; HttpOnly", "sid=S1xxxx; Path=/; Max-Age=3600; HttpOnly"),
            ("x-forwarded-for", "10.1.2.3, 10.1.2.4", "192.0.2.1, 192.0.2.2"),
            ("last-event-id", "42", "42"),
            ("WWW-Authenticate", "Digest realm=\"a\", nonce=\"abc\", opaque=xyz", "Digest realm=\"a\", nonce=\"S1x\", opaque=S2x"),
        ] {
            assert_eq!(scrubbed(name, text), expected, "{name}");
        }
        let bearer = "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource\", scope=\"read write\", error=\"invalid_token\"";
        assert_eq!(scrubbed("www-authenticate", bearer), bearer);
    }

    #[test]
    fn basic_credentials_stay_linked() {
        let mut table = Table::new(1);
        let ground = Ground::head(Side::Request);
        let id = table.learn("my-client-id", "client_id", Role::Linking);
        let new = value(&mut table, "authorization", &format!("Basic {}", STANDARD.encode("my-client-id:s%2Fcret")), ground).unwrap();
        let text = String::from_utf8(STANDARD.decode(new.strip_prefix("Basic ").unwrap()).unwrap()).unwrap();
        assert_eq!(text, format!("{id}:{}", table.known("s/cret").unwrap()));
    }
}
