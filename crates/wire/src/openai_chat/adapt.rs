//! How a provider of the OpenAI dialect wants a request: its quirks, applied to the caller's bytes in one copy.
//!
//! Only what the quirks name and our own extensions change; unknown fields travel on. Whatever is dropped or renamed is
//! reported as a warning. A change inside the messages (roles, tool-call ids) is made on a tree, and only where a
//! message really needs it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ChatRequest;
use crate::Warning;
use crate::json;
use crate::splice::Splice;

/// How a provider reports usage in streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamUsage {
    /// When asked by `stream_options.include_usage`.
    #[default]
    OnRequest,
    /// Always; it doesn't know `stream_options`.
    Always,
    /// Never; it doesn't know `stream_options`.
    Never,
}

/// The quirks of a provider, prepared once.
#[derive(Clone, Debug, Default)]
pub struct Adapt {
    /// The only name that it takes for the output cap: `max_tokens` or `max_completion_tokens`.
    pub max_tokens_name: Option<&'static str>,
    /// Parameters that it refuses: dropped, with a warning.
    pub unsupported: Vec<String>,
    /// How it reports usage in streams.
    pub stream_usage: StreamUsage,
    /// Parameters with another name.
    pub rename: BTreeMap<String, String>,
    /// Message roles with another name.
    pub rename_roles: BTreeMap<String, String>,
    /// Tool-call ids must be nine alphanumerics.
    pub short_tool_call_ids: bool,
}

/// A request as it goes out.
#[derive(Debug)]
pub struct Adapted {
    /// The body.
    pub body: Vec<u8>,
    /// What was dropped or renamed.
    pub warnings: Vec<Warning>,
}

/// Our and OpenRouter's extensions: served here, never sent on.
const OURS: [&str; 11] = [
    "models",
    "provider",
    "route",
    "session_id",
    "trace",
    "usage",
    "sandbox",
    "include_reasoning",
    "debug",
    "auto_cache",
    "requesty",
];
/// Extensions that later steps serve: dropped with a warning.
const NOT_SERVED_YET: [&str; 6] =
    ["plugins", "transforms", "preset", "image_config", "stop_server_tools_when", "max_tool_calls"];

impl Adapt {
    /// Writes the request for this provider with `model` as the model's name there.
    pub fn apply(&self, request: &ChatRequest<'_>, model: &str) -> Adapted {
        let mut splice = Splice::new();
        let mut warnings = Vec::new();
        let mut has_model = false;
        let mut has_cap = false;
        for member in &request.members {
            let key = json::slice(request.body, &member.key);
            let Ok(key) = std::str::from_utf8(key) else { continue };
            match key {
                "model" => {
                    has_model = true;
                    splice.replace(member.value.clone(), json::quote(model));
                }
                "stream_options" => self.stream_options(request, member, &mut splice),
                "messages" => self.messages(request, member, &mut splice),
                "max_tokens" | "max_completion_tokens" => {
                    if std::mem::replace(&mut has_cap, true) && self.max_tokens_name.is_some() {
                        splice.remove(member);
                    } else {
                        self.cap(key, member, &mut splice, &mut warnings);
                    }
                }
                "reasoning" => reasoning(request, member, &mut splice, &mut warnings),
                key if OURS.contains(&key) => splice.remove(member),
                key if NOT_SERVED_YET.contains(&key) => {
                    splice.remove(member);
                    let message = format!("`{key}` is not served yet and was left out");
                    warnings.push(Warning::about("not_served_yet", key, message));
                }
                key => self.parameter(request, key, member, &mut splice, &mut warnings),
            }
        }
        if !has_model {
            splice.append("model", json::quote(model).as_bytes());
        }
        let asks = request.member("stream_options").is_some();
        if request.asked.stream && self.stream_usage == StreamUsage::OnRequest && !asks {
            splice.append("stream_options", br#"{"include_usage":true}"#);
        }
        let mut body = Vec::with_capacity(request.body.len() + 128);
        splice.apply(request.body, request.span.clone(), &request.members, &mut body);
        Adapted { body, warnings }
    }

    fn stream_options(&self, request: &ChatRequest<'_>, member: &json::Member, splice: &mut Splice) {
        if self.stream_usage != StreamUsage::OnRequest || !request.asked.stream {
            return splice.remove(member);
        }
        if request.asked.include_usage {
            return;
        }
        let options = json::members(request.body, &member.value);
        let mut inner = Splice::new();
        if let Some(old) = json::find(request.body, &options, "include_usage") {
            inner.remove(old);
        }
        inner.append("include_usage", b"true");
        let mut value = Vec::new();
        if json::slice(request.body, &member.value).starts_with(b"{") {
            inner.apply(request.body, member.value.clone(), &options, &mut value);
        } else {
            value.extend_from_slice(br#"{"include_usage":true}"#);
        }
        splice.replace(member.value.clone(), value);
    }

    fn cap(&self, key: &str, member: &json::Member, splice: &mut Splice, warnings: &mut Vec<Warning>) {
        let Some(wanted) = self.max_tokens_name.filter(|name| *name != key) else { return };
        splice.replace(member.key.clone(), wanted);
        warnings.push(renamed(key, wanted));
    }

    fn parameter(
        &self,
        request: &ChatRequest<'_>,
        key: &str,
        member: &json::Member,
        splice: &mut Splice,
        warnings: &mut Vec<Warning>,
    ) {
        if self.unsupported.iter().any(|name| name == key) {
            splice.remove(member);
            if json::slice(request.body, &member.value) != b"null" {
                let message = format!("`{key}` is not supported by the provider and was left out");
                warnings.push(Warning::about("parameter_dropped", key, message));
            }
        } else if let Some(name) = self.rename.get(key) {
            splice.replace(member.key.clone(), name.as_bytes());
            warnings.push(renamed(key, name));
        }
    }

    /// Roles and tool-call ids: looked for in the bytes first, changed on a tree only when found.
    fn messages(&self, request: &ChatRequest<'_>, member: &json::Member, splice: &mut Splice) {
        let text = json::slice(request.body, &member.value);
        let has = |needle: &str| memchr::memmem::find(text, needle.as_bytes()).is_some();
        let roles = self.rename_roles.keys().any(|role| has(&json::quote(role)));
        let ids = self.short_tool_call_ids && has("\"tool_call");
        if !roles && !ids {
            return;
        }
        let Ok(mut messages) = serde_json::from_slice::<Vec<Value>>(text) else { return };
        for message in messages.iter_mut().filter_map(Value::as_object_mut) {
            if let Some(Value::String(role)) = message.get_mut("role")
                && let Some(new) = self.rename_roles.get(role)
            {
                role.clone_from(new);
            }
            if !ids {
                continue;
            }
            if let Some(Value::String(id)) = message.get_mut("tool_call_id") {
                *id = nine_alphanumerics(id);
            }
            let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
            for id in calls.filter_map(|call| call.get_mut("id")) {
                if let Value::String(text) = id {
                    *text = nine_alphanumerics(text);
                }
            }
        }
        if let Ok(changed) = serde_json::to_vec(&messages) {
            splice.replace(member.value.clone(), changed);
        }
    }
}

/// `reasoning: {effort}` is OpenRouter's spelling of `reasoning_effort`.
fn reasoning(
    request: &ChatRequest<'_>,
    member: &json::Member,
    splice: &mut Splice,
    warnings: &mut Vec<Warning>,
) {
    let inner = json::members(request.body, &member.value);
    let effort = json::find(request.body, &inner, "effort");
    match effort.filter(|_| request.member("reasoning_effort").is_none()) {
        Some(effort) => {
            splice.replace(member.key.clone(), "reasoning_effort");
            splice.replace(member.value.clone(), json::slice(request.body, &effort.value));
        }
        None => splice.remove(member),
    }
    if inner.len() > usize::from(effort.is_some()) {
        let message =
            "`reasoning` was reduced to its `effort`; its other settings are not served yet".to_owned();
        warnings.push(Warning::about("not_served_yet", "reasoning", message));
    }
}

fn renamed(from: &str, to: &str) -> Warning {
    let message = format!("`{from}` was sent to the provider as `{to}`");
    Warning::about("parameter_renamed", from, message)
}

/// Mistral takes tool-call ids of nine alphanumerics only. The same id always becomes the same nine, so that a call and its
/// result still belong together; ids that fit stay as they are.
fn nine_alphanumerics(id: &str) -> String {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // FNV-1a: stable across builds, which std's hasher does not promise to be.
    let mut hash =
        id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (0..9)
        .filter_map(|_| {
            let digit = DIGITS.get((hash % 62) as usize).copied();
            hash /= 62;
            digit.map(char::from)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(adapt: &Adapt, body: &str) -> (String, Vec<String>) {
        let request = ChatRequest::scan(body.as_bytes()).unwrap();
        let adapted = adapt.apply(&request, "their-name");
        let body = String::from_utf8(adapted.body).unwrap();
        serde_json::from_str::<Value>(&body).unwrap();
        (body, adapted.warnings.into_iter().map(|w| w.message).collect())
    }

    #[test]
    fn a_plain_request_changes_only_its_model() {
        let body = r#"{ "messages":[{"role":"user","content":"h\u00e9"}], "model":"a/b", "x_custom": {"a": 1.0e3} }"#;
        let (out, warnings) = apply(&Adapt::default(), body);
        assert_eq!(out, body.trim().replace("a/b", "their-name"));
        assert!(warnings.is_empty());
    }

    #[test]
    fn usage_is_asked_for_in_streams() {
        let rows = [
            (
                r#"{"stream":true,"messages":[{}]}"#,
                r#"{"stream":true,"messages":[{}],"model":"their-name","stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{"include_usage":false,"x":1},"messages":[{}],"model":"m"}"#,
                r#"{"stream":true,"stream_options":{"x":1,"include_usage":true},"messages":[{}],"model":"their-name"}"#,
            ),
            (
                r#"{"stream":true,"stream_options":null,"messages":[{}],"model":"m"}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true},"messages":[{}],"model":"their-name"}"#,
            ),
            (
                r#"{"stream_options":{"include_usage":true},"messages":[{}],"model":"m"}"#,
                r#"{"messages":[{}],"model":"their-name"}"#,
            ),
        ];
        for (body, expect) in rows {
            assert_eq!(apply(&Adapt::default(), body).0, expect);
        }
        let always = Adapt { stream_usage: StreamUsage::Always, ..Adapt::default() };
        assert_eq!(apply(&always, rows[0].0).0, r#"{"stream":true,"messages":[{}],"model":"their-name"}"#);
    }

    #[test]
    fn quirks_drop_and_rename_and_say_so() {
        let adapt = Adapt {
            max_tokens_name: Some("max_tokens"),
            unsupported: vec!["logit_bias".into(), "user".into()],
            rename: [("seed".to_owned(), "random_seed".to_owned())].into(),
            rename_roles: [("developer".to_owned(), "system".to_owned())].into(),
            short_tool_call_ids: true,
            stream_usage: StreamUsage::Always,
        };
        let body = r#"{"model":"m","max_completion_tokens":5,"logit_bias":{"1":2},"user":null,"seed":7,"provider":{"only":["x"]},"plugins":[],"reasoning":{"effort":"low","exclude":true},
            "messages":[{"role":"developer","content":"be"},{"role":"assistant","tool_calls":[{"id":"call_1"}]},{"role":"tool","tool_call_id":"call_1"},{"role":"tool","tool_call_id":"abcDEF123"}]}"#;
        let (out, warnings) = apply(&adapt, body);
        let tree: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(tree["max_tokens"], 5);
        assert_eq!(tree["random_seed"], 7);
        assert_eq!(tree["reasoning_effort"], "low");
        assert_eq!(tree["messages"][0]["role"], "system");
        assert_eq!(tree["messages"][1]["tool_calls"][0]["id"], tree["messages"][2]["tool_call_id"]);
        assert_eq!(tree["messages"][2]["tool_call_id"].as_str().unwrap().len(), 9);
        assert_eq!(tree["messages"][3]["tool_call_id"], "abcDEF123");
        for gone in
            ["logit_bias", "user", "provider", "plugins", "reasoning", "seed", "max_completion_tokens"]
        {
            assert!(tree.get(gone).is_none(), "{gone}");
        }
        assert_eq!(warnings.len(), 5, "{warnings:?}");
    }
}
