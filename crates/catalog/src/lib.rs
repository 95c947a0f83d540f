//! The catalog: reviewed TOML files in, one immutable snapshot out.
//!
//! [`load_dir`] reads a folder whole or refuses it whole, with file, line and rule of everything wrong. A [`Snapshot`]
//! answers by id, by any name that callers use ([`Snapshot::resolve`]) and by query ([`query`]); [`export`] writes it
//! in the formats that others read. Every fact is a [`Claim`] with its source and date. Nothing here reads a clock or
//! opens a socket.

mod claim;
mod codec;
mod diff;
mod document;
mod endpoint;
pub mod export;
mod facts;
pub mod import;
mod kind;
mod load;
mod model;
mod named;
mod overlay;
mod parameters;
mod price;
mod problem;
mod provider;
pub mod query;
mod read;
mod resolve;
pub mod review;
mod snapshot;
mod validate;
mod write;

pub use claim::{Claim, Dissent, Rule};
pub use codec::CodecError;
pub use diff::{Diff, FactChange, PriceChange, QuoteChange, diff, quote_changes};
pub use endpoint::{Endpoint, EndpointFacts, PriceClaim, Status, blended};
pub use load::load_dir;
pub use model::{Author, Benchmark, Modality, Model, ModelFacts, Purpose, Source};
pub use overlay::{CONFIG_SOURCE, Overlay, OverlayModel, OverlayProvider};
pub use problem::Problem;
pub use provider::{
    ErrorShape, MaxTokensName, OnDisconnect, Protocol, Provider, ProviderFacts, Quirks, StreamUsage,
    ToolCallIds, UnknownProtocol,
};
pub use snapshot::Snapshot;
pub use write::{changed_files, files};

#[cfg(test)]
mod fixture;
