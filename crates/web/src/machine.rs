//! The catalog for machines: structured data, sitemap, feeds, preview pictures, and what stands in a page's head.

pub mod card;
mod dates;
pub mod feed;
pub mod head;
pub mod jsonld;
pub mod sitemap;

pub use dates::{endpoint_as_of, model_as_of, provider_as_of};

#[cfg(test)]
mod tests;
