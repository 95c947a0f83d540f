//! A snapshot as the files it would be read from. What [`crate::load_dir`] reads from them is the snapshot again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::export::{endpoint_json, model_json, provider_json};
use crate::snapshot::Snapshot;

/// The files of a catalog: path below its folder, with `/`, and text. What the configuration adds is not in them.
pub fn files(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for source in snapshot.sources.iter().filter(|source| !source.url.is_empty()) {
        files.insert(format!("sources/{}.toml", source.id), plain(serde_json::to_value(source)));
    }
    for author in &snapshot.authors {
        files.insert(format!("authors/{}.toml", author.id), plain(serde_json::to_value(author)));
    }
    for model in snapshot.models.iter().filter(|model| !model.from_config) {
        files.insert(format!("models/{}.toml", model.id), page(model_json(model), &["id", "author"]));
    }
    for provider in snapshot.providers.iter().filter(|provider| !provider.from_config) {
        files.insert(format!("providers/{}/provider.toml", provider.id), provider_page(provider));
    }
    for endpoint in snapshot.endpoints.iter().filter(|endpoint| !endpoint.from_config) {
        let provider = endpoint.provider_in(snapshot).map_or("", |provider| &*provider.id);
        let text = page(endpoint_json(snapshot, endpoint), &["id", "provider", "price_version"]);
        files.insert(format!("providers/{provider}/endpoints/{}.toml", endpoint.name), text);
    }
    files
}

/// The files that differ between two snapshots: their new text, or nothing where they are gone.
pub fn changed_files(old: &Snapshot, new: &Snapshot) -> BTreeMap<String, Option<String>> {
    let (before, mut after) = (files(old), files(new));
    let gone = before.keys().filter(|file| !after.contains_key(*file)).map(|file| (file.clone(), None));
    let mut changed: BTreeMap<String, Option<String>> = gone.collect();
    after.retain(|file, text| before.get(file) != Some(text));
    changed.extend(after.into_iter().map(|(file, text)| (file, Some(text))));
    changed
}

fn provider_page(provider: &crate::provider::Provider) -> String {
    let mut value = provider_json(provider);
    if let Some(quirks) = value.get_mut("quirks").and_then(Value::as_object_mut) {
        let plain = serde_json::to_value(crate::provider::Quirks::default()).unwrap_or_default();
        // Said where the file may have left it out: its default hangs on a fact.
        let goes_on = provider.facts.cancel_stops_billing.as_ref().is_some_and(|claim| !claim.value);
        quirks.retain(|key, value| plain.get(key) != Some(value) || (goes_on && key == "on_disconnect"));
    }
    page(value, &["id"])
}

/// A file without claims: a source, an author.
fn plain(value: serde_json::Result<Value>) -> String {
    let mut out = String::new();
    for (key, value) in value.as_ref().ok().and_then(Value::as_object).into_iter().flatten() {
        if key != "id" && !value.is_null() {
            let _ = writeln!(out, "{key} = {}", inline(value));
        }
    }
    out
}

/// A file with claims. Plain keys first, then its tables.
fn page(value: Value, left_out: &[&str]) -> String {
    let Value::Object(map) = value else { return String::new() };
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let defaults = (text("source"), text("as_of"));
    let mut out = String::new();
    for (key, value) in &map {
        let is_table =
            matches!(key.as_str(), "facts" | "benchmarks" | "price" | "price_overrides" | "quirks");
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        let is_default = key == "status" && value == "live";
        if !is_table && !is_empty && !is_default && !value.is_null() && !left_out.contains(&key.as_str()) {
            let _ = writeln!(out, "{key} = {}", inline(value));
        }
    }
    let claims = |out: &mut String, value: Option<&Value>| {
        for (key, claim) in value.and_then(Value::as_object).into_iter().flatten() {
            let _ = writeln!(out, "{key} = {}", claim_text(claim, &defaults));
        }
    };
    for table in ["facts", "quirks", "price"] {
        let Some(Value::Object(entries)) =
            map.get(table).filter(|value| value.as_object().is_some_and(|m| !m.is_empty()))
        else {
            continue;
        };
        let _ = writeln!(out, "\n[{table}]");
        if table == "quirks" {
            for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                let _ = writeln!(out, "{key} = {}", inline(value));
            }
        } else {
            claims(&mut out, map.get(table));
        }
    }
    for change in map.get("price_overrides").and_then(Value::as_array).into_iter().flatten() {
        out.push_str("\n[[price.overrides]]\n");
        for (key, value) in change.as_object().into_iter().flatten().filter(|(key, _)| *key != "price") {
            let _ = writeln!(out, "{key} = {}", inline(value));
        }
        claims(&mut out, change.get("price"));
    }
    for row in map.get("benchmarks").and_then(Value::as_array).into_iter().flatten() {
        out.push_str("\n[[benchmarks]]\n");
        for (key, value) in row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            let _ = writeln!(out, "{key} = {}", inline(value));
        }
    }
    out
}

/// A bare value where the file's source and date are those of the claim.
fn claim_text(claim: &Value, (source, as_of): &(String, String)) -> String {
    let is = |key: &str, text: &str| claim.get(key).and_then(Value::as_str) == Some(text);
    let bare = is("source", source) && is("as_of", as_of) && claim.get("rule").is_none();
    match claim.get("value") {
        Some(value) if bare && claim.get("dissent").is_none() => inline(value),
        _ => inline(claim),
    }
}

/// JSON text is TOML text for strings, numbers, truth and lists of them; tables are written inline.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(map) => table(map),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn table(map: &Map<String, Value>) -> String {
    let pairs = map.iter().filter(|(_, value)| !value.is_null());
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{} = {}", name(key), inline(value))).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

fn name(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{edited, load, snapshot};

    #[test]
    fn files_are_read_back_as_the_snapshot() {
        let before = snapshot();
        let written = files(&before);
        let after = load(written.iter().map(|(file, text)| (file.as_str(), text.clone()))).unwrap();
        assert_eq!(after.models, before.models);
        assert_eq!(after.providers, before.providers);
        assert_eq!(after.endpoints, before.endpoints);
        assert_eq!(after.version, before.version);
    }

    #[test]
    fn only_what_changed_is_written() {
        let old = snapshot();
        let file = "providers/mistral/endpoints/small-4.toml";
        let new = edited(file, "\"0.60\"", "\"0.70\"").unwrap();
        let changed = changed_files(&old, &new);
        assert_eq!(changed.keys().collect::<Vec<_>>(), [file]);
        assert!(changed[file].as_deref().unwrap().contains("output_usd_per_mtok = \"0.7\""));
        let fewer = load(
            files(&old).into_iter().filter(|(f, _)| !f.ends_with("/old.toml")).map(|(f, t)| (leak(f), t)),
        );
        let gone = changed_files(&old, &fewer.unwrap());
        assert_eq!(gone.values().filter(|text| text.is_none()).count(), 2);
    }

    fn leak(text: String) -> &'static str {
        Box::leak(text.into_boxed_str())
    }
}
