//! The fields of guardrails: a row for each kind, rows for patterns of one's own, and what is allowed.

use serde_json::{Map, Value, json};

use crate::console::form::Form;

/// Something that is looked for.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) word: &'static str,
    pub(super) is_group: bool,
}

const fn group(name: &'static str, word: &'static str) -> Kind {
    Kind { name, word, is_group: true }
}

const fn kind(name: &'static str, word: &'static str) -> Kind {
    Kind { name, word, is_group: false }
}

/// Groups, each with its kinds behind it; a kind's own entry goes before its group's.
pub(super) const KINDS: [Kind; 15] = [
    group("personal", "Personal data, all of the following"),
    kind("email", "Mail addresses"),
    kind("phone", "Phone numbers"),
    kind("ssn", "Social security numbers"),
    kind("ip_address", "IP addresses"),
    kind("national_id", "National ids"),
    group("financial", "Financial data, both of the following"),
    kind("credit_card", "Card numbers"),
    kind("iban", "IBANs"),
    group("secrets", "Secrets, all of the following"),
    kind("api_key", "API keys"),
    kind("private_key", "Private keys"),
    kind("jwt", "Web tokens"),
    kind("password", "Passwords"),
    group("prompt_injection", "Prompt injection, in requests"),
];
pub(super) const ACTIONS: [(&str, &str); 5] = [
    ("", "Nothing said"),
    ("off", "Not looked for"),
    ("flag", "Counted"),
    ("mask", "Masked"),
    ("block", "Blocked"),
];
pub(super) const DIRECTIONS: [(&str, &str); 3] =
    [("", "Requests and answers"), ("input", "Requests"), ("output", "Answers")];
pub(super) const SCOPES: [(&str, &str); 2] = [("", "All messages"), ("user_only", "What users wrote")];

/// Rows for patterns that are free to be filled.
const FREE_ROWS: usize = 2;
/// The most patterns that guardrails have.
const PATTERNS_MAX: usize = 32;
/// What the fields can say of guardrails.
const KNOWN: [&str; 3] = ["kinds", "patterns", "allow"];
/// What they can say of a pattern.
const OF_PATTERN: [&str; 5] = ["name", "pattern", "action", "direction", "scope"];

fn patterns(of: &Value) -> &[Value] {
    of.get("patterns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether the fields can say all of it.
pub(super) fn fits(of: &Value) -> bool {
    let only = |value: &Value, known: &[&str]| {
        value.as_object().is_some_and(|map| map.keys().all(|name| known.contains(&name.as_str())))
    };
    let is_kind = |name: &String| KINDS.iter().any(|kind| kind.name == name);
    let is_entry = |entry: &Value| entry.is_string() || only(entry, &["action", "direction", "scope"]);
    let kinds = of.get("kinds").and_then(Value::as_object);
    only(of, &KNOWN)
        && kinds.is_none_or(|kinds| kinds.iter().all(|(name, entry)| is_kind(name) && is_entry(entry)))
        && patterns(of).iter().all(|pattern| only(pattern, &OF_PATTERN))
}

/// How many rows there are for patterns.
pub(super) fn rows(of: &Value) -> usize {
    (patterns(of).len() + FREE_ROWS).min(PATTERNS_MAX)
}

/// The fields, filled.
pub(super) fn form(of: &Value) -> Form {
    let mut form = Form::default();
    for kind in &KINDS {
        let Some(entry) = of.get("kinds").and_then(|kinds| kinds.get(kind.name)) else { continue };
        form = match entry {
            Value::String(action) => form.with(kind.name, action),
            entry => fill(form, kind.name, entry),
        };
    }
    for (at, pattern) in patterns(of).iter().enumerate() {
        let text = |name: &str| pattern.get(name).and_then(Value::as_str).unwrap_or_default();
        form = form.with(&format!("name_{at}"), text("name")).with(&format!("pattern_{at}"), text("pattern"));
        form = fill(form, &format!("of_{at}"), pattern);
    }
    let allow = of.get("allow").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let allow: Vec<&str> = allow.iter().filter_map(Value::as_str).collect();
    form.with("allow", allow.join("\n"))
}

fn fill(form: Form, name: &str, entry: &Value) -> Form {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    // Other words for the same.
    let action = if text("action") == "redact" { "mask" } else { text("action") };
    let direction = if text("direction") == "both" { "" } else { text("direction") };
    let scope = if text("scope") == "all_messages" { "" } else { text("scope") };
    form.with(name, action)
        .with(&format!("{name}_direction"), direction)
        .with(&format!("{name}_scope"), scope)
}

/// What stands behind a name: an action, and where, where that is said.
fn entry(form: &Form, name: &str) -> Option<Map<String, Value>> {
    let action = form.text(name)?;
    let mut entry = Map::new();
    entry.insert(String::from("action"), action.into());
    for part in ["direction", "scope"] {
        if let Some(said) = form.text(&format!("{name}_{part}")) {
            entry.insert(part.to_owned(), said.into());
        }
    }
    Some(entry)
}

/// What the fields say.
pub(super) fn body(form: &Form) -> Value {
    let mut kinds = Map::new();
    for kind in &KINDS {
        let Some(mut said) = entry(form, kind.name) else { continue };
        let value = match said.len() {
            1 => said.remove("action").unwrap_or_default(),
            _ => Value::Object(said),
        };
        kinds.insert(kind.name.to_owned(), value);
    }
    let mut body = json!({ "kinds": kinds });
    let pattern = |at: usize| {
        let written = form.text(&format!("pattern_{at}"))?;
        let mut pattern = entry(form, &format!("of_{at}")).unwrap_or_default();
        pattern.insert(String::from("pattern"), written.into());
        if let Some(name) = form.text(&format!("name_{at}")) {
            pattern.insert(String::from("name"), name.into());
        }
        Some(Value::Object(pattern))
    };
    let patterns: Vec<Value> = (0..PATTERNS_MAX).filter_map(pattern).collect();
    let allow = form.lines("allow");
    if let Some(body) = body.as_object_mut() {
        if !patterns.is_empty() {
            body.insert(String::from("patterns"), Value::Array(patterns));
        }
        if !allow.is_empty() {
            body.insert(String::from("allow"), json!(allow));
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_goes_through_the_fields_and_back() {
        let rows = [
            json!({"kinds": {}}),
            json!({"kinds": {"personal": "mask", "prompt_injection": {"action": "block", "scope": "user_only"}}}),
            json!({
                "kinds": {"email": {"action": "flag", "direction": "input"}},
                "patterns": [{"action": "mask", "direction": "input", "pattern": "EMP-\\d{6}", "name": "employee"}],
                "allow": ["@example.com", "a b"],
            }),
        ];
        for row in rows {
            assert!(fits(&row), "{row}");
            assert_eq!(body(&form(&row)), row);
        }
        assert_eq!(self::rows(&json!({"patterns": [{"pattern": "a"}]})), 3);
    }

    #[test]
    fn what_says_more_is_told_apart() {
        for row in [
            json!({"content_filters": []}),
            json!({"direction": "input"}),
            json!({"kinds": {"email": {"action": "mask", "scan_scope": "user_only"}}}),
            json!({"patterns": [{"label": "x", "pattern": "y"}]}),
        ] {
            assert!(!fits(&row), "{row}");
        }
    }
}
