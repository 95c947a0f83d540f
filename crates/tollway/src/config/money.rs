//! What is sold and how it is paid: `[fees]`, `[credits]`, `[payments.stripe]`, `[seller]`.

use std::collections::BTreeMap;

use ledger::{DiscountStep, FeeStep, Fees, Pattern, Percent};
use types::{Money, SecretString};

/// `[payments]`
#[derive(Clone, Debug, Default)]
pub struct Payments {
    /// How often automatic top-ups are looked after, milliseconds.
    pub interval_ms: u64,
    /// `[payments.stripe]`
    pub stripe: Stripe,
}

/// `[payments.stripe]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Stripe {
    pub secret_key: Option<SecretString>,
    pub secret_key_env: Option<String>,
    /// None: no webhook is taken.
    pub webhook_secrets: Vec<SecretString>,
    pub webhook_secret_env: Option<String>,
    pub base_url: String,
    pub success_url: Option<String>,
    pub cancel_url: Option<String>,
}

/// `[seller]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Seller {
    pub name: Option<String>,
    /// Lines.
    pub address: Vec<String>,
    pub country: Option<String>,
    pub tax_id: Option<String>,
    pub email: Option<String>,
    pub invoice_note: Option<String>,
}

/// What a table of a list holds, by key.
pub(crate) type Row = Vec<(String, String)>;

const DAY_ZERO: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

fn fields<'a, const N: usize>(row: &'a Row, names: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let known = row.iter().all(|(name, _)| names.contains(&name.as_str()));
    let find = |name: &str| row.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    known.then(|| names.map(find))
}

/// `[{ percent = "3", until = "2026-12-31" }, { percent = "5" }]`
pub(crate) fn top_up_steps(rows: &[Row]) -> Option<Vec<FeeStep>> {
    let step = |row: &Row| {
        let [percent, until] = fields(row, ["percent", "until"])?;
        let until = match until {
            None => None,
            Some(text) => {
                let date: jiff::civil::Date = text.parse().ok()?;
                Some(date.since(DAY_ZERO).ok().map(|span| i64::from(span.get_days()))?)
            }
        };
        Some(FeeStep { percent: percent?.parse().ok()?, until })
    };
    let top_up = rows.iter().map(step).collect::<Option<Vec<FeeStep>>>()?;
    Fees { top_up: top_up.clone(), ..Fees::default() }.check().is_ok().then_some(top_up)
}

/// `[{ from_usd = "1000", percent = "2" }]`
pub(crate) fn discount_steps(rows: &[Row]) -> Option<Vec<DiscountStep>> {
    let step = |row: &Row| {
        let [from, percent] = fields(row, ["from_usd", "percent"])?;
        let from = from?.parse::<Money>().ok().filter(|from| !from.is_negative())?;
        Some(DiscountStep { from, percent: percent?.parse().ok()? })
    };
    let discount = rows.iter().map(step).collect::<Option<Vec<DiscountStep>>>()?;
    Fees { discount: discount.clone(), ..Fees::default() }.check().is_ok().then_some(discount)
}

/// `{ "openai/*" = "2.5" }`
pub(crate) fn markups(table: &BTreeMap<String, String>) -> Option<Vec<(Pattern, Percent)>> {
    table.iter().map(|(name, percent)| Some((Pattern::new(name)?, percent.parse().ok()?))).collect()
}

/// An amount that is not negative.
pub(crate) fn amount(text: &str) -> Option<Money> {
    text.parse::<Money>().ok().filter(|amount| !amount.is_negative())
}
