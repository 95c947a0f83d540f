//! Configuration and catalog together, since each needs the other: variables name providers by slugs that the catalog
//! knows, and the configuration says which catalog that is.

use std::path::Path;

use catalog::Snapshot;

use super::Failure;
use crate::config::{self, Config, Environment};

/// What a start or a reload needs.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The catalog, with what the configuration adds.
    pub catalog: Snapshot,
}

/// Loads both, whole or not at all.
///
/// # Errors
/// Everything that is wrong with the configuration, or with the catalog, one line each.
pub fn load(
    file: Option<&Path>,
    env: &Environment,
    embedded: fn() -> anyhow::Result<Snapshot>,
) -> Result<Loaded, Failure> {
    let file = config::read_file(file, env)?;
    let built_in = embedded()?;
    let mut config = config::parse(file.as_ref(), env, &slugs(&built_in))?;
    let base = match config.catalog.dir.as_deref() {
        None => built_in,
        Some(dir) => {
            let own = read_dir(dir)?;
            config = config::parse(file.as_ref(), env, &slugs(&own))?;
            own
        }
    };
    let catalog =
        base.with_overlay(&config.overlay()).map_err(|lines| Failure::BadInput(lines.join("\n")))?;
    Ok(Loaded { config, catalog })
}

/// The configuration, and the built-in catalog: where the configured folder need not be there yet.
pub(super) fn configured(
    file: Option<&Path>,
    env: &Environment,
    embedded: fn() -> anyhow::Result<Snapshot>,
) -> Result<(Config, Snapshot), Failure> {
    let file = config::read_file(file, env)?;
    let built_in = embedded()?;
    let config = config::parse(file.as_ref(), env, &slugs(&built_in))?;
    Ok((config, built_in))
}

/// Loads a catalog's folder.
pub(super) fn read_dir(dir: &Path) -> Result<Snapshot, Failure> {
    catalog::load_dir(dir).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("{}/{p}", dir.display())).collect();
        Failure::Failed(lines.join("\n"))
    })
}

fn slugs(catalog: &Snapshot) -> Vec<&str> {
    catalog.providers.iter().map(|provider| provider.id.as_ref()).collect()
}
