//! Whatever a provider streams in any dialect is an error or reaches every caller as whole events of JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{Money, UsageSource};
use wire::call::{Call, PathSays};
use wire::hub::{CallError, Dialect, Ident, Settlement, Undo};
use wire::sse::{Decoder, Item};

const FROM: [Dialect; 7] = [
    Dialect::Chat,
    Dialect::Responses,
    Dialect::Messages,
    Dialect::Gemini,
    Dialect::Converse,
    Dialect::Cohere,
    Dialect::Ollama,
];
const TO: [(Dialect, &[u8]); 5] = [
    (Dialect::Chat, br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#),
    (Dialect::Completions, br#"{"model":"m","prompt":"x"}"#),
    (Dialect::Responses, br#"{"model":"m","input":"x"}"#),
    (Dialect::Messages, br#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}"#),
    (Dialect::Gemini, br#"{"contents":[{"role":"user","parts":[{"text":"x"}]}]}"#),
];

/// The first byte says who speaks to whom; each line is a frame: its name, a tab, its data.
fuzz_target!(|input: &[u8]| {
    let Some((first, stream)) = input.split_first() else { return };
    let from = FROM[usize::from(*first) % FROM.len()];
    let (to, body) = TO[usize::from(*first) / FROM.len() % TO.len()];
    let call = Call::scan(to, body, &PathSays::default()).expect("a good request");
    let ident =
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"P\"".into(), ..Ident::default() };
    let mut carry = call.carry(from, from == to && first & 0x80 != 0, ident, Undo::default());
    let mut out = Vec::new();
    let mut failed = false;
    for line in stream.split(|byte| *byte == b'\n') {
        let tab = line.iter().position(|byte| *byte == b'\t');
        let (name, data) = tab.map_or((&b""[..], line), |at| (&line[..at], &line[at + 1..]));
        failed = carry.frame(std::str::from_utf8(name).unwrap_or_default(), data, &mut out).is_err();
        if failed || carry.seen().done {
            break;
        }
    }
    let settlement = Settlement {
        usage: carry.seen().usage.unwrap_or_default(),
        source: UsageSource::Provider,
        cost: Money::from_nanos(1),
        input_cost: Money::from_nanos(1),
        output_cost: Money::ZERO,
        warnings: Vec::new(),
        own_key_cost: None,
        metadata: None,
    };
    if failed {
        let (message, object) = ("x".into(), "{\"code\":502}".into());
        carry.fail(&CallError { status: 502, kind: "stream_broken", message, object }, &settlement, &mut out);
    } else {
        carry.end(&mut out);
        carry.last(&settlement, &mut out);
    }
    let mut decoder = Decoder::new(usize::MAX / 2);
    let mut on = |item: Item<'_>| {
        if let Item::Event { data, .. } = item
            && data != b"[DONE]"
            // A relay passes a provider's own frames on, broken in their own way or not.
            && from != to
        {
            serde_json::from_slice::<serde_json::Value>(data).expect("whole events of JSON");
        }
        std::ops::ControlFlow::Continue(())
    };
    decoder.feed(&out, &mut on).expect("no frame is too large");
});
