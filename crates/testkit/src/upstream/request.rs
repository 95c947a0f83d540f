//! What an upstream was asked: one HTTP/1.1 request, read whole.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The script is being played.
    Playing,
    /// The script was played to its end.
    Played,
    /// The caller closed the connection before the script ended.
    CallerLeft,
}

/// One request that an upstream took, and what became of it.
#[derive(Clone, Debug)]
pub struct Recorded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    phase: watch::Sender<Phase>,
}

impl Recorded {
    /// `POST`.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// Path and query as sent.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Every header line in order, names in lower case.
    pub fn headers(&self) -> &[(String, String)] {
        &self.0.headers
    }

    /// The first header of that name (give it in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.0.headers, name)
    }

    /// The body's bytes, after the transfer coding.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or(Value::Null)
    }

    /// True when the body asks for a stream.
    pub fn wants_stream(&self) -> bool {
        self.json().get("stream") == Some(&Value::Bool(true))
    }

    /// Where it stands now.
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Waits until the exchange is over, one way or the other.
    pub async fn over(&self) -> Phase {
        let mut phase = self.0.phase.subscribe();
        let end =
            crate::within("the exchange with the upstream to end", phase.wait_for(|p| *p != Phase::Playing));
        end.await.map_or(Phase::Playing, |p| *p)
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.0.phase.send_replace(phase);
    }
}

pub(crate) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// Position just after the blank line that ends a head.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// First line and header lines of a head, names in lower case.
pub(crate) fn parse_head(head: &[u8]) -> (String, Vec<(String, String)>) {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    (first, headers)
}

/// Reads one request; `None` when the peer closed between requests or sent half of one.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<Recorded> {
    let end = loop {
        if let Some(end) = head_end(buffer) {
            break end;
        }
        fill(stream, buffer).await?;
    };
    let head = buffer.split_to(end);
    let (first, headers) = parse_head(&head);
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let body = if find(&headers, "transfer-encoding").is_some_and(|v| v.contains("chunked")) {
        chunked(stream, buffer).await?
    } else {
        let length = find(&headers, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        while buffer.len() < length {
            fill(stream, buffer).await?;
        }
        buffer.split_to(length).freeze()
    };
    let (phase, _) = watch::channel(Phase::Playing);
    Some(Recorded(Arc::new(Inner { method, path, headers, body, phase })))
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(read) if read > 0 => Some(()),
        _ => None,
    }
}

async fn chunked(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let size = loop {
            if let Some(end) = memchr::memmem::find(buffer, b"\r\n") {
                let line = buffer.split_to(end);
                buffer.advance(2);
                let digits = String::from_utf8_lossy(&line);
                let digits = digits.split(';').next().unwrap_or_default().trim().to_owned();
                break usize::from_str_radix(&digits, 16).ok()?;
            }
            fill(stream, buffer).await?;
        };
        while buffer.len() < size + 2 {
            fill(stream, buffer).await?;
        }
        body.extend_from_slice(&buffer.split_to(size));
        buffer.advance(2);
        if size == 0 {
            return Some(body.freeze());
        }
    }
}
