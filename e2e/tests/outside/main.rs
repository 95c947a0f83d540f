//! Programs from outside that are too large for every run: each test says which option of `cargo xtask test` runs it.
#![expect(clippy::indexing_slicing, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod agents;
mod llama;
