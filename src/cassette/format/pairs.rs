//! The small grammars inside a document: times, lists of single-key maps, and the events of a stream.

use super::names::{Style, Written};
use crate::exchange::{Event, Field, Json, JsonStyle};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::time::Duration;

/// A time in whole milliseconds, such as `1204ms`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Millis(pub(super) Duration);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Millis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in milliseconds such as 1204ms")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Millis, E> {
                let digits = text.strip_suffix("ms").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let millis = digits.and_then(|digits| digits.parse().ok());
                millis
                    .map(|millis| Millis(Duration::from_millis(millis)))
                    .ok_or_else(|| E::custom(format_args!("expected a time in milliseconds such as 1204ms, found {text:?}")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Names and values in order: a list of maps with one key each.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of `- name: value`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(Pair(name, value)) = items.next_element()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

struct Pair(String, String);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one `name: value`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pair, A::Error> {
                let (name, value) = map.next_entry()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom("more than one name in an item: each `name: value` is an item of its own"));
                }
                Ok(Pair(name, value))
            }
        }
        deserializer.deserialize_map(One)
    }
}

/// An event of a stream: `at` and its fields in wire order, as members of one map; where a name repeats, `fields` is a list of
/// maps with one field each.
pub(super) struct WireEvent(pub(super) Event);

const EVENT_NAMES: &[&str] = &["at", "fields", "event", "id", "retry", "data", "json", "json_text", "comment", "raw", "style"];

impl<'de> Deserialize<'de> for WireEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = WireEvent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event: `at` and its fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireEvent, A::Error> {
                let mut at = None;
                let mut listed = None;
                let mut members = FieldReader::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "at" => at = Some(map.next_value::<Millis>()?.0),
                        "fields" => listed = Some(map.next_value::<Vec<WireField>>()?),
                        name => members.take(name, &mut map)?,
                    }
                }
                let at = at.ok_or_else(|| de::Error::missing_field("at"))?;
                let mut fields = members.finish()?;
                fields.extend(listed.into_iter().flatten().map(|field| field.0));
                Ok(WireEvent(Event { at, fields }))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

struct WireField(Field);

impl<'de> Deserialize<'de> for WireField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = WireField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one field of an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireField, A::Error> {
                let mut members = FieldReader::default();
                while let Some(name) = map.next_key::<String>()? {
                    members.take(&name, &mut map)?;
                }
                match <[Field; 1]>::try_from(members.finish()?) {
                    Ok([field]) => Ok(WireField(field)),
                    Err(fields) => Err(de::Error::invalid_length(fields.len(), &self)),
                }
            }
        }
        deserializer.deserialize_map(One)
    }
}

#[derive(Default)]
struct FieldReader {
    fields: Vec<Field>,
    style: Option<JsonStyle>,
}

impl FieldReader {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let field = match name {
            "event" => Field::Event(map.next_value()?),
            "id" => Field::Id(map.next_value()?),
            "retry" => Field::Retry(map.next_value()?),
            "data" => Field::Data(map.next_value()?),
            "comment" => Field::Comment(map.next_value()?),
            "raw" => Field::Raw(map.next_value()?),
            "json" => Field::Json(Json { value: map.next_value()?, style: JsonStyle::Compact }),
            "json_text" => Field::Json(Json { value: map.next_value::<JsonText>()?.0, style: JsonStyle::Compact }),
            "style" => {
                let Style::Json(style) = map.next_value::<Written>()?.0 else {
                    return Err(de::Error::custom("an event's style is that of its json: compact, python or indent2"));
                };
                self.style = Some(style);
                return Ok(());
            }
            other => return Err(de::Error::unknown_field(other, EVENT_NAMES)),
        };
        self.fields.push(field);
        Ok(())
    }

    fn finish<E: de::Error>(mut self) -> Result<Vec<Field>, E> {
        let Some(style) = self.style else { return Ok(self.fields) };
        let json = self.fields.iter_mut().find_map(|field| if let Field::Json(json) = field { Some(json) } else { None });
        json.ok_or_else(|| E::custom("a style without json"))?.style = style;
        Ok(self.fields)
    }
}

/// A JSON value as its text.
pub(super) struct JsonText(pub(super) serde_json::Value);

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut reader = serde_json::Deserializer::from_str(&text);
        let value = serde_json::Value::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        value.map(Self).map_err(|error| de::Error::custom(format_args!("not JSON: {error}")))
    }
}
