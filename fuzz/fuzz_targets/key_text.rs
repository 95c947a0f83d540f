//! Keys of anybody's making: a made one is recognized, and one wrong letter is not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{ApiKeyText, KeyHash, checksum_ok};

/// Characters of a key that its label does not show.
const HIDDEN_MIN: usize = 7;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let _ = checksum_ok("sk-tw", &text);
    let _ = KeyHash::from_hex(&text);
    if let Ok(chosen) = ApiKeyText::from_chosen(&text) {
        assert_eq!(chosen.expose(), text);
        // The label is shown and logged: enough of the key must stay out of it.
        let shown = chosen.label().len() - "...".len();
        assert!(shown + HIDDEN_MIN <= text.len(), "{}", chosen.label());
    }
    let Some((random, rest)) = input.split_first_chunk::<32>() else { return };
    let key = ApiKeyText::generate("sk-tw", *random);
    assert_eq!(checksum_ok("sk-tw", key.expose()), Some(true));
    let Some(at) = rest.first().map(|at| usize::from(*at) % key.expose().len()) else { return };
    let mut wrong = key.expose().as_bytes().to_vec();
    wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
    let wrong = String::from_utf8(wrong).expect("ASCII");
    assert_ne!(checksum_ok("sk-tw", &wrong), Some(true));
});
