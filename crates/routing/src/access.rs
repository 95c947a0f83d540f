//! Which models an organization lets its keys call: what it approved, its access lists, and the groups that have them.
//!
//! The nearest rule decides: the lists of the key itself, else the lists of all groups of its holder together, else everything.
//! Whatever decides, what the organization has not approved is left out. A list approves what there was when it was written,
//! unless it says `auto_approve`: a new release that fits `mistralai/*` waits until somebody writes the list again.

mod written;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::filters::matches_pattern;

pub use written::{AccessList, Approval, Group, WrittenError, freeze_approval, freeze_list};

/// Models by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSet {
    ids: HashSet<String>,
    patterns: Vec<String>,
}

impl ModelSet {
    /// Ids, and patterns in which `*` stands for anything.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> ModelSet {
        let mut set = ModelSet::default();
        for name in names {
            if name.contains('*') {
                set.patterns.push(name.to_owned());
            } else {
                set.ids.insert(name.to_owned());
            }
        }
        set
    }

    /// Whether a model is in it.
    pub fn holds(&self, id: &str) -> bool {
        self.ids.contains(id) || self.patterns.iter().any(|pattern| matches_pattern(pattern, id))
    }
}

/// Whose lists decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decides {
    /// Nobody's: everything that is approved.
    #[default]
    Nobody,
    /// The key's own, by name.
    Key(Arc<[String]>),
    /// Those of its holder's groups: the groups' names.
    Groups(Arc<[String]>),
}

/// Why a model can't be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// None of these lists of the key has it.
    Lists(Arc<[String]>),
    /// No list of these groups has it.
    Groups(Arc<[String]>),
    /// The organization has not approved it.
    NotApproved,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Lists(lists) => {
                write!(f, "it is in none of the key's access lists ({})", lists.join(", "))
            }
            Refusal::Groups(groups) => {
                write!(
                    f,
                    "it is in no access list of the groups that the key's holder is in ({})",
                    groups.join(", ")
                )
            }
            Refusal::NotApproved => f.write_str("the organization has not approved it"),
        }
    }
}

/// What one key may call. Cheap to copy; the default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    decides: Decides,
    lists: Arc<[Arc<ModelSet>]>,
    approved: Option<Arc<ModelSet>>,
}

impl Access {
    /// Whose lists decide.
    pub fn decides(&self) -> &Decides {
        &self.decides
    }

    /// Whether the organization approves models one by one.
    pub fn asks_approval(&self) -> bool {
        self.approved.is_some()
    }

    /// Whether there is anything that it does not hold.
    pub fn bounds(&self) -> bool {
        self.decides != Decides::Nobody || self.approved.is_some()
    }

    /// Whether it holds a model.
    pub fn holds(&self, id: &str) -> bool {
        self.refuses(id).is_none()
    }

    /// Why it does not hold a model; `None`: it does.
    pub fn refuses(&self, id: &str) -> Option<Refusal> {
        let listed = || self.lists.iter().any(|list| list.holds(id));
        match &self.decides {
            Decides::Key(lists) if !listed() => return Some(Refusal::Lists(Arc::clone(lists))),
            Decides::Groups(groups) if !listed() => return Some(Refusal::Groups(Arc::clone(groups))),
            _ => {}
        }
        self.approved.as_ref().filter(|approved| !approved.holds(id)).map(|_| Refusal::NotApproved)
    }
}

/// What the groups of one holder let it call.
#[derive(Clone, Debug, Default)]
struct Held {
    groups: Arc<[String]>,
    lists: Arc<[Arc<ModelSet>]>,
}

/// The rules of one organization, made ready.
#[derive(Clone, Debug, Default)]
pub struct Governance {
    approved: Option<Arc<ModelSet>>,
    lists: BTreeMap<String, Arc<ModelSet>>,
    held: HashMap<String, Held>,
    unreadable: bool,
}

impl Governance {
    /// From an organization's approval, its lists and its groups, both by name. What can't be read (`None`: written by another
    /// version of this program) holds nothing, and a group that can't be read nothing for anybody: nobody gets more by it.
    pub fn new<'a>(
        approval: Option<Option<&Approval>>,
        lists: impl IntoIterator<Item = (&'a str, Option<&'a AccessList>)>,
        groups: impl IntoIterator<Item = (&'a str, Option<&'a Group>)>,
    ) -> Governance {
        let mut made = Governance {
            approved: approval.and_then(|approval| match approval {
                Some(approval) => approval.models().map(Arc::new),
                None => Some(Arc::default()),
            }),
            ..Governance::default()
        };
        for (name, list) in lists {
            made.lists.insert(name.to_owned(), Arc::new(list.map(AccessList::models).unwrap_or_default()));
        }
        let mut held: HashMap<String, (Vec<String>, Vec<Arc<ModelSet>>)> = HashMap::new();
        for (name, group) in groups {
            let Some(group) = group else {
                made.unreadable = true;
                continue;
            };
            // A group without lists bounds nobody.
            for member in group.members.iter().filter(|_| !group.access_lists.is_empty()) {
                let (groups, lists) = held.entry(member.clone()).or_default();
                groups.push(name.to_owned());
                lists.extend(group.access_lists.iter().map(|list| made.list(list)));
            }
        }
        let ready = |(groups, lists): (Vec<_>, Vec<_>)| Held { groups: groups.into(), lists: lists.into() };
        made.held = held.into_iter().map(|(holder, held)| (holder, ready(held))).collect();
        made
    }

    /// A list that isn't there holds nothing: a key never gets wider by an accident.
    fn list(&self, name: &str) -> Arc<ModelSet> {
        self.lists.get(name).map(Arc::clone).unwrap_or_default()
    }

    /// What a key may call that has these lists of its own and this holder.
    pub fn of(&self, key_lists: &[String], holder: Option<&str>) -> Access {
        let approved = self.approved.clone();
        if !key_lists.is_empty() {
            let lists = key_lists.iter().map(|list| self.list(list)).collect();
            return Access { decides: Decides::Key(key_lists.into()), lists, approved };
        }
        if self.unreadable && holder.is_some() {
            let groups = Arc::from([String::from("one that can't be read")]);
            return Access { decides: Decides::Groups(groups), lists: Arc::default(), approved };
        }
        match holder.and_then(|holder| self.held.get(holder)) {
            Some(held) => Access {
                decides: Decides::Groups(Arc::clone(&held.groups)),
                lists: Arc::clone(&held.lists),
                approved,
            },
            None => Access { decides: Decides::Nobody, lists: Arc::default(), approved },
        }
    }
}

#[cfg(test)]
mod tests;
