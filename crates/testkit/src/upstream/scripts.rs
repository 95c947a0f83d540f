//! Ready-made scripts: what providers answer on good days and on bad ones.

use serde_json::{Value, json};

use super::Script;

/// What an answer says it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input tokens, cached ones included (OpenAI's way).
    pub prompt: u64,
    /// All output tokens, reasoning included.
    pub completion: u64,
    /// Of `prompt`: read from the cache.
    pub cached: u64,
    /// Of `completion`: reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Tokens without cache and reasoning.
    pub fn new(prompt: u64, completion: u64) -> Tokens {
        Tokens { prompt, completion, ..Tokens::default() }
    }

    /// The `usage` object of OpenAI.
    pub fn json(self) -> Value {
        let mut usage = json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        });
        if self.cached > 0 {
            usage["prompt_tokens_details"] = json!({ "cached_tokens": self.cached });
        }
        if self.reasoning > 0 {
            usage["completion_tokens_details"] = json!({ "reasoning_tokens": self.reasoning });
        }
        usage
    }
}

/// The body of a whole answer. Odd fields are there on purpose: a gateway must leave them as they are.
pub fn chat_body(text: &str, tokens: Tokens) -> Value {
    json!({
        "id": "chatcmpl-upstream-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "tiny-upstream",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text, "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": tokens.json(),
        "system_fingerprint": "fp_lab",
        "x_lab": { "kept": [1, 2.50, "\u{e9}"] },
    })
}

/// One chunk of a stream.
pub fn chunk_body(delta: Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-upstream-1",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "tiny-upstream",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
    })
}

fn usage_chunk(tokens: Tokens) -> Value {
    let mut chunk = chunk_body(json!({}), None);
    chunk["choices"] = json!([]);
    chunk["usage"] = tokens.json();
    chunk
}

impl Script {
    /// A whole chat answer.
    pub fn chat(text: &str, tokens: Tokens) -> Script {
        Script::json(200, &chat_body(text, tokens))
    }

    /// A stream of these words, with the usage in a chunk of its own and `[DONE]`.
    pub fn chat_stream(words: &[&str], tokens: Tokens) -> Script {
        Script::words(words).finish(&[], tokens)
    }

    /// Some more words, and everything that ends a stream well: finish reason, usage, `[DONE]`.
    pub fn finish(self, words: &[&str], tokens: Tokens) -> Script {
        let said = words
            .iter()
            .fold(self, |script, word| script.event(&chunk_body(json!({ "content": word }), None)));
        said.event(&chunk_body(json!({}), Some("stop"))).event(&usage_chunk(tokens)).done()
    }

    /// The beginning of a stream: its head, the role and these words.
    pub fn words(words: &[&str]) -> Script {
        let role = chunk_body(json!({ "role": "assistant", "content": "" }), None);
        let start = Script::stream().event(&role);
        words.iter().fold(start, |script, word| script.event(&chunk_body(json!({ "content": word }), None)))
    }

    /// A stream that never says what it used.
    pub fn stream_without_usage(words: &[&str]) -> Script {
        Script::words(words).event(&chunk_body(json!({}), Some("stop"))).done()
    }

    /// A stream that ends well, with its usage, but without `[DONE]` (Perplexity, Groq at times).
    pub fn stream_without_done(words: &[&str], tokens: Tokens) -> Script {
        Script::words(words).event(&chunk_body(json!({}), Some("stop"))).event(&usage_chunk(tokens)).end()
    }

    /// The usage stands in the chunk with the finish reason (DeepSeek).
    pub fn usage_in_finish_chunk(words: &[&str], tokens: Tokens) -> Script {
        let mut finish = chunk_body(json!({}), Some("stop"));
        finish["usage"] = tokens.json();
        Script::words(words).event(&finish).done()
    }

    /// Every chunk carries the usage so far (Perplexity); the last one counts.
    pub fn usage_every_chunk(words: &[&str], tokens: Tokens) -> Script {
        let mut script = Script::stream();
        for (at, word) in (1u64..).zip(words) {
            let mut chunk = chunk_body(json!({ "content": word }), None);
            chunk["usage"] = Tokens { completion: at, ..tokens }.json();
            script = script.event(&chunk);
        }
        let mut finish = chunk_body(json!({}), Some("stop"));
        finish["usage"] = tokens.json();
        script.event(&finish).done()
    }

    /// An answer that calls the tool `name` with `arguments` (JSON text).
    pub fn tool_call(name: &str, arguments: &str, tokens: Tokens) -> Script {
        let mut body = chat_body("", tokens);
        let call = json!({ "id": "call_1", "type": "function", "function": { "name": name, "arguments": arguments } });
        body["choices"][0]["message"] = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
        body["choices"][0]["finish_reason"] = json!("tool_calls");
        Script::json(200, &body)
    }

    /// A stream that calls the tool `name`, its arguments in two fragments.
    pub fn tool_call_stream(name: &str, arguments: (&str, &str), tokens: Tokens) -> Script {
        let call = |value: Value| chunk_body(json!({ "tool_calls": [value] }), None);
        let function = json!({ "name": name, "arguments": "" });
        Script::words(&[])
            .event(&call(json!({ "index": 0, "id": "call_1", "type": "function", "function": function })))
            .event(&call(json!({ "index": 0, "function": { "arguments": arguments.0 } })))
            .event(&call(json!({ "index": 0, "function": { "arguments": arguments.1 } })))
            .event(&chunk_body(json!({}), Some("tool_calls")))
            .event(&usage_chunk(tokens))
            .done()
    }

    /// An error status with OpenAI's body, and `Retry-After` in seconds when given.
    pub fn error(status: u16, message: &str, retry_after_s: Option<u64>) -> Script {
        let body =
            json!({ "error": { "message": message, "type": "lab_error", "param": null, "code": null } });
        let seconds = retry_after_s.map(|s| s.to_string());
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(seconds.as_deref().map(|s| ("retry-after", s)));
        Script::plain(status, &headers, body.to_string())
    }

    /// Status 200, and an error inside.
    pub fn error_inside_200() -> Script {
        Script::json(200, &json!({ "error": { "message": "the model is overloaded", "code": 503 } }))
    }

    /// A stream whose first event is an error.
    pub fn error_event_first() -> Script {
        Script::stream().event(&json!({ "error": { "message": "overloaded at once", "code": 503 } })).end()
    }

    /// A stream that says some words and then an error.
    pub fn error_event_mid_stream(words: &[&str]) -> Script {
        Script::words(words).event(&json!({ "error": { "message": "lost the model", "code": 500 } })).end()
    }

    /// A whole answer, cut in the middle of its JSON, with a length that fits the cut.
    pub fn truncated_json() -> Script {
        let body = chat_body("cut short", Tokens::new(5, 5)).to_string();
        let half: String = body.chars().take(body.len() / 2).collect();
        Script::plain(200, &[("content-type", "application/json")], half)
    }

    /// A stream whose first event is no JSON.
    pub fn malformed_sse() -> Script {
        Script::stream().chunk("data: {\"choices\": [{\"delta\n\ndata: <html>\n\n").end()
    }

    /// A length that promises more than comes; then FIN.
    pub fn wrong_content_length() -> Script {
        let body = chat_body("short", Tokens::new(5, 5)).to_string();
        let length = (body.len() + 100).to_string();
        let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
        Script::new().head(200, &headers).chunk(body).close()
    }

    /// A good answer without any choice.
    pub fn empty_choices() -> Script {
        let mut body = chat_body("", Tokens::new(5, 0));
        body["choices"] = json!([]);
        Script::json(200, &body)
    }

    /// Takes the request and never answers.
    pub fn hang_before_headers() -> Script {
        Script::new().hang()
    }

    /// A stream's head, and nothing after.
    pub fn hang_after_headers() -> Script {
        Script::stream().chunk(": wait\n\n").hang()
    }

    /// Some words, and nothing after.
    pub fn hang_mid_stream(words: &[&str]) -> Script {
        Script::words(words).hang()
    }

    /// Half of a whole answer, and nothing after.
    pub fn hang_mid_body() -> Script {
        let headers = [("content-type", "application/json"), ("content-length", "1000")];
        Script::new().head(200, &headers).chunk("{\"id\":\"half").hang()
    }

    /// Some words, then RST.
    pub fn reset_mid_stream(words: &[&str]) -> Script {
        Script::words(words).reset()
    }

    /// Some words, then FIN in the middle of the chunked body.
    pub fn close_mid_stream(words: &[&str]) -> Script {
        Script::words(words).close()
    }

    /// Takes the request and closes with RST.
    pub fn reset_before_headers() -> Script {
        Script::new().reset()
    }

    /// A page of HTML with this status, as gateways in front of providers send it.
    pub fn html(status: u16) -> Script {
        Script::plain(status, &[("content-type", "text/html")], "<html><body>Bad gateway</body></html>")
    }

    /// Something that is not HTTP.
    pub fn not_http() -> Script {
        Script::new().raw("SSH-2.0-lab\r\n").close()
    }
}
