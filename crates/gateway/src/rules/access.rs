//! What an organization's approval, access lists and groups come to for one of its keys.

use std::sync::Arc;

use routing::access::{Access, Approval, Governance};
use types::AccountId;

use super::{AccessListRule, ApprovalRule, GroupRule, Named, Rules, Shelf, standing};
use crate::guardrails::SLUG;
use crate::keys::KeyRules;

/// What the rules of an account come to; nothing where it has none.
pub(super) fn governance(shelf: &Shelf) -> Option<Arc<Governance>> {
    let approval = shelf.approvals.get(SLUG).and_then(|kept| kept.rule.as_ref());
    let lists = parsed(&shelf.access_lists);
    let groups = parsed(&shelf.groups);
    if approval.is_none() && lists.is_empty() && groups.is_empty() {
        return None;
    }
    let approval = approval.map(|rule| rule.parsed.as_ref());
    Some(Arc::new(Governance::new(approval, lists, groups)))
}

fn parsed<T>(named: &Named<Option<T>>) -> Vec<(&str, Option<&T>)> {
    named
        .iter()
        .filter_map(|(name, kept)| kept.rule.as_ref().map(|rule| (name.as_str(), rule.parsed.as_ref())))
        .collect()
}

impl Rules {
    /// What a key may call.
    pub(crate) fn access(&self, key: &KeyRules) -> Access {
        let table = self.0.load();
        let governance = table.get(&key.account).and_then(|shelf| shelf.governance.as_ref());
        let lists = &key.limits.access_lists;
        match governance {
            Some(governance) => governance.of(lists, key.holder.as_deref()),
            None if lists.is_empty() => Access::default(),
            // Lists that aren't there hold nothing.
            None => Governance::default().of(lists, None),
        }
    }

    /// What an account approved.
    pub fn approval(&self, account: &AccountId) -> Option<Arc<ApprovalRule>> {
        self.0.load().get(account)?.approvals.get(SLUG)?.rule.clone()
    }

    /// Where an account lets prompts go. Nothing bounds where nothing was approved; what can't be read is as if no model was
    /// approved, and needs no more.
    pub(crate) fn bounds(&self, account: &AccountId) -> Option<Arc<ApprovalRule>> {
        let bounds = |approval: &Approval| {
            !approval.providers.is_empty()
                || !approval.regions.is_empty()
                || approval.no_training
                || approval.zero_retention
        };
        self.approval(account).filter(|rule| rule.parsed.as_ref().is_some_and(bounds))
    }

    /// An access list of this name.
    pub fn access_list(&self, account: &AccountId, name: &str) -> Option<Arc<AccessListRule>> {
        self.0.load().get(account)?.access_lists.get(name)?.rule.clone()
    }

    /// The access lists of an account, by name.
    pub fn access_lists(&self, account: &AccountId) -> Vec<Arc<AccessListRule>> {
        self.0.load().get(account).map(|shelf| standing(&shelf.access_lists)).unwrap_or_default()
    }

    /// A group of this name.
    pub fn group(&self, account: &AccountId, name: &str) -> Option<Arc<GroupRule>> {
        self.0.load().get(account)?.groups.get(name)?.rule.clone()
    }

    /// The groups of an account, by name.
    pub fn groups(&self, account: &AccountId) -> Vec<Arc<GroupRule>> {
        self.0.load().get(account).map(|shelf| standing(&shelf.groups)).unwrap_or_default()
    }
}
