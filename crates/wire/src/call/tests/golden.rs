//! Golden files: one rich request of each caller as every provider gets it, and every provider's answer as each caller does.
//! `cargo insta review` shows what a change does to them.

use serde_json::{Value, json};
use types::{Money, Usage, UsageSource};

use super::ROWS;
use crate::call::{Call, PathSays};
use crate::hub::{Dialect, Fetched, Flavor, Ident, Outgoing, Settlement, Target};
use crate::openai_chat::Adapt;

const PNG: &str = "iVBORw0KGgo=";
const PDF: &str = "JVBERi0xLjQ=";
const PROVIDERS: [Dialect; 7] = [
    Dialect::Chat,
    Dialect::Responses,
    Dialect::Messages,
    Dialect::Gemini,
    Dialect::Converse,
    Dialect::Cohere,
    Dialect::Ollama,
];

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": ["integer", "null"], "default": 3},
        "unit": {"$ref": "#/$defs/unit"}}, "required": ["city"], "additionalProperties": false, "$defs": {"unit": {"enum": ["C", "F"]}}})
}

/// Instructions, an image, a file, reasoning with its proof, two calls at once with results of which one failed, a cached
/// prefix, tools with a schema, and settings that not everybody has.
fn chat() -> Value {
    json!({"model": "a/b", "stream": false, "max_completion_tokens": 300, "temperature": 0.7, "top_k": 40, "seed": 7, "stop": ["HALT"],
        "user": "u-1", "service_tier": "flex", "logit_bias": {"5": 1}, "reasoning": {"effort": "high"}, "parallel_tool_calls": false,
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "tools": [{"type": "function", "function": {"name": "weather", "description": "Looks it up.", "parameters": schema()}}],
        "provider": {"only": ["x"]}, "trace": {"trace_id": "t"}, "odd": 1,
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}"), "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}}]},
            {"role": "assistant", "content": "Looking.", "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}],
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bern\"}"}},
                    {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "snow"}]},
            {"role": "user", "content": "And tomorrow?"}]})
}

fn responses() -> Value {
    json!({"model": "a/b", "max_output_tokens": 300, "temperature": 0.7, "store": false, "truncation": "disabled", "safety_identifier": "u-1",
        "instructions": "Be brief.", "reasoning": {"effort": "high", "summary": "auto"}, "parallel_tool_calls": true, "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "report", "strict": true, "schema": schema()}, "verbosity": "low"},
        "tools": [{"type": "function", "name": "weather", "parameters": schema(), "strict": false}, {"type": "web_search"}], "tool_choice": "auto",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")},
                {"type": "input_file", "filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "sealed"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Bern\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            {"role": "user", "content": "And tomorrow?"}]})
}

fn messages() -> Value {
    json!({"model": "a/b", "max_tokens": 4000, "top_p": 0.9, "stop_sequences": ["HALT"], "metadata": {"user_id": "u-1"}, "service_tier": "auto",
        "thinking": {"type": "enabled", "budget_tokens": 2048}, "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [{"name": "weather", "description": "Looks it up.", "input_schema": schema(), "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                {"type": "document", "title": "a", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "citations": {"enabled": true}}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Oslo"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [{"type": "text", "text": "no such place"}]},
                {"type": "text", "text": "And tomorrow?"}]}]})
}

fn gemini() -> Value {
    json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"maxOutputTokens": 300, "temperature": 0.7, "topK": 40, "seed": 7, "stopSequences": ["HALT"],
            "responseMimeType": "application/json", "responseJsonSchema": schema(), "thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": true}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "tools": [{"functionDeclarations": [{"name": "weather", "description": "Looks it up.", "parametersJsonSchema": schema()}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "contents": [
            {"role": "user", "parts": [{"text": "What is this?"}, {"inlineData": {"mimeType": "image/png", "data": PNG}},
                {"inlineData": {"mimeType": "application/pdf", "data": PDF}}]},
            {"role": "model", "parts": [{"text": "hm", "thought": true},
                {"functionCall": {"name": "weather", "args": {"city": "Bern"}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"output": "sunny"}}},
                {"functionResponse": {"name": "weather", "response": {"error": "no such place"}}}, {"text": "And tomorrow?"}]}]})
}

fn completions() -> Value {
    json!({"model": "a/b", "prompt": "Once upon", "max_tokens": 30, "temperature": 0.7, "stop": "\n", "logprobs": 2, "seed": 7, "user": "u-1"})
}

fn callers() -> [(Dialect, Value); 5] {
    [
        (Dialect::Chat, chat()),
        (Dialect::Completions, completions()),
        (Dialect::Responses, responses()),
        (Dialect::Messages, messages()),
        (Dialect::Gemini, gemini()),
    ]
}

fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

/// The same without the file, for providers that take none.
fn without_file(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|part| !part.to_string().contains(PDF) || part.get("role").is_some());
            list.iter_mut().for_each(without_file);
        }
        Value::Object(map) => map.values_mut().for_each(without_file),
        _ => (),
    }
}

/// The request as this provider gets it, and what is said about it; an error when it can't.
fn sent(caller: Dialect, body: &Value, to: Dialect) -> Result<String, String> {
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    let body = body.to_string();
    let says = PathSays { model: Some("a/b"), stream: false, memory: None };
    let call = Call::scan(caller, body.as_bytes(), &says).unwrap();
    let target = Target {
        model: "theirs",
        max_output_tokens: Some(8_192),
        flavor: Flavor::Direct,
        adapt: &adapt,
        structured_output: Some(true),
        reasoning: Some(true),
        fetched: &fetched,
        auto_cache: false,
    };
    let out = call.outgoing(to, &target).map_err(|impossible| format!("impossible: {impossible}\n"))?;
    let mut golden = pretty(&out.body);
    golden.push('\n');
    for (name, value) in &out.headers {
        golden.push_str(&format!("header {name}: {value}\n"));
    }
    for warning in &out.warnings {
        golden.push_str(&format!("{} {}: {}\n", warning.code, warning.pointer, warning.message));
    }
    Ok(golden)
}

#[test]
fn requests() {
    for (caller, mut body) in callers() {
        let mut golden = String::new();
        for to in PROVIDERS {
            golden.push_str(&format!("== to {} ==\n", to.name()));
            match sent(caller, &body, to) {
                Ok(sent) => golden.push_str(&sent),
                Err(impossible) => {
                    golden.push_str(&impossible);
                    without_file(&mut body);
                    golden.push_str(&format!("without the file:\n{}", sent(caller, &body, to).unwrap()));
                }
            }
        }
        insta::assert_snapshot!(format!("request_{}", caller.name()), golden);
    }
}

fn settlement() -> Settlement {
    Settlement {
        usage: Usage { input: 8, cache_read: 4, output: 6, reasoning: 3, ..Usage::default() },
        source: UsageSource::Provider,
        cost: Money::from_nanos(21_000),
        input_cost: Money::from_nanos(12_000),
        output_cost: Money::from_nanos(9_000),
        own_key_cost: None,
        warnings: Vec::new(),
        metadata: None,
    }
}

#[test]
fn answers() {
    for (caller, body) in callers() {
        let body = body.to_string();
        let says = PathSays { model: Some("a/b"), stream: true, memory: None };
        let call = Call::scan(caller, body.as_bytes(), &says).unwrap();
        let mut golden = String::new();
        for (from, whole, frames, ..) in ROWS {
            let ident = Ident {
                id: "gen-1700000000-AAAAAAAAAAAAAAAAAAAA".to_owned(),
                model: "\"a/b\"".to_owned(),
                provider: "\"Lab\"".to_owned(),
                created: 1_700_000_000,
                ..Ident::default()
            };
            let bytes = caller == *from;
            let undo = call.undo(&Outgoing::default(), &ident.id);
            let plain = call.plain(*from, bytes, whole.as_bytes(), undo.clone()).unwrap();
            let rendered = plain.render(whole.as_bytes(), &ident, &settlement());
            golden.push_str(&format!("== from {} ==\n{}\n", from.name(), pretty(&rendered)));
            let mut carry = call.carry(*from, bytes, ident, undo);
            let mut out = Vec::new();
            for (name, data) in *frames {
                carry.frame(name, data.as_bytes(), &mut out).unwrap();
            }
            carry.end(&mut out);
            assert!(carry.is_complete());
            carry.last(&settlement(), &mut out);
            golden.push_str(&String::from_utf8(out).unwrap());
        }
        insta::assert_snapshot!(format!("answer_{}", caller.name()), golden);
    }
}
