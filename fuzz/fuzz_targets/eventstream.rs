//! Any bytes, split anywhere, are frames or an error; the same for every split.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use wire::eventstream::Decoder;

fn decode(parts: &[&[u8]]) -> (Vec<(String, Vec<u8>)>, bool) {
    let mut decoder = Decoder::new(1 << 16);
    let mut frames = Vec::new();
    for part in parts {
        let fed = decoder.feed(part, &mut |frame| {
            frames.push((frame.name.to_owned(), frame.data.to_vec()));
            ControlFlow::Continue(())
        });
        if fed.is_err() {
            return (frames, false);
        }
    }
    (frames, true)
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let at = usize::from(*first).min(bytes.len());
    let (head, tail) = bytes.split_at(at);
    assert_eq!(decode(&[bytes]), decode(&[head, tail]));
});
