//! `/v1/access-lists`: models under a name, for keys and groups.

use std::sync::Arc;

use routing::access::AccessList;
use serde_json::{Value, json};
use store::RuleKind;
use types::AccountId;

use super::named::Named;
use crate::app::Gateway;
use crate::error::GatewayError;
use crate::rules::edit::Desk;
use crate::rules::{Rule, RuleError};

/// Most users of a list that are named to whoever would delete it.
const NAMED_MAX: usize = 5;

pub(super) struct AccessLists;

impl Named for AccessLists {
    type Written = AccessList;
    const KIND: RuleKind = RuleKind::AccessList;
    const OBJECT: &'static str = "access_list";

    fn all(gateway: &Gateway, account: &AccountId) -> Vec<Arc<Rule<Option<AccessList>>>> {
        gateway.rules.access_lists(account)
    }

    fn one(gateway: &Gateway, account: &AccountId, slug: &str) -> Option<Arc<Rule<Option<AccessList>>>> {
        gateway.rules.access_list(account, slug)
    }

    fn beside(gateway: &Gateway, list: Option<&AccessList>) -> Value {
        let world = gateway.world.load();
        json!({ "waiting": list.map(|list| list.waiting(&world.snapshot)).unwrap_or_default() })
    }

    async fn known(_desk: &Desk<'_>, _text: &str) -> Result<(), GatewayError> {
        Ok(())
    }

    /// A list that a key or a group has stays: without it they could call nothing.
    fn unused(desk: &Desk<'_>, slug: &str) -> Result<(), GatewayError> {
        let gateway = desk.gateway();
        let keys = gateway.keys.load().of_account(desk.account());
        let keys = keys
            .iter()
            .filter(|key| !key.rules.revoked && key.rules.limits.access_lists.iter().any(|list| list == slug))
            .map(|key| format!("key {}", key.rules.id));
        let groups = gateway.rules.groups(desk.account());
        let has = |lists: &[String]| lists.iter().any(|list| list == slug);
        let groups = groups
            .iter()
            .filter(|rule| rule.parsed.as_ref().is_some_and(|group| has(&group.access_lists)))
            .map(|rule| format!("group `{}`", rule.slug));
        let users: Vec<String> = groups.chain(keys).collect();
        if users.is_empty() {
            return Ok(());
        }
        let more = users.len().saturating_sub(NAMED_MAX);
        let named = users.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let problem =
            format!("of `{slug}` would leave {named}{more} with nothing to call; take it from them first");
        Err(GatewayError::RuleInvalid {
            kind: Self::KIND,
            error: RuleError { path: String::from("DELETE"), problem },
        })
    }
}
