use proptest::prelude::*;

use super::*;

#[test]
fn json_schema_is_cut_down_to_googles_subset() {
    let rows = [
        (
            json!({"$schema": "x", "type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a", "b"],
                "additionalProperties": false, "strict": true}),
            json!({"type": "OBJECT", "required": ["a"], "properties": {"a": {"nullable": true, "type": "STRING"}}}),
        ),
        (
            json!({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10, "multipleOf": 2}),
            json!({"type": "INTEGER", "minimum": 1, "maximum": 9}),
        ),
        (json!({"type": "number", "exclusiveMinimum": 0.5}), json!({"type": "NUMBER", "minimum": 0.5})),
        (json!({"const": "x"}), json!({"type": "STRING", "enum": ["x"]})),
        (
            json!({"type": "integer", "enum": [1, 2, null]}),
            json!({"type": "STRING", "nullable": true, "enum": ["1", "2"]}),
        ),
        (json!({"const": true}), json!({"type": "BOOLEAN"})),
        (
            json!({"oneOf": [{"type": "string", "format": "uri"}, {"type": "integer"}]}),
            json!({"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ),
        (
            json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "description": "d"}),
            json!({"description": "d", "nullable": true, "type": "STRING", "format": "date-time"}),
        ),
        (json!({"type": ["string", "integer"]}), json!({"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]})),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}),
            json!({"type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}}),
        ),
        (json!({"type": "array"}), json!({"type": "ARRAY", "items": {"type": "STRING"}})),
        (
            json!({"$defs": {"p": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/p", "description": "d"}}}),
            json!({"properties": {"x": {"type": "STRING", "description": "d"}}, "type": "OBJECT"}),
        ),
        (
            json!({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": true}, "required": ["b"]}]}),
            json!({"required": ["a", "b"], "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}}, "type": "OBJECT"}),
        ),
        (
            json!({"type": "string", "examples": ["e"], "if": {}, "patternProperties": {}, "not": {}}),
            json!({"example": "e", "type": "STRING"}),
        ),
    ];
    for (schema, expect) in rows {
        assert_eq!(clean(&schema), expect, "{schema}");
    }
}

#[test]
fn recursion_and_explosion_end() {
    let recursive = json!({"$defs": {"n": {"type": "object", "properties": {"l": {"$ref": "#/$defs/n"}, "r": {"$ref": "#/$defs/n"}}}},
        "$ref": "#/$defs/n"});
    let cleaned = clean(&recursive).to_string();
    assert!(cleaned.len() < 1_000_000 && !cleaned.contains('$'));
    let all = json!({"$defs": {"n": {"allOf": [{"$ref": "#/$defs/n"}]}}, "allOf": [{"$ref": "#/$defs/n"}]});
    assert_eq!(clean(&all), json!({"type": "STRING"}));
}

#[test]
fn a_callers_schemas_become_json_schema_in_place() {
    let body = br#" {"contents":[{"parts":[{"text":"parameters\""}]}],"tools":[{"function_declarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["A"]},"max_items":{"type":"ARRAY","items":{"type":"INTEGER"},"min_items":"2"}}}},{"name":"g","parametersJsonSchema":{"type":"OBJECT"}}]}],"generationConfig":{"responseSchema":{"anyOf":[{"type":"NUMBER"}],"nullable":true,"propertyOrdering":["x"]}}} "#;
    let out = String::from_utf8(canonical(body).into_owned()).unwrap();
    assert_eq!(
        out,
        r#"{"contents":[{"parts":[{"text":"parameters\""}]}],"tools":[{"function_declarations":[{"name":"f","parameters":{"type":"object","properties":{"type":{"type":["string","null"],"enum":["A",null]},"max_items":{"type":"array","items":{"type":"integer"},"minItems":2}}}},{"name":"g","parametersJsonSchema":{"type":"OBJECT"}}]}],"generationConfig":{"responseSchema":{"anyOf":[{"type":"number"},{"type":"null"}]}}}"#
    );
    assert!(matches!(canonical(out.as_bytes()), Cow::Borrowed(_)));
    for odd in ["[\"parameters\"]", r#"{"tools":{"functionDeclarations":{"parameters":1}}}"#, "parameters\""]
    {
        assert_eq!(canonical(odd.as_bytes()), odd.as_bytes());
    }
}

fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "integer", "exclusiveMinimum": 3})),
        Just(json!({"enum": [1, "a", null]})),
        Just(json!(true)),
        Just(json!({"type": 5})),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!({"anyOf": list})),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!({"allOf": list})),
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|list| json!({"type": "array", "items": list})),
            prop::collection::btree_map("[a-z$]{1,6}", inner, 0..4)
                .prop_map(|map| json!({"type": ["object", "null"], "properties": map, "required": ["a"]})),
        ]
    })
}

/// Every key of a cleaned schema is one that Google knows.
fn only_known(schema: &Value) -> bool {
    const OTHERS: [&str; 7] = ["type", "format", "enum", "items", "properties", "required", "anyOf"];
    let Some(map) = schema.as_object() else { return false };
    map.iter().all(|(key, value)| {
        (KEPT.contains(&key.as_str()) || OTHERS.contains(&key.as_str()))
            && match key.as_str() {
                "items" => only_known(value),
                "anyOf" => value.as_array().unwrap().iter().all(only_known),
                "properties" => value.as_object().unwrap().values().all(only_known),
                _ => true,
            }
    })
}

proptest! {
    #[test]
    fn cleaned_schemas_hold_only_known_keys(schema in any_schema()) {
        let cleaned = clean(&schema);
        prop_assert!(only_known(&cleaned), "{schema} -> {cleaned}");
        to_json_schema(&schema);
    }
}
