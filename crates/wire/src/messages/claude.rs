//! What Claude's models take and refuse, by name. Reviewed 2026-11; a name that is not known is taken for the newest of its
//! family.

use crate::hub::Flavor;

/// What is known of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claude {
    /// It takes `temperature`, `top_p` and `top_k` at all.
    pub sampling: bool,
    /// It takes `temperature` and `top_p` together.
    pub both: bool,
    /// Thinking by budget; else the model decides (`adaptive`) and takes an effort.
    pub budget: bool,
    /// It knows thinking at all.
    pub thinks: bool,
    /// It always thinks: `disabled` is refused.
    pub always_thinks: bool,
    /// It can be held to a schema natively.
    pub schema: bool,
    /// It takes system turns in the middle of a conversation.
    pub system_in_place: bool,
    /// The last turn may be its own, to be continued.
    pub prefill: bool,
}

/// Reads a model's name: `claude-opus-4-5-20251101`, `us.anthropic.claude-3-haiku-20240307-v1:0`, `claude-sonnet-4@2025`.
pub(super) fn facts(model: &str) -> Claude {
    let name = model.to_ascii_lowercase();
    let version = version(&name);
    let not_claude = !name.contains("claude");
    let opus = name.contains("opus");
    let always_thinks = name.contains("fable") || name.contains("mythos");
    let newest = always_thinks || version >= (5, 0) || (opus && version >= (4, 7));
    Claude {
        sampling: not_claude || !newest,
        both: not_claude || version < (4, 5),
        budget: not_claude || !(newest || version >= (4, 6)),
        thinks: not_claude || version >= (3, 7),
        always_thinks,
        schema: !not_claude && version >= (4, 5),
        system_in_place: !not_claude && (always_thinks || version >= (5, 0) || (opus && version >= (4, 8))),
        prefill: not_claude || !(newest || version >= (4, 6)),
    }
}

/// Major and minor version; without any number the newest.
fn version(name: &str) -> (u32, u32) {
    let numbers: Vec<u32> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .skip_while(|word| !word.starts_with("claude"))
        .skip(1)
        .filter(|word| word.len() <= 2)
        .filter_map(|word| word.parse().ok())
        .take(2)
        .collect();
    match numbers.as_slice() {
        [major, minor] => (*major, *minor),
        [major] => (*major, 0),
        _ => (99, 0),
    }
}

/// Betas that hosts other than Anthropic itself are known to take; an unknown one is a 400 there.
const HOSTED: [&str; 9] = [
    "interleaved-thinking-2025-05-14",
    "token-efficient-tools-2025-02-19",
    "fine-grained-tool-streaming-2025-05-14",
    "output-128k-2025-02-19",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "web-search-2025-03-05",
];

/// The `anthropic-beta` values of a list that a host takes, each once, in order.
pub fn beta_header(told: &str, flavor: Flavor) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for beta in told.split(',').map(str::trim).filter(|beta| !beta.is_empty()) {
        let takes = flavor == Flavor::Direct || HOSTED.contains(&beta);
        if takes && !kept.contains(&beta) {
            kept.push(beta);
        }
    }
    kept.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_by_name() {
        let rows = [
            ("claude-3-haiku-20240307", (3, 0)),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", (3, 5)),
            ("claude-opus-4-5-20251101", (4, 5)),
            ("claude-sonnet-4@20250514", (4, 0)),
            ("claude-opus-4.7", (4, 7)),
            ("claude-sonnet-5", (5, 0)),
            ("claude-fable", (99, 0)),
        ];
        for (name, expect) in rows {
            assert_eq!(version(name), expect, "{name}");
        }
        assert!(facts("claude-3-7-sonnet-latest").budget && facts("claude-3-7-sonnet-latest").sampling);
        assert!(!facts("claude-opus-4-7").sampling && !facts("claude-opus-4-7").prefill);
        assert!(facts("claude-haiku-4-5").schema && !facts("claude-haiku-4-5").both);
        assert!(facts("minimax-m2").sampling && facts("minimax-m2").prefill && !facts("minimax-m2").schema);
    }

    #[test]
    fn hosts_get_only_the_betas_that_they_know() {
        let told = "claude-code-20250219, interleaved-thinking-2025-05-14,,claude-code-20250219";
        assert_eq!(beta_header(told, Flavor::Direct), "claude-code-20250219,interleaved-thinking-2025-05-14");
        assert_eq!(beta_header(told, Flavor::Vertex), "interleaved-thinking-2025-05-14");
    }
}
