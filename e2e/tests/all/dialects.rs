//! Every way in to every way out, against providers that nobody here wrote: aimock speaks each provider's own dialect.
//!
//! `cargo xtask conformance` runs this and writes `docs/conformance.md` from it.

use std::fmt::Write as _;
use std::process::Command;

use e2e::amount;
use serde_json::{Value, json};
use testkit::{Actor, Client, Lab, TestApp};
use wire::hub::{Assembly, Event, Finish, Piece, StreamReader};

use e2e::programs::{Server, node_dir};

const FIXTURES: &str = r#"{"fixtures":[
  {"match":{"userMessage":"weather"},"response":{"toolCalls":[{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}]}},
  {"match":{"userMessage":"both"},"response":{"toolCalls":[{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"},{"name":"get_time","arguments":"{\"zone\":\"CET\"}"}]}},
  {"match":{"userMessage":"think"},"response":{"content":"42 it is","reasoning":"six times seven"}},
  {"match":{"userMessage":"picture"},"response":{"content":"a red square"}},
  {"match":{"userMessage":"overload"},"response":{"error":{"message":"Overloaded","type":"overloaded_error"},"status":529}},
  {"match":{"endpoint":"image"},"response":{"image":{"b64Json":"iVBORw0KGgo="}}},
  {"match":{"endpoint":"speech"},"response":{"audio":"SUQzBAAAAAAA"}},
  {"match":{"endpoint":"transcription"},"response":{"transcription":{"text":"hello there"}}},
  {"match":{"userMessage":"hello"},"response":{"content":"Hello from a mock, in a few words."}}]}"#;

/// Protocol, and the path under which aimock serves it.
const WAYS_OUT: [(&str, &str); 10] = [
    ("openai", "/v1"),
    ("openai-responses", "/v1"),
    ("anthropic", "/v1"),
    ("gemini", "/v1beta"),
    ("vertex", "/v1/projects/p/locations/l"),
    ("bedrock", ""),
    ("cohere", ""),
    ("mistral", "/v1"),
    ("azure", "/openai"),
    ("ollama", ""),
];
pub(crate) const WAYS_IN: [&str; 5] = ["chat", "completions", "responses", "messages", "gemini"];

/// What the model is to do: its name, and the word that makes aimock do it.
pub(crate) const SCENARIOS: [(&str, &str); 6] = [
    ("text", "hello"),
    ("tools", "weather"),
    ("parallel tools", "both"),
    ("tool results", "hello"),
    ("reasoning", "think"),
    ("image", "picture"),
];

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/// Why a cell can't be: the dialect itself has no place for it. Said in the matrix, and checked to be refused or left out.
fn impossible(way_in: &str, way_out: &str, scenario: &str) -> Option<&'static str> {
    match (way_in, way_out, scenario) {
        ("completions", _, "tools" | "parallel tools" | "tool results" | "reasoning" | "image") => {
            Some("text completions have texts only")
        }
        _ => None,
    }
}

/// What aimock itself doesn't do; the translators have golden tests for it.
fn not_mocked(way_out: &str, scenario: &str) -> bool {
    matches!((way_out, scenario), ("mistral" | "azure" | "cohere" | "ollama" | "bedrock", "reasoning"))
}

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
    body
}

fn chat_messages(scenario: &str, word: &str) -> Value {
    match scenario {
        "image" => json!([{"role": "user", "content": [{"type": "text", "text": word},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}}]}]),
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
        "tool results" => json!([{"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_abc12345", "name": "get_weather", "input": {"city": "Rome"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_abc12345", "content": "sunny"},
                {"type": "text", "text": word}]}]),
        _ => json!([{"role": "user", "content": word}]),
    }
}

fn gemini_contents(scenario: &str, word: &str) -> Value {
    match scenario {
        "image" => {
            json!([{"role": "user", "parts": [{"text": word}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]}])
        }
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

/// The answer as the caller's own dialect tells it.
fn read(way_in: &str, stream: bool, body: &[u8]) -> Result<Assembly, String> {
    if way_in == "completions" {
        return completions(stream, body);
    }
    if !stream {
        let events = match way_in {
            "chat" => wire::openai_chat::read_answer(body),
            "responses" => wire::responses::read_answer(body),
            "messages" => wire::messages::read_answer(body),
            _ => wire::gemini::read_answer(body),
        };
        return events.map(|events| Assembly::of(&events)).map_err(|error| error.to_string());
    }
    let mut reader: Box<dyn StreamReader> = match way_in {
        "chat" => Box::new(wire::openai_chat::Reader::default()),
        "responses" => Box::new(wire::responses::Reader::default()),
        "messages" => Box::new(wire::messages::Reader::default()),
        _ => Box::new(wire::gemini::Reader::default()),
    };
    let mut events: Vec<Event> = Vec::new();
    let mut problem = None;
    let mut on = |item: wire::sse::Item<'_>| {
        if let wire::sse::Item::Event { name, data } = item
            && let Err(error) = reader.frame(&String::from_utf8_lossy(name), data, &mut events)
        {
            problem = Some(error.to_string());
        }
        std::ops::ControlFlow::Continue(())
    };
    let mut decoder = wire::sse::Decoder::new(1 << 20);
    decoder.feed(body, &mut on).map_err(|error| error.to_string())?;
    decoder.finish(&mut on);
    reader.end(&mut events);
    match problem {
        Some(problem) => Err(problem),
        None if !reader.is_complete() => Err("the stream has no end".to_owned()),
        None => Ok(Assembly::of(&events)),
    }
}

fn completions(stream: bool, body: &[u8]) -> Result<Assembly, String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let chunks: Vec<Value> = if stream {
        if !text.trim_end().ends_with("data: [DONE]") {
            return Err("the stream has no end".to_owned());
        }
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
    } else {
        vec![serde_json::from_str(&text).map_err(|error| error.to_string())?]
    };
    let mut events = Vec::new();
    for chunk in chunks {
        let choice = &chunk["choices"][0];
        events.extend(choice["text"].as_str().filter(|t| !t.is_empty()).map(|t| Event::Text(t.to_owned())));
        if let Some(reason) = choice["finish_reason"].as_str() {
            let (reason, native) = (Finish::read(reason), reason.to_owned());
            events.push(Event::Finish { reason, native, stop: None });
        }
    }
    Ok(Assembly::of(&events))
}

/// What is wrong with an answer; nothing when all is as it should be.
fn judge(scenario: &str, way_in: &str, answer: &Assembly) -> Result<(), String> {
    let text = answer.all_text();
    let calls: Vec<(&str, Value)> = answer
        .pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::ToolCall { id, name, arguments, .. } if way_in == "gemini" || !id.is_empty() => {
                Some((name.as_str(), serde_json::from_str(arguments).unwrap_or_default()))
            }
            _ => None,
        })
        .collect();
    let finish = answer.finish.as_ref().map(|(reason, _)| *reason);
    let want = |ok: bool, what: &str| if ok { Ok(()) } else { Err(format!("{what}: {answer:?}")) };
    match scenario {
        "text" | "tool results" => {
            want(text == "Hello from a mock, in a few words.", "the text")?;
            want(finish == Some(Finish::Stop), "the finish reason")
        }
        "image" => want(text == "a red square", "the text"),
        "tools" => {
            want(calls == [("get_weather", json!({"city": "Paris"}))], "the call")?;
            want(finish == Some(Finish::ToolCalls), "the finish reason")
        }
        "parallel tools" => want(
            calls == [("get_weather", json!({"city": "Paris"})), ("get_time", json!({"zone": "CET"}))],
            "the calls",
        ),
        _ => {
            let reasoned = answer
                .pieces
                .iter()
                .any(|p| matches!(p, Piece::Reasoning { text, .. } if text.contains("six times seven")));
            want(reasoned && text == "42 it is", "reasoning and text")
        }
    }
}

/// An error before the first byte, in the caller's own envelope.
fn judge_error(way_in: &str, status: u16, body: &Value) -> Result<(), String> {
    let message = match way_in {
        "messages" => (body["type"] == "error").then(|| body["error"]["message"].as_str()).flatten(),
        "gemini" => body["error"]["status"].as_str().and(body["error"]["message"].as_str()),
        _ => body["error"]["code"].as_u64().and(body["error"]["message"].as_str()),
    };
    match message {
        Some(message) if status >= 500 && message.contains("Overloaded") => Ok(()),
        _ => Err(format!("{status} {body}")),
    }
}

async fn cell(
    owner: &Actor,
    way_in: &str,
    way_out: &str,
    stream: bool,
    (scenario, word): (&str, &str),
) -> Result<(), String> {
    let model = format!("{way_out}/mock");
    let body = request(way_in, &model, scenario, word, stream);
    let reply = owner.request("POST", &path(way_in, &model, stream)).json(&body).send().await;
    if reply.status != 200 {
        return Err(format!("{} {}", reply.status, reply.text()));
    }
    let text = reply.text();
    if amount::cost_in(&text).is_none() {
        return Err(format!("no cost: {text}"));
    }
    judge(scenario, way_in, &read(way_in, stream, text.as_bytes())?)
}

pub(crate) async fn mock_at(folder: &std::path::Path) -> (Server, String) {
    let fixtures = folder.join("fixtures.json");
    std::fs::write(&fixtures, FIXTURES).expect("write the fixtures");
    let addr = testkit::upstream::refused_addr();
    let mut command = Command::new(node_dir().join("node_modules/.bin/llmock"));
    command.args(["-p", &addr.port().to_string(), "-f"]).arg(&fixtures);
    let log = folder.join("mock.log");
    let mut server = Server::start(command, &log);
    testkit::eventually("aimock to answer", || {
        assert!(server.is_running(), "aimock ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
        async move { Client::new(addr).get("/v1/models").try_send().await.ok() }
    })
    .await;
    (server, format!("http://{addr}"))
}

/// A provider's refusal reaches each caller in its own envelope, with the provider's words.
async fn errors(owner: &Actor) {
    let pairs = WAYS_IN.iter().map(|way_in| (*way_in, "openai"));
    // One provider per caller: after failures a provider rests.
    for ((way_in, _), (way_out, _)) in pairs.zip(WAYS_OUT) {
        let model = format!("{way_out}/mock");
        let body = request(way_in, &model, "error", "overload", way_in == "chat");
        let reply = owner.request("POST", &path(way_in, &model, false)).json(&body).send().await;
        let judged = judge_error(way_in, reply.status, &reply.json());
        assert!(judged.is_ok(), "{way_in} -> {way_out}: {judged:?}");
    }
}

#[tokio::test]
async fn every_way_in_reaches_every_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, url) = mock_at(folder.path()).await;
    let mut builder = TestApp::builder();
    for (protocol, base) in WAYS_OUT {
        let lab = Lab::at_url(protocol, &format!("{url}{base}"))
            .set("protocol", &format!("\"{protocol}\""))
            .model(&format!("{protocol}/mock"), "1", "2")
            .takes(&["text", "image"]);
        builder = builder.lab(lab);
    }
    let app = builder.start().await;
    let owner = app.owner();
    errors(&owner).await;
    let (mut failures, mut table, mut passed) = (Vec::new(), String::new(), 0);
    for way_in in WAYS_IN {
        for (way_out, _) in WAYS_OUT {
            let _ = write!(table, "| {way_in} | {way_out} |");
            for scenario in SCENARIOS {
                if impossible(way_in, way_out, scenario.0).is_some() {
                    table.push_str(" n/a |");
                    continue;
                }
                if not_mocked(way_out, scenario.0) {
                    table.push_str(" golden |");
                    continue;
                }
                let mut marks = Vec::new();
                for stream in [false, true] {
                    match cell(&owner, way_in, way_out, stream, scenario).await {
                        Ok(()) => {
                            passed += 1;
                            marks.push("yes");
                        }
                        Err(problem) => {
                            marks.push("NO");
                            failures.push(format!(
                                "{way_in} -> {way_out} {scenario:?} stream={stream}: {problem}"
                            ));
                        }
                    }
                }
                let _ = write!(
                    table,
                    " {} |",
                    if marks == ["yes", "yes"] { "yes".to_owned() } else { marks.join("/") }
                );
            }
            table.push('\n');
        }
    }
    if let Ok(file) = std::env::var("TOLLWAY_E2E_CONFORMANCE") {
        std::fs::write(&file, page(&table, passed)).expect("write the page");
    }
    assert!(failures.is_empty(), "{} cells failed:\n{}", failures.len(), failures.join("\n"));
}

fn page(table: &str, passed: usize) -> String {
    let heads: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    format!(
        "# Conformance of the dialects\n\nWritten by `cargo xtask conformance`: every way in to every way out, each cell \
         plain and streamed, against [aimock](https://www.npmjs.com/package/@copilotkit/aimock), which speaks each \
         provider's own dialect. {passed} calls passed in this run.\n\n\
         - yes: plain and streamed; text, calls with their arguments, finish reason, error envelope and cost are as they should be.\n\
         - golden: the mock can't play it; the translator's own golden tests cover it.\n\
         - n/a: impossible, since text completions have texts only; a request for it has no field to ask by.\n\n\
         | in | out | {} |\n|{}\n{table}",
        heads.join(" | "),
        " --- |".repeat(heads.len() + 2)
    )
}
