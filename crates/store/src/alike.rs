//! Generations that count under the very same rows of every rollup, put together before the rows are looked for: of the thousand
//! generations of a batch most have account, key, model, provider and facets in common with many others.

use std::collections::HashMap;

use ledger::GenerationRecord;

use crate::facets::{self, Values};
use crate::insight::hour;
use crate::measures::Figures;

/// All that decides under which rows a generation counts.
#[derive(PartialEq, Eq, Hash)]
struct Place<'r> {
    account: &'r str,
    hour: i64,
    key: &'r str,
    model: &'r str,
    provider: &'r str,
    facets: Values<'r>,
}

/// Generations by where they count: the first of each kind, and the figures of all of it.
#[derive(Default)]
pub(crate) struct Alike<'r>(HashMap<Place<'r>, (&'r GenerationRecord, Figures)>);

impl<'r> Alike<'r> {
    /// Takes in a generation.
    pub(crate) fn add(&mut self, record: &'r GenerationRecord, figures: Figures) {
        let place = Place {
            account: record.account.as_str(),
            hour: hour(record),
            key: record.key.as_str(),
            model: &record.model,
            provider: &record.provider,
            facets: facets::of(record),
        };
        let (_, sum) = self.0.entry(place).or_insert_with(|| (record, Figures::default()));
        sum.add(&figures);
    }

    /// One of each kind, with the figures of all of it.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'r GenerationRecord, &Figures)> {
        self.0.values().map(|(record, figures)| (*record, figures))
    }
}
