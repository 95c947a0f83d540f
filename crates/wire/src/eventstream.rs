//! The binary event stream of AWS, taken apart as it arrives. The format and its checksums are the vendor's crate's.

use std::ops::ControlFlow;

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of a frame's prelude: both lengths and their checksum.
const PRELUDE_BYTES: usize = 12;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something happened as it should.
    Event,
    /// An error in the stream.
    Exception,
}

/// A frame.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// Which event or exception.
    pub name: &'a str,
    /// Its payload, usually JSON.
    pub data: &'a [u8],
}

/// A stream that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame says that it is larger than the bound.
    #[error("an event of the stream is larger than {0} bytes")]
    TooLarge(usize),
    /// Lengths or checksums are wrong.
    #[error("the stream holds a broken frame")]
    Broken,
}

/// The incremental decoder. Memory is bounded by `frame_bytes_max`.
#[derive(Debug)]
pub struct Decoder {
    held: BytesMut,
    frame_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses frames larger than `frame_bytes_max`.
    pub fn new(frame_bytes_max: usize) -> Decoder {
        Decoder { held: BytesMut::new(), frame_bytes_max }
    }

    /// Takes the next bytes and calls `on` for each frame that they complete, until it breaks.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        on: &mut dyn FnMut(Frame<'_>) -> ControlFlow<()>,
    ) -> Result<(), DecodeError> {
        self.held.extend_from_slice(bytes);
        while self.held.len() >= PRELUDE_BYTES {
            let total = (&self.held[..]).get_u32() as usize;
            if total > self.frame_bytes_max {
                return Err(DecodeError::TooLarge(self.frame_bytes_max));
            }
            // Two checksums and the prelude at least.
            if total < PRELUDE_BYTES + 4 {
                return Err(DecodeError::Broken);
            }
            if self.held.len() < total {
                return Ok(());
            }
            let frame: Bytes = self.held.split_to(total).freeze();
            let message = read_message_from(frame).map_err(|_| DecodeError::Broken)?;
            if hand_over(&message, on).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn hand_over(message: &Message, on: &mut dyn FnMut(Frame<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
    let header = |name: &str| {
        let found = message.headers().iter().find(|header| header.name().as_str() == name)?;
        found.value().as_string().ok().map(|text| text.as_str().to_owned())
    };
    let kind = match header(":message-type").as_deref() {
        Some("exception" | "error") => Kind::Exception,
        _ => Kind::Event,
    };
    let name = match kind {
        Kind::Event => header(":event-type"),
        Kind::Exception => header(":exception-type").or_else(|| header(":error-code")),
    };
    on(Frame { kind, name: name.as_deref().unwrap_or_default(), data: message.payload() })
}

/// A frame as bytes, for tests and fakes.
pub fn encode(kind: Kind, name: &str, data: &[u8]) -> Vec<u8> {
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue};
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let (message_type, name_header) = match kind {
        Kind::Event => ("event", ":event-type"),
        Kind::Exception => ("exception", ":exception-type"),
    };
    let message = Message::new(Bytes::copy_from_slice(data))
        .add_header(Header::new(":message-type", text(message_type)))
        .add_header(Header::new(name_header, text(name)))
        .add_header(Header::new(":content-type", text("application/json")));
    let mut out = Vec::new();
    if write_message_to(&message, &mut out).is_err() {
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(parts: &[&[u8]]) -> Result<Vec<String>, DecodeError> {
        let mut decoder = Decoder::new(1_000);
        let mut seen = Vec::new();
        for part in parts {
            decoder.feed(part, &mut |frame| {
                seen.push(format!("{:?} {} {}", frame.kind, frame.name, String::from_utf8_lossy(frame.data)));
                ControlFlow::Continue(())
            })?;
        }
        Ok(seen)
    }

    #[test]
    fn every_split_point_gives_the_same_frames() {
        let mut stream = encode(Kind::Event, "messageStart", b"{\"role\":\"assistant\"}");
        stream.extend(encode(Kind::Exception, "throttlingException", b"{\"message\":\"slow\"}"));
        let whole = decode(&[&stream]).unwrap();
        assert_eq!(whole[0], "Event messageStart {\"role\":\"assistant\"}");
        assert_eq!(whole[1], "Exception throttlingException {\"message\":\"slow\"}");
        for at in 0..=stream.len() {
            assert_eq!(decode(&[&stream[..at], &stream[at..]]).unwrap(), whole, "split at {at}");
        }
        let mut broken = stream.clone();
        broken[20] ^= 1;
        assert_eq!(decode(&[&broken]), Err(DecodeError::Broken));
        assert_eq!(decode(&[&[0xff; 16]]), Err(DecodeError::TooLarge(1_000)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&[&bytes]);
        }
    }
}
