//! `cargo xtask conformance`: every way in to every way out, and the page that says how it went.

use std::process::Command;

use anyhow::Result;

use crate::{sh, tools};

/// Runs the matrix and writes `docs/conformance.md`; true when every cell passed.
pub fn run() -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    let mut nextest = Command::new(tools::nextest()?);
    sh::from_root(&mut nextest);
    nextest.args(["nextest", "run", "--locked", "--package", "e2e", "--no-capture", "dialects::"]);
    nextest.env("TOLLWAY_E2E_NODE_DIR", tools::node_dir()?);
    nextest.env("TOLLWAY_BIN", sh::target_dir().join("debug/tollway"));
    nextest.env("TOLLWAY_E2E_CONFORMANCE", sh::root().join("docs/conformance.md"));
    let (status, _) = sh::tee(&mut nextest)?;
    Ok(status.success())
}
