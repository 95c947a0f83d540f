//! A provider's stream made ours, chunk by chunk.
//!
//! - Each chunk keeps its bytes but for `id`, `model` and `provider`.
//! - Usage is taken out wherever the provider puts it (a chunk of its own, the finish chunk, every chunk) and told once,
//!   with its cost, in the last chunk before `[DONE]`. The last report wins.
//! - A stream is complete when the provider said `[DONE]` or a finish reason; several providers say only one of the two.

use std::ops::Range;

use super::response::{judge, name, tally, tell};
use crate::hub::{CallError, Carry, ChunkError, Ident, Seen, Settlement};
use crate::json::{self, Kind, Member};
use crate::provider_error;
use crate::splice::Splice;
use crate::usage;

/// The state of a stream on its way through.
#[derive(Debug)]
pub struct Relay {
    ident: Ident,
    /// `"<id>"` and `"<model>","provider":"<provider>"`, made once.
    id_json: Vec<u8>,
    model_and_provider: Vec<u8>,
    members: Vec<Member>,
    inner: Vec<Member>,
    usage_chunk: Option<Vec<u8>>,
    seen: Seen,
}

impl Relay {
    /// A relay that names its chunks after `ident`.
    pub fn new(ident: Ident) -> Relay {
        Relay {
            id_json: json::quote(&ident.id).into_bytes(),
            model_and_provider: format!("{},\"provider\":{}", ident.model, ident.provider).into_bytes(),
            ident,
            members: Vec::with_capacity(12),
            inner: Vec::with_capacity(8),
            usage_chunk: None,
            seen: Seen::default(),
        }
    }

    fn scanned(&mut self, data: &[u8], members: &[Member], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        if provider_error::carries_error(data, members) {
            return Err(ChunkError::Provider(provider_error::read(200, data)));
        }
        self.seen.chunks += 1;
        let usage = json::find(data, members, "usage")
            .filter(|m| Kind::of(json::slice(data, &m.value)) == Kind::Object);
        if let Some(found) = usage.and_then(|m| usage::read(json::slice(data, &m.value))) {
            self.seen.usage = Some(found);
        }
        let mut choices = 0;
        if let Some(member) = json::find(data, members, "choices") {
            json::each_element(data, &member.value, &mut |choice| {
                choices += 1;
                self.choice(data, &choice);
            });
        }
        if self.seen.upstream_id.is_none() {
            let id = json::find(data, members, "id").and_then(|m| json::string(data, &m.value));
            self.seen.upstream_id = id.map(|id| id.chars().take(128).collect());
        }
        if usage.is_some() && choices == 0 {
            self.usage_chunk = Some(data.to_vec());
            return Ok(());
        }
        out.extend_from_slice(b"data: ");
        match usage {
            None => self.relay(data, members, out),
            Some(member) => {
                let mut splice = Splice::new();
                name(&mut splice, data, members, &self.ident);
                splice.replace(member.value.clone(), *b"null");
                splice.apply(data, 0..data.len(), members, out);
                self.usage_chunk = Some(data.to_vec());
            }
        }
        out.extend_from_slice(b"\n\n");
        Ok(())
    }

    fn choice(&mut self, data: &[u8], choice: &Range<usize>) {
        let mut inner = std::mem::take(&mut self.inner);
        json::members_into(data, choice, &mut inner);
        if let Some(reason) =
            json::find(data, &inner, "finish_reason").and_then(|m| json::string(data, &m.value))
        {
            self.seen.finish_reason = Some(reason.chars().take(64).collect());
        }
        if let Some(delta) = json::find(data, &inner, "delta").map(|m| m.value.clone()) {
            json::members_into(data, &delta, &mut inner);
            inner.iter().for_each(|member| {
                tally(&mut self.seen.said, data, member);
                judge(&mut self.seen.calls, data, member);
            });
        }
        self.inner = inner;
    }

    /// The fast path: `id` and `model` replaced, `provider` beside the model, everything else copied.
    fn relay(&self, data: &[u8], members: &[Member], out: &mut Vec<u8>) {
        let id = json::find(data, members, "id");
        let model = json::find(data, members, "model");
        let named = members
            .iter()
            .filter(|m| matches!(json::slice(data, &m.key), b"id" | b"model" | b"provider"))
            .count();
        let (Some(id), Some(model), 2) = (id, model, named) else {
            let mut splice = Splice::new();
            name(&mut splice, data, members, &self.ident);
            return splice.apply(data, 0..data.len(), members, out);
        };
        let id = (&id.value, self.id_json.as_slice());
        let model = (&model.value, self.model_and_provider.as_slice());
        let (first, second) = if id.0.start < model.0.start { (id, model) } else { (model, id) };
        out.reserve(data.len() + 96);
        out.extend_from_slice(json::slice(data, &(0..first.0.start)));
        out.extend_from_slice(first.1);
        out.extend_from_slice(json::slice(data, &(first.0.end..second.0.start)));
        out.extend_from_slice(second.1);
        out.extend_from_slice(json::slice(data, &(second.0.end..data.len())));
    }

    fn template(&self) -> Vec<u8> {
        format!(
            "{{\"id\":\"\",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":\"\",\"choices\":[]}}",
            self.ident.created
        )
        .into_bytes()
    }
}

impl Carry for Relay {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn is_complete(&self) -> bool {
        self.seen.done || self.seen.finish_reason.is_some()
    }

    /// What the caller gets is a whole event; nothing for what is kept back.
    fn frame(&mut self, _name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let trimmed = data.trim_ascii();
        if trimmed == b"[DONE]" {
            self.seen.done = true;
            return Ok(());
        }
        let mut members = std::mem::take(&mut self.members);
        let result = json::object_into(trimmed, &mut members)
            .map_err(ChunkError::Json)
            .and_then(|()| self.scanned(trimmed, &members, out));
        self.members = members;
        result
    }

    /// The last chunk, with usage and cost, and `[DONE]`.
    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        let base = self.usage_chunk.take().unwrap_or_else(|| self.template());
        let members = json::object(&base).unwrap_or_default();
        let mut splice = Splice::new();
        name(&mut splice, &base, &members, &self.ident);
        tell(&mut splice, &base, &members, settlement);
        // A finish chunk that carried usage has been relayed already: its choices are not told twice.
        if let Some(choices) = json::find(&base, &members, "choices") {
            splice.replace(choices.value.clone(), *b"[]");
        }
        out.extend_from_slice(b"data: ");
        splice.apply(&base, 0..base.len(), &members, out);
        out.extend_from_slice(b"\n\ndata: [DONE]\n\n");
    }

    /// One chunk with the error; no `[DONE]` follows.
    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        let base = self.template();
        let members = json::object(&base).unwrap_or_default();
        let mut splice = Splice::new();
        name(&mut splice, &base, &members, &self.ident);
        tell(&mut splice, &base, &members, settlement);
        if let Some(choices) = json::find(&base, &members, "choices") {
            let choice = br#"[{"index":0,"delta":{"content":""},"finish_reason":"error"}]"#;
            splice.replace(choices.value.clone(), choice.as_slice());
        }
        splice.append("error", error.object.as_bytes());
        out.extend_from_slice(b"data: ");
        splice.apply(&base, 0..base.len(), &members, out);
        out.extend_from_slice(b"\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::response::tests_support::{ident, settlement};
    use super::*;

    fn run(chunks: &[&str]) -> (Relay, String) {
        let mut relay = Relay::new(ident());
        let mut out = Vec::new();
        for chunk in chunks {
            relay.frame("", chunk.as_bytes(), &mut out).unwrap();
        }
        (relay, String::from_utf8(out).unwrap())
    }

    const USAGE: &str = r#"{"prompt_tokens":9,"completion_tokens":10,"total_tokens":19}"#;

    #[test]
    fn chunks_keep_their_bytes_but_for_three_names() {
        let (relay, out) = run(&[
            r#"{"id":"c-1","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"h\u00e9"},"finish_reason":null}],"p":"zzz"}"#,
        ]);
        assert_eq!(
            out,
            "data: {\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"a/b\",\"provider\":\"Lab\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\\u00e9\"},\"finish_reason\":null}],\"p\":\"zzz\"}\n\n"
        );
        assert_eq!((relay.seen.said.bytes(), relay.seen.upstream_id.as_deref()), (7, Some("c-1")));
        assert!(!relay.is_complete());
    }

    #[test]
    fn usage_is_told_once_and_last_wherever_it_came() {
        let own = format!(r#"{{"id":"c","model":"m","choices":[],"usage":{USAGE}}}"#);
        let finish = format!(
            r#"{{"id":"c","model":"m","choices":[{{"delta":{{}},"finish_reason":"stop"}}],"usage":{USAGE}}}"#
        );
        let bare = r#"{"id":"c","model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        for chunks in [vec![bare, &own, "[DONE]"], vec![&finish, "[DONE]"], vec![&finish]] {
            let (mut relay, out) = run(&chunks);
            assert!(!out.contains("prompt_tokens"), "{out}");
            assert!(relay.is_complete());
            assert_eq!(relay.seen.usage.unwrap().output, 10);
            let mut last = Vec::new();
            relay.last(&settlement(), &mut last);
            let last = String::from_utf8(last).unwrap();
            let (chunk, done) = last.split_once("\n\n").unwrap();
            assert_eq!(done, "data: [DONE]\n\n");
            let chunk: serde_json::Value = serde_json::from_str(&chunk[6..]).unwrap();
            assert_eq!(chunk["choices"], serde_json::json!([]));
            assert_eq!(chunk["usage"]["total_tokens"], 19);
            assert_eq!(chunk["usage"]["cost"], 0.00000735);
            assert_eq!(chunk["id"], "gen-1");
        }
    }

    #[test]
    fn a_failed_stream_ends_with_one_event_and_no_done() {
        let (mut relay, _) = run(&[r#"{"id":"c","model":"m","choices":[{"delta":{"content":"x"}}]}"#]);
        let error =
            relay.frame("", br#"{"error":{"message":"boom","code":503}}"#, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, ChunkError::Provider(e) if e.status == 503));
        assert!(matches!(relay.frame("", b"{\"a\":", &mut Vec::new()), Err(ChunkError::Json(_))));
        let mut out = Vec::new();
        let error = CallError {
            status: 502,
            kind: "stream_broken",
            message: "x".into(),
            object: r#"{"code":502,"message":"x"}"#.into(),
        };
        relay.fail(&error, &settlement(), &mut out);
        let out = String::from_utf8(out).unwrap();
        let event: serde_json::Value =
            serde_json::from_str(out.trim().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["error"]["code"], 502);
        assert_eq!(event["choices"][0]["finish_reason"], "error");
        assert!(!out.contains("[DONE]"));
    }
}
