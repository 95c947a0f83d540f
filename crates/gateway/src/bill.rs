//! The bill of a generation as `GET /v1/generation` shows it: lines with their formula, who paid from which balance, fees,
//! what was written off and corrected, and the signed receipt.

use ledger::{BillingMode, BookAccount, GenerationRecord, Posting, Standing, entry_of};
use serde_json::{Value, json};
use store::Corrected;
use types::{CostLine, Money};

use crate::key::rfc3339;
use crate::receipts::Signer;

/// All of it.
pub(crate) fn bill(
    record: &GenerationRecord,
    corrections: &[Corrected],
    signer: &Signer,
    issuer: &str,
) -> Value {
    let standing =
        corrections.iter().try_fold(Standing::of(record), |so_far, one| so_far.after(&one.correction));
    let standing = standing.unwrap_or_else(|_| Standing::of(record));
    let due = record.due_of(standing.cost);
    // What the entry says, and not what it should say: a balance that is new here is told without more ado.
    let entry = entry_of(record).ok().flatten();
    let postings = entry.as_ref().map_or(&[][..], |entry| entry.postings());
    json!({
        "total_cost": standing.charged.to_string(),
        "cost_usd": standing.cost.to_string(),
        "written_off": due.saturating_sub(standing.charged).to_string(),
        "provider_cost_usd": standing.provider_cost.to_string(),
        "cost_lines": record.cost.lines.iter().map(line).collect::<Vec<_>>(),
        "price_version": record.price_version,
        "formula": formula(record),
        "paid_from": postings.iter().filter_map(payer).collect::<Vec<_>>(),
        "balance": paid_with(record, postings),
        "fees": postings.iter().filter_map(fee).collect::<Vec<_>>(),
        "corrections": corrections.iter().map(corrected).collect::<Vec<_>>(),
        "receipt": receipt(record, corrections, signer, issuer),
    })
}

fn line(line: &CostLine) -> Value {
    json!({
        "bucket": line.kind.name(),
        "units": line.units,
        // Per million units, whatever the unit; and per one.
        "price_usd_per_mtok": line.rate.per_million(),
        "price_usd_per_unit": line.rate.per_unit(),
        "amount_usd": line.amount.to_string(),
        "formula": line_formula(line),
    })
}

/// `1200 x 0.15 USD / 1,000,000 = 0.00018 USD`: what a person can check with a pencil.
fn line_formula(line: &CostLine) -> String {
    let exact = i128::from(line.rate.nanos_per_million()) * i128::from(line.units);
    let rounded = if exact % 1_000_000 == 0 { "" } else { ", rounded up" };
    let price = match line.kind.is_per_unit() {
        true => format!("{} x {} USD", line.units, line.rate.per_unit()),
        false => format!("{} x {} USD / 1,000,000", line.units, line.rate.per_million()),
    };
    format!("{price} = {} USD{rounded}", line.amount)
}

/// The bill in one line.
fn formula(record: &GenerationRecord) -> String {
    if let Some(source) = &record.cache_source {
        return format!("nothing was charged: the answer of {source}, from the response cache");
    }
    if record.waived.is_some() {
        return format!(
            "nothing was charged: the answer said nothing; the operator bears {} USD",
            record.cost.total
        );
    }
    if record.cost.lines.is_empty() {
        return String::from("nothing was charged");
    }
    let lines: Vec<String> = record
        .cost
        .lines
        .iter()
        .map(|line| format!("{}: {}", line.kind.name(), line_formula(line)))
        .collect();
    let (total, version) = (record.cost.total, &record.price_version);
    let bill = format!("{}; total {total} USD at price version {version}", lines.join("; "));
    if let Some(terms) = record.terms {
        let charge = terms.charge(total);
        return format!(
            "{bill}; {} USD + {} % = {} USD markup - {} % = {} USD discount; {} USD to be paid",
            charge.cost, terms.markup, charge.markup, terms.discount, charge.discount, charge.total
        );
    }
    match &record.fee {
        None => bill,
        Some(fee) => format!("{bill}, paid by your own key; fee {} % of it = {} USD", fee.rate, fee.due),
    }
}

/// The balance that was charged, or would have been.
fn paid_with<'p>(record: &GenerationRecord, postings: &'p [Posting]) -> &'p str {
    let charged = postings.iter().find_map(|posting| balance(&posting.account));
    charged.map_or(if record.mode == BillingMode::Prepaid { "credits" } else { "metered" }, |(name, _)| name)
}

/// A balance of a customer, by the name that callers know, and whose it is.
fn balance(account: &BookAccount) -> Option<(&'static str, &str)> {
    match account {
        BookAccount::Credits(id) => Some(("credits", id.as_str())),
        BookAccount::Usage(id) => Some(("metered", id.as_str())),
        BookAccount::Byok(id) => Some(("byok", id.as_str())),
        _ => None,
    }
}

fn payer(posting: &Posting) -> Option<Value> {
    let (name, account) = balance(&posting.account)?;
    let amount = posting.amount.negated();
    Some(json!({ "account": account, "balance": name, "amount_usd": amount.to_string() }))
}

fn fee(posting: &Posting) -> Option<Value> {
    let is_fee = posting.account == BookAccount::Fees && posting.amount != Money::ZERO;
    is_fee.then(|| json!({ "amount_usd": posting.amount.to_string() }))
}

fn corrected(one: &Corrected) -> Value {
    json!({
        "id": one.entry,
        "created_at": rfc3339(one.at),
        "price_version": one.price_version,
        "cost_usd": one.correction.cost.to_string(),
        "charged_usd": one.correction.charged.to_string(),
    })
}

fn receipt(record: &GenerationRecord, corrections: &[Corrected], signer: &Signer, issuer: &str) -> String {
    let corrections: Vec<_> = corrections.iter().map(|c| (c.price_version.clone(), c.correction)).collect();
    signer.sign(&ledger::receipt(record, &corrections, &rfc3339(record.created), issuer))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledger::Correction;
    use types::{AccountId, GenerationId, KeyId, PriceKind, PriceSheet, Rate, Timestamp, Usage};

    use super::*;

    fn record() -> GenerationRecord {
        let at = Timestamp::from_seconds(1_779_358_422);
        let sheet = PriceSheet::flat([
            (PriceKind::Input, Rate::parse_per_million("0.15").unwrap()),
            (PriceKind::Output, Rate::parse_per_million("0.0007").unwrap()),
            (PriceKind::Requests, Rate::parse_per_unit("0.01").unwrap()),
        ]);
        let usage = Usage { input: 1_200, output: 7, requests: 1, ..Usage::default() };
        let cost = sheet.cost(&usage, at).unwrap();
        GenerationRecord {
            usage,
            charged: Money::from_nanos(cost.total.nanos() - 5),
            provider_cost: cost.total,
            cost,
            mode: BillingMode::Prepaid,
            provider: "lab".to_owned(),
            price_version: "pv-1".to_owned(),
            price_sheet: Arc::new(sheet),
            ..GenerationRecord::new(
                GenerationId::new(at, 7),
                at,
                AccountId::new("acct_a"),
                KeyId::new("key_a"),
            )
        }
    }

    #[test]
    fn a_bill_shows_formula_payer_and_what_was_written_off() {
        let signer = Signer::new(&[1; 32], &Value::Null).unwrap();
        let bill = bill(&record(), &[], &signer, "tollway");
        assert_eq!(bill["total_cost"], "0.01018");
        assert_eq!(bill["written_off"], "0.000000005");
        assert_eq!(
            bill["paid_from"],
            json!([{ "account": "acct_a", "balance": "credits", "amount_usd": "0.01018" }])
        );
        assert_eq!((&bill["balance"], &bill["fees"]), (&json!("credits"), &json!([])));
        let formulas: Vec<&str> = bill["cost_lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["formula"].as_str().unwrap())
            .collect();
        let expect = [
            "1200 x 0.15 USD / 1,000,000 = 0.00018 USD",
            "7 x 0.0007 USD / 1,000,000 = 0.000000005 USD, rounded up",
            "1 x 0.01 USD = 0.01 USD",
        ];
        assert_eq!(formulas, expect);
        let said = crate::receipts::verify(bill["receipt"].as_str().unwrap(), signer.keys()).unwrap();
        assert_eq!((&said["charged_usd"], &said["cost_usd"]), (&json!("0.01018"), &json!("0.010180005")));
        assert_eq!(said["account_sha256"], ledger::account_digest("acct_a"));
        assert!(!said.to_string().contains("acct_a"));
    }

    #[test]
    fn a_corrected_bill_shows_what_is_paid_in_the_end() {
        let signer = Signer::new(&[1; 32], &Value::Null).unwrap();
        let back = Money::from_nanos(-10_000_000);
        let correction = Correction { cost: back, charged: back, provider_cost: back };
        let one = Corrected {
            entry: "fix:x:1".to_owned(),
            at: Timestamp::from_seconds(1_779_358_500),
            price_version: "pv-2".to_owned(),
            correction,
        };
        let bill = bill(&record(), &[one], &signer, "tollway");
        assert_eq!(
            (&bill["total_cost"], &bill["corrections"][0]["charged_usd"]),
            (&json!("0.00018"), &json!("-0.01"))
        );
        let said = crate::receipts::verify(bill["receipt"].as_str().unwrap(), signer.keys()).unwrap();
        assert_eq!(said["corrections"][0]["price_version"], "pv-2");
        assert_eq!(said["charged_usd"], "0.00018");
    }
}
