//! `GET /v1/models` and one model: OpenRouter's shape, OpenAI's fields, and ours.

use serde_json::{Map, Value, json};

use super::common::{architecture, cheapest, created, pricing, tokenizer};
use super::{View, VirtualModel};
use crate::model::{Modality, Model};
use crate::query::Selection;

/// `{data: [...], total_count, links: {next}}`. Virtual models come first, on the first page.
pub fn models(view: &View<'_>, selection: &Selection, links_next: Option<String>) -> String {
    let first_page = selection.offset == 0;
    let virtual_models = view.virtual_models.iter().filter(|_| first_page).map(virtual_entry);
    let real =
        selection.indexes.iter().filter_map(|at| Some(entry(view, *at, view.snapshot.models.get(*at)?)));
    let data: Vec<Value> = virtual_models.chain(real).collect();
    json!({
        "object": "list",
        "data": data,
        "total_count": selection.total + view.virtual_models.len(),
        "links": {"next": links_next},
    })
    .to_string()
}

/// `{data: {...}}` for the model at this position; `None`: there is none.
pub fn model(view: &View<'_>, at: usize) -> Option<String> {
    let model = view.snapshot.models.get(at)?;
    Some(json!({"data": entry(view, at, model)}).to_string())
}

fn entry(view: &View<'_>, at: usize, model: &Model) -> Value {
    let snapshot = view.snapshot;
    let best = cheapest(view, at);
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("id", json!(model.id));
    put("canonical_slug", json!(model.id));
    put("object", json!("model"));
    put("owned_by", json!(model.author));
    if let Some(id) = hugging_face_id(model) {
        put("hugging_face_id", json!(id));
    }
    put("name", json!(model.name));
    put("created", json!(created(model)));
    put("description", json!(model.description.as_deref().unwrap_or_default()));
    put("context_length", json!(model.context_tokens()));
    put("architecture", architecture(model.input_modalities(), model.output_modalities(), tokenizer(model)));
    put("pricing", pricing(best.map(|endpoint| &*endpoint.price)));
    put(
        "top_provider",
        json!({
            "context_length": best.and_then(|e| e.context_tokens(snapshot)).or(model.context_tokens()),
            "max_completion_tokens": best.and_then(|e| e.max_output_tokens(snapshot)).or(model.max_output_tokens()),
            "is_moderated": false,
        }),
    );
    put("per_request_limits", Value::Null);
    put("supported_parameters", json!(snapshot.model_parameters(at)));
    put("default_parameters", Value::Null);
    put("supported_voices", Value::Null);
    put("knowledge_cutoff", json!(model.facts.knowledge_cutoff.as_ref().map(|claim| &claim.value)));
    put("expiration_date", json!(model.facts.retires.as_ref().map(|claim| &claim.value)));
    put("successor", json!(model.facts.successor.as_ref().map(|claim| &claim.value)));
    put("links", json!({"details": format!("/api/v1/models/{}/endpoints", model.id)}));
    put("available", json!(snapshot.model_endpoints(at).any(|endpoint| (view.available)(endpoint))));
    put("endpoint_count", json!(snapshot.endpoints_of(at).len()));
    put("aliases", json!(model.aliases));
    Value::Object(map)
}

fn virtual_entry(model: &VirtualModel) -> Value {
    let author =
        model.id.split_once('/').map_or(model.id.as_str(), |(author, _)| author.trim_start_matches('@'));
    json!({
        "id": model.id,
        "canonical_slug": model.id,
        "object": "model",
        "owned_by": author,
        "name": model.name,
        "created": 0,
        "description": model.description,
        "context_length": null,
        "architecture": architecture(&[Modality::Text], &[Modality::Text], "Router"),
        "pricing": {"prompt": "-1", "completion": "-1"},
        "top_provider": {"context_length": null, "max_completion_tokens": null, "is_moderated": false},
        "per_request_limits": null,
        "supported_parameters": [],
        "default_parameters": null,
        "supported_voices": null,
        "knowledge_cutoff": null,
        "expiration_date": null,
        "links": {"details": format!("/api/v1/models/{}/endpoints", model.id)},
        "available": true,
        "endpoint_count": 0,
        "aliases": [],
    })
}

/// `<owner>/<name>` of a Hugging Face address.
fn hugging_face_id(model: &Model) -> Option<&str> {
    let url = &model.facts.weights_url.as_ref()?.value;
    let path = url.strip_prefix("https://huggingface.co/")?;
    (path.split('/').filter(|part| !part.is_empty()).count() == 2).then(|| path.trim_end_matches('/'))
}
