//! What a translation costs beside the byte path: time for a request of 2 KB and its answer, time for a frame of a stream,
//! memory for a request of 5 MB. In an optimized build of its own, which this starts.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use testkit::{FakeUpstream, Lab, Script, TestApp};
use types::{Usage, UsageSource};
use wire::call::{Call, PathSays};
use wire::hub::{Dialect, Event, Fetched, Flavor, Ident, Settlement, StreamReader, Target};
use wire::openai_chat::Adapt;

use crate::sh;

const TURNS: usize = 2_000;
const LARGE_BYTES: usize = 5 << 20;
/// The goals: microseconds more than the byte path, microseconds a frame, and memory beside the body as its multiple.
const GOALS: (f64, f64, f64) = (60.0, 50.0, 1.5);

const IN: [(&str, Dialect); 4] = [
    ("chat", Dialect::Chat),
    ("responses", Dialect::Responses),
    ("messages", Dialect::Messages),
    ("gemini", Dialect::Gemini),
];
const OUT: [(&str, Dialect); 6] = [
    ("openai", Dialect::Chat),
    ("openai-responses", Dialect::Responses),
    ("anthropic", Dialect::Messages),
    ("gemini", Dialect::Gemini),
    ("bedrock", Dialect::Converse),
    ("cohere", Dialect::Cohere),
];

/// Builds this program and Tollway optimized, and measures there.
pub fn run() -> Result<bool> {
    let mut build = sh::cargo();
    build.args(["build", "--release", "--locked", "--bins", "--package", "tollway", "--package", "xtask"]);
    sh::run(&mut build)?;
    let release = sh::target_dir().join("release");
    let mut measure = std::process::Command::new(release.join("xtask"));
    sh::from_root(&mut measure);
    measure.args(["eval", "dialects", "--measure"]).env("TOLLWAY_BIN", release.join("tollway"));
    Ok(measure.status().context("measuring")?.success())
}

/// Prints the table; true when every goal is met.
pub fn measure() -> Result<bool> {
    let mut worst = 0f64;
    println!(
        "| in | out | request, us | answer, us | more than the byte path, us |\n| --- | --- | --- | --- | --- |"
    );
    let mut bytes_path = 0.0;
    for (way_in, from) in IN {
        for (way_out, to) in OUT {
            let (request, answer) = (request_us(from, to)?, answer_us(from, to)?);
            let whole = request + answer;
            if (from, to) == (Dialect::Chat, Dialect::Chat) {
                bytes_path = whole;
            }
            let more = whole - bytes_path;
            worst = worst.max(more);
            println!("| {way_in} | {way_out} | {request:.1} | {answer:.1} | {more:.1} |");
        }
    }
    let frame = frame_us();
    println!("\none frame of a stream, anthropic to chat: {frame:.2} us");
    let memory = memory()?;
    let (time_goal, frame_goal, memory_goal) = GOALS;
    println!("memory beside a body of 5 MB: {memory:.2} times the body");
    println!("worst translation: {worst:.1} us more than the byte path (goal {time_goal})");
    Ok(worst <= time_goal && frame <= frame_goal && memory <= memory_goal)
}

/// A request of about 2 KB in a caller's dialect.
fn body(dialect: Dialect) -> String {
    let text = "A gateway forwards what it is given, and says what it cost. ".repeat(22);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string", "description": "Which city"},
        "days": {"type": "integer"}}, "required": ["city"]});
    match dialect {
        Dialect::Responses => json!({"model": "a/b", "instructions": "Be brief.", "input": [{"role": "user", "content": text}],
            "tools": [{"type": "function", "name": "get_weather", "description": "The weather", "parameters": schema}],
            "max_output_tokens": 400, "temperature": 0.5, "store": false}),
        Dialect::Messages => json!({"model": "a/b", "system": "Be brief.", "messages": [{"role": "user", "content": text}],
            "tools": [{"name": "get_weather", "description": "The weather", "input_schema": schema}], "max_tokens": 400, "temperature": 0.5}),
        Dialect::Gemini => json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "tools": [{"functionDeclarations": [{"name": "get_weather", "description": "The weather", "parametersJsonSchema": schema}]}],
            "generationConfig": {"maxOutputTokens": 400, "temperature": 0.5}}),
        _ => json!({"model": "a/b", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}],
            "tools": [{"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": schema}}],
            "max_tokens": 400, "temperature": 0.5}),
    }
    .to_string()
}

/// A whole answer of about 700 bytes in a provider's dialect.
fn answer(dialect: Dialect) -> String {
    let text = "It will be sunny all day long. ".repeat(12);
    match dialect {
        Dialect::Responses => json!({"id": "resp_1", "object": "response", "status": "completed", "output": [{"type": "message",
            "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]}],
            "usage": {"input_tokens": 400, "output_tokens": 90, "total_tokens": 490}}),
        Dialect::Messages => json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 400, "output_tokens": 90}}),
        Dialect::Gemini => json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 400, "candidatesTokenCount": 90, "totalTokenCount": 490}}),
        Dialect::Converse => json!({"output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "end_turn", "usage": {"inputTokens": 400, "outputTokens": 90, "totalTokens": 490}}),
        Dialect::Cohere => json!({"id": "c", "finish_reason": "COMPLETE", "message": {"role": "assistant",
            "content": [{"type": "text", "text": text}]}, "usage": {"tokens": {"input_tokens": 400, "output_tokens": 90}}}),
        _ => json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}], "usage": {"prompt_tokens": 400, "completion_tokens": 90, "total_tokens": 490}}),
    }
    .to_string()
}

/// The median of many turns, microseconds.
fn median_us(mut turn: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let start = Instant::now();
        turn()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let median = times.get(TURNS / 2).copied().unwrap_or(Duration::ZERO);
    Ok(median.as_secs_f64() * 1e6)
}

fn request_us(from: Dialect, to: Dialect) -> Result<f64> {
    let (body, adapt, fetched) = (body(from), Adapt::default(), Fetched::new());
    let target = Target {
        model: "theirs",
        max_output_tokens: Some(8_192),
        flavor: Flavor::Direct,
        adapt: &adapt,
        structured_output: Some(true),
        reasoning: None,
        auto_cache: false,
        fetched: &fetched,
    };
    let says = PathSays { model: (from == Dialect::Gemini).then_some("a/b"), ..PathSays::default() };
    median_us(|| {
        let call = Call::scan(from, body.as_bytes(), &says)?;
        let out = call.outgoing(to, &target)?;
        ensure!(out.body.len() > 1_000, "the request is gone");
        Ok(())
    })
}

fn settlement() -> Settlement {
    Settlement {
        own_key_cost: None,
        usage: Usage { input: 400, output: 90, requests: 1, ..Usage::default() },
        source: UsageSource::Provider,
        cost: types::Money::from_nanos(1_234),
        input_cost: types::Money::from_nanos(1_000),
        output_cost: types::Money::from_nanos(234),
        warnings: Vec::new(),
        metadata: None,
    }
}

fn ident() -> Ident {
    Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"P\"".into(), ..Ident::default() }
}

fn answer_us(from: Dialect, to: Dialect) -> Result<f64> {
    let (body, answer, settlement, ident) = (body(from), answer(to), settlement(), ident());
    let says = PathSays { model: (from == Dialect::Gemini).then_some("a/b"), ..PathSays::default() };
    let call = Call::scan(from, body.as_bytes(), &says)?;
    median_us(|| {
        let plain = call.plain(to, from == to, answer.as_bytes(), wire::hub::Undo::default())?;
        let out = plain.render(answer.as_bytes(), &ident, &settlement);
        ensure!(out.len() > 300, "the answer is gone");
        Ok(())
    })
}

/// A text frame of Anthropic's made a chunk of Chat's.
fn frame_us() -> f64 {
    let frame =
        br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there"}}"#;
    let mut reader = wire::messages::Reader::default();
    let mut writer = wire::openai_chat::Writer::new(ident());
    let (mut events, mut out) = (Vec::<Event>::new(), Vec::new());
    let turn = || {
        reader.frame("content_block_delta", frame, &mut events)?;
        for event in events.drain(..) {
            wire::hub::StreamWriter::event(&mut writer, &event, &mut out);
        }
        out.clear();
        Ok(())
    };
    median_us(turn).unwrap_or(f64::MAX)
}

/// A value of `/proc/<pid>/status`, bytes.
fn status_bytes(pid: u32, key: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .context("no such line in the process's status")?;
    Ok(line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

/// What a translated request of 5 MB needs beside its own body, as a multiple of it.
fn memory() -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let upstream = FakeUpstream::start();
        upstream.always(Script::json(200, &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "stop_reason": "end_turn", "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 4, "output_tokens": 1}})));
        let lab = Lab::at("lab", &upstream).set("protocol", "\"anthropic\"").model("lab/m", "0", "0").takes(&["text", "image"]);
        let app = TestApp::builder().lab(lab).start().await;
        let ask = |bytes: usize| {
            json!({"model": "lab/m", "messages": [{"role": "user", "content": [{"type": "text", "text": "q"},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(bytes))}}]}]})
        };
        app.owner().chat_request(&ask(1_000)).send().await.expect(200);
        let large = ask(LARGE_BYTES);
        let before = status_bytes(app.pid(), "VmRSS")?;
        app.owner().chat_request(&large).send().await.expect(200);
        let peak = status_bytes(app.pid(), "VmHWM")?;
        Ok((peak.saturating_sub(before) as f64 - LARGE_BYTES as f64) / LARGE_BYTES as f64)
    })
}
