//! Names of tools that fit: a letter or underscore first, then letters, digits and `_.:-`, 64 bytes at most.

use std::collections::{HashMap, HashSet};

use crate::hub::{Content, Request, ToolChoice, ToolKind};

const NAME_BYTES_MAX: usize = 64;

/// The names that had to change. The same for declarations, calls, results and the choice.
#[derive(Debug, Default)]
pub(super) struct Names {
    sent: HashMap<String, String>,
}

impl Names {
    /// Goes through every name of a request.
    pub(super) fn of(request: &Request<'_>) -> Names {
        let mut all: Vec<&str> = Vec::new();
        let functions = request.tools.iter().filter(|tool| !matches!(tool.kind, ToolKind::Hosted(_)));
        all.extend(functions.map(|tool| tool.name.as_ref()));
        match &request.tool_choice {
            Some(ToolChoice::Named(name)) => all.push(name),
            Some(ToolChoice::Allowed { names, .. }) => all.extend(names.iter().map(AsRef::as_ref)),
            _ => (),
        }
        request.each_block(&mut |block| match &block.content {
            Content::ToolCall { name, .. } => all.push(name),
            Content::ToolResult { name: Some(name), .. } => all.push(name),
            _ => (),
        });
        let mut taken: HashSet<String> =
            all.iter().filter(|name| fits(name)).map(|name| (*name).to_owned()).collect();
        let mut sent = HashMap::new();
        for name in all.into_iter().filter(|name| !fits(name)) {
            if !sent.contains_key(name) {
                let new = (0..).map(|round| changed(name, round)).find(|new| !taken.contains(new));
                let new = new.unwrap_or_default();
                taken.insert(new.clone());
                sent.insert(name.to_owned(), new);
            }
        }
        Names { sent }
    }

    /// A name as it is sent.
    pub(super) fn sent<'n>(&'n self, name: &'n str) -> &'n str {
        self.sent.get(name).map_or(name, String::as_str)
    }

    /// The changed ones: as sent, and as the caller knows them.
    pub(super) fn renamed(self) -> Vec<(String, String)> {
        let mut renamed: Vec<_> = self.sent.into_iter().map(|(name, sent)| (sent, name)).collect();
        renamed.sort();
        renamed
    }
}

fn fits(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(may_stand)
}

fn may_stand(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.:-".contains(letter)
}

/// Always the same for the same name, so that a provider's cache of the prompt holds; rounds after the first are for
/// names that would meet.
fn changed(name: &str, round: u32) -> String {
    let mut new: String = name.chars().map(|c| if may_stand(c) { c } else { '_' }).collect();
    if !new.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        new.insert(0, '_');
    }
    if round > 0 || new.len() > NAME_BYTES_MAX {
        // FNV-1a: stable across builds.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        new.truncate(NAME_BYTES_MAX - 12);
        let tail = hash.wrapping_add(u64::from(round)) & 0xff_ffff_ffff;
        new.push_str(&format!("_{tail:010x}"));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Dialect, Tool};

    #[test]
    fn names_change_only_where_they_must_and_never_meet() {
        let long = "x".repeat(80);
        let mut request = Request::new(Dialect::Chat);
        for name in ["ok.name:1-2", "srv/tool", "srv_tool", "1st", "über", long.as_str()] {
            request.tools.push(Tool {
                kind: ToolKind::Function,
                name: name.to_owned().into(),
                description: None,
                parameters: None,
                strict: None,
                cache: None,
                pointer: String::new(),
            });
        }
        let names = Names::of(&request);
        assert_eq!(names.sent("ok.name:1-2"), "ok.name:1-2");
        assert_eq!((names.sent("1st"), names.sent("über")), ("_1st", "_ber"));
        assert!(names.sent("srv/tool").starts_with("srv_tool_"));
        let renamed = names.renamed();
        assert_eq!(renamed.len(), 4);
        for (sent, _) in &renamed {
            assert!(fits(sent), "{sent}");
        }
    }
}
