//! `/v1/organization/invitations`: asking people in by mail. Whoever is known here joins by sending the token with a session of the
//! address that it went to; a newcomer chooses a password with it, and comes in where the server takes newcomers.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Invited, StoreError};
use types::{KeyHash, Timestamp};

use super::{Answer, Office, created, data, role};
use crate::app::Worker;
use crate::auth::AuthError;
use crate::auth::session::{self, Visitor};
use crate::auth::sign_up::{email, mail_text};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::mail::{Mail, To};

/// How long an invitation is good for.
const INVITATION_S: i64 = 7 * 86_400;
/// Most that wait in one organization.
const WAITING_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    email: String,
    role: String,
}

fn object(invited: &Invited) -> Value {
    json!({
        "id": invited.id,
        "email": invited.email,
        "role": invited.role.name(),
        "invited_by": invited.invited_by,
        "created_at": rfc3339(invited.created),
        "expires_at": rfc3339(invited.expires),
    })
}

/// `GET /v1/organization/invitations`: those that wait.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let (account, now) = (office.account(), office.desk.now());
    let all =
        office.desk.store(|gateway| async move { gateway.store.invitations(&account, now).await }).await?;
    Ok(data(&all.iter().map(object).collect()))
}

/// `POST /v1/organization/invitations`: mails a token. The answer does not show it: whoever reads the mail has proven the address.
pub(super) async fn create(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let office = Office::open(worker, parts)?;
    let asked: Asked = office.desk.body(&body, r#"{"email": "ada@example.com", "role": "developer"}"#)?;
    let (to, role) = (email(&asked.email)?, role(&asked.role)?);
    office.may_give(role)?;
    let now = office.desk.now();
    let text = session::new_text().ok_or(GatewayError::Internal)?.replacen("st_", "mt_", 1);
    let invited = Invited {
        id: worker.new_id("inv").ok_or(GatewayError::Internal)?,
        account: office.account(),
        email: to.clone(),
        role,
        invited_by: office.actor(),
        created: now,
        expires: Timestamp::from_seconds(now.seconds() + INVITATION_S),
    };
    let (kept, hash, own) = (invited.clone(), KeyHash::of(&text), office.key.rules.role);
    let name = office
        .desk
        .store(|gateway| async move {
            if gateway.store.invitations(&kept.account, now).await?.len() >= WAITING_MAX {
                let why = format!("{WAITING_MAX} invitations wait already; take some back");
                return Err(StoreError::Invalid(why));
            }
            gateway.store.insert_invitation(&kept, &hash).await?;
            let organization = gateway.store.organization(&kept.account, own).await?;
            Ok(organization.map_or_else(String::new, |organization| organization.name))
        })
        .await?;
    let gateway = office.desk.gateway();
    let brand = &gateway.settings.brand.name;
    let text = format!(
        "You are invited to {name} at {brand}, as its {role}. Within 7 days:\n\n  {0}/accept?token={text}\n\nor, without a \
         browser, with a password if you are new here, else with your session and no password:\n\n  curl {0}/v1/auth/accept -d '{{\"token\": \"{text}\", \"password\": \
         \"...\"}}'\n\nIf you don't know them, there is nothing to do.",
        gateway.payments.public_url
    );
    let subject = format!("An invitation to {}", mail_text(&name));
    gateway.payments.mailer.send(Mail { to: To::Address(to), subject, text });
    Ok(created(&object(&invited)))
}

/// `DELETE /v1/organization/invitations/{id}`: takes one back.
pub(super) async fn delete(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let (account, id) = (office.account(), office.desk.segment("invitations"));
    office.desk.store(|gateway| async move { gateway.store.delete_invitation(&account, &id).await }).await?;
    Ok(data(&json!({ "deleted": true })))
}

/// Who is signed in joins, with what was mailed to their address.
pub(crate) async fn accept(desk: &Desk<'_>, visitor: &Visitor, invited: Invited) -> Answer {
    if visitor.user.email != invited.email {
        return Err(AuthError::OtherAddress.into());
    }
    let (user, now, account) = (visitor.user.id.clone(), desk.now(), invited.account.clone());
    let role = invited.role;
    let joined = desk
        .store(|gateway| async move { gateway.store.take_invitation(&invited, &user, now).await })
        .await?;
    if !joined {
        return Err(AuthError::Token.into());
    }
    Ok(data(&json!({ "organization": account, "role": role.name() })))
}
