//! The bodies that leave: whole, or pumped from a provider.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::idempotency::Recorder;
use crate::insight::exports::Pages;
use crate::pump::Pump;

/// The body of an answer.
#[derive(Debug)]
pub enum ResponseBody {
    /// All of it; leaves in one write with its length.
    Full(Option<Bytes>),
    /// A stream on its way through.
    Pump(Box<Pump>),
    /// A stream that is written down as it leaves.
    Recorder(Box<Recorder>),
    /// Pages that are made as they are taken.
    Pages(Box<Pages>),
}

impl ResponseBody {
    /// A body that is all there.
    pub fn full(bytes: impl Into<Bytes>) -> ResponseBody {
        let bytes = bytes.into();
        ResponseBody::Full((!bytes.is_empty()).then_some(bytes))
    }

    /// No body.
    pub const fn empty() -> ResponseBody {
        ResponseBody::Full(None)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            ResponseBody::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            ResponseBody::Pump(pump) => pump.poll(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            ResponseBody::Recorder(recorder) => {
                recorder.poll(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            ResponseBody::Pages(pages) => {
                pages.poll(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Full(bytes) => bytes.is_none(),
            ResponseBody::Pump(pump) => pump.is_finished(),
            ResponseBody::Recorder(recorder) => recorder.is_finished(),
            ResponseBody::Pages(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            ResponseBody::Pump(_) | ResponseBody::Recorder(_) | ResponseBody::Pages(_) => SizeHint::default(),
        }
    }
}
