//! `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent` and `:countTokens`, and the list of models in
//! Gemini's shape. The same paths under `/v1`, where newer clients call them.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use serde_json::json;
use types::GenerationId;
use wire::hub::Dialect;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::call::{self, Path};
use crate::count;
use crate::error::GatewayError;
use crate::models::Own;
use crate::router;

/// Any of the calls of a model.
pub async fn call<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    parts: Parts,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let Some((model, verb)) = model_and_verb(parts.uri.path()) else {
        return Err(GatewayError::NotFound(String::from(
            "a model's path ends in `:generateContent`, `:streamGenerateContent` or `:countTokens`",
        )));
    };
    let query = router::query(&parts);
    let asked = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let stream = verb == "streamGenerateContent";
    let path =
        Path { model: Some(&model), stream, array: stream && asked("alt") != Some("sse"), key: asked("key") };
    match verb {
        "generateContent" | "streamGenerateContent" => {
            call::serve(worker, id, Dialect::Gemini, parts.headers, body, path).await
        }
        "countTokens" => count::serve(worker, Dialect::Gemini, parts.headers, body, path).await,
        other => Err(GatewayError::NotFound(format!(
            "`:{}` is not served; use `:generateContent`, `:streamGenerateContent` or `:countTokens`",
            other.chars().take(40).collect::<String>()
        ))),
    }
}

/// The model and the verb of a path; the model may hold a slash, escaped or not.
fn model_and_verb(path: &str) -> Option<(String, &str)> {
    let (_, rest) = path.split_once("/models/")?;
    let (model, verb) = rest.rsplit_once(':')?;
    let model = percent_encoding::percent_decode_str(model).decode_utf8().ok()?;
    (!model.is_empty()).then(|| (model.into_owned(), verb))
}

/// `GET /v1beta/models`.
pub fn models(worker: &Arc<Worker>, parts: &Parts) -> Response<ResponseBody> {
    let own = Own::of(worker, parts);
    let world = worker.gateway.world.load();
    let snapshot = &world.snapshot;
    let models: Vec<_> = snapshot
        .models
        .iter()
        .filter(|model| model.is_chat() && own.may(&model.id))
        .map(|model| {
            json!({
                "name": format!("models/{}", model.id),
                "displayName": model.name,
                "inputTokenLimit": model.context_tokens(),
                "outputTokenLimit": model.max_output_tokens(),
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
            })
        })
        .collect();
    router::json(json!({ "models": models }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_model_and_verb() {
        let rows = [
            ("/v1beta/models/gemini-3:generateContent", Some(("gemini-3", "generateContent"))),
            ("/v1/models/a/b:free:countTokens", Some(("a/b:free", "countTokens"))),
            ("/v1beta/models/a%2Fb:streamGenerateContent", Some(("a/b", "streamGenerateContent"))),
            ("/v1beta/models/a", None),
            ("/v1beta/models/:generateContent", None),
        ];
        for (path, expect) in rows {
            let found = model_and_verb(path);
            assert_eq!(found.as_ref().map(|(model, verb)| (model.as_str(), *verb)), expect, "{path}");
        }
    }
}
