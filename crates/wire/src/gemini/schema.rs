//! Google's own subset of schemas (`parameters`, `responseSchema`), to and from JSON Schema.
//!
//! Out, for models that don't take JSON Schema: an unknown key is a hard refusal, so only known ones are written, and what they
//! can't say is said as nearly as possible. References are put in place; recursion ends in a bare object. In: names of types
//! in lower case, `nullable` as a type of its own.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::keys::camel;
use crate::json::{self, Member};
use crate::splice::Splice;

/// Most places that references may unfold to, and how deep; beyond, a bare object stands.
const NODES_MAX: usize = 5_000;
const DEPTH_MAX: usize = 40;

/// Keys that are taken as they are.
const KEPT: [&str; 15] = [
    "title",
    "description",
    "default",
    "example",
    "nullable",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "propertyOrdering",
];

/// JSON Schema as Google's subset.
pub(super) fn clean(schema: &Value) -> Value {
    let mut cleaner = Cleaner { root: schema, nodes: 0 };
    cleaner.schema(schema, 0)
}

struct Cleaner<'s> {
    root: &'s Value,
    nodes: usize,
}

impl<'s> Cleaner<'s> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Value {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return json!({"type": "OBJECT"});
        }
        let Some(schema) = schema.as_object() else { return json!({"type": "STRING"}) };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|path| self.target(path)) {
            let mut cleaned = self.schema(target, depth + 1);
            if let (Some(cleaned), Some(text)) = (cleaned.as_object_mut(), schema.get("description")) {
                cleaned.insert("description".into(), text.clone());
            }
            return cleaned;
        }
        let merged;
        let schema = match schema.get("allOf").and_then(Value::as_array) {
            Some(all) => {
                merged = self.merged(schema, all, depth);
                &merged
            }
            None => schema,
        };
        let mut out = Map::new();
        for key in KEPT {
            if let Some(value) = schema.get(key) {
                out.insert(key.into(), value.clone());
            }
        }
        if let Some(first) = schema.get("examples").and_then(|list| list.get(0)) {
            out.entry("example").or_insert_with(|| first.clone());
        }
        self.kind(schema, &mut out);
        bounds(schema, &mut out);
        choices(schema, &mut out);
        self.inner(schema, &mut out, depth);
        self.alternatives(schema, &mut out, depth);
        fill(&mut out);
        Value::Object(out)
    }

    /// What `#/$defs/x` points to.
    fn target(&self, path: &str) -> Option<&'s Value> {
        self.root.pointer(path.strip_prefix('#')?)
    }

    fn merged(&mut self, schema: &Map<String, Value>, all: &[Value], depth: usize) -> Map<String, Value> {
        let mut merged = schema.clone();
        merged.remove("allOf");
        for part in all {
            let target = part.get("$ref").and_then(Value::as_str).and_then(|path| self.target(path));
            let Some(part) = target.unwrap_or(part).as_object() else { continue };
            self.nodes += 1;
            let may = depth < DEPTH_MAX && self.nodes < NODES_MAX;
            let deeper = part.get("allOf").and_then(Value::as_array).filter(|_| may);
            let nested = deeper.map(|all| self.merged(part, all, depth + 8));
            for (key, value) in nested.as_ref().unwrap_or(part) {
                match (merged.get_mut(key), value) {
                    (Some(Value::Object(known)), Value::Object(more)) => {
                        known.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                    }
                    (Some(Value::Array(known)), Value::Array(more)) if key == "required" => {
                        known.extend(more.iter().cloned());
                    }
                    (Some(_), _) => (),
                    (None, _) => drop(merged.insert(key.clone(), value.clone())),
                }
            }
        }
        merged
    }

    fn kind(&mut self, schema: &Map<String, Value>, out: &mut Map<String, Value>) {
        let names: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let real: Vec<String> =
            names.iter().filter(|name| **name != "null").map(|name| name.to_ascii_uppercase()).collect();
        if real.len() < names.len() && !real.is_empty() {
            out.insert("nullable".into(), true.into());
        }
        match real.as_slice() {
            [] => drop(out.insert("type".into(), "STRING".into())),
            [one] => drop(out.insert("type".into(), one.clone().into())),
            several => {
                let any = several.iter().map(|name| {
                    let inner = json!({"type": name.to_ascii_lowercase()});
                    self.schema(&inner, 1)
                });
                out.insert("anyOf".into(), any.collect());
            }
        }
    }

    fn inner(&mut self, schema: &Map<String, Value>, out: &mut Map<String, Value>, depth: usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let cleaned: Map<String, Value> = properties
                .iter()
                .map(|(name, schema)| (name.clone(), self.schema(schema, depth + 1)))
                .collect();
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let mut known: Vec<&Value> = required
                .filter(|name| name.as_str().is_some_and(|name| cleaned.contains_key(name)))
                .collect();
            known.dedup();
            if !known.is_empty() {
                out.insert("required".into(), known.into_iter().cloned().collect());
            }
            if !cleaned.is_empty() {
                out.insert("properties".into(), cleaned.into());
            }
        }
        let tuple =
            schema.get("prefixItems").or_else(|| schema.get("items").filter(|items| items.is_array()));
        let items = match (tuple.and_then(Value::as_array), schema.get("items")) {
            (Some(list), _) => {
                let mut any: Vec<Value> = Vec::new();
                for cleaned in list.iter().map(|one| self.schema(one, depth + 1)) {
                    if !any.contains(&cleaned) {
                        any.push(cleaned);
                    }
                }
                match any.len() {
                    0 => None,
                    1 => any.pop(),
                    _ => Some(json!({"anyOf": any})),
                }
            }
            (None, Some(items)) => Some(self.schema(items, depth + 1)),
            (None, None) => None,
        };
        if let Some(items) = items {
            out.insert("items".into(), items);
        }
    }

    fn alternatives(&mut self, schema: &Map<String, Value>, out: &mut Map<String, Value>, depth: usize) {
        let Some(list) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) else {
            return;
        };
        let is_null = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("null");
        if list.iter().any(|one| is_null(&one)) {
            out.insert("nullable".into(), true.into());
        }
        let mut any: Vec<Value> =
            list.iter().filter(|one| !is_null(one)).map(|one| self.schema(one, depth + 1)).collect();
        match any.len() {
            0 => (),
            1 => {
                for (key, value) in any.pop().and_then(|one| one.as_object().cloned()).unwrap_or_default() {
                    out.entry(key).or_insert(value);
                }
            }
            _ => drop(out.insert("anyOf".into(), any.into())),
        }
    }
}

/// Exclusive bounds become inclusive ones; exact for whole numbers. Formats beyond the few known ones are refused.
fn bounds(schema: &Map<String, Value>, out: &mut Map<String, Value>) {
    let whole = schema.get("type").and_then(Value::as_str) == Some("integer");
    for (exclusive, inclusive, step) in
        [("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)]
    {
        let Some(bound) = schema.get(exclusive).filter(|bound| bound.is_number()) else { continue };
        let exact = bound.as_i64().filter(|_| whole).and_then(|bound| bound.checked_add(step));
        out.entry(inclusive).or_insert_with(|| exact.map_or_else(|| bound.clone(), Value::from));
    }
    let format = schema.get("format").and_then(Value::as_str);
    if let Some(format) =
        format.filter(|f| ["enum", "date-time", "int32", "int64", "float", "double"].contains(f))
    {
        out.insert("format".into(), format.into());
    }
}

/// `const` and `enum`: Google knows only texts to choose from.
fn choices(schema: &Map<String, Value>, out: &mut Map<String, Value>) {
    let one = schema.get("const").map(std::slice::from_ref);
    let list = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
    let Some(list) = list.or(one) else { return };
    if list.iter().all(Value::is_boolean) {
        out.insert("type".into(), "BOOLEAN".into());
        return;
    }
    if list.iter().any(Value::is_null) {
        out.insert("nullable".into(), true.into());
    }
    let texts: Vec<Value> = list
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).into())
        .filter(|text| *text != "")
        .collect();
    if !texts.is_empty() {
        out.insert("type".into(), "STRING".into());
        out.insert("enum".into(), texts.into());
        for number in ["minimum", "maximum", "format"] {
            out.remove(number);
        }
    }
}

/// A type is wanted everywhere, and items of every list.
fn fill(out: &mut Map<String, Value>) {
    if !out.contains_key("type") && !out.contains_key("anyOf") {
        let name = match () {
            () if out.contains_key("properties") => "OBJECT",
            () if out.contains_key("items") => "ARRAY",
            () => "STRING",
        };
        out.insert("type".into(), name.into());
    }
    if out.get("type").is_some_and(|name| name == "ARRAY") {
        out.entry("items").or_insert_with(|| json!({"type": "STRING"}));
    }
}

/// A caller's body with Google's schemas (`parameters`, `response`, `responseSchema`) as JSON Schema, which is what every
/// other dialect takes. Borrowed where there is nothing to change. To be used before [`read_request`](super::read_request)
/// where the request leaves the dialect; pointers of warnings stay true.
pub fn canonical(body: &[u8]) -> Cow<'_, [u8]> {
    let has = |needle: &[u8]| memchr::memmem::find(body, needle).is_some();
    if !has(b"arameters\"") && !has(b"esponseSchema\"") && !has(b"response_schema\"") {
        return Cow::Borrowed(body);
    }
    let Ok(top) = json::object(body) else { return Cow::Borrowed(body) };
    let members = |value: &std::ops::Range<usize>| json::members(body, value);
    let named = |list: Vec<Member>, name: &str| {
        list.into_iter()
            .find(|m| std::str::from_utf8(json::slice(body, &m.key)).is_ok_and(|key| camel(key) == name))
    };
    let top = match named(top.clone(), "generateContentRequest") {
        Some(inner) => members(&inner.value),
        None => top,
    };
    let mut splice = Splice::new();
    let mut replace = |schema: &Member| {
        let Ok(old) = serde_json::from_slice::<Value>(json::slice(body, &schema.value)) else { return };
        let new = to_json_schema(&old);
        if new != old {
            splice.replace(schema.value.clone(), new.to_string());
        }
    };
    if let Some(config) = named(top.clone(), "generationConfig")
        && let Some(schema) = named(members(&config.value), "responseSchema")
    {
        replace(&schema);
    }
    if let Some(tools) = named(top, "tools") {
        json::each_element(body, &tools.value, &mut |tool| {
            let Some(declarations) = named(members(&tool), "functionDeclarations") else { return };
            json::each_element(body, &declarations.value, &mut |declaration| {
                if let Some(schema) = named(members(&declaration), "parameters") {
                    replace(&schema);
                }
            });
        });
    }
    if splice.is_empty() {
        return Cow::Borrowed(body);
    }
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let mut out = Vec::new();
    splice.apply(body, start..end, &[], &mut out);
    Cow::Owned(out)
}

/// Google's subset as JSON Schema.
pub(super) fn to_json_schema(schema: &Value) -> Value {
    let Some(schema) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    let mut nullable = false;
    for (key, value) in schema {
        let name = camel(key);
        match &*name {
            "type" => {
                let lower = value.as_str().map(str::to_ascii_lowercase);
                match lower.as_deref() {
                    Some("type_unspecified") => (),
                    Some(name) => drop(out.insert("type".into(), name.into())),
                    None => drop(out.insert("type".into(), value.clone())),
                }
            }
            "nullable" => nullable = value == &Value::Bool(true),
            "properties" | "defs" | "$defs" => {
                let inner = value.as_object().into_iter().flatten();
                let inner: Map<_, _> =
                    inner.map(|(name, schema)| (name.clone(), to_json_schema(schema))).collect();
                let name = if name == "properties" { "properties" } else { "$defs" };
                out.insert(name.into(), inner.into());
            }
            "items" | "additionalProperties" => drop(out.insert(name.into_owned(), to_json_schema(value))),
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                let inner = value.as_array().into_iter().flatten().map(to_json_schema);
                out.insert(name.into_owned(), inner.collect());
            }
            "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minLength" | "maxLength" => {
                // 64 bits are a text in Google's JSON.
                let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
                out.insert(name.into_owned(), number.map_or_else(|| value.clone(), Value::from));
            }
            "ref" => drop(out.insert("$ref".into(), value.clone())),
            "example" => drop(out.insert("examples".into(), json!([value]))),
            "propertyOrdering" => (),
            "format" if value == "enum" => (),
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    if nullable {
        allow_null(&mut out);
    }
    Value::Object(out)
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(kind) = schema.get_mut("type").filter(|kind| kind.is_string()) {
        *kind = json!([kind.clone(), "null"]);
    }
    if let Some(list) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        list.push(Value::Null);
    }
    if let Some(any) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        any.push(json!({"type": "null"}));
    }
}

#[cfg(test)]
mod tests;
