//! `tollway docs`: the generated documentation.

use std::path::Path;

use super::{Context, Failure};
use crate::{docs_gen, embedded};

pub(super) fn write(context: &mut Context<'_>, dir: &Path) -> Result<(), Failure> {
    let catalog = embedded::catalog().map_err(|error| Failure::Failed(error.to_string()))?;
    let pages = docs_gen::pages(gateway::error::TABLE, &catalog);
    let names: Vec<&str> = pages.iter().map(|(name, _)| *name).collect();
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
    for (name, text) in &pages {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    let human = format!("wrote {} into {}", names.join(", "), dir.display());
    context.out.answer(&human, &serde_json::json!({ "dir": dir, "files": names }))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!(
        "can't write {}: {error}; choose a folder that can be written to",
        path.display()
    ))
}
