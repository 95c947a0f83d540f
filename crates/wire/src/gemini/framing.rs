//! The two forms of a stream: server-sent events, and (without `alt=sse`) one JSON array of answers.

/// Puts answers of a stream into one of the two forms.
#[derive(Debug)]
pub(super) struct Framing {
    array: bool,
    begun: bool,
}

impl Framing {
    /// Server-sent events.
    pub(super) const SSE: Framing = Framing { array: false, begun: false };
    /// A JSON array.
    pub(super) const ARRAY: Framing = Framing { array: true, begun: false };

    /// Before an answer.
    pub(super) fn open(&mut self, out: &mut Vec<u8>) {
        let begun = std::mem::replace(&mut self.begun, true);
        let head: &[u8] = match (self.array, begun) {
            (false, _) => b"data: ",
            (true, false) => b"[",
            (true, true) => b",\r\n",
        };
        out.extend_from_slice(head);
    }

    /// Between answers. An array has no comments, but takes white space.
    pub(super) fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        match self.array {
            true => out.extend_from_slice(b"\r\n"),
            false => [b":", text, b"\r\n\r\n"].into_iter().for_each(|part| out.extend_from_slice(part)),
        }
    }

    /// After an answer.
    pub(super) fn close(&self, out: &mut Vec<u8>) {
        if !self.array {
            out.extend_from_slice(b"\r\n\r\n");
        }
    }

    /// After the last.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        if self.array {
            out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
        }
    }
}
