//! What an account can ask about its use: sums and percentiles out of the rollups, the log of its generations, traces, exports.
//!
//! An API key sees its own use; a management key, and who is signed in, that of the whole account.

pub(crate) mod analytics;
pub mod export;
pub(crate) mod exports;
pub(crate) mod fields;
pub(crate) mod focus;
mod link;
pub(crate) mod log;
pub(crate) mod span;
pub(crate) mod table;
pub(crate) mod usage;

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use types::{AccountId, KeyId};

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::caller;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Query,
    Link,
    KeyUsage,
    AccountUsage,
    Log,
    Trace,
    Export,
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    at: At,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match at {
        At::Query => analytics::query(worker, parts, body).await,
        At::Link => link::query(worker, &parts).await,
        At::KeyUsage => usage::of_key(worker, &parts).await,
        At::AccountUsage => usage::of_account(worker, &parts).await,
        At::Log => log::list(worker, &parts).await,
        At::Trace => log::trace(worker, &parts).await,
        At::Export => exports::generations(worker, &parts).await,
    }
}

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
