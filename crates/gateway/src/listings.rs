//! Large answers of the catalog: rendered once per catalog and configuration, compressed once, answered with an ETag.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use catalog::export::{View, VirtualModel};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, Response, StatusCode, header};
use parking_lot::Mutex;
use routing::health::MINUTES_SHOWN;
use routing::name::Virtual;
use routing::order::JUDGED_MIN;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::world::World;

/// Smallest body that is worth compressing.
const GZIP_BYTES_MIN: usize = 1024;

/// Answers by name.
#[derive(Debug, Default)]
pub struct Listings(Mutex<HashMap<&'static str, Entry>>);

/// A rendered answer and the world that it was rendered from.
type Entry = (Arc<World>, Arc<Rendered>);

/// A body in both forms.
#[derive(Debug)]
pub struct Rendered {
    plain: Bytes,
    gzip: Option<Bytes>,
    etag: HeaderValue,
}

impl Rendered {
    /// Compresses and hashes a body.
    pub fn new(body: String) -> Rendered {
        let hash = Sha256::digest(body.as_bytes());
        let hex: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
        let etag = HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        let gzip = (body.len() >= GZIP_BYTES_MIN).then(|| compress(body.as_bytes())).flatten();
        Rendered { plain: Bytes::from(body), gzip, etag }
    }

    /// The answer to a request with these headers: 304 when the client has it, compressed when it takes that.
    pub fn answer(&self, parts: &http::request::Parts) -> Response<ResponseBody> {
        self.answer_as(parts, HeaderValue::from_static("application/json"))
    }

    /// The same for what is no JSON.
    pub fn answer_as(
        &self,
        parts: &http::request::Parts,
        content_type: HeaderValue,
    ) -> Response<ResponseBody> {
        let text =
            |name| parts.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
        let etag = self.etag.to_str().unwrap_or_default();
        let known = text(header::IF_NONE_MATCH)
            .split(',')
            .map(str::trim)
            .any(|t| t == "*" || t.trim_start_matches("W/") == etag);
        let gzip = text(header::ACCEPT_ENCODING).split(',').any(takes_gzip);
        let mut response = Response::new(ResponseBody::empty());
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CONTENT_TYPE, content_type);
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let body = match &self.gzip {
            Some(bytes) if gzip => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                bytes
            }
            _ => &self.plain,
        };
        *response.body_mut() = ResponseBody::full(body.clone());
        response
    }
}

/// `gzip`, `*` or `gzip;q=0.5`, but not `gzip;q=0`.
fn takes_gzip(token: &str) -> bool {
    let (name, q) = token.split_once(';').unwrap_or((token, ""));
    let refused =
        q.trim().trim_start_matches("q=").trim_matches(['0', '.']).is_empty() && !q.trim().is_empty();
    matches!(name.trim(), "gzip" | "*") && !refused
}

fn compress(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// The answer called `name`, rendered off this thread when it is not there yet.
pub async fn cached(
    worker: &Worker,
    name: &'static str,
    render: fn(&Gateway, &World) -> String,
) -> Result<Arc<Rendered>, GatewayError> {
    let world = worker.gateway.world.load_full();
    let known = worker.gateway.listings.0.lock().get(name).cloned();
    if let Some((_, rendered)) = known.filter(|(from, _)| Arc::ptr_eq(from, &world)) {
        return Ok(rendered);
    }
    let gateway = Arc::clone(&worker.gateway);
    let task = worker.gateway.control.spawn_blocking(move || {
        let rendered = Arc::new(Rendered::new(render(&gateway, &world)));
        gateway.listings.0.lock().insert(name, (world, Arc::clone(&rendered)));
        rendered
    });
    task.await.map_err(|_| GatewayError::Internal)
}

/// The virtual models under the operator's brand.
pub fn virtual_models(gateway: &Gateway) -> Vec<VirtualModel> {
    let brand = &gateway.settings.brand;
    let named = |(name, _, about): &(&str, Virtual, &str)| VirtualModel {
        id: format!("{}/{name}", brand.slug),
        name: format!("{}: {name}", brand.name),
        description: (*about).to_owned(),
    };
    Virtual::ALL.iter().map(named).collect()
}

/// Calls `with` with a view of the catalog as it stands.
pub fn view<T>(gateway: &Gateway, world: &World, with: impl FnOnce(&View<'_>) -> T) -> T {
    let virtual_models = virtual_models(gateway);
    let available = |endpoint: &catalog::Endpoint| world.is_available(endpoint);
    let now = gateway.clock.now();
    let live = |endpoint: &catalog::Endpoint| live(world, endpoint, now);
    with(&View {
        snapshot: &world.snapshot,
        available: &available,
        live: &live,
        virtual_models: &virtual_models,
    })
}

/// What this node's own traffic says of an endpoint, in OpenRouter's names.
fn live(world: &World, endpoint: &catalog::Endpoint, now: types::Timestamp) -> Vec<(&'static str, Value)> {
    let found = world.snapshot.endpoints.binary_search_by(|e| e.id.cmp(&endpoint.id)).ok();
    let vitals = found.and_then(|at| world.endpoints.get(at));
    let percent = |minutes| {
        let uptime = vitals.map(|vitals| vitals.health(|health| health.uptime(minutes, now)));
        json!(uptime.and_then(|uptime| uptime.share()).map(|share| share * 100.0))
    };
    let figures = vitals.map(|v| v.health(|h| h.figures(None, MINUTES_SHOWN, now))).unwrap_or_default();
    let success =
        |(good, all): (u64, u64)| json!((all >= JUDGED_MIN).then(|| good as f64 / all as f64 * 100.0));
    vec![
        ("uptime_last_5m", percent(5)),
        ("tool_call_success_last_30m", success(figures.tool_calls)),
        ("tool_calls_last_30m", json!(figures.tool_calls.1)),
        ("json_answer_success_last_30m", success(figures.json)),
        ("json_answers_last_30m", json!(figures.json.1)),
        ("uptime_last_30m", percent(30)),
        ("uptime_last_1d", percent(1_440)),
        ("latency_last_30m", json!(figures.ttft_ms)),
        ("throughput_last_30m", json!(figures.tokens_per_s)),
        ("samples_last_30m", json!(figures.samples)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_as_meant() {
        let rows = [
            ("gzip", true),
            (" gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("br", false),
            ("gzip;q=0.0", false),
        ];
        for (token, expect) in rows {
            assert_eq!(takes_gzip(token), expect, "{token}");
        }
    }
}
