//! `tollway vouchers`

use gateway::payments::code::VoucherCode;
use serde_json::{Value, json};
use store::{NewVoucher, Voucher};
use types::{Money, Timestamp};

use super::args::{CreateVouchers, Vouchers};
use super::output::columns;
use super::{Context, Failure, keys};

/// The most that one voucher is worth.
const AMOUNT_MAX: Money = Money::from_usd(10_000);

pub(super) async fn run(context: &mut Context<'_>, vouchers: &Vouchers) -> Result<(), Failure> {
    match vouchers {
        Vouchers::Create(args) => create(context, args).await,
        Vouchers::List { batch } => list(context, batch.as_deref()).await,
        Vouchers::Revoke { selector } => revoke(context, selector).await,
    }
}

async fn create(context: &mut Context<'_>, args: &CreateVouchers) -> Result<(), Failure> {
    let now = context.clock.now();
    if args.amount <= Money::ZERO || args.amount > AMOUNT_MAX {
        let why = format!("--amount must be above 0 and at most {AMOUNT_MAX}; write one such as 5 or 2.50");
        return Err(Failure::BadInput(why));
    }
    let expires = args.expires.map(|expiry| expiry.instant(now));
    if expires.is_some_and(|at| at <= now) {
        let why = "--expires is in the past; write a later instant, or a span such as 30d";
        return Err(Failure::BadInput(why.to_owned()));
    }
    let batch = match &args.batch {
        Some(name) if plain(name) => name.clone(),
        Some(_) => {
            let why = "--batch takes 1 to 60 letters, digits, `-`, `_` and `.`";
            return Err(Failure::BadInput(why.to_owned()));
        }
        None => format!("batch_{}", keys::random_name()?),
    };
    let mut codes = Vec::new();
    let mut made = Vec::new();
    for _ in 0..args.count {
        let mut random = [0u8; 18];
        getrandom::fill(&mut random)
            .map_err(|error| Failure::Failed(format!("no randomness for a code: {error}")))?;
        let code = VoucherCode::generate(random);
        made.push(NewVoucher {
            id: format!("vch_{}", keys::random_name()?),
            hash: code.hash(),
            label: code.label(),
            batch: batch.clone(),
            amount: args.amount,
            per_account: args.per_account,
            created: now,
            expires,
        });
        codes.push(code.expose());
    }
    let (_, store) = keys::open(context).await?;
    store.insert_vouchers(&made).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let remark = format!(
        "batch {batch}: {} of {} USD each. This is the only time that the codes are shown; keep them now.",
        codes.len(),
        args.amount
    );
    let json = json!({
        "batch": batch,
        "amount_usd": args.amount.to_string(),
        "per_account": args.per_account,
        "expires_at": expires.map(keys::instant),
        "codes": codes,
    });
    context.out.made(&codes.join("\n"), &remark, &json)
}

fn plain(name: &str) -> bool {
    (1..=60).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

async fn list(context: &mut Context<'_>, batch: Option<&str>) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let vouchers = store.vouchers(batch).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let now = context.clock.now();
    let head = ["id", "code", "batch", "worth", "state", "redeemed by", "expires"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let dash = || "-".to_owned();
    rows.extend(vouchers.iter().map(|voucher| {
        vec![
            voucher.id.clone(),
            voucher.label.clone(),
            voucher.batch.clone(),
            voucher.amount.to_string(),
            state(voucher, now).to_owned(),
            voucher.redeemed_by.as_ref().map_or_else(dash, ToString::to_string),
            voucher.expires.map_or_else(dash, keys::instant),
        ]
    }));
    let human = if vouchers.is_empty() {
        "no vouchers yet; make one with `tollway vouchers create --amount 5`".to_owned()
    } else {
        columns(&rows)
    };
    let all: Vec<Value> = vouchers
        .iter()
        .map(|voucher| {
            json!({
                "id": voucher.id, "label": voucher.label, "batch": voucher.batch,
                "amount_usd": voucher.amount.to_string(), "state": state(voucher, now),
                "redeemed_by": voucher.redeemed_by, "redeemed_at": voucher.redeemed.map(keys::instant),
                "expires_at": voucher.expires.map(keys::instant),
            })
        })
        .collect();
    context.out.answer(&human, &json!({ "vouchers": all }))
}

fn state(voucher: &Voucher, now: Timestamp) -> &'static str {
    if voucher.redeemed.is_some() {
        "redeemed"
    } else if voucher.revoked.is_some() {
        "revoked"
    } else if voucher.expires.is_some_and(|at| at <= now) {
        "expired"
    } else {
        "good"
    }
}

async fn revoke(context: &mut Context<'_>, selector: &str) -> Result<(), Failure> {
    let (_, store) = keys::open(context).await?;
    let revoked = store.revoke_vouchers(selector, context.clock.now()).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    if revoked == 0 {
        let why = format!("no voucher or batch `{selector}` is left to revoke; see `tollway vouchers list`");
        return Err(Failure::BadInput(why));
    }
    let human = format!("{revoked} revoked");
    context.out.answer(&human, &json!({ "revoked": revoked }))
}
