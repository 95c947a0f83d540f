//! A stream means the same however the network cuts it. The first two bytes say where it is cut.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use wire::sse::{Decoder, Item};

const FRAME_BYTES_MAX: usize = 1 << 20;

fn decode(pieces: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut items = Vec::new();
    let mut take = |item: Item<'_>| {
        items.push(match item {
            Item::Event { name, data } => (name.to_vec(), data.to_vec()),
            Item::Comment(text) => (b":".to_vec(), text.to_vec()),
        });
        ControlFlow::Continue(())
    };
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    for piece in pieces {
        decoder.feed(piece, &mut take).expect("far below the bound");
    }
    decoder.finish(&mut take);
    items
}

fuzz_target!(|input: &[u8]| {
    let Some(([a, b], stream)) = input.split_first_chunk::<2>() else { return };
    let (first, second) = stream.split_at(usize::from(*a) % (stream.len() + 1));
    let (second, third) = second.split_at(usize::from(*b) % (second.len() + 1));
    let whole = decode(&[stream]);
    assert_eq!(whole, decode(&[first, second, third]));
    assert_eq!(whole, decode(&stream.chunks(1).collect::<Vec<_>>()));
    // A small bound refuses or gives the same, and holds no more than it says.
    let mut small = Decoder::new(16);
    let _ = small.feed(stream, &mut |item| {
        if let Item::Event { data, .. } = item {
            assert!(data.len() <= 16);
        }
        ControlFlow::Continue(())
    });
});
