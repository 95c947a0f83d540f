//! `tollway policies` and `tollway presets`: written and read beside a running server, which sees them within a second.

use std::io::Read;
use std::path::Path;

use gateway::rules::check;
use serde_json::{Value, json};
use store::{RULE_BYTES_MAX, RuleKind, RuleName, RuleRow, Store, StoreError, Written};
use types::AccountId;

use super::args::Rules;
use super::output::columns;
use super::{Context, Failure, keys};
use crate::wire_up;

/// Who wrote it, where no key did.
const CLI: &str = "cli";

pub(super) async fn run(context: &mut Context<'_>, kind: RuleKind, rules: &Rules) -> Result<(), Failure> {
    match rules {
        Rules::List { account } => list(context, kind, account).await,
        Rules::Show { name, account } => show(context, kind, name, account).await,
        Rules::Set { name, file, account } => set(context, kind, name, file, account).await,
        Rules::Delete { name, account } => delete(context, kind, name, account).await,
        Rules::Versions { name, account } => versions(context, kind, name, account).await,
    }
}

/// The store and the account, with what names a rule of it.
async fn open(context: &Context<'_>, account: &str) -> Result<(Store, AccountId), Failure> {
    let (_, store) = keys::open(context).await?;
    let account = keys::account(context, &store, account).await?;
    Ok((store, account))
}

fn failed(name: RuleName<'_>, error: &StoreError) -> Failure {
    let (one, many) = (name.kind.noun(), name.kind.plural());
    match error {
        StoreError::NotFound(_) => Failure::BadInput(format!(
            "account {} has no {one} called `{}`; see `tollway {many} list`",
            name.account, name.slug
        )),
        other => keys::failed(other),
    }
}

async fn list(context: &mut Context<'_>, kind: RuleKind, account: &str) -> Result<(), Failure> {
    let (store, account) = open(context, account).await?;
    let rows = store.list_rules(&account, kind).await.map_err(|error| keys::failed(&error))?;
    store.close().await;
    let mut table = vec![["name", "version", "written", "by"].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        vec![row.slug.clone(), row.version.to_string(), keys::instant(row.created), row.created_by.clone()]
    }));
    let (one, many) = (kind.noun(), kind.plural());
    let human = match rows.is_empty() {
        true => format!("no {many} yet; write a {one} with `tollway {many} set NAME FILE`"),
        false => columns(&table),
    };
    let listed: Vec<Value> = rows.iter().map(fields).collect();
    let mut json = serde_json::Map::new();
    json.insert(many.to_owned(), listed.into());
    context.out.answer(&human, &json.into())
}

async fn show(context: &mut Context<'_>, kind: RuleKind, slug: &str, account: &str) -> Result<(), Failure> {
    let (store, account) = open(context, account).await?;
    let name = RuleName { account: &account, kind, slug };
    let row = store.rule(name).await.map_err(|error| failed(name, &error))?;
    store.close().await;
    let mut json = fields(&row);
    put_body(&mut json, &row);
    context.out.answer(&row.body, &json)
}

async fn set(
    context: &mut Context<'_>,
    kind: RuleKind,
    slug: &str,
    file: &Path,
    account: &str,
) -> Result<(), Failure> {
    store::check_slug(slug).map_err(|error| keys::failed(&error))?;
    let text = read(file)?;
    let (loaded, store) = keys::open_with_catalog(context).await?;
    let one = kind.noun();
    let checked = check(kind, &text, &wire_up::names(&loaded.config), &loaded.catalog)
        .map_err(|error| Failure::BadInput(format!("{}: {error}; the {one} was not written", shown(file))))?;
    let account = keys::account(context, &store, account).await?;
    let (name, by) =
        (RuleName { account: &account, kind, slug }, Written { by: CLI, at: context.clock.now() });
    let kept = checked.text.as_deref().unwrap_or(&text);
    let row = store.put_rule(name, kept, by, None).await.map_err(|error| match error {
        StoreError::NotFound(_) => keys::no_account(&account),
        other => failed(name, &other),
    })?;
    store.close().await;
    let mut human = format!("{one} `{slug}` is written, version {}", row.version);
    for warning in &checked.warnings {
        human.push_str(&format!("\nwarning: {warning}"));
    }
    let mut json = fields(&row);
    put(&mut json, "warnings", json!(checked.warnings));
    context.out.answer(&human, &json)
}

async fn delete(context: &mut Context<'_>, kind: RuleKind, slug: &str, account: &str) -> Result<(), Failure> {
    let (store, account) = open(context, account).await?;
    let (name, by) =
        (RuleName { account: &account, kind, slug }, Written { by: CLI, at: context.clock.now() });
    let row = store.delete_rule(name, by, None).await.map_err(|error| failed(name, &error))?;
    store.close().await;
    let human = format!("{} `{slug}` is deleted; its versions stay readable", kind.noun());
    context.out.answer(&human, &fields(&row))
}

async fn versions(
    context: &mut Context<'_>,
    kind: RuleKind,
    slug: &str,
    account: &str,
) -> Result<(), Failure> {
    let (store, account) = open(context, account).await?;
    let name = RuleName { account: &account, kind, slug };
    let rows = store.rule_versions(name).await.map_err(|error| failed(name, &error))?;
    store.close().await;
    let mut table = vec![["version", "written", "by", "bytes"].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        let bytes = if row.deleted { String::from("deleted") } else { row.body.len().to_string() };
        vec![row.version.to_string(), keys::instant(row.created), row.created_by.clone(), bytes]
    }));
    let listed = rows.iter().map(|row| {
        let mut json = fields(row);
        put_body(&mut json, row);
        json
    });
    let json = json!({ "versions": listed.collect::<Vec<_>>() });
    context.out.answer(&columns(&table), &json)
}

fn fields(row: &RuleRow) -> Value {
    json!({
        "name": row.slug,
        "account": row.account,
        "version": row.version,
        "created_at": keys::instant(row.first_created),
        "updated_at": keys::instant(row.created),
        "updated_by": row.created_by,
        "deleted": row.deleted,
    })
}

/// Adds what it says: as it was written in `text`, and as a tree.
fn put_body(json: &mut Value, row: &RuleRow) {
    put(json, "text", json!(row.body));
    put(json, row.kind.noun(), serde_json::from_str(&row.body).unwrap_or(Value::Null));
}

fn put(json: &mut Value, key: &str, value: Value) {
    if let Some(map) = json.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let most = RULE_BYTES_MAX as u64 + 1;
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::BadInput(format!("can't read {}: {error}", shown(file))))?;
    if bytes.len() > RULE_BYTES_MAX {
        return Err(Failure::BadInput(format!("{} has more than {RULE_BYTES_MAX} bytes", shown(file))));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::BadInput(format!("{} is not UTF-8; write it as JSON", shown(file))))?;
    Ok(text.trim().to_owned())
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { String::from("standard input") } else { file.display().to_string() }
}
