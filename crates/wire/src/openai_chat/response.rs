//! A provider's plain answer made ours: `id`, `model`, `provider` and the cost spliced into its bytes.

use std::fmt::Write;
use std::ops::Range;

use types::UsageSource;

use crate::hub::{AnswerError, Calls, Ident, Plain, Seen, Settlement};
use crate::json::{self, Kind, Member};
use crate::node::Node;
use crate::provider_error;
use crate::splice::Splice;
use crate::tally::Tally;
use crate::{usage, warnings_json};

/// A scanned plain answer.
#[derive(Debug)]
pub struct Answer {
    /// Where the object stands in the body.
    pub span: Range<usize>,
    members: Vec<Member>,
    /// What it says; `said` only where the provider reports no usage.
    pub seen: Seen,
}

impl Plain for Answer {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        render(body, self, ident, settlement)
    }
}

/// Scans a provider's 200 body.
pub fn scan(body: &[u8]) -> Result<Answer, AnswerError> {
    let members = json::object(body)?;
    if provider_error::carries_error(body, &members) {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let choices = json::find(body, &members, "choices").map(|m| m.value.clone()).ok_or(AnswerError::Empty)?;
    let choice = json::members_of_first(body, &choices).ok_or(AnswerError::Empty)?;
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let text = |members: &[Member], key| {
        json::find(body, members, key)
            .and_then(|m| json::string(body, &m.value))
            .map(|text| text.into_owned())
    };
    let usage = json::find(body, &members, "usage").and_then(|m| usage::read(json::slice(body, &m.value)));
    let mut said = Tally::default();
    // Only an estimate needs it, and it costs a pass over the answer.
    if let Some(message) = json::find(body, &choice, "message").filter(|_| usage.is_none()) {
        json::members(body, &message.value).iter().for_each(|member| tally(&mut said, body, member));
    }
    let mut calls = Calls::default();
    // Most answers call nothing, which is told without a pass over the message.
    let calls_tools = |m: &&Member| memchr::memmem::find(json::slice(body, &m.value), TOOL_CALLS).is_some();
    if let Some(message) = json::find(body, &choice, "message").filter(calls_tools) {
        json::members(body, &message.value).iter().for_each(|member| judge(&mut calls, body, member));
    }
    let seen = Seen {
        calls,
        finish_reason: text(&choice, "finish_reason"),
        upstream_id: text(&members, "id"),
        said,
        usage,
        chunks: 1,
        done: true,
        ..Seen::default()
    };
    Ok(Answer { span: start..end, members, seen })
}

const TOOL_CALLS: &[u8] = b"tool_calls";

/// Takes in the arguments of functions that a message or delta calls.
pub(super) fn judge(calls: &mut Calls, text: &[u8], member: &Member) {
    if json::slice(text, &member.key) != TOOL_CALLS {
        return;
    }
    for (at, call) in Node::at(text, &member.value).elements().into_iter().enumerate() {
        let index = call.get("index").and_then(Node::u64).unwrap_or(at as u64);
        if let Some(arguments) = call.get("function").and_then(|function| function.get_string("arguments")) {
            calls.piece(index, &arguments);
        }
    }
}

/// Takes in what the model says in one member of a message or delta: text, reasoning, tool calls.
pub(super) fn tally(said: &mut Tally, text: &[u8], member: &Member) {
    let value = json::slice(text, &member.value);
    match json::slice(text, &member.key) {
        b"content" | b"reasoning" | b"reasoning_content" | b"refusal" | b"text" | b"tool_calls"
        | b"function_call" => said.json(value),
        b"images" | b"audio" if value.len() > 4 => said.media(),
        _ => (),
    }
}

/// Writes our answer.
pub fn render(body: &[u8], answer: &Answer, ident: &Ident, settlement: &Settlement) -> Vec<u8> {
    let mut splice = Splice::new();
    name(&mut splice, body, &answer.members, ident);
    tell(&mut splice, body, &answer.members, settlement);
    let mut out = Vec::with_capacity(body.len() + 400);
    splice.apply(body, answer.span.clone(), &answer.members, &mut out);
    out
}

/// Splices `id`, `model` and `provider`.
pub(crate) fn name(splice: &mut Splice, text: &[u8], members: &[Member], ident: &Ident) {
    let id = json::quote(&ident.id);
    for (key, value) in [("id", &id), ("model", &ident.model), ("provider", &ident.provider)] {
        set(splice, text, members, key, value.as_bytes());
    }
}

/// Puts a value in the place of a member's, or adds the member. One that comes twice is made one: readers differ in which
/// of the two they take.
fn set(splice: &mut Splice, text: &[u8], members: &[Member], key: &str, value: &[u8]) {
    let mut same = members.iter().filter(|m| json::slice(text, &m.key) == key.as_bytes());
    match same.next() {
        Some(first) => splice.replace(first.value.clone(), value),
        None => splice.append(key, value),
    }
    same.for_each(|again| splice.remove(again));
}

/// Splices `usage` with its cost, `warnings` and metadata.
pub(crate) fn tell(splice: &mut Splice, text: &[u8], members: &[Member], settlement: &Settlement) {
    let usage = json::find(text, members, "usage");
    let object = usage.filter(|m| Kind::of(json::slice(text, &m.value)) == Kind::Object);
    let value = match object.filter(|_| settlement.source == UsageSource::Provider) {
        Some(member) => with_cost(json::slice(text, &member.value), settlement),
        None => with_cost(own_usage(settlement).as_bytes(), settlement),
    };
    set(splice, text, members, "usage", &value);
    if !settlement.warnings.is_empty() {
        splice.append("warnings", warnings_json(&settlement.warnings).as_bytes());
    }
    if let Some((key, metadata)) = &settlement.metadata {
        splice.append(key, metadata.as_bytes());
    }
}

/// The provider's usage object with our cost in it; its own idea of a cost gives way.
fn with_cost(usage: &[u8], settlement: &Settlement) -> Vec<u8> {
    let span = 0..usage.len();
    let members = json::members(usage, &span);
    let mut splice = Splice::new();
    for key in ["cost", "cost_details", "is_byok"] {
        if let Some(member) = json::find(usage, &members, key) {
            splice.remove(member);
        }
    }
    splice.append("cost", settlement.cost.to_string().as_bytes());
    let own = settlement.own_key_cost.is_some();
    splice.append("is_byok", own.to_string().as_bytes());
    let details = format!(
        "{{\"upstream_inference_cost\":{},\"upstream_inference_prompt_cost\":{},\"upstream_inference_completions_cost\":{}}}",
        settlement.upstream_cost(),
        settlement.input_cost,
        settlement.output_cost
    );
    splice.append("cost_details", details.as_bytes());
    let mut out = Vec::with_capacity(usage.len() + 200);
    splice.apply(usage, span, &members, &mut out);
    out
}

/// A usage object with cost, written from our own buckets.
pub(crate) fn own_usage_with_cost(settlement: &Settlement) -> Vec<u8> {
    with_cost(own_usage(settlement).as_bytes(), settlement)
}

/// A usage object where the provider sent none.
fn own_usage(settlement: &Settlement) -> String {
    let usage = &settlement.usage;
    let (input, output) = (usage.input_total(), usage.output_total());
    let mut text = format!(
        "{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{}",
        input.saturating_add(output)
    );
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let _ = write!(
        text,
        ",\"prompt_tokens_details\":{{\"cached_tokens\":{},\"cache_write_tokens\":{written},\"audio_tokens\":{}}}",
        usage.cache_read, usage.audio_input
    );
    let _ = write!(
        text,
        ",\"completion_tokens_details\":{{\"reasoning_tokens\":{},\"audio_tokens\":{},\"image_tokens\":{}}}",
        usage.reasoning, usage.audio_output, usage.image_output
    );
    if usage.searches > 0 {
        let _ = write!(text, ",\"server_tool_use\":{{\"web_search_requests\":{}}}", usage.searches);
    }
    for (key, units) in
        [("images", usage.images), ("seconds", usage.audio_seconds), ("characters", usage.characters)]
    {
        if units > 0 {
            let _ = write!(text, ",\"{key}\":{units}");
        }
    }
    if settlement.source == UsageSource::Estimated {
        let _ = write!(text, ",\"estimated\":true");
    }
    text.push('}');
    text
}

#[cfg(test)]
pub(super) mod tests_support {
    use types::Usage;

    use super::*;

    pub(in super::super) fn settlement() -> Settlement {
        Settlement {
            usage: Usage { input: 9, output: 10, requests: 1, ..Usage::default() },
            source: UsageSource::Provider,
            cost: "0.00000735".parse().unwrap(),
            input_cost: "0.00000135".parse().unwrap(),
            output_cost: "0.000006".parse().unwrap(),
            own_key_cost: None,
            warnings: Vec::new(),
            metadata: None,
        }
    }

    pub(in super::super) fn ident() -> Ident {
        Ident {
            id: "gen-1".into(),
            model: "\"a/b\"".into(),
            provider: "\"Lab\"".into(),
            created: 1_700_000_000,
            ..Ident::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::tests_support::{ident, settlement};

    #[test]
    fn only_ours_changes_and_the_rest_is_the_providers() {
        let body = br#"{"id":"chatcmpl-9","object":"chat.completion","model":"b-2024","choices":[{"index":0,"message":{"role":"assistant","content":"h\u00e9llo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":10,"total_tokens":19,"cost":5},"odd":1.50}"#;
        let answer = scan(body).unwrap();
        assert_eq!(answer.seen.finish_reason.as_deref(), Some("stop"));
        assert_eq!((answer.seen.upstream_id.as_deref(), answer.seen.said.bytes()), (Some("chatcmpl-9"), 0));
        let out = String::from_utf8(render(body, &answer, &ident(), &settlement())).unwrap();
        assert_eq!(
            out,
            r#"{"id":"gen-1","object":"chat.completion","model":"a/b","choices":[{"index":0,"message":{"role":"assistant","content":"h\u00e9llo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":10,"total_tokens":19,"cost":0.00000735,"is_byok":false,"cost_details":{"upstream_inference_cost":0.00000735,"upstream_inference_prompt_cost":0.00000135,"upstream_inference_completions_cost":0.000006}},"odd":1.50,"provider":"Lab"}"#
        );
    }

    #[test]
    fn a_missing_usage_is_estimated_and_says_so() {
        let body = br#"{"choices":[{"message":{"content":"x","tool_calls":[{"id":"1"}]}}],"usage":null}"#;
        let answer = scan(body).unwrap();
        assert_eq!((answer.seen.usage, answer.seen.said.bytes()), (None, 13));
        let settlement = Settlement { source: UsageSource::Estimated, ..settlement() };
        let out: serde_json::Value =
            serde_json::from_slice(&render(body, &answer, &ident(), &settlement)).unwrap();
        assert_eq!(out["usage"]["total_tokens"], 19);
        assert_eq!(out["usage"]["estimated"], true);
        assert_eq!(out["id"], "gen-1");
    }

    #[test]
    fn what_is_no_answer() {
        assert!(matches!(scan(br#"{"choices":[{"mess"#), Err(AnswerError::Json(_))));
        assert_eq!(scan(br#"{"choices":[]}"#).unwrap_err(), AnswerError::Empty);
        assert_eq!(scan(br#"{"ok":true}"#).unwrap_err(), AnswerError::Empty);
        assert!(matches!(scan(br#"{"error":{"message":"x"}}"#), Err(AnswerError::Provider(_))));
        assert!(scan(br#"{"error":null,"choices":[{}]}"#).is_ok());
    }
}
