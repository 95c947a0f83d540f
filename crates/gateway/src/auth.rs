//! From a request's headers to the key that calls: in memory, in microseconds, without the database.

use std::sync::Arc;

use http::{HeaderMap, header};
use types::{KeyHash, Timestamp, checksum_ok};

use crate::error::GatewayError;
use crate::keys::{KeyState, KeyTable};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// An API key that is valid now.
    ApiKey,
    /// A management key that is valid now.
    ManagementKey,
    /// Either kind of key.
    AnyKey,
}

/// Finds the key, and checks that it is valid now and of the right kind.
pub fn authenticate(
    table: &KeyTable,
    key_text: Option<&str>,
    access: Access,
    key_prefix: &str,
    now: Timestamp,
) -> Result<Arc<KeyState>, GatewayError> {
    let text = key_text.ok_or(GatewayError::KeyMissing)?;
    let Some(key) = table.get(&KeyHash::of(text)) else {
        // A key that someone chose has no checksum, so the table is asked first.
        return Err(match checksum_ok(key_prefix, text) {
            Some(false) => GatewayError::KeyMalformed,
            _ => GatewayError::KeyUnknown,
        });
    };
    let rules = &key.rules;
    if rules.revoked {
        return Err(GatewayError::KeyUnknown);
    }
    if rules.disabled {
        return Err(GatewayError::KeyDisabled);
    }
    if rules.expires.is_some_and(|expires| now >= expires) {
        return Err(GatewayError::KeyExpired);
    }
    match access {
        Access::ApiKey if rules.management => {
            Err(GatewayError::WrongKeyKind("a management key can't call models; use an API key"))
        }
        Access::ManagementKey if !rules.management => Err(GatewayError::WrongKeyKind(
            "this needs a management key; make one with `tollway keys create --management`",
        )),
        _ => Ok(Arc::clone(key)),
    }
}

/// The key's text: `Authorization: Bearer`, or where other systems' clients put it (`x-api-key`, `x-goog-api-key`,
/// `api-key`).
pub fn key_text(headers: &HeaderMap) -> Option<&str> {
    let bare = |name: &str| headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
    bearer(headers)
        .or_else(|| bare("x-api-key"))
        .or_else(|| bare("x-goog-api-key"))
        .or_else(|| bare("api-key"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    let text = text.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !text.is_empty()).then_some(text)
}
