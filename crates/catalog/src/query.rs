//! The filters and sorts of `GET /v1/models`.
//!
//! - Every filter must hold. What is unknown of a model satisfies no bound.
//! - Without parameters the whole catalog is selected, unpaginated: the default of `output_modalities` is all.
//! - `output_modalities` wants any of those listed; `input_modalities` and `supported_parameters` want all of them.
//! - Prices are dollars per million tokens and compare with the model's cheapest known one.
//! - `category` is accepted and filters nothing: no source sorts models into categories.
//! - `distillable` wants a licence that lets anyone train on answers (MIT, Apache-2.0). `zdr` wants an endpoint whose
//!   provider keeps nothing. `region` wants an endpoint that is said to compute there.
//! - Sorts that need live measurements sort as `newest` until there are some. Equals are in the order of their ids.

pub(crate) mod facts;
mod parse;
mod select;

pub use parse::{ModelQuery, QueryError, Region, Sort};
pub use select::{Selection, select, select_among};
