//! Whether a value follows a JSON Schema, by the keywords that schemas for models are made of: `type` (Gemini's capitals and
//! `nullable` too), `required`, `enum`, `const`, `items`, `properties`, `additionalProperties`, `anyOf`, `oneOf`, `allOf` and `$ref`
//! within the schema. Any other keyword is taken as fulfilled, so that only what is surely wrong is found wrong. A library for
//! all of JSON Schema brings some twenty crates that nothing else needs.

use std::cell::Cell;

use serde_json::{Map, Value};

/// How deep schemas are followed; what is deeper passes.
const DEPTH_MAX: usize = 64;
/// Values that are looked at; what comes after them passes.
const STEPS_MAX: usize = 100_000;

/// Whether `value` follows `schema`.
pub(super) fn follows(value: &Value, schema: &Value) -> bool {
    Look { root: schema, steps: Cell::new(0) }.follows(value, schema, 0)
}

struct Look<'s> {
    /// Where `$ref` begins.
    root: &'s Value,
    steps: Cell<usize>,
}

impl Look<'_> {
    fn follows(&self, value: &Value, schema: &Value, depth: usize) -> bool {
        self.steps.set(self.steps.get() + 1);
        if depth > DEPTH_MAX || self.steps.get() > STEPS_MAX {
            return true;
        }
        let schema = match schema {
            Value::Bool(allows) => return *allows,
            Value::Object(schema) => schema,
            _ => return true,
        };
        if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
            return true;
        }
        is_of_type(value, schema.get("type"))
            && is_one_of(value, schema)
            && self.is_composed(value, schema, depth)
            && match value {
                Value::Object(map) => self.has_properties(map, schema, depth),
                Value::Array(list) => self.has_items(list, schema, depth),
                _ => true,
            }
    }

    fn is_composed(&self, value: &Value, schema: &Map<String, Value>, depth: usize) -> bool {
        let list = |key: &str| schema.get(key).and_then(Value::as_array);
        let fits = |one: &Value| self.follows(value, one, depth + 1);
        let refers = schema.get("$ref").and_then(Value::as_str);
        let referred =
            refers.and_then(|at| at.strip_prefix('#')).and_then(|pointer| self.root.pointer(pointer));
        referred.is_none_or(fits)
            && list("allOf").is_none_or(|all| all.iter().all(fits))
            && ["anyOf", "oneOf"].into_iter().all(|key| list(key).is_none_or(|any| any.iter().any(fits)))
    }

    fn has_properties(&self, map: &Map<String, Value>, schema: &Map<String, Value>, depth: usize) -> bool {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        if !required.filter_map(Value::as_str).all(|name| map.contains_key(name)) {
            return false;
        }
        let known = schema.get("properties").and_then(Value::as_object);
        // By patterns more may be known than is seen here.
        let others = schema.get("additionalProperties").filter(|_| !schema.contains_key("patternProperties"));
        map.iter().all(|(name, value)| match (known.and_then(|known| known.get(name)), others) {
            (Some(own), _) => self.follows(value, own, depth + 1),
            (None, Some(others)) => self.follows(value, others, depth + 1),
            (None, None) => true,
        })
    }

    fn has_items(&self, list: &[Value], schema: &Map<String, Value>, depth: usize) -> bool {
        // A list of schemas is for the first items only, in an older manner of writing.
        let items = schema.get("items").filter(|items| !items.is_array());
        let items = items.filter(|_| !schema.contains_key("prefixItems"));
        items.is_none_or(|items| list.iter().all(|value| self.follows(value, items, depth + 1)))
    }
}

fn is_of_type(value: &Value, types: Option<&Value>) -> bool {
    match types {
        Some(Value::String(name)) => is_a(value, name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(|name| is_a(value, name)),
        _ => true,
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => true,
    }
}

fn is_one_of(value: &Value, schema: &Map<String, Value>) -> bool {
    let same = |other: &Value| match (value.as_f64(), other.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
        _ => value == other,
    };
    let listed = schema.get("enum").and_then(Value::as_array).is_none_or(|list| list.iter().any(same));
    listed && schema.get("const").is_none_or(same)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(value: &str, schema: &str) -> bool {
        follows(&serde_json::from_str(value).unwrap(), &serde_json::from_str(schema).unwrap())
    }

    #[test]
    fn what_is_surely_wrong_is_found() {
        let person = r#"{"type":"object","required":["name"],"additionalProperties":false,"properties":{"name":{"type":"string"},"age":{"type":["integer","null"]},"tags":{"type":"array","items":{"enum":["a","b",1]}}}}"#;
        let tree = r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","required":["value"],"properties":{"value":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}}}}}"##;
        let rows = [
            (r#"{"name":"x","age":null,"tags":["a",1.0]}"#, person, true),
            (r#"{"age":1}"#, person, false),
            (r#"{"name":"x","age":1.5}"#, person, false),
            (r#"{"name":"x","age":2.0}"#, person, true),
            (r#"{"name":"x","more":1}"#, person, false),
            (r#"{"name":"x","tags":["c"]}"#, person, false),
            ("[]", person, false),
            (r#"{"value":1,"next":{"value":2,"next":null}}"#, tree, true),
            (r#"{"value":1,"next":{"next":null}}"#, tree, false),
            (r#"{"a":1}"#, r#"{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}"#, true),
            ("null", r#"{"type":"STRING","nullable":true}"#, true),
            ("3", r#"{"const":4}"#, false),
            ("3", r#"{"allOf":[{"type":"integer"},{"enum":[1,2]}]}"#, false),
            ("3", "false", false),
        ];
        for (value, schema, expect) in rows {
            assert_eq!(fits(value, schema), expect, "{value} {schema}");
        }
    }

    #[test]
    fn what_is_not_known_passes() {
        let rows = [
            ("3", r#"{"minimum":10,"format":"date","x-own":true}"#),
            ("3", r#"{"type":"decimal"}"#),
            ("3", r##"{"$ref":"https://example.com/schema"}"##),
            (r#"{"ab":1}"#, r#"{"patternProperties":{"^a":{}},"additionalProperties":false}"#),
            ("[1,\"x\"]", r#"{"items":[{"type":"integer"}]}"#),
            ("[1,\"x\"]", r#"{"prefixItems":[{"type":"integer"}],"items":{"type":"string"}}"#),
            ("3", r##"{"$ref":"#"}"##),
            ("3", "[]"),
        ];
        for (value, schema) in rows {
            assert!(fits(value, schema), "{value} {schema}");
        }
    }

    #[test]
    fn work_is_bounded() {
        // Each level asks twice for the next.
        let schema = r##"{"anyOf":[{"allOf":[{"$ref":"#"},{"type":"string"}]},{"allOf":[{"$ref":"#"},{"type":"null"}]}]}"##;
        assert!(!fits("3", schema) || fits("3", schema), "it ends");
        let look = Look { root: &Value::Null, steps: Cell::new(STEPS_MAX) };
        assert!(look.follows(&Value::Null, &Value::Bool(false), 0), "beyond the bound all passes");
    }

    proptest! {
        #[test]
        fn any_schema_ends(value in ".{0,40}", schema in ".{0,80}") {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
            let _ = follows(&read(&value), &read(&schema));
        }
    }
}
