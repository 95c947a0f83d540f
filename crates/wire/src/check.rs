//! Whether an answer is what its request asked for, as far as that can be told here and for nothing: is there anything, are the
//! arguments of its calls any good, does the JSON parse and follow its schema.
//!
//! - Heard is what the caller gets: what was done to the request is undone first ([`hear`]).
//! - What can't be judged is not found wanting: an answer that is too long ([`HEARD_BYTES_MAX`]), one that met a limit of tokens
//!   (its JSON is cut), a refusal, keywords of a schema that are not known here ([`shape`]).
//! - Of several answers (`n` above 1) none is judged.

mod heard;
mod shape;

use serde_json::Value;
use types::Task;

use crate::call::Call;
use crate::hub::{Format, ToolKind};

use heard::{Called, Transcript};
pub use heard::{hear, hear_plain, hear_whole};

/// Most bytes of text and arguments that are held; what is longer is not judged.
pub const HEARD_BYTES_MAX: usize = 1024 * 1024;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Neither text nor a call nor a refusal.
    Empty,
    /// The arguments of a call are no JSON object, or lack what the tool requires.
    Arguments,
    /// JSON was asked for, and the text is none.
    NoJson,
    /// The JSON does not follow its schema.
    Schema,
}

impl Flaw {
    /// Its stable name, in records.
    pub const fn name(self) -> &'static str {
        match self {
            Flaw::Empty => "empty",
            Flaw::Arguments => "tool_arguments",
            Flaw::NoJson => "not_json",
            Flaw::Schema => "schema",
        }
    }
}

/// What is said of a whole answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The first thing that is wrong.
    pub flaw: Option<Flaw>,
    /// Whether the JSON that was asked for came; `None`: none was asked for, or it can't be said.
    pub json_good: Option<bool>,
}

/// What an answer is held to.
#[derive(Debug, Default)]
pub struct Checks {
    /// JSON is asked for, and its schema where there is one.
    json: Option<Option<Value>>,
    /// Tools by their name, with the arguments that each requires.
    tools: Vec<(String, Vec<String>)>,
}

impl Checks {
    /// What the answer to a call is held to; `None`: it can't be judged.
    pub fn of(call: &Call<'_>) -> Option<Checks> {
        let asked = call.asked();
        if asked.task != Task::Generate || asked.choices > 1 {
            return None;
        }
        let request = call.request().ok()?;
        let json = match &request.format {
            Some(Format::JsonObject) => Some(None),
            Some(Format::Schema { schema, .. }) => Some(schema.map(crate::node::Node::value)),
            Some(Format::Native(_)) | None => None,
        };
        let functions = request.tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Function));
        let required = |parameters: crate::node::Node<'_>| {
            let names = parameters.get("required").map(crate::node::Node::elements).unwrap_or_default();
            names.into_iter().filter_map(|name| name.string().map(std::borrow::Cow::into_owned)).collect()
        };
        let tools = functions
            .map(|tool| (tool.name.clone().into_owned(), tool.parameters.map(required).unwrap_or_default()));
        Some(Checks { json, tools: tools.collect() })
    }

    fn judge(&self, heard: &Transcript) -> Verdict {
        if heard.is_refusal() {
            return Verdict::default();
        }
        if heard.is_empty() {
            let json_good = self.json.as_ref().map(|_| false).filter(|_| !heard.was_cut());
            return Verdict { flaw: Some(Flaw::Empty), json_good };
        }
        if heard.was_cut() {
            return Verdict::default();
        }
        if !heard.calls().is_empty() {
            let bad = heard.calls().iter().any(|call| !self.is_good(call));
            return Verdict { flaw: bad.then_some(Flaw::Arguments), json_good: None };
        }
        let Some(schema) = &self.json else { return Verdict::default() };
        let flaw = match serde_json::from_str::<Value>(heard.text().trim()) {
            Err(_) => Some(Flaw::NoJson),
            Ok(value) => {
                schema.as_ref().is_some_and(|schema| !shape::follows(&value, schema)).then_some(Flaw::Schema)
            }
        };
        Verdict { flaw, json_good: Some(flaw.is_none()) }
    }

    fn is_good(&self, call: &Called) -> bool {
        let required = self.tools.iter().find(|(name, _)| *name == call.name);
        let required = required.map(|(_, names)| names.as_slice()).unwrap_or_default();
        // Who has nothing to say to a tool may say nothing.
        if call.arguments.trim().is_empty() {
            return required.is_empty();
        }
        let Ok(Value::Object(given)) = serde_json::from_str::<Value>(&call.arguments) else { return false };
        required.iter().all(|name| given.contains_key(name))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::PathSays;
    use crate::hub::{Dialect, Undo};

    const SCHEMA: &str = r#","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}}"#;
    const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","required":["x"],"properties":{"x":{}}}}}]"#;

    fn judged(request: &str, message: &str, finish: &str) -> Option<Verdict> {
        let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"q\"}}]{request}}}");
        let call = Call::scan(Dialect::Chat, body.as_bytes(), &PathSays::default()).unwrap();
        let checks = Arc::new(Checks::of(&call)?);
        let answer = format!(
            "{{\"choices\":[{{\"index\":0,\"message\":{message},\"finish_reason\":\"{finish}\"}}],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":1}}}}"
        );
        let plain = call.plain(Dialect::Chat, true, answer.as_bytes(), Undo::default()).unwrap();
        let whole = hear_plain(&checks, Dialect::Chat, Undo::default(), answer.as_bytes(), plain).verdict();
        // The same as a stream says the same.
        let chunk = answer.replace("\"message\"", "\"delta\"");
        let carry = call.carry(Dialect::Chat, true, crate::hub::Ident::default(), Undo::default());
        let mut carry = hear(&checks, Dialect::Chat, Undo::default(), carry);
        let mut out = Vec::new();
        carry.frame("", chunk.as_bytes(), &mut out).unwrap();
        carry.frame("", b"[DONE]", &mut out).unwrap();
        assert_eq!(carry.verdict(), whole, "{message}");
        whole
    }

    #[test]
    fn what_is_wrong_is_found_and_what_cant_be_judged_is_not() {
        let text = |text: &str| format!("{{\"content\":{}}}", crate::json::quote(text));
        let call = |arguments: &str| {
            format!(
                "{{\"content\":null,\"tool_calls\":[{{\"index\":0,\"id\":\"1\",\"type\":\"function\",\"function\":{{\"name\":\"f\",\"arguments\":{}}}}}]}}",
                crate::json::quote(arguments)
            )
        };
        let json = r#","response_format":{"type":"json_object"}"#;
        let rows = [
            ("", text("hello"), "stop", None, None),
            ("", text(" "), "stop", Some(Flaw::Empty), None),
            ("", text(""), "length", Some(Flaw::Empty), None),
            ("", text(""), "content_filter", None, None),
            ("", String::from(r#"{"content":null,"refusal":"no"}"#), "stop", None, None),
            ("", String::from(r#"{"content":null,"reasoning":"hm"}"#), "stop", Some(Flaw::Empty), None),
            (json, text("{\"a\":1}"), "stop", None, Some(true)),
            (json, text("Sure: {}"), "stop", Some(Flaw::NoJson), Some(false)),
            (json, text("{\"a\":"), "length", None, None),
            (json, text(""), "stop", Some(Flaw::Empty), Some(false)),
            (SCHEMA, text("{\"a\":1}"), "stop", None, Some(true)),
            (SCHEMA, text("{\"b\":1}"), "stop", Some(Flaw::Schema), Some(false)),
            (SCHEMA, text("{\"a\":\"1\"}"), "stop", Some(Flaw::Schema), Some(false)),
            (TOOLS, call("{\"x\":1}"), "tool_calls", None, None),
            (TOOLS, call("{\"y\":1}"), "tool_calls", Some(Flaw::Arguments), None),
            (TOOLS, call("{\"x\":"), "tool_calls", Some(Flaw::Arguments), None),
            (TOOLS, call(""), "tool_calls", Some(Flaw::Arguments), None),
            ("", call(""), "tool_calls", None, None),
        ];
        for (request, message, finish, flaw, json_good) in rows {
            let found = judged(request, &message, finish).unwrap();
            assert_eq!((found.flaw, found.json_good), (flaw, json_good), "{message} {finish}");
        }
        assert_eq!(judged(",\"n\":2", &text(""), "stop"), None);
        let long = text(&"x".repeat(HEARD_BYTES_MAX + 1));
        assert_eq!(judged(json, &long, "stop"), None, "too long to be judged");
    }
}
