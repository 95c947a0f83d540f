//! `/v1/server/users`: everybody who may sign in; whom to let in no more.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::User;

use super::Answer;
use crate::app::Worker;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    disabled: bool,
}

fn object(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "organization": user.account,
        "is_operator": user.is_operator,
        "created_at": rfc3339(user.created),
        "disabled_at": user.disabled.map(rfc3339),
    })
}

/// `GET /v1/server/users`.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let users =
        Desk::open(worker, parts).store(|gateway| async move { gateway.store.users(None).await }).await?;
    let shown: Vec<Value> = users.iter().map(object).collect();
    Ok(router::json(json!({ "data": shown }).to_string()))
}

/// `PATCH /v1/server/users/{id}`: who is disabled is signed out everywhere. Nobody disables who runs the server: themselves, perhaps.
pub(super) async fn edit(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let id = desk.segment("users");
    let Asked { disabled } = desk.body(&body, r#"{"disabled": true}"#)?;
    let since = disabled.then(|| desk.now());
    let named = id.clone();
    let user = desk.store(|gateway| async move { gateway.store.user(&named).await }).await?;
    let user = user.ok_or_else(|| {
        GatewayError::NotFound(String::from("nobody has that id; see GET /v1/server/users"))
    })?;
    if user.is_operator && disabled {
        return Err(GatewayError::InvalidRequest(String::from(
            "who runs the server is not disabled over the API; `tollway users disable` does it",
        )));
    }
    let user = desk
        .write(|gateway| async move {
            gateway.store.disable_user(&id, since).await?;
            gateway.store.user(&id).await
        })
        .await?;
    let user = user.ok_or_else(|| GatewayError::NotFound(String::from("nobody has that id any more")))?;
    Ok(router::json(json!({ "data": object(&user) }).to_string()))
}
