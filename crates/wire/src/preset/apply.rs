//! A request filled up with what its preset brings. Its own bytes stay what they were.

use std::borrow::Cow;

use super::Preset;
use super::translate::{Translated, is_for_us, translate};
use crate::Warning;
use crate::gemini::camel;
use crate::hub::{Dialect, RequestError};
use crate::json::{self, Kind, Member};
use crate::node::Node;
use crate::splice::Splice;
use crate::writer::Writer;

/// Two names of one parameter of Chat: a request that has one has both.
const SAME: [[&str; 2]; 4] = [
    ["max_tokens", "max_completion_tokens"],
    ["reasoning", "reasoning_effort"],
    ["tools", "functions"],
    ["tool_choice", "function_call"],
];
/// Objects of other dialects that only hold parameters.
const HOLDERS: [&str; 3] = ["generationConfig", "output_config", "text"];
/// Gemini's name for functions.
const DECLARATIONS: &str = "functionDeclarations";
/// What a text completion has no place for.
const NOT_IN_COMPLETIONS: [&str; 16] = [
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "reasoning",
    "reasoning_effort",
    "include_reasoning",
    "logprobs",
    "top_logprobs",
    "web_search_options",
    "modalities",
    "audio",
    "prediction",
    "verbosity",
];

/// A request that names a preset.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// Its dialect.
    pub dialect: Dialect,
    /// Its body, a JSON object that was scanned.
    pub body: &'a [u8],
    /// The model that it names beside the preset.
    pub model: Option<&'a str>,
    /// The id of the model that it will go to, as far as it tells what the model takes.
    pub model_id: &'a str,
    /// Its own cap on output tokens.
    pub max_tokens: Option<u64>,
}

/// A request that was filled up.
#[derive(Debug)]
pub struct Applied {
    /// The body. It names no preset.
    pub body: Vec<u8>,
    /// The model, for dialects whose path names it; `None`: neither request nor preset names one.
    pub model: Option<String>,
    /// What of the preset has no place in the request's dialect.
    pub warnings: Vec<Warning>,
}

/// Fills a request up with the preset `slug`.
///
/// # Errors
/// The body is no JSON object.
pub fn apply(preset: &Preset, slug: &str, asks: &Asks<'_>) -> Result<Applied, RequestError> {
    fill(preset, Label { what: format!("preset `{slug}`"), field: "preset", is_variant: false }, asks)
}

/// What fills a request up, for warnings.
pub(super) struct Label {
    /// A preset or a variant, with its name.
    pub(super) what: String,
    /// The field of the request that asks for it.
    pub(super) field: &'static str,
    /// It looks into the request's `reasoning`, where a preset takes that as it is.
    pub(super) is_variant: bool,
}

/// Fills a request up.
pub(super) fn fill(preset: &Preset, label: Label, asks: &Asks<'_>) -> Result<Applied, RequestError> {
    let mut filling = Filling::new(asks, label)?;
    let model = asks.model.map(str::to_owned).or_else(|| preset.model());
    filling.model(model.as_deref());
    filling.system(preset.system_prompt.as_deref());
    for (key, raw) in preset.parameters().filter(|(key, _)| *key != "model") {
        match asks.dialect {
            Dialect::Chat => filling.chat(key, raw),
            Dialect::Completions => filling.completions(key, raw),
            _ if is_for_us(key) => filling.set(key, raw.as_bytes()),
            _ => (),
        }
    }
    if !matches!(asks.dialect, Dialect::Chat | Dialect::Completions) {
        filling.translated(&translate(preset, asks.dialect, asks.model_id, asks.max_tokens), asks.max_tokens);
    }
    Ok(filling.finish(model))
}

/// A body on its way to being filled up.
struct Filling<'a> {
    dialect: Dialect,
    label: Label,
    text: &'a [u8],
    members: Vec<Member>,
    splice: Splice,
    warnings: Vec<Warning>,
}

impl<'a> Filling<'a> {
    fn new(asks: &Asks<'a>, label: Label) -> Result<Filling<'a>, RequestError> {
        let members = json::object(asks.body)?;
        let mut filling = Filling {
            dialect: asks.dialect,
            label,
            text: asks.body,
            members,
            splice: Splice::new(),
            warnings: Vec::new(),
        };
        if let Some(named) = filling.member("preset").cloned() {
            filling.splice.remove(&named);
        }
        Ok(filling)
    }

    fn finish(self, model: Option<String>) -> Applied {
        let start = self.text.iter().position(|b| *b == b'{').unwrap_or(0);
        let end = self.text.iter().rposition(|b| *b == b'}').map_or(self.text.len(), |at| at + 1);
        let mut body = Vec::with_capacity(self.text.len() + 1024);
        self.splice.apply(self.text, start..end, &self.members, &mut body);
        Applied { body, model, warnings: self.warnings }
    }

    /// The member of this name, `null` too; Gemini's names have two spellings.
    fn member(&self, key: &str) -> Option<&Member> {
        let gemini = self.dialect == Dialect::Gemini;
        self.members.iter().find(|member| {
            let known = String::from_utf8_lossy(json::slice(self.text, &member.key));
            known == key || (gemini && camel(&known) == key)
        })
    }

    /// The value that the request itself has.
    fn own(&self, key: &str) -> Option<Node<'a>> {
        let node = Node::at(self.text, &self.member(key)?.value);
        Some(node).filter(|node| !node.is_null())
    }

    /// Gives a field to a request that has none of its own.
    fn set(&mut self, key: &str, raw: &[u8]) {
        match self.member(key).map(|member| member.value.clone()) {
            None => self.splice.append(key, raw),
            Some(null) if json::slice(self.text, &null) == b"null" => self.splice.replace(null, raw),
            Some(_) => (),
        }
    }

    fn lost(&mut self, name: &str, why: &str) {
        let message = format!("{}: `{name}` was left out: {why}", self.label.what);
        self.warnings.push(Warning::about("parameter_dropped", self.label.field, message));
    }

    /// The request's own model goes before the preset's; without either the name of the preset must go all the same.
    fn model(&mut self, model: Option<&str>) {
        let member = self.member("model").cloned();
        match (member, model) {
            (Some(member), Some(model)) => self.splice.replace(member.value, json::quote(model)),
            (Some(member), None) => self.splice.remove(&member),
            (None, Some(model)) if self.dialect != Dialect::Gemini => {
                self.splice.append("model", json::quote(model).as_bytes());
            }
            (None, _) => (),
        }
    }

    fn chat(&mut self, key: &str, raw: &str) {
        if key == "tools" {
            return self.tools("tools", Node::at(raw.as_bytes(), &(0..raw.len())));
        }
        if key == "reasoning" && self.has_no_word_on_reasoning() {
            if let Some(own) = self.own("reasoning") {
                self.insert(own, own.members().is_empty(), b"\"enabled\":true");
            }
            return;
        }
        let same = SAME.iter().find(|names| names.contains(&key));
        if same.is_some_and(|names| names.iter().any(|name| self.own(name).is_some())) {
            return;
        }
        self.set(key, raw.as_bytes());
    }

    /// Whether a request has an object of `reasoning` that says neither whether nor how much.
    fn has_no_word_on_reasoning(&self) -> bool {
        let says = |own: &Node<'_>| {
            ["enabled", "effort", "max_tokens"].into_iter().any(|key| own.get(key).is_some())
        };
        let silent = self.own("reasoning").is_some_and(|own| own.kind() == Kind::Object && !says(&own));
        self.label.is_variant && silent && self.own("reasoning_effort").is_none()
    }

    fn completions(&mut self, key: &str, raw: &str) {
        if NOT_IN_COMPLETIONS.contains(&key) {
            return self.lost(key, "text completions have no place for it");
        }
        self.set(if key == "max_completion_tokens" { "max_tokens" } else { key }, raw.as_bytes());
    }

    fn translated(&mut self, from: &Translated, max_tokens: Option<u64>) {
        for warning in &from.warnings {
            let name = warning.pointer.trim_start_matches('/').to_owned();
            match warning.code {
                "parameter_dropped" => {
                    self.lost(&name, "this dialect has no place for it, or the model none")
                }
                code => {
                    let message = format!("{}: {}", self.label.what, warning.message);
                    self.warnings.push(Warning::about(code, self.label.field, message));
                }
            }
        }
        let Ok(node) = Node::parse(&from.body) else { return };
        let thinks = self.thinks(node, max_tokens);
        for (key, value) in node.members() {
            match &*key {
                "tools" => self.tools("tools", value),
                "thinking" if !thinks => (),
                "reasoning" if self.has_no_word_on_reasoning() => self.hold("reasoning", value, thinks),
                holder if HOLDERS.contains(&holder) => self.hold(holder, value, thinks),
                key => self.set(key, value.raw()),
            }
        }
    }

    /// Whether a request of Messages may be told how to think: it says nothing of it itself, and its cap leaves room.
    fn thinks(&mut self, from: Node<'_>, max_tokens: Option<u64>) -> bool {
        if self.dialect != Dialect::Messages {
            return true;
        }
        if self.own("thinking").is_some() || self.own("output_config").and_then(|c| c.get("effort")).is_some()
        {
            return false;
        }
        let budget =
            from.get("thinking").and_then(|thinking| thinking.get("budget_tokens")).and_then(Node::u64);
        let fits = budget.is_none_or(|budget| max_tokens.is_none_or(|max| budget < max));
        if !fits {
            self.lost("reasoning", "the request's `max_tokens` leaves no room for it");
        }
        fits
    }

    /// Fills up an object that only holds parameters.
    fn hold(&mut self, holder: &str, from: Node<'_>, thinks: bool) {
        let Some(into) = self.own(holder) else {
            let mut w = Writer::default();
            w.begin_object();
            for (key, value) in from.members().into_iter().filter(|(key, _)| thinks || key != "effort") {
                w.field_raw(&key, value.raw());
            }
            return self.set(holder, &w.end_object_and_finish());
        };
        if into.kind() != Kind::Object {
            return;
        }
        let known: Vec<String> = into.members().iter().map(|(key, _)| camel(key).into_owned()).collect();
        let shaped = ["responseMimeType", "responseSchema", "responseJsonSchema"];
        let has_shape = known.iter().any(|key| shaped.contains(&key.as_str()));
        let mut more = Writer::default();
        more.begin_object();
        for (key, value) in from.members() {
            let shape = has_shape && shaped.contains(&&*key);
            if known.iter().any(|own| *own == camel(&key)) || shape || (!thinks && key == "effort") {
                continue;
            }
            more.field_raw(&key, value.raw());
        }
        let more = more.end_object_and_finish();
        let inner = more.get(1..more.len().saturating_sub(1)).unwrap_or_default();
        self.insert(into, known.is_empty(), inner);
    }

    /// Puts members or elements before the end of an object or a list of the request.
    fn insert(&mut self, into: Node<'a>, empty: bool, inner: &[u8]) {
        if inner.is_empty() {
            return;
        }
        let end = into.span().end.saturating_sub(1);
        let mut text = Vec::with_capacity(inner.len() + 1);
        if !empty {
            text.push(b',');
        }
        text.extend_from_slice(inner);
        self.splice.replace(end..end, text);
    }

    /// Joins tools: the request's own first, then those of the preset that it hasn't.
    fn tools(&mut self, key: &str, from: Node<'_>) {
        let Some(into) = self.own(key) else { return self.set(key, from.raw()) };
        if into.kind() != Kind::Array {
            return self.lost(key, "the request's own are no list");
        }
        if self.dialect == Dialect::Gemini {
            return self.functions(into, from);
        }
        let known: Vec<String> = into.elements().into_iter().map(identity).collect();
        let more: Vec<&[u8]> = from
            .elements()
            .into_iter()
            .filter(|tool| !known.contains(&identity(*tool)))
            .map(Node::raw)
            .collect();
        self.insert(into, known.is_empty(), &more.join(&b','));
    }

    /// Gemini's lists of functions stand in tools of their own; Vertex takes one such tool only.
    fn functions(&mut self, into: Node<'a>, from: Node<'_>) {
        let (own, theirs) = (into.elements(), from.elements());
        let lists = || own.iter().filter_map(|tool| gemini_get(*tool, DECLARATIONS));
        let name = |function: &Node<'_>| function.get_string("name").map(Cow::into_owned);
        let known: Vec<_> = lists().flat_map(Node::elements).map(|function| name(&function)).collect();
        let more = theirs.iter().filter_map(|tool| gemini_get(*tool, DECLARATIONS)).flat_map(Node::elements);
        let more: Vec<&[u8]> =
            more.filter(|function| !known.contains(&name(function))).map(Node::raw).collect();
        let kind = |tool: &Node<'_>| tool.members().first().map(|(key, _)| camel(key).into_owned());
        let kinds: Vec<_> = own.iter().map(kind).collect();
        let declares = |tool: &Node<'_>| gemini_get(*tool, DECLARATIONS).is_some();
        let hosted = theirs.iter().filter(|tool| !declares(tool) && !kinds.contains(&kind(tool)));
        let mut tools: Vec<Vec<u8>> = hosted.map(|tool| tool.raw().to_vec()).collect();
        let list = lists().find(|list| list.kind() == Kind::Array);
        match list {
            _ if more.is_empty() => (),
            Some(list) => self.insert(list, list.elements().is_empty(), &more.join(&b',')),
            None => {
                let list = String::from_utf8_lossy(&more.join(&b',')).into_owned();
                tools.push(format!("{{\"{DECLARATIONS}\":[{list}]}}").into_bytes());
            }
        }
        self.insert(into, own.is_empty(), &tools.join(&b','));
    }

    /// Puts the system text where the dialect has it, unless the request brings its own.
    fn system(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        let says = |key: &str| self.own(key).is_some_and(|own| !matches!(own.raw(), b"\"\"" | b"[]" | b"{}"));
        let among = |key: &str| {
            let turns = self.own(key).map(Node::elements).unwrap_or_default();
            turns
                .iter()
                .any(|turn| matches!(turn.get_string("role").as_deref(), Some("system" | "developer")))
        };
        match self.dialect {
            Dialect::Completions => self.lost("system_prompt", "text completions have no place for it"),
            Dialect::Responses if !says("instructions") && !among("input") => {
                self.put("instructions", json::quote(text).as_bytes());
            }
            Dialect::Messages if !says("system") && !among("messages") => {
                self.put("system", json::quote(text).as_bytes());
            }
            Dialect::Gemini if !says("systemInstruction") && !among("contents") => {
                let instruction = format!("{{\"parts\":[{{\"text\":{}}}]}}", json::quote(text));
                self.put("systemInstruction", instruction.as_bytes());
            }
            Dialect::Chat if !among("messages") => {
                if let Some(start) = self.own("messages").map(|messages| messages.span().start + 1) {
                    let turn = format!("{{\"role\":\"system\",\"content\":{}}},", json::quote(text));
                    self.splice.replace(start..start, turn);
                }
            }
            _ => (),
        }
    }

    /// Sets a field whatever empty thing stands there.
    fn put(&mut self, key: &str, raw: &[u8]) {
        match self.member(key).map(|member| member.value.clone()) {
            Some(empty) => self.splice.replace(empty, raw),
            None => self.splice.append(key, raw),
        }
    }
}

/// The member of this name in either of Gemini's spellings.
fn gemini_get<'n>(node: Node<'n>, name: &str) -> Option<Node<'n>> {
    node.members().into_iter().find(|(key, _)| camel(key) == name).map(|(_, value)| value)
}

/// What makes two tools the same: the name, else the type and what it is connected to.
fn identity(tool: Node<'_>) -> String {
    let inner = ["function", "custom"].into_iter().find_map(|key| tool.get(key)?.get_string("name"));
    match inner.or_else(|| tool.get_string("name")) {
        Some(name) => format!("name {name}"),
        None => {
            let text = |key: &str| tool.get_string(key).unwrap_or_default();
            format!("type {} {}", text("type"), text("server_label"))
        }
    }
}
