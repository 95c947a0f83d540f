//! A JSON value where it stands in a text: looked at in place, copied by nobody.
//!
//! A [`Node`] comes from a text that was scanned whole ([`Node::parse`]), so reading it can't fail halfway; what has
//! another kind than asked for is `None`. Each look scans the value's own bytes again: walk an object once with
//! [`Node::members`] rather than asking for key after key.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{self, Kind, ScanError};

/// A value in a scanned text.
#[derive(Clone, Copy)]
pub struct Node<'b> {
    text: &'b [u8],
    start: usize,
    end: usize,
}

impl std::fmt::Debug for Node<'_> {
    /// Says only what kind it is: values hold prompts, and prompts stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({:?}, {} bytes)", self.kind(), self.end.saturating_sub(self.start))
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw() == other.raw()
    }
}

impl<'b> Node<'b> {
    /// Scans a text that must be one object.
    pub fn parse(text: &'b [u8]) -> Result<Node<'b>, ScanError> {
        json::object(text)?;
        let start = text.iter().position(|b| *b == b'{').unwrap_or(0);
        let end = text.iter().rposition(|b| *b == b'}').map_or(text.len(), |at| at + 1);
        Ok(Node { text, start, end })
    }

    /// A value at a span of a text that was scanned before.
    pub fn at(text: &'b [u8], span: &Range<usize>) -> Node<'b> {
        Node { text, start: span.start, end: span.end }
    }

    /// Where it stands in its text.
    pub(crate) fn span(self) -> Range<usize> {
        self.start..self.end
    }

    /// Its bytes.
    pub fn raw(self) -> &'b [u8] {
        self.text.get(self.span()).unwrap_or_default()
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        Kind::of(self.raw())
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.raw() == b"null"
    }

    /// A string, unescaped; borrowed where nothing was escaped.
    pub fn string(self) -> Option<Cow<'b, str>> {
        json::string(self.text, &self.span())
    }

    /// A number as it is written.
    pub fn number(self) -> Option<&'b str> {
        (self.kind() == Kind::Number).then(|| std::str::from_utf8(self.raw()).ok()).flatten()
    }

    /// A whole number that fits; `5.0` counts as 5.
    pub fn u64(self) -> Option<u64> {
        let text = self.number()?;
        text.parse().ok().or_else(|| text.strip_suffix(".0")?.parse().ok())
    }

    /// A boolean.
    pub fn bool(self) -> Option<bool> {
        json::boolean(self.text, &self.span())
    }

    /// The members of an object in order, `null` ones left out; empty for anything else.
    pub fn members(self) -> Vec<(Cow<'b, str>, Node<'b>)> {
        if self.kind() != Kind::Object {
            return Vec::new();
        }
        let key = |span: &Range<usize>| {
            json::string(self.text, &(span.start.saturating_sub(1)..span.end + 1)).unwrap_or_default()
        };
        json::members(self.text, &self.span())
            .iter()
            .map(|m| (key(&m.key), Node::at(self.text, &m.value)))
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    /// The first member of this name; `null` counts as absent.
    pub fn get(self, key: &str) -> Option<Node<'b>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let members = json::members(self.text, &self.span());
        let found = json::find(self.text, &members, key)?;
        Some(Node::at(self.text, &found.value)).filter(|node| !node.is_null())
    }

    /// The string member of this name.
    pub fn get_string(self, key: &str) -> Option<Cow<'b, str>> {
        self.get(key)?.string()
    }

    /// The elements of an array; empty for anything else.
    pub fn elements(self) -> Vec<Node<'b>> {
        if self.kind() != Kind::Array {
            return Vec::new();
        }
        let mut found = Vec::new();
        json::each_element(self.text, &self.span(), &mut |span| found.push(Node::at(self.text, &span)));
        found
    }

    /// A tree of its own, for what is small or must be rebuilt.
    pub fn value(self) -> serde_json::Value {
        serde_json::from_slice(self.raw()).unwrap_or(serde_json::Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_where_they_stand() {
        let text = br#" {"a":"x\n","b":[1,2.0,{"c":true}],"d":null,"\u0065":5} "#;
        let node = Node::parse(text).unwrap();
        assert_eq!(node.get_string("a").as_deref(), Some("x\n"));
        let list = node.get("b").unwrap().elements();
        assert_eq!((list[0].u64(), list[1].u64(), list[1].number()), (Some(1), Some(2), Some("2.0")));
        assert_eq!(list[2].get("c").and_then(Node::bool), Some(true));
        assert!(node.get("d").is_none());
        let keys: Vec<_> = node.members().into_iter().map(|(key, _)| key.into_owned()).collect();
        assert_eq!(keys, ["a", "b", "e"]);
        assert_eq!(format!("{node:?}"), "Node(Object, 54 bytes)");
    }
}
