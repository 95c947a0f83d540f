//! Programs that others wrote, run as a user would. What can't be run fails the test that needs it.
#![expect(clippy::panic, clippy::expect_used, reason = "tests fail by panicking")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A variable that `cargo xtask test` sets; a missing one fails the test, it never skips it.
pub fn variable(name: &str) -> PathBuf {
    match std::env::var_os(name) {
        Some(value) => PathBuf::from(value),
        None => panic!("{name} is not set: run `cargo xtask test`, which installs what this needs"),
    }
}

/// The file of this project under `e2e/`.
pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The folder whose `node_modules` holds the packages that the tests need.
pub fn node_dir() -> PathBuf {
    variable("TOLLWAY_E2E_NODE_DIR")
}

/// Runs it to its end, and panics with what it said when it fails.
pub async fn run(mut command: Command) -> String {
    let name = format!("{command:?}");
    let task = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output());
    let done = tokio::time::timeout(std::time::Duration::from_secs(120), task).await;
    let Ok(Ok(Ok(Output { status, stdout, stderr }))) = done else { panic!("{name} did not run: {done:?}") };
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{name} failed:\n{out}\n{err}");
    out.into_owned()
}

/// A server that is stopped when it is dropped.
pub struct Server(Child);

impl Server {
    /// Starts it, with what it says in a file.
    pub fn start(mut command: Command, log: &std::path::Path) -> Server {
        let out = std::fs::File::create(log).expect("a log file");
        let err = out.try_clone().expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Server(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
