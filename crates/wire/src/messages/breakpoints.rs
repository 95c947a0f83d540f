//! Breakpoints placed into a caller's own bytes: nothing but them changes.

use std::ops::Range;

use super::read_request;
use crate::hub::{Breakpoints, Target, breakpoints, tokens_min};
use crate::json::Kind;
use crate::node::Node;

const MARK: &[u8] = br#""cache_control":{"type":"ephemeral"}"#;

/// A request with breakpoints where its prompt is long and stable.
pub fn with_breakpoints(mut body: Vec<u8>, target: &Target<'_>) -> Vec<u8> {
    let mut edits = edits(&body, tokens_min(target.model)).unwrap_or_default();
    // From the end, so that what stands before keeps its place.
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, with) in edits {
        body.splice(place, with);
    }
    body
}

fn edits(body: &[u8], shortest: usize) -> Option<Vec<(Range<usize>, Vec<u8>)>> {
    let root = Node::parse(body).ok()?;
    let request = read_request(body).ok()?;
    let Breakpoints { tool, blocks } = breakpoints(&request, shortest);
    let tool = tool.and_then(|at| request.tools.get(at)).map(|tool| tool.pointer.as_str());
    let places = tool.into_iter().chain(blocks.iter().map(|block| block.pointer.as_str()));
    Some(places.filter_map(|pointer| edit(find(root, pointer)?)).collect())
}

/// The value that a pointer names.
fn find<'b>(root: Node<'b>, pointer: &str) -> Option<Node<'b>> {
    pointer.split('/').skip(1).try_fold(root, |node, step| match node.kind() {
        Kind::Array => node.elements().into_iter().nth(step.parse().ok()?),
        _ => node.get(step),
    })
}

/// What must change for a breakpoint after a value.
fn edit(node: Node<'_>) -> Option<(Range<usize>, Vec<u8>)> {
    let (span, raw) = (node.span(), node.raw());
    match node.kind() {
        Kind::String => {
            let text = [b"[{\"type\":\"text\",\"text\":", raw, b",", MARK, b"}]"].concat();
            Some((span, text))
        }
        // One that says `null` says it itself.
        Kind::Object if memchr::memmem::find(raw, b"\"cache_control\"").is_none() => {
            let close = span.end.checked_sub(1)?;
            Some((close..close, [b",", MARK].concat()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(body: &str) -> String {
        let edits = edits(body.as_bytes(), 10);
        let mut out = body.as_bytes().to_vec();
        let mut edits = edits.unwrap();
        edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        edits.into_iter().for_each(|(place, with)| drop(out.splice(place, with)));
        serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_become_blocks_and_blocks_get_a_member() {
        let long = "y".repeat(50);
        let mark = r#","cache_control":{"type":"ephemeral"}"#;
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"{long}"}}]}}, {{"role":"assistant","content":"h\u00e9{long}"}},{{"role":"user","content":"q"}}],
            "tools":[{{"name":"f","description":"{long}","input_schema":{{}} }}],"system":"{long}","odd":1.50}}"#
        );
        let expect = body
            .replace(r#""input_schema":{} }"#, &format!(r#""input_schema":{{}} {mark}}}"#))
            .replace(
                &format!(r#""system":"{long}""#),
                &format!(r#""system":[{{"type":"text","text":"{long}"{mark}}}]"#),
            )
            .replace(
                &format!(r#""content":"h\u00e9{long}""#),
                &format!(r#""content":[{{"type":"text","text":"h\u00e9{long}"{mark}}}]"#),
            );
        assert_eq!(placed(&body), expect);
        let short = r#"{"system":"s","messages":[{"role":"user","content":"q"}]}"#;
        assert_eq!(placed(short), short);
    }
}
