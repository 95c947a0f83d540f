//! What can be written after `tollway ledger` and `tollway receipt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use store::Noted;

use super::Expiry;

/// `tollway ledger`
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Compute every charge again from its usage and prices, and check that entries sum to zero and are chained, that
    /// balances are the sums of their entries, and that corrections make up their differences. Needs no server, changes
    /// nothing, and works on a copy of the database. Exit code 1 when something doesn't hold.
    Verify(Verify),
    /// Rate generations again at another price, and say who is owed what; --apply books it, by new entries.
    Rerate(Rerate),
    /// Compare our books with a provider's usage export, by day and model. Exit code 1 when they drift apart.
    Reconcile(Reconcile),
}

/// `tollway ledger verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The store to check, such as sqlite:copy.db; without it that of the configuration.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// The newest entry as an earlier check printed it: it has to be there still. Shows what was taken off at the end.
    #[arg(long, value_name = "NUMBER:HASH")]
    pub noted: Option<Noted>,
}

/// `tollway ledger rerate`
#[derive(Debug, Args)]
pub struct Rerate {
    /// The price version that was wrong, such as pv-5f0c1a2b9d3e4f60.
    #[arg(long, value_name = "OLD")]
    pub price_version: String,
    /// What is right: a price version of the store or the catalog, or a TOML file with prices as in the catalog.
    #[arg(long = "as", value_name = "FILE|NEW-VERSION")]
    pub new: String,
    /// From when on: an instant such as 2030-01-31T12:00:00Z, or a span back from now such as 7d, 12h or 45m; without
    /// it everything.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Expiry>,
    /// Charge accounts what a dearer price adds. Without it the difference is written off.
    #[arg(long)]
    pub collect: bool,
    /// Book the corrections. A running server sees them within a second; doing it twice changes nothing.
    #[arg(long)]
    pub apply: bool,
}

/// `tollway ledger reconcile`
#[derive(Debug, Args)]
pub struct Reconcile {
    /// The provider, as in the catalog.
    #[arg(long, value_name = "SLUG")]
    pub provider: String,
    /// The provider's usage export, as CSV. Exports of OpenAI and Anthropic are known by their headings.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// What a column holds: day, model, input, output, cache_read, cache_write, requests or cost. For exports of any other
    /// shape, once per column, such as --map "Usage date=day".
    #[arg(long, value_name = "COLUMN=FIELD")]
    pub map: Vec<String>,
    /// The drift in percent above which a day of a model is raised.
    #[arg(long, value_name = "PERCENT", default_value = "0.1")]
    pub threshold: String,
}

/// `tollway receipt`
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Check a receipt's signature and sums. With a saved key file it needs neither a server nor a network.
    Verify(VerifyReceipt),
}

/// `tollway receipt verify`
#[derive(Debug, Args)]
pub struct VerifyReceipt {
    /// The receipt, or the answer of GET /v1/generation that has it; `-` reads standard input.
    pub file: PathBuf,
    /// The public keys, saved from /.well-known/tollway-receipts.json; without it those of this data folder.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub key: Option<PathBuf>,
    /// The server to fetch the public keys from.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
