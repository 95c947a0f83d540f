//! Finds the binary under test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of the `tollway` binary: `TOLLWAY_BIN`, else one built now with the profile and into the folder of the
/// running test, so that a test never meets yesterday's binary.
pub(super) fn tollway() -> &'static PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| std::env::var_os("TOLLWAY_BIN").map_or_else(build, PathBuf::from))
}
fn build() -> PathBuf {
    // A test lies in <target>/<profile>/deps.
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().find(|folder| folder.join("deps").is_dir()).expect("a profile folder");
    let target = profile.parent().expect("a target folder");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "tollway", "--bin", "tollway", "--profile", name])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .status()
        .expect("run cargo");
    assert!(status.success(), "the binary under test doesn't build");
    profile.join("tollway")
}
