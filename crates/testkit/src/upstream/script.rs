//! A script: what an upstream does with one request, byte by byte.
//!
//! Payloads are framed as the head says: `chunked` frames each piece as one HTTP chunk and writes it at once, a
//! length or an open end sends it bare. A split cuts the payload, not the framing, so that a reader sees the cut.

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

/// One thing that a script does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Bytes as they are, outside any framing.
    Raw(Bytes),
    /// Bytes of the body.
    Payload(Bytes),
    /// The end of a chunked body.
    End,
    /// Waits, milliseconds.
    Delay(u64),
    /// Waits until a test opens the gate.
    Wait(Gate),
    /// Waits until the caller leaves.
    Hang,
    /// Closes with RST.
    Reset,
    /// Closes with FIN.
    Close,
}

/// Where payloads are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Whole,
    Every(usize),
    At(usize),
}

/// A door that a test opens once, for all who wait before it.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Gate {
        Gate(watch::channel(false).0)
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn wait(&self) {
        let mut seen = self.0.subscribe();
        let _ = seen.wait_for(|open| *open).await;
    }
}

/// What an upstream does with one request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) steps: Vec<Step>,
    pub(super) chunked: bool,
    pub(super) split: Split,
}

impl Default for Script {
    fn default() -> Script {
        Script::new()
    }
}

impl Script {
    /// Does nothing yet: an upstream that plays it leaves the connection open for the next request.
    pub fn new() -> Script {
        Script { steps: Vec::new(), chunked: false, split: Split::Whole }
    }

    /// A whole answer with its length, sent in one write.
    pub fn plain(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Script {
        let body = body.into();
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend_from_slice(headers);
        Script::new().head(status, &all).chunk(body)
    }

    /// A whole JSON answer.
    pub fn json(status: u16, body: &Value) -> Script {
        Script::plain(status, &[("content-type", "application/json")], body.to_string())
    }

    /// The head of a stream of events.
    pub fn stream() -> Script {
        let headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
        Script::new().head(200, &headers)
    }

    /// Status line and headers. `transfer-encoding: chunked` among them turns chunk framing on.
    pub fn head(mut self, status: u16, headers: &[(&str, &str)]) -> Script {
        let mut text = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
            self.chunked |= name.eq_ignore_ascii_case("transfer-encoding") && *value == "chunked";
        }
        text.push_str("\r\n");
        self.raw(text)
    }

    /// Bytes of the body.
    pub fn chunk(self, bytes: impl Into<Bytes>) -> Script {
        self.step(Step::Payload(bytes.into()))
    }

    /// One server-sent event: `data: <json>` and a blank line.
    pub fn event(self, json: &Value) -> Script {
        self.chunk(format!("data: {json}\n\n"))
    }

    /// `data: [DONE]` and the end of the body.
    pub fn done(self) -> Script {
        self.chunk("data: [DONE]\n\n").end()
    }

    /// The end of a chunked body.
    pub fn end(self) -> Script {
        self.step(Step::End)
    }

    /// Waits, milliseconds.
    pub fn delay(self, delay_ms: u64) -> Script {
        self.step(Step::Delay(delay_ms))
    }

    /// Waits until the test opens the gate.
    pub fn wait_for(self, gate: &Gate) -> Script {
        self.step(Step::Wait(gate.clone()))
    }

    /// Waits until the caller leaves.
    pub fn hang(self) -> Script {
        self.step(Step::Hang)
    }

    /// Closes with RST.
    pub fn reset(self) -> Script {
        self.step(Step::Reset)
    }

    /// Closes with FIN.
    pub fn close(self) -> Script {
        self.step(Step::Close)
    }

    /// Bytes as they are, for what no HTTP server would send.
    pub fn raw(self, bytes: impl Into<Bytes>) -> Script {
        self.step(Step::Raw(bytes.into()))
    }

    /// Cuts every payload into pieces of `bytes`, each framed and written by itself.
    pub fn split_every(mut self, bytes: usize) -> Script {
        self.split = Split::Every(bytes.max(1));
        self
    }

    /// Cuts the body once, after that many bytes.
    pub fn split_at(mut self, bytes: usize) -> Script {
        self.split = Split::At(bytes);
        self
    }

    /// Bytes in the body, all payloads together: the bound for [`Script::split_at`].
    pub fn body_bytes(&self) -> usize {
        let payload = |step: &Step| if let Step::Payload(bytes) = step { bytes.len() } else { 0 };
        self.steps.iter().map(payload).sum()
    }

    fn step(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }
}

/// The pieces of a payload that begins at `offset` of the body.
pub(super) fn pieces(payload: &Bytes, offset: usize, split: Split) -> Vec<Bytes> {
    let cut_every = |size: usize| (0..payload.len()).step_by(size.max(1));
    match split {
        Split::Every(size) => {
            cut_every(size).map(|at| payload.slice(at..payload.len().min(at.saturating_add(size)))).collect()
        }
        Split::At(at) if at > offset && at < offset + payload.len() => {
            vec![payload.slice(..at - offset), payload.slice(at - offset..)]
        }
        Split::At(_) | Split::Whole => vec![payload.clone()],
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_cut_where_asked() {
        let payload = Bytes::from_static(b"abcdef");
        let rows: [(usize, Split, &[&str]); 5] = [
            (0, Split::Whole, &["abcdef"]),
            (0, Split::Every(4), &["abcd", "ef"]),
            (0, Split::At(2), &["ab", "cdef"]),
            (10, Split::At(13), &["abc", "def"]),
            (10, Split::At(3), &["abcdef"]),
        ];
        for (offset, split, expect) in rows {
            let got = pieces(&payload, offset, split);
            assert_eq!(got, expect, "{offset} {split:?}");
        }
    }
}
