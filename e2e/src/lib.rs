//! What end-to-end tests and `xtask` share: the crash loop, and reading amounts exactly.

pub mod amount;
pub mod chaos;
