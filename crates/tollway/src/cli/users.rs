//! `tollway users`

use gateway::auth::me::user_object;
use gateway::auth::sign_up::{INVITATION, Invitation, email, mailed};
use serde_json::{Value, json};
use store::Store;
use types::{AccountId, Role, Timestamp};

use super::args::Users;
use super::output::columns;
use super::{Context, Failure, OWNER, keys, orgs};

/// How long an invitation is good for.
const INVITATION_S: i64 = 7 * 86_400;

pub(super) async fn run(context: &mut Context<'_>, users: &Users) -> Result<(), Failure> {
    match users {
        Users::List => list(context).await,
        Users::Invite { email: address, account, role } => {
            invite(context, address, account.as_deref(), *role).await
        }
        Users::OwnerToken => owner_token(context).await,
        Users::Export { user } => export(context, user).await,
        Users::Erase { user, forfeit_balance } => erase(context, user, *forfeit_balance).await,
        Users::Disable { user } => disable(context, user, true).await,
        Users::Enable { user } => disable(context, user, false).await,
        Users::EndSecondFactor { user } => end_second_factor(context, user).await,
    }
}

/// Keeps an invitation and gives its text. Without an address whoever has it names their own.
///
/// # Errors
/// No randomness, or the store does not answer.
pub(crate) async fn invitation(
    store: &Store,
    address: &str,
    invitation: &Invitation,
    now: Timestamp,
) -> anyhow::Result<String> {
    let body = serde_json::to_string(invitation)?;
    let made = mailed(INVITATION, address, body, now, INVITATION_S);
    let (text, token) = made.ok_or_else(|| anyhow::anyhow!("the system has no randomness to give"))?;
    store.insert_token(&token).await?;
    Ok(text)
}

/// What runs this server, as an invitation.
pub(crate) fn ownership() -> Invitation {
    Invitation { account: Some(OWNER.to_owned()), is_operator: true, role: None }
}

async fn list(context: &mut Context<'_>) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let users = store.users(None).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let head = ["id", "email", "name", "account", "operator", "since", "disabled"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(users.iter().map(|user| {
        vec![
            user.id.clone(),
            user.email.clone(),
            user.name.clone(),
            user.account.to_string(),
            if user.is_operator { "yes" } else { "no" }.to_owned(),
            keys::instant(user.created),
            user.disabled.map_or_else(|| "-".to_owned(), keys::instant),
        ]
    }));
    let human = match users.is_empty() {
        true => "nobody yet; invite with `tollway users invite ada@example.com`".to_owned(),
        false => columns(&rows),
    };
    let all: Vec<Value> = users.iter().map(user_object).collect();
    context.out.answer(&human, &json!({ "users": all }))
}

async fn invite(
    context: &mut Context<'_>,
    address: &str,
    account: Option<&str>,
    role: Role,
) -> Result<(), Failure> {
    let address = email(address).map_err(|error| Failure::BadInput(error.to_string()))?;
    let (_, store) = keys::open(context).await?;
    if store.user_by_email(&address).await.map_err(|e| keys::failed(&e))?.is_some() {
        return Err(Failure::BadInput(format!("{address} is there already; see `tollway users list`")));
    }
    if let Some(account) = account
        && !store.is_organization(&AccountId::new(account)).await.map_err(|e| keys::failed(&e))?
    {
        return Err(Failure::BadInput(format!(
            "no organization has the id `{account}`; see `tollway orgs list`"
        )));
    }
    let role = account.map(|_| role.name().to_owned());
    let into = Invitation { account: account.map(str::to_owned), is_operator: false, role };
    let text = invitation(&store, &address, &into, context.clock.now()).await?;
    store.close().await;
    let human = format!(
        "{address} comes in within 7 days with this token, shown only this once:\n\n  {text}\n\n  \
         YOUR_SERVER/accept?token={text}\n\nor\n\n  curl YOUR_SERVER/v1/auth/accept -d '{{\"token\": \"{text}\", \"password\": \"...\"}}'"
    );
    context.out.answer(&human, &json!({ "email": address, "token": text }))
}

async fn owner_token(context: &mut Context<'_>) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let text = invitation(&store, "", &ownership(), context.clock.now()).await?;
    store.close().await;
    let human = format!(
        "Whoever sends this token within 7 days owns the server; earlier ones are no good any more:\n\n  {text}\n\n  \
         YOUR_SERVER/accept?token={text}\n\nor\n\n  curl YOUR_SERVER/v1/auth/accept -d '{{\"token\": \"{text}\", \"email\": \"you@example.com\", \"password\": \"...\"}}'"
    );
    context.out.answer(&human, &json!({ "token": text }))
}

async fn disable(context: &mut Context<'_>, user: &str, disabled: bool) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let by_address = store.user_by_email(&user.trim().to_lowercase()).await.map_err(|e| keys::failed(&e))?;
    let id = by_address.map_or_else(|| user.to_owned(), |user| user.id);
    let since = disabled.then(|| context.clock.now());
    let found = store.disable_user(&id, since).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    if !found {
        return Err(Failure::BadInput(format!("nobody is `{user}`; see `tollway users list`")));
    }
    let human = match disabled {
        true => format!(
            "{user} may not come in any more: signed out everywhere, and keys that they hold are refused"
        ),
        false => format!("{user} may come in again, with the keys that they hold"),
    };
    context.out.answer(&human, &json!({ "user": id, "disabled": disabled }))
}

async fn end_second_factor(context: &mut Context<'_>, user: &str) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let id = orgs::person(&store, user).await?;
    let ended = store.end_second_factor(&id).await.map_err(|e| keys::failed(&e))?;
    if ended {
        store.end_sessions(&id, None).await.map_err(|e| keys::failed(&e))?;
    }
    store.close().await;
    if !ended {
        return Err(Failure::BadInput(format!("{user} has no second factor")));
    }
    let human = format!(
        "{user} signs in with the password alone now, and is signed out everywhere; be sure that it was them who asked"
    );
    context.out.answer(&human, &json!({ "user": id, "second_factor": false }))
}

async fn export(context: &mut Context<'_>, user: &str) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let id = orgs::person(&store, user).await?;
    let found = store.user(&id).await.map_err(|e| keys::failed(&e))?;
    let own =
        found.map(|user| user.account).ok_or_else(|| Failure::BadInput(format!("nobody is `{user}`")))?;
    let all = store.export_person(&id, &own).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    context.out.raw(&gateway::organization::parts(&all).to_string())
}

async fn erase(context: &mut Context<'_>, user: &str, forfeit: bool) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let id = orgs::person(&store, user).await?;
    let found = store.user(&id).await.map_err(|e| keys::failed(&e))?;
    if let Some(user) = found {
        orgs::nothing_left(&store, &user.account, forfeit).await?;
    }
    let now = context.clock.now();
    store.erase_person(&id, now).await.map_err(|e| keys::failed(&e))?;
    orgs::empty(&store, now).await?;
    store.close().await;
    context.out.answer(&format!("{id} is erased"), &json!({ "user": id, "erased": true }))
}
