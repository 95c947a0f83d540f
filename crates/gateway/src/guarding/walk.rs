//! The texts of whole bodies, of any dialect: found by where they stand, changed in place.
//!
//! Everything that is no name, id or count, also where nobody here knows what it is. Left alone is what has to be a certain word (`type`, `role`, names and ids), what is no text
//! (Base64), what proves something (signatures), and addresses of images and files, which would lead nowhere. Inside the
//! arguments and results of calls every value is looked at, whatever its key.

use std::ops::Range;
use std::sync::Arc;

use guardrails::{Action, Compiled, Place, Tally, mask_json};
use wire::json::{self, Kind};

/// Members of a request that are names: of models, callers and conversations. Budgets and stickiness go by some of them.
const NAMES: [&str; 13] = [
    "model",
    "models",
    "user",
    "session_id",
    "safety_identifier",
    "prompt_cache_key",
    "previous_response_id",
    "provider",
    "preset",
    "route",
    "trace",
    "tool_choice",
    "cachedContent",
];
/// Members of a request that hold what the user says, without a role.
const SAID: [&str; 5] = ["prompt", "input", "query", "texts", "inputs"];
/// Members whose texts are no prose.
const FIXED: [&str; 41] = [
    "type",
    "role",
    "id",
    "model",
    "name",
    "tool_call_id",
    "call_id",
    "tool_use_id",
    "toolUseId",
    "item_id",
    "cache_control",
    "signature",
    "thoughtSignature",
    "thought_signature",
    "encrypted_content",
    "data",
    "b64_json",
    "file_data",
    "file_id",
    "image_url",
    "url",
    "uri",
    "fileUri",
    "file_uri",
    "file_url",
    "media_type",
    "mimeType",
    "mime_type",
    "detail",
    "status",
    "format",
    "$ref",
    "required",
    "finish_reason",
    "finishReason",
    "stop_reason",
    "object",
    "system_fingerprint",
    "bytes",
    "responseId",
    "user_id",
];
/// Members of which nothing is read: numbers, and what is Base64 in a list.
const SKIPPED: [&str; 3] = ["embedding", "embeddings", "images"];
/// Members that hold what a tool is given or gave.
const FREE: [&str; 6] = ["arguments", "args", "input", "response", "json", "parsed"];
/// Longest number that may be a finding, bytes.
const NUMBER_BYTES: Range<usize> = 9..40;
/// Deepest nesting that is looked at; the scanner of bodies takes no deeper one.
const DEPTH_MAX: usize = json::DEPTH_MAX;

/// What a request becomes, where something in it is masked, and what was found.
pub(super) fn request(rules: &Arc<Compiled>, body: &[u8]) -> (Option<Vec<u8>>, Tally) {
    let mut walk = Walk::new(rules, body);
    if let Ok(members) = json::object(body) {
        for member in &members {
            let key = walk.key(&member.key);
            if NAMES.contains(&key.as_str()) || FIXED.contains(&key.as_str()) {
                continue;
            }
            let place = if SAID.contains(&key.as_str()) { Place::User } else { Place::Other };
            walk.value(&member.value, &At { key: &key, place, free: false, depth: 0 });
        }
    }
    walk.done()
}

/// What a whole answer becomes.
pub(super) fn answer(rules: &Arc<Compiled>, body: &[u8]) -> (Option<Vec<u8>>, Tally) {
    let mut walk = Walk::new(rules, body);
    if body.first() == Some(&b'{') && json::object(body).is_ok() {
        let at = At { key: "", place: Place::Answer, free: false, depth: 0 };
        walk.value(&(0..body.len()), &at);
        if walk.tally.has_masked() {
            // They tell the text once more.
            for span in std::mem::take(&mut walk.logprobs) {
                walk.edits.push((span, String::from("null")));
            }
            walk.edits.sort_by_key(|(span, _)| span.start);
        }
    }
    walk.done()
}

/// Where a value stands.
struct At<'k> {
    key: &'k str,
    place: Place,
    /// Inside arguments or results of a call.
    free: bool,
    depth: usize,
}

struct Walk<'b> {
    rules: &'b Arc<Compiled>,
    body: &'b [u8],
    tally: Tally,
    edits: Vec<(Range<usize>, String)>,
    logprobs: Vec<Range<usize>>,
}

impl<'b> Walk<'b> {
    fn new(rules: &'b Arc<Compiled>, body: &'b [u8]) -> Walk<'b> {
        Walk { rules, body, tally: Tally::default(), edits: Vec::new(), logprobs: Vec::new() }
    }

    fn key(&self, span: &Range<usize>) -> String {
        String::from_utf8_lossy(json::slice(self.body, span)).into_owned()
    }

    fn value(&mut self, span: &Range<usize>, at: &At<'_>) {
        if at.depth > DEPTH_MAX {
            return;
        }
        match Kind::of(json::slice(self.body, span)) {
            Kind::Object => self.object(span, at),
            Kind::Array => {
                let elements = json::elements(self.body, span, usize::MAX);
                let within = At { depth: at.depth + 1, ..*at };
                elements.iter().for_each(|element| self.value(element, &within));
            }
            Kind::String => self.text(span, at),
            Kind::Number if at.free => self.number(span, at.place),
            Kind::Number | Kind::Bool | Kind::Null => (),
        }
    }

    fn object(&mut self, span: &Range<usize>, at: &At<'_>) {
        let members = json::members(self.body, span);
        let named = |name: &str| {
            json::find(self.body, &members, name).and_then(|member| json::string(self.body, &member.value))
        };
        let (role, kind) = (named("role"), named("type"));
        let place = match (at.place, role.as_deref(), kind.as_deref()) {
            (Place::Answer, ..) => Place::Answer,
            (_, Some("user"), _) => Place::User,
            (_, Some(_), _) => Place::Other,
            (_, _, Some("tool_result" | "function_call_output" | "function_call" | "tool_use")) => {
                Place::Other
            }
            // Gemini's turns need no role to be the user's.
            (..) if at.key == "contents" => Place::User,
            (place, ..) => place,
        };
        for member in &members {
            let key = self.key(&member.key);
            if key == "logprobs" || key == "logprobsResult" {
                self.logprobs.push(member.value.clone());
                continue;
            }
            if !at.free && SKIPPED.contains(&key.as_str()) {
                continue;
            }
            let is_text = Kind::of(json::slice(self.body, &member.value)) == Kind::String;
            let is_list = matches!(key.as_str(), "required" | "bytes");
            if !at.free && FIXED.contains(&key.as_str()) && (is_text || is_list) {
                continue;
            }
            let calls = at.depth > 0 && FREE.contains(&key.as_str());
            let is_result = key == "functionResponse" && place != Place::Answer;
            let place = if is_result { Place::Other } else { place };
            let within = At { key: &key, place, free: at.free || calls, depth: at.depth + 1 };
            self.value(&member.value, &within);
        }
    }

    fn text(&mut self, span: &Range<usize>, at: &At<'_>) {
        let Some(text) = json::string(self.body, span) else { return };
        if text.starts_with("data:") && text.contains(";base64,") {
            return;
        }
        let is_json = at.key == "arguments" && text.trim_start().starts_with(['{', '[']);
        let masked = match is_json {
            true => {
                let before = self.tally.clone();
                let masked = mask_json(self.rules, &text, at.place, &mut self.tally);
                // Without a finding it stays as it was written.
                if self.tally == before { return } else { std::borrow::Cow::Owned(masked) }
            }
            false => self.rules.mask_value(at.key, &text, at.place, &mut self.tally),
        };
        if masked != text {
            self.edits.push((span.clone(), json::quote(&masked)));
        }
    }

    fn number(&mut self, span: &Range<usize>, place: Place) {
        if !NUMBER_BYTES.contains(&span.len()) {
            return;
        }
        let Ok(text) = std::str::from_utf8(json::slice(self.body, span)) else { return };
        let found = self.rules.scan(text, place);
        let Some(finding) = found.first().filter(|finding| finding.span == (0..text.len())) else { return };
        self.tally.add(self.rules, place, finding);
        if finding.action >= Action::Mask {
            self.edits.push((span.clone(), json::quote(self.rules.placeholder(finding.what))));
        }
    }

    fn done(self) -> (Option<Vec<u8>>, Tally) {
        if self.edits.is_empty() {
            return (None, self.tally);
        }
        let mut out = Vec::with_capacity(self.body.len());
        let mut from = 0;
        for (span, instead) in &self.edits {
            out.extend_from_slice(self.body.get(from..span.start).unwrap_or_default());
            out.extend_from_slice(instead.as_bytes());
            from = span.end;
        }
        out.extend_from_slice(self.body.get(from..).unwrap_or_default());
        (Some(out), self.tally)
    }
}

#[cfg(test)]
mod tests {
    use guardrails::Rules;

    use super::*;

    fn rules() -> Arc<Compiled> {
        let kinds = serde_json::json!({"kinds": {"email": "mask", "secrets": "mask", "financial": "mask",
            "phone": {"action": "mask", "scope": "user_only"}}});
        Arc::new(Compiled::new(&[Arc::new(Rules::read(&kinds).unwrap())]).unwrap())
    }

    fn changed(walked: (Option<Vec<u8>>, Tally)) -> Option<String> {
        walked.0.map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn texts_of_every_dialect_are_changed_in_place_and_nothing_else_is() {
        let rows = [
            // Chat: roles, parts, arguments as JSON text; ids and names stay.
            (
                r#"{"model":"a@b.com","messages":[{"role":"user","name":"a@b.com","content":[{"type":"text","text":"a@b.com"}]},{"content":"+1 415 555 2671","role":"tool"}] , "x":1}"#,
                r#"{"model":"a@b.com","messages":[{"role":"user","name":"a@b.com","content":[{"type":"text","text":"[EMAIL]"}]},{"content":"+1 415 555 2671","role":"tool"}] , "x":1}"#,
            ),
            (
                r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"name\":\"a@b.com\"}"}}]}]}"#,
                r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"name\":\"[EMAIL]\"}"}}]}]}"#,
            ),
            // Messages: results of tools are not the user's, inputs are looked at whatever the key.
            (
                r#"{"system":"+1 415 555 2671 a@b.com","messages":[{"role":"user","content":[{"type":"tool_use","input":{"name":"a@b.com","card":4111111111111111,"n":7}}]}]}"#,
                r#"{"system":"+1 415 555 2671 [EMAIL]","messages":[{"role":"user","content":[{"type":"tool_use","input":{"name":"[EMAIL]","card":"[CREDIT_CARD]","n":7}}]}]}"#,
            ),
            // Responses and embeddings: a text, or texts, of the user's.
            (r#"{"input":"call +1 415 555 2671"}"#, r#"{"input":"call [PHONE]"}"#),
            // What nobody here knows goes to a provider of the same dialect as it is.
            (r#"{"model":"m","extra":{"about":"a@b.com"}}"#, r#"{"model":"m","extra":{"about":"[EMAIL]"}}"#),
            (
                r#"{"generateContentRequest":{"contents":[{"parts":[{"text":"a@b.com"}]}]}}"#,
                r#"{"generateContentRequest":{"contents":[{"parts":[{"text":"[EMAIL]"}]}]}}"#,
            ),
            (r#"{"input":["x","\u0061@b.com"]}"#, r#"{"input":["x","[EMAIL]"]}"#),
            // Gemini: turns without a role; media stay.
            (
                r#"{"contents":[{"parts":[{"text":"+1 415 555 2671"},{"inlineData":{"mimeType":"a","data":"a@b.com"}}]}]}"#,
                r#"{"contents":[{"parts":[{"text":"[PHONE]"},{"inlineData":{"mimeType":"a","data":"a@b.com"}}]}]}"#,
            ),
        ];
        for (body, expected) in rows {
            assert_eq!(changed(request(&rules(), body.as_bytes())).as_deref(), Some(expected));
        }
        for body in
            [r#"{"messages":[{"role":"user","content":"caf\u00e9"}]}"#, "no json", r#"{"user":"a@b.com"}"#]
        {
            assert_eq!(changed(request(&rules(), body.as_bytes())), None, "{body}");
        }
    }

    #[test]
    fn probabilities_go_with_what_they_tell() {
        let body = r#"{"id":"a@b.com","choices":[{"logprobs":{"content":[{"token":"a@b"}]},"message":{"content":"a@b.com"}}]}"#;
        let expected = r#"{"id":"a@b.com","choices":[{"logprobs":null,"message":{"content":"[EMAIL]"}}]}"#;
        assert_eq!(changed(answer(&rules(), body.as_bytes())).as_deref(), Some(expected));
        let body = body.replace("\"a@b.com\"}}]", "\"fine\"}}]");
        assert_eq!(changed(answer(&rules(), body.as_bytes())), None);
    }
}
