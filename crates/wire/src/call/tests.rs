//! The same answer, whole and streamed, is the same thing in every dialect that goes out.

mod golden;

use types::Usage;

use super::dispatch::{read_answer, stream_reader};
use crate::hub::{Assembly, Dialect, Event, Piece};

/// What every answer here comes to: reasoning, text, calls with arguments, reason, usage.
#[derive(Debug, PartialEq)]
struct Said {
    reasoning: String,
    text: String,
    calls: Vec<(String, serde_json::Value)>,
    finish: &'static str,
    usage: (u64, u64, u64, u64),
}

fn said(events: &[Event]) -> Said {
    let whole = Assembly::of(events);
    let (mut reasoning, mut calls) = (String::new(), Vec::new());
    for piece in &whole.pieces {
        match piece {
            Piece::Reasoning { text, .. } => reasoning.push_str(text),
            Piece::ToolCall { name, arguments, .. } => {
                calls.push((name.clone(), serde_json::from_str(arguments).unwrap()));
            }
            _ => (),
        }
    }
    let u: Usage = whole.usage.unwrap();
    Said {
        reasoning,
        text: whole.all_text(),
        calls,
        finish: whole.finish.map_or("none", |(reason, _)| reason.name()),
        usage: (u.input, u.cache_read, u.output, u.reasoning),
    }
}

fn streamed(dialect: Dialect, frames: &[(&str, &str)]) -> Said {
    let (mut reader, mut events) = (stream_reader(dialect), Vec::new());
    for (name, data) in frames {
        reader.frame(name, data.as_bytes(), &mut events).unwrap();
    }
    reader.end(&mut events);
    assert!(reader.is_complete(), "{dialect:?}");
    said(&events)
}

/// Dialect, the whole answer, its stream, how many output tokens are told as reasoning, the cached ones, and the reason.
type Row = (Dialect, &'static str, &'static [(&'static str, &'static str)], (u64, u64), &'static str);

const CHAT: &str = r#"{"id":"c","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"42","reasoning_content":"six times seven","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"city\":\"Bern\"}"}}]}}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#;
const CHAT_STREAM: &[(&str, &str)] = &[
    (
        "",
        r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
    ),
    ("", r#"{"choices":[{"index":0,"delta":{"reasoning_content":"six times "},"finish_reason":null}]}"#),
    ("", r#"{"choices":[{"index":0,"delta":{"reasoning_content":"seven"},"finish_reason":null}]}"#),
    ("", r#"{"choices":[{"index":0,"delta":{"content":"4"},"finish_reason":null}]}"#),
    ("", r#"{"choices":[{"index":0,"delta":{"content":"2"},"finish_reason":null}]}"#),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}"#,
    ),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"finish_reason":null}]}"#,
    ),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Bern\"}"}}]},"finish_reason":null}]}"#,
    ),
    ("", r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#),
    (
        "",
        r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#,
    ),
    ("", "[DONE]"),
];
/// Mistral's reasoning models answer in lists.
const MISTRAL: &str = r#"{"id":"c","choices":[{"index":0,"finish_reason":"length","message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"six times seven"}]},{"type":"text","text":"42"}]}}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}"#;
const MISTRAL_STREAM: &[(&str, &str)] = &[
    (
        "",
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"six times "}]}]},"finish_reason":null}]}"#,
    ),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"seven"}]}]},"finish_reason":null}]}"#,
    ),
    (
        "",
        r#"{"choices":[{"index":0,"delta":{"content":"42"},"finish_reason":"length"}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}"#,
    ),
    ("", "[DONE]"),
];
const RESPONSES: &str = r#"{"id":"r","object":"response","status":"completed","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"six times seven"}],"encrypted_content":"sealed"},{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"42","annotations":[]}]},{"type":"function_call","id":"fc","call_id":"t1","name":"f","arguments":"{\"city\":\"Bern\"}"}],"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":4},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":21}}"#;
const RESPONSES_STREAM: &[(&str, &str)] = &[
    (
        "",
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"r","status":"in_progress","output":[]}}"#,
    ),
    (
        "",
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}"#,
    ),
    (
        "",
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"six times "}"#,
    ),
    (
        "",
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"seven"}"#,
    ),
    (
        "",
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"six times seven"}],"encrypted_content":"sealed"}}"#,
    ),
    (
        "",
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"m","role":"assistant","content":[]}}"#,
    ),
    ("", r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"4"}"#),
    ("", r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"2"}"#),
    (
        "",
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"42","annotations":[]}]}}"#,
    ),
    (
        "",
        r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","id":"fc","call_id":"t1","name":"f","arguments":""}}"#,
    ),
    ("", r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"city\":"}"#),
    ("", r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"\"Bern\"}"}"#),
    (
        "",
        r#"{"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"city\":\"Bern\"}"}"#,
    ),
    (
        "",
        r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","id":"fc","call_id":"t1","name":"f","arguments":"{\"city\":\"Bern\"}"}}"#,
    ),
    (
        "",
        r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":4},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":21}}}"#,
    ),
];
const REFUSED: &str = r#"{"id":"r","object":"response","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"42","annotations":[]}]}],"usage":{"input_tokens":12,"output_tokens":9,"total_tokens":21}}"#;
const REFUSED_STREAM: &[(&str, &str)] = &[
    ("", r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"42"}"#),
    (
        "",
        r#"{"type":"response.incomplete","response":{"id":"r","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[],"usage":{"input_tokens":12,"output_tokens":9,"total_tokens":21}}}"#,
    ),
];
const MESSAGES: &str = r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"six times seven","signature":"sig"},{"type":"text","text":"42"},{"type":"tool_use","id":"t1","name":"f","input":{"city":"Bern"}}],"stop_reason":"tool_use","usage":{"input_tokens":8,"cache_read_input_tokens":4,"output_tokens":9}}"#;
const MESSAGES_STREAM: &[(&str, &str)] = &[
    (
        "message_start",
        r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":8,"cache_read_input_tokens":4,"output_tokens":1}}}"#,
    ),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    ),
    ("ping", r#"{"type":"ping"}"#),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"six times "}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"seven"}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}"#,
    ),
    ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"42"}}"#,
    ),
    ("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
    (
        "content_block_start",
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}"#,
    ),
    (
        "content_block_delta",
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"Bern\"}"}}"#,
    ),
    ("content_block_stop", r#"{"type":"content_block_stop","index":2}"#),
    (
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
    ),
    ("message_stop", r#"{"type":"message_stop"}"#),
];
const GEMINI: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"six times seven","thought":true},{"text":"42"},{"functionCall":{"name":"f","args":{"city":"Bern"}},"thoughtSignature":"c2ln"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":3,"totalTokenCount":21}}"#;
const GEMINI_STREAM: &[(&str, &str)] = &[
    (
        "",
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"six times ","thought":true}]}}],"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12}}"#,
    ),
    ("", r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"seven","thought":true}]}}]}"#),
    ("", r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"42"}]}}]}"#),
    (
        "",
        r#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{"city":"Bern"}},"thoughtSignature":"c2ln"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":3,"totalTokenCount":21}}"#,
    ),
];
const CONVERSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"six times seven","signature":"sig"}}},{"text":"42"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"city":"Bern"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":8,"cacheReadInputTokens":4,"outputTokens":9,"totalTokens":21}}"#;
const CONVERSE_STREAM: &[(&str, &str)] = &[
    ("messageStart", r#"{"role":"assistant"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"six times "}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"seven"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"sig"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"42"}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"city\":"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"\"Bern\"}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    ("messageStop", r#"{"stopReason":"tool_use"}"#),
    ("metadata", r#"{"usage":{"inputTokens":8,"cacheReadInputTokens":4,"outputTokens":9,"totalTokens":21}}"#),
];
const COHERE: &str = r#"{"id":"c","finish_reason":"TOOL_CALL","message":{"role":"assistant","content":[{"type":"thinking","thinking":"six times seven"},{"type":"text","text":"42"}],"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"city\":\"Bern\"}"}}]},"usage":{"billed_units":{"input_tokens":12,"output_tokens":9},"tokens":{"input_tokens":80,"output_tokens":12}}}"#;
const COHERE_STREAM: &[(&str, &str)] = &[
    ("", r#"{"type":"message-start","id":"c","delta":{"message":{"role":"assistant","content":[]}}}"#),
    (
        "",
        r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
    ),
    ("", r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"six times "}}}}"#),
    ("", r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"seven"}}}}"#),
    ("", r#"{"type":"content-end","index":0}"#),
    ("", r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#),
    ("", r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"42"}}}}"#),
    ("", r#"{"type":"content-end","index":1}"#),
    (
        "",
        r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
    ),
    (
        "",
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"city\":"}}}}}"#,
    ),
    (
        "",
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"\"Bern\"}"}}}}}"#,
    ),
    ("", r#"{"type":"tool-call-end","index":0}"#),
    (
        "",
        r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":12,"output_tokens":9},"tokens":{"input_tokens":80,"output_tokens":12}}}}"#,
    ),
];
const OLLAMA: &str = r#"{"model":"m","message":{"role":"assistant","content":"42","thinking":"six times seven"},"done":true,"done_reason":"length","prompt_eval_count":12,"eval_count":9}"#;
const OLLAMA_STREAM: &[(&str, &str)] = &[
    ("", r#"{"model":"m","message":{"role":"assistant","content":"","thinking":"six times "},"done":false}"#),
    ("", r#"{"model":"m","message":{"role":"assistant","content":"","thinking":"seven"},"done":false}"#),
    ("", r#"{"model":"m","message":{"role":"assistant","content":"42"},"done":false}"#),
    (
        "",
        r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"length","prompt_eval_count":12,"eval_count":9}"#,
    ),
];

const ROWS: &[Row] = &[
    (Dialect::Chat, CHAT, CHAT_STREAM, (4, 3), "tool_calls"),
    (Dialect::Chat, MISTRAL, MISTRAL_STREAM, (0, 0), "length"),
    (Dialect::Responses, RESPONSES, RESPONSES_STREAM, (4, 3), "tool_calls"),
    (Dialect::Responses, REFUSED, REFUSED_STREAM, (0, 0), "content_filter"),
    (Dialect::Messages, MESSAGES, MESSAGES_STREAM, (4, 0), "tool_calls"),
    (Dialect::Gemini, GEMINI, GEMINI_STREAM, (4, 3), "tool_calls"),
    (Dialect::Converse, CONVERSE, CONVERSE_STREAM, (4, 0), "tool_calls"),
    (Dialect::Cohere, COHERE, COHERE_STREAM, (0, 0), "tool_calls"),
    (Dialect::Ollama, OLLAMA, OLLAMA_STREAM, (0, 0), "length"),
];

#[test]
fn whole_and_streamed_are_the_same_answer() {
    for (dialect, whole, stream, (cached, reasoned), finish) in ROWS {
        let plain = said(&read_answer(*dialect, whole.as_bytes()).unwrap());
        let expect = Said {
            reasoning: if *finish == "content_filter" { String::new() } else { "six times seven".to_owned() },
            text: "42".to_owned(),
            calls: match *finish {
                "tool_calls" => vec![("f".to_owned(), serde_json::json!({"city": "Bern"}))],
                _ => Vec::new(),
            },
            // Gemini's dialect itself says STOP beside a call; what it means is told once the call was seen.
            finish: if *dialect == Dialect::Gemini { plain.finish } else { finish },
            usage: (12 - cached, *cached, 9 - reasoned, *reasoned),
        };
        assert_eq!(plain, expect, "{dialect:?}, whole");
        assert_eq!(streamed(*dialect, stream), plain, "{dialect:?}, streamed");
    }
}
