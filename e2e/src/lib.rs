//! What end-to-end tests and `xtask` share: the crash loop, reading amounts exactly, and running programs.

pub mod amount;
pub mod chaos;
pub mod programs;
pub mod webhooks;
