//! Coming in: signing up with an address, proving that its mail is read, accepting an invitation, claiming a server.
//!
//! Nobody learns whether an address is known: what is answered and how long it takes is the same, and the rest is in the mail.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Invited, MailedToken, User};
use types::{AccountId, EntryId, KeyHash, Money, Role, Timestamp};

use super::settings::SignUp;
use super::throttle::Who;
use super::{AuthError, Desk, address, session};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::mail::{Mail, To};
use crate::{organization, router};

/// How long what was mailed at sign-up is good for.
const SIGN_UP_S: i64 = 24 * 3_600;
/// Longest name and address.
const NAME_CHARS_MAX: usize = 100;
const EMAIL_CHARS_MAX: usize = 254;

/// What a mailed token is for.
pub(crate) const SIGN_UP: &str = "sign_up";
pub(crate) const RESET: &str = "reset";
/// An invitation, or the claim of a server: made by the operator on the command line.
pub const INVITATION: &str = "invitation";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    email: String,
    password: String,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    token: String,
    password: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

/// What waits for an address to be proven.
#[derive(Serialize, Deserialize)]
struct Waiting {
    name: String,
    password: String,
}

/// Whom the operator lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Into an organization that is there, beside their own.
    #[serde(default)]
    pub account: Option<String>,
    /// As what; an operator's invitation makes owners.
    #[serde(default)]
    pub role: Option<String>,
    /// To run the server.
    #[serde(default)]
    pub is_operator: bool,
}

/// An address as it is kept: in lower case. One `@`, a domain with a dot or `localhost`, no spaces.
pub fn email(text: &str) -> Result<String, AuthError> {
    let text = text.trim().to_lowercase();
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | '"' | ',' | ';' | '\\');
    let (local, domain) = text.split_once('@').ok_or(AuthError::Email)?;
    let good_domain = domain == "localhost" || domain.contains('.');
    let labels = domain.split('.').all(|label| {
        !label.is_empty() && !label.starts_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    });
    let fits = !local.is_empty() && text.chars().count() <= EMAIL_CHARS_MAX && text.chars().all(plain);
    if fits && good_domain && labels { Ok(text.clone()) } else { Err(AuthError::Email) }
}

fn name(given: Option<&str>, email: &str) -> Result<String, GatewayError> {
    let name = given.unwrap_or_else(|| email.split('@').next().unwrap_or_default()).trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let why = format!("`name` has 1 to {NAME_CHARS_MAX} characters, none of them a control character");
        return Err(GatewayError::InvalidRequest(why));
    }
    Ok(name.to_owned())
}

/// A name that somebody else gave: cut to what fits, else the address's own.
pub(super) fn fitting_name(given: Option<&str>, email: &str) -> Result<String, GatewayError> {
    let plain = given.map(|given| given.chars().filter(|c| !c.is_control()).collect::<String>());
    let cut = plain.map(|plain| plain.trim().chars().take(NAME_CHARS_MAX).collect::<String>());
    name(cut.as_deref().filter(|cut| !cut.trim().is_empty()), email)
}

/// A name as a line of a mail takes it.
pub(crate) fn mail_text(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// `POST /v1/auth/sign-up`.
pub(crate) async fn sign_up(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    match desk.people().settings.sign_up {
        SignUp::Open => (),
        SignUp::Invitation => {
            return Err(AuthError::Closed("people come in here by invitation; ask the operator").into());
        }
        SignUp::Closed => return Err(AuthError::Closed("nobody signs up here").into()),
    }
    let asked: Asked =
        desk.body(&body, r#"{"email": "ada@example.com", "password": "...", "name": "Ada"}"#)?;
    let email = email(&asked.email)?;
    let name = name(asked.name.as_deref(), &email)?;
    let who = Who::new(&format!("sign-up {email}"), address(&parts.headers));
    desk.try_once(&who)?;
    let (passwords, control) = (&desk.people().passwords, &desk.gateway().control);
    let password = passwords.take(control, &asked.password, &[&email, &name]).await?;
    let waiting = serde_json::to_string(&Waiting { name, password }).map_err(|_| GatewayError::Internal)?;
    let (text, token) =
        mailed(SIGN_UP, &email, waiting, desk.now(), SIGN_UP_S).ok_or(GatewayError::Internal)?;
    let to = email.clone();
    let known = desk
        .store(|gateway| async move {
            let known = gateway.store.user_by_email(&token.email).await?.is_some();
            // Written down either way: what is done takes the same time.
            gateway.store.insert_token(&token).await?;
            Ok(known)
        })
        .await?;
    let gateway = desk.gateway();
    let brand = &gateway.settings.brand.name;
    let text = match known {
        true => format!(
            "Somebody, probably you, signed up at {brand} with this address, which has been signed up before. Sign in \
             with your password, or ask for a new one: {0}/reset\n\nIf it was not you, there is nothing to do.",
            gateway.payments.public_url
        ),
        false => format!(
            "Welcome to {brand}. To prove that this address is yours, open this page within a day:\n\n  \
             {0}/sign-up/verify?token={text}\n\nor, without a browser:\n\n  curl {0}/v1/auth/verify -d \
             '{{\"token\": \"{text}\"}}'\n\nIf you did not sign up, there is nothing to do.",
            gateway.payments.public_url
        ),
    };
    let subject = format!("Your sign-up at {brand}");
    gateway.payments.mailer.send(Mail { to: To::Address(to.clone()), subject, text });
    let mut response = router::json(json!({ "data": { "mailed_to": to } }).to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// A token and what is kept of it.
pub fn mailed(
    kind: &'static str,
    email: &str,
    body: String,
    now: Timestamp,
    good_s: i64,
) -> Option<(String, MailedToken)> {
    let text = session::new_text()?.replacen("st_", "mt_", 1);
    let hash = KeyHash::of(&text);
    let expires = Timestamp::from_seconds(now.seconds() + good_s);
    Some((text, MailedToken { hash, kind, email: email.to_owned(), body, created: now, expires }))
}

/// `POST /v1/auth/verify`: the address is proven, and its person comes in.
pub(crate) async fn verify(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let proof: Proof = desk.body(&body, r#"{"token": "mt_..."}"#)?;
    let (email, waiting) = desk.take(&proof.token, SIGN_UP).await?;
    let waiting: Waiting = serde_json::from_str(&waiting).map_err(|_| AuthError::Token)?;
    let user = newcomer(&desk, email, waiting.name, Some(waiting.password), None)?;
    come_in(&desk, user, None, true).await
}

/// `POST /v1/auth/accept`: whom somebody invited comes in, or claims the server. Whoever reads the invitation's mail has proven the
/// address; a claim names its own. Who is known here accepts with their session.
pub(crate) async fn accept(
    worker: &Arc<Worker>,
    mut parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    Box::pin(session::note(worker, &mut parts)).await;
    let desk = Desk::open(worker, &parts);
    let example = r#"{"token": "mt_...", "password": "...", "email": "ada@example.com"}"#;
    let accepted: Accepted = desk.body(&body, example)?;
    let who = Who::at(address(&desk.parts.headers));
    desk.try_once(&who)?;
    let (hash, now) = (KeyHash::of(accepted.token.trim()), desk.now());
    let invited = desk.store(|gateway| async move { gateway.store.invitation(&hash, now).await }).await?;
    if let Ok(visitor) = session::visitor(&parts)
        && accepted.password.is_none()
    {
        let answer = organization::accept(&desk, visitor, invited.ok_or(AuthError::Token)?).await?;
        desk.people().throttle.succeeded(&who);
        return Ok(answer);
    }
    accept_new(&desk, &who, accepted, invited).await
}

/// A newcomer accepts.
async fn accept_new(
    desk: &Desk<'_>,
    who: &Who,
    accepted: Accepted,
    invited: Option<Invited>,
) -> Result<Response<ResponseBody>, GatewayError> {
    // All that can be wrong is found before the token is taken.
    let told = accepted.email.as_deref().map(email).transpose()?;
    if let Some(given) = &accepted.name {
        name(Some(given), "")?;
    }
    if let Some(invited) = &invited {
        admit(desk, invited).await?;
    }
    let missing = || AuthError::Weak(String::from("there is none; choose one with `password`"));
    let password = accepted.password.as_deref().ok_or_else(missing)?;
    let own = [told.as_deref().unwrap_or_default(), accepted.name.as_deref().unwrap_or_default()];
    let password = desk.people().passwords.take(&desk.gateway().control, password, &own).await?;
    let named = |address: &str| name(accepted.name.as_deref(), address);
    let Some(invited) = invited else {
        let (to, body) = desk.take(&accepted.token, INVITATION).await?;
        desk.people().throttle.succeeded(who);
        let invitation: Invitation = serde_json::from_str(&body).map_err(|_| AuthError::Token)?;
        let email = if to.is_empty() { told.ok_or(AuthError::Email)? } else { to };
        let own = invitation.account.clone().filter(|_| invitation.is_operator);
        let mut user = newcomer(desk, email.clone(), named(&email)?, Some(password), own)?;
        user.is_operator = invitation.is_operator;
        let role = invitation.role.as_deref().and_then(Role::named).unwrap_or(Role::Developer);
        let into = invitation.account.map(|account| (AccountId::new(account), role));
        return come_in(desk, user, into.filter(|_| !invitation.is_operator), true).await;
    };
    desk.people().throttle.succeeded(who);
    let user = newcomer(desk, invited.email.clone(), named(&invited.email)?, Some(password), None)?;
    let (id, now) = (user.id.clone(), desk.now());
    let into = (invited.account.clone(), invited.role);
    // Whoever may come without being asked gets what they would get then.
    let with_trial = desk.people().settings.sign_up == SignUp::Open;
    let welcome = come_in(desk, user, Some(into), with_trial).await?;
    desk.store(|gateway| async move { gateway.store.take_invitation(&invited, &id, now).await }).await?;
    Ok(welcome)
}

/// Whether a member's invitation lets a newcomer onto the server.
async fn admit(desk: &Desk<'_>, invited: &Invited) -> Result<(), GatewayError> {
    if desk.people().settings.sign_up == SignUp::Closed {
        return Err(AuthError::Closed("nobody new comes in here; ask the operator").into());
    }
    let to = invited.email.clone();
    if desk.store(|gateway| async move { gateway.store.user_by_email(&to).await }).await?.is_some() {
        let why = "whoever has this address is known here: sign in, and send the token with that session";
        return Err(GatewayError::RuleExists(why.to_owned()));
    }
    Ok(())
}

/// A person to be made, in an organization of their own unless they take over one that is there.
pub(super) fn newcomer(
    desk: &Desk<'_>,
    email: String,
    name: String,
    password: Option<String>,
    account: Option<String>,
) -> Result<User, GatewayError> {
    let id = |kind| desk.worker.new_id(kind).ok_or(GatewayError::Internal);
    let account = match account {
        Some(account) => account,
        None => id("acct")?,
    };
    Ok(User {
        id: id("usr")?,
        email,
        name,
        password,
        account: AccountId::new(account),
        is_operator: false,
        created: desk.now(),
        disabled: None,
    })
}

/// Makes the person, with what a new organization begins with, and signs them in.
async fn come_in(
    desk: &Desk<'_>,
    user: User,
    into: Option<(AccountId, Role)>,
    with_trial: bool,
) -> Result<Response<ResponseBody>, GatewayError> {
    let made = user.clone();
    desk.store(|gateway| async move {
        let trial = trial(&gateway, &made).filter(|_| with_trial);
        let into = into.as_ref().map(|(account, role)| (account, *role));
        gateway.store.insert_user(&made, trial.as_ref(), into).await
    })
    .await?;
    super::sign_in::welcome(desk, &user, StatusCode::CREATED).await
}

/// The credit that a new account begins with. An account that is there already gets none.
pub(super) fn trial(gateway: &Gateway, user: &User) -> Option<ledger::Entry> {
    let amount = gateway.settings.fees.trial;
    let id = EntryId::new(format!("trial:{}", user.account));
    (amount > Money::ZERO).then(|| ledger::promotion(user.account.clone(), amount, id, user.created).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        assert_eq!(email(" Ada@Example.COM "), Ok("ada@example.com".to_owned()));
        assert_eq!(email("a+b@x.example.co.uk"), Ok("a+b@x.example.co.uk".to_owned()));
        assert!(email("ops@localhost").is_ok() && email("jürgen@bücher.example").is_ok());
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "a@b@c.example",
            "a@-x.example",
            "a@x..example",
            "a\r\nBcc: b@x.example",
            "<a@x.example>",
            &format!("{}@x.example", "a".repeat(300)),
        ] {
            assert_eq!(email(bad), Err(AuthError::Email), "{bad}");
        }
    }
}
