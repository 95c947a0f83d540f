//! Whose identity it is.
//!
//! 1. Whoever it belongs to already, whatever address the issuer tells: addresses change hands, subjects don't.
//! 2. Else nobody is known by an address that the issuer does not say it has proven: `email_verified` is `true`, and nothing else.
//! 3. A person with this address gets the identity by themselves only where the operator said that this issuer's word about addresses
//!    counts (`link_by_email`), the address is of a domain that was listed, where any was, and the person does not run the server.
//!    Otherwise an issuer at which anybody can write anybody's address into a profile, or whose domains change hands, would be a key to
//!    every account here. Everybody else links it with a session of theirs: see [`super::identities`].
//! 4. Somebody new comes in only where the operator said so (`create`), and then as people come in here at all: `people.sign_up` is
//!    `open`, or the address is of a domain that was listed, or was invited. With `closed` nobody does.
//!
//! Whoever is turned away is told the same, whether or not their address is known here.

use store::{Identity, User};
use types::{AccountId, Role};

use super::exchange::Told;
use super::issuer::Issuer;
use crate::auth::settings::SignUp;
use crate::auth::sign_up::{Invitation, fitting_name, newcomer, trial};
use crate::auth::{AuthError, Desk};
use crate::error::GatewayError;
use crate::mail::{Mail, To};

/// Whose identity it turned out to be.
pub(super) enum Person {
    /// They came in with it before.
    Known { identity: Identity, user: User },
    /// It becomes theirs when they come in.
    ByEmail { user: User },
    /// They were made just now.
    New { user: User },
}

/// Finds, or makes, the person.
pub(super) async fn find(desk: &Desk<'_>, issuer: &Issuer, told: &Told) -> Result<Person, GatewayError> {
    let (at, subject) = (issuer.settings.issuer.clone(), told.subject.clone());
    let known = desk
        .store(|gateway| async move {
            let Some(identity) = gateway.store.identity(&at, &subject).await? else { return Ok(None) };
            let user = gateway.store.user(&identity.user).await?;
            Ok(user.map(|user| (identity, user)))
        })
        .await?;
    if let Some((identity, user)) = known {
        return match user.disabled {
            None => Ok(Person::Known { identity, user }),
            Some(_) => Err(AuthError::IdentityUnknown.into()),
        };
    }
    let email = told.email.clone().filter(|_| told.is_verified).ok_or(AuthError::EmailUnproven)?;
    let by = email.clone();
    let person = desk.store(|gateway| async move { gateway.store.user_by_email(&by).await }).await?;
    match person {
        Some(user) if may_link(issuer, &user) => Ok(Person::ByEmail { user }),
        Some(_) => Err(AuthError::IdentityUnknown.into()),
        None => Ok(Person::New { user: make(desk, issuer, told, email).await? }),
    }
}

/// Rule 3.
fn may_link(issuer: &Issuer, user: &User) -> bool {
    let settings = &issuer.settings;
    settings.link_by_email
        && settings.lists(&user.email).unwrap_or(true)
        && !user.is_operator
        && user.disabled.is_none()
}

/// How somebody new may come in.
struct Admission {
    with_trial: bool,
    into: Option<(AccountId, Role)>,
}

/// Rule 4.
async fn admit(desk: &Desk<'_>, issuer: &Issuer, email: &str) -> Result<Admission, GatewayError> {
    let mode = desk.people().settings.sign_up;
    if !issuer.settings.create || mode == SignUp::Closed {
        return Err(AuthError::IdentityUnknown.into());
    }
    let (to, now) = (email.to_owned(), desk.now());
    let (by_operator, by_members) =
        desk.store(|gateway| async move { gateway.store.invited(&to, now).await }).await?;
    let invitation = by_operator.and_then(|body| serde_json::from_str::<Invitation>(&body).ok());
    // Who shall run the server brings the token itself.
    let invitation = invitation.filter(|invitation| !invitation.is_operator);
    let is_open = match issuer.settings.lists(email) {
        Some(listed) => listed,
        None => mode == SignUp::Open,
    };
    if !is_open && invitation.is_none() && !by_members {
        return Err(AuthError::IdentityUnknown.into());
    }
    let with_trial = is_open || invitation.is_some();
    let into = invitation.and_then(|invitation| {
        let role = invitation.role.as_deref().and_then(Role::named).unwrap_or(Role::Developer);
        Some((AccountId::new(invitation.account?), role))
    });
    Ok(Admission { with_trial, into })
}

async fn make(desk: &Desk<'_>, issuer: &Issuer, told: &Told, email: String) -> Result<User, GatewayError> {
    let admission = admit(desk, issuer, &email).await?;
    let name = fitting_name(told.name.as_deref(), &email)?;
    let user = newcomer(desk, email.clone(), name, None, None)?;
    let identity = identity(desk, issuer, &user.id, (&told.subject, &email))?;
    let made = user.clone();
    desk.store(|gateway| async move {
        let trial = trial(&gateway, &made).filter(|_| admission.with_trial);
        let into = admission.into.as_ref().map(|(account, role)| (account, *role));
        gateway.store.insert_user_with(&made, &identity, trial.as_ref(), into).await
    })
    .await?;
    Ok(user)
}

/// An identity to be kept.
pub(super) fn identity(
    desk: &Desk<'_>,
    issuer: &Issuer,
    user: &str,
    (subject, email): (&str, &str),
) -> Result<Identity, GatewayError> {
    let now = desk.now();
    Ok(Identity {
        id: desk.worker.new_id("idn").ok_or(GatewayError::Internal)?,
        issuer: issuer.settings.issuer.clone(),
        subject: subject.to_owned(),
        user: user.to_owned(),
        email: email.to_owned(),
        created: now,
        used: now,
    })
}

/// Makes an identity a person's, and tells them so by mail. [`AuthError::IdentityTaken`]: it is somebody else's.
pub(super) async fn link(
    desk: &Desk<'_>,
    issuer: &Issuer,
    user: &User,
    one: Identity,
) -> Result<Identity, GatewayError> {
    let kept = one.clone();
    let there = desk
        .store(|gateway| async move {
            if gateway.store.link_identity(&kept).await? {
                return Ok(None);
            }
            gateway.store.identity(&kept.issuer, &kept.subject).await
        })
        .await?;
    match there {
        Some(there) if there.user == user.id => return Ok(there),
        Some(_) => return Err(AuthError::IdentityTaken.into()),
        None => {}
    }
    let gateway = desk.gateway();
    let brand = &gateway.settings.brand.name;
    let text = format!(
        "From now on you can sign in at {brand} with {}{}. If this was not you, sign in, take it away at \
         DELETE {}/v1/auth/identities/{}, and choose another password.",
        issuer.settings.name,
        if one.email.is_empty() { String::new() } else { format!(" as {}", one.email) },
        gateway.payments.public_url,
        one.id,
    );
    let subject = format!("Another way to sign in at {brand}");
    gateway.payments.mailer.send(Mail { to: To::Address(user.email.clone()), subject, text });
    Ok(one)
}
