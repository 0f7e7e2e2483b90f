//! The JSON Schema of a document, made from the wire types. `cassettes/cassette.schema.json` is checked against it.

#[cfg(test)]
pub(super) use tests::document;

#[cfg(test)]
mod tests {
    use super::super::pairs::{JsonText, Millis, Pairs, WireEvent};
    use super::super::wire::{WireConnectionEvent, WireHeader, WireInteraction, WireMore};
    use schemars::generate::SchemaSettings;
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;
    use std::path::Path;

    macro_rules! schemas {
        ($($wire:ty = $name:literal: |$generator:pat_param| $schema:expr;)*) => {$(
            impl JsonSchema for $wire {
                fn schema_name() -> Cow<'static, str> {
                    $name.into()
                }

                fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        )*};
    }

    schemas! {
        Millis = "Milliseconds": |_| json_schema!({
            "description": "Whole milliseconds, such as 1204ms.", "type": "string", "pattern": "^[0-9]+ms$",
        });
        Pairs = "Pairs": |_| json_schema!({
            "description": "Names and values in order, duplicates kept: one map with one member each.",
            "type": "array",
            "items": {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "string"}},
        });
        JsonText = "JsonText": |_| json_schema!({"type": "string", "contentMediaType": "application/json"});
        WireEvent = "StreamEvent": |generator| {
            let fields = json_schema!({
                "event": {"type": "string"}, "id": {"type": "string"}, "retry": {"type": "string"}, "comment": {"type": "string"},
                "data": {"description": "Several lines are joined by a line feed.", "type": "string"},
                "json": {"description": "`data` that holds one JSON value."},
                "json_text": generator.subschema_for::<JsonText>(),
                "raw": {"description": "A whole event whose spelling differs from the rest of the stream.", "type": "string"},
                "style": {"enum": ["compact", "python", "indent2"]},
            });
            let mut members = fields.as_object().expect("an object").clone();
            members.insert("at".into(), generator.subschema_for::<Millis>().into());
            members.insert("fields".into(), serde_json::json!({
                "description": "One field an item, where a name repeats.",
                "type": "array",
                "items": {"type": "object", "properties": fields, "additionalProperties": false},
            }));
            json_schema!({
                "description": "An event of a stream; the order of its members is that of its lines.",
                "type": "object", "required": ["at"], "properties": members, "additionalProperties": false,
            })
        };
    }

    /// The schema of one document of a cassette.
    pub(crate) fn document() -> serde_json::Value {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let documents = [
            generator.subschema_for::<WireHeader>(),
            generator.subschema_for::<WireInteraction>(),
            generator.subschema_for::<WireConnectionEvent>(),
            generator.subschema_for::<WireMore>(),
        ];
        serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "authtape cassette, version 1: one document of the YAML stream",
            "oneOf": documents,
            "$defs": generator.take_definitions(true),
        })
    }

    #[test]
    fn the_schema_in_the_repository_is_that_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes/cassette.schema.json");
        let made = format!("{:#}\n", document());
        if std::env::var_os("AUTHTAPE_UPDATE").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == made,
            "cassettes/cassette.schema.json is not that of src/cassette/format/wire.rs: AUTHTAPE_UPDATE=1 cargo test schema"
        );
    }
}
