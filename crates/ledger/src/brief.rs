//! The short JSON forms inside a record: what every record has, without the names.

use serde::{Deserialize, Serialize};
use types::Money;

use crate::Attempt;

/// `[endpoint, status, started_us, first_byte_us, ended_us, outcome, cost]`, and behind it the caller's own key where one was
/// used.
#[derive(Serialize, Deserialize)]
pub(crate) struct AttemptRow(
    String,
    u16,
    i64,
    Option<i64>,
    i64,
    String,
    Money,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<String>,
);

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Attempt {
        let AttemptRow(endpoint, status, started_us, first_byte_us, ended_us, outcome, cost, byok_key) = row;
        Attempt { endpoint, status, started_us, first_byte_us, ended_us, outcome, cost, byok_key }
    }
}

impl From<Attempt> for AttemptRow {
    fn from(a: Attempt) -> AttemptRow {
        AttemptRow(
            a.endpoint,
            a.status,
            a.started_us,
            a.first_byte_us,
            a.ended_us,
            a.outcome,
            a.cost,
            a.byok_key,
        )
    }
}

/// Only the buckets that were used.
pub(crate) mod usage {
    use serde::ser::SerializeMap;
    use serde::{Deserialize, Deserializer, Serializer};
    use types::Usage;

    pub(crate) fn serialize<S: Serializer>(usage: &Usage, s: S) -> Result<S::Ok, S::Error> {
        let buckets = [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("cache_write_1h", usage.cache_write_1h),
            ("audio_input", usage.audio_input),
            ("image_input", usage.image_input),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
            ("audio_output", usage.audio_output),
            ("image_output", usage.image_output),
            ("requests", usage.requests),
            ("searches", usage.searches),
            ("images", usage.images),
            ("audio_seconds", usage.audio_seconds),
            ("characters", usage.characters),
        ];
        let mut map = s.serialize_map(None)?;
        for (name, units) in buckets.into_iter().filter(|(_, units)| *units != 0) {
            map.serialize_entry(name, &units)?;
        }
        map.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Usage, D::Error> {
        Usage::deserialize(d)
    }
}

/// `[total, [[kind, units, nano-dollars per million, nano-dollars], ...]]`.
pub(crate) mod cost {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use types::{Cost, CostLine, Money, PriceKind, Rate};

    type Row = (PriceKind, u64, Rate, Money);

    pub(crate) fn serialize<S: Serializer>(cost: &Cost, s: S) -> Result<S::Ok, S::Error> {
        let rows = cost.lines.iter().map(|line| (line.kind, line.units, line.rate, line.amount));
        (cost.total, rows.collect::<Vec<Row>>()).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Cost, D::Error> {
        let (total, rows) = <(Money, Vec<Row>)>::deserialize(d)?;
        let line = |(kind, units, rate, amount)| CostLine { kind, units, rate, amount };
        Ok(Cost { lines: rows.into_iter().map(line).collect(), total })
    }
}

/// A sheet without overrides and unknown prices is `[[kind, nano-dollars per million], ...]`; any other as it is.
pub(crate) mod sheet {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use types::{PriceKind, PriceSheet, Rate};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Flat(Vec<(PriceKind, Rate)>),
        Whole(PriceSheet),
    }

    pub(crate) fn serialize<S: Serializer>(sheet: &Arc<PriceSheet>, s: S) -> Result<S::Ok, S::Error> {
        let rates: Option<Vec<_>> =
            sheet.quotes.iter().map(|(kind, quote)| quote.rate().map(|rate| (*kind, rate))).collect();
        match rates.filter(|_| sheet.overrides.is_empty()) {
            Some(flat) => flat.serialize(s),
            None => sheet.as_ref().serialize(s),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<PriceSheet>, D::Error> {
        Ok(Arc::new(match Form::deserialize(d)? {
            Form::Flat(rates) => PriceSheet::flat(rates),
            Form::Whole(sheet) => sheet,
        }))
    }
}
