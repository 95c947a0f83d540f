//! Lines of JSON, taken apart as they arrive, split anywhere. Empty lines are skipped.

use std::ops::ControlFlow;

use crate::sse::FrameTooLarge;

/// The incremental decoder. Memory is bounded by `frame_bytes_max`.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    frame_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses lines larger than `frame_bytes_max`.
    pub const fn new(frame_bytes_max: usize) -> Decoder {
        Decoder { line: Vec::new(), frame_bytes_max }
    }

    /// Takes the next bytes and calls `on` for each line that they complete, until it breaks.
    pub fn feed(
        &mut self,
        input: &[u8],
        on: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), FrameTooLarge> {
        for piece in input.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > self.frame_bytes_max {
                return Err(FrameTooLarge { frame_bytes_max: self.frame_bytes_max });
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") && self.finish(on).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The body has ended: gives what is left.
    pub fn finish(&mut self, on: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        let line = std::mem::take(&mut self.line);
        let flow = match line.trim_ascii() {
            [] => ControlFlow::Continue(()),
            text => on(text),
        };
        self.line = line;
        self.line.clear();
        flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_point_gives_the_same_lines() {
        let text = b"{\"a\":1}\r\n\n{\"b\":\"\xc3\xa9\"}\n{\"c\":3}";
        for at in 0..=text.len() {
            let mut decoder = Decoder::new(20);
            let mut seen = Vec::new();
            let mut on = |line: &[u8]| {
                seen.push(String::from_utf8_lossy(line).into_owned());
                ControlFlow::Continue(())
            };
            decoder.feed(&text[..at], &mut on).unwrap();
            decoder.feed(&text[at..], &mut on).unwrap();
            let _ = decoder.finish(&mut on);
            assert_eq!(seen, ["{\"a\":1}", "{\"b\":\"\u{e9}\"}", "{\"c\":3}"], "split at {at}");
        }
        let mut decoder = Decoder::new(5);
        assert!(decoder.feed(b"123456", &mut |_| ControlFlow::Continue(())).is_err());
    }
}
