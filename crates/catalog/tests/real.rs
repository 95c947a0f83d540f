//! The catalog that ships.

use std::path::Path;

use catalog::query::{ModelQuery, Selection, select};
use catalog::{Problem, Snapshot, export, load_dir};
use tollway_catalog as catalog;

#[expect(clippy::expect_used, reason = "a test's helper")]
fn shipped() -> Snapshot {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog");
    let told = |problems: Vec<Problem>| problems.iter().map(|p| format!("{p}\n")).collect::<String>();
    load_dir(&dir).map_err(told).expect("the shipped catalog has no problem")
}

#[test]
fn the_shipped_catalog_is_whole() {
    let snapshot = shipped();
    let counts = [
        ("models", snapshot.models.len(), 450),
        ("endpoints", snapshot.endpoints.len(), 1362),
        ("providers", snapshot.providers.len(), 69),
        ("benchmarks", snapshot.models.iter().map(|model| model.benchmarks.len()).sum(), 288),
        ("disputed facts", snapshot.disputed(), 8),
        ("descriptions", snapshot.models.iter().filter(|model| model.description.is_some()).count(), 60),
    ];
    for (what, count, least) in counts {
        assert!(count >= least, "{count} {what}, at least {least} are wanted");
    }
}

#[test]
fn the_names_of_five_systems_mean_one_model() {
    let snapshot = shipped();
    for name in [
        "mistral/mistral-small-2603",
        "mistral-small-4",
        "mistralai/mistral-small-2603",
        "Mistral-Small-2603",
    ] {
        let model = snapshot.resolve(name).map(|at| &*snapshot.models[at].id);
        assert_eq!(model, Some("mistralai/mistral-small-2603"), "{name}");
    }
    for endpoint in &snapshot.endpoints {
        let name = format!("{}/{}", snapshot.providers[endpoint.provider].id, endpoint.provider_model_id);
        assert!(snapshot.resolve(&name).is_some(), "{name} means nothing or two models");
    }
    assert!(snapshot.suggest("mistralai/mistral-smal-2603").contains(&"mistralai/mistral-small-2603"));
}

#[test]
fn the_shipped_catalog_survives_its_byte_form() {
    let snapshot = shipped();
    let bytes = snapshot.to_bytes().unwrap();
    let again = Snapshot::from_bytes(&bytes).unwrap();
    assert_eq!(again.models, snapshot.models);
    assert_eq!(again.endpoints, snapshot.endpoints);
    assert!(catalog::diff(&snapshot, &again).is_empty());
}

#[test]
fn the_sandbox_is_there_and_priced() {
    let snapshot = shipped();
    let echo = snapshot.endpoint("sandbox/echo").expect("sandbox/echo");
    assert!(echo.is_priced() && snapshot.models[echo.model].is_chat());
}

#[test]
fn every_model_is_listed_and_every_format_is_written() {
    let snapshot = shipped();
    let view = export::View {
        snapshot: &snapshot,
        available: &|_| true,
        live: &export::unmeasured,
        virtual_models: &[],
    };
    let all = select(&snapshot, &ModelQuery::default(), 0);
    assert_eq!((all.total, &all), (snapshot.models.len(), &Selection::all(&snapshot)));
    let listed: serde_json::Value = serde_json::from_str(&export::models(&view, &all, None)).unwrap();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(snapshot.models.len()));
    for text in
        [export::own(&snapshot), export::models_dev(&snapshot), export::providers(&view), export::schema()]
    {
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|value| value.is_object()));
    }
}

#[test]
fn the_shipped_catalog_is_written_and_read_back_as_it_is() {
    let snapshot = shipped();
    let dir = tempfile::tempdir().expect("a folder");
    for (file, text) in catalog::files(&snapshot) {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }
    let again = load_dir(dir.path()).expect("what was written has no problem");
    assert_eq!(again.providers, snapshot.providers);
    assert_eq!(again.endpoints, snapshot.endpoints);
    assert_eq!(again.models, snapshot.models);
    assert_eq!(again.version, snapshot.version);
    let own = catalog::import::own(&export::own(&snapshot)).expect("our own format");
    assert_eq!(own.version, snapshot.version);
}

#[test]
fn what_is_exported_of_the_shipped_catalog_comes_back_without_dissent() {
    use catalog::import::{Format, import};
    let snapshot = shipped();
    let feeds = [
        (Format::ModelsDev, export::models_dev(&snapshot)),
        (Format::Litellm, export::litellm(&snapshot)),
        (Format::GenaiPrices, export::genai(&snapshot)),
    ];
    for (format, text) in feeds {
        let imported =
            import(format, &text, &snapshot, "2027-01-01", None).map_err(|error| error.to_string());
        let imported = imported.expect("our own words are understood");
        let changed = catalog::diff(&snapshot, &imported.snapshot);
        assert!(changed.prices_changed.is_empty(), "{}: {:?}", format.name(), changed.prices_changed.first());
        assert!(imported.report.unknown_fields.is_empty(), "{}: {}", format.name(), imported.report);
        assert!(imported.report.claims.agreed > 500, "{}: {}", format.name(), imported.report);
    }
}
