//! The sandbox provider: answers inside this program, without a key, and says plainly that it simulates.
//!
//! It speaks the OpenAI dialect in bytes like any provider, so that a sandbox call takes the whole way of a real one:
//! routing, holds, streaming, metering, the journal. A caller tunes it with a `sandbox` object in the request:
//!
//! | key | what |
//! | --- | --- |
//! | `text` | what to answer |
//! | `output_tokens` | how many tokens to answer with |
//! | `delay_ms` | wait before the first byte |
//! | `tokens_per_second` | pace of a stream, and of a plain answer's arrival |
//! | `fault` | how to fail: see [`Fault`] |
//! | `fault_after_tokens` | for faults inside a stream: after how many tokens (default 3) |

mod instance;
mod playback;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) use playback::Playback;

use crate::upstream::{Framing, Reply, UpstreamBody};

/// Longest wait and longest pace of a simulated answer.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Most tokens of a simulated answer.
const OUTPUT_TOKENS_MAX: u64 = 100_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tuning {
    text: Option<String>,
    output_tokens: Option<u64>,
    delay_ms: Option<u64>,
    tokens_per_second: Option<u32>,
    fault: Option<Fault>,
    fault_after_tokens: Option<usize>,
}

/// The ways to fail on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// 429 with `Retry-After: 1`.
    RateLimit,
    /// 500.
    ServerError,
    /// 503.
    Overloaded,
    /// 400, as if the request were wrong.
    BadRequest,
    /// Never answers.
    Hang,
    /// Falls silent in the middle.
    HangMidStream,
    /// Breaks off in the middle.
    Cut,
    /// Sends a broken chunk in the middle, or broken JSON.
    Malformed,
    /// An error object inside a 200.
    ErrorInside200,
    /// Reports no usage.
    NoUsage,
    /// Ends without `[DONE]`.
    NoDone,
}

/// What the sandbox remembers between calls.
#[derive(Debug, Default)]
pub struct Sandbox {
    flaky_calls: AtomicU64,
}

/// Why a request can't be simulated: told as a provider's 400.
fn refusal(message: &str) -> Reply {
    failure(400, "invalid_request_error", message, None)
}

fn failure(status: u16, kind: &str, message: &str, retry_after: Option<Duration>) -> Reply {
    let body = json!({"error": {"message": format!("simulated by the sandbox: {message}"), "type": kind, "code": kind}});
    Reply {
        status,
        retry_after,
        error_name: None,
        framing: None,
        content_type: None,
        body: UpstreamBody::sandbox(Playback::whole(body.to_string(), Duration::ZERO)),
    }
}

impl Sandbox {
    /// Answers a chat request as the sandbox model `name`. `created` is in unix seconds. `None`: it never will.
    pub fn answer(&self, name: &str, request: &[u8], streamed: bool, created: i64) -> Option<Reply> {
        let Ok(body) = serde_json::from_slice::<Value>(request) else {
            return Some(refusal("the request is not JSON"));
        };
        let tuning = match body.get("sandbox") {
            None | Some(Value::Null) => Tuning::default(),
            Some(tuning) => match Tuning::deserialize(tuning) {
                Ok(tuning) => tuning,
                Err(error) => return Some(refusal(&format!("`sandbox` is not understood: {error}"))),
            },
        };
        let fault = tuning.fault.or_else(|| self.fault_of(name));
        match fault {
            Some(Fault::RateLimit) => {
                return Some(failure(429, "rate_limit_exceeded", "rate limit", Some(Duration::from_secs(1))));
            }
            Some(Fault::ServerError) => {
                return Some(failure(500, "server_error", "this model always fails", None));
            }
            Some(Fault::Overloaded) => {
                return Some(failure(503, "overloaded", "every third call fails", None));
            }
            Some(Fault::BadRequest) => return Some(refusal("bad request")),
            Some(Fault::ErrorInside200) => {
                return Some(Reply {
                    status: 200,
                    ..failure(503, "overloaded", "an error inside a 200", None)
                });
            }
            Some(Fault::Hang) => return None,
            _ => (),
        }
        let answer = Answer::of(name, &body, &tuning);
        let pace = Pace::of(name, &tuning);
        let playback = if streamed {
            answer.stream(created, &pace, fault, tuning.fault_after_tokens.unwrap_or(3))
        } else {
            answer.plain(created, &pace, fault)
        };
        Some(Reply {
            status: 200,
            retry_after: None,
            error_name: None,
            framing: streamed.then_some(Framing::Sse),
            content_type: None,
            body: UpstreamBody::sandbox(playback),
        })
    }

    fn fault_of(&self, name: &str) -> Option<Fault> {
        match name {
            "fail" => Some(Fault::ServerError),
            "flaky" => {
                let call = self.flaky_calls.fetch_add(1, Ordering::Relaxed);
                (call % 3 == 2).then_some(Fault::Overloaded)
            }
            _ => None,
        }
    }
}

struct Pace {
    before: Duration,
    between: Duration,
}

impl Pace {
    fn of(name: &str, tuning: &Tuning) -> Pace {
        let slow = name == "slow";
        let before = tuning.delay_ms.unwrap_or(if slow { 1_000 } else { 0 });
        let rate = tuning.tokens_per_second.or(slow.then_some(10)).filter(|rate| *rate > 0);
        Pace {
            before: Duration::from_millis(before).min(WAIT_MAX),
            between: rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate),
        }
    }
}

/// What is answered, in pieces of about a token.
struct Answer {
    reasoning: Vec<String>,
    content: Vec<String>,
    tool_call: Option<(String, String)>,
    finish_reason: &'static str,
    prompt_tokens: u64,
}

impl Answer {
    fn of(name: &str, body: &Value, tuning: &Tuning) -> Answer {
        let said = last_user_text(body);
        let prompt = body.get("messages").map(|m| m.to_string().len()).unwrap_or(0) as u64;
        let mut answer = Answer {
            reasoning: Vec::new(),
            content: Vec::new(),
            tool_call: None,
            finish_reason: "stop",
            prompt_tokens: prompt.div_ceil(4).max(1),
        };
        let forced_tool =
            name == "tools" || body.get("tool_choice").is_some_and(|c| c == "required" || c.is_object());
        let wants_json = name == "json"
            || body.get("response_format").is_some_and(|f| f.get("type").is_some_and(|t| t != "text"));
        if let Some(call) = instance::tool_call(body).filter(|_| forced_tool && tuning.text.is_none()) {
            answer.tool_call = Some(call);
            answer.finish_reason = "tool_calls";
        } else if let Some(text) = &tuning.text {
            answer.content = pieces(text);
        } else if wants_json {
            answer.content = pieces(&instance::for_response_format(body).to_string());
        } else {
            answer.content =
                pieces(&format!("This is a simulated answer from the Tollway sandbox. You said: {said}"));
        }
        if name == "reasoning" {
            answer.reasoning = pieces("This reasoning is simulated: read the message, then repeat it.");
        }
        if let Some(wanted) = tuning.output_tokens {
            let wanted = usize::try_from(wanted.min(OUTPUT_TOKENS_MAX)).unwrap_or(1);
            answer.content = answer.content.iter().cycle().take(wanted).cloned().collect();
        }
        answer.cap(body);
        answer
    }

    fn cap(&mut self, body: &Value) {
        let cap = ["max_completion_tokens", "max_tokens"].iter().find_map(|key| body.get(key)?.as_u64());
        let Some(cap) = cap.and_then(|cap| usize::try_from(cap).ok()) else { return };
        if self.reasoning.len() + self.content.len() > cap {
            self.reasoning.truncate(cap);
            self.content.truncate(cap - self.reasoning.len());
            self.finish_reason = "length";
        }
    }

    fn usage(&self) -> Value {
        let reasoning = self.reasoning.len() as u64;
        let call = self
            .tool_call
            .as_ref()
            .map_or(0, |(name, arguments)| (name.len() + arguments.len()) as u64 / 4 + 1);
        let completion = reasoning + self.content.len() as u64 + call;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        })
    }

    fn plain(&self, created: i64, pace: &Pace, fault: Option<Fault>) -> Playback {
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        let content = if self.tool_call.is_some() { Value::Null } else { self.content.concat().into() };
        message.insert("content".into(), content);
        if let Some((name, arguments)) = &self.tool_call {
            let function = json!({"name": name, "arguments": arguments});
            let call = json!({"id": "call_sandbox", "type": "function", "function": function});
            message.insert("tool_calls".into(), json!([call]));
        }
        if !self.reasoning.is_empty() {
            message.insert("reasoning".into(), self.reasoning.concat().into());
        }
        let usage = if fault == Some(Fault::NoUsage) { Value::Null } else { self.usage() };
        let body = json!({
            "id": "sandbox", "object": "chat.completion", "created": created, "model": "sandbox", "simulated": true,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            "usage": usage,
        });
        let pieces = u32::try_from(self.reasoning.len() + self.content.len()).unwrap_or(u32::MAX);
        let wait = pace.before.saturating_add(pace.between.saturating_mul(pieces)).min(WAIT_MAX);
        let mut text = body.to_string();
        match fault {
            Some(Fault::Malformed | Fault::Cut) => {
                text.truncate(text.len() / 2);
                Playback::whole(text, wait)
            }
            Some(Fault::HangMidStream) => Playback::whole(text, wait).then_hang(),
            _ => Playback::whole(text, wait),
        }
    }

    fn stream(&self, created: i64, pace: &Pace, fault: Option<Fault>, after: usize) -> Playback {
        let mut play = Playback::after(pace.before);
        play.event(&chunk(created, json!({"role": "assistant", "content": ""}), None));
        let reasoning = self.reasoning.iter().map(|piece| json!({"reasoning": piece}));
        let content = self.content.iter().map(|piece| json!({"content": piece}));
        for (at, delta) in reasoning.chain(content).enumerate() {
            if at == after {
                match fault {
                    Some(Fault::Cut) => return play.then_break(),
                    Some(Fault::HangMidStream) => return play.then_hang(),
                    Some(Fault::Malformed) => {
                        play.raw("data: {\"choices\":[{\n\n");
                        return play;
                    }
                    _ => (),
                }
            }
            play.wait(pace.between);
            play.event(&chunk(created, delta, None));
        }
        if let Some((name, arguments)) = &self.tool_call {
            let open = json!({"index": 0, "id": "call_sandbox", "type": "function", "function": {"name": name, "arguments": ""}});
            play.event(&chunk(created, json!({ "tool_calls": [open] }), None));
            let more = json!({"index": 0, "function": {"arguments": arguments}});
            play.event(&chunk(created, json!({ "tool_calls": [more] }), None));
        }
        play.event(&chunk(created, json!({}), Some(self.finish_reason)));
        if fault != Some(Fault::NoUsage) {
            play.event(&json!({
                "id": "sandbox", "object": "chat.completion.chunk", "created": created, "model": "sandbox", "simulated": true,
                "choices": [], "usage": self.usage(),
            }));
        }
        if fault != Some(Fault::NoDone) {
            play.raw("data: [DONE]\n\n");
        }
        play
    }
}

fn chunk(created: i64, delta: Value, finish_reason: Option<&str>) -> Value {
    json!({
        "id": "sandbox", "object": "chat.completion.chunk", "created": created, "model": "sandbox", "simulated": true,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
}

/// Words with the space before them: close enough to tokens.
fn pieces(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn last_user_text(body: &Value) -> String {
    let messages = body.get("messages").and_then(Value::as_array);
    let user = messages.into_iter().flatten().rev().find(|m| m.get("role").is_some_and(|r| r == "user"));
    match user.and_then(|m| m.get("content")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            texts.join(" ")
        }
        _ => String::from("nothing"),
    }
}
