//! The words of the format: each closed list of the model with its names, written and read by one table.

use crate::exchange::{Actor, Coding, End, JsonStyle, LineEnd, SseStyle, Stage, Trouble, Version};
use crate::protocol::Kind;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;

/// The schema of a string out of a list.
#[cfg(test)]
fn one_of(names: &[&str]) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": names })
}

struct Word<F>(&'static [&'static str], F);

impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Word<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.0.join(", "))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<T, E> {
        (self.1)(word).ok_or_else(|| E::unknown_variant(word, self.0))
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $wire:ident($model:ty) { $($value:pat => $name:literal = $made:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $wire(pub(super) $model);

        impl $wire {
            const NAMES: &'static [&'static str] = &[$($name),*];

            pub(super) fn name(value: $model) -> &'static str {
                match value {
                    $($value => $name,)*
                }
            }
        }

        impl<'de> Deserialize<'de> for $wire {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read = |word: &str| match word {
                    $($name => Some(Self($made)),)*
                    _ => None,
                };
                deserializer.deserialize_str(Word(Self::NAMES, read))
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $wire {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($wire).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                one_of(Self::NAMES)
            }
        }
    )*};
}

/// How a typed body was written where that is not the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Of `json`.
    Json(JsonStyle),
    /// Of `events`.
    Sse(SseStyle),
}

/// How a body ended; what goes with it stands in fields of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    ClientGone,
    ServerGone,
    Open,
    Undecodable,
}

const fn sse(line_end: LineEnd, space: bool) -> Style {
    Style::Sse(SseStyle { line_end, space })
}

words! {
    /// Who made a request.
    By(Actor) {
        Actor::Client => "client" = Actor::Client,
        Actor::UserAgent => "user-agent" = Actor::UserAgent,
    }

    /// The HTTP version.
    Http(Version) {
        Version::Http10 => "1.0" = Version::Http10,
        Version::Http11 => "1.1" = Version::Http11,
        Version::Http2 => "2" = Version::Http2,
    }

    /// How far a failed exchange came.
    FailedAt(Stage) {
        Stage::Resolve => "resolve" = Stage::Resolve,
        Stage::Connect => "connect" = Stage::Connect,
        Stage::Tls => "tls" = Stage::Tls,
        Stage::Response => "response" = Stage::Response,
        Stage::ClientGone => "client-gone" = Stage::ClientGone,
    }

    /// What happened on a connection.
    Happened(Trouble) {
        Trouble::TlsHandshakeFailed => "tls-handshake-failed" = Trouble::TlsHandshakeFailed,
        Trouble::ConnectRefused => "connect-refused" = Trouble::ConnectRefused,
        Trouble::Silent => "silent" = Trouble::Silent,
        Trouble::NotHttp => "not-http" = Trouble::NotHttp,
    }

    /// A content coding.
    Encoding(Coding) {
        Coding::Gzip => "gzip" = Coding::Gzip,
        Coding::Deflate => "deflate" = Coding::Deflate,
        Coding::Brotli => "br" = Coding::Brotli,
        Coding::Zstd => "zstd" = Coding::Zstd,
    }

    /// How a body ended.
    Ended(Ending) {
        Ending::Complete => "complete" = Ending::Complete,
        Ending::ClientGone => "client-gone" = Ending::ClientGone,
        Ending::ServerGone => "server-gone" = Ending::ServerGone,
        Ending::Open => "open" = Ending::Open,
        Ending::Undecodable => "undecodable" = Ending::Undecodable,
    }

    /// How a body was written.
    Written(Style) {
        Style::Json(JsonStyle::Compact) => "compact" = Style::Json(JsonStyle::Compact),
        Style::Json(JsonStyle::Python) => "python" = Style::Json(JsonStyle::Python),
        Style::Json(JsonStyle::Indent2) => "indent2" = Style::Json(JsonStyle::Indent2),
        Style::Sse(SseStyle { line_end: LineEnd::Lf, space: true }) => "lf" = sse(LineEnd::Lf, true),
        Style::Sse(SseStyle { line_end: LineEnd::CrLf, space: true }) => "crlf" = sse(LineEnd::CrLf, true),
        Style::Sse(SseStyle { line_end: LineEnd::Cr, space: true }) => "cr" = sse(LineEnd::Cr, true),
        Style::Sse(SseStyle { line_end: LineEnd::Lf, space: false }) => "lf-tight" = sse(LineEnd::Lf, false),
        Style::Sse(SseStyle { line_end: LineEnd::CrLf, space: false }) => "crlf-tight" = sse(LineEnd::CrLf, false),
        Style::Sse(SseStyle { line_end: LineEnd::Cr, space: false }) => "cr-tight" = sse(LineEnd::Cr, false),
    }
}

/// What happened on a connection, in the words of the format.
pub fn trouble_name(trouble: Trouble) -> &'static str {
    Happened::name(trouble)
}

/// How far a failed exchange came, in the words of the format.
pub fn stage_name(stage: Stage) -> &'static str {
    FailedAt::name(stage)
}

/// How a body ended, in the words of the format; a body that is stored cut ended well.
pub fn ending_name(end: &End) -> &'static str {
    Ended::name(match end {
        End::Complete | End::Cut { .. } => Ending::Complete,
        End::ClientGone => Ending::ClientGone,
        End::ServerGone(_) => Ending::ServerGone,
        End::Open => Ending::Open,
        End::Undecodable(_) => Ending::Undecodable,
    })
}

/// The kind of an interaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindName(pub(super) Kind);

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = KindName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind such as token-refresh")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<KindName, E> {
                name.parse().map(KindName).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for KindName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Kind".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        one_of(&Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>())
    }
}
