//! Changes a few members of a scanned object in one copy; every other byte stays what it was.

use std::ops::Range;

use crate::json::{self, Member};

/// Edits to an object, applied by [`Splice::apply`].
#[derive(Debug, Default)]
pub struct Splice {
    edits: Vec<(Range<usize>, Edit)>,
    appended: Vec<u8>,
}

#[derive(Debug)]
enum Edit {
    Replace(Vec<u8>),
    /// Removes a member with one of the commas beside it.
    Remove,
}

impl Splice {
    /// No edits yet.
    pub fn new() -> Splice {
        Splice::default()
    }

    /// True when nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.appended.is_empty()
    }

    /// Puts other bytes in the place of a span, usually a value.
    pub fn replace(&mut self, span: Range<usize>, with: impl Into<Vec<u8>>) {
        self.edits.push((span, Edit::Replace(with.into())));
    }

    /// Takes a member out.
    pub fn remove(&mut self, member: &Member) {
        self.edits.push((member.whole(), Edit::Remove));
    }

    /// Adds a member at the end of the object: the key's plain text and the value's JSON.
    pub fn append(&mut self, key: &str, value: &[u8]) {
        if !self.appended.is_empty() {
            self.appended.push(b',');
        }
        self.appended.extend_from_slice(json::quote(key).as_bytes());
        self.appended.push(b':');
        self.appended.extend_from_slice(value);
    }

    /// Writes the changed object. `text[span]` must be an object that was scanned, `members` its members, and no two edits
    /// may overlap.
    pub fn apply(mut self, text: &[u8], span: Range<usize>, members: &[Member], out: &mut Vec<u8>) {
        self.edits.sort_by_key(|(span, _)| span.start);
        let removed = self.edits.iter().filter(|(_, edit)| matches!(edit, Edit::Remove)).count();
        let close = span.end.saturating_sub(1);
        out.reserve(span.len() + self.appended.len() + 64);
        let mut at = span.start;
        // While no member has been kept, a removal takes the comma after it; later the comma before it.
        let mut kept_before = 0usize;
        let mut next_member = 0usize;
        for (range, edit) in &self.edits {
            match edit {
                Edit::Replace(with) => {
                    out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
                    out.extend_from_slice(with);
                    at = range.end;
                }
                Edit::Remove => {
                    let index =
                        members.iter().position(|m| m.whole().start == range.start).unwrap_or(next_member);
                    kept_before += index.saturating_sub(next_member);
                    next_member = index + 1;
                    if kept_before > 0 {
                        let from = members.get(index.wrapping_sub(1)).map_or(range.start, |m| m.value.end);
                        out.extend_from_slice(text.get(at..from.max(at)).unwrap_or_default());
                        at = range.end;
                    } else {
                        out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
                        at = members.get(index + 1).map_or(range.end, |m| m.whole().start);
                    }
                }
            }
        }
        out.extend_from_slice(text.get(at..close).unwrap_or_default());
        if !self.appended.is_empty() {
            if members.len() > removed {
                out.push(b',');
            }
            out.extend_from_slice(&self.appended);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apply(text: &str, edit: impl Fn(&mut Splice, &[Member])) -> String {
        let members = json::object(text.as_bytes()).unwrap();
        let start = text.find('{').unwrap();
        let end = text.rfind('}').unwrap() + 1;
        let mut splice = Splice::new();
        edit(&mut splice, &members);
        let mut out = Vec::new();
        splice.apply(text.as_bytes(), start..end, &members, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replaces_removes_and_appends() {
        let text = r#"{"model":"x", "n":1,"stream":true}"#;
        let out = apply(text, |s, m| {
            s.replace(m[0].value.clone(), *b"\"y\"");
            s.append("z", b"[1]");
        });
        assert_eq!(out, r#"{"model":"y", "n":1,"stream":true,"z":[1]}"#);
        assert_eq!(apply(text, |s, m| s.remove(&m[0])), r#"{"n":1,"stream":true}"#);
        assert_eq!(apply(text, |s, m| s.remove(&m[1])), r#"{"model":"x","stream":true}"#);
        assert_eq!(apply(text, |s, m| s.remove(&m[2])), r#"{"model":"x", "n":1}"#);
        assert_eq!(apply("{}", |s, _| s.append("a", b"1")), r#"{"a":1}"#);
        let all_gone = apply(text, |s, m| {
            m.iter().for_each(|m| s.remove(m));
            s.append("a", b"1");
        });
        assert_eq!(all_gone, r#"{"a":1}"#);
    }

    proptest! {
        /// Any choice of members, each kept, replaced or removed, gives the object that a tree would give.
        #[test]
        fn equals_the_same_change_made_on_a_tree(actions in prop::collection::vec(0u8..3, 0..8), append: bool, spaced: bool) {
            let tree: serde_json::Map<_, _> = (0..actions.len()).map(|i| (format!("k{i}"), i.into())).collect();
            let text = if spaced { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
            let out = apply(&text, |s, members| {
                for (member, action) in members.iter().zip(&actions) {
                    match action {
                        1 => s.replace(member.value.clone(), *b"\"new\""),
                        2 => s.remove(member),
                        _ => (),
                    }
                }
                if append {
                    s.append("end", b"null");
                }
            });
            let mut expect = serde_json::Map::new();
            for (i, action) in actions.iter().enumerate() {
                match action {
                    0 => drop(expect.insert(format!("k{i}"), i.into())),
                    1 => drop(expect.insert(format!("k{i}"), "new".into())),
                    _ => (),
                }
            }
            if append {
                expect.insert("end".into(), serde_json::Value::Null);
            }
            let got: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(got, expect, "{} -> {}", text, out);
        }
    }
}
