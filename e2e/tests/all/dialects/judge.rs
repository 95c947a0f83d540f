//! What an answer of the matrix must be.

use serde_json::{Value, json};
use wire::hub::{Assembly, Event, Finish, Piece, StreamReader};

/// The answer as the caller's own dialect tells it.
pub(crate) fn read(way_in: &str, stream: bool, body: &[u8]) -> Result<Assembly, String> {
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
pub(crate) fn judge(scenario: &str, way_in: &str, answer: &Assembly) -> Result<(), String> {
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
        "image" | "PDF" => want(text == "a red square", "the text"),
        "structured" => want(text == "{\"a\":\"b\"}", "the text"),
        "cache" | "stop" => want(text == "Hello from a mock, in a few words.", "the text"),
        "length" => want(finish == Some(Finish::Length), "the finish reason"),
        "refusal" => want(finish == Some(Finish::ContentFilter), "the finish reason"),
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

/// An error before the first byte: in the caller's own envelope, with the provider's words and its status.
pub(crate) fn judge_error(way_in: &str, status: u16, body: &Value) -> Result<(), String> {
    let message = match way_in {
        "messages" => (body["type"] == "error").then(|| body["error"]["message"].as_str()).flatten(),
        "gemini" => body["error"]["status"].as_str().and(body["error"]["message"].as_str()),
        _ => body["error"]["code"].as_u64().and(body["error"]["message"].as_str()),
    };
    match message {
        Some(message) if status == 400 && message.contains("Not like this") => Ok(()),
        _ => Err(format!("{status} {body}")),
    }
}
