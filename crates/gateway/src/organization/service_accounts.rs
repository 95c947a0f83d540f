//! `/v1/organization/service-accounts`: programs that hold keys, which outlive whoever made them.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ServiceAccount, StoreError};

use super::{Answer, Office, created, data, role};
use crate::app::Worker;
use crate::error::GatewayError;
use crate::key::rfc3339;

/// Most of one organization.
const SERVICE_ACCOUNTS_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    role: Option<String>,
}

fn object(one: &ServiceAccount) -> Value {
    json!({
        "id": one.id,
        "name": one.name,
        "role": one.role.name(),
        "created_at": rfc3339(one.created),
    })
}

/// `GET /v1/organization/service-accounts`.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let account = office.account();
    let all =
        office.desk.store(|gateway| async move { gateway.store.service_accounts(&account).await }).await?;
    Ok(data(&all.iter().map(object).collect()))
}

/// `POST /v1/organization/service-accounts`. Its keys are made at `POST /v1/keys` with it as their `holder`.
pub(super) async fn create(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let office = Office::open(worker, parts)?;
    let asked: Asked = office.desk.body(&body, r#"{"name": "nightly import", "role": "developer"}"#)?;
    let role = role(asked.role.as_deref().unwrap_or("developer"))?;
    office.may_give(role)?;
    let made = ServiceAccount {
        id: worker.new_id("sa").ok_or(GatewayError::Internal)?,
        account: office.account(),
        name: asked.name.trim().to_owned(),
        role,
        created: office.desk.now(),
    };
    let kept = made.clone();
    office
        .desk
        .store(|gateway| async move {
            if gateway.store.service_accounts(&kept.account).await?.len() >= SERVICE_ACCOUNTS_MAX {
                let why = format!("an organization has at most {SERVICE_ACCOUNTS_MAX} service accounts");
                return Err(StoreError::Invalid(why));
            }
            gateway.store.insert_service_account(&kept).await
        })
        .await?;
    Ok(created(&object(&made)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    role: Option<String>,
}

/// `PATCH /v1/organization/service-accounts/{id}`: another name or role. Its management keys can do no more than it.
pub(super) async fn change(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    const EXAMPLE: &str = r#"{"name": "nightly import", "role": "viewer"}"#;
    let office = Office::open(worker, parts)?;
    let asked: Change = office.desk.body(&body, EXAMPLE)?;
    let (account, id, now) = (office.account(), office.desk.segment("service-accounts"), office.desk.now());
    let (of, one) = (account.clone(), id.clone());
    // Nobody changes what may do more than they, or makes it so.
    let all = office.desk.store(|gateway| async move { gateway.store.service_accounts(&of).await }).await?;
    if let Some(known) = all.iter().find(|known| known.id == one) {
        office.may_give(known.role)?;
    }
    let role = asked.role.as_deref().map(role).transpose()?;
    if let Some(role) = role {
        office.may_give(role)?;
    }
    let name = asked.name.map(|name| name.trim().to_owned());
    if name.is_none() && role.is_none() {
        return Err(GatewayError::InvalidRequest(format!(
            "nothing to change; send {EXAMPLE}, or one of the two"
        )));
    }
    let changed = office
        .desk
        .write(|gateway| async move {
            gateway.store.set_service_account(&account, &id, (name.as_deref(), role), now).await
        })
        .await?;
    Ok(data(&object(&changed)))
}

/// `DELETE /v1/organization/service-accounts/{id}`: its keys end with it.
pub(super) async fn end(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let (account, id, now) = (office.account(), office.desk.segment("service-accounts"), office.desk.now());
    office
        .desk
        .write(|gateway| async move { gateway.store.end_service_account(&account, &id, now).await })
        .await?;
    Ok(data(&json!({ "ended": true })))
}
