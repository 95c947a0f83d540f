use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::stream_out::tests_support::{ident, settlement};
use super::*;

const TEXT: &str = r#"{"candidates": [{"content": {"parts": [{"text": "h\u00e9"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 9,"totalTokenCount": 9},"modelVersion": "m-001","responseId": "r1","x":1.50}"#;
const CALL: &str = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":10,"totalTokenCount":19,"cost":7}}"#;

fn run(relay: &mut Relay, frames: &[&str]) -> String {
    let mut out = Vec::new();
    for frame in frames {
        relay.frame("", frame.as_bytes(), &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn frames_keep_their_bytes_and_the_last_tells_the_cost() {
    let mut relay = Relay::new(ident());
    let out = run(&mut relay, &[TEXT, CALL]);
    let expect = TEXT.replace("m-001", "a/b").replace("r1", "gen-1");
    assert_eq!(out, format!("data: {expect}\r\n\r\n"));
    let seen = relay.seen();
    assert_eq!(
        (seen.finish_reason.as_deref(), seen.upstream_id.as_deref()),
        (Some("tool_calls"), Some("r1"))
    );
    assert_eq!((seen.usage.unwrap().output, seen.chunks), (10, 2));
    assert!(relay.is_complete());
    let late = run(&mut relay, &[r#"{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":11}}"#]);
    assert!(late.contains("\"cost\":7") && late.contains("finishReason"), "{late}");
    let mut last = Vec::new();
    relay.last(&settlement(), &mut last);
    assert_eq!(
        String::from_utf8(last).unwrap(),
        "data: {\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":11,\"cost\":0.00000735},\"modelVersion\":\"a/b\",\"responseId\":\"gen-1\"}\r\n\r\n"
    );
}

#[test]
fn an_array_for_callers_without_sse() {
    let mut relay = Relay::array(ident());
    let mut out = run(&mut relay, &[TEXT, TEXT, CALL]).into_bytes();
    relay.last(&settlement(), &mut out);
    let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
    assert_eq!((list.len(), &list[2]["usageMetadata"]["cost"]), (3, &json!(0.00000735)));
    let mut relay = Relay::array(ident());
    let mut out = Vec::new();
    let error = CallError { status: 502, kind: "x", message: "m".into(), object: "{}".into() };
    relay.fail(&error, &settlement(), &mut out);
    let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
    assert_eq!(list[0]["error"]["code"], 502);
}

#[test]
fn plain_answers_and_what_is_none() {
    let answer = scan(CALL.as_bytes()).unwrap();
    assert_eq!(answer.seen().finish_reason.as_deref(), Some("tool_calls"));
    let out = String::from_utf8(answer.render(CALL.as_bytes(), &ident(), &settlement())).unwrap();
    let expect = CALL
        .replace("\"cost\":7}}", "\"cost\":0.00000735},\"modelVersion\":\"a/b\",\"responseId\":\"gen-1\"}");
    assert_eq!(out, expect);
    let estimated = Settlement { source: UsageSource::Estimated, ..settlement() };
    let bare = br#" {"candidates":[{"content":{"parts":[{"text":"abc"}]}}]} "#;
    let answer = scan(bare).unwrap();
    assert_eq!((answer.seen().usage, answer.seen().said.bytes()), (None, 3));
    let out: Value = serde_json::from_slice(&answer.render(bare, &ident(), &estimated)).unwrap();
    assert_eq!(out["usageMetadata"]["estimated"], true);
    assert!(matches!(
        scan(br#"{"error":{"code":400,"message":"API key not valid"}}"#),
        Err(AnswerError::Provider(_))
    ));
    assert!(matches!(scan(br#"[{"error":{"code":400,"message":"x"}}]"#), Err(AnswerError::Provider(_))));
    assert_eq!(scan(b"{}").unwrap_err(), AnswerError::Empty);
    let blocked = scan(br#"{"promptFeedback":{"blockReason":"OTHER"}}"#).unwrap();
    assert_eq!(blocked.seen().finish_reason.as_deref(), Some("content_filter"));
    let mut relay = Relay::new(ident());
    for bad in [r#"[{"error":{"code":503}}]"#, r#"{"error":{"code":503}}"#] {
        assert!(matches!(relay.frame("", bad.as_bytes(), &mut Vec::new()), Err(ChunkError::Provider(_))));
    }
    assert!(matches!(relay.frame("", b"{", &mut Vec::new()), Err(ChunkError::Json(_))));
    assert!(!relay.is_complete());
}

proptest! {
    /// What the byte path notes is what the reader reads.
    #[test]
    fn both_paths_see_the_same(text in "[a-z]{0,8}", call: bool, prompt in 0u64..1000, out in 0u64..1000,
                               reason in prop::sample::select(vec!["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "2"])) {
        let mut parts = vec![json!({"text": text})];
        if call {
            parts.push(json!({"functionCall": {"name": "f"}}));
        }
        let body = json!({"candidates": [{"content": {"parts": parts}, "finishReason": reason}], "responseId": "r",
            "usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": out}}).to_string();
        let answer = scan(body.as_bytes()).unwrap();
        let whole = crate::hub::Assembly::of(&answer_in::read_answer(body.as_bytes()).unwrap());
        prop_assert_eq!(answer.seen.usage, whole.usage);
        prop_assert_eq!(answer.seen.finish_reason.as_deref(), whole.finish.map(|(finish, _)| finish.name()));
    }
}
