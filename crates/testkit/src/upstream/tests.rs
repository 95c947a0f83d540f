//! The scripts, seen by a plain client.

use serde_json::json;

use super::*;
use crate::http::{Client, Request};
use crate::sse::{self, Event};

fn ask(upstream: &FakeUpstream, stream: bool) -> Request {
    Client::new(upstream.addr()).request("POST", "/v1/chat/completions").json(&json!({ "stream": stream }))
}

#[tokio::test]
async fn requests_are_recorded_and_answered_in_turn() {
    let upstream = FakeUpstream::start();
    upstream.push(Script::error(429, "slow down", Some(7)));
    let refused = ask(&upstream, false).send().await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("7"));
    let streamed = ask(&upstream, true).send().await.expect(200);
    assert_eq!(sse::text(&streamed.events()), "Hello from here");
    assert_eq!(streamed.events().last(), Some(&Event::Done));
    assert_eq!(upstream.request_count(), 2);
    let second = upstream.request(1).await;
    assert_eq!((second.method(), second.path()), ("POST", "/v1/chat/completions"));
    assert_eq!(second.json(), json!({ "stream": true }));
    assert_eq!(second.over().await, Phase::Played);
}

#[tokio::test]
async fn a_split_stream_says_the_same_at_every_cut() {
    let upstream = FakeUpstream::start();
    let script = Script::chat_stream(&["gr\u{fc}n", " \u{1f34f}"], Tokens::new(1, 2));
    for cut in (1..script.body_bytes()).step_by(7) {
        upstream.push(script.clone().split_at(cut));
        let events = ask(&upstream, true).send().await.events();
        assert_eq!(sse::text(&events), "gr\u{fc}n \u{1f34f}", "cut at {cut}");
    }
    upstream.push(script.split_every(1));
    let mut body = ask(&upstream, true).open().await;
    assert_eq!(body.piece().await.unwrap().unwrap().len(), 1, "each byte is a chunk of its own");
}

#[tokio::test]
async fn broken_answers_break_as_scripted() {
    let upstream = FakeUpstream::start();
    let rows = [
        ("reset mid-stream", Script::reset_mid_stream(&["a"])),
        ("close mid-stream", Script::close_mid_stream(&["a"])),
        ("wrong length", Script::wrong_content_length()),
    ];
    for (name, script) in rows {
        upstream.push(script);
        let reply = ask(&upstream, true).send().await;
        assert!(!reply.whole && reply.status == 200, "{name}: {reply:?}");
    }
    for script in [Script::reset_before_headers(), Script::not_http()] {
        upstream.push(script);
        assert!(ask(&upstream, true).try_open().await.is_err());
    }
}

#[tokio::test]
async fn a_caller_who_leaves_is_seen() {
    let upstream = FakeUpstream::start();
    let rows = [Script::hang_before_headers(), Script::hang_mid_stream(&["a"]), Script::hang_mid_body()];
    for (number, script) in rows.into_iter().enumerate() {
        upstream.push(script);
        let connection = ask(&upstream, true).send_only().await;
        let request = upstream.request(number).await;
        assert_eq!(request.phase(), Phase::Playing);
        drop(connection);
        assert_eq!(request.over().await, Phase::CallerLeft);
    }
}

#[tokio::test]
async fn a_gate_holds_the_rest_back() {
    let upstream = FakeUpstream::start();
    let gate = Gate::new();
    upstream.push(Script::words(&["a"]).wait_for(&gate).done());
    let mut body = ask(&upstream, true).open().await;
    assert!(body.event().await.is_some() && body.event().await.is_some());
    assert_eq!(upstream.request(0).await.phase(), Phase::Playing);
    gate.open();
    assert_eq!(body.event().await, Some(Event::Done));
    assert_eq!(body.event().await, None);
}
