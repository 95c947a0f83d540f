//! Presets: what an account keeps of a request under a name, and what requests that name it are filled up with.
//!
//! ```json
//! {"name": "Support", "description": "Answers customers", "status": "active", "system_prompt": "Be brief.",
//!  "config": {"model": "mistralai/mistral-small-2603", "temperature": 0.2, "provider": {"zdr": true}, "tools": []}}
//! ```
//!
//! - `config` is written as a request of OpenAI Chat is, whatever dialect the requests come in: the hub carries it over, and what
//!   has no place in a dialect is told.
//! - The merge is shallow and the request wins: a field that it has is its own. Objects that only hold other dialects'
//!   parameters (`generationConfig`, `output_config`, `text`) are merged by their fields. Tools are joined, by name.
//! - `system_prompt` is for requests that bring no system text of their own.
//! - Reading is strict: what is wrong is refused with its place and what would be right.

mod apply;
mod made;
mod read;
mod translate;
mod variant;

pub use apply::{Applied, Asks, apply};
pub use made::{Made, from_request};
pub use read::{CacheWish, Preset, PresetError, Status};
pub use variant::Variant;

/// What stands in a model's name before a preset's.
pub const MARK: &str = "@preset/";

#[cfg(test)]
mod tests;
