//! `/console/server/...`: what whoever runs this server sees of all of it.

pub(super) mod margin;
pub(super) mod people;
pub(super) mod providers;
#[cfg(test)]
mod tests;

/// Where people and organizations are.
pub(super) const PEOPLE: &str = "/console/server/people";
/// Where it says what was earned.
pub(super) const MARGIN: &str = "/console/server/margin";
/// Where providers are.
pub(super) const PROVIDERS: &str = "/console/server/providers";
