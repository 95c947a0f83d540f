//! `/v1/organizations` and `/v1/organization`: those that a person belongs to, and the one that the caller works in: the key's own,
//! or the session's, which the header `X-Tollway-Organization` overrides for one request.

pub mod audit;
mod invitations;
mod members;
mod projects;
pub(crate) mod routes;
mod service_accounts;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Exported, Organization};
use types::{AccountId, Money, Role};

use crate::app::Worker;
use crate::auth::{AuthError, session};
use crate::body::ResponseBody;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::{manager, rfc3339};
use crate::keys::KeyState;
use crate::router;

pub(crate) use self::invitations::accept;

/// Most organizations that one person owns.
const ORGANIZATIONS_MAX: usize = 20;

/// What the paths below speak of.
type Answer = Result<Response<ResponseBody>, GatewayError>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    organization: Option<String>,
}

/// Somebody who administers, at such a path.
struct Office<'a> {
    desk: Desk<'a>,
    key: Arc<KeyState>,
}

impl<'a> Office<'a> {
    fn open(worker: &'a Arc<Worker>, parts: &'a Parts) -> Result<Office<'a>, GatewayError> {
        Ok(Office { key: manager(parts)?, desk: Desk::open(worker, parts) })
    }

    fn account(&self) -> AccountId {
        self.key.account.id.clone()
    }

    /// Who acts: a member or a service account, else the key.
    fn actor(&self) -> String {
        self.key.rules.holder.clone().unwrap_or_else(|| self.key.rules.id.to_string())
    }

    /// Nobody gives a role that goes further than their own, or takes one away.
    fn may_give(&self, role: Role) -> Result<(), GatewayError> {
        let own = self.key.rules.role;
        if own.covers(role) { Ok(()) } else { Err(AuthError::Grant { role: own, asked: role }.into()) }
    }
}

fn role(name: &str) -> Result<Role, GatewayError> {
    Role::named(name).ok_or_else(|| {
        GatewayError::InvalidRequest("`role` is one of owner, admin, developer, billing, viewer".to_owned())
    })
}

fn data(value: &Value) -> Response<ResponseBody> {
    router::json(json!({ "data": value }).to_string())
}

fn created(value: &Value) -> Response<ResponseBody> {
    let mut response = data(value);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// An organization as its members see it.
pub fn object(organization: &Organization) -> Value {
    json!({
        "id": organization.account,
        "name": organization.name,
        "personal": organization.personal,
        "role": organization.role.name(),
        "created_at": rfc3339(organization.created),
    })
}

/// `GET /v1/organizations`: those that one belongs to.
async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?;
    let user = visitor.user.id.clone();
    let all = desk.store(|gateway| async move { gateway.store.organizations(&user).await }).await?;
    let current = &visitor.key.account.id;
    let objects = all.iter().map(|organization| {
        let mut shown = object(organization);
        if let Value::Object(map) = &mut shown {
            map.insert("current".to_owned(), json!(organization.account == *current));
        }
        shown
    });
    Ok(data(&objects.collect()))
}

/// `POST /v1/organizations`: a new one, whose owner is who makes it.
async fn create(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.id.clone();
    let named: Named = desk.body(&body, r#"{"name": "Analytical Engines"}"#)?;
    let account = AccountId::new(worker.new_id("acct").ok_or(GatewayError::Internal)?);
    let (name, now) = (named.name.trim().to_owned(), desk.now());
    let made = Organization {
        account: account.clone(),
        name: name.clone(),
        personal: false,
        created: now,
        role: Role::Owner,
    };
    desk.store(|gateway| async move {
        let own = gateway.store.organizations(&user).await?;
        if own.iter().filter(|known| known.role == Role::Owner).count() >= ORGANIZATIONS_MAX {
            let why = format!("one person owns at most {ORGANIZATIONS_MAX} organizations");
            return Err(store::StoreError::Invalid(why));
        }
        gateway.store.insert_organization(&account, &name, &user, now).await
    })
    .await?;
    Ok(created(&object(&made)))
}

/// `PUT /v1/auth/organization`: where one's session works from now on, and those to come begin. `null`: in one's own.
async fn choose(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?;
    let chosen: Chosen = desk.body(&body, r#"{"organization": "acct_..."}"#)?;
    let account = chosen.organization.map(AccountId::new);
    let (user, session, into) = (visitor.user.id.clone(), visitor.session.id.clone(), account.clone());
    let known = desk
        .store(|gateway| async move {
            if let Some(account) = &into
                && gateway.store.role(account, &user).await?.is_none()
            {
                return Ok(false);
            }
            gateway.store.work_in(&user, &session, into.as_ref()).await?;
            Ok(true)
        })
        .await?;
    if !known {
        return Err(AuthError::NotMember.into());
    }
    Ok(data(&json!({ "organization": account.as_ref().unwrap_or(&visitor.user.account) })))
}

/// `GET /v1/organization`: the one that the caller works in.
async fn show(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let (account, role) = (office.account(), office.key.rules.role);
    let found = office.desk.store(|gateway| async move { gateway.store.organization(&account, role).await });
    Ok(data(&object(&found.await?.ok_or(AuthError::NotMember)?)))
}

/// `PATCH /v1/organization`: another name.
async fn rename(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let office = Office::open(worker, parts)?;
    let named: Named = office.desk.body(&body, r#"{"name": "Analytical Engines"}"#)?;
    let account = office.account();
    let name = named.name.trim().to_owned();
    office
        .desk
        .store(|gateway| async move { gateway.store.rename_organization(&account, &name).await })
        .await?;
    show(worker, parts).await
}

/// `GET /v1/organization/export`: everything that is kept of it but its generations, which `GET /v1/exports/generations` has.
async fn export(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let account = office.account();
    let all =
        office.desk.store(|gateway| async move { gateway.store.export_organization(&account).await }).await?;
    Ok(archive(&all))
}

/// An export as JSON: for each part its rows, each with the names of its columns.
pub fn parts(all: &Exported) -> Value {
    let mut parts = serde_json::Map::new();
    for (name, rows) in all {
        let rows = rows.iter().map(|cells| {
            let cells = cells.iter().map(|(column, cell)| (column.clone(), json!(cell)));
            Value::Object(cells.collect())
        });
        parts.insert((*name).to_owned(), rows.collect());
    }
    Value::Object(parts)
}

/// An export as a file.
pub(crate) fn archive(all: &Exported) -> Response<ResponseBody> {
    let mut response = data(&parts(all));
    let file = HeaderValue::from_static("attachment; filename=\"export.json\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    response
}

/// `DELETE /v1/organization`: its keys are taken no more, nobody belongs to it, and what says whose it was is erased. The books stay.
/// Credit that is left is given up only where the caller says so: `?forfeit_balance=true`.
async fn end(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let (account, now) = (office.account(), office.desk.now());
    let forfeit =
        router::query(parts).iter().any(|(name, value)| name == "forfeit_balance" && value == "true");
    let own = account.clone();
    let left = office.desk.store(|gateway| async move { gateway.store.credits(&own).await }).await?.balance;
    if left > Money::ZERO && !forfeit {
        return Err(GatewayError::RuleExists(format!(
            "{left} USD of credit are left: spend them, ask for a refund, or give them up with `?forfeit_balance=true`"
        )));
    }
    office.desk.write(|gateway| async move { gateway.store.end_organization(&account, now).await }).await?;
    worker.empty_records();
    Ok(data(&json!({ "ended": true })))
}
