//! What pages of rules share: every version that was written, and JSON as people type it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::amount;
use super::form::Form;
use crate::format::Shown;

/// A version, as the API lists it; its rule stands under a name of its own.
#[derive(Deserialize)]
struct Row {
    version: u64,
    created_at: String,
    #[serde(default, alias = "creator_id")]
    created_by: String,
    #[serde(default)]
    deleted: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A version for people.
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) at: Shown,
    pub(crate) by: String,
    /// It took the rule away.
    pub(crate) is_deleted: bool,
    /// What it says, as JSON.
    pub(crate) text: String,
}

/// Versions of an answer, whose rules stand under one of these names, or several together.
pub(crate) fn of(rows: &[Value], names: &[&str]) -> Vec<Version> {
    let read = |row: &Value| Row::deserialize(row).ok();
    rows.iter()
        .filter_map(read)
        .map(|row| Version {
            number: row.version,
            at: amount::instant(&row.created_at),
            by: row.created_by,
            is_deleted: row.deleted,
            text: match names {
                [one] => row.rest.get(*one).filter(|rule| !rule.is_null()).map(pretty).unwrap_or_default(),
                many => {
                    let kept = row.rest.iter().filter(|(name, _)| many.contains(&name.as_str()));
                    pretty(&Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
                }
            },
        })
        .collect()
}

/// JSON to be read and edited.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What was typed as JSON.
///
/// # Errors
///
/// A sentence that says where it is none.
pub(crate) fn typed(form: &Form, name: &str, what: &str) -> Result<Value, String> {
    let text = form.text(name).unwrap_or("{}");
    serde_json::from_str(text).map_err(|error| format!("{what} is no JSON: {error}. Nothing was changed."))
}

/// The version that whoever typed had seen; none: whatever is there.
pub(crate) fn seen(form: &Form) -> Option<u64> {
    form.text("version").and_then(|text| text.parse().ok())
}

/// What an answer warns of.
pub(crate) fn warnings(answer: &Value) -> Vec<String> {
    let all = answer.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |one: &Value| {
        let said = one.as_str().or_else(|| one.get("message").and_then(Value::as_str));
        said.map(super::signed::sentence)
    };
    all.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_read_with_what_they_say() {
        let rows = [
            json!({"version": 2, "created_at": "2026-07-01T10:00:00Z", "created_by": "ses_1", "deleted": true, "policy": null}),
            json!({"version": 1, "created_at": "2026-07-01T09:00:00Z", "creator_id": "key_1", "deleted": false, "policy": {"a": 1}}),
            json!("no version"),
        ];
        let all = of(&rows, &["policy"]);
        assert_eq!((all.len(), all[0].is_deleted, all[0].text.as_str()), (2, true, ""));
        assert_eq!((all[1].by.as_str(), all[1].text.as_str()), ("key_1", "{\n  \"a\": 1\n}"));
    }

    #[test]
    fn what_is_no_json_is_said() {
        let form = Form::of(&[("text", "{\"a\": 1"), ("version", "3")]);
        assert!(typed(&form, "text", "the policy").unwrap_err().starts_with("the policy is no JSON: EOF"));
        assert_eq!((typed(&form, "none", "x"), seen(&form)), (Ok(json!({})), Some(3)));
        assert_eq!(warnings(&json!({"warnings": ["a b", {"message": "c"}]})), ["A b.", "C."]);
    }
}
