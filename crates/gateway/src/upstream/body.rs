//! A provider's body on its way to us: over a socket, or played by the sandbox.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;

use super::pool::Lease;
use crate::sandbox::Playback;

/// Bytes as they arrive. Dropping it early closes the connection, and so cancels the call.
#[derive(Debug)]
pub struct UpstreamBody(Source);

#[derive(Debug)]
enum Source {
    Http { incoming: Box<Incoming>, lease: Option<Lease> },
    Sandbox(Playback),
}

/// The body broke off.
#[derive(Debug, thiserror::Error)]
#[error("the connection broke in the middle of the answer")]
pub struct BodyBroken;

impl UpstreamBody {
    pub(crate) fn http(incoming: Incoming, lease: Lease) -> UpstreamBody {
        UpstreamBody(Source::Http { incoming: Box::new(incoming), lease: Some(lease) })
    }

    pub(crate) fn sandbox(playback: Playback) -> UpstreamBody {
        UpstreamBody(Source::Sandbox(playback))
    }

    /// The next bytes; `None` at the end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyBroken>>> {
        match &mut self.0 {
            Source::Sandbox(playback) => playback.poll(cx),
            Source::Http { incoming, lease } => loop {
                match Pin::new(&mut **incoming).poll_frame(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(bytes) = frame.into_data() {
                            return Poll::Ready(Some(Ok(bytes)));
                        }
                    }
                    Poll::Ready(Some(Err(_))) => {
                        *lease = None;
                        return Poll::Ready(Some(Err(BodyBroken)));
                    }
                    Poll::Ready(None) => {
                        if let Some(lease) = lease.take() {
                            lease.give_back();
                        }
                        return Poll::Ready(None);
                    }
                }
            },
        }
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyBroken>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }
}

/// Reads a body whole; `Err` with what came when it broke off or grew past the bound.
pub(crate) async fn collect(mut body: UpstreamBody, bytes_max: usize) -> Result<Bytes, Bytes> {
    let Some(first) = body.next().await else { return Ok(Bytes::new()) };
    let Ok(first) = first else { return Err(Bytes::new()) };
    let mut whole: Option<Vec<u8>> = None;
    while let Some(next) = body.next().await {
        let held = whole.get_or_insert_with(|| first.to_vec());
        match next {
            Ok(bytes) if held.len() + bytes.len() <= bytes_max => held.extend_from_slice(&bytes),
            _ => return Err(Bytes::from(whole.unwrap_or_default())),
        }
    }
    Ok(whole.map_or(first, Bytes::from))
}
