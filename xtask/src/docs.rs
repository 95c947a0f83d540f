//! The pages of `docs/` that the program writes about itself.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::sh;

/// Writes the pages, or with `check` only compares them; true when nothing was stale.
pub fn run(check: bool) -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    let stale = stale(&sh::target_dir().join("debug/tollway"), !check)?;
    for page in &stale {
        println!("{} docs/{page}", if check { "stale:" } else { "wrote" });
    }
    if check && !stale.is_empty() {
        println!("run `cargo xtask docs` and commit what it writes");
    }
    Ok(!check || stale.is_empty())
}

/// The names of the pages that differ from what this program writes; with `write` they are mended.
pub fn stale(program: &Path, write: bool) -> Result<Vec<String>> {
    let fresh = tempfile::tempdir()?;
    sh::run(std::process::Command::new(program).args(["docs", "--dir"]).arg(fresh.path()))?;
    let docs = sh::root().join("docs");
    let mut stale = Vec::new();
    let mut page_count = 0;
    for entry in fs::read_dir(fresh.path())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).with_context(|| format!("reading the new {name}"))?;
        page_count += 1;
        if fs::read_to_string(docs.join(&name)).ok().as_deref() == Some(&text) {
            continue;
        }
        if write {
            fs::write(docs.join(&name), text)?;
        }
        stale.push(name);
    }
    ensure!(page_count > 0, "`tollway docs` wrote no page");
    stale.sort();
    Ok(stale)
}
