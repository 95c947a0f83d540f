//! `/v1/organization/members`: who belongs to the organization, and as what.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Member;
use types::Role;

use super::{Answer, Office, data, role};
use crate::app::Worker;
use crate::auth::session;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::rfc3339;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    role: String,
}

fn object(member: &Member) -> Value {
    json!({
        "id": member.user,
        "email": member.email,
        "name": member.name,
        "role": member.role.name(),
        "since": rfc3339(member.created),
    })
}

/// `GET /v1/organization/members`.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let account = office.account();
    let all = office.desk.store(|gateway| async move { gateway.store.members(&account).await }).await?;
    Ok(data(&all.iter().map(object).collect()))
}

/// Who is meant, and what they are now: nobody changes somebody who may more than they.
async fn named(office: &Office<'_>) -> Result<(String, Role), GatewayError> {
    let (account, user) = (office.account(), office.desk.segment("members"));
    let asked = user.clone();
    let found =
        office.desk.store(|gateway| async move { gateway.store.role(&account, &asked).await }).await?;
    let role = found.ok_or_else(|| {
        GatewayError::NotFound(String::from(
            "the organization has no such member; `GET /v1/organization/members` lists them",
        ))
    })?;
    office.may_give(role)?;
    Ok((user, role))
}

/// `PATCH /v1/organization/members/{user}`: makes them something else. Their management keys can do no more than they.
pub(super) async fn set_role(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let office = Office::open(worker, parts)?;
    let asked: Asked = office.desk.body(&body, r#"{"role": "developer"}"#)?;
    let role = role(&asked.role)?;
    office.may_give(role)?;
    let (user, _) = named(&office).await?;
    let (account, now, id) = (office.account(), office.desk.now(), user.clone());
    office
        .desk
        .write(|gateway| async move { gateway.store.set_role(&account, &id, role, now).await })
        .await?;
    Ok(data(&json!({ "id": user, "role": role.name() })))
}

/// `DELETE /v1/organization/members/{user}`: the keys that they hold end with their membership.
pub(super) async fn remove(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let (user, _) = named(&office).await?;
    let (account, now, id) = (office.account(), office.desk.now(), user.clone());
    office.desk.write(|gateway| async move { gateway.store.remove_member(&account, &id, now).await }).await?;
    Ok(data(&json!({ "id": user, "removed": true })))
}

/// `POST /v1/organization/leave`: out of the organization that the session works in.
pub(super) async fn leave(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?;
    let (account, user, now) = (visitor.key.account.id.clone(), visitor.user.id.clone(), desk.now());
    if account == visitor.user.account {
        return Err(GatewayError::InvalidRequest(String::from("nobody leaves their own organization")));
    }
    desk.write(|gateway| async move { gateway.store.remove_member(&account, &user, now).await }).await?;
    Ok(data(&json!({ "left": true, "organization": visitor.user.account })))
}
