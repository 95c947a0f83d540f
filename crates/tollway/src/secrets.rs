//! Secrets that the node makes for itself on its first start and keeps in its data folder, readable by its user only.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use gateway::webhooks::Signer;

/// What signs notices to webhooks.
pub(crate) fn signer(data_dir: &Path) -> anyhow::Result<Signer> {
    Ok(Signer::new(kept(&data_dir.join("webhooks.secret"))?.into()))
}

/// What users' ids are hashed with before a collector sees them.
pub(crate) fn telemetry(data_dir: &Path) -> anyhow::Result<String> {
    kept(&data_dir.join("telemetry.secret"))
}

/// The text in a file of the data folder; 64 hex digits of the system's randomness when there is no file yet.
fn kept(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("can't read {}; it was made by an earlier start, restore it", path.display());
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let mut random = [0u8; 32];
            getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
            let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(unreadable)?;
            Ok(text)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(path).with_context(unreadable)?;
            anyhow::ensure!(text.len() == 64, "{} is cut: it should hold 64 characters", path.display());
            Ok(text)
        }
        Err(error) => Err(error).with_context(unreadable),
    }
}
