//! `tollway keys`

use gateway::keys::limits::Limits;
use serde_json::{Value, json};
use store::{KeyRow, NewKey, Store, StoreError};
use types::{AccountId, ApiKeyText, KeyId, Money, Timestamp};

use super::args::CreateKey;
use super::output::columns;
use super::{Context, Failure};

/// The account that the first start makes.
pub const OWNER: &str = types::OWNER_ACCOUNT;

/// Makes a key's id and text from the system's randomness.
///
/// # Errors
/// The system has no randomness to give.
pub fn generate(prefix: &str) -> anyhow::Result<(KeyId, ApiKeyText)> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness for a key: {error}"))?;
    Ok((KeyId::new(format!("key_{}", random_name()?)), ApiKeyText::generate(prefix, random)))
}

/// 16 characters that nobody else has.
pub(super) fn random_name() -> anyhow::Result<String> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness for an id: {error}"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Opens the store that the configuration names.
pub(super) async fn open(context: &Context<'_>) -> Result<(crate::config::Config, Store), Failure> {
    let (loaded, store) = open_with_catalog(context).await?;
    Ok((loaded.config, store))
}

/// The same, with the catalog that the configuration makes.
pub(super) async fn open_with_catalog(context: &Context<'_>) -> Result<(super::Loaded, Store), Failure> {
    let loaded = super::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
    let url = loaded.config.store_url();
    let store = Store::open(url.expose()).await.map_err(|error| {
        Failure::Failed(format!("can't open {url}: {error}; check `store.url` and `server.data_dir`"))
    })?;
    Ok((loaded, store))
}

/// The account with this id. The owner's is made here when the server has not yet run; others must exist, which the
/// store checks when something is written.
pub(super) async fn account(context: &Context<'_>, store: &Store, id: &str) -> Result<AccountId, Failure> {
    let account = AccountId::new(id);
    if id == OWNER {
        store.ensure_account(&account, "Owner", context.clock.now()).await.map_err(|e| failed(&e))?;
    }
    Ok(account)
}

pub(super) fn no_account(account: &AccountId) -> Failure {
    Failure::BadInput(format!(
        "no account has the id `{account}`; leave --account out for the owner's, {OWNER}"
    ))
}

/// The store's outcome in the terms of exit codes.
pub(super) fn failed(error: &StoreError) -> Failure {
    match error {
        StoreError::NotFound(_)
        | StoreError::Ambiguous(_)
        | StoreError::Conflict(_)
        | StoreError::Invalid(_)
        | StoreError::Unsupported(_) => Failure::BadInput(error.to_string()),
        StoreError::Unavailable(_) | StoreError::Corrupt(_) | StoreError::Offset { .. } => {
            Failure::Failed(error.to_string())
        }
    }
}

pub(super) async fn create(context: &mut Context<'_>, args: &CreateKey) -> Result<(), Failure> {
    let now = context.clock.now();
    if args.name.trim().is_empty() || args.name.chars().count() > 100 || args.name.contains(char::is_control)
    {
        return Err(Failure::BadInput(
            "--name takes 1 to 100 characters without control characters".to_owned(),
        ));
    }
    if args.spend_limit.is_some_and(Money::is_negative) {
        return Err(Failure::BadInput("--spend-limit is negative; write an amount such as 2.50".to_owned()));
    }
    let expires = args.expires.map(|expiry| expiry.instant(now));
    if expires.is_some_and(|at| at <= now) {
        return Err(Failure::BadInput(
            "--expires is in the past; write a later instant, or a span such as 30d".to_owned(),
        ));
    }
    let (config, store) = open(context).await?;
    let account = account(context, &store, &args.account).await?;
    let (id, text) = generate(&config.brand.key_prefix)?;
    let mut limits = Limits::default();
    let spend_limit = match args.spend_limit {
        Some(limit) => Some(limit),
        // A key that calls nothing spends nothing.
        None if args.management => None,
        None => {
            limits.limit_reset = config.limits.new_key_limit_reset;
            config.limits.new_key_limit
        }
    };
    if let Some(reset) = args.limit_reset {
        limits.limit_reset = reset;
    }
    let new = NewKey {
        id,
        account,
        hash: text.hash(),
        label: text.label(),
        name: args.name.clone(),
        management: args.management,
        spend_limit,
        expires,
        requests_per_minute: args.requests_per_minute,
        concurrency: args.concurrency,
        created: now,
        project: None,
        rules: limits.write(),
        holder: None,
        role: args.management.then_some(args.role),
    };
    store.insert_key(&new).await.map_err(|error| match error {
        StoreError::NotFound(_) => no_account(&new.account),
        other => failed(&other),
    })?;
    store.close().await;
    let remark = format!(
        "id {}, name {}. This is the only time that the key is shown; keep it now.",
        new.id, new.name
    );
    let mut json = json!({ "key": text.expose() });
    if let (Value::Object(map), Value::Object(rest)) = (&mut json, fields(&new)) {
        map.extend(rest);
    }
    context.out.made(text.expose(), &remark, &json)
}

pub(super) async fn list(context: &mut Context<'_>) -> Result<(), Failure> {
    let (_, store) = open(context).await?;
    let keys = store.list_keys(None).await.map_err(|e| failed(&e))?;
    let now = context.clock.now();
    let mut rows = vec![
        ["id", "key", "name", "account", "state", "spent", "limit", "expires"].map(str::to_owned).to_vec(),
    ];
    rows.extend(keys.iter().map(|row| human_row(row, now)));
    let human = if keys.is_empty() {
        "no keys yet; make one with `tollway keys create --name NAME`".to_owned()
    } else {
        columns(&rows)
    };
    let json: Vec<Value> = keys.iter().map(|row| json_row(row, now)).collect();
    context.out.answer(&human, &json!({ "keys": json }))
}

pub(super) async fn revoke(context: &mut Context<'_>, selector: &str) -> Result<(), Failure> {
    let (_, store) = open(context).await?;
    let row = store.find_key(selector).await.map_err(|error| match error {
        StoreError::NotFound(_) => Failure::BadInput(format!(
            "no key has the id, label or name `{selector}`; see `tollway keys list`"
        )),
        other => failed(&other),
    })?;
    let already = row.revoked.is_some();
    let now = context.clock.now();
    store.revoke_key(&row.key.id, now).await.map_err(|e| failed(&e))?;
    let done = if already { "was already revoked" } else { "is revoked" };
    let human = format!("{} ({}) {done}", row.key.id, row.key.name);
    let revoked = row.revoked.unwrap_or(now);
    let json = json!({ "id": row.key.id, "name": row.key.name, "label": row.key.label,
        "revoked_at": instant(revoked), "already_revoked": already });
    context.out.answer(&human, &json)
}

fn state(row: &KeyRow, now: Timestamp) -> &'static str {
    if row.revoked.is_some() {
        "revoked"
    } else if row.key.expires.is_some_and(|at| at <= now) {
        "expired"
    } else if row.disabled {
        "disabled"
    } else if row.key.management {
        "management"
    } else {
        "active"
    }
}

fn human_row(row: &KeyRow, now: Timestamp) -> Vec<String> {
    let key = &row.key;
    let dash = || "-".to_owned();
    vec![
        key.id.to_string(),
        key.label.clone(),
        key.name.clone(),
        key.account.to_string(),
        state(row, now).to_owned(),
        row.spent.to_string(),
        key.spend_limit.map_or_else(dash, |limit| limit.to_string()),
        key.expires.map_or_else(dash, instant),
    ]
}

fn json_row(row: &KeyRow, now: Timestamp) -> Value {
    let mut json = fields(&row.key);
    if let Value::Object(map) = &mut json {
        map.insert("state".to_owned(), json!(state(row, now)));
        map.insert("spent_usd".to_owned(), json!(row.spent.to_string()));
        map.insert("revoked_at".to_owned(), json!(row.revoked.map(instant)));
    }
    json
}

fn fields(key: &NewKey) -> Value {
    json!({
        "id": key.id,
        "label": key.label,
        "name": key.name,
        "account": key.account,
        "management": key.management,
        "spend_limit_usd": key.spend_limit.map(|limit| limit.to_string()),
        "expires_at": key.expires.map(instant),
        "requests_per_minute": key.requests_per_minute,
        "concurrency": key.concurrency,
        "created_at": instant(key.created),
    })
}

/// `2030-01-31T12:00:00Z`
pub(super) fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .map_or_else(|_| at.micros().to_string(), |at| at.to_string())
}
