use super::*;
use crate::fixture::snapshot;
use crate::query::Selection;

fn pretty(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn with_view<T>(available: &dyn Fn(&Endpoint) -> bool, run: impl FnOnce(&View<'_>, usize) -> T) -> T {
    let snapshot = snapshot();
    let auto = VirtualModel {
        id: "tollway/auto".to_owned(),
        name: "Auto".to_owned(),
        description: "The best model for the prompt.".to_owned(),
    };
    let small = snapshot.resolve("small-4").unwrap();
    run(&View { snapshot: &snapshot, available, live: &unmeasured, virtual_models: &[auto] }, small)
}

#[test]
fn models_are_in_the_shape_that_clients_validate() {
    let text = with_view(&|endpoint| &*endpoint.id == "mistral/small-4", |view, _| {
        models(view, &Selection::all(view.snapshot), Some("/api/v1/models?offset=3".to_owned()))
    });
    insta::assert_snapshot!(pretty(&text));
}

#[test]
fn the_price_of_a_model_is_that_of_its_cheapest_usable_endpoint() {
    let prompt = |available: &dyn Fn(&Endpoint) -> bool| {
        let text = with_view(available, |view, at| model(view, at).unwrap());
        let value: Value = serde_json::from_str(&text).unwrap();
        value["data"]["pricing"]["prompt"].clone()
    };
    assert_eq!(prompt(&|_| true), "0.00000015");
    assert_eq!(prompt(&|endpoint| &*endpoint.id == "venice/small-4@eu"), "0.00000014");
    assert_eq!(prompt(&|_| false), "0.00000015");
    assert!(with_view(&|_| true, |view, _| model(view, 99)).is_none());
}

#[test]
fn virtual_models_are_on_the_first_page_only() {
    let text = with_view(&|_| true, |view, small| {
        models(view, &Selection { indexes: vec![small], total: 3, offset: 2 }, None)
    });
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["data"].as_array().unwrap().len(), 1);
    assert_eq!((&value["total_count"], &value["links"]["next"]), (&json!(4), &Value::Null));
}

#[test]
fn endpoints_say_price_version_and_provenance() {
    insta::assert_snapshot!(pretty(&with_view(&|_| true, |view, at| endpoints(view, at).unwrap())));
}

#[test]
fn providers_say_what_they_keep() {
    insta::assert_snapshot!(pretty(&with_view(&|_| true, |view, _| providers(view))));
}

#[test]
fn own_format_keeps_every_claim_and_fits_its_schema() {
    let text = own(&snapshot());
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    check(&schema, &value, "$");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value["endpoints"][0]).unwrap());
    assert_eq!(text.matches("\"dissent\":[{").count(), snapshot().disputed());
}

#[test]
fn models_dev_numbers_are_the_decimals_of_the_files() {
    let text = models_dev(&snapshot());
    let cost = r#""cost":{"cache_read":0.015,"input":0.15,"output":0.6,"tiers":[{"tier":{"type":"context","size":256000},"output":0.9}]}"#;
    assert!(text.contains(cost), "{text}");
    insta::assert_snapshot!(pretty(&text));
}

/// As much of JSON Schema as ours uses.
fn check(schema: &Value, value: &Value, at: &str) {
    if let Some(allowed) = schema.get("enum") {
        assert!(allowed.as_array().unwrap().contains(value), "{at}: {value} is not in {allowed}");
    }
    if let Some(wanted) = schema.get("const") {
        assert_eq!(value, wanted, "{at}");
    }
    if let Some(types) = schema.get("type") {
        let name = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert!(
            *types == *name || types.as_array().is_some_and(|t| t.contains(&json!(name))),
            "{at}: {value}"
        );
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{at}[{index}]"));
    }
    let Some(map) = value.as_object() else {
        return;
    };
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(map.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
    }
    for (key, item) in map {
        let below = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
        assert!(below.is_object(), "{at} has an unknown key {key}");
        check(below, item, &format!("{at}.{key}"));
    }
}
