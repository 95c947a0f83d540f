//! Feeds of others, read into a catalog.
//!
//! A feed is read whole or refused whole: the error names the entry and what is wrong with it. What it says becomes claims with the
//! feed as source and the day of the feed as date. Where a claim stands already:
//!
//! - The same value: nothing changes.
//! - Another value of the same source, not older than ours: the source has changed its mind, and its new value takes the place of
//!   its old one, be that the value that was chosen or dissent.
//! - Another value of another source: it becomes dissent, never the value. Where no rule says yet why our value was chosen, the rule is
//!   `kept`: nobody has decided between them.
//! - Nothing stands there: the claim is taken.
//!
//! What a feed says of an offer is the offer's own where it differs from the model's. What several offers of a feed say of one model
//! counts by majority. Prices that are all the feed's own follow it whole: what it no longer lists, of what its format has words for,
//! goes. A price of 0 is believed from a provider's own document, and from others where the offer's id says `free`; elsewhere it
//! is no price. Nothing is ever taken away because a feed doesn't list it.
//!
//! Fields that no fact is made of, fields that are not known, and entries that could not be placed are counted in the [`Report`].

mod feed;
mod genai;
mod litellm;
mod merge;
mod models_dev;
mod openrouter;
mod own;
mod provider_document;
mod raw;
mod sheet;

use std::collections::BTreeMap;
use std::fmt;

use crate::named::named;
use crate::snapshot::Snapshot;

pub(crate) use genai::{PRICES as GENAI_PRICES, PROVIDERS as GENAI_PROVIDERS};
pub(crate) use litellm::{PRICES as LITELLM_PRICES, PROVIDERS as LITELLM_PROVIDERS, SIZES as LITELLM_SIZES};
pub(crate) use merge::{majority, take_claim};
pub use own::own;
pub(crate) use provider_document::PRICES as DOCUMENT_PRICES;

named! {
    /// What others write catalogs in.
    Format {
        /// The `api.json` of models.dev.
        ModelsDev = "models-dev",
        /// OpenRouter's list of models, or the endpoints of one.
        Openrouter = "openrouter",
        /// What a supplier publishes of its offers, schema 2.4 of OpenRouter.
        ProviderDocument = "provider-document",
        /// LiteLLM's `model_prices_and_context_window.json`.
        Litellm = "litellm",
        /// The `data.json` of genai-prices, version 2.
        GenaiPrices = "genai-prices",
    }
}

/// Why a feed is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}`: {message}")]
pub struct FeedError {
    /// Which entry of the feed.
    pub entry: String,
    /// What is wrong with it.
    pub message: String,
}

impl FeedError {
    pub(crate) fn new(entry: &str, message: impl Into<String>) -> FeedError {
        // An entry whose key has no letters is told all the same.
        let entry = if entry.is_empty() { "(no name)" } else { entry };
        FeedError { entry: entry.chars().take(120).collect(), message: message.into() }
    }
}

/// What became of the claims of a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Nothing stood there: taken.
    pub taken: u64,
    /// The source's own earlier value gave way to its new one.
    pub refreshed: u64,
    /// The same as ours.
    pub agreed: u64,
    /// Became dissent.
    pub dissent: u64,
    /// Older than what the same source says here already.
    pub older: u64,
    /// Prices that the source no longer lists.
    pub withdrawn: u64,
}

/// What was read and not used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) unknown: BTreeMap<String, u64>,
    pub(crate) no_place: BTreeMap<String, u64>,
    pub(crate) skipped: BTreeMap<&'static str, Vec<String>>,
    pub(crate) rounded: u64,
    pub(crate) free_not_believed: u64,
}

impl Tally {
    pub(crate) fn skip(&mut self, why: &'static str, entry: &str) {
        self.skipped.entry(why).or_default().push(entry.to_owned());
    }
}

/// What an import did.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// The source of the claims.
    pub source: String,
    /// Their date.
    pub as_of: String,
    /// How many entries the feed has.
    pub entries: usize,
    /// What became of its claims.
    pub claims: Counts,
    /// Fields that are not known, by kind of object, with how often they occur.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Fields that are known and that no fact here is made of.
    pub fields_without_place: BTreeMap<String, u64>,
    /// Entries that were not used, by why.
    pub skipped: BTreeMap<&'static str, Vec<String>>,
    /// Prices that were written from a binary float and rounded to the fifteen digits that it holds.
    pub prices_rounded: u64,
    /// Prices of 0 that are no price.
    pub free_not_believed: u64,
}

/// `1200 entries: 30 claims taken, ...`
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.claims;
        writeln!(
            f,
            "{} entries of {} as of {}: {} claims taken, {} refreshed, {} dissent, {} the same, {} older than ours, {} prices withdrawn",
            self.entries,
            self.source,
            self.as_of,
            c.taken,
            c.refreshed,
            c.dissent,
            c.agreed,
            c.older,
            c.withdrawn
        )?;
        for (count, what) in [
            (self.prices_rounded, "prices were written from floats and rounded to 15 digits"),
            (self.free_not_believed, "prices of 0 were not believed"),
        ] {
            if count > 0 {
                writeln!(f, "{count} {what}")?;
            }
        }
        for (why, entries) in &self.skipped {
            let some: Vec<&str> = entries.iter().take(3).map(String::as_str).collect();
            let more = if entries.len() > 3 { ", ..." } else { "" };
            writeln!(f, "{} entries not used: {why} ({}{more})", entries.len(), some.join(", "))?;
        }
        for (what, fields) in [
            ("unknown fields", &self.unknown_fields),
            ("fields without a place here", &self.fields_without_place),
        ] {
            if !fields.is_empty() {
                let list: Vec<String> = fields.iter().map(|(name, n)| format!("{name} ({n})")).collect();
                writeln!(f, "{what}: {}", list.join(", "))?;
            }
        }
        Ok(())
    }
}

/// A catalog with a feed in it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The catalog as it is with the feed.
    pub snapshot: Snapshot,
    /// What was done.
    pub report: Report,
}

/// Reads a feed into `base`. `as_of`: its day, `YYYY-MM-DD`. `provider`: whose a provider document is.
///
/// # Errors
/// The first entry that is wrong; nothing of the feed is used then.
pub fn import(
    format: Format,
    text: &str,
    base: &Snapshot,
    as_of: &str,
    provider: Option<&str>,
) -> Result<Imported, FeedError> {
    if as_of.len() != 10 || crate::kind::day(as_of).is_none() {
        return Err(FeedError::new(as_of, "is no date of a feed; write it as 2026-03-16"));
    }
    let raw = raw::document(text)?;
    let mut tally = Tally::default();
    let feed = match format {
        Format::ModelsDev => models_dev::read(raw, as_of, &mut tally),
        Format::Openrouter => openrouter::read(raw, as_of, &mut tally),
        Format::ProviderDocument => provider_document::read(raw, base, as_of, provider, &mut tally),
        Format::Litellm => litellm::read(raw, as_of, &mut tally),
        Format::GenaiPrices => genai::read(raw, as_of, &mut tally),
    }?;
    merge::merge(base, feed, as_of, tally)
}

#[cfg(test)]
mod tests;
