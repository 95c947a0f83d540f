//! What a caller wishes of a virtual model: which models may be chosen, and where the dial stands. OpenRouter's `auto-router` plugin,
//! and the same fields at the top of the body.

use crate::hub::RequestError;
use crate::json::Kind;
use crate::node::Node;

/// Most patterns of a list.
pub const PATTERNS_MAX: usize = 1_024;

/// The wishes. Absent is no wish.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoWishes {
    /// Only models of these ids; `*` stands for anything.
    pub allowed: Vec<String>,
    /// Never these; goes before `allowed`.
    pub excluded: Vec<String>,
    /// The dial, 0 (quality) to 1 (cost).
    pub dial: Option<f64>,
}

/// The fields, at the top of the body or in the plugin.
const FIELDS: [&str; 5] =
    ["allowed_models", "excluded_models", "pin_model", "cost_tier", "cost_quality_tradeoff"];
/// OpenRouter's tiers and where the dial stands for them.
const TIERS: [(&str, f64); 5] = [("low", 0.85), ("medium", 0.6), ("high", 0.4), ("xhigh", 0.2), ("max", 0.0)];

/// Whether a field at the top of the body is one of these.
pub(crate) fn is_field(key: &str) -> bool {
    FIELDS.contains(&key)
}

/// Whether a plugin is the one that has these fields.
pub(crate) fn is_plugin(plugin: Node<'_>) -> bool {
    matches!(plugin.get_string("id").as_deref(), Some("auto-router" | "auto-beta-router"))
}

impl AutoWishes {
    /// Reads one field; others are left alone.
    pub(crate) fn take(&mut self, key: &str, value: Node<'_>) -> Result<(), RequestError> {
        match key {
            "allowed_models" => self.allowed = patterns(key, value)?,
            "excluded_models" => self.excluded = patterns(key, value)?,
            "pin_model" => {
                let model = value.string().ok_or_else(|| wrong(key, "must be a model's id"))?;
                self.allowed = vec![model.to_ascii_lowercase()];
            }
            "cost_tier" => {
                let name = value.string().unwrap_or_default();
                let tier = TIERS.iter().find(|(known, _)| *known == name);
                let (_, dial) = tier.ok_or_else(|| wrong(key, "must be low, medium, high, xhigh or max"))?;
                self.dial = Some(*dial);
            }
            "cost_quality_tradeoff" => {
                let told = serde_json::from_slice::<f64>(value.raw())
                    .ok()
                    .filter(|told| (0.0..=10.0).contains(told));
                let told =
                    told.ok_or_else(|| wrong(key, "must be a number from 0 (quality) to 10 (cost)"))?;
                self.dial = Some(told / 10.0);
            }
            _ => (),
        }
        Ok(())
    }

    /// Reads the plugin.
    pub(crate) fn plugin(&mut self, plugin: Node<'_>) -> Result<(), RequestError> {
        for (key, value) in plugin.members() {
            self.take(&key, value)?;
        }
        Ok(())
    }
}

fn patterns(key: &str, value: Node<'_>) -> Result<Vec<String>, RequestError> {
    let list = value.elements();
    if value.kind() != Kind::Array || list.len() > PATTERNS_MAX {
        return Err(wrong(
            key,
            &format!("must be a list of at most {PATTERNS_MAX} models such as `mistralai/*`"),
        ));
    }
    let pattern = |one: Node<'_>| one.string().map(|text| text.trim().to_ascii_lowercase());
    list.into_iter()
        .map(pattern)
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(key, "must be a list of texts such as `mistralai/*`"))
}

fn wrong(field: &str, problem: &str) -> RequestError {
    RequestError::Field { field: field.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<AutoWishes, RequestError> {
        let mut wishes = AutoWishes::default();
        wishes.plugin(Node::parse(json.as_bytes()).unwrap())?;
        Ok(wishes)
    }

    #[test]
    fn lists_tiers_and_tradeoffs_are_read() {
        let told = read(
            r#"{"id":"auto-router","allowed_models":["Mistralai/*"],"excluded_models":["*nano"],"cost_tier":"high"}"#,
        );
        let told = told.unwrap();
        assert_eq!(
            (told.allowed, told.excluded, told.dial),
            (vec!["mistralai/*".into()], vec!["*nano".into()], Some(0.4))
        );
        assert_eq!(read(r#"{"cost_quality_tradeoff":7,"pin_model":"a/b"}"#).unwrap().dial, Some(0.7));
        for bad in [
            r#"{"cost_tier":"cheap"}"#,
            r#"{"cost_quality_tradeoff":11}"#,
            r#"{"allowed_models":"a"}"#,
            r#"{"excluded_models":[1]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
