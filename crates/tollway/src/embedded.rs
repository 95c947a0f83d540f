//! The catalog that the binary was built with.

use catalog::Snapshot;

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalog.bin"));

/// Unpacks it: a few milliseconds.
///
/// # Errors
/// The binary is damaged.
pub fn catalog() -> anyhow::Result<Snapshot> {
    Snapshot::from_bytes(BYTES)
        .map_err(|error| anyhow::anyhow!("the embedded catalog can't be read: {error}"))
}
