//! How long a message is, what it is made of, how it is laid out.

use super::{Collector, Fnv, View};

/// Of the last message this much is looked at.
const SHAPE_BYTES: usize = 1_024;

/// What a text is made of, in characters.
#[derive(Default)]
pub(super) struct Made {
    pub(super) chars: usize,
    pub(super) code: usize,
    pub(super) digits: usize,
    pub(super) maths: usize,
    pub(super) quotes: usize,
}

impl Made {
    pub(super) fn of(text: &str) -> Made {
        let mut made = Made::default();
        for c in text.chars() {
            made.chars += 1;
            match c {
                '{' | '}' | '(' | ')' | ';' | '<' | '>' | '[' | ']' | '_' => made.code += 1,
                '=' => {
                    made.code += 1;
                    made.maths += 1;
                }
                '0'..='9' => made.digits += 1,
                '+' | '-' | '*' | '/' | '^' | '%' | '²' | '³' | '√' | '∑' | '∫' | '≤' | '≥' => {
                    made.maths += 1
                }
                '"' | '“' | '”' | '«' | '»' | '「' | '」' | '\'' => made.quotes += 1,
                _ => (),
            }
        }
        made
    }

    /// A count as fiftieths of the text.
    pub(super) fn share(&self, count: usize) -> usize {
        count * 50 / self.chars.max(1)
    }
}

impl Collector {
    pub(super) fn shape(&mut self, view: &View<'_>) {
        let text = view.last.get(..floor(view.last, SHAPE_BYTES)).unwrap_or(view.last);
        let made = Made::of(text);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let (first, last) =
            (lines.clone().next().unwrap_or_default(), lines.clone().next_back().unwrap_or_default());
        let facts: [(&[u8], usize); 15] = [
            (b"length", view.last.len().max(1).ilog2() as usize),
            (b"lines", lines.count().min(12)),
            (b"code", made.share(made.code).min(8)),
            (b"digits", made.share(made.digits).min(8)),
            (b"maths", made.share(made.maths).min(6)),
            (b"fence", usize::from(text.contains("```"))),
            (b"asks", usize::from(last.trim_end().ends_with(['?', '？', '؟']))),
            (b"asks first", usize::from(first.trim_end().ends_with(['?', '？', '؟']))),
            (b"hands over", usize::from(first.trim_end().ends_with([':', '：']))),
            (b"ends open", usize::from(last.trim_end().ends_with([':', '：']))),
            (b"first line", first.len().max(1).ilog2() as usize),
            (b"last line", last.len().max(1).ilog2() as usize),
            (b"quotes", made.share(made.quotes).min(4)),
            (b"turns", view.earlier.len().min(3)),
            (b"system", usize::from(!view.system.is_empty())),
        ];
        for (name, value) in facts {
            let mut hash = Fnv::new(b'f', value as u8);
            name.iter().for_each(|byte| hash.byte(*byte));
            self.add(hash.0, 0.8);
        }
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
