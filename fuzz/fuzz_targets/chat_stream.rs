//! Each line is the data of one event. What is relayed is whole events of JSON; nothing is told after an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use types::{Money, UsageSource};
use wire::hub::{CallError, Carry, Ident, Settlement};
use wire::openai_chat::Relay;

fuzz_target!(|stream: &[u8]| {
    let ident =
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"P\"".into(), ..Ident::default() };
    let mut relay = Relay::new(ident);
    for data in stream.split(|byte| *byte == b'\n') {
        let mut out = Vec::new();
        let relayed = relay.frame("", data, &mut out);
        if relayed.is_err() {
            assert!(out.is_empty());
        } else if is_plain_object(data) && !out.is_empty() {
            check(&out);
        }
    }
    let settlement = Settlement {
        usage: relay.seen().usage.unwrap_or_default(),
        source: UsageSource::Provider,
        cost: Money::from_nanos(1),
        input_cost: Money::from_nanos(1),
        output_cost: Money::ZERO,
        warnings: Vec::new(),
        own_key_cost: None,
        metadata: None,
    };
    relay.last(&settlement, &mut Vec::new());
    let mut out = Vec::new();
    let (message, object) = ("x".into(), "{\"code\":502}".into());
    relay.fail(&CallError { status: 502, kind: "stream_broken", message, object }, &settlement, &mut out);
    check(&out);
});

/// A name that comes twice is the provider's fault, and whichever its reader takes is its own affair.
fn is_plain_object(data: &[u8]) -> bool {
    let members = wire::json::object(data.trim_ascii()).map_or(0, |members| members.len());
    serde_json::from_slice::<Map<String, Value>>(data).is_ok_and(|parsed| parsed.len() == members)
}

/// One event whose data is a chunk of ours.
fn check(event: &[u8]) {
    let data = event.strip_prefix(b"data: ").and_then(|rest| rest.strip_suffix(b"\n\n")).expect("one event");
    let chunk: Value = serde_json::from_slice(data).expect("JSON in, JSON out");
    assert_eq!(
        (&chunk["id"], &chunk["model"], &chunk["provider"]),
        (&"gen-1".into(), &"a/b".into(), &"P".into())
    );
}
