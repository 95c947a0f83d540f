//! Which endpoint a conversation stays with, so that its prompt is found cached.
//!
//! - A conversation is named by `session_id`, else the header `x-session-id`, else `prompt_cache_key`, else by how it begins;
//!   for each account and model apart.
//! - With a name of the caller's it stays after any answer; without one only after an answer that read from the cache, at an
//!   endpoint that sells cached tokens cheaper.
//! - It lasts [`LASTS_US`] after the last answer, as long as providers keep a cached prompt; a failure doesn't prolong it.
//! - Bounded; when full, what expired goes first, then whatever comes to hand: a conversation that is forgotten costs a
//!   cache discount and nothing else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use types::Timestamp;
use wire::asked::Asked;

/// How long after its last answer a conversation is remembered, microseconds.
pub const LASTS_US: i64 = 300_000_000;
/// Conversations of one shard.
const SHARD_MAX: usize = 8_192;
const SHARDS: usize = 16;

/// Names a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    key: u64,
    /// The caller named it.
    pub named: bool,
}

impl Conversation {
    /// Of a request; `None`: it has no conversation.
    pub fn of(account: &str, model: &str, asked: &Asked<'_>, header: Option<&str>) -> Option<Conversation> {
        let name = asked.session_id.as_deref().or(header).or(asked.prompt_cache_key.as_deref());
        let mut hash = DefaultHasher::new();
        (account, model).hash(&mut hash);
        match (name, asked.opening) {
            (Some(name), _) => name.hash(&mut hash),
            (None, Some(opening)) => opening.hash(&mut hash),
            (None, None) => return None,
        }
        Some(Conversation { key: hash.finish(), named: name.is_some() })
    }
}

#[derive(Debug)]
struct Pin {
    endpoint: Arc<str>,
    at: Timestamp,
}

/// All conversations that stay somewhere.
#[derive(Debug, Default)]
pub struct Pins([Mutex<HashMap<u64, Pin>>; SHARDS]);

impl Pins {
    fn shard(&self, key: u64) -> Option<&Mutex<HashMap<u64, Pin>>> {
        self.0.get((key >> 60) as usize)
    }

    /// Where a conversation stays.
    pub fn find(&self, conversation: Conversation, now: Timestamp) -> Option<Arc<str>> {
        let shard = self.shard(conversation.key)?.lock();
        let pin = shard.get(&conversation.key)?;
        (now.0.saturating_sub(pin.at.0) < LASTS_US).then(|| Arc::clone(&pin.endpoint))
    }

    /// Lets it stay.
    pub fn keep(&self, conversation: Conversation, endpoint: &str, now: Timestamp) {
        let Some(shard) = self.shard(conversation.key) else { return };
        let mut shard = shard.lock();
        if let Some(pin) = shard.get_mut(&conversation.key) {
            pin.at = now;
            if *pin.endpoint != *endpoint {
                pin.endpoint = endpoint.into();
            }
            return;
        }
        if shard.len() >= SHARD_MAX {
            shard.retain(|_, pin| now.0.saturating_sub(pin.at.0) < LASTS_US);
        }
        if shard.len() >= SHARD_MAX {
            let mut half = false;
            shard.retain(|_, _| {
                half = !half;
                half
            });
        }
        shard.insert(conversation.key, Pin { endpoint: endpoint.into(), at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    #[test]
    fn a_name_goes_before_the_opening_and_accounts_and_models_are_apart() {
        let asked = |session: Option<&str>, cache: Option<&str>| Asked {
            session_id: session.map(str::to_owned),
            prompt_cache_key: cache.map(str::to_owned),
            opening: Some(7),
            ..Asked::default()
        };
        let of = |asked: &Asked<'_>, header| Conversation::of("a", "m", asked, header).unwrap();
        assert_eq!(of(&asked(Some("s"), Some("c")), Some("h")), of(&asked(Some("s"), None), None));
        assert_eq!(of(&asked(None, Some("c")), Some("h")), of(&asked(None, None), Some("h")));
        assert!(!of(&asked(None, None), None).named);
        let opened = asked(None, None);
        assert_ne!(of(&opened, None), Conversation::of("b", "m", &opened, None).unwrap());
        assert_ne!(of(&opened, None), Conversation::of("a", "n", &opened, None).unwrap());
        assert_eq!(Conversation::of("a", "m", &Asked::default(), None), None);
    }

    #[test]
    fn it_lasts_as_long_as_a_cached_prompt() {
        let pins = Pins::default();
        let talk = Conversation { key: 1 << 60, named: true };
        pins.keep(talk, "lab/m", at(0));
        assert_eq!(pins.find(talk, at(299)).as_deref(), Some("lab/m"));
        assert_eq!(pins.find(talk, at(300)), None);
        pins.keep(talk, "far/m", at(200));
        assert_eq!(pins.find(talk, at(400)).as_deref(), Some("far/m"));
    }

    #[test]
    fn it_is_bounded() {
        let pins = Pins::default();
        for key in 0..50_000 {
            pins.keep(Conversation { key, named: true }, "lab/m", at(i64::try_from(key / 1_000).unwrap()));
        }
        assert!(pins.0[0].lock().len() <= SHARD_MAX);
        assert!(pins.find(Conversation { key: 49_999, named: true }, at(50)).is_some(), "the newest is kept");
    }
}
