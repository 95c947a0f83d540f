//! Policies, presets, guardrails and rules of access in memory, by account and name. No call waits for the database, and a call that names none looks at
//! nothing.
//!
//! - The table is replaced whole when a rule changes; calls in flight keep what they began with.
//! - The node that takes an edit has it at once, every other one by its poll. Both put it in here, in whichever order: a
//!   version never goes back, and what was deleted leaves its number behind, so that an older version does not come back.

pub(crate) mod access;
mod check;
pub(crate) mod edit;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use routing::access::{AccessList, Approval, Governance, Group};
use routing::policy::Policy;
use store::{RuleKind, RuleRow};
use types::{AccountId, Timestamp};
use wire::preset::Preset;

pub use check::{Checked, RuleError, check};

use crate::guardrails::SLUG;

/// Most names that are told to who asked for none of them.
const SUGGESTIONS_MAX: usize = 3;
/// How alike a name must be to be told, of 1.
const LIKENESS_MIN: f64 = 0.7;

/// A rule of an account's as it stands.
#[derive(Debug)]
pub struct Rule<T> {
    /// Its name.
    pub slug: String,
    /// Counts up from 1.
    pub version: i64,
    /// As it was written, JSON.
    pub text: String,
    /// When this version was written.
    pub created: Timestamp,
    /// When the first version was written.
    pub first_created: Timestamp,
    /// Who wrote this version: a key's id, or `cli`.
    pub created_by: String,
    /// What it says.
    pub parsed: T,
}

impl<T> Rule<T> {
    /// `slug@version`, as records name it.
    pub fn label(&self) -> String {
        format!("{}@{}", self.slug, self.version)
    }
}

/// A policy of an account's.
pub type PolicyRule = Rule<Policy>;
/// A preset of an account's.
pub type PresetRule = Rule<Preset>;
/// An account's guardrails; `None` where only another version of this program can read them.
pub type GuardrailsRule = Rule<Option<Arc<guardrails::Rules>>>;

/// What an organization approved; `None` where only another version of this program can read it.
pub type ApprovalRule = Rule<Option<Approval>>;
/// An access list; `None` as of an approval.
pub type AccessListRule = Rule<Option<AccessList>>;
/// A group; `None` as of an approval.
pub type GroupRule = Rule<Option<Group>>;

/// The last version that is known; without a rule where that one deleted it.
#[derive(Debug)]
struct Kept<T> {
    version: i64,
    rule: Option<Arc<Rule<T>>>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Kept<T> {
        Kept { version: self.version, rule: self.rule.clone() }
    }
}

/// The rules of one kind, by name.
type Named<T> = BTreeMap<String, Kept<T>>;

/// The rules of one account.
#[derive(Clone, Debug, Default)]
struct Shelf {
    policies: Named<Policy>,
    presets: Named<Preset>,
    guardrails: Named<Option<Arc<guardrails::Rules>>>,
    approvals: Named<Option<Approval>>,
    access_lists: Named<Option<AccessList>>,
    groups: Named<Option<Group>>,
    /// What the last three come to; nothing where there are none.
    governance: Option<Arc<Governance>>,
}

/// All rules.
#[derive(Debug, Default)]
pub struct Rules(ArcSwap<HashMap<AccountId, Arc<Shelf>>>);

/// A row that was read.
enum Read {
    Policy(Option<Arc<PolicyRule>>),
    Preset(Option<Arc<PresetRule>>),
    Guardrails(Option<Arc<GuardrailsRule>>),
    Approval(Option<Arc<ApprovalRule>>),
    AccessList(Option<Arc<AccessListRule>>),
    Group(Option<Arc<GroupRule>>),
}

impl Rules {
    /// The policy of this name.
    pub fn policy(&self, account: &AccountId, name: &str) -> Option<Arc<PolicyRule>> {
        self.0.load().get(account)?.policies.get(name)?.rule.clone()
    }

    /// The preset of this name, whatever its status.
    pub fn preset(&self, account: &AccountId, slug: &str) -> Option<Arc<PresetRule>> {
        self.0.load().get(account)?.presets.get(slug)?.rule.clone()
    }

    /// The guardrails of an account.
    pub fn guardrails(&self, account: &AccountId) -> Option<Arc<GuardrailsRule>> {
        self.0.load().get(account)?.guardrails.get(SLUG)?.rule.clone()
    }

    /// The policies of an account, by name.
    pub fn policies(&self, account: &AccountId) -> Vec<Arc<PolicyRule>> {
        self.0.load().get(account).map(|shelf| standing(&shelf.policies)).unwrap_or_default()
    }

    /// The presets of an account, by name.
    pub fn presets(&self, account: &AccountId) -> Vec<Arc<PresetRule>> {
        self.0.load().get(account).map(|shelf| standing(&shelf.presets)).unwrap_or_default()
    }

    /// What rules of a kind an account has, by name.
    pub fn names(&self, account: &AccountId, kind: RuleKind) -> Vec<String> {
        let table = self.0.load();
        let Some(shelf) = table.get(account) else { return Vec::new() };
        match kind {
            RuleKind::Policy => names(&shelf.policies),
            RuleKind::Preset => names(&shelf.presets),
            RuleKind::Guardrails => names(&shelf.guardrails),
            RuleKind::Approval => names(&shelf.approvals),
            RuleKind::AccessList => names(&shelf.access_lists),
            RuleKind::Group => names(&shelf.groups),
        }
    }

    /// Up to three names that look like one that is not there; without a likeness the first ones of a short list.
    pub fn nearest(&self, account: &AccountId, kind: RuleKind, slug: &str) -> Vec<String> {
        let names = match kind {
            // They have one name each.
            RuleKind::Guardrails | RuleKind::Approval => Vec::new(),
            _ => self.names(account, kind),
        };
        if names.len() <= SUGGESTIONS_MAX {
            return names;
        }
        let slug: String = slug.chars().take(80).collect();
        let mut scored: Vec<(f64, String)> = names
            .into_iter()
            .map(|name| (strsim::jaro_winkler(&slug, &name), name))
            .filter(|(score, _)| *score >= LIKENESS_MIN)
            .collect();
        scored.sort_by(|(a, a_name), (b, b_name)| b.total_cmp(a).then_with(|| a_name.cmp(b_name)));
        scored.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
    }

    /// Takes in what the store has, deletions too.
    pub fn take(&self, rows: &[RuleRow]) {
        if rows.is_empty() {
            return;
        }
        let read: Vec<(&RuleRow, Read)> = rows.iter().map(|row| (row, read(row))).collect();
        self.0.rcu(|table| {
            let mut table = HashMap::clone(table);
            for (row, read) in &read {
                let shelf = Arc::make_mut(table.entry(row.account.clone()).or_default());
                match read {
                    Read::Policy(rule) => keep(&mut shelf.policies, row, rule.clone()),
                    Read::Preset(rule) => keep(&mut shelf.presets, row, rule.clone()),
                    Read::Guardrails(rule) => keep(&mut shelf.guardrails, row, rule.clone()),
                    Read::Approval(rule) => keep(&mut shelf.approvals, row, rule.clone()),
                    Read::AccessList(rule) => keep(&mut shelf.access_lists, row, rule.clone()),
                    Read::Group(rule) => keep(&mut shelf.groups, row, rule.clone()),
                }
                if matches!(read, Read::Approval(_) | Read::AccessList(_) | Read::Group(_)) {
                    shelf.governance = access::governance(shelf);
                }
            }
            table
        });
    }
}

fn names<T>(named: &Named<T>) -> Vec<String> {
    named.iter().filter(|(_, kept)| kept.rule.is_some()).map(|(name, _)| name.clone()).collect()
}

fn standing<T>(named: &Named<T>) -> Vec<Arc<Rule<T>>> {
    named.values().filter_map(|kept| kept.rule.clone()).collect()
}

fn keep<T>(named: &mut Named<T>, row: &RuleRow, rule: Option<Arc<Rule<T>>>) {
    let known = named.get(&row.slug).map(|kept| kept.version);
    // What was deleted before this node saw it needs no place.
    let news = known.map_or(!row.deleted, |known| known < row.version);
    if news {
        named.insert(row.slug.clone(), Kept { version: row.version, rule });
    }
}

fn read(row: &RuleRow) -> Read {
    match row.kind {
        RuleKind::Policy => Read::Policy(read_as(row, |text| Policy::read(text).ok())),
        RuleKind::Preset => Read::Preset(read_as(row, |text| Preset::read(text).ok())),
        // What can't be read watches everything: a call is refused rather than let through.
        RuleKind::Guardrails => {
            Read::Guardrails(read_as(row, |text| Some(serde_json::from_str(text).ok().map(Arc::new))))
        }
        // Here too: what can't be read lets nobody do more.
        RuleKind::Approval => Read::Approval(read_as(row, |text| Some(serde_json::from_str(text).ok()))),
        RuleKind::AccessList => Read::AccessList(read_as(row, |text| Some(serde_json::from_str(text).ok()))),
        RuleKind::Group => Read::Group(read_as(row, |text| Some(serde_json::from_str(text).ok()))),
    }
}

/// What was written was checked; only another version of this program can have written what this one can't read.
fn read_as<T>(row: &RuleRow, parse: fn(&str) -> Option<T>) -> Option<Arc<Rule<T>>> {
    if row.deleted {
        return None;
    }
    let Some(parsed) = parse(&row.body) else {
        let (kind, version) = (row.kind.noun(), row.version);
        tracing::error!(account = %row.account, kind, name = row.slug, version, "a stored rule can't be read; write it again");
        return None;
    };
    Some(Arc::new(Rule {
        slug: row.slug.clone(),
        version: row.version,
        text: row.body.clone(),
        created: row.created,
        first_created: row.first_created,
        created_by: row.created_by.clone(),
        parsed,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: RuleKind, slug: &str, version: i64, body: &str) -> RuleRow {
        RuleRow {
            account: AccountId::new("acct_a"),
            kind,
            slug: slug.to_owned(),
            version,
            body: body.to_owned(),
            created: Timestamp(version),
            created_by: "cli".to_owned(),
            deleted: body.is_empty(),
            first_created: Timestamp(1),
            changed_seq: version,
        }
    }

    #[test]
    fn a_version_never_goes_back() {
        let (rules, me) = (Rules::default(), AccountId::new("acct_a"));
        let version = |rules: &Rules| rules.preset(&me, "p").map(|rule| rule.version);
        let steps = [
            (1, "{}", Some(1)),
            (3, "{}", Some(3)),
            (2, "{}", Some(3)),
            (4, "", None),
            (3, "{}", None),
            (5, "{\"config\":{}}", Some(5)),
            (6, "no json", None),
        ];
        for (at, body, expect) in steps {
            rules.take(&[row(RuleKind::Preset, "p", at, body)]);
            assert_eq!(version(&rules), expect, "{at}");
        }
        rules.take(&[row(RuleKind::Preset, "gone", 2, "")]);
        assert!(rules.presets(&me).is_empty());
    }

    #[test]
    fn kinds_and_accounts_are_apart_and_what_looks_alike_is_told() {
        let (rules, me, other) = (Rules::default(), AccountId::new("acct_a"), AccountId::new("acct_b"));
        let policy = r#"{"strategy":"fallback","models":["a/b"]}"#;
        let rows: Vec<RuleRow> = ["careful", "night", "cheap", "careful-eu"]
            .map(|slug| row(RuleKind::Policy, slug, 1, policy))
            .into_iter()
            .chain([row(RuleKind::Preset, "support", 1, "{}")])
            .collect();
        rules.take(&rows);
        let names: Vec<_> = rules.policies(&me).iter().map(|rule| rule.label()).collect();
        assert_eq!(names, ["careful@1", "careful-eu@1", "cheap@1", "night@1"]);
        assert!(rules.policy(&me, "support").is_none() && rules.preset(&me, "support").is_some());
        assert!(rules.policies(&other).is_empty() && rules.policy(&other, "careful").is_none());
        assert_eq!(rules.nearest(&me, RuleKind::Policy, "carful"), ["careful", "careful-eu"]);
        assert_eq!(rules.nearest(&me, RuleKind::Preset, "x"), ["support"]);
        assert!(rules.nearest(&me, RuleKind::Policy, "zzz").is_empty());
    }
}
