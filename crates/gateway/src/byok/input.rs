//! What callers write about their provider keys, member by member. No message repeats a value: it may be a key in the wrong
//! place.

use serde_json::{Map, Value};
use types::SecretString;

use super::settings::KeySettings;
use crate::error::GatewayError;

/// Most models or keys that a list may name.
const LIST_MAX: usize = 100;
/// Longest name and model, characters.
const NAME_CHARS_MAX: usize = 200;
/// Longest address, characters.
const URL_CHARS_MAX: usize = 500;

/// A body that is a JSON object; each member is taken once.
pub(super) struct Input(Map<String, Value>);

fn invalid(message: String) -> GatewayError {
    GatewayError::InvalidRequest(message)
}

/// The name of a member that nobody knows, unless it looks like something else in the place of a name.
pub(super) fn shown(name: &str) -> String {
    let plain = name.len() <= 30 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { format!("`{name}`") } else { String::from("a member") }
}

impl Input {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Input, GatewayError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Input(members)),
            _ => Err(invalid(String::from("the body must be a JSON object"))),
        }
    }

    /// Of members that were read before.
    pub(super) fn of(members: Map<String, Value>) -> Input {
        Input(members)
    }

    /// A member that is there; `null` counts.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// What is left.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.0
    }

    /// A text of at most so many characters; `Some(None)`: `null`.
    pub(super) fn text(&mut self, name: &str, max: usize) -> Result<Option<Option<String>>, GatewayError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text))
                if (1..=max).contains(&text.chars().count()) && !text.contains(char::is_control) =>
            {
                Ok(Some(Some(text)))
            }
            Some(_) => Err(invalid(format!(
                "`{name}` must be a text of 1 to {max} characters without control characters"
            ))),
        }
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, GatewayError> {
        self.take(name)
            .map(|value| value.as_bool().ok_or_else(|| invalid(format!("`{name}` must be true or false"))))
            .transpose()
    }

    fn list(
        &mut self,
        name: &str,
        fits: fn(&str) -> bool,
        what: &str,
    ) -> Result<Option<Option<Vec<String>>>, GatewayError> {
        let wrong = || invalid(format!("`{name}` must be a list of 1 to {LIST_MAX} {what}, or null for all"));
        let items = match self.take(name) {
            None => return Ok(None),
            Some(Value::Null) => return Ok(Some(None)),
            Some(Value::Array(items)) if (1..=LIST_MAX).contains(&items.len()) => items,
            Some(_) => return Err(wrong()),
        };
        let text = |item: Value| match item {
            Value::String(text) if fits(&text) => Ok(text),
            _ => Err(wrong()),
        };
        Ok(Some(Some(items.into_iter().map(text).collect::<Result<_, _>>()?)))
    }

    /// The key: a text, or the provider's own JSON.
    pub(super) fn key(&mut self) -> Result<Option<SecretString>, GatewayError> {
        match self.take("key") {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(SecretString::from(text))),
            Some(json @ (Value::Object(_) | Value::Array(_))) => {
                Ok(Some(SecretString::from(json.to_string())))
            }
            Some(_) => Err(invalid(String::from("`key` must be a text, or the provider's JSON"))),
        }
    }

    /// Puts what is written over what stands; an error where something else is left.
    pub(super) fn settings(mut self, settings: &mut KeySettings) -> Result<(), GatewayError> {
        if let Some(name) = self.text("name", NAME_CHARS_MAX)? {
            settings.name = name;
        }
        if let Some(url) = self.text("base_url", URL_CHARS_MAX)? {
            settings.base_url = url;
        }
        settings.disabled = self.flag("disabled")?.unwrap_or(settings.disabled);
        settings.is_fallback = self.flag("is_fallback")?.unwrap_or(settings.is_fallback);
        if let Some(order) = self.take("sort_order") {
            let order = order.as_i64().filter(|order| (-1_000_000..=1_000_000).contains(order));
            settings.sort_order = order
                .ok_or_else(|| invalid(String::from("`sort_order` must be a whole number up to 1000000")))?;
        }
        let model = |text: &str| (1..=NAME_CHARS_MAX).contains(&text.chars().count());
        if let Some(models) =
            self.list("allowed_models", model, "model ids, in which `*` at the end stands for anything")?
        {
            settings.allowed_models = models;
        }
        let hash =
            |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if let Some(hashes) = self.list(
            "allowed_api_key_hashes",
            hash,
            "hashes of API keys, 64 hexadecimal digits each, as `hash` of `GET /v1/key`",
        )? {
            settings.allowed_api_key_hashes = hashes;
        }
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(invalid(format!(
                "{} is not known here; a provider key has provider, key, name, disabled, is_fallback, sort_order, allowed_models, allowed_api_key_hashes and base_url",
                shown(name)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(body: &str) -> Result<KeySettings, String> {
        let mut settings = KeySettings { name: Some("old".into()), ..KeySettings::default() };
        Input::read(body.as_bytes())
            .and_then(|input| input.settings(&mut settings))
            .map_err(|e| e.to_string())?;
        Ok(settings)
    }

    #[test]
    fn what_is_written_replaces_what_stands_and_nothing_else() {
        assert_eq!(settings("{}").unwrap().name.as_deref(), Some("old"));
        assert_eq!(settings(r#"{"name":null}"#).unwrap().name, None);
        let all = settings(
            r#"{"name":"n","disabled":true,"is_fallback":true,"sort_order":-3,"allowed_models":["a/*"],"base_url":"https://x"}"#,
        );
        let all = all.unwrap();
        assert!(all.disabled && all.is_fallback && all.sort_order == -3 && all.base_url.is_some());
        assert_eq!(all.allowed_models.as_deref(), Some(&["a/*".to_owned()][..]));
    }

    #[test]
    fn nothing_of_a_wrong_value_is_repeated() {
        let rows = [
            r#"{"name":7}"#,
            r#"{"name":""}"#,
            r#"{"disabled":"sk-secret-value"}"#,
            r#"{"sort_order":"sk-secret-value"}"#,
            r#"{"allowed_models":[]}"#,
            r#"{"allowed_models":"sk-secret-value"}"#,
            r#"{"allowed_api_key_hashes":["sk-secret-value"]}"#,
            r#"{"sk-secret-value":1}"#,
            "[]",
            "sk-secret-value",
        ];
        for body in rows {
            let error = settings(body).unwrap_err();
            assert!(!error.contains("secret-value"), "{body}: {error}");
        }
        let mut wrong = Input::read(br#"{"key":5}"#).unwrap();
        assert!(wrong.key().is_err());
    }
}
