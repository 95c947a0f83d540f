//! Where the breakpoints of a prompt cache go when the caller leaves them to us (`auto_cache`), for dialects whose providers
//! cache only up to a breakpoint.
//!
//! - Three places are stable from one request of a conversation to the next: the end of the tools, the end of the leading
//!   instructions, and the end of what was said before the newest message of the user (or the newest results of calls).
//! - A breakpoint is placed where enough has come since the one before, or since the beginning: a provider caches no shorter
//!   piece. What is long enough, providers say in tokens ([`tokens_min`]); here a token counts four bytes.
//! - At most three, so that a provider's four are never used up.
//! - A request with any breakpoint of the caller's own is left as it is: two minds about what is stable cost more than one.

use super::{Block, CacheControl, Content, Request, Role, Source, Strict, ToolChoice, ToolKind, Turn, What};

/// Bytes that count as a token.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens that an image counts, and anything that only an address names.
const IMAGE_TOKENS: usize = 1_000;

/// Places for breakpoints.
#[derive(Debug, Default)]
pub struct Breakpoints<'r, 'b> {
    /// Index of the tool after which there is one.
    pub tool: Option<usize>,
    /// Blocks after which there is one, in order.
    pub blocks: Vec<&'r Block<'b>>,
}

impl Breakpoints<'_, '_> {
    /// The breakpoint after the tool of this index, if there is one.
    pub fn after_tool(&self, index: usize) -> Option<CacheControl> {
        (self.tool == Some(index)).then(CacheControl::default)
    }

    /// Puts them into a conversation in strict form.
    pub fn mark(&self, strict: &mut Strict<'_, '_>) {
        let exchanges = strict.exchanges.iter_mut().flat_map(|exchange| &mut exchange.items);
        for item in strict.system.iter_mut().chain(exchanges) {
            if let What::Block(block) = item.what
                && self.blocks.iter().any(|chosen| std::ptr::addr_eq(*chosen, block))
            {
                item.cache = Some(CacheControl::default());
            }
        }
    }
}

/// The shortest piece of a prompt that a model is cached for, in tokens, by what its provider calls it (Anthropic's and AWS'
/// pages on prompt caching, 2026-11). A shorter one is no error, and no use.
pub fn tokens_min(model: &str) -> usize {
    const LONGER: [&str; 4] = ["haiku-4-5", "opus-4-5", "opus-4-6", "opus-4-7"];
    let name = model.to_ascii_lowercase().replace('.', "-");
    match LONGER.iter().any(|known| name.contains(known)) {
        true => 4_096,
        false if name.contains("haiku") => 2_048,
        false => 1_024,
    }
}

/// Finds the places. `tokens_min`: the shortest piece that the provider caches.
pub fn breakpoints<'r, 'b>(request: &'r Request<'b>, tokens_min: usize) -> Breakpoints<'r, 'b> {
    let mut found = Breakpoints::default();
    if has_any(request) {
        return found;
    }
    let bytes_min = tokens_min.saturating_mul(BYTES_PER_TOKEN);
    let mut bytes = 0;
    for (index, tool) in request.tools.iter().enumerate() {
        let left_out = matches!(&request.tool_choice, Some(ToolChoice::Allowed { names, .. }) if !names.contains(&tool.name));
        if left_out || matches!(tool.kind, ToolKind::Hosted(_)) {
            continue;
        }
        let description = tool.description.as_ref().map_or(0, |text| text.len());
        bytes += tool.name.len() + description + tool.parameters.map_or(0, |schema| schema.raw().len());
        found.tool = Some(index);
    }
    match bytes >= bytes_min {
        true => bytes = 0,
        false => found.tool = None,
    }
    let leading = request.turns.iter().take_while(|turn| turn.role == Role::System).count();
    let (system, said) = request.turns.split_at(leading);
    let before = said.get(..newest(said)).unwrap_or_default();
    for turns in [system, before] {
        let Some((block, more)) = last_place(turns) else { continue };
        bytes += more;
        if bytes >= bytes_min {
            found.blocks.push(block);
            bytes = 0;
        }
    }
    found
}

/// Where the newest message of the user begins, or the newest results of calls.
fn newest(said: &[Turn<'_>]) -> usize {
    let is_result = |turn: &Turn<'_>| {
        let result = |block: &Block<'_>| matches!(block.content, Content::ToolResult { .. });
        turn.role == Role::User && turn.blocks.iter().all(result)
    };
    let Some(mut at) = said.iter().rposition(|turn| turn.role == Role::User) else { return 0 };
    let result = |at: usize| said.get(at).is_some_and(is_result);
    while result(at) && at.checked_sub(1).is_some_and(result) {
        at -= 1;
    }
    at
}

/// The last block of turns that a breakpoint can stand after, and the bytes up to there.
fn last_place<'r, 'b>(turns: &'r [Turn<'b>]) -> Option<(&'r Block<'b>, usize)> {
    // Instructions in the middle of a conversation go out as something else.
    let leading = turns.first().is_some_and(|turn| turn.role == Role::System);
    let (mut bytes, mut last) = (0, None);
    for turn in turns {
        for block in &turn.blocks {
            bytes += size(block);
            if (leading || turn.role != Role::System) && takes_one(&block.content) {
                last = Some((block, bytes));
            }
        }
    }
    last
}

fn takes_one(content: &Content<'_>) -> bool {
    match content {
        Content::Text(text) => !text.trim().is_empty(),
        Content::Image { .. } | Content::File { .. } => true,
        Content::ToolCall { .. } | Content::ToolResult { .. } => true,
        _ => false,
    }
}

/// About how many bytes of text a block is worth.
fn size(block: &Block<'_>) -> usize {
    let source = |source: &Source<'_>| match source {
        Source::Text(text) => text.len(),
        Source::Base64 { data, .. } => IMAGE_TOKENS * BYTES_PER_TOKEN + data.len() / 100,
        Source::Url(_) | Source::FileId(_) => IMAGE_TOKENS * BYTES_PER_TOKEN,
    };
    match &block.content {
        Content::Text(text) | Content::Refusal(text) | Content::Reasoning { text, .. } => text.len(),
        Content::Image { .. } => IMAGE_TOKENS * BYTES_PER_TOKEN,
        Content::File { source: from, .. } => source(from),
        Content::Audio { source: from } | Content::Video { source: from } => source(from),
        Content::ToolCall { name, arguments, .. } => name.len() + arguments.len(),
        Content::ToolResult { content, .. } => content.iter().map(size).sum(),
        Content::Native(node) => node.raw().len(),
    }
}

/// Whether the caller placed any itself.
fn has_any(request: &Request<'_>) -> bool {
    let mut any = request.cache.is_some() || request.tools.iter().any(|tool| tool.cache.is_some());
    request.each_block(&mut |block| any |= block.cache.is_some());
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::read_request;

    /// Bytes of tools and instructions, turns with theirs, and where the breakpoints go.
    type Row = (usize, usize, &'static [(&'static str, usize)], &'static [&'static str]);

    /// Tools, instructions and turns of so many bytes; where the breakpoints go with 100 tokens as the shortest piece.
    fn places(tools: usize, system: usize, turns: &[(&str, usize)]) -> Vec<String> {
        let text = |bytes: usize| "x".repeat(bytes);
        let messages: Vec<_> = turns
            .iter()
            .map(|(kind, bytes)| match *kind {
                "call" => serde_json::json!({"role": "assistant", "content": [
                    {"type": "text", "text": text(*bytes)}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]}),
                "result" => serde_json::json!({"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": text(*bytes)}]}),
                "thought" => serde_json::json!({"role": "assistant", "content": [
                    {"type": "text", "text": text(*bytes)}, {"type": "thinking", "thinking": "hm", "signature": "s"}]}),
                role => serde_json::json!({"role": role, "content": text(*bytes)}),
            })
            .collect();
        let mut body = serde_json::json!({"model": "m", "messages": messages});
        if tools > 0 {
            body["tools"] = serde_json::json!([{"name": "f", "input_schema": {}},
                {"name": "g", "description": text(tools), "input_schema": {}},
                {"type": "web_search_20250305", "name": "web_search"}]);
        }
        if system > 0 {
            body["system"] = text(system).into();
        }
        let body = body.to_string();
        let request = read_request(body.as_bytes()).unwrap();
        let found = breakpoints(&request, 100);
        let tool = found.tool.and_then(|at| request.tools.get(at)).map(|tool| tool.pointer.clone());
        tool.into_iter().chain(found.blocks.iter().map(|block| block.pointer.clone())).collect()
    }

    #[test]
    fn breakpoints_stand_after_what_is_long_and_stable() {
        let rows: [Row; 12] = [
            (10, 10, &[("user", 9_000)], &[]),
            (500, 0, &[("user", 10)], &["/tools/1"]),
            (10, 500, &[("user", 10)], &["/system"]),
            (500, 500, &[("user", 10)], &["/tools/1", "/system"]),
            // Together they are long enough.
            (250, 250, &[("user", 10)], &["/system"]),
            (500, 100, &[("user", 10), ("assistant", 50), ("user", 10)], &["/tools/1"]),
            (
                500,
                100,
                &[("user", 200), ("assistant", 200), ("user", 10)],
                &["/tools/1", "/messages/1/content"],
            ),
            (0, 500, &[("user", 300), ("assistant", 200), ("user", 10)], &["/system", "/messages/1/content"]),
            (0, 0, &[("user", 500), ("call", 10), ("result", 900)], &["/messages/1/content/1"]),
            (0, 0, &[("user", 10), ("call", 500), ("result", 9), ("result", 9)], &["/messages/1/content/1"]),
            (0, 0, &[("user", 10), ("thought", 500), ("user", 9)], &["/messages/1/content/0"]),
            (0, 0, &[("user", 500), ("user", 10)], &["/messages/0/content"]),
        ];
        for (tools, system, turns, expect) in rows {
            assert_eq!(places(tools, system, turns), expect, "{tools} {system} {turns:?}");
        }
    }

    #[test]
    fn small_models_are_cached_for_longer_prompts_only() {
        let rows = [
            ("claude-sonnet-4-5", 1_024),
            ("claude-opus-4-1-20250805", 1_024),
            ("anthropic.claude-3-haiku-20240307-v1:0", 2_048),
            ("claude-haiku-4.5", 4_096),
            ("us.anthropic.claude-opus-4-6-v1", 4_096),
            ("tiny", 1_024),
        ];
        for (model, expect) in rows {
            assert_eq!(tokens_min(model), expect, "{model}");
        }
    }

    #[test]
    fn a_caller_who_placed_one_gets_no_other() {
        let long = "x".repeat(5_000);
        let mark = r#""cache_control":{"type":"ephemeral"}"#;
        let rows = [
            format!(
                r#"{{"system":"{long}","messages":[{{"role":"user","content":[{{"type":"text","text":"q",{mark}}}]}}]}}"#
            ),
            format!(
                r#"{{"system":"{long}","messages":[{{"role":"user","content":"q"}}],"tools":[{{"name":"f",{mark}}}]}}"#
            ),
            format!(r#"{{"system":"{long}","messages":[{{"role":"user","content":"q"}}],{mark}}}"#),
        ];
        for body in rows {
            let request = read_request(body.as_bytes()).unwrap();
            assert!(breakpoints(&request, 1).blocks.is_empty());
        }
    }
}
