//! What a receipt says: the bill of one generation as canonical JSON, without a word of the prompt or the answer.
//!
//! Keys are in alphabetical order and nothing is put between them, so the same bill is always the same bytes. Amounts are
//! decimal text. The account is named by a digest: who holds the receipt can show whose it is, and nobody can read it off.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use types::{CostLine, Money, PriceKind, Rate};

use crate::{Correction, GenerationRecord, Standing, chain};

/// The version of this form.
pub const RECEIPT_VERSION: u64 = 1;

/// The bill of a generation with its corrections, oldest first: price version and differences. `created` is the record's
/// instant for people; `issuer` says whose bill it is.
pub fn receipt(
    record: &GenerationRecord,
    corrections: &[(String, Correction)],
    created: &str,
    issuer: &str,
) -> String {
    let usage: BTreeMap<&str, u64> = PriceKind::ALL
        .into_iter()
        .map(|kind| (kind.name(), kind.units(&record.usage)))
        .filter(|(_, units)| *units > 0)
        .collect();
    let standing = corrections.iter().try_fold(Standing::of(record), |standing, (_, c)| standing.after(c));
    let standing = standing.unwrap_or_else(|_| Standing::of(record));
    let mut fields: BTreeMap<&str, Value> = BTreeMap::from([
        ("account_sha256", json!(account_digest(record.account.as_str()))),
        ("charged_usd", json!(standing.charged.to_string())),
        ("cost_usd", json!(standing.cost.to_string())),
        ("created", json!(created)),
        ("endpoint", json!(record.endpoint)),
        ("generation", json!(record.id)),
        ("issuer", json!(issuer)),
        ("lines", record.cost.lines.iter().map(line).collect()),
        ("model", json!(record.model)),
        ("price_version", json!(record.price_version)),
        ("status", json!(record.status.name())),
        ("usage", json!(usage)),
        ("v", json!(RECEIPT_VERSION)),
    ]);
    if !corrections.is_empty() {
        fields.insert("corrections", corrections.iter().map(corrected).collect());
    }
    json!(fields).to_string()
}

/// SHA-256 of an account's id, hexadecimal.
pub fn account_digest(account: &str) -> String {
    chain::hex(&Sha256::digest(account.as_bytes()).into())
}

fn line(line: &CostLine) -> Value {
    json!(BTreeMap::from([
        ("amount_usd", json!(line.amount.to_string())),
        ("bucket", json!(line.kind.name())),
        ("price_usd_per_million", json!(line.rate.per_million())),
        ("units", json!(line.units)),
    ]))
}

fn corrected((version, correction): &(String, Correction)) -> Value {
    json!(BTreeMap::from([
        ("charged_usd", json!(correction.charged.to_string())),
        ("cost_usd", json!(correction.cost.to_string())),
        ("price_version", json!(version)),
    ]))
}

/// Whether a receipt's numbers fit together: each line is its units at its price, and the cost is their sum and that of the
/// corrections. The error says what doesn't.
pub fn check_sums(receipt: &Value) -> Result<(), String> {
    let mut sum = Money::ZERO;
    for line in receipt.get("lines").and_then(Value::as_array).into_iter().flatten() {
        let units = line.get("units").and_then(Value::as_u64).ok_or("a line has no units")?;
        let rate =
            Rate::parse_per_million(text(line, "price_usd_per_million")?).map_err(|e| e.to_string())?;
        let amount = money(line, "amount_usd")?;
        if rate.times(units) != amount {
            let bucket = text(line, "bucket")?;
            return Err(format!("{units} {bucket} at its price are {}, not {amount}", rate.times(units)));
        }
        sum = sum.checked_add(amount).ok_or("the lines are too large to add up")?;
    }
    for correction in receipt.get("corrections").and_then(Value::as_array).into_iter().flatten() {
        sum = sum.checked_add(money(correction, "cost_usd")?).ok_or("the lines are too large to add up")?;
    }
    let (cost, charged) = (money(receipt, "cost_usd")?, money(receipt, "charged_usd")?);
    if sum != cost {
        return Err(format!("the lines and corrections sum to {sum}, not to {cost}"));
    }
    if charged > cost || charged.is_negative() {
        return Err(format!("{charged} was charged for what cost {cost}"));
    }
    Ok(())
}

fn text<'v>(value: &'v Value, key: &str) -> Result<&'v str, String> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("it has no `{key}`"))
}

fn money(value: &Value, key: &str) -> Result<Money, String> {
    text(value, key)?.parse().map_err(|error: types::MoneyError| error.to_string())
}
