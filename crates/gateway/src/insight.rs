//! What an account can ask about its use: sums and percentiles out of the rollups, the log of its generations, traces, exports.
//!
//! An API key sees its own use; a management key, and who is signed in, that of the whole account.

pub(crate) mod analytics;
pub(crate) mod fields;
pub(crate) mod span;
pub(crate) mod table;
pub(crate) mod usage;

use http::request::Parts;
use types::{AccountId, KeyId};

use crate::app::Worker;
use crate::auth::Access;
use crate::error::GatewayError;
use crate::key::caller;

/// Whose use a caller sees.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) account: AccountId,
    /// Of one key, or all.
    pub(crate) key: Option<KeyId>,
}

impl Scope {
    pub(crate) fn of(worker: &Worker, parts: &Parts) -> Result<Scope, GatewayError> {
        let key = caller(worker, parts, Access::AnyKey)?;
        let own = (!key.rules.management).then(|| key.rules.id.clone());
        Ok(Scope { account: key.account.id.clone(), key: own })
    }
}

/// The id of a key of an account, named by its id or hash.
pub(crate) fn key_named(worker: &Worker, account: &AccountId, name: &str) -> Option<KeyId> {
    let keys = worker.gateway.keys.load().of_account(account);
    let found = keys.iter().find(|key| key.rules.id.as_str() == name || key.rules.hash.to_hex() == name);
    found.map(|key| key.rules.id.clone())
}

/// A request that can't be answered, with what is wrong.
pub(crate) fn invalid(why: impl Into<String>) -> GatewayError {
    GatewayError::InvalidRequest(why.into())
}
