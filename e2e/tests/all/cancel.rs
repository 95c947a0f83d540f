//! A caller who leaves: the upstream request is cancelled, at every phase, and the record says so.

use testkit::upstream::Phase;
use testkit::{FakeUpstream, Script, TestApp, Tokens, ask, ask_stream};

#[tokio::test]
async fn the_upstream_is_left_when_the_caller_leaves() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let rows = [
        ("before the headers of a stream", true, Script::hang_before_headers()),
        ("before the headers of a plain answer", false, Script::hang_before_headers()),
        ("before the first event", true, Script::hang_after_headers()),
        ("in a stream", true, Script::hang_mid_stream(&["some", " words"])),
        ("in a plain body", false, Script::hang_mid_body()),
    ];
    for (number, (name, streamed, script)) in rows.into_iter().enumerate() {
        upstream.push(script);
        let body = if streamed { ask_stream("lab/tiny") } else { ask("lab/tiny") };
        let connection = app.owner().chat_request(&body).send_only().await;
        let request = upstream.request(number).await;
        assert_eq!(request.phase(), Phase::Playing, "{name}");
        drop(connection);
        assert_eq!(request.over().await, Phase::CallerLeft, "{name}");
        app.settled().await;
    }
    assert_eq!(upstream.request_count(), 5, "nothing is tried again for someone who left");
    upstream.push(Script::chat("still serving", Tokens::new(2, 2)));
    app.owner().chat("lab/tiny").await.expect(200);
}

#[tokio::test]
async fn a_cancelled_stream_is_booked_as_such() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    for abort in [false, true] {
        upstream.push(Script::hang_mid_stream(&["some", " words", " were", " said"]));
        let number = upstream.request_count();
        let mut body = app.owner().stream("lab/tiny").await;
        let id = body.header("x-generation-id").expect("an id").to_owned();
        let mut heard = String::new();
        while !heard.contains("said") {
            let event = body.event().await.expect("the words that were said");
            heard.push_str(&testkit::sse::text(&[event]));
        }
        if abort {
            body.abort();
        } else {
            drop(body);
        }
        assert_eq!(upstream.request(number).await.over().await, Phase::CallerLeft);
        let record = app.owner().generation(&id).await;
        assert_eq!(record["status"], "cancelled", "{record}");
        let text = record.to_string();
        assert!(
            text.contains("estimated") && text.contains("cancel"),
            "which rule was applied is said: {text}"
        );
        assert_ne!(record["total_cost"], "0", "delivered words are not free: {record}");
    }
}

#[tokio::test]
async fn a_slow_reader_doesnt_stop_the_others() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let long = "x".repeat(64 * 1024);
    upstream.push((0..400).fold(Script::stream(), |script, _| {
        script.event(&testkit::upstream::chunk_body(serde_json::json!({ "content": long }), None))
    }));
    let slow = app.owner().chat_request(&ask_stream("lab/tiny")).send_only().await;
    upstream.request(0).await;
    for _ in 0..20 {
        app.owner().chat("lab/tiny").await.expect(200);
    }
    drop(slow);
    assert_eq!(upstream.request(0).await.over().await, Phase::CallerLeft);
}
