//! Who asks the same again right after an answer was not content with it: a weak sign that the answer was bad.
//!
//! - The same: of the same account, of the same beginning, with the same last message, within [`WITHIN_US`] of the answer's end, of
//!   any model. What was asked again counts once, with [`WEIGHT`] of a reward of nothing, for the model that had answered.
//! - Only answers of virtual models teach, so only those are remembered; a call that names its model looks whether its
//!   conversation is among them, and computes nothing else. An answer that somebody has given feedback to is forgotten: its
//!   worth is known. A last message with results of tools is none that a person repeats.
//! - Kept are hashes whose key is drawn at each start, and no text. At most [`ENTRIES_MAX`]: when full, what has expired goes, then
//!   whatever comes to hand.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger::{GenerationRecord, Status};
use parking_lot::Mutex;
use routing::quality::Work;
use types::{GenerationId, Timestamp};
use wire::call::Call;
use wire::hub::{Content, Request, Role, Source};

use crate::feedback;
use crate::learned::Learned;

/// How long after an answer asking again counts, microseconds.
pub const WITHIN_US: i64 = 60_000_000;
/// What it weighs in the router's table; feedback weighs 1.
pub const WEIGHT: f64 = 0.25;
/// Most answers that are remembered.
pub const ENTRIES_MAX: usize = 16_384;

/// What an account asks, without a word of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of the account and how the conversation begins.
    conversation: u64,
    /// Of the last message.
    last: u64,
}

#[derive(Debug)]
struct Answered {
    last: u64,
    at: Timestamp,
    id: GenerationId,
    model: Box<str>,
    work: Work,
}

/// The answers of the last moments.
#[derive(Debug, Default)]
pub struct Retries {
    key: RandomState,
    held: Mutex<HashMap<u64, Answered>>,
    count: AtomicUsize,
}

impl Retries {
    /// Notices a question that was asked a moment ago, and names it for what comes of it; `None`: it teaches nothing. `chosen`: a virtual
    /// model is asked.
    pub(crate) fn asked(
        &self,
        learned: &Learned,
        account: &str,
        call: &Call<'_>,
        chosen: bool,
        now: Timestamp,
    ) -> Option<Question> {
        if !chosen && self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let conversation = self.key.hash_one((account, call.asked().opening?));
        if !chosen && !self.held.lock().contains_key(&conversation) {
            return None;
        }
        let last = self.last(call.request().ok()?)?;
        if let Some(before) = self.take(conversation, last, now) {
            learned.observe(&before.work, &before.model, 0.0, WEIGHT, now);
        }
        chosen.then_some(Question { conversation, last })
    }

    /// Remembers an answer, if it is one that teaches.
    pub(crate) fn answered(&self, question: Question, record: &GenerationRecord, now: Timestamp) {
        if record.status != Status::Ok || record.routed.is_none() || record.cache_source.is_some() {
            return;
        }
        let (id, model) = (record.id, record.model.as_str().into());
        let answered = Answered { last: question.last, at: now, id, model, work: feedback::work(record) };
        let mut held = self.held.lock();
        if held.len() >= ENTRIES_MAX {
            held.retain(|_, one| now.0.saturating_sub(one.at.0) < WITHIN_US);
        }
        if held.len() >= ENTRIES_MAX {
            let mut half = false;
            held.retain(|_, _| {
                half = !half;
                half
            });
        }
        held.insert(question.conversation, answered);
        self.count.store(held.len(), Ordering::Relaxed);
    }

    /// Forgets an answer whose worth is known.
    pub(crate) fn forget(&self, id: &GenerationId) {
        let mut held = self.held.lock();
        held.retain(|_, one| one.id != *id);
        self.count.store(held.len(), Ordering::Relaxed);
    }

    /// Takes out the answer to this question, if it was given a moment ago.
    fn take(&self, conversation: u64, last: u64, now: Timestamp) -> Option<Answered> {
        let mut held = self.held.lock();
        let same = held.get(&conversation).is_some_and(|one| one.last == last);
        let found = if same { held.remove(&conversation) } else { None };
        self.count.store(held.len(), Ordering::Relaxed);
        found.filter(|one| now.0.saturating_sub(one.at.0) < WITHIN_US)
    }

    /// A hash of the last message, where it is a user's own.
    fn last(&self, request: &Request<'_>) -> Option<u64> {
        let turn = request.turns.iter().rev().find(|turn| turn.role != Role::System)?;
        let mut hash = self.key.build_hasher();
        if turn.role != Role::User {
            return None;
        }
        for block in &turn.blocks {
            match &block.content {
                Content::Text(text) => text.hash(&mut hash),
                Content::Image { source, .. }
                | Content::File { source, .. }
                | Content::Audio { source }
                | Content::Video { source } => match source {
                    Source::Url(text) | Source::Text(text) | Source::FileId(text) => text.hash(&mut hash),
                    Source::Base64 { data, .. } => data.hash(&mut hash),
                },
                Content::ToolResult { .. } => return None,
                _ => (),
            }
        }
        Some(hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use ledger::Routed;
    use types::{AccountId, KeyId};
    use wire::call::PathSays;
    use wire::hub::Dialect;

    use super::*;

    struct Scene {
        retries: Retries,
        learned: Learned,
        number: u128,
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    impl Scene {
        fn new() -> Scene {
            Scene { retries: Retries::default(), learned: Learned::default(), number: 0 }
        }

        /// Asks, and gets an answer of the model `m` at once; the answer's id.
        fn asks(&mut self, account: &str, text: &str, chosen: bool, second: i64) -> GenerationId {
            let body = serde_json::json!({"messages": [{"role": "user", "content": "begin"},
                {"role": "assistant", "content": "yes"}, {"role": "user", "content": text}]})
            .to_string();
            let call = Call::scan(Dialect::Chat, body.as_bytes(), &PathSays::default()).unwrap();
            let question = self.retries.asked(&self.learned, account, &call, chosen, at(second));
            assert_eq!(question.is_some(), chosen);
            self.number += 1;
            let id = GenerationId::new(at(second), self.number);
            let (account, key) = (AccountId::new("acct"), KeyId::new("key"));
            let mut record = GenerationRecord::new(id, at(second), account, key);
            record.model = String::from("a/m");
            record.routed = chosen.then(Routed::default);
            question.into_iter().for_each(|question| self.retries.answered(question, &record, at(second)));
            id
        }

        /// What was learned against the model.
        fn weight(&self) -> f64 {
            self.learned.renew();
            self.learned.read().weight(&Work::Mixture([0.125; 8]), "a/m", at(0)) * 8.0
        }
    }

    #[test]
    fn asking_the_same_again_counts_against_the_answer_once() {
        let mut scene = Scene::new();
        scene.asks("one", "q", true, 0);
        scene.asks("one", "other", true, 1);
        scene.asks("two", "other", true, 2);
        assert!(scene.weight() < 1e-9, "another message and another account are no retry");
        scene.asks("one", "other", false, 3);
        assert!((scene.weight() - WEIGHT).abs() < 1e-3, "of any model: {}", scene.weight());
        scene.asks("one", "other", false, 4);
        assert!((scene.weight() - WEIGHT).abs() < 1e-3, "a named model teaches nothing, and once is enough");
        scene.asks("one", "q", true, 5);
        scene.asks("one", "q", true, 66);
        assert!((scene.weight() - WEIGHT).abs() < 1e-3, "a minute later it is no sign");
        let id = scene.asks("one", "q", true, 70);
        let twice = scene.weight();
        assert!((twice - 2.0 * WEIGHT).abs() < 1e-3, "{twice}");
        scene.retries.forget(&id);
        scene.asks("one", "q", true, 71);
        assert!((scene.weight() - twice).abs() < 1e-3, "feedback has said it");
    }

    #[test]
    fn it_is_bounded_and_results_of_tools_are_no_question() {
        let scene = Scene::new();
        let mut record = GenerationRecord::new(
            GenerationId::new(at(0), 1),
            at(0),
            AccountId::new("acct"),
            KeyId::new("key"),
        );
        record.routed = Some(Routed::default());
        for conversation in 0..ENTRIES_MAX as u64 + 10 {
            scene.retries.answered(Question { conversation, last: 0 }, &record, at(0));
        }
        assert!(scene.retries.held.lock().len() <= ENTRIES_MAX);
        let body = r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"wait"}]}"#;
        let call = Call::scan(Dialect::Chat, body.as_bytes(), &PathSays::default()).unwrap();
        assert_eq!(scene.retries.asked(&scene.learned, "one", &call, true, at(1)), None);
    }
}
