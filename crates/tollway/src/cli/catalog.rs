//! `tollway catalog`

use std::path::Path;

use ::catalog::{Snapshot, export, quote_changes};
use serde_json::json;

use super::args::{Diff, ExportCatalog, ExportFormat};
use super::output::columns;
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

pub(super) fn export(context: &mut Context<'_>, args: &ExportCatalog) -> Result<(), Failure> {
    let loaded = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
    let snapshot = &loaded.catalog;
    let states = provider_states(&loaded.config, snapshot, context.env);
    let available = |endpoint: &::catalog::Endpoint| {
        states.get(endpoint.provider).is_some_and(|state| state.on) && endpoint.is_priced()
    };
    let view =
        export::View { snapshot, available: &available, live: &export::unmeasured, virtual_models: &[] };
    let text = match args.format {
        ExportFormat::Own => export::own(snapshot),
        ExportFormat::ModelsDev => export::models_dev(snapshot),
        ExportFormat::Openrouter => {
            let query = ::catalog::query::ModelQuery::parse(&[])
                .map_err(|error| Failure::Failed(format!("the empty query is refused: {}", error.allowed)))?;
            let today = context.clock.now().day();
            export::models(&view, &::catalog::query::select(snapshot, &query, today), None)
        }
        ExportFormat::ProviderDocument => export::provider_document(&view),
        ExportFormat::Litellm => export::litellm(snapshot),
        ExportFormat::GenaiPrices => export::genai(snapshot),
    };
    if args.file.as_os_str() == "-" {
        return context.out.raw(&text);
    }
    std::fs::write(&args.file, format!("{text}\n"))
        .map_err(|error| Failure::Failed(format!("can't write {}: {error}", args.file.display())))?;
    let human = format!("wrote {}", args.file.display());
    context.out.answer(&human, &json!({ "file": args.file, "version": &*snapshot.version }))
}

/// A catalog by how the command line names it.
fn named(context: &Context<'_>, name: &str) -> Result<Snapshot, Failure> {
    if name == "built-in" {
        return Ok((context.parts.embedded)()?);
    }
    let path = Path::new(name);
    if path.is_dir() {
        return load::read_dir(path);
    }
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = "name a catalog's folder, a file of `tollway catalog export own`, or `built-in`";
        Failure::BadInput(format!("can't read {name}: {error}; {what}"))
    })?;
    ::catalog::import::own(&text).map_err(|error| Failure::BadInput(format!("{name}: {error}")))
}

pub(super) fn diff(context: &mut Context<'_>, args: &Diff) -> Result<(), Failure> {
    let old = named(context, &args.old)?;
    let new = match &args.new {
        Some(name) => named(context, name)?,
        None => load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?.catalog,
    };
    let diff = ::catalog::diff(&old, &new);
    context.out.answer(&diff_table(&diff), &diff_json(&diff, &old, &new))
}

/// What changed, a line each, under a line that counts.
pub(super) fn diff_table(diff: &::catalog::Diff) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |cells: [&str; 4]| rows.push(cells.map(str::to_owned).to_vec());
    for (what, verb, ids) in [
        ("model", "added", &diff.models_added),
        ("model", "removed", &diff.models_removed),
        ("provider", "added", &diff.providers_added),
        ("provider", "removed", &diff.providers_removed),
        ("endpoint", "added", &diff.endpoints_added),
        ("endpoint", "removed", &diff.endpoints_removed),
    ] {
        for id in ids {
            row([what, id, verb, ""]);
        }
    }
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    for change in &diff.prices_changed {
        for quote in quote_changes(&change.old, &change.new) {
            let when = if quote.when.is_empty() { String::new() } else { format!(" ({})", quote.when) };
            let percent = quote.percent.as_ref().map(|percent| format!(" ({percent} %)")).unwrap_or_default();
            let moved = format!("{} -> {}{percent}", value(&quote.old), value(&quote.new));
            row(["price", &change.endpoint, &format!("{}{when}", quote.price), &moved]);
        }
    }
    for (verb, changes) in [("fact", &diff.facts_changed), ("deprecation", &diff.deprecations)] {
        for change in changes {
            row([
                verb,
                &change.id,
                &change.fact,
                &format!("{} -> {}", value(&change.old), value(&change.new)),
            ]);
        }
    }
    if rows.is_empty() { diff.to_string() } else { format!("{diff}\n\n{}", columns(&rows)) }
}

pub(super) fn diff_json(diff: &::catalog::Diff, old: &Snapshot, new: &Snapshot) -> serde_json::Value {
    let prices = diff.prices_changed.iter().map(|change| {
        json!({
            "endpoint": change.endpoint, "model": change.model,
            "old_version": change.old_version, "new_version": change.new_version,
            "changes": quote_changes(&change.old, &change.new),
        })
    });
    json!({
        "old": &*old.version,
        "new": &*new.version,
        "models_added": diff.models_added,
        "models_removed": diff.models_removed,
        "providers_added": diff.providers_added,
        "providers_removed": diff.providers_removed,
        "endpoints_added": diff.endpoints_added,
        "endpoints_removed": diff.endpoints_removed,
        "prices_changed": prices.collect::<Vec<_>>(),
        "facts_changed": diff.facts_changed,
        "deprecations": diff.deprecations,
    })
}
