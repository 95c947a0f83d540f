//! Pictures of the pages, light and dark, narrow and wide, taken from the real program in a headless Chromium. What the
//! browser complains about on the way is a failure.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{sh, tools};

/// Takes the pictures of a program built now.
pub fn run() -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    take(&sh::target_dir().join("debug/tollway"))
}

/// Pictures into `target/screens`; true when the browser had nothing to say.
pub fn take(program: &Path) -> Result<bool> {
    let out = sh::root().join("target/screens");
    fs::create_dir_all(&out)?;
    let dir = tempfile::tempdir()?;
    let port = sh::free_port()?;
    let mut command = Command::new(program);
    // An empty environment: only the sandbox is on, and every picture is the same everywhere.
    command.current_dir(dir.path()).env_clear().env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}"));
    command.env("TOLLWAY_DATA_DIR", dir.path().join("data"));
    let mut server = sh::Server::start(&mut command, "TERM", &dir.path().join("log"))?;
    server.wait_until("Tollway", || sh::listens(port))?;
    let mut node = Command::new(tools::node_bin()?.join("node"));
    node.arg(sh::root().join("xtask/screens.mjs")).arg(format!("http://127.0.0.1:{port}")).arg(&out);
    node.env("TOLLWAY_SCREENS_CHROMIUM", tools::chromium()?)
        .env("TOLLWAY_SCREENS_NODE_DIR", tools::node_dir()?);
    let (status, _) = sh::tee(&mut node)?;
    Ok(status.success())
}
