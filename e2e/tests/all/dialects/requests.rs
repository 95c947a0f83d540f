//! The requests of the matrix: each scenario in each caller's dialect.

use serde_json::{Value, json};

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const PDF: &str = "JVBERi0xLjQKJSVFT0YK";

fn tools_of(way_in: &str) -> Value {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}, "zone": {"type": "string"}}});
    let names = ["get_weather", "get_time"];
    match way_in {
        "chat" => names
            .iter()
            .map(|n| json!({"type": "function", "function": {"name": n, "parameters": schema}}))
            .collect(),
        "responses" => {
            names.iter().map(|n| json!({"type": "function", "name": n, "parameters": schema})).collect()
        }
        "messages" => names.iter().map(|n| json!({"name": n, "input_schema": schema})).collect(),
        _ => {
            json!([{"functionDeclarations": names.iter().map(|n| json!({"name": n, "parametersJsonSchema": schema})).collect::<Vec<_>>()}])
        }
    }
}

/// The request of a scenario in a caller's dialect.
pub(crate) fn request(way_in: &str, model: &str, scenario: &str, word: &str, stream: bool) -> Value {
    let mut body = match way_in {
        "chat" => {
            json!({"model": model, "messages": chat_messages(scenario, word), "max_tokens": 200, "stream": stream})
        }
        "completions" => json!({"model": model, "prompt": word, "max_tokens": 200, "stream": stream}),
        "responses" => {
            json!({"model": model, "input": response_items(scenario, word), "max_output_tokens": 200, "stream": stream, "store": false})
        }
        "messages" => {
            json!({"model": model, "messages": anthropic_messages(scenario, word), "max_tokens": 200, "stream": stream})
        }
        _ => {
            json!({"contents": gemini_contents(scenario, word), "generationConfig": {"maxOutputTokens": 200}})
        }
    };
    if scenario.contains("tool") && way_in != "completions" {
        body["tools"] = tools_of(way_in);
    }
    match scenario {
        "structured" => structure(way_in, &mut body),
        "stop" => match way_in {
            "messages" => body["stop_sequences"] = json!(["HALT"]),
            "gemini" => body["generationConfig"]["stopSequences"] = json!(["HALT"]),
            _ => body["stop"] = json!(["HALT"]),
        },
        "cache" if way_in == "responses" => body["prompt_cache_key"] = json!("conversation-1"),
        _ => (),
    }
    body
}

fn structure(way_in: &str, body: &mut Value) {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    match way_in {
        "chat" => {
            body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": schema}});
        }
        "responses" => {
            body["text"] =
                json!({"format": {"type": "json_schema", "name": "s", "strict": true, "schema": schema}});
        }
        "messages" => body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}}),
        _ => {
            body["generationConfig"]["responseMimeType"] = json!("application/json");
            body["generationConfig"]["responseJsonSchema"] = schema;
        }
    }
}

fn chat_messages(scenario: &str, word: &str) -> Value {
    match scenario {
        "image" => json!([{"role": "user", "content": [{"type": "text", "text": word},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}}]}]),
        "PDF" => json!([{"role": "user", "content": [{"type": "text", "text": word},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}}]}]),
        "cache" => {
            json!([{"role": "system", "content": [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": word}])
        }
        "tool results" => json!([{"role": "user", "content": "q"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_abc12345", "type": "function",
                "function": {"name": "get_weather", "arguments": "{\"city\":\"Rome\"}"}}]},
            {"role": "tool", "tool_call_id": "call_abc12345", "content": "sunny"}, {"role": "user", "content": word}]),
        _ => json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": word}]),
    }
}

fn response_items(scenario: &str, word: &str) -> Value {
    match scenario {
        "image" => json!([{"role": "user", "content": [{"type": "input_text", "text": word},
            {"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")}]}]),
        "PDF" => json!([{"role": "user", "content": [{"type": "input_text", "text": word},
            {"type": "input_file", "filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}]}]),
        "tool results" => json!([{"role": "user", "content": "q"},
            {"type": "function_call", "call_id": "call_abc12345", "name": "get_weather", "arguments": "{\"city\":\"Rome\"}"},
            {"type": "function_call_output", "call_id": "call_abc12345", "output": "sunny"}, {"role": "user", "content": word}]),
        _ => json!(word),
    }
}

fn anthropic_messages(scenario: &str, word: &str) -> Value {
    match scenario {
        "image" => json!([{"role": "user", "content": [{"type": "text", "text": word},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}]),
        "PDF" => json!([{"role": "user", "content": [{"type": "text", "text": word},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}]}]),
        "cache" => {
            json!([{"role": "user", "content": [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": word}]}])
        }
        "tool results" => json!([{"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_abc12345", "name": "get_weather", "input": {"city": "Rome"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_abc12345", "content": "sunny"},
                {"type": "text", "text": word}]}]),
        _ => json!([{"role": "user", "content": word}]),
    }
}

fn gemini_contents(scenario: &str, word: &str) -> Value {
    let inline = |media: &str, data: &str| json!([{"role": "user", "parts": [{"text": word}, {"inlineData": {"mimeType": media, "data": data}}]}]);
    match scenario {
        "image" => inline("image/png", PNG),
        "PDF" => inline("application/pdf", PDF),
        "tool results" => json!([{"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"output": "sunny"}}}, {"text": word}]}]),
        _ => json!([{"role": "user", "parts": [{"text": word}]}]),
    }
}

pub(crate) fn path(way_in: &str, model: &str, stream: bool) -> String {
    match way_in {
        "chat" => "/v1/chat/completions".to_owned(),
        "completions" => "/v1/completions".to_owned(),
        "responses" => "/v1/responses".to_owned(),
        "messages" => "/v1/messages?beta=true".to_owned(),
        _ if stream => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        _ => format!("/v1beta/models/{model}:generateContent"),
    }
}
