//! The catalog for machines: structured data, sitemap, feeds, preview pictures, and what stands in a page's head.

pub(crate) mod card;
mod dates;
pub(crate) mod feed;
pub(crate) mod head;
pub(crate) mod jsonld;
pub(crate) mod sitemap;

pub(crate) use dates::{endpoint_as_of, model_as_of, provider_as_of};

#[cfg(test)]
mod tests;
