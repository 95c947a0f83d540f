//! A provider's stream cut into frames, whatever cuts it.

use std::ops::ControlFlow;

use wire::{eventstream, lines, sse};

use crate::upstream::Framing;

/// A frame of a stream.
#[derive(Clone, Copy, Debug)]
pub enum FrameOf<'a> {
    /// Something was said.
    Data {
        /// The event's name; empty where there is none.
        name: &'a str,
        /// What was said.
        data: &'a [u8],
    },
    /// A keep-alive comment, without its colon.
    Comment(&'a [u8]),
}

/// What is called for each frame.
pub type OnFrame<'f> = &'f mut dyn FnMut(FrameOf<'_>) -> ControlFlow<()>;

/// The incremental decoder; memory is bounded by `sse_frame_bytes_max`.
#[derive(Debug)]
pub enum Frames {
    /// Server-sent events.
    Sse(sse::Decoder),
    /// AWS's binary event stream.
    EventStream(eventstream::Decoder),
    /// One JSON value per line.
    JsonLines(lines::Decoder),
}

impl Frames {
    /// A decoder that refuses frames larger than `bytes_max`.
    pub fn new(framing: Framing, bytes_max: usize) -> Frames {
        match framing {
            Framing::Sse => Frames::Sse(sse::Decoder::new(bytes_max)),
            Framing::EventStream => Frames::EventStream(eventstream::Decoder::new(bytes_max)),
            Framing::JsonLines => Frames::JsonLines(lines::Decoder::new(bytes_max)),
        }
    }

    /// Takes the next bytes and calls `on` for each frame that they complete, until it breaks. An error is what is wrong.
    pub fn feed(&mut self, bytes: &[u8], on: OnFrame<'_>) -> Result<(), String> {
        match self {
            Frames::Sse(decoder) => {
                decoder.feed(bytes, &mut |item| on(of_item(item))).map_err(|error| error.to_string())
            }
            Frames::JsonLines(decoder) => decoder
                .feed(bytes, &mut |data| on(FrameOf::Data { name: "", data }))
                .map_err(|error| error.to_string()),
            Frames::EventStream(decoder) => {
                decoder.feed(bytes, &mut |frame| of_aws(&frame, on)).map_err(|error| error.to_string())
            }
        }
    }

    /// The body has ended: gives what is left.
    pub fn finish(&mut self, on: OnFrame<'_>) {
        match self {
            Frames::Sse(decoder) => decoder.finish(&mut |item| on(of_item(item))),
            Frames::JsonLines(decoder) => {
                let _ = decoder.finish(&mut |data| on(FrameOf::Data { name: "", data }));
            }
            // A frame that was cut off says nothing.
            Frames::EventStream(_) => (),
        }
    }
}

fn of_item<'a>(item: sse::Item<'a>) -> FrameOf<'a> {
    match item {
        sse::Item::Comment(text) => FrameOf::Comment(text),
        sse::Item::Event { name, data } => {
            FrameOf::Data { name: std::str::from_utf8(name).unwrap_or_default(), data }
        }
    }
}

fn of_aws(frame: &eventstream::Frame<'_>, on: OnFrame<'_>) -> ControlFlow<()> {
    match frame.kind {
        eventstream::Kind::Event => on(FrameOf::Data { name: frame.name, data: frame.data }),
        eventstream::Kind::Exception => {
            on(FrameOf::Data { name: &format!("exception:{}", frame.name), data: frame.data })
        }
    }
}
