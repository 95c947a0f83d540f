//! `/v1/groups`: holders of keys with the same access lists.

use std::sync::Arc;

use routing::access::Group;
use store::RuleKind;
use types::AccountId;

use super::named::Named;
use crate::app::Gateway;
use crate::error::GatewayError;
use crate::rules::edit::Desk;
use crate::rules::{Rule, RuleError};

pub(super) struct Groups;

impl Named for Groups {
    type Written = Group;
    const KIND: RuleKind = RuleKind::Group;
    const OBJECT: &'static str = "group";

    fn all(gateway: &Gateway, account: &AccountId) -> Vec<Arc<Rule<Option<Group>>>> {
        gateway.rules.groups(account)
    }

    fn one(gateway: &Gateway, account: &AccountId, slug: &str) -> Option<Arc<Rule<Option<Group>>>> {
        gateway.rules.group(account, slug)
    }

    /// Its lists are there, and its members belong to the organization.
    async fn known(desk: &Desk<'_>, text: &str) -> Result<(), GatewayError> {
        desk.check(text)?;
        let wrong = |path: String, problem: &str| GatewayError::RuleInvalid {
            kind: Self::KIND,
            error: RuleError { path, problem: problem.to_owned() },
        };
        let group: Group =
            serde_json::from_str(text).map_err(|error| wrong(String::new(), &error.to_string()))?;
        let rules = &desk.gateway().rules;
        let missing =
            group.access_lists.iter().position(|list| rules.access_list(desk.account(), list).is_none());
        if let Some(at) = missing {
            return Err(wrong(
                format!("access_lists[{at}]"),
                "is not there; `GET /v1/access-lists` lists them",
            ));
        }
        let (gateway, account) = (Arc::clone(desk.gateway()), desk.account().clone());
        let asking = async move {
            for (at, member) in group.members.iter().enumerate() {
                if gateway.store.holder(&account, member).await?.is_none() {
                    return Ok(Some(at));
                }
            }
            Ok::<_, store::StoreError>(None)
        };
        match desk.gateway().on_control(asking).await {
            Some(Ok(None)) => Ok(()),
            Some(Ok(Some(at))) => Err(wrong(
                format!("members[{at}]"),
                "is no member and no service account of the organization; `GET /v1/organization/members` lists them by id",
            )),
            _ => Err(GatewayError::StoreUnavailable),
        }
    }
}
