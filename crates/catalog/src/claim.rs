//! A claim: a value, who says so, and when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::named::named;

/// A fact with its source and date, and what others say instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim<T> {
    /// The value that was chosen.
    pub value: T,
    /// Id of the source that states it.
    #[serde(with = "crate::codec::shared")]
    pub source: Arc<str>,
    /// The date for which the source states it: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; empty for the configuration.
    #[serde(default = "Arc::default", with = "crate::codec::shared")]
    pub as_of: Arc<str>,
    /// Why this value was chosen over those in `dissent`.
    pub rule: Option<Rule>,
    /// What other sources say.
    #[serde(default = "Vec::new")]
    pub dissent: Vec<Dissent<T>>,
}

/// What another source says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dissent<T> {
    /// The value that was not chosen.
    pub value: T,
    /// Id of the source that states it.
    #[serde(with = "crate::codec::shared")]
    pub source: Arc<str>,
    /// The date for which the source states it.
    #[serde(with = "crate::codec::shared")]
    pub as_of: Arc<str>,
}

named! {
    /// Why one of several values was chosen.
    Rule {
        /// The vendor's own documentation or a maintained feed, over a page written about it.
        VendorOrFeedOverPage = "vendor-or-feed-over-page",
        /// The source with the latest as-of date.
        Newest = "newest",
        /// Most sources.
        Majority = "majority",
        /// Whoever measured or tried it, over whoever states it.
        Measured = "measured",
        /// The reading that can harm no caller: the smaller limit, the higher price.
        Cautious = "cautious",
        /// The one that stood here when an import brought another; nobody has decided between them yet.
        Kept = "kept",
    }
}
