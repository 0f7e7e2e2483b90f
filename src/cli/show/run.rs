//! `--format json` of what a replay adds, with the members of the file.

use crate::cassette::Replayed;
use crate::exchange::AnsweredBy;
use serde_json::{Value, json};

/// What answered.
pub(super) fn answer(answered: &AnsweredBy) -> Value {
    match answered {
        AnsweredBy::Tape { interaction } => json!({"by": "tape", "interaction": interaction}),
        AnsweredBy::Model { like, reasons } => json!({"by": "model", "like": like, "reasons": reasons}),
        AnsweredBy::Assistant => json!({"by": "assistant"}),
        AnsweredBy::Fault => json!({"by": "fault"}),
        AnsweredBy::Elsewhere => json!({"by": "elsewhere"}),
        AnsweredBy::Miss { nearest, reasons } => json!({"by": "miss", "nearest": nearest, "reasons": reasons}),
    }
}

/// What was replayed, and what came of it.
pub(super) fn replayed(replayed: &Replayed) -> Value {
    let policies = replayed.policies.iter().map(|own| json!({"of": own.of, "tape": own.tape, "default": own.default}));
    let misses = replayed.misses.iter();
    let misses = misses.map(|miss| json!({"session": miss.session, "what": miss.what, "nearest": miss.nearest, "reasons": miss.reasons}));
    let elsewhere = replayed.elsewhere.iter().map(|own| json!({"host": own.host, "requests": own.requests}));
    json!({
        "cassette": replayed.cassette,
        "seed": replayed.seed,
        "expires_in": replayed.expires_in,
        "speed": replayed.speed,
        "upstream_connections": replayed.upstream_connections,
        "dialled": replayed.dialled,
        "policies": policies.collect::<Vec<_>>(),
        "adopted": replayed.adopted,
        "misses": misses.collect::<Vec<_>>(),
        "missed": replayed.missed,
        "elsewhere": elsewhere.collect::<Vec<_>>(),
        "untouched": replayed.untouched,
    })
}
