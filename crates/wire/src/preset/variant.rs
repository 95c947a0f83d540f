//! Variants of a model's name that stand for a field of the request: it is filled up as with a preset, and its own word goes before.

use super::Preset;
use super::apply::{Applied, Asks, Label, fill};
use crate::hub::{Dialect, RequestError};
use crate::json;
use crate::node::Node;

/// What stands behind the colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// `:thinking`, as if `reasoning: {"enabled": true}` were in the body.
    Thinking,
    /// `:online`, as if the plugin `web` were asked for.
    Online,
}

impl Variant {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Variant::Thinking => "thinking",
            Variant::Online => "online",
        }
    }

    /// Fills a request up, unless it says something of this itself.
    ///
    /// # Errors
    /// The body is no JSON object.
    pub fn apply(self, asks: &Asks<'_>) -> Result<Applied, RequestError> {
        let (key, raw) = match self {
            Variant::Thinking => ("reasoning", "{\"enabled\":true}"),
            Variant::Online => ("web_search_options", "{}"),
        };
        let says = self == Variant::Online && searches(asks)?;
        let config = if says { Vec::new() } else { vec![(key.to_owned(), raw.to_owned())] };
        let label = Label { what: format!("variant `:{}`", self.name()), field: "model", is_variant: true };
        fill(&Preset::new(config, None), label, asks)
    }
}

/// Whether a request says of itself that the web is to be searched, or that it is not.
fn searches(asks: &Asks<'_>) -> Result<bool, RequestError> {
    json::object(asks.body)?;
    let node = Node::parse(asks.body)?;
    let names = |list: &str, word: &str| {
        let elements = node.get(list).map(Node::elements).unwrap_or_default();
        elements.into_iter().any(|one| {
            let told = ["id", "type", "name"].into_iter().filter_map(|key| one.get_string(key));
            let key = |(key, _): &(std::borrow::Cow<'_, str>, Node<'_>)| {
                matches!(&**key, "googleSearch" | "google_search")
            };
            told.into_iter().any(|text| text.starts_with(word)) || one.members().iter().any(key)
        })
    };
    Ok(match asks.dialect {
        Dialect::Chat => node.get("web_search_options").is_some() || names("plugins", "web"),
        _ => names("tools", "web_search"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn filled(variant: Variant, dialect: Dialect, mut body: Value) -> (Value, Vec<String>) {
        let gemini = dialect == Dialect::Gemini;
        if !gemini {
            body["model"] = json!("a/b:x");
        }
        let text = body.to_string();
        let asks = Asks {
            dialect,
            body: text.as_bytes(),
            model: Some("a/b:x"),
            model_id: "a/b",
            max_tokens: body["max_tokens"].as_u64(),
        };
        let applied = variant.apply(&asks).unwrap();
        let mut made: Value = serde_json::from_slice(&applied.body).unwrap();
        assert_eq!((applied.model.as_deref(), &made["model"]), (Some("a/b:x"), &body["model"]));
        made.as_object_mut().unwrap().remove("model");
        (made, applied.warnings.into_iter().map(|warning| warning.message).collect())
    }

    fn chat(more: Value) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "q"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    #[test]
    fn thinking_is_switched_on_where_nothing_is_said_of_it() {
        let on = json!({"enabled": true});
        let rows = [
            (json!({}), json!({"reasoning": on})),
            (json!({"reasoning": null}), json!({"reasoning": on})),
            (
                json!({"reasoning": {"exclude": true}}),
                json!({"reasoning": {"exclude": true, "enabled": true}}),
            ),
            (json!({"reasoning": {"enabled": false}}), json!({"reasoning": {"enabled": false}})),
            (json!({"reasoning_effort": "low"}), json!({"reasoning_effort": "low"})),
        ];
        for (own, expect) in rows {
            assert_eq!(filled(Variant::Thinking, Dialect::Chat, chat(own)), (chat(expect), Vec::new()));
        }
        let messages = chat(json!({"max_tokens": 8000}));
        let (made, _) = filled(Variant::Thinking, Dialect::Messages, messages);
        assert!(["enabled", "adaptive"].contains(&made["thinking"]["type"].as_str().unwrap()), "{made}");
        let (made, said) = filled(Variant::Thinking, Dialect::Messages, chat(json!({"max_tokens": 100})));
        assert!(
            made.get("thinking").is_none() && said[0].starts_with("variant `:thinking`"),
            "{made} {said:?}"
        );
        let own = json!({"input": "q", "reasoning": {"summary": "concise"}});
        let (made, _) = filled(Variant::Thinking, Dialect::Responses, own);
        assert_eq!(made["reasoning"], json!({"summary": "concise", "effort": "medium"}));
        let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "q"}]}]});
        let (made, _) = filled(Variant::Thinking, Dialect::Gemini, gemini);
        assert!(made["generationConfig"]["thinkingConfig"].is_object(), "{made}");
    }

    #[test]
    fn the_web_is_searched_once_and_not_against_the_request() {
        let rows = [
            (json!({}), true),
            (json!({"web_search_options": {"search_context_size": "low"}}), false),
            (json!({"plugins": [{"id": "web"}]}), false),
            (json!({"plugins": [{"id": "web", "enabled": false}]}), false),
            (json!({"plugins": [{"id": "file-parser"}]}), true),
        ];
        for (own, added) in rows {
            let (made, said) = filled(Variant::Online, Dialect::Chat, chat(own.clone()));
            let expect = if added { json!({}) } else { own["web_search_options"].clone() };
            assert_eq!((&made["web_search_options"], said), (&expect, Vec::new()), "{own}");
        }
        let tools = |dialect, body| filled(Variant::Online, dialect, body).0["tools"].to_string();
        let messages = || chat(json!({"max_tokens": 100}));
        assert_eq!(tools(Dialect::Messages, messages()).matches("\"web_search").count(), 2, "type and name");
        let mut own = messages();
        own["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
        assert_eq!(tools(Dialect::Messages, own.clone()), own["tools"].to_string());
        assert!(tools(Dialect::Responses, json!({"input": "q"})).contains("web_search"));
        let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "q"}]}]});
        assert!(tools(Dialect::Gemini, gemini).to_lowercase().contains("search"));
        let (_, said) = filled(Variant::Online, Dialect::Completions, json!({"prompt": "q"}));
        assert!(said[0].contains("no place for it"), "{said:?}");
    }
}
