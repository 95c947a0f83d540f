//! What tests are built from: [`FakeUpstream`], a provider whose every byte is scripted; [`TestApp`], the real binary in
//! a folder of its own; and actors that call it. A kit fails by panicking with what it saw, at the test's own line.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test kit fails by panicking, with what it saw"
)]

pub mod app;
pub mod canned;
pub mod http;
pub mod issuer;
pub mod sse;
pub mod upstream;

pub use app::{Actor, AppBuilder, Lab, TestApp, ask, ask_stream};
pub use http::{Body, Client, Reply, Request};
pub use issuer::FakeIssuer;
pub use upstream::{FakeUpstream, Gate, Recorded, Script, Tokens};

use std::future::Future;
use std::time::Duration;

/// How long the kit waits for something that must happen, milliseconds. It bounds a failing test, nothing else.
pub const PATIENCE_MS: u64 = 20_000;

/// The same for a command, which may have a hundred thousand records to check.
pub const COMMAND_PATIENCE_MS: u64 = 300_000;

/// Waits for `what`, and panics when it doesn't come within [`PATIENCE_MS`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_ms(PATIENCE_MS, what, future).await
}

/// Waits for `what`, and panics when it doesn't come within so many milliseconds.
pub async fn within_ms<T>(patience_ms: u64, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_millis(patience_ms), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {patience_ms} ms in vain: {what}"),
    }
}

/// Asks `check` again and again until it gives a value, and panics when it doesn't within [`PATIENCE_MS`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut check: impl FnMut() -> F) -> T {
    within(what, async {
        loop {
            if let Some(value) = check().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}
