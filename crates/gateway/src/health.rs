//! `GET /healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::caller;
use crate::router;

/// The process is up.
pub fn healthz() -> Response<ResponseBody> {
    router::json(r#"{"status":"up"}"#)
}

/// Why calls can't be served, each with the check's name: nothing where the books can be kept, the store answers, and a provider is on.
pub(crate) fn failing(gateway: &Gateway) -> Vec<Value> {
    let world = gateway.world.load();
    let checks = [
        ("draining", gateway.draining.load(Ordering::Relaxed), "shutting down"),
        ("journal", gateway.journal.is_unwell(), "the journal can't be written"),
        ("store", !gateway.store_answers.load(Ordering::Relaxed), "the store doesn't answer"),
        ("catalog", world.snapshot.models.is_empty(), "the catalog is empty"),
        ("providers", world.switched_on().is_empty(), "no provider is switched on"),
    ];
    let failing = checks.iter().filter(|(_, fails, _)| *fails);
    failing.map(|(name, _, why)| json!({"check": name, "reason": why})).collect()
}

/// Calls can be served, or 503 with the reasons.
pub fn readyz(worker: &Arc<Worker>) -> Response<ResponseBody> {
    let failing = failing(&worker.gateway);
    let ready = failing.is_empty();
    let mut response = router::json(
        json!({"status": if ready { "ready" } else { "not ready" }, "failing": failing}).to_string(),
    );
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Prometheus' text, for a management key.
pub fn metrics(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    caller(worker, parts, Access::Operator)?;
    Ok(metrics_text(worker))
}

/// The same without a key: for the operator's own listener.
pub fn metrics_text(worker: &Worker) -> Response<ResponseBody> {
    let text = worker.gateway.metrics.render(worker.gateway.cache.size());
    let mut response = Response::new(ResponseBody::full(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
