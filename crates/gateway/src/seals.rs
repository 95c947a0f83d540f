//! What proves the calls of models, kept by their ids for callers whose history loses it. In memory, on this node: a
//! conversation that goes on at another one, or much later, goes on without.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use types::AccountId;
use wire::hub::{Memory, SealedCall};

/// Most calls that are kept.
const CALLS_MAX: usize = 20_000;
/// Their largest size together.
const BYTES_MAX: usize = 32 << 20;

type Name = (AccountId, String);

#[derive(Debug, Default)]
struct Held {
    calls: HashMap<Name, Arc<SealedCall>>,
    /// Oldest first.
    order: VecDeque<Name>,
    bytes: usize,
}

/// The latest sealed calls of all accounts.
#[derive(Debug, Default)]
pub struct Seals(Mutex<Held>);

impl Seals {
    /// Keeps what an answer of this account was sealed with.
    pub fn keep(&self, account: &AccountId, calls: &[SealedCall]) {
        if calls.is_empty() {
            return;
        }
        let mut held = self.0.lock();
        for call in calls {
            let name = (account.clone(), call.call_id.clone());
            held.bytes += call.bytes();
            match held.calls.insert(name.clone(), Arc::new(call.clone())) {
                Some(old) => held.bytes = held.bytes.saturating_sub(old.bytes()),
                None => held.order.push_back(name),
            }
        }
        while held.order.len() > CALLS_MAX || held.bytes > BYTES_MAX {
            let Some(oldest) = held.order.pop_front() else { break };
            let size = held.calls.remove(&oldest).map_or(0, |call| call.bytes());
            held.bytes = held.bytes.saturating_sub(size);
        }
    }

    /// The calls of one account.
    pub(crate) fn of<'s>(&'s self, account: &'s AccountId) -> Mine<'s> {
        Mine { seals: self, account }
    }
}

/// The sealed calls of one account.
#[derive(Debug)]
pub(crate) struct Mine<'s> {
    seals: &'s Seals,
    account: &'s AccountId,
}

impl Memory for Mine<'_> {
    fn recall(&self, call_id: &str) -> Option<Arc<SealedCall>> {
        self.seals.0.lock().calls.get(&(self.account.clone(), call_id.to_owned())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_finds_its_own_calls_until_newer_ones_need_the_room() {
        let (seals, one, two) = (Seals::default(), AccountId::new("acc_1"), AccountId::new("acc_2"));
        let call = |id: &str, size: usize| SealedCall {
            call_id: id.to_owned(),
            before: vec![("x".repeat(size), false, None)],
            seal: None,
        };
        seals.keep(&one, &[call("a", 10), call("b", 10)]);
        assert!(seals.of(&one).recall("a").is_some());
        assert!(seals.of(&two).recall("a").is_none());
        seals.keep(&two, &[call("big", BYTES_MAX - 150)]);
        assert!(seals.of(&one).recall("a").is_none() && seals.of(&one).recall("b").is_none());
        assert!(seals.of(&two).recall("big").is_some());
    }
}
