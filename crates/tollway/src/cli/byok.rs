//! `tollway byok`: provider keys that accounts bring along, written and read beside a running server, which sees them within a
//! second.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use gateway::byok::edit::{new_id, object};
use gateway::byok::material::KEY_BYTES_MAX;
use gateway::byok::seal::Masters;
use gateway::byok::settings::{KeySettings, Tested};
use gateway::byok::{Keeper, bound, open, sealed};
use gateway::provider_keys;
use serde_json::json;
use store::{ByokRow, Store, StoreError};
use types::{AccountId, Clock, EntryId, SecretString, SystemClock};
use zeroize::Zeroizing;

use super::args::{AddByok, Byok, Grant};
use super::output::columns;
use super::{Context, Failure, credits, keys};
use crate::wire_up;

/// Who wrote it, where no key did.
const CLI: &str = "cli";

pub(super) async fn run(context: &mut Context<'_>, byok: &Byok) -> Result<(), Failure> {
    match byok {
        Byok::List { account } => list(context, account).await,
        Byok::Add(args) => add(context, args).await,
        Byok::Remove { id, account } => remove(context, id, account).await,
        Byok::Rotate { new_key } => rotate(context, *new_key).await,
        Byok::Grant(args) => grant(context, args).await,
    }
}

fn settings(row: &ByokRow) -> Result<KeySettings, Failure> {
    KeySettings::read(&row.settings).ok_or_else(|| {
        Failure::Failed(format!("the settings of {} can't be read; remove it and add it again", row.id))
    })
}

async fn list(context: &mut Context<'_>, account: &str) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let account = keys::account(context, &store, account).await?;
    let rows = store.byok_keys(Some(&account)).await.map_err(|error| keys::failed(&error))?;
    let balance = store.byok_balance(&account).await.map_err(|error| keys::failed(&error))?;
    store.close().await;
    let mut table =
        vec![["id", "provider", "name", "key", "place", "tested", "state"].map(str::to_owned).to_vec()];
    let mut listed = Vec::with_capacity(rows.len());
    for row in &rows {
        let settings = settings(row)?;
        table.push(vec![
            row.id.clone(),
            row.provider.clone(),
            settings.name.clone().unwrap_or_else(|| String::from("-")),
            settings.label.clone(),
            String::from(if settings.is_fallback { "behind ours" } else { "before ours" }),
            String::from(match settings.tested {
                Tested::Ok => "ok",
                Tested::Refused => "refused",
                Tested::NotTested => "not tested",
            }),
            String::from(if settings.disabled { "disabled" } else { "active" }),
        ]);
        listed.push(object(row, &settings));
    }
    let left = balance.left();
    let mut human = match rows.is_empty() {
        true => String::from("no provider keys yet; add one with `tollway byok add PROVIDER --file FILE`\n"),
        false => columns(&table),
    };
    human.push_str(&format!("the balance for fees is {left} USD"));
    context.out.answer(&human, &json!({ "keys": listed, "balance_usd": left.to_string() }))
}

async fn add(context: &mut Context<'_>, args: &AddByok) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let (loaded, store) = keys::open_with_catalog(context).await?;
    let account = keys::account(context, &store, &args.account).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let gateway_settings = wire_up::settings(&loaded.config)?;
    let world = wire_up::world(
        &loaded.config,
        loaded.catalog,
        context.env,
        None,
        &gateway_settings,
        Arc::clone(&clock),
    )?;
    let masters = wire_up::masters(&loaded.config)?;
    let mut settings = KeySettings {
        name: args.name.clone(),
        base_url: args.base_url.clone(),
        is_fallback: args.fallback,
        sort_order: args.sort_order,
        ..KeySettings::default()
    };
    let keeper = Keeper::new(loaded.config.byok.private_base_urls, clock);
    let note = keeper
        .test(&world, &args.provider, &text, &mut settings, args.force)
        .await
        .map_err(|error| Failure::BadInput(error.to_string().replace("?force=true", "--force")))?;
    let id = new_id().map_err(|error| Failure::Failed(error.to_string()))?;
    let names = (id, account.clone(), args.provider.clone());
    let row = sealed(&masters, names, &settings, &text, (context.clock, CLI)).map_err(Failure::Failed)?;
    let row = store.insert_byok(&row).await.map_err(|error| match error {
        StoreError::NotFound(_) => keys::no_account(&account),
        other => keys::failed(&other),
    })?;
    store.close().await;
    let tested = match settings.tested {
        Tested::Ok => String::from("the provider took it"),
        Tested::Refused => format!("the provider refused it ({note}), and it was kept all the same"),
        Tested::NotTested => format!("it is not tested: {note}"),
    };
    let human = format!("{} of {} is kept as {}; {tested}", settings.label, row.provider, row.id);
    context.out.answer(&human, &object(&row, &settings))
}

async fn remove(context: &mut Context<'_>, id: &str, account: &str) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let account = keys::account(context, &store, account).await?;
    let row = store.byok_key(id, &account).await.map_err(|error| match error {
        StoreError::NotFound(_) => Failure::BadInput(format!(
            "account {account} has no provider key of that id; see `tollway byok list`"
        )),
        other => keys::failed(&other),
    })?;
    let gone = ByokRow { deleted: true, ..row };
    let row = store.put_byok(&gone).await.map_err(|error| keys::failed(&error))?;
    store.close().await;
    context.out.answer(&format!("{} is removed", row.id), &json!({ "id": row.id, "deleted": true }))
}

async fn rotate(context: &mut Context<'_>, new_key: bool) -> Result<(), Failure> {
    let (config, store) = keys::open(context).await?;
    let mut masters = wire_up::masters(&config)?;
    if new_key {
        masters = masters.add_new().map_err(Failure::BadInput)?;
    }
    let (mut done, mut failed) = (0u64, Vec::new());
    let rows = store.byok_keys(None).await.map_err(|error| keys::failed(&error))?;
    for row in rows.iter().filter(|row| !masters.is_newest(&row.master)) {
        match anew(&store, &masters, row).await {
            Ok(()) => done += 1,
            Err(problem) => failed.push((row.id.clone(), problem)),
        }
    }
    for row in store.provider_keys().await.map_err(|error| keys::failed(&error))? {
        if masters.is_newest(&row.master) {
            continue;
        }
        let fresh = provider_keys::anew(&masters, &row);
        let kept = match fresh {
            Ok(fresh) => store.put_provider_key(&fresh).await.map_err(|error| error.to_string()),
            Err(problem) => Err(problem),
        };
        match kept {
            Ok(()) => done += 1,
            Err(problem) => failed.push((row.provider.clone(), problem)),
        }
    }
    store.close().await;
    let newest = masters.ids().last().copied().unwrap_or_default().to_owned();
    let mut human = format!("{done} provider keys are sealed anew; master key {newest} seals all of them");
    if !failed.is_empty() {
        let lines: Vec<String> = failed.iter().map(|(id, problem)| format!("{id}: {problem}")).collect();
        return Err(Failure::Failed(format!(
            "{done} provider keys are sealed anew, {} could not be:\n{}",
            failed.len(),
            lines.join("\n")
        )));
    }
    human.push_str("; older master keys can be taken out of the configuration once no backup needs them");
    context.out.answer(&human, &json!({ "sealed": done, "master": newest }))
}

/// Seals one row with the newest master key, over what it was.
async fn anew(store: &Store, masters: &Masters, row: &ByokRow) -> Result<(), String> {
    let settings = KeySettings::read(&row.settings).ok_or("its settings can't be read")?;
    let text = open(masters, row, &settings)?;
    let (sealed, master) = masters.seal(&bound(row, &settings), &text).map_err(|error| error.to_string())?;
    let fresh = ByokRow { sealed, master, ..row.clone() };
    store.put_byok(&fresh).await.map(drop).map_err(|error| error.to_string())
}

async fn grant(context: &mut Context<'_>, args: &Grant) -> Result<(), Failure> {
    let id = credits::grant_id(args)?;
    let account = AccountId::new(args.account.as_str());
    let entry_id = EntryId::new(format!("grant-byok:{id}"));
    let entry = ledger::grant_byok(account, args.amount, entry_id, context.clock.now())
        .map_err(|error| credits::not_granted(args, error))?;
    let (_, store) = keys::open(context).await?;
    let account = keys::account(context, &store, &args.account).await?;
    let credited = store.credit_byok(&entry, args.reason.as_deref()).await.map_err(|error| match error {
        StoreError::NotFound(_) => keys::no_account(&account),
        other => keys::failed(&other),
    })?;
    store.close().await;
    let done = if credited.applied { "granted" } else { "was already granted, nothing changed:" };
    let left = credited.balance.left();
    let human = format!("{done} {} USD to {account}; the balance for fees is {left} USD", args.amount);
    let json = json!({
        "id": id,
        "account": account,
        "amount_usd": args.amount.to_string(),
        "applied": credited.applied,
        "balance_usd": left.to_string(),
    });
    context.out.answer(&human, &json)
}

/// The key, without the line end that files have.
fn read(file: &Path) -> Result<SecretString, Failure> {
    let mut text = Zeroizing::new(String::new());
    let most = KEY_BYTES_MAX as u64 + 2;
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().take(most).read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|open| open.take(most).read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::BadInput(format!("can't read the key from {}: {error}", file.display())))?;
    Ok(SecretString::from(text.trim()))
}
