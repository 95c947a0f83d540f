//! `tollway orgs`

use gateway::organization::{object, parts};
use serde_json::{Value, json};
use store::Store;
use types::{AccountId, Money, Role, Timestamp};

use super::args::Orgs;
use super::output::columns;
use super::{Context, Failure, keys};

pub(super) async fn run(context: &mut Context<'_>, orgs: &Orgs) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let done = match orgs {
        Orgs::List { all } => list(context, &store, *all).await,
        Orgs::Create { name, owner } => create(context, &store, name, owner).await,
        Orgs::Members { organization } => members(context, &store, organization).await,
        Orgs::End { organization, forfeit_balance } => {
            end(context, &store, organization, *forfeit_balance).await
        }
        Orgs::Export { organization } => {
            let account = AccountId::new(organization.as_str());
            let all = store.export_organization(&account).await.map_err(|e| keys::failed(&e))?;
            context.out.raw(&parts(&all).to_string())
        }
        Orgs::SetRole { organization, user, role } => {
            set_role(context, &store, organization, user, *role).await
        }
    };
    store.close().await;
    done
}

async fn list(context: &mut Context<'_>, store: &Store, all: bool) -> Result<(), Failure> {
    let found = store.all_organizations(all).await.map_err(|e| keys::failed(&e))?;
    let mut rows = vec![["id", "name", "members", "since"].map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(|(organization, members)| {
        vec![
            organization.account.to_string(),
            organization.name.clone(),
            members.to_string(),
            keys::instant(organization.created),
        ]
    }));
    let shown: Vec<Value> = found
        .iter()
        .map(|(organization, members)| {
            let mut shown = object(organization);
            if let Value::Object(map) = &mut shown {
                map.remove("role");
                map.insert("members".to_owned(), json!(members));
            }
            shown
        })
        .collect();
    context.out.answer(&columns(&rows), &json!({ "organizations": shown }))
}

/// The person with this address or id.
pub(super) async fn person(store: &Store, named: &str) -> Result<String, Failure> {
    let named = named.trim();
    let by_address =
        store.user_by_email(&named.to_lowercase()).await.map_err(|e| keys::failed(&e))?.map(|user| user.id);
    let found = match by_address {
        Some(id) => Some(id),
        None => store.user(named).await.map_err(|e| keys::failed(&e))?.map(|user| user.id),
    };
    found.ok_or_else(|| Failure::BadInput(format!("nobody is `{named}`; see `tollway users list`")))
}

async fn create(context: &mut Context<'_>, store: &Store, name: &str, owner: &str) -> Result<(), Failure> {
    let owner = person(store, owner).await?;
    let account = AccountId::new(format!("acct_{}", keys::random_name()?));
    let now = context.clock.now();
    store.insert_organization(&account, name.trim(), &owner, now).await.map_err(|e| keys::failed(&e))?;
    let human = format!("{account}: {}, whose owner is {owner}", name.trim());
    context.out.answer(&human, &json!({ "id": account, "name": name.trim(), "owner": owner }))
}

async fn members(context: &mut Context<'_>, store: &Store, organization: &str) -> Result<(), Failure> {
    let account = AccountId::new(organization);
    if !store.is_organization(&account).await.map_err(|e| keys::failed(&e))? {
        return Err(Failure::BadInput(format!(
            "no organization has the id `{organization}`; see `tollway orgs list --all`"
        )));
    }
    let all = store.members(&account).await.map_err(|e| keys::failed(&e))?;
    let mut rows = vec![["id", "email", "name", "role", "since"].map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|member| {
        vec![
            member.user.clone(),
            member.email.clone(),
            member.name.clone(),
            member.role.to_string(),
            keys::instant(member.created),
        ]
    }));
    let shown: Vec<Value> = all
        .iter()
        .map(|member| {
            json!({
                "id": member.user,
                "email": member.email,
                "name": member.name,
                "role": member.role.name(),
                "since": keys::instant(member.created),
            })
        })
        .collect();
    context.out.answer(&columns(&rows), &json!({ "members": shown }))
}

async fn set_role(
    context: &mut Context<'_>,
    store: &Store,
    organization: &str,
    user: &str,
    role: Role,
) -> Result<(), Failure> {
    let id = person(store, user).await?;
    let now = context.clock.now();
    let account = AccountId::new(organization);
    store.set_role(&account, &id, role, now).await.map_err(|e| keys::failed(&e))?;
    let human = format!("{user} is {role} of {organization} now");
    context.out.answer(&human, &json!({ "user": id, "organization": organization, "role": role.name() }))
}

/// Refuses while credit is left, unless it is given up.
pub(super) async fn nothing_left(store: &Store, account: &AccountId, forfeit: bool) -> Result<(), Failure> {
    let left = store.credits(account).await.map_err(|e| keys::failed(&e))?.balance;
    if left > Money::ZERO && !forfeit {
        return Err(Failure::BadInput(format!(
            "{left} USD of credit are left on {account}: pay them back, or give them up with --forfeit-balance"
        )));
    }
    Ok(())
}

/// Empties the records of what was erased.
pub(super) async fn empty(store: &Store, now: Timestamp) -> Result<(), Failure> {
    while store.empty_records(now).await.map_err(|e| keys::failed(&e))? > 0 {}
    Ok(())
}

async fn end(
    context: &mut Context<'_>,
    store: &Store,
    organization: &str,
    forfeit: bool,
) -> Result<(), Failure> {
    let account = AccountId::new(organization);
    nothing_left(store, &account, forfeit).await?;
    let now = context.clock.now();
    store.end_organization(&account, now).await.map_err(|e| keys::failed(&e))?;
    empty(store, now).await?;
    context.out.answer(&format!("{organization} has ended"), &json!({ "id": organization, "ended": true }))
}
