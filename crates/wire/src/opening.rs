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

/// Of a chat request's first messages, at most [`MESSAGES_MAX`] of them.
pub(crate) fn of(body: &[u8], first: &[Range<usize>]) -> u64 {
    let mut hash = DefaultHasher::new();
    for message in first {
        let members = json::members(body, message);
        let value = |key| json::find(body, &members, key).map(|member| member.value.clone());
        let content = value("content").map(|span| json::slice(body, &span)).unwrap_or_default();
        start(content).hash(&mut hash);
        let role = value("role").and_then(|span| json::string(body, &span));
        if !matches!(role.as_deref(), Some("system" | "developer")) {
            break;
        }
    }
    hash.finish()
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
    }
}
