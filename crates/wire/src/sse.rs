//! Server-sent events, taken apart as they arrive, split anywhere.
//!
//! Lines end with LF, CRLF or CR, also when the pair is split; `data:` may lack its space; several data lines join with LF;
//! a byte-order mark at the start is skipped; unknown fields are ignored. An event that the end of the body cuts
//! off before its blank line still counts when it has data: several providers end that way.

use std::ops::ControlFlow;

use memchr::memchr2;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event with its data.
    Event {
        /// The `event:` field; empty when absent.
        name: &'a [u8],
        /// All data lines, joined with LF.
        data: &'a [u8],
    },
    /// A comment line without its colon: a keep-alive.
    Comment(&'a [u8]),
}

/// An event or line grew past the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {frame_bytes_max} bytes")]
pub struct FrameTooLarge {
    /// The bound that was passed.
    pub frame_bytes_max: usize,
}

/// The incremental decoder. Memory is bounded by `frame_bytes_max`.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    data: Vec<u8>,
    name: Vec<u8>,
    has_data: bool,
    skip_lf: bool,
    at_start: bool,
    frame_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses events larger than `frame_bytes_max`.
    pub fn new(frame_bytes_max: usize) -> Decoder {
        Decoder {
            line: Vec::new(),
            data: Vec::new(),
            name: Vec::new(),
            has_data: false,
            skip_lf: false,
            at_start: true,
            frame_bytes_max,
        }
    }

    /// Takes the next bytes and calls `on` for each item that they complete, until it breaks.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<(), FrameTooLarge> {
        while let Some(first) = input.first() {
            if std::mem::take(&mut self.skip_lf) && *first == b'\n' {
                input = input.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', input) else {
                self.line.extend_from_slice(input);
                return self.check(0);
            };
            let (head, rest) = input.split_at_checked(end).unwrap_or((input, &[]));
            self.skip_lf = rest.first() == Some(&b'\r');
            input = rest.get(1..).unwrap_or_default();
            let flow = if self.line.is_empty() {
                self.check(head.len())?;
                self.line(head, on)
            } else {
                self.check(head.len())?;
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                let flow = self.line(&line, on);
                line.clear();
                self.line = line;
                flow
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The body has ended: gives what is left.
    pub fn finish(&mut self, on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && self.line(&line, on).is_break() {
            return;
        }
        let _ = self.line(&[], on);
    }

    fn check(&self, more: usize) -> Result<(), FrameTooLarge> {
        let held = self.line.len() + self.data.len() + more;
        if held > self.frame_bytes_max {
            return Err(FrameTooLarge { frame_bytes_max: self.frame_bytes_max });
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let line = match std::mem::take(&mut self.at_start) {
            true => line.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            let flow = match std::mem::take(&mut self.has_data) {
                true => on(Item::Event { name: &self.name, data: &self.data }),
                false => ControlFlow::Continue(()),
            };
            self.data.clear();
            self.name.clear();
            return flow;
        }
        if let Some(comment) = line.strip_prefix(b":") {
            return on(Item::Comment(comment));
        }
        let colon = memchr::memchr(b':', line);
        let (field, value) = match colon.and_then(|at| line.split_at_checked(at)) {
            Some((field, value)) => (field, value.get(1..).unwrap_or_default()),
            None => (line, [].as_slice()),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = value.to_vec(),
            _ => (),
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(parts: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::new(1000);
        let mut seen = Vec::new();
        let mut on = |item: Item<'_>| {
            seen.push(match item {
                Item::Event { name, data } => {
                    format!("{}|{}", String::from_utf8_lossy(name), String::from_utf8_lossy(data))
                }
                Item::Comment(text) => format!("#{}", String::from_utf8_lossy(text)),
            });
            ControlFlow::Continue(())
        };
        for part in parts {
            decoder.feed(part, &mut on).unwrap();
        }
        decoder.finish(&mut on);
        seen
    }

    const STREAM: &[u8] = b"\xEF\xBB\xBFdata: one\n\n: hi\r\n\r\nevent: e\rdata:two\rdata: 2\xc3\xa9\r\r\ndata\n\nid: 1\n\nretry: 3\n\ndata: end";

    #[test]
    fn all_line_ends_comments_joins_and_a_cut_end() {
        assert_eq!(decode(&[STREAM]), ["|one", "# hi", "e|two\n2\u{e9}", "|", "|end"]);
    }

    #[test]
    fn every_split_point_gives_the_same() {
        let whole = decode(&[STREAM]);
        for at in 0..=STREAM.len() {
            assert_eq!(decode(&[&STREAM[..at], &STREAM[at..]]), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(decode(&bytes), whole);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = Decoder::new(100);
        let mut on = |_: Item<'_>| ControlFlow::Continue(());
        let result = (0..20).try_for_each(|_| decoder.feed(&[b'x'; 10], &mut on));
        assert_eq!(result, Err(FrameTooLarge { frame_bytes_max: 100 }));
    }

    proptest! {
        #[test]
        fn any_bytes_any_split(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..200), at in any::<prop::sample::Index>()) {
            let at = at.index(bytes.len() + 1);
            prop_assert_eq!(decode(&[&bytes]), decode(&[&bytes[..at], &bytes[at..]]));
        }
    }
}
