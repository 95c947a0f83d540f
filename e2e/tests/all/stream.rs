//! Streams: what is relayed, where the usage and the cost stand, and how a stream ends.

use e2e::amount;
use serde_json::{Value, json};
use testkit::sse::{self, Event};
use testkit::{FakeUpstream, Gate, Lab, Reply, Script, TestApp, Tokens, ask_stream};
use types::Money;

const WORDS: &[&str] = &["gr\u{fc}n", " \u{1f34f}", " \"quoted\"", "\n\nlines"];
const TOKENS: Tokens = Tokens { prompt: 1000, completion: 7, cached: 0, reasoning: 0 };
/// 1000 x $1 + 7 x $2 per million.
const COST: Money = Money::from_nanos(1_014_000);

/// The data chunks of a stream that ended with `[DONE]`.
fn chunks(reply: &Reply) -> Vec<Value> {
    let mut events = reply.events();
    assert_eq!(events.pop(), Some(Event::Done), "{}", reply.text());
    events.into_iter().map(|event| event.json().expect("a JSON chunk").clone()).collect()
}

async fn streamed(app: &TestApp) -> Reply {
    app.owner().stream("lab/tiny").await.rest().await.expect(200)
}

#[tokio::test]
async fn usage_and_cost_are_in_the_last_chunk_and_nowhere_else() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let rows = [
        ("a chunk of its own", Script::chat_stream(WORDS, TOKENS)),
        ("with the finish", Script::usage_in_finish_chunk(WORDS, TOKENS)),
        ("in every chunk", Script::usage_every_chunk(WORDS, TOKENS)),
        ("without [DONE]", Script::stream_without_done(WORDS, TOKENS)),
    ];
    for (name, script) in rows {
        upstream.push(script);
        let reply = streamed(&app).await;
        let chunks = chunks(&reply);
        assert_eq!(sse::text(&reply.events()), WORDS.concat(), "{name}");
        let last = chunks.last().expect("a chunk");
        assert_eq!(last["usage"]["completion_tokens"], 7, "{name}: {last}");
        assert_eq!(amount::cost_in(&reply.text()), Some(COST), "{name}: {last}");
        for chunk in &chunks {
            assert_eq!(chunk["id"], chunks[0]["id"], "{name}: one id");
            assert_eq!(chunk["model"], "lab/tiny", "{name}");
            assert!(chunk["provider"].is_string(), "{name}: {chunk}");
        }
        let costs = chunks.iter().filter(|chunk| chunk["usage"].get("cost").is_some()).count();
        assert_eq!(costs, 1, "{name}: {}", reply.text());
        let id = reply.generation_id();
        assert_eq!(chunks[0]["id"], json!(id), "{name}");
        let record = app.owner().generation(&id).await;
        assert_eq!(amount::text_field(&record, "total_cost"), Some(COST), "{name}");
        assert_eq!(record["streamed"], true);
    }
    let asked = upstream.request(0).await.json();
    assert_eq!(asked["stream_options"]["include_usage"], true, "usage is asked for upstream");
}

#[tokio::test]
async fn a_cut_anywhere_changes_nothing() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let script = Script::chat_stream(WORDS, TOKENS);
    upstream.push(script.clone());
    let whole: Vec<Value> = without_ids(chunks(&streamed(&app).await));
    upstream.push(script.clone().split_every(1));
    assert_eq!(without_ids(chunks(&streamed(&app).await)), whole, "byte by byte");
    for cut in (1..script.body_bytes()).step_by(11) {
        upstream.push(script.clone().split_at(cut));
        assert_eq!(without_ids(chunks(&streamed(&app).await)), whole, "cut at {cut}");
    }
}

fn without_ids(mut chunks: Vec<Value>) -> Vec<Value> {
    chunks.iter_mut().for_each(|chunk| chunk["id"] = Value::Null);
    chunks
}

#[tokio::test]
async fn a_word_is_relayed_before_the_next_is_spoken() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let gate = Gate::new();
    upstream.push(Script::words(&["first"]).wait_for(&gate).done());
    let mut body = app.owner().stream("lab/tiny").await;
    let mut heard = String::new();
    while !heard.contains("first") {
        let event = body.event().await.expect("the first word while the provider waits");
        heard.push_str(&sse::text(&[event]));
    }
    gate.open();
    assert_eq!(body.rest().await.events().last(), Some(&Event::Done));
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_goes_on() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let app = TestApp::builder().lab(lab).set("upstream.keep_alive_ms", "50").start().await;
    let ask = |path: &str, body: Value| app.owner().request("POST", path).json(&body);
    let messages = json!([{"role": "user", "content": "q"}]);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "q"}]}]});
    let rows = [
        ("/v1/chat/completions", ask_stream("lab/tiny"), ": keep-alive\n\n"),
        (
            "/v1/messages",
            json!({"model": "lab/tiny", "max_tokens": 9, "messages": messages, "stream": true}),
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        ),
        ("/v1beta/models/lab/tiny:streamGenerateContent?alt=sse", gemini.clone(), ": keep-alive\r\n\r\n"),
        ("/v1beta/models/lab/tiny:streamGenerateContent", gemini, "\r\n\r\n"),
    ];
    for (path, body, sign) in rows {
        let gate = Gate::new();
        upstream.push(Script::words(&["first"]).wait_for(&gate).finish(&["last"], TOKENS));
        let mut reply = ask(path, body).open().await;
        let mut heard = String::new();
        // Twice: the first may come with the words.
        while heard.matches(sign).count() < 2 {
            let piece =
                reply.piece().await.expect("a stream").expect("a sign of life while the provider waits");
            heard.push_str(&String::from_utf8_lossy(&piece));
        }
        gate.open();
        let rest = reply.rest().await.text();
        assert!(heard.contains("first") && rest.contains("last"), "{path}: {heard}{rest}");
        if path.ends_with("Content") {
            let whole: Value = serde_json::from_str(&(heard + &rest)).expect("one JSON array all the same");
            assert!(whole.as_array().is_some_and(|list| list.len() > 1), "{whole}");
        }
    }
}

#[tokio::test]
async fn frames_are_the_providers_own_bytes() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let part = "\"choices\" : [ {\"index\":0,\"delta\":{\"content\":\"a\\u0062\",\"x\":1.50e+2},\"finish_reason\":null}]";
    let odd = format!("data:{{\"id\":\"c\",\"model\":\"m\",{part}, \"obfuscation\":\"zz\"}}\r\n\r\n");
    let finish = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\
                  \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\r\n\r\n";
    let script = Script::stream()
        .chunk(": comment\r\n\r\n")
        .chunk(odd)
        .chunk(finish)
        .chunk("data: [DONE]\r\n\r\n")
        .end();
    upstream.push(script);
    let reply = streamed(&app).await;
    let text = reply.text();
    assert!(text.contains(part), "{text}");
    assert!(text.contains("\"obfuscation\":\"zz\""), "{text}");
    assert!(chunks(&reply).len() >= 2, "{text}");
}

#[tokio::test]
async fn a_stream_that_never_says_its_usage_is_estimated() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    upstream.push(Script::stream_without_usage(WORDS));
    let reply = streamed(&app).await;
    let cost = amount::cost_in(&reply.text()).expect("a cost");
    assert!(cost > Money::ZERO, "delivered words are not free");
    let record = app.owner().generation(&reply.generation_id()).await;
    assert_eq!(amount::text_field(&record, "total_cost"), Some(cost));
    assert_eq!(record["usage_source"], "estimated", "the record says so: {record}");
    assert!(record["usage_rule"].as_str().is_some_and(|rule| rule.contains("o200k")), "{record}");
}

#[tokio::test]
async fn what_nobody_counts_is_counted_by_a_tokenizer() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    upstream.answer_with(|_| {
        Script::stream_without_usage(&["Internationalization", " is tiring", ".", " 你好，世界"])
    });
    let mut body = ask_stream("lab/tiny");
    body["messages"] = json!([{"role": "user", "content": "tiktoken is great!"}]);
    let reply = app.owner().chat_request(&body).send().await.expect(200);
    let record = app.owner().generation(&reply.generation_id()).await;
    let usage = (record["tokens_prompt"].as_u64(), record["tokens_completion"].as_u64());
    // Six of text, one of the role, a line end, three of the message's frame; and as that vocabulary says.
    assert_eq!(usage, (Some(11), Some(9)), "{record}");
    // The same from somewhere else.
    let reply = app
        .owner()
        .post(
            "/v1/messages/count_tokens",
            &json!({
                "model": "lab/tiny", "messages": [{"role": "user", "content": "tiktoken is great!"}]
            }),
        )
        .await
        .expect(200);
    assert_eq!((reply.json()["input_tokens"].as_u64(), &reply.json()["estimated"]), (Some(11), &json!(true)));
}

#[tokio::test]
async fn tool_calls_stream_in_their_fragments() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    upstream.push(Script::tool_call_stream("get_weather", ("{\"city\":", "\"Bern\"}"), TOKENS));
    let chunks = chunks(&streamed(&app).await);
    let arguments: String = chunks
        .iter()
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/function/arguments")?.as_str())
        .collect();
    assert_eq!(arguments, "{\"city\":\"Bern\"}");
    assert!(
        chunks.iter().any(|chunk| chunk.pointer("/choices/0/finish_reason") == Some(&json!("tool_calls")))
    );
}

#[tokio::test]
async fn include_usage_is_served_as_openai_does() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    upstream.push(Script::chat_stream(WORDS, TOKENS));
    let mut body = ask_stream("lab/tiny");
    body["stream_options"] = json!({ "include_usage": true });
    let reply = app.owner().chat_request(&body).send().await.expect(200);
    let last = chunks(&reply).pop().expect("a chunk");
    assert_eq!(last["usage"]["prompt_tokens"], 1000, "{last}");
    assert_eq!(last["choices"], json!([]), "{last}");
}
