//! `GET /catalog.json`, `/api.json` and `/catalog/schema.json`: the whole catalog as files. Public.

use std::sync::Arc;

use catalog::export;
use http::Response;
use http::request::Parts;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::listings::cached;

/// Our own format, with provenance and dissent.
pub async fn catalog(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    Ok(cached(worker, "catalog", |_, world| export::own(&world.snapshot)).await?.answer(parts))
}

/// The models.dev shape.
pub async fn models_dev(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    Ok(cached(worker, "models.dev", |_, world| export::models_dev(&world.snapshot)).await?.answer(parts))
}

/// JSON Schema of our own format.
pub async fn schema(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    Ok(cached(worker, "schema", |_, _| export::schema()).await?.answer(parts))
}
