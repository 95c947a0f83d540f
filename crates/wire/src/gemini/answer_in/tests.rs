use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::hub::{Assembly, Piece, SealFormat};
use crate::sse;

/// Frames of a stream, and the whole answer of the same content.
fn frames() -> (Vec<Value>, Value) {
    let parts = json!([
        {"text": "hm ", "thought": true}, {"text": "so", "thought": true},
        {"text": "Grü"}, {"text": "ße"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "S1"}, {"functionCall": {"id": "own", "name": "g"}},
        {"inlineData": {"mimeType": "image/png", "data": "AA"}}, {"inlineData": {"mimeType": "image/png", "data": "draft"}, "thought": true},
        {"text": "", "thoughtSignature": "S2"},
    ]);
    let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 2, "totalTokenCount": 14});
    let grounding = json!({"webSearchQueries": ["x"], "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [{"segment": {"endIndex": 4, "text": "Grü"}, "groundingChunkIndices": [0]}]});
    let frame = |content: Value| json!({"responseId": "r1", "modelVersion": "m", "candidates": [{"content": content, "index": 0}]});
    let mut frames: Vec<Value> = parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| frame(json!({"role": "model", "parts": [part]})))
        .collect();
    let mut last = frame(json!({"role": "model"}));
    last["candidates"][0]["finishReason"] = "STOP".into();
    last["candidates"][0]["groundingMetadata"] = grounding.clone();
    frames.push(last);
    frames.push(json!({"usageMetadata": usage}));
    let whole = json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "groundingMetadata": grounding}],
        "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"});
    (frames, whole)
}

fn stream(bytes: &[u8], splits: &[usize]) -> Vec<Event> {
    let mut decoder = sse::Decoder::new(1 << 20);
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    let mut on = |item: sse::Item<'_>| {
        if let sse::Item::Event { data, .. } = item {
            reader.frame("", data, &mut events).unwrap();
        }
        ControlFlow::Continue(())
    };
    let mut cuts: Vec<usize> =
        splits.iter().map(|at| at % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    for pair in cuts.windows(2) {
        decoder.feed(&bytes[pair[0]..pair[1]], &mut on).unwrap();
    }
    decoder.finish(&mut on);
    assert!(reader.is_complete() && !reader.is_done());
    reader.end(&mut events);
    events
}

fn sse_bytes(frames: &[Value]) -> Vec<u8> {
    frames.iter().map(|frame| format!("data: {frame}\r\n\r\n")).collect::<String>().into_bytes()
}

fn fold(events: &[Event]) -> Assembly {
    Assembly::of(events)
}

#[test]
fn a_stream_and_a_plain_answer_say_the_same() {
    let (frames, whole) = frames();
    let plain = fold(&read_answer(whole.to_string().as_bytes()).unwrap());
    let streamed = fold(&stream(&sse_bytes(&frames), &[]));
    let array = fold(&read_answer(Value::from(frames).to_string().as_bytes()).unwrap());
    assert_eq!(format!("{plain:?}"), format!("{streamed:?}"));
    assert_eq!(format!("{plain:?}"), format!("{array:?}"));
    assert_eq!(plain.finish, Some((Finish::ToolCalls, "STOP".into())));
    assert_eq!(plain.upstream_id.as_deref(), Some("r1"));
    assert_eq!(plain.usage.map(|u| (u.input, u.output, u.reasoning, u.searches)), Some((5, 7, 2, 1)));
    let [
        Piece::Reasoning { text: hm, seal: None, .. },
        Piece::Text { text, .. },
        first,
        second,
        image,
        sealed,
        sources,
    ] = plain.pieces.as_slice()
    else {
        panic!("{:?}", plain.pieces)
    };
    assert_eq!((hm.as_str(), text.as_str()), ("hm so", "Grüße"));
    let Piece::ToolCall { id, arguments, seal: Some(seal), .. } = first else { panic!() };
    assert_eq!((id.as_str(), arguments.as_str(), seal.data.as_str()), ("", "{\"a\":1}", "S1"));
    assert_eq!(seal.format, SealFormat::Gemini);
    assert!(matches!(second, Piece::ToolCall { id, arguments, .. } if id == "own" && arguments == "{}"));
    assert_eq!(image, &Piece::Image("data:image/png;base64,AA".into()));
    assert!(matches!(sealed, Piece::Reasoning { seal: Some(seal), .. } if seal.data == "S2"));
    let Piece::Text { citations, .. } = sources else { panic!() };
    assert_eq!(citations[0].span, Some((0, 3)));
}

#[test]
fn every_reason_to_stop() {
    let rows = [
        (json!("STOP"), Finish::Stop, "STOP"),
        (json!(1), Finish::Stop, "STOP"),
        (json!("MAX_TOKENS"), Finish::Length, "MAX_TOKENS"),
        (json!(2), Finish::Length, "MAX_TOKENS"),
        (json!("IMAGE_SAFETY"), Finish::ContentFilter, "IMAGE_SAFETY"),
        (json!("MODEL_ARMOR"), Finish::ContentFilter, "MODEL_ARMOR"),
        (json!("MALFORMED_FUNCTION_CALL"), Finish::Error, "MALFORMED_FUNCTION_CALL"),
        (json!("FUNCTION_CALL"), Finish::ToolCalls, "FUNCTION_CALL"),
        (json!("NEWER"), Finish::Error, "NEWER"),
    ];
    for (word, reason, native) in rows {
        let body = json!({"candidates": [{"finishReason": word}]}).to_string();
        let events = read_answer(body.as_bytes()).unwrap();
        assert_eq!(events, [Event::Finish { reason, native: native.into(), stop: None }]);
    }
    let blocked = br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}"#;
    let whole = fold(&read_answer(blocked).unwrap());
    assert_eq!(whole.finish, Some((Finish::ContentFilter, "SAFETY".into())));
    assert_eq!(whole.usage.unwrap().input, 3);
}

#[test]
fn errors_and_odd_bodies() {
    let quota = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#;
    for body in [quota.to_owned(), format!("[{quota}]"), format!("[{{}},{quota}]")] {
        let Err(AnswerError::Provider(error)) = read_answer(body.as_bytes()) else { panic!("{body}") };
        assert_eq!((error.status, error.message.as_str()), (429, "slow"));
        let frame = Reader::default().frame("", body.as_bytes(), &mut Vec::new());
        assert!(matches!(frame, Err(ChunkError::Provider(_))));
    }
    for empty in ["{}", "[]", r#"{"candidates":[]}"#, r#"{"candidates":null,"usageMetadata":{}}"#] {
        assert_eq!(read_answer(empty.as_bytes()), Err(AnswerError::Empty), "{empty}");
    }
    assert!(matches!(read_answer(br#"{"candidates":["#), Err(AnswerError::Json(_))));
    assert!(matches!(read_answer(b"[{]"), Err(AnswerError::Json(error)) if error.at == 2));
    let mut reader = Reader::default();
    reader.frame("", br#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}"#, &mut Vec::new()).unwrap();
    assert!(!reader.is_complete());
}

/// Values of any shape under the dialect's own names.
pub(in crate::gemini) fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let key = prop::sample::select(vec![
            "candidates",
            "content",
            "parts",
            "text",
            "functionCall",
            "args",
            "name",
            "finishReason",
            "groundingMetadata",
            "groundingChunks",
            "groundingSupports",
            "segment",
            "usageMetadata",
            "promptTokenCount",
            "logprobsResult",
            "chosenCandidates",
            "inlineData",
            "mimeType",
            "promptFeedback",
            "blockReason",
            "thoughtSignature",
            "error",
            "thought",
            "functionResponse",
            "response",
            "functionDeclarations",
            "parameters",
            "properties",
            "anyOf",
            "allOf",
            "type",
            "enum",
            "items",
            "googleSearch",
            "responseSchema",
            "thinkingConfig",
            "thinkingBudget",
            "fileData",
            "fileUri",
            "data",
            "role",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        ]
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(splits in prop::collection::vec(any::<usize>(), 0..12)) {
        let (frames, _) = frames();
        let bytes = sse_bytes(&frames);
        prop_assert_eq!(stream(&bytes, &splits), stream(&bytes, &[]));
    }

    #[test]
    fn nothing_odd_panics(body in odd(), part in odd()) {
        let _ = read_answer(body.to_string().as_bytes());
        let _ = read_answer(json!({"candidates": [{"content": {"parts": [part]}}]}).to_string().as_bytes());
        let _ = super::super::read_request(body.to_string().as_bytes());
        let _ = super::super::read_request(json!({"contents": [{"parts": part}], "tools": body, "generationConfig": part}).to_string().as_bytes());
        let _ = super::super::scan(body.to_string().as_bytes());
    }
}
