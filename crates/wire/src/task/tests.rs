use serde_json::{Value, json};
use types::{Task, Usage, UsageSource};

use super::*;
use crate::call::Call;
use crate::hub::{Fetched, Flavor, Settlement};
use crate::openai_chat::Adapt;

fn settlement(usage: Usage) -> Settlement {
    Settlement {
        usage,
        source: UsageSource::Provider,
        cost: "0.002".parse().unwrap(),
        input_cost: "0.002".parse().unwrap(),
        output_cost: "0".parse().unwrap(),
        own_key_cost: None,
        warnings: Vec::new(),
        metadata: None,
    }
}

fn ident() -> Ident {
    Ident {
        id: "gen-1".into(),
        model: "\"a/b\"".into(),
        provider: "\"Lab\"".into(),
        created: 1_700_000_000,
        ..Ident::default()
    }
}

fn sent(call: &Call<'_>, to: Dialect, flavor: Flavor) -> Result<Value, Impossible> {
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    let target = Target {
        model: "theirs",
        max_output_tokens: None,
        flavor,
        adapt: &adapt,
        structured_output: None,
        reasoning: None,
        auto_cache: false,
        fetched: &fetched,
    };
    call.outgoing(to, &target).map(|out| serde_json::from_slice(&out.body).unwrap())
}

fn answered(call: &Call<'_>, from: Dialect, body: &Value) -> (Value, Option<Usage>) {
    let body = body.to_string();
    let plain = call.plain(from, false, body.as_bytes(), Default::default()).unwrap();
    let usage = plain.seen().usage;
    let out = plain.render(body.as_bytes(), &ident(), &settlement(usage.unwrap_or_default()));
    (serde_json::from_slice(&out).unwrap(), usage)
}

fn scan(task: Task, body: &[u8]) -> Call<'_> {
    Call::scan_task(task, body, Form::default()).unwrap()
}

const EMBED: &[u8] = br#"{"model":"lab/e","input":["one","two"],"dimensions":2,"input_type":"query","user":"u","provider":{"only":["lab"]},"odd":1.50}"#;

#[test]
fn vectors_are_asked_for_in_every_dialect() {
    let call = scan(Task::Embeddings, EMBED);
    assert_eq!(
        sent(&call, Dialect::Chat, Flavor::Direct).unwrap(),
        json!({"model": "theirs", "input": ["one", "two"], "dimensions": 2, "input_type": "query", "user": "u", "odd": 1.5})
    );
    assert_eq!(sent(&call, Dialect::Chat, Flavor::Mistral).unwrap()["output_dimension"], 2);
    assert_eq!(
        sent(&call, Dialect::Cohere, Flavor::Direct).unwrap(),
        json!({"model": "theirs", "texts": ["one", "two"], "input_type": "search_query",
            "embedding_types": ["float"], "output_dimension": 2})
    );
    assert_eq!(
        sent(&call, Dialect::Gemini, Flavor::Direct).unwrap()["requests"][1],
        json!({"model": "models/theirs", "content": {"parts": [{"text": "two"}]}, "taskType": "RETRIEVAL_QUERY",
            "outputDimensionality": 2})
    );
    assert_eq!(
        sent(&call, Dialect::Gemini, Flavor::Vertex).unwrap(),
        json!({"instances": [{"content": "one", "task_type": "RETRIEVAL_QUERY"},
            {"content": "two", "task_type": "RETRIEVAL_QUERY"}], "parameters": {"outputDimensionality": 2}})
    );
    assert_eq!(
        sent(&call, Dialect::Ollama, Flavor::Direct).unwrap(),
        json!({"model": "theirs", "input": ["one", "two"], "dimensions": 2})
    );
    assert!(sent(&call, Dialect::Messages, Flavor::Direct).is_err());
    let ids = scan(Task::Embeddings, br#"{"model":"m","input":[[1,2],[3]]}"#);
    assert_eq!(ids.asked().expected.unwrap().most.input, 3);
    let error = sent(&ids, Dialect::Cohere, Flavor::Direct).unwrap_err();
    assert_eq!(error.pointer, "/input/0");
}

#[test]
fn vectors_come_back_in_the_encoding_that_was_asked_for() {
    let floats = json!([[0.5, -1.0], [0.25, 2.0]]);
    let base64 = ["AAAAPwAAgL8=", "AACAPgAAAEA="];
    let list = |vectors: &Value| {
        let items = vectors.as_array().unwrap().iter().enumerate();
        let items: Vec<Value> =
            items.map(|(i, v)| json!({"object": "embedding", "index": i, "embedding": v})).collect();
        json!({"object": "list", "data": items, "model": "theirs", "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    };
    let answers = [
        (Dialect::Chat, list(&floats)),
        (Dialect::Chat, list(&json!(base64))),
        (
            Dialect::Cohere,
            json!({"id": "x", "embeddings": {"float": floats}, "meta": {"billed_units": {"input_tokens": 4}}}),
        ),
        (
            Dialect::Gemini,
            json!({"embeddings": [{"values": floats[0]}, {"values": floats[1]}],
            "usageMetadata": {"promptTokenCount": 4}}),
        ),
        (
            Dialect::Gemini,
            json!({"predictions": [
            {"embeddings": {"values": floats[0], "statistics": {"token_count": 3}}},
            {"embeddings": {"values": floats[1], "statistics": {"token_count": 1}}}]}),
        ),
        (Dialect::Ollama, json!({"embeddings": floats, "prompt_eval_count": 4})),
    ];
    let plain = scan(Task::Embeddings, EMBED);
    let packed = scan(Task::Embeddings, br#"{"model":"m","input":"one","encoding_format":"base64"}"#);
    for (from, answer) in answers {
        let (out, usage) = answered(&plain, from, &answer);
        assert_eq!(usage.map(|u| u.input), Some(4), "{answer}");
        assert_eq!(
            (&out["data"][0]["embedding"], &out["data"][1]["embedding"]),
            (&floats[0], &floats[1]),
            "{out}"
        );
        assert_eq!(
            (&out["id"], &out["model"], &out["provider"]),
            (&json!("gen-1"), &json!("a/b"), &json!("Lab"))
        );
        assert_eq!(
            (&out["usage"]["prompt_tokens"], &out["usage"]["cost"]),
            (&json!(4), &json!(0.002)),
            "{out}"
        );
        let (out, _) = answered(&packed, from, &answer);
        assert_eq!(out["data"][1]["embedding"], base64[1], "{out}");
    }
    for bad in [json!({"data": []}), json!({"error": {"message": "no"}})] {
        assert!(plain.plain(Dialect::Chat, false, bad.to_string().as_bytes(), Default::default()).is_err());
    }
}

#[test]
fn documents_are_ranked_in_either_shape() {
    let body = br#"{"model":"lab/r","query":"q","documents":["a",{"text":"b"}],"top_n":1}"#;
    let call = scan(Task::Rerank, body);
    assert_eq!(
        sent(&call, Dialect::Cohere, Flavor::Direct).unwrap(),
        json!({"model": "theirs", "query": "q", "documents": ["a", "b"], "top_n": 1})
    );
    assert_eq!(sent(&call, Dialect::Chat, Flavor::Direct).unwrap()["documents"][1]["text"], "b");
    let answers = [
        (
            json!({"id": "r", "results": [{"index": 1, "relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 1}}}),
            0,
        ),
        (
            json!({"results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}], "usage": {"total_tokens": 7}}),
            7,
        ),
        (json!({"data": [{"index": 1, "relevance_score": 0.9}], "usage": {"total_tokens": 7}}), 7),
        (json!([{"index": 1, "score": 0.9}]), 0),
    ];
    for (answer, tokens) in answers {
        let (out, usage) = answered(&call, Dialect::Cohere, &answer);
        assert_eq!(out["results"], json!([{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}]));
        assert_eq!(
            usage,
            Some(Usage { input: tokens, searches: 1, requests: 1, ..Usage::default() }),
            "{answer}"
        );
    }
}

#[test]
fn images_are_counted_in_the_answer() {
    let call = scan(Task::Images, br#"{"model":"lab/i","prompt":"a cat","n":2,"quality":"low"}"#);
    assert_eq!(call.asked().expected.unwrap().likely.image_output, 544);
    let (out, usage) =
        answered(&call, Dialect::Chat, &json!({"created": 1, "data": [{"b64_json": "AA=="}, {"url": "u"}]}));
    assert_eq!(usage, Some(Usage { images: 2, requests: 1, ..Usage::default() }));
    assert_eq!((&out["data"][0]["b64_json"], &out["usage"]["images"]), (&json!("AA=="), &json!(2)));
    let told = json!({"data": [{"b64_json": "AA=="}], "usage": {"input_tokens": 30, "output_tokens": 272,
        "input_tokens_details": {"image_tokens": 20, "text_tokens": 10}, "total_tokens": 302}});
    let (_, usage) = answered(&call, Dialect::Chat, &told);
    let expect =
        Usage { input: 10, image_input: 20, image_output: 272, images: 1, requests: 1, ..Usage::default() };
    assert_eq!(usage, Some(expect));
}

#[test]
fn sound_passes_as_it_is_and_is_counted_by_its_text() {
    let call =
        scan(Task::Speech, br#"{"model":"lab/s","input":"H\u00e9llo","voice":"v","response_format":"wav"}"#);
    let plain = call.plain(Dialect::Chat, false, b"RIFF....", Default::default()).unwrap();
    assert_eq!((plain.content_type(), plain.seen().usage.unwrap().characters), ("audio/wav", 5));
    assert_eq!(plain.render(b"RIFF....", &ident(), &settlement(Usage::default())), b"RIFF....");
    let error = br#"{"error":{"message":"no such voice"}}"#;
    assert!(matches!(
        call.plain(Dialect::Chat, false, error, Default::default()),
        Err(AnswerError::Provider(error)) if error.message == "no such voice"
    ));
}

/// A second of silence: 8,000 samples of one byte.
fn wav(bytes: u32) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend_from_slice(&8_000u32.to_le_bytes());
    file.extend_from_slice(&8_000u32.to_le_bytes());
    file.extend_from_slice(b"\x01\0\x08\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.resize(file.len() + bytes as usize, 0x80);
    file
}

#[test]
fn sound_is_heard_from_a_form_and_from_json() {
    use base64::Engine;
    let file =
        Upload { name: "a \"b\".wav".into(), content_type: Some("audio/wav".into()), bytes: wav(12_000) };
    let fields = [("model", "lab/t"), ("language", "en"), ("provider", "{\"only\":[\"lab\"]}")];
    let form =
        Form { fields: fields.map(|(k, v)| (k.to_owned(), v.to_owned())).into(), file: Some(file.clone()) };
    let json = form.as_json();
    let call = Call::scan_task(Task::Transcription, &json, form).unwrap();
    assert_eq!(call.asked().model.as_deref(), Some("lab/t"));
    assert_eq!(call.asked().provider.only.as_deref(), Some(&["lab".to_owned()][..]));
    assert_eq!(call.asked().expected.unwrap().most.audio_seconds, 2);
    let data = base64::engine::general_purpose::STANDARD.encode(wav(8_000));
    let body = json!({"model": "lab/t", "input_audio": {"data": data, "format": "wav"}, "language": "en",
        "timestamp_granularities": ["word", "segment"], "temperature": 0.5})
    .to_string();
    let told = scan(Task::Transcription, body.as_bytes());
    assert_eq!(told.asked().expected.unwrap().likely.audio_seconds, 1);
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    let target = Target {
        model: "theirs",
        max_output_tokens: None,
        flavor: Flavor::Direct,
        adapt: &adapt,
        structured_output: None,
        reasoning: None,
        auto_cache: false,
        fetched: &fetched,
    };
    for (call, name, fields) in [
        (&call, "a %22b%22.wav", vec!["name=\"model\"\r\n\r\ntheirs\r\n", "name=\"language\"\r\n\r\nen\r\n"]),
        (
            &told,
            "audio.wav",
            vec!["name=\"timestamp_granularities[]\"\r\n\r\nsegment\r\n", "\r\n\r\n0.5\r\n"],
        ),
    ] {
        let out = call.outgoing(Dialect::Chat, &target).unwrap();
        let text = String::from_utf8_lossy(&out.body).into_owned();
        let boundary = out.headers[0].1.split_once("boundary=").unwrap().1;
        assert!(
            text.starts_with(&format!("--{boundary}\r\n")) && text.ends_with(&format!("--{boundary}--\r\n"))
        );
        assert!(text.contains(&format!("filename=\"{name}\"")) && !text.contains("only"), "{text}");
        fields.iter().for_each(|field| assert!(text.contains(field), "{text}"));
    }
    for (answer, expect) in [
        (json!({"text": "hi", "usage": {"type": "duration", "seconds": 2}}), Some((0, 0, 0, 2))),
        (json!({"text": "hi", "duration": "1.25", "task": "transcribe"}), Some((0, 0, 0, 2))),
        (
            json!({"text": "hi", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 3,
            "input_token_details": {"text_tokens": 4, "audio_tokens": 10}}}),
            Some((4, 10, 3, 0)),
        ),
        (json!({"text": "hi"}), None),
    ] {
        let (out, usage) = answered(&call, Dialect::Chat, &answer);
        assert_eq!(usage.map(|u| (u.input, u.audio_input, u.output, u.audio_seconds)), expect, "{answer}");
        assert_eq!((&out["text"], &out["usage"]["cost"]), (&json!("hi"), &json!(0.002)));
    }
}

#[test]
fn a_stream_keeps_its_events_and_its_end_gets_the_cost() {
    let call = scan(Task::Images, br#"{"model":"lab/i","prompt":"a cat","stream":true}"#);
    assert!(call.asked().stream);
    let mut carry = call.carry(Dialect::Chat, false, ident(), Default::default());
    let mut out = Vec::new();
    let partial = br#"{"type":"image_generation.partial_image","b64_json":"AA=="}"#;
    carry.frame("image_generation.partial_image", partial, &mut out).unwrap();
    let first = [b"event: image_generation.partial_image\ndata: ".as_slice(), partial, b"\n\n"].concat();
    assert_eq!(out, first);
    assert!(!carry.is_complete());
    let end = br#"{"type":"image_generation.completed","b64_json":"BB==","usage":{"input_tokens":3,"output_tokens":9}}"#;
    carry.frame("image_generation.completed", end, &mut out).unwrap();
    assert_eq!(out, first, "the end waits for its cost");
    assert!(carry.is_complete() && carry.seen().done);
    let usage = carry.seen().usage.unwrap();
    assert_eq!((usage.input, usage.image_output, usage.images), (3, 9, 1));
    carry.last(&settlement(usage), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\"cost\":0.002") && text.contains("\"id\":\"gen-1\""), "{text}");
    let error = br#"{"type":"error","error":{"message":"moderated"}}"#;
    assert!(carry.frame("error", error, &mut Vec::new()).is_err());
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let rows: [(Task, &[u8], &str); 9] = [
        (Task::Embeddings, br#"{"model":"m"}"#, "`input` is missing"),
        (Task::Embeddings, br#"{"model":"m","input":[]}"#, "`input` is empty"),
        (
            Task::Embeddings,
            br#"{"model":"m","input":"a","encoding_format":"hex"}"#,
            "`encoding_format` must be",
        ),
        (Task::Rerank, br#"{"model":"m","documents":["a"]}"#, "`query` is missing"),
        (Task::Rerank, br#"{"model":"m","query":"q","documents":[1]}"#, "`documents/0` must be"),
        (Task::Images, br#"{"model":"m","prompt":"x","n":11}"#, "`n` must be a whole number"),
        (Task::Speech, br#"{"model":"m"}"#, "`input` is missing"),
        (Task::Transcription, br#"{"model":"m"}"#, "`file` is missing"),
        (Task::Transcription, br#"{"input_audio":{"data":"!"}}"#, "`input_audio/data` is not base64"),
    ];
    for (task, body, expect) in rows {
        let error = Call::scan_task(task, body, Form::default()).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    }
}
