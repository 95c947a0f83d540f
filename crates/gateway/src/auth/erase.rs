//! `GET /v1/auth/me/export` and `DELETE /v1/auth/me`: what is kept of a person, and its end.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use types::Money;

use super::{Desk, session};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::{organization, router};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    password: Option<String>,
    #[serde(default)]
    forfeit_balance: bool,
}

/// Everything of the person who asks, and of their own organization.
pub(crate) async fn export(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.clone();
    let all = desk
        .store(|gateway| async move { gateway.store.export_person(&user.id, &user.account).await })
        .await?;
    Ok(organization::archive(&all))
}

/// Erases the person who asks, with their own organization; the password, or a session that has only begun, says that it is they. Credit that is left is given up only
/// where they say so.
pub(crate) async fn erase(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let visitor = session::visitor(&parts)?.clone();
    let asked: Asked = desk.body(&body, r#"{"password": "...", "forfeit_balance": false}"#)?;
    let who = desk.check_self(&visitor, asked.password.as_deref()).await?;
    desk.people().throttle.succeeded(&who);
    let user = visitor.user;
    let (own, now) = (user.account.clone(), desk.now());
    let left = desk.store(|gateway| async move { gateway.store.credits(&own).await }).await?.balance;
    if left > Money::ZERO && !asked.forfeit_balance {
        return Err(GatewayError::RuleExists(format!(
            "{left} USD of credit are left: spend them, ask for a refund, or give them up with `\"forfeit_balance\": true`"
        )));
    }
    desk.write(|gateway| async move { gateway.store.erase_person(&user.id, now).await }).await?;
    worker.empty_records();
    let mut response = router::json(r#"{"data":{"erased":true}}"#);
    session::set_cookie(&mut response, None, desk.people().settings.is_secure, 0);
    Ok(response)
}
