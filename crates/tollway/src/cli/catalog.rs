//! `tollway catalog`

use std::path::Path;

use ::catalog::{Snapshot, export};
use serde_json::json;

use super::args::ExportFormat;
use super::{Context, Failure, load};
use crate::config::provider_states;

pub(super) fn check(context: &mut Context<'_>, dir: Option<&Path>) -> Result<(), Failure> {
    let (from, snapshot) = match dir {
        Some(dir) => (dir.display().to_string(), load::read_dir(dir)?),
        None => {
            let loaded = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
            let dir = loaded.config.catalog.dir.as_deref();
            (dir.map_or_else(|| "built in".to_owned(), |dir| dir.display().to_string()), loaded.catalog)
        }
    };
    let human = format!("the catalog ({from}) is good: {}", counts(&snapshot));
    let json = json!({
        "ok": true,
        "from": from,
        "version": &*snapshot.version,
        "models": snapshot.models.len(),
        "providers": snapshot.providers.len(),
        "endpoints": snapshot.endpoints.len(),
    });
    context.out.answer(&human, &json)
}

/// `573 models, 69 providers, 1362 endpoints (1301 with a known price)`
pub(super) fn counts(snapshot: &Snapshot) -> String {
    format!(
        "{} models, {} providers, {} endpoints ({} with known prices)",
        snapshot.models.len(),
        snapshot.providers.len(),
        snapshot.endpoints.len(),
        snapshot.endpoints.iter().filter(|endpoint| endpoint.is_priced()).count(),
    )
}

pub(super) fn export(context: &mut Context<'_>, format: ExportFormat) -> Result<(), Failure> {
    let loaded = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
    let snapshot = &loaded.catalog;
    let text = match format {
        ExportFormat::Own => export::own(snapshot),
        ExportFormat::ModelsDev => export::models_dev(snapshot),
        ExportFormat::Openrouter => {
            let states = provider_states(&loaded.config, snapshot, context.env);
            let available = |endpoint: &::catalog::Endpoint| {
                states.get(endpoint.provider).is_some_and(|state| state.on) && endpoint.is_priced()
            };
            let view = export::View {
                snapshot,
                available: &available,
                live: &export::unmeasured,
                virtual_models: &[],
            };
            let query = ::catalog::query::ModelQuery::parse(&[])
                .map_err(|error| Failure::Failed(format!("the empty query is refused: {}", error.allowed)))?;
            let today = context.clock.now().day();
            export::models(&view, &::catalog::query::select(snapshot, &query, today), None)
        }
    };
    context.out.raw(&text)
}
