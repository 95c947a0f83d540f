//! `/console/server/...`: what whoever runs this server sees of all of it.

pub(super) mod catalog;
pub(super) mod fees;
pub(super) mod jobs;
pub(super) mod margin;
#[cfg(test)]
mod more_tests;
pub(super) mod news;
pub(super) mod people;
pub(super) mod providers;
pub(super) mod state;
#[cfg(test)]
mod tests;

/// Where people and organizations are.
pub(super) const PEOPLE: &str = "/console/server/people";
/// Where it says what was earned.
pub(super) const MARGIN: &str = "/console/server/margin";
/// Where providers are.
pub(super) const PROVIDERS: &str = "/console/server/providers";
/// Where it says what of the catalog wants somebody's eye.
pub(super) const CATALOG: &str = "/console/server/catalog";
/// Where background jobs are.
pub(super) const JOBS: &str = "/console/server/jobs";
/// Where it says how journal, store and process are.
pub(super) const STATE: &str = "/console/server/state";
/// Where fees are.
pub(super) const FEES: &str = "/console/server/fees";
/// Where the operator tells people something.
pub(super) const NEWS: &str = "/console/server/announcements";
