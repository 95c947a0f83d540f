//! Names how a conversation begins, so that its later requests are recognized: a hash of the instructions and of the first
//! message that is none. The text itself is not kept.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use crate::hub::{Content, Request, Role};
use crate::json;

/// Of each message this much counts.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Most messages that are looked at.
pub(crate) const MESSAGES_MAX: usize = 4;

/// Of a chat request's first messages, at most [`MESSAGES_MAX`] of them. Goes by their first bytes as they are written, so
/// that a long message is not scanned again.
pub(crate) fn of(body: &[u8], first: &[Range<usize>]) -> u64 {
    let mut hash = DefaultHasher::new();
    for message in first {
        let text = json::slice(body, message);
        start(text).hash(&mut hash);
        if !instructs(text) {
            break;
        }
    }
    hash.finish()
}

/// Whether a message has the role of instructions: it stands at its beginning or its end, however it is written. A message that
/// only looks so costs a conversation its place and nothing else.
fn instructs(message: &[u8]) -> bool {
    const WITHIN: usize = 48;
    let ends = [message.get(..WITHIN), message.get(message.len().saturating_sub(WITHIN)..)];
    let has = |part: &[u8]| {
        [&b"\"system\""[..], b"\"developer\""].iter().any(|role| memchr::memmem::find(part, role).is_some())
    };
    ends.into_iter().map(|part| part.unwrap_or(message)).any(has)
}

/// Of a request of any dialect.
pub(crate) fn of_request(request: &Request<'_>) -> u64 {
    let mut hash = DefaultHasher::new();
    for turn in request.turns.iter().take(MESSAGES_MAX) {
        for block in &turn.blocks {
            if let Content::Text(text) = &block.content {
                start(text.as_bytes()).hash(&mut hash);
            }
        }
        if turn.role != Role::System {
            break;
        }
    }
    hash.finish()
}

fn start(text: &[u8]) -> &[u8] {
    text.get(..MESSAGE_BYTES_MAX).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use crate::openai_chat::ChatRequest;

    #[test]
    fn what_comes_later_changes_nothing_and_what_came_first_everything() {
        let of = |messages: &str| {
            let body = format!(r#"{{"model":"a/b","messages":[{messages}]}}"#);
            ChatRequest::scan(body.as_bytes()).unwrap().asked.opening
        };
        let first = r#"{"role":"system","content":"be kind"},{"role":"user","content":"hello"}"#;
        let later =
            format!(r#"{first},{{"role":"assistant","content":"hi"}},{{"role":"user","content":"go on"}}"#);
        assert_eq!(of(first), of(&later));
        assert_ne!(of(first), of(&first.replace("kind", "rude")));
        assert_ne!(of(first), of(&first.replace("hello", "bye")));
        let role_last = first
            .replace(r#""role":"system","content":"be kind""#, r#""content":"be kind","role":"developer""#);
        assert_ne!(of(&role_last), of(&role_last.replace("hello", "bye")), "the role may stand last");
        let bare = r#"{"role":"user","content":"hello"}"#;
        assert_eq!(of(bare), of(&format!(r#"{bare},{{"role":"assistant","content":"hi"}}"#)));
    }
}
