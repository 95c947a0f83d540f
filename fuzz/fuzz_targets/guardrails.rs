//! However a text is cut, what leaves is what the whole would have become; JSON stays JSON; placeholders are in place of what was found.
//! The first byte says where the text behind it is cut.
#![no_main]

use std::sync::{Arc, LazyLock};

use guardrails::{Compiled, HELD_BYTES_MAX, JsonStream, Place, Rules, Stream, Tally, mask_json};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Arc<Compiled>> = LazyLock::new(|| {
    let written = serde_json::json!({
        "kinds": {"personal": "mask", "financial": "mask", "secrets": "mask", "prompt_injection": "mask"},
        "patterns": [{"name": "employee", "pattern": "\\bEMP-\\d{4,6}\\b"}]
    });
    let rules = Rules::read(&written).expect("they are rules");
    Arc::new(Compiled::new(&[Arc::new(rules)]).expect("they compile"))
});

fuzz_target!(|input: &[u8]| {
    let Some((step, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let step = usize::from(*step % 13) + 1;
    let mut whole = Tally::default();
    let masked = RULES.mask(text, Place::Answer, &mut whole).into_owned();
    let (mut stream, mut out, mut tally) =
        (Stream::new(Arc::clone(&RULES), Place::Answer), String::new(), Tally::default());
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(step) {
        stream.push(&piece.iter().collect::<String>(), &mut out, &mut tally).expect("nothing is blocked");
        assert!(stream.held_bytes() <= HELD_BYTES_MAX);
    }
    stream.finish(&mut out, &mut tally).expect("nothing is blocked");
    assert_eq!((out, tally), (masked, whole));
    // The user's place looks for more; it may not fail either.
    let _ = RULES.mask(text, Place::User, &mut Tally::default());

    let json = mask_json(&RULES, text, Place::Answer, &mut Tally::default());
    if text.starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(text).is_ok() {
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON stays JSON");
    }
    let (mut stream, mut out) = (JsonStream::new(Arc::clone(&RULES), Place::Answer), String::new());
    for piece in chars.chunks(step) {
        let piece = piece.iter().collect::<String>();
        stream.push(&piece, &mut out, &mut Tally::default()).expect("nothing is blocked");
    }
    stream.finish(&mut out, &mut Tally::default()).expect("nothing is blocked");
    assert_eq!(out, json);
});
