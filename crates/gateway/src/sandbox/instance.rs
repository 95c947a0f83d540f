//! Values that fit a JSON Schema: the arguments of simulated tool calls and simulated structured answers.

use serde_json::{Map, Value, json};

/// Deepest nesting of a made value.
const DEPTH_MAX: usize = 8;

/// A call of the tool that the request forces, else of the first it declares: name and arguments.
pub(super) fn tool_call(body: &Value) -> Option<(String, String)> {
    let tools = body.get("tools")?.as_array()?;
    let wanted = body.pointer("/tool_choice/function/name").and_then(Value::as_str);
    let function = |tool: &Value| tool.get("function").cloned();
    let found = tools
        .iter()
        .filter_map(function)
        .find(|f| wanted.is_none_or(|w| f.get("name").is_some_and(|n| n == w)))?;
    let name = found.get("name")?.as_str()?.to_owned();
    let arguments = found.get("parameters").map_or_else(|| json!({}), |schema| value(schema, 0));
    Some((name, arguments.to_string()))
}

/// A value for `response_format`: of its schema, or a plain object.
pub(super) fn for_response_format(body: &Value) -> Value {
    let schema = body.pointer("/response_format/json_schema/schema");
    schema
        .map_or_else(|| json!({"simulated": true, "answer": "This is simulated."}), |schema| value(schema, 0))
}

fn value(schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
        return fixed.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|list| list.get(0)) {
        return first.clone();
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(|list| list.get(0)) {
            return value(first, depth + 1);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    };
    match kind {
        "object" => object(schema, depth),
        "array" => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(8);
            let item = schema.get("items").map_or(Value::Null, |items| value(items, depth + 1));
            (0..count).map(|_| item.clone()).collect()
        }
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => text(schema),
    }
}

fn object(schema: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let made: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .map(|(key, schema)| (key.clone(), value(schema, depth + 1)))
        .collect();
    Value::Object(made)
}

fn text(schema: &Value) -> Value {
    let longest = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(64);
    let shortest = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(256);
    let base = "simulated".chars().cycle();
    let length = (9.max(shortest)).min(longest.max(shortest));
    Value::String(base.take(usize::try_from(length).unwrap_or(9)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_fit_the_schema() {
        let body = json!({"tools": [
            {"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {
                "city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "integer", "minimum": 3},
                "tags": {"type": "array", "items": {"type": "string", "maxLength": 2}}, "deep": {"type": ["null", "string"]},
            }}}},
            {"type": "function", "function": {"name": "b"}},
        ]});
        let (name, arguments) = tool_call(&body).unwrap();
        let arguments: Value = serde_json::from_str(&arguments).unwrap();
        assert_eq!(name, "a");
        assert_eq!(
            arguments,
            json!({"city": "simulated", "unit": "C", "days": 3, "tags": ["si"], "deep": null})
        );
        let mut forced = body.clone();
        forced["tool_choice"] = json!({"type": "function", "function": {"name": "b"}});
        assert_eq!(tool_call(&forced).unwrap(), ("b".to_owned(), "{}".to_owned()));
    }
}
