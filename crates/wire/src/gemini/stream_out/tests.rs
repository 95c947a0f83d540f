use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests_support::{ident, settlement};
use super::*;
use crate::gemini::{Reader, read_answer, write_answer};
use crate::hub::{Assembly, Citation, Finish, Seal, SealFormat, StreamReader};
use crate::{Warning, sse};

fn call(index: u32, custom: bool) -> Event {
    let seal = (index == 0).then(|| Seal {
        format: SealFormat::Gemini,
        data: "Uw==".into(),
        signature: false,
        id: None,
    });
    Event::ToolCall(ToolStart { index, id: format!("c{index}"), name: "f".into(), custom, seal })
}

fn arguments(index: u32, json: &str) -> Event {
    Event::ToolArguments { index, json: json.into() }
}

fn events() -> Vec<Event> {
    let seal = Seal { format: SealFormat::Anthropic, data: "sig".into(), signature: true, id: None };
    let citation =
        Citation { url: "https://a".into(), title: "A".into(), quote: "ü".into(), span: Some((2, 3)) };
    vec![
        Event::Id("x".into()),
        Event::Reasoning { text: "h".into(), summary: false },
        Event::Reasoning { text: "m".into(), summary: false },
        Event::Sealed(seal),
        Event::Text("Gr".into()),
        Event::Text("ü".into()),
        Event::Citation(citation),
        call(0, false),
        call(1, false),
        arguments(0, "{\"x\""),
        arguments(1, ""),
        arguments(0, ":1}"),
        Event::Text("!".into()),
        call(2, true),
        arguments(2, "ls"),
        Event::Image("data:image/png;base64,AA".into()),
        Event::Logprobs(
            json!({"content": [{"token": "Gr", "logprob": -1.0, "bytes": [71, 114], "top_logprobs": []}]}),
        ),
        Event::Finish { reason: Finish::ToolCalls, native: "tool_use".into(), stop: None },
        Event::Usage(settlement().usage),
    ]
}

fn write(writer: &mut Writer, events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.event(event, &mut out));
    out
}

/// What a client of the stream sees.
fn read(bytes: &[u8]) -> Vec<Event> {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    let mut decoder = sse::Decoder::new(1 << 20);
    let mut on = |item: sse::Item<'_>| {
        if let sse::Item::Event { data, .. } = item {
            reader.frame("", data, &mut events).unwrap();
        }
        ControlFlow::Continue(())
    };
    decoder.feed(bytes, &mut on).unwrap();
    decoder.finish(&mut on);
    reader.end(&mut events);
    events
}

#[test]
fn a_whole_answer_in_googles_form() {
    let mut settlement = settlement();
    settlement.warnings = vec![Warning::about("parameter_dropped", "x", "m".into())];
    let out: Value = serde_json::from_slice(&write_answer(&events(), &ident(), &settlement)).unwrap();
    let candidate = &out["candidates"][0];
    let parts = candidate["content"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 7);
    assert_eq!(parts[1], json!({"text": "Grü"}));
    assert_eq!(
        parts[2],
        json!({"functionCall": {"id": "c0", "name": "f", "args": {"x": 1}}, "thoughtSignature": "Uw=="})
    );
    assert_eq!(parts[3]["functionCall"]["args"], json!({}));
    assert_eq!(parts[5]["functionCall"]["args"], json!({"input": "ls"}));
    assert_eq!(candidate["finishReason"], "STOP");
    assert_eq!(candidate["groundingMetadata"]["groundingSupports"][0]["segment"]["endIndex"], 4);
    assert_eq!(candidate["logprobsResult"]["chosenCandidates"][0]["token"], "Gr");
    assert_eq!(
        out["usageMetadata"],
        json!({"promptTokenCount": 13, "candidatesTokenCount": 10, "totalTokenCount": 26, "cachedContentTokenCount": 4,
            "thoughtsTokenCount": 3, "cost": 0.00000735})
    );
    assert_eq!((&out["modelVersion"], &out["responseId"]), (&json!("a/b"), &json!("gen-1")));
    assert_eq!(out["warnings"][0]["pointer"], "/x");
}

#[test]
fn calls_are_whole_and_leave_before_the_text_after_them() {
    let mut writer = Writer::new(ident());
    let mut out = write(&mut writer, &[call(0, false), arguments(0, "{\"a\":")]);
    assert!(out.is_empty());
    out.extend(write(
        &mut writer,
        &[arguments(0, "1}"), call(1, false), arguments(1, "{bro"), Event::Text("x".into())],
    ));
    let kinds: Vec<_> =
        read(&out).into_iter().filter(|e| !matches!(e, Event::Id(_) | Event::ToolArguments { .. })).collect();
    assert!(matches!(&kinds[..], [Event::ToolCall(start), Event::Text(_)] if start.id == "c0"));
    let mut rest = write(&mut writer, &[arguments(1, "ken")]);
    writer.last(&settlement(), &mut rest);
    assert!(String::from_utf8(rest).unwrap().contains(r#""args":{"_raw":"{broken"}"#));
}

#[test]
fn failures_end_both_forms_honestly() {
    let error = CallError { status: 502, kind: "stream_broken", message: "m".into(), object: "{}".into() };
    let mut out = Vec::new();
    Writer::new(ident()).fail(&error, &settlement(), &mut out);
    let text = String::from_utf8(out).unwrap();
    let event: Value = serde_json::from_str(text.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        (&event["error"]["status"], &event["usageMetadata"]["cost"]),
        (&json!("UNAVAILABLE"), &json!(0.00000735))
    );
    let mut writer = Writer::array(ident());
    let mut out = write(&mut writer, &[Event::Text("x".into())]);
    writer.fail(&error, &settlement(), &mut out);
    let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
    assert_eq!((list.len(), &list[1]["error"]["code"]), (2, &json!(502)));
    assert!(!String::from_utf8(out).unwrap().contains("finishReason"));
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        "[a-zü]{1,4}".prop_map(Event::Text),
        "[a-z]{1,4}".prop_map(|text| Event::Reasoning { text, summary: false }),
        "[a-z]{1,4}".prop_map(|data| Event::Sealed(Seal {
            format: SealFormat::Responses,
            data,
            signature: false,
            id: None
        })),
        prop::sample::select(vec!["{}", "{\"a\":[1,\"}\"]}", ""]).prop_map(|json| arguments(0, json)),
        Just(Event::Image("data:image/png;base64,AA".into())),
    ];
    prop::collection::vec(event, 0..12).prop_map(|mut events| {
        let mut index = 0;
        let mut all = Vec::new();
        for event in events.drain(..) {
            if let Event::ToolArguments { json, .. } = event {
                all.push(call(index, false));
                let half = json.len() / 2;
                all.push(arguments(index, &json[..half]));
                all.push(arguments(index, &json[half..]));
                index += 1;
            } else {
                all.push(event);
            }
        }
        // Without one, a call without arguments could still get some.
        all.retain(|event| !matches!(event, Event::ToolArguments { json, .. } if json.is_empty()));
        all.push(Event::Finish { reason: Finish::Stop, native: "stop".into(), stop: None });
        all
    })
}

proptest! {
    /// A client that reads the stream and one that reads the plain answer get the same.
    #[test]
    fn stream_and_plain_say_the_same(events in any_events()) {
        let plain = read_answer(&write_answer(&events, &ident(), &settlement())).unwrap();
        let mut writer = Writer::new(ident());
        let mut out = write(&mut writer, &events);
        writer.last(&settlement(), &mut out);
        let mut array = Writer::array(ident());
        let mut list = write(&mut array, &events);
        array.last(&settlement(), &mut list);
        let calls = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::ToolCall(_))).cloned().collect::<Vec<_>>();
        let text = |events: &[Event]| Assembly::of(events).all_text();
        let streamed = read(&out);
        prop_assert_eq!(calls(&streamed), calls(&plain));
        prop_assert_eq!(text(&streamed), text(&plain));
        prop_assert_eq!(Assembly::of(&streamed).usage, Assembly::of(&plain).usage);
        prop_assert_eq!(Assembly::of(&streamed).finish, Assembly::of(&plain).finish);
prop_assert_eq!(format!("{:?}", Assembly::of(&read_answer(&list).unwrap())), format!("{:?}", Assembly::of(&streamed)));
    }
}
