//! People rate models, comment, report and moderate, in a headless Chromium before a server of their own.

use std::process::Command;

use anyhow::Result;

use crate::{screens, sh, tools};

/// Runs the journey against the program that a build of everything has left; true when all of it worked.
pub fn run() -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let (port, log) = (sh::free_port()?, dir.path().join("log"));
    let mut command = Command::new(sh::target_dir().join("debug/tollway"));
    command.current_dir(dir.path()).env_clear().env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}"));
    command.env("TOLLWAY_DATA_DIR", dir.path().join("data")).env("TOLLWAY_PEOPLE__SIGN_UP", "open");
    let mut server = sh::Server::start(&mut command, "TERM", &log)?;
    server.wait_until("Tollway", || sh::listens(port))?;
    let mut node = Command::new(tools::node_bin()?.join("node"));
    node.arg(sh::root().join("xtask/console_ratings.mjs")).arg(format!("http://127.0.0.1:{port}"));
    node.env("TOLLWAY_LOG", log);
    screens::is_well(node)
}
