//! The tables and the data hold together, and the document is one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{areas, document, operation, template};
use crate::error::TABLE;
use crate::router::ROUTES;
use crate::settings::Brand;

fn brand() -> Brand {
    Brand::new("Tollway", "tollway", "X-Tollway", "sk-tw").unwrap()
}

fn whole() -> Value {
    document(&brand(), false)
}

/// Calls `with` for every object of a tree.
fn visit(value: &Value, with: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            with(map);
            map.values().for_each(|inner| visit(inner, with));
        }
        Value::Array(items) => items.iter().for_each(|inner| visit(inner, with)),
        _ => (),
    }
}

#[test]
fn every_route_has_an_operation_and_no_operation_lacks_a_route() {
    let areas = areas::read(&brand());
    let told: Vec<&String> = areas.iter().flat_map(|area| area.operations.keys()).collect();
    let routes: BTreeSet<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let once: BTreeSet<String> = told.iter().map(|name| (*name).clone()).collect();
    assert_eq!(once.len(), told.len(), "an operation is told twice");
    assert_eq!(routes, once);
    let document = whole();
    let count: usize =
        document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
    assert_eq!(count, ROUTES.len());
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = whole();
    let mut used = BTreeSet::new();
    visit(&document, &mut |map| {
        if let Some(Value::String(target)) = map.get("$ref") {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
            used.insert(target.clone());
        }
    });
    for part in ["schemas", "parameters", "headers"] {
        for name in document["components"][part].as_object().unwrap().keys() {
            assert!(used.contains(&format!("#/components/{part}/{name}")), "nobody uses {part}/{name}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].as_str().is_some_and(|text| text.ends_with(['.', ')'])), "{name}");
    }
}

#[test]
fn ids_are_unique_and_parameters_are_those_of_the_path() {
    let ids: BTreeSet<String> = ROUTES.iter().map(operation::id).collect();
    assert_eq!(ids.len(), ROUTES.len());
    assert!(ids.contains("post_keys_hash_rotate"));
    let document = whole();
    for (path, item) in document["paths"].as_object().unwrap() {
        let named: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in item.as_object().unwrap() {
            let given = operation["parameters"].as_array().into_iter().flatten();
            let given = given.filter(|parameter| parameter["in"] == "path");
            let given: BTreeSet<&str> = given.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            assert_eq!(given, named, "{method} {path}");
        }
    }
    assert_eq!(template("/v1/models/{author}/{model}"), "/v1/models/{author}/{slug}");
}

#[test]
fn errors_are_those_of_the_table_and_bodies_have_examples() {
    for area in areas::read(&brand()) {
        for (name, told) in &area.operations {
            for kind in &told.errors {
                assert!(TABLE.iter().any(|doc| doc.kind == kind), "{name}: {kind}");
            }
            assert_eq!(told.body.is_some(), told.example.is_some(), "{name}");
            assert!(!told.answers.is_empty(), "{name}");
        }
    }
}

#[test]
fn every_header_of_answers_is_told() {
    let h = brand().headers;
    let names = [
        h.cost,
        h.input_cost,
        h.output_cost,
        h.endpoint,
        h.model,
        h.fallback_chain,
        h.fallback_reason,
        h.router_version,
        h.translation,
        h.task,
        h.task_confidence,
        h.cost_quality_applied,
        h.cache_status,
        h.cache_age,
        h.cache_ttl,
        h.cache_source_id,
        h.guardrails,
        crate::settings::GENERATION_ID,
    ];
    let document = whole();
    let told = document.pointer("/paths/~1v1~1chat~1completions/post/responses/200/headers").unwrap();
    for name in &names {
        assert!(told.get(name.as_str()).is_some(), "{name}");
    }
    assert_eq!(told.as_object().unwrap().len(), names.len());
}

#[test]
fn a_brand_is_everywhere() {
    let other = Brand::new("Gamma", "gammainfra", "X-GammaInfra", "sk-gi").unwrap();
    let text = document(&other, true).to_string();
    assert!(!text.contains("{{"), "a mark was left");
    assert!(text.contains("x-gammainfra-cost-usd") && text.contains("__Host-session"));
    assert!(!text.contains("tollway/auto") && text.contains("gammainfra/auto"));
}
