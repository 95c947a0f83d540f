//! The rollups: sums and distributions of generations by hour or day, once by key, model and provider, and once by each facet. All
//! are written alike: what is there is added to, in one statement for many rows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::StoreError;
use crate::db::{Tx, Value, decode_row};
use crate::generations::column;
use crate::measures::{Figures, Measure, Spread};
use crate::sketch::Sketch;

/// A row whose sketches are longer than this together gets them written anew.
const SKETCHES_BYTES_MAX: i64 = 2_400;

/// A table of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Rollup {
    Days,
    Hours,
    FacetDays,
    FacetHours,
}

/// What a row is counted under: account, day or hour, and three more columns ([`Rollup::keys`]).
pub(crate) type Group<'a> = (&'a str, i64, [Cow<'a, str>; 3]);

/// Rows to be added.
pub(crate) type Cells<'a> = BTreeMap<Group<'a>, Figures>;

impl Rollup {
    pub(crate) const ALL: [Rollup; 4] = [Rollup::Days, Rollup::Hours, Rollup::FacetDays, Rollup::FacetHours];

    pub(crate) const fn table(self) -> &'static str {
        match self {
            Rollup::Days => "activity_days",
            Rollup::Hours => "activity_hours",
            Rollup::FacetDays => "facet_days",
            Rollup::FacetHours => "facet_hours",
        }
    }

    /// The column of days or hours since 1970.
    pub(crate) const fn at(self) -> &'static str {
        match self {
            Rollup::Days | Rollup::FacetDays => "day",
            Rollup::Hours | Rollup::FacetHours => "hour",
        }
    }

    /// The columns behind account and day or hour.
    pub(crate) const fn keys(self) -> [&'static str; 3] {
        match self {
            Rollup::Days | Rollup::Hours => ["api_key", "model", "provider"],
            Rollup::FacetDays | Rollup::FacetHours => ["facet", "value", "api_key"],
        }
    }

    fn texts(self) -> &'static Texts {
        let [days, hours, facet_days, facet_hours] = &*TEXTS;
        match self {
            Rollup::Days => days,
            Rollup::Hours => hours,
            Rollup::FacetDays => facet_days,
            Rollup::FacetHours => facet_hours,
        }
    }

    /// All rows of an account at one day or hour.
    pub(crate) fn rows_of(self) -> &'static str {
        &self.texts().rows_of
    }

    /// So many rows behind one, in the order of their groups.
    pub(crate) fn some(self) -> &'static str {
        &self.texts().some
    }

    /// How many rows there are.
    pub(crate) fn count(self) -> &'static str {
        &self.texts().count
    }
}

static TEXTS: LazyLock<[Texts; 4]> = LazyLock::new(|| Rollup::ALL.map(Texts::of));

struct Texts {
    head: String,
    tail: String,
    sketches: String,
    rewrite: String,
    count: String,
    rows_of: String,
    some: String,
}

impl Texts {
    fn of(rollup: Rollup) -> Texts {
        let (table, at, [one, two, three]) = (rollup.table(), rollup.at(), rollup.keys());
        let numbers = Measure::ALL.map(Measure::column);
        let spreads = Spread::ALL.map(Spread::column);
        let group = format!("account, {at}, {one}, {two}, {three}");
        let added = numbers.iter().map(|name| format!("{name} = {table}.{name} + excluded.{name}"));
        let joined = spreads.iter().map(|name| format!("{name} = {table}.{name} || excluded.{name}"));
        let sets: Vec<String> = added.chain(joined).collect();
        let lengths = spreads.map(|name| format!("LENGTH({table}.{name})")).join(" + ");
        let [ttft, duration, speed] = spreads;
        let same = format!("account = $1 AND {at} = $2 AND {one} = $3 AND {two} = $4 AND {three} = $5");
        let (all, spreads) = (numbers.join(", "), spreads.join(", "));
        Texts {
            head: format!("INSERT INTO {table} ({group}, {all}, {spreads})"),
            tail: format!(
                "ON CONFLICT ({group}) DO UPDATE SET {} RETURNING {group}, CAST({lengths} AS BIGINT)",
                sets.join(", ")
            ),
            sketches: format!("SELECT {spreads} FROM {table} WHERE {same}"),
            rewrite: format!("UPDATE {table} SET {ttft} = $6, {duration} = $7, {speed} = $8 WHERE {same}"),
            count: format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}"),
            rows_of: format!(
                "SELECT {group}, {all}, {spreads} FROM {table} WHERE account = $1 AND {at} = $2"
            ),
            some: format!(
                "SELECT {group}, {all}, {spreads} FROM {table} WHERE ({group}) > ($1, $2, $3, $4, $5) ORDER BY {group} LIMIT $6"
            ),
        }
    }
}

/// A row that was written: what it is counted under, and how long its sketches have become.
type Written = (String, i64, String, String, String, i64);

/// Adds to a rollup.
pub(crate) async fn add(tx: &mut Tx, rollup: Rollup, cells: &Cells<'_>) -> Result<(), StoreError> {
    if cells.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<Value<'_>>> = cells
        .iter()
        .map(|((account, at, keys), figures)| {
            let keys = keys.iter().map(|key| column(key));
            let group = [column(account), (*at).into()].into_iter().chain(keys);
            let spreads = figures.spreads.iter().map(|sketch| Value::from(sketch.text()));
            group.chain(figures.sums.numbers().map(Value::Int)).chain(spreads).collect()
        })
        .collect();
    let texts = rollup.texts();
    let written: Vec<Written> = tx.insert(&texts.head, &rows, &texts.tail).await?;
    for (account, at, one, two, three, _) in written.iter().filter(|row| row.5 > SKETCHES_BYTES_MAX) {
        // The row is locked: it was just written.
        let group: [Value<'_>; 5] = [
            account.as_str().into(),
            (*at).into(),
            one.as_str().into(),
            two.as_str().into(),
            three.as_str().into(),
        ];
        let found: Vec<(String, String, String)> = tx.fetch(&texts.sketches, &group).await?;
        for (ttft, duration, speed) in found {
            let mut values = group.to_vec();
            for text in [ttft, duration, speed] {
                values.push(sketch(&text)?.text().into());
            }
            tx.execute(&texts.rewrite, &values).await?;
        }
    }
    Ok(())
}

/// The three columns of a row behind account and day or hour.
pub(crate) type Keys = [String; 3];

/// A row as it is stored.
pub(crate) struct StoredRow {
    pub(crate) account: String,
    pub(crate) at: i64,
    pub(crate) keys: Keys,
    /// Without the distributions.
    pub(crate) figures: Figures,
    /// These, as texts.
    pub(crate) sketches: [String; 3],
}

decode_row!(StoredRow, |row| {
    let mut figures = Figures::default();
    for (at, measure) in Measure::ALL.into_iter().enumerate() {
        figures.sums.put(measure, row.try_get(5 + at)?);
    }
    let last = 5 + Measure::COUNT;
    Ok(StoredRow {
        account: row.try_get(0)?,
        at: row.try_get(1)?,
        keys: [row.try_get(2)?, row.try_get(3)?, row.try_get(4)?],
        figures,
        sketches: [row.try_get(last)?, row.try_get(last + 1)?, row.try_get(last + 2)?],
    })
});

/// A stored sketch.
pub(crate) fn sketch(text: &str) -> Result<Sketch, StoreError> {
    Sketch::read(text)
        .ok_or_else(|| StoreError::Corrupt(String::from("a distribution of a rollup can't be read")))
}
