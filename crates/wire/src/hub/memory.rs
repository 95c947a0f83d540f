//! Sealed reasoning beside calls, for callers whose history loses it.
//!
//! Makers of models want a call back with what proves it: Anthropic the thinking before it, Gemini a signature, OpenAI its
//! encrypted reasoning. A caller of Chat gets these in `reasoning_details`, and most don't send them back. So the gateway keeps
//! them by the call's id ([`Watch`] collects, [`Memory`] gives) and [`recall`] puts them where they were.

use std::sync::Arc;

use super::{Block, Content, Event, Request, Role, Seal};

/// Readable reasoning, whether it is a summary, and its seal.
pub type Reasoned = (String, bool, Option<Seal>);

/// What belonged to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCall {
    /// The call's id, as the caller knows it.
    pub call_id: String,
    /// Reasoning before it in the same answer.
    pub before: Vec<Reasoned>,
    /// The call's own seal.
    pub seal: Option<Seal>,
}

impl SealedCall {
    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let seal = |seal: &Option<Seal>| seal.as_ref().map_or(0, |seal| seal.data.len());
        let before: usize = self.before.iter().map(|(text, _, sealed)| text.len() + seal(sealed)).sum();
        self.call_id.len() + before + seal(&self.seal) + 100
    }
}

/// Gives back what was kept of the caller's calls.
pub trait Memory: std::fmt::Debug + Send + Sync {
    /// What belonged to the call of this id.
    fn recall(&self, call_id: &str) -> Option<Arc<SealedCall>>;
}

/// Collects what belongs to the calls of an answer.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Reasoning since the last call.
    before: Vec<Reasoned>,
}

impl Watch {
    /// Takes in an event that the caller gets; a call with a seal of any kind comes out.
    pub fn event(&mut self, event: &Event) -> Option<SealedCall> {
        match event {
            Event::Reasoning { text, summary } => match self.before.last_mut() {
                Some((held, same, None)) if same == summary => held.push_str(text),
                _ => self.before.push((text.clone(), *summary, None)),
            },
            Event::Sealed(seal) => match self.before.last_mut() {
                Some((_, _, open @ None)) => *open = Some(seal.clone()),
                _ => self.before.push((String::new(), false, Some(seal.clone()))),
            },
            Event::ToolCall(start) => {
                let mut before = std::mem::take(&mut self.before);
                // Reasoning without a seal proves nothing and is no use to anybody.
                before.retain(|(_, _, seal)| seal.is_some());
                let (call_id, seal) = (start.id.clone(), start.seal.clone());
                return (!before.is_empty() || seal.is_some()).then_some(SealedCall {
                    call_id,
                    before,
                    seal,
                });
            }
            _ => (),
        }
        None
    }
}

/// Puts back what the caller's history has lost.
pub fn recall(request: &mut Request<'_>, memory: &dyn Memory) {
    for turn in request.turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        let carried =
            turn.blocks.iter().any(|block| matches!(block.content, Content::Reasoning { seal: Some(_), .. }));
        let mut before = Vec::new();
        for block in &mut turn.blocks {
            let Content::ToolCall { id, seal: seal @ None, .. } = &mut block.content else { continue };
            let Some(kept) = memory.recall(id) else { continue };
            seal.clone_from(&kept.seal);
            if !carried {
                let pointer = block.pointer.clone();
                before.extend(kept.before.iter().map(|(text, summary, seal)| {
                    let text = text.clone().into();
                    let content = Content::Reasoning { text, summary: *summary, seal: seal.clone() };
                    Block::new(content, pointer.clone())
                }));
            }
        }
        // What the caller kept as bare text is there twice otherwise.
        if !before.is_empty() {
            turn.blocks.retain(|block| !matches!(block.content, Content::Reasoning { seal: None, .. }));
            turn.blocks.splice(..0, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SealFormat, ToolStart};
    use super::*;

    #[derive(Debug)]
    struct One(SealedCall);

    impl Memory for One {
        fn recall(&self, call_id: &str) -> Option<Arc<SealedCall>> {
            (self.0.call_id == call_id).then(|| Arc::new(self.0.clone()))
        }
    }

    #[test]
    fn what_proves_a_call_is_found_again_by_its_id() {
        let seal = |data: &str| Seal {
            format: SealFormat::Anthropic,
            data: data.to_owned(),
            signature: true,
            id: None,
        };
        let call = |index, id: &str, seal| {
            Event::ToolCall(ToolStart { index, id: id.to_owned(), name: "f".to_owned(), custom: false, seal })
        };
        let mut watch = Watch::default();
        let events = [
            Event::Reasoning { text: "six ".to_owned(), summary: false },
            Event::Reasoning { text: "times".to_owned(), summary: false },
            Event::Sealed(seal("sig")),
            Event::Text("so".to_owned()),
            call(0, "c1", None),
            call(1, "c2", None),
            call(2, "c3", Some(seal("own"))),
        ];
        let kept: Vec<SealedCall> = events.iter().filter_map(|event| watch.event(event)).collect();
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0].before, [("six times".to_owned(), false, Some(seal("sig")))]);
        assert_eq!((kept[1].call_id.as_str(), &kept[1].seal), ("c3", &Some(seal("own"))));
        let body = br#"{"model":"m","messages":[{"role":"user","content":"q"},
            {"role":"assistant","content":"so","reasoning":"six times","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"42"}]}"#;
        let mut request = crate::openai_chat::read_request(body).unwrap();
        recall(&mut request, &One(kept[0].clone()));
        let turn = request.turns.iter().find(|turn| turn.role == Role::Assistant).unwrap();
        assert!(
            matches!(&turn.blocks[0].content, Content::Reasoning { text, seal: Some(s), .. } if text == "six times" && s.data == "sig")
        );
        let reasoned = turn.blocks.iter().filter(|b| matches!(b.content, Content::Reasoning { .. }));
        assert_eq!(reasoned.count(), 1);
    }
}
