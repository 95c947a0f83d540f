//! Generations as charges of the FinOps Open Cost and Usage Specification, FOCUS 1.2 (<https://focus.finops.org>, read 2026-11-22):
//! the columns that it makes mandatory, those of the others that we can fill, and our own behind `x_`.
//!
//! - One charge per line of a generation's cost: a kind of token, a request, a search. What was billed is told in proportion to the
//!   lines, to the nano-dollar, so that the charges of a generation come to what was charged for it.
//! - A call that an own key of the account's paid is one charge, the fee; its list price is nobody's bill here.
//! - What cost nothing is one charge of zero, so that usage is whole; a correction is a charge of its own.
//! - Lists are rounded up to the nano-dollar once per line, so that a cost can be less than a billionth above quantity times price.

use ledger::GenerationRecord;
use serde_json::{Map, json};
use store::Listed;
use types::{Money, Rate, Timestamp};

use super::export::{app, subject};
use super::{log, span};
use crate::csv::cell;
use crate::key::rfc3339;

/// A charge in the making.
struct Charge<'a> {
    one: &'a Listed,
    seller: &'a str,
    /// What is counted: `input`; empty where nothing is.
    meter: &'a str,
    /// Units and their name.
    quantity: Option<(u64, &'static str)>,
    rate: Option<Rate>,
    billed: Money,
    contracted: Money,
    list: Money,
    is_correction: bool,
}

type Column = (&'static str, fn(&Charge<'_>) -> String);

const COLUMNS: &[Column] = &[
    ("BilledCost", |c| c.billed.to_string()),
    ("BillingAccountId", |c| cell(c.record().account.as_str())),
    ("BillingAccountName", |c| cell(c.record().account.as_str())),
    ("BillingAccountType", |_| String::from("Account")),
    ("BillingCurrency", |_| String::from("USD")),
    ("BillingPeriodEnd", |c| month(c.record().created, 1)),
    ("BillingPeriodStart", |c| month(c.record().created, 0)),
    ("ChargeCategory", |_| String::from("Usage")),
    ("ChargeClass", |c| String::from(if c.is_correction { "Correction" } else { "" })),
    ("ChargeDescription", |c| cell(&c.description())),
    ("ChargeFrequency", |_| String::from("Usage-Based")),
    ("ChargePeriodEnd", |c| hour(c.record().created, 1)),
    ("ChargePeriodStart", |c| hour(c.record().created, 0)),
    ("ConsumedQuantity", |c| c.quantity.map_or_else(String::new, |(units, _)| units.to_string())),
    ("ConsumedUnit", |c| c.quantity.map_or_else(String::new, |(_, unit)| unit.to_owned())),
    ("ContractedCost", |c| c.contracted.to_string()),
    ("EffectiveCost", |c| c.billed.to_string()),
    ("InvoiceIssuerName", |c| cell(c.seller)),
    ("ListCost", |c| c.list.to_string()),
    ("ListUnitPrice", |c| c.rate.map_or_else(String::new, Rate::per_unit)),
    ("PricingCategory", |_| String::from("Standard")),
    ("PricingCurrency", |_| String::from("USD")),
    ("PricingQuantity", |c| c.quantity.map_or_else(String::new, |(units, _)| units.to_string())),
    ("PricingUnit", |c| c.quantity.map_or_else(String::new, |(_, unit)| unit.to_owned())),
    ("ProviderName", |c| cell(c.seller)),
    ("PublisherName", |c| cell(c.publisher())),
    ("ResourceId", |c| cell(c.record().key.as_str())),
    ("ResourceType", |_| String::from("API key")),
    ("ServiceCategory", |_| String::from("AI and Machine Learning")),
    ("ServiceName", |c| cell(c.model())),
    ("ServiceSubcategory", |_| String::from("Generative AI")),
    ("SkuId", |c| cell(&c.sku())),
    ("SkuMeter", |c| cell(c.meter)),
    ("SkuPriceId", |c| cell(&c.price())),
    ("SubAccountId", |c| cell(subject(c.record(), "project:"))),
    ("SubAccountName", |c| cell(subject(c.record(), "project:"))),
    ("SubAccountType", |c| {
        String::from(if subject(c.record(), "project:").is_empty() { "" } else { "Project" })
    }),
    ("Tags", |c| cell(&tags(c.record()))),
    ("x_Endpoint", |c| cell(&c.record().endpoint)),
    ("x_GenerationId", |c| c.record().id.to_string()),
    ("x_PaidBy", |c| c.record().paid_by().to_owned()),
    ("x_Status", |c| c.record().status.name().to_owned()),
];

/// The columns' names.
pub(crate) fn names() -> Vec<String> {
    COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

impl Charge<'_> {
    fn record(&self) -> &GenerationRecord {
        &self.one.record
    }

    fn model(&self) -> &str {
        let model = self.record().model.as_str();
        if model.is_empty() { "(no model reached)" } else { model }
    }

    fn publisher(&self) -> &str {
        let provider = self.record().provider.as_str();
        if provider.is_empty() { self.seller } else { provider }
    }

    fn sku(&self) -> String {
        let endpoint = self.record().endpoint.as_str();
        if endpoint.is_empty() { String::new() } else { format!("{endpoint}:{}", self.meter) }
    }

    fn price(&self) -> String {
        let version = self.record().price_version.as_str();
        if version.is_empty() || self.rate.is_none() {
            String::new()
        } else {
            format!("{version}:{}", self.meter)
        }
    }

    fn description(&self) -> String {
        match (self.is_correction, self.meter) {
            (true, _) => format!("correction of a call of {}", self.model()),
            (false, meter) => format!("{meter} of a call of {}", self.model()),
        }
    }

    fn cells(&self) -> Vec<String> {
        COLUMNS.iter().map(|(_, of)| of(self)).collect()
    }
}

/// The charges of a generation.
pub(crate) fn charges(one: &Listed, seller: &str) -> Vec<Vec<String>> {
    let record = &one.record;
    let whole = |meter, contracted: Money, list: Money| Charge {
        one,
        seller,
        meter,
        quantity: Some((1, "Requests")),
        rate: None,
        billed: record.charged,
        contracted,
        list,
        is_correction: false,
    };
    let due = record.due_of(record.cost.total);
    let lines = &record.cost.lines;
    let mut all: Vec<Vec<String>> = Vec::with_capacity(lines.len() + 1);
    if record.byok_key.is_some() {
        all.push(whole("own key fee", due, due).cells());
    } else if lines.is_empty() || record.cost.total == Money::ZERO {
        all.push(whole("requests", Money::ZERO, Money::ZERO).cells());
    } else {
        let amounts: Vec<Money> = lines.iter().map(|line| line.amount).collect();
        let (billed, contracted) = (in_proportion(record.charged, &amounts), in_proportion(due, &amounts));
        for ((line, billed), contracted) in lines.iter().zip(billed).zip(contracted) {
            let unit = if line.kind.is_tokens() { "Tokens" } else { "Units" };
            let charge = Charge {
                meter: line.kind.name(),
                quantity: Some((line.units, unit)),
                rate: Some(line.rate),
                billed,
                list: line.amount,
                ..whole("", contracted, Money::ZERO)
            };
            all.push(charge.cells());
        }
    }
    if one.charged_corrected != Money::ZERO || one.cost_corrected != Money::ZERO {
        let charge = Charge {
            quantity: None,
            billed: one.charged_corrected,
            is_correction: true,
            ..whole("correction", one.charged_corrected, one.cost_corrected)
        };
        all.push(charge.cells());
    }
    all
}

/// A sum cut into parts as large to each other as `weights`, to the nano-dollar: the parts are the sum.
fn in_proportion(sum: Money, weights: &[Money]) -> Vec<Money> {
    let all: i128 = weights.iter().map(|weight| i128::from(weight.nanos())).sum();
    let (mut so_far, mut given) = (0i128, 0i64);
    let part = |weight: &Money| {
        so_far += i128::from(weight.nanos());
        let upto = if all == 0 { 0 } else { i128::from(sum.nanos()) * so_far / all };
        let upto = i64::try_from(upto).unwrap_or(sum.nanos());
        let part = upto.saturating_sub(given);
        given = upto;
        Money::from_nanos(part)
    };
    weights.iter().map(part).collect()
}

fn month(at: Timestamp, later: i8) -> String {
    let first = span::date(at.day()).first_of_month();
    let date = first.checked_add(jiff::Span::new().months(later)).unwrap_or(first);
    format!("{date}T00:00:00Z")
}

fn hour(at: Timestamp, later: i64) -> String {
    const MICROS: i64 = 3_600_000_000;
    rfc3339(Timestamp((at.micros().div_euclid(MICROS) + later).saturating_mul(MICROS)))
}

fn tags(record: &GenerationRecord) -> String {
    let mut tags = Map::new();
    let texts = [("user", record.user.as_deref().unwrap_or_default()), ("app", app(record))];
    for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        tags.insert(name.to_owned(), json!(value));
    }
    for (name, value) in &record.dimensions {
        tags.insert(name.clone(), json!(value));
    }
    let own: Vec<&str> = log::tags(record).collect();
    if !own.is_empty() {
        tags.insert("tags".to_owned(), json!(own.join(" ")));
    }
    serde_json::Value::Object(tags).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_sum() {
        let money = |nanos: &[i64]| nanos.iter().map(|nanos| Money::from_nanos(*nanos)).collect::<Vec<_>>();
        let rows: [(i64, &[i64], &[i64]); 5] = [
            (10, &[1, 1, 1], &[3, 3, 4]),
            (7, &[5, 2], &[5, 2]),
            (0, &[5, 2], &[0, 0]),
            (1, &[0, 1], &[0, 1]),
            (i64::MAX, &[i64::MAX, i64::MAX], &[i64::MAX / 2, i64::MAX / 2 + 1]),
        ];
        for (sum, weights, expect) in rows {
            assert_eq!(in_proportion(Money::from_nanos(sum), &money(weights)), money(expect));
        }
    }

    #[test]
    fn months_and_hours_end_where_the_next_begin() {
        let at = Timestamp::from_seconds(1_798_761_599);
        assert_eq!(month(at, 0), "2026-12-01T00:00:00Z");
        assert_eq!(month(at, 1), "2027-01-01T00:00:00Z");
        assert_eq!(
            (hour(at, 0), hour(at, 1)),
            ("2026-12-31T23:00:00Z".to_owned(), "2027-01-01T00:00:00Z".to_owned())
        );
    }
}
