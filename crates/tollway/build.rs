//! Compiles `catalog/` into the one snapshot that the binary embeds. A bad file stops the build with file, line and rule.

use std::path::Path;

fn main() -> Result<(), String> {
    // Asked for now, not when this was compiled: a target folder may outlive the clone that filled it.
    let manifest_dir =
        std::env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set; build with cargo")?;
    let dir = Path::new(&manifest_dir).join("../../catalog");
    println!("cargo::rerun-if-changed={}", dir.display());
    let snapshot = catalog::load_dir(&dir)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let bytes = snapshot.to_bytes().map_err(|error| error.to_string())?;
    let out = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set; build with cargo")?;
    std::fs::write(Path::new(&out).join("catalog.bin"), bytes).map_err(|error| error.to_string())
}
