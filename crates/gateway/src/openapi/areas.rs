//! What the tables do not know of routes, one file per area: parameters, bodies, answers, and the schemas that they share.
//!
//! `{{slug}}` and `{{prefix}}` stand for the operator's brand.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::settings::Brand;

/// In the order of their tags.
pub(super) const FILES: [(&str, &str); 22] = [
    ("shared", include_str!("shared.json")),
    ("chat", include_str!("chat.json")),
    ("responses", include_str!("responses.json")),
    ("messages", include_str!("messages.json")),
    ("gemini", include_str!("gemini.json")),
    ("tasks", include_str!("tasks.json")),
    ("models", include_str!("models.json")),
    ("ratings", include_str!("ratings.json")),
    ("insight", include_str!("insight.json")),
    ("usage", include_str!("usage.json")),
    ("keys", include_str!("keys.json")),
    ("budgets", include_str!("budgets.json")),
    ("byok", include_str!("byok.json")),
    ("credits", include_str!("credits.json")),
    ("rules", include_str!("rules.json")),
    ("access", include_str!("access.json")),
    ("guardrails", include_str!("guardrails.json")),
    ("auth", include_str!("auth.json")),
    ("identities", include_str!("identities.json")),
    ("apps", include_str!("apps.json")),
    ("organizations", include_str!("organizations.json")),
    ("server", include_str!("server.json")),
];

/// A file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Area {
    /// Its name and what it is about; what all areas share has none.
    pub(super) tag: Option<Value>,
    /// By method and path, as the table of routes has them.
    pub(super) operations: BTreeMap<String, Told>,
    pub(super) schemas: Map<String, Value>,
    pub(super) parameters: Map<String, Value>,
    /// Of answers of generations; `x-name` is what a header is called.
    pub(super) headers: Map<String, Value>,
}

/// What is told of an operation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Told {
    /// Beyond the summary of the table.
    pub(super) description: Option<String>,
    pub(super) parameters: Vec<Value>,
    /// The schema of a JSON body, and one that works.
    pub(super) body: Option<Value>,
    pub(super) example: Option<Value>,
    pub(super) body_optional: bool,
    /// Other forms of the body, by media type; all of them where there is no JSON.
    pub(super) forms: Map<String, Value>,
    /// By status.
    pub(super) answers: BTreeMap<String, Answer>,
    /// Types of errors beyond those that follow from who may call and what is sent.
    pub(super) errors: Vec<String>,
    /// It decides as a call does, without making one.
    pub(super) decides: bool,
    /// It is public, and tells more to who sends a key.
    pub(super) key_optional: bool,
    /// It is public, and does something else for who is signed in.
    pub(super) session_optional: bool,
}

/// What is told of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) description: String,
    /// Of JSON.
    pub(super) schema: Option<Value>,
    pub(super) headers: Map<String, Value>,
    /// Other forms, by media type.
    pub(super) content: Map<String, Value>,
}

impl Area {
    pub(super) fn tag_name(&self) -> &str {
        self.tag.as_ref().and_then(|tag| tag.get("name")?.as_str()).unwrap_or_default()
    }
}

/// All of them, with the brand put in.
pub(super) fn read(brand: &Brand) -> Vec<Area> {
    let brand = [("{{slug}}", brand.slug.as_str()), ("{{prefix}}", brand.header_prefix())];
    let brand = brand.map(|(mark, text)| (mark, inner(text)));
    FILES.iter().map(|(name, text)| one(name, text, &brand)).collect()
}

fn one(name: &str, text: &str, brand: &[(&str, String)]) -> Area {
    let filled = brand.iter().fold(text.to_owned(), |text, (mark, told)| text.replace(mark, told));
    // Each file is read by a test: this is for who builds without one.
    serde_json::from_str(&filled).unwrap_or_else(|error| {
        tracing::error!(name, %error, "a part of the OpenAPI document can't be read");
        Area::default()
    })
}

/// A text as it stands within quotes.
fn inner(text: &str) -> String {
    let quoted = wire::json::quote(text);
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read() {
        for (name, text) in FILES {
            let read = serde_json::from_str::<Area>(text);
            assert!(read.is_ok(), "{name}: {:?}", read.err());
            let area = read.unwrap();
            assert_eq!(area.tag.is_none(), name == "shared", "{name}");
        }
    }

    #[test]
    fn a_brand_is_put_in_as_text_whatever_it_holds() {
        let brand = Brand::new("Gamma", "gamma", "X-GammaInfra", "sk-gi").unwrap();
        let areas = read(&brand);
        assert!(areas.iter().all(|area| area.tag.is_some() || !area.parameters.is_empty()));
        let shared = areas.first().unwrap();
        assert_eq!(shared.parameters["Preference"]["name"], "x-gammainfra-preference");
        let odd = "A \"b\" \\";
        let one = one("x", r#"{"tag": {"name": "{{slug}}"}}"#, &[("{{slug}}", inner(odd))]);
        assert_eq!(one.tag_name(), odd);
    }
}
