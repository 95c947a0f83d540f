//! `tollway credits`

use gateway::payments::refund::{self, RefundError};
use ledger::EntryError;
use serde_json::{Value, json};
use store::StoreError;
use types::{AccountId, EntryId, Money};

use super::args::Grant;
use super::output::columns;
use super::{Context, Failure, keys};

pub(super) async fn grant(context: &mut Context<'_>, args: &Grant) -> Result<(), Failure> {
    let id = grant_id(args)?;
    let account = AccountId::new(args.account.as_str());
    // A namespace of its own: nobody can take the id of a generation's entry.
    let entry_id = EntryId::new(format!("grant:{id}"));
    let entry = ledger::grant(account, args.amount, entry_id, context.clock.now())
        .map_err(|error| not_granted(args, error))?;
    let (_, store) = keys::open(context).await?;
    let account = keys::account(context, &store, &args.account).await?;
    let balance = store.grant(&entry, args.reason.as_deref()).await.map_err(|error| match error {
        StoreError::NotFound(_) => keys::no_account(&account),
        other => keys::failed(&other),
    })?;
    store.close().await;
    let done = if balance.applied { "granted" } else { "was already granted, nothing changed:" };
    let human = format!("{done} {} USD to {account}; the balance is {} USD", args.amount, balance.balance);
    let json = json!({
        "id": id,
        "account": account,
        "amount_usd": args.amount.to_string(),
        "applied": balance.applied,
        "balance_usd": balance.balance.to_string(),
    });
    context.out.answer(&human, &json)
}

/// The grant's id: the caller's, or one that nobody else has.
pub(super) fn grant_id(args: &Grant) -> Result<String, Failure> {
    match args.id.as_deref() {
        Some(id) if plain(id) => Ok(id.to_owned()),
        Some(_) => {
            let why = "--id takes 1 to 100 letters, digits, `-`, `_`, `.` and `:`";
            Err(Failure::BadInput(why.to_owned()))
        }
        None => Ok(keys::random_name()?),
    }
}

/// Why an amount can't be granted.
pub(super) fn not_granted(args: &Grant, error: EntryError) -> Failure {
    match error {
        EntryError::TooFew => {
            Failure::BadInput("an amount of 0 grants nothing; write one such as 25 or -2.50".to_owned())
        }
        other => Failure::BadInput(format!("{} can't be granted: {other}", args.amount)),
    }
}

fn plain(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// An account on which nothing moved has zeros; the store does not tell it from one that does not exist.
pub(super) async fn show(context: &mut Context<'_>, account: &str) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let account = keys::account(context, &store, account).await?;
    let credits = store.credits(&account).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let human = format!(
        "{account}: granted {} USD, used {} USD, balance {} USD; metered use {} USD",
        credits.granted, credits.used, credits.balance, credits.metered
    );
    let json = json!({
        "account": account,
        "granted_usd": credits.granted.to_string(),
        "used_usd": credits.used.to_string(),
        "balance_usd": credits.balance.to_string(),
        "metered_usd": credits.metered.to_string(),
    });
    context.out.answer(&human, &json)
}

pub(super) async fn orders(context: &mut Context<'_>, account: Option<&str>) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let account = account.map(AccountId::new);
    let orders = store.orders(account.as_ref()).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let head = ["order", "account", "kind", "status", "paid", "fee", "credited", "returned", "created"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for order in &orders {
        let back = order.refunded.saturating_add(order.disputed);
        rows.push(vec![
            order.id.clone(),
            order.account.to_string(),
            order.kind.name().to_owned(),
            order.status.name().to_owned(),
            order.top_up.total.to_string(),
            order.top_up.fee.to_string(),
            order.top_up.credited.to_string(),
            back.to_string(),
            keys::instant(order.created),
        ]);
    }
    let human = if orders.is_empty() { "no orders yet".to_owned() } else { columns(&rows) };
    let all: Vec<Value> = orders
        .iter()
        .map(|order| {
            json!({
                "id": order.id, "account": order.account, "processor": order.processor,
                "kind": order.kind.name(), "status": order.status.name(), "balance": order.balance.name(),
                "total_usd": order.top_up.total.to_string(), "fee_usd": order.top_up.fee.to_string(),
                "credited_usd": order.top_up.credited.to_string(), "refunded_usd": order.refunded.to_string(),
                "disputed_usd": order.disputed.to_string(), "created_at": keys::instant(order.created),
            })
        })
        .collect();
    context.out.answer(&human, &json!({ "orders": all }))
}

pub(super) async fn refund(
    context: &mut Context<'_>,
    order: &str,
    amount: Option<Money>,
) -> Result<(), Failure> {
    let (config, store) = keys::open(context).await?;
    let payments = crate::wire_up::payments(&config, Default::default())?;
    let now = context.clock.now();
    let refunded = refund::refund(&store, &payments, order, amount, now).await;
    store.close().await;
    let refunded = refunded.map_err(|error| match &error {
        RefundError::Store(inner) => keys::failed(inner),
        RefundError::Off(_) => Failure::BadInput(error.to_string()),
        RefundError::Refused(_) | RefundError::Unknown(_) => Failure::Failed(error.to_string()),
    })?;
    let (plan, taken) = (refunded.plan, refunded.taken);
    let human = format!(
        "{} USD of credit of {order} are refunded: {} USD go back to the customer",
        plan.credit, plan.payment
    );
    let json = json!({
        "order": order,
        "account": plan.order.account,
        "credit_usd": plan.credit.to_string(),
        "payment_usd": plan.payment.to_string(),
        "outcome": taken.outcome,
    });
    context.out.answer(&human, &json)
}
