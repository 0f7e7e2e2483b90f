//! What a replay adds to a cassette: a member of the header, and with each interaction what answered it.

use super::body::Wrong;
use crate::cassette::{Elsewhere, Missed, Policies, Replayed};
use crate::exchange::AnsweredBy;
use crate::yaml::Emitter;
use serde::Deserialize;

/// What was replayed, and what came of it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireReplayed {
    /// The file name of the cassette.
    pub cassette: String,
    /// The number that decided every issued value, if one was given.
    pub seed: Option<u64>,
    /// The lifetime of access tokens in seconds, where it was not that of the cassette.
    pub expires_in: Option<u64>,
    /// Recorded waits took place, this many times as fast.
    pub speed: Option<u32>,
    /// Connections that left for a server, of authtape itself and of the client around the proxy; absent where nobody watched.
    pub upstream_connections: Option<u64>,
    /// Who dialled whom around the proxy.
    #[serde(default)]
    pub dialled: Vec<String>,
    /// What decided where servers differ.
    #[serde(default)]
    pub policies: Vec<WirePolicies>,
    /// Values that were taken for those from before the recording, in words.
    #[serde(default)]
    pub adopted: Vec<String>,
    /// Requests that could not be answered honestly.
    #[serde(default)]
    pub misses: Vec<WireMissed>,
    /// How many there were, where not all are listed.
    pub missed: Option<u64>,
    /// Requests to hosts that are not in the cassette.
    #[serde(default)]
    pub elsewhere: Vec<WireElsewhere>,
    /// MCP servers of the cassette that got no request.
    #[serde(default)]
    pub untouched: Vec<String>,
}

/// Where the behaviour of one server comes from. Each entry is `name=value`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WirePolicies {
    /// The identifier of the authorization server, or the URL of the MCP server.
    pub of: String,
    /// What the cassette shows.
    #[serde(default)]
    pub tape: Vec<String>,
    /// What is a stated default.
    #[serde(default)]
    pub default: Vec<String>,
}

/// A request that could not be answered honestly.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireMissed {
    pub session: u32,
    /// What was asked.
    pub what: String,
    /// The interaction of the cassette that comes nearest.
    pub nearest: Option<u32>,
    /// Each reason why that is not it.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// Requests to a host that is not in the cassette.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireElsewhere {
    pub host: String,
    pub requests: u64,
}

/// What answered a request of a replay.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WireAnswer {
    pub by: WireBy,
    /// With `by: tape`: the interaction of the cassette that was answered with.
    pub interaction: Option<u32>,
    /// With `by: model`: the interaction of the cassette that the answer looks like.
    pub like: Option<u32>,
    /// With `by: miss`: the interaction of the cassette that comes nearest.
    pub nearest: Option<u32>,
    /// Why the model refused, or why nothing fitted.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum WireBy {
    Tape,
    Model,
    Assistant,
    Fault,
    Elsewhere,
    Miss,
}

impl From<WireReplayed> for Replayed {
    fn from(wire: WireReplayed) -> Self {
        let policies = wire.policies.into_iter().map(|own| Policies { of: own.of, tape: own.tape, default: own.default });
        let miss = |own: WireMissed| Missed { session: own.session, what: own.what, nearest: own.nearest, reasons: own.reasons };
        let misses: Vec<Missed> = wire.misses.into_iter().map(miss).collect();
        let elsewhere = wire.elsewhere.into_iter().map(|own| Elsewhere { host: own.host, requests: own.requests });
        Self {
            cassette: wire.cassette,
            seed: wire.seed,
            expires_in: wire.expires_in,
            speed: wire.speed,
            upstream_connections: wire.upstream_connections,
            dialled: wire.dialled,
            policies: policies.collect(),
            adopted: wire.adopted,
            missed: wire.missed.unwrap_or(misses.len() as u64),
            misses,
            elsewhere: elsewhere.collect(),
            untouched: wire.untouched,
        }
    }
}

impl WireAnswer {
    pub(super) fn into_model(self) -> Result<AnsweredBy, Wrong> {
        let Self { by, interaction, like, nearest, reasons } = self;
        let wrong = |member, of| Err(Wrong::new("answer", format!("`{member}` belongs to `by: {of}`")));
        match (by, interaction, like, nearest) {
            (WireBy::Tape, None, ..) => return Err(Wrong::new("answer", "`by: tape` without `interaction`")),
            (by, Some(_), ..) if by != WireBy::Tape => return wrong("interaction", "tape"),
            (by, _, Some(_), _) if by != WireBy::Model => return wrong("like", "model"),
            (by, .., Some(_)) if by != WireBy::Miss => return wrong("nearest", "miss"),
            _ if !reasons.is_empty() && !matches!(by, WireBy::Model | WireBy::Miss) => return wrong("reasons", "model` or `by: miss"),
            _ => {}
        }
        Ok(match (by, interaction) {
            (WireBy::Tape, Some(interaction)) => AnsweredBy::Tape { interaction },
            (WireBy::Assistant, _) => AnsweredBy::Assistant,
            (WireBy::Fault, _) => AnsweredBy::Fault,
            (WireBy::Elsewhere, _) => AnsweredBy::Elsewhere,
            (WireBy::Miss, _) => AnsweredBy::Miss { nearest, reasons },
            (WireBy::Model | WireBy::Tape, _) => AnsweredBy::Model { like, reasons },
        })
    }
}

/// Appends the member of an interaction.
pub(super) fn write_answer(answered: &AnsweredBy, yaml: &mut Emitter<'_>) {
    let mut map = yaml.name("answer").flow();
    let (number, reasons) = match answered {
        AnsweredBy::Tape { interaction } => {
            map.plain("by", "tape").plain("interaction", interaction);
            (None, [].as_slice())
        }
        AnsweredBy::Model { like, reasons } => {
            map.plain("by", "model");
            (like.map(|like| ("like", like)), reasons.as_slice())
        }
        AnsweredBy::Assistant => {
            map.plain("by", "assistant");
            (None, [].as_slice())
        }
        AnsweredBy::Fault => {
            map.plain("by", "fault");
            (None, [].as_slice())
        }
        AnsweredBy::Elsewhere => {
            map.plain("by", "elsewhere");
            (None, [].as_slice())
        }
        AnsweredBy::Miss { nearest, reasons } => {
            map.plain("by", "miss");
            (nearest.map(|nearest| ("nearest", nearest)), reasons.as_slice())
        }
    };
    if let Some((name, number)) = number {
        map.plain(name, number);
    }
    if !reasons.is_empty() {
        map.texts("reasons", texts(reasons));
    }
    map.end();
}

/// Appends the member of the header.
pub(super) fn write_replayed(replayed: &Replayed, yaml: &mut Emitter<'_>) {
    let Replayed {
        cassette,
        seed,
        expires_in,
        speed,
        upstream_connections,
        dialled,
        policies,
        adopted,
        misses,
        missed,
        elsewhere,
        untouched,
    } = replayed;
    yaml.name("replayed").begin();
    yaml.name("cassette").text(cassette);
    let speed = speed.map(u64::from);
    let numbers = [("seed", *seed), ("expires_in", *expires_in), ("speed", speed), ("upstream_connections", *upstream_connections)];
    for (name, number) in numbers {
        if let Some(number) = number {
            yaml.name(name).plain(number);
        }
    }
    write_texts("dialled", dialled, yaml);
    items("policies", policies, yaml, |yaml, policies| {
        yaml.name("of").text(&policies.of);
        write_texts("tape", &policies.tape, yaml);
        write_texts("default", &policies.default, yaml);
    });
    write_texts("adopted", adopted, yaml);
    items("misses", misses, yaml, |yaml, miss| {
        yaml.name("session").plain(miss.session);
        yaml.name("what").text(&miss.what);
        if let Some(nearest) = miss.nearest {
            yaml.name("nearest").plain(nearest);
        }
        write_texts("reasons", &miss.reasons, yaml);
    });
    if *missed != misses.len() as u64 {
        yaml.name("missed").plain(missed);
    }
    items("elsewhere", elsewhere, yaml, |yaml, elsewhere| {
        yaml.flow().text("host", &elsewhere.host).plain("requests", elsewhere.requests).end();
    });
    write_texts("untouched", untouched, yaml);
    yaml.end();
}

fn items<T>(name: &'static str, list: &[T], yaml: &mut Emitter<'_>, mut write: impl FnMut(&mut Emitter<'_>, &T)) {
    if list.is_empty() {
        return;
    }
    yaml.name(name).begin();
    for item in list {
        write(yaml.item(), item);
        yaml.end_item();
    }
    yaml.end();
}

fn write_texts(name: &'static str, list: &[String], yaml: &mut Emitter<'_>) {
    items(name, list, yaml, |yaml, text| yaml.text(text));
}

fn texts(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(String::as_str)
}
