//! Writes JSON straight into bytes: one copy of a large text on its way out, and no tree.
//!
//! Commas take care of themselves: a value needs one unless the last byte opened something or ended a key.

use serde::Serialize;

/// Bytes on their way to becoming a JSON text.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty text with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: Vec::with_capacity(bytes) }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The text.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    /// `{`
    pub fn begin_object(&mut self) -> &mut Writer {
        self.comma();
        self.out.push(b'{');
        self
    }

    /// `}`
    pub fn end_object(&mut self) -> &mut Writer {
        self.out.push(b'}');
        self
    }

    /// `}`, and the text is done.
    pub fn end_object_and_finish(mut self) -> Vec<u8> {
        self.end_object();
        self.out
    }

    /// `[`
    pub fn begin_array(&mut self) -> &mut Writer {
        self.comma();
        self.out.push(b'[');
        self
    }

    /// `]`
    pub fn end_array(&mut self) -> &mut Writer {
        self.out.push(b']');
        self
    }

    /// A key; its value follows.
    pub fn key(&mut self, key: &str) -> &mut Writer {
        self.string(key);
        self.out.push(b':');
        self
    }

    /// A string.
    pub fn string(&mut self, text: &str) -> &mut Writer {
        self.json(text)
    }

    /// A value that is JSON already; nothing at all is taken for `null`.
    pub fn raw(&mut self, json: &[u8]) -> &mut Writer {
        self.comma();
        self.out.extend_from_slice(if json.is_empty() { b"null" } else { json });
        self
    }

    /// Whatever serde can write: numbers, booleans, trees.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Writer {
        self.comma();
        let start = self.out.len();
        if serde_json::to_writer(&mut self.out, value).is_err() {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
        self
    }

    /// A key with a string.
    pub fn field(&mut self, key: &str, text: &str) -> &mut Writer {
        self.key(key).string(text)
    }

    /// A key with a value that is JSON already.
    pub fn field_raw(&mut self, key: &str, json: &[u8]) -> &mut Writer {
        self.key(key).raw(json)
    }

    /// A key with whatever serde can write.
    pub fn field_json<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Writer {
        self.key(key).json(value)
    }

    /// A key with a string, when there is one.
    pub fn field_some(&mut self, key: &str, text: Option<&str>) -> &mut Writer {
        match text {
            Some(text) => self.field(key, text),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_take_care_of_themselves() {
        let mut w = Writer::default();
        w.begin_object().field("a\"", "x\n").key("b").begin_array().json(&1).raw(b"{}").string("[");
        w.begin_object()
            .end_object()
            .end_array()
            .field_some("none", None)
            .field_json("t", &true)
            .end_object();
        assert_eq!(w.finish(), br#"{"a\"":"x\n","b":[1,{},"[",{}],"t":true}"#);
    }
}
