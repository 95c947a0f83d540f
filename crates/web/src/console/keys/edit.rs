//! The fields of a key's form, and what they say to the API.

use serde_json::{Map, Value, json};

use super::Key;
use crate::console::form::Form;

/// Over what span a limit counts.
pub(super) const RESETS: [(&str, &str); 4] =
    [("", "In all"), ("daily", "A day"), ("weekly", "A week, from Monday"), ("monthly", "A month")];
/// Whether calls are part of public numbers.
pub(super) const PUBLIC: [(&str, &str); 3] =
    [("", "As this server says"), ("yes", "They are"), ("no", "They are not")];

/// Fields that hold whole numbers.
const NUMBERS: [&str; 3] = ["requests_per_minute", "tokens_per_minute", "concurrency"];
/// Fields that hold lists.
const LISTS: [&str; 5] = ["tags", "allowed_models", "allowed_providers", "allowed_ips", "regions"];
/// Boxes that are not ticked where nobody says.
const OFF: [&str; 4] = ["zero_retention", "no_training", "logging", "include_byok_in_limit"];
/// Boxes that are.
const ON: [&str; 2] = ["explore", "hedge"];

/// The form of a key that is there.
pub(super) fn form(key: &Key) -> Form {
    let text = |name: &str| match key.rest.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let list = |name: &str, between: &str| {
        let all = key.rest.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(between)
    };
    let minute = |at: &String| at.get(..16).unwrap_or_default().to_owned();
    let mut form = Form::default()
        .with("name", &key.name)
        .with("limit", key.limit_usd.clone().unwrap_or_default())
        .with("limit_reset", key.limit_reset.clone().unwrap_or_default())
        .with("expires_at", key.expires_at.as_ref().map(minute).unwrap_or_default())
        .with("project", key.project.clone().unwrap_or_default())
        .with("tags", key.tags.join(", "))
        .with("allowed_models", list("allowed_models", "\n"))
        .with("access_lists", list("access_lists", ", "));
    for name in ["allowed_providers", "allowed_ips", "regions"] {
        form = form.with(name, list(name, ", "));
    }
    for name in NUMBERS.into_iter().chain(["default_preset", "default_dial"]) {
        form = form.with(name, text(name));
    }
    let usual = text("freeze_at_times_usual");
    form = form.with("freeze_at_times_usual", if usual == "0" { String::new() } else { usual });
    let is = |name: &str| key.rest.get(name).and_then(Value::as_bool);
    for name in OFF.into_iter().chain(ON) {
        form = form.ticked(name, is(name).unwrap_or_default());
    }
    let public = is("public_stats").map(|is| if is { "yes" } else { "no" });
    let guardrails = key.rest.get("guardrails").filter(|value| !value.is_null());
    let guardrails = guardrails.and_then(|value| serde_json::to_string_pretty(value).ok());
    form.with("public_stats", public.unwrap_or_default()).with("guardrails", guardrails.unwrap_or_default())
}

/// The form of a key that is to be made.
pub(super) fn blank() -> Form {
    ON.into_iter().fold(Form::default(), |form, name| form.ticked(name, true))
}

/// A number where it is one; else the text, which the API refuses with its own words.
fn number(text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| json!(text), Value::Number)
}

/// What the fields say, bounds that were emptied as null.
///
/// # Errors
///
/// Text that is no JSON where guardrails are typed.
pub(super) fn body(form: &Form) -> Result<Map<String, Value>, String> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("name", json!(form.text("name").unwrap_or_default()));
    put("limit", json!(form.text("limit")));
    put("limit_reset", json!(form.text("limit_reset")));
    let at =
        form.text("expires_at").map(|at| if at.len() == 16 { format!("{at}:00Z") } else { at.to_owned() });
    put("expires_at", json!(at));
    put("project", json!(form.text("project")));
    for name in LISTS {
        put(name, json!(form.list(name)));
    }
    for name in NUMBERS {
        put(name, number(form.text(name)));
    }
    put("default_preset", json!(form.text("default_preset")));
    put("default_dial", number(form.text("default_dial")));
    put("freeze_at_times_usual", number(Some(form.text("freeze_at_times_usual").unwrap_or("0"))));
    for name in OFF.into_iter().chain(ON) {
        put(name, json!(form.has(name)));
    }
    let public = match form.text("public_stats") {
        Some("yes") => json!(true),
        Some("no") => json!(false),
        _ => Value::Null,
    };
    put("public_stats", public);
    let guardrails = form.text("guardrails").map(serde_json::from_str::<Value>).transpose();
    let guardrails = guardrails.map_err(|error| format!("the guardrails are no JSON: {error}"))?;
    put("guardrails", guardrails.unwrap_or_default());
    Ok(body)
}

/// What of it a new key says: what differs from a key of which nothing is said.
///
/// # Errors
///
/// As for [`body`].
pub(super) fn new_body(form: &Form) -> Result<Map<String, Value>, String> {
    let (mut body, plain) = (body(form)?, self::body(&blank())?);
    body.retain(|name, value| name == "name" || plain.get(name) != Some(&*value));
    if form.has("unlimited") {
        body.insert(String::from("limit"), Value::Null);
    }
    Ok(body)
}
