//! The flat list of routes, and the way from a request to its handler.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use wire::hub::Dialect;

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::rules::edit::Op;
use crate::settings::GENERATION_ID;
use crate::{
    activity, audio, catalog_feeds, chat, completions, credits, embeddings, feedback, gemini, generation,
    health, images, key, messages, models, payments, policies, presets, rerank, responses, route as dry_run,
};

/// A route: its path without `/api`, its method, who may call it, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The only method (GET routes answer HEAD too).
    pub method: &'static str,
    /// `{name}` stands for one segment.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// One line for the documentation.
    pub about: &'static str,
    handler: Handler,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Chat,
    Completions,
    Messages,
    CountTokens,
    Responses,
    Response,
    ResponseDelete,
    ResponseInput,
    Gemini,
    GeminiModels,
    Embeddings,
    Rerank,
    Images,
    Speech,
    Transcriptions,
    Route,
    Models,
    ModelsCount,
    Model,
    Endpoints,
    Providers,
    Key,
    Credits,
    Generation,
    Feedback,
    Activity,
    Policies(Op),
    Presets(Op),
    PresetFrom(Dialect),
    Payments(payments::routes::At),
    Catalog,
    ModelsDev,
    Schema,
    Healthz,
    Readyz,
    Metrics,
}

impl Handler {
    /// The dialect of its errors, and whether it makes a generation.
    const fn speaks(self) -> (Dialect, bool) {
        match self {
            Handler::Chat | Handler::Completions => (Dialect::Chat, true),
            Handler::Embeddings
            | Handler::Rerank
            | Handler::Images
            | Handler::Speech
            | Handler::Transcriptions => (Dialect::Chat, true),
            Handler::Responses => (Dialect::Responses, true),
            Handler::Messages => (Dialect::Messages, true),
            Handler::CountTokens => (Dialect::Messages, false),
            Handler::Gemini => (Dialect::Gemini, true),
            Handler::GeminiModels => (Dialect::Gemini, false),
            _ => (Dialect::Chat, false),
        }
    }
}

pub(crate) const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    handler: Handler,
    about: &'static str,
) -> Route {
    Route { method, path, access, about, handler }
}

/// Every route of the data plane; those of payments follow it in [`all`]. Those under `/v1` are served under `/api/v1` too.
pub const ROUTES: &[Route] = &[
    route(
        "POST",
        "/v1/chat/completions",
        Access::ApiKey,
        Handler::Chat,
        "OpenAI Chat Completions, streamed and not",
    ),
    route("POST", "/v1/completions", Access::ApiKey, Handler::Completions, "OpenAI's older text completions"),
    route(
        "POST",
        "/v1/responses",
        Access::ApiKey,
        Handler::Responses,
        "OpenAI Responses, stateful, for any model",
    ),
    route("GET", "/v1/responses/{id}", Access::ApiKey, Handler::Response, "a kept response"),
    route("DELETE", "/v1/responses/{id}", Access::ApiKey, Handler::ResponseDelete, "forget a kept response"),
    route(
        "GET",
        "/v1/responses/{id}/input_items",
        Access::ApiKey,
        Handler::ResponseInput,
        "the input items of a kept response",
    ),
    route("POST", "/v1/messages", Access::ApiKey, Handler::Messages, "Anthropic Messages, for any model"),
    route(
        "POST",
        "/v1/messages/count_tokens",
        Access::ApiKey,
        Handler::CountTokens,
        "how many input tokens a Messages request has",
    ),
    route(
        "POST",
        "/v1beta/models/{model}",
        Access::ApiKey,
        Handler::Gemini,
        "Gemini: `{model}:generateContent`, `:streamGenerateContent`, `:countTokens`, for any model",
    ),
    route(
        "POST",
        "/v1beta/models/{author}/{model}",
        Access::ApiKey,
        Handler::Gemini,
        "the same for ids with their author",
    ),
    route(
        "POST",
        "/v1/models/{model}",
        Access::ApiKey,
        Handler::Gemini,
        "Gemini, as its newer clients call it",
    ),
    route(
        "POST",
        "/v1/models/{author}/{model}",
        Access::ApiKey,
        Handler::Gemini,
        "the same for ids with their author",
    ),
    route(
        "POST",
        "/v1/embeddings",
        Access::ApiKey,
        Handler::Embeddings,
        "vectors of texts, in OpenAI's shape",
    ),
    route("POST", "/v1/rerank", Access::ApiKey, Handler::Rerank, "documents by relevance, in Cohere's shape"),
    route(
        "POST",
        "/v1/images/generations",
        Access::ApiKey,
        Handler::Images,
        "images from a text, streamed and not, in OpenAI's shape",
    ),
    route(
        "POST",
        "/v1/audio/speech",
        Access::ApiKey,
        Handler::Speech,
        "speech from a text, in OpenAI's shape",
    ),
    route(
        "POST",
        "/v1/audio/transcriptions",
        Access::ApiKey,
        Handler::Transcriptions,
        "text from speech, as a form or in JSON",
    ),
    route("GET", "/v1beta/models", Access::Public, Handler::GeminiModels, "the catalog in Gemini's shape"),
    route(
        "GET",
        "/v1/models",
        Access::Public,
        Handler::Models,
        "the catalog in OpenRouter's and OpenAI's shape",
    ),
    route("GET", "/v1/models/count", Access::Public, Handler::ModelsCount, "how many models"),
    route("GET", "/v1/models/{author}/{slug}", Access::Public, Handler::Model, "one model"),
    route(
        "GET",
        "/v1/model/{author}/{slug}",
        Access::Public,
        Handler::Model,
        "one model, OpenRouter's other path",
    ),
    route("GET", "/v1/models/{author}/{slug}/endpoints", Access::Public, Handler::Endpoints, "its offers"),
    route("GET", "/v1/providers", Access::Public, Handler::Providers, "who serves models"),
    route(
        "POST",
        "/v1/route",
        Access::ApiKey,
        Handler::Route,
        "the plan for a chat request, with reasons and cost bounds; nothing is called, nothing charged",
    ),
    route("GET", "/v1/key", Access::AnyKey, Handler::Key, "the caller's own key"),
    route("GET", "/v1/auth/key", Access::AnyKey, Handler::Key, "the caller's own key, the older path"),
    route("GET", "/v1/credits", Access::AnyKey, Handler::Credits, "the caller's balance"),
    route(
        "POST",
        "/v1/feedback",
        Access::AnyKey,
        Handler::Feedback,
        "what a caller thinks of an answer; keys merge",
    ),
    route(
        "POST",
        "/v1/generation/feedback",
        Access::AnyKey,
        Handler::Feedback,
        "the same, under OpenRouter's name",
    ),
    route("GET", "/v1/generation", Access::AnyKey, Handler::Generation, "the record of one generation"),
    route("GET", "/v1/activity", Access::AnyKey, Handler::Activity, "use by day, model and provider"),
    route(
        "GET",
        "/v1/policies",
        Access::AnyKey,
        Handler::Policies(Op::List),
        "the account's routing policies",
    ),
    route("POST", "/v1/policies", Access::ManagementKey, Handler::Policies(Op::Create), "a new policy"),
    route("GET", "/v1/policies/{name}", Access::AnyKey, Handler::Policies(Op::Show), "one policy"),
    route("PUT", "/v1/policies/{name}", Access::ManagementKey, Handler::Policies(Op::Put), "write a policy"),
    route(
        "DELETE",
        "/v1/policies/{name}",
        Access::ManagementKey,
        Handler::Policies(Op::Delete),
        "take a policy away",
    ),
    route(
        "GET",
        "/v1/policies/{name}/versions",
        Access::AnyKey,
        Handler::Policies(Op::Versions),
        "every version of a policy",
    ),
    route("GET", "/v1/presets", Access::AnyKey, Handler::Presets(Op::List), "the account's presets"),
    route("POST", "/v1/presets", Access::ManagementKey, Handler::Presets(Op::Create), "a new preset"),
    route("GET", "/v1/presets/{slug}", Access::AnyKey, Handler::Presets(Op::Show), "one preset"),
    route("PUT", "/v1/presets/{slug}", Access::ManagementKey, Handler::Presets(Op::Put), "write a preset"),
    route(
        "DELETE",
        "/v1/presets/{slug}",
        Access::ManagementKey,
        Handler::Presets(Op::Delete),
        "take a preset away",
    ),
    route(
        "GET",
        "/v1/presets/{slug}/versions",
        Access::AnyKey,
        Handler::Presets(Op::Versions),
        "every version of a preset",
    ),
    route(
        "POST",
        "/v1/presets/{slug}/chat/completions",
        Access::ManagementKey,
        Handler::PresetFrom(Dialect::Chat),
        "a preset out of a chat request",
    ),
    route(
        "POST",
        "/v1/presets/{slug}/messages",
        Access::ManagementKey,
        Handler::PresetFrom(Dialect::Messages),
        "a preset out of a Messages request",
    ),
    route(
        "POST",
        "/v1/presets/{slug}/responses",
        Access::ManagementKey,
        Handler::PresetFrom(Dialect::Responses),
        "a preset out of a Responses request",
    ),
    route("GET", "/catalog.json", Access::Public, Handler::Catalog, "the whole catalog with provenance"),
    route(
        "GET",
        "/api.json",
        Access::Public,
        Handler::ModelsDev,
        "the whole catalog in the models.dev shape",
    ),
    route("GET", "/catalog/schema.json", Access::Public, Handler::Schema, "JSON Schema of /catalog.json"),
    route("GET", "/healthz", Access::Public, Handler::Healthz, "the process is up"),
    route("GET", "/readyz", Access::Public, Handler::Readyz, "calls can be served"),
    route(
        "GET",
        "/metrics",
        Access::ManagementKey,
        Handler::Metrics,
        "Prometheus; public on server.admin_listen",
    ),
];

/// Every route there is.
pub fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(payments::routes::ROUTES)
}

/// A path without the `/api` before `/v1/`.
fn plain(path: &str) -> &str {
    path.strip_prefix("/api").filter(|rest| is_versioned(rest)).unwrap_or(path)
}

fn is_versioned(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/v1beta/")
}

/// True for the paths that are answered here; the site has the others.
pub fn is_ours(path: &str) -> bool {
    let path = plain(path);
    is_versioned(path) || all().any(|route| matches(route.path, path))
}

/// Answers a request whose path is ours.
pub async fn serve<B>(worker: &Arc<Worker>, request: Request<B>) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let path = plain(request.uri().path());
    let mut found = find(path);
    found.retain(|route| is_mounted(&worker.gateway, route.handler));
    let is_api = is_versioned(path)
        || !matches!(
            found.first().map(|r| r.handler),
            Some(Handler::Healthz | Handler::Readyz | Handler::Metrics)
        );
    let id = worker.generation_id(worker.gateway.clock.now());
    let method = if *request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let handler = found.iter().find(|route| route.method == method.as_str());
    let mut response = match handler {
        Some(route) => {
            let call = AssertUnwindSafe(dispatch(worker, route.handler, id, request)).catch_unwind();
            match call.await {
                Ok(result) => {
                    let dialect = route.handler.speaks().0;
                    result.unwrap_or_else(|error| refuse(worker, id, dialect, &error))
                }
                Err(_) => {
                    worker.gateway.metrics.panics.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(generation = %id, "a handler panicked");
                    GatewayError::Internal.response()
                }
            }
        }
        None if method == Method::OPTIONS && is_api => preflight(&found),
        None if found.is_empty() => GatewayError::NotFound(format!(
            "nothing is served at `{}`; see the list at `/`",
            path.chars().take(100).collect::<String>()
        ))
        .response(),
        None => GatewayError::MethodNotAllowed(found.first().map_or("GET", |r| r.method)).response(),
    };
    if is_api {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if handler.is_some_and(|route| route.handler.speaks().1) {
        worker.gateway.metrics.answered(response.status().as_u16());
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(GENERATION_ID, value);
        }
    }
    response
}

fn refuse(
    worker: &Arc<Worker>,
    id: types::GenerationId,
    dialect: Dialect,
    error: &GatewayError,
) -> Response<ResponseBody> {
    let (status, kind) = error.kind();
    if status >= 500 {
        // Never the error's text: a provider's words may repeat the prompt.
        tracing::warn!(generation = %id, status, kind, worker = worker.number, "answered with an error");
    }
    error.response_in(dialect, id.as_str())
}

/// The routes of a path: one per method.
fn find(path: &str) -> Vec<&'static Route> {
    // The busiest path first, without a search.
    if path == "/v1/chat/completions" {
        return ROUTES.iter().take(1).collect();
    }
    all().filter(|route| matches(route.path, path)).collect()
}

/// A path can be there under conditions only.
fn is_mounted(gateway: &crate::app::Gateway, handler: Handler) -> bool {
    handler != Handler::Payments(payments::routes::At::Stripe) || payments::webhook::is_mounted(gateway)
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w.starts_with('{') && !g.is_empty() => (),
            (Some(w), Some(g)) if w == g => (),
            _ => return false,
        }
    }
}

async fn dispatch<B>(
    worker: &Arc<Worker>,
    handler: Handler,
    id: types::GenerationId,
    request: Request<B>,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(header::TRANSFER_ENCODING)
        && parts.headers.contains_key(header::CONTENT_LENGTH)
    {
        return Err(GatewayError::InvalidRequest(String::from(
            "the request has both `Content-Length` and `Transfer-Encoding`; send one of them",
        )));
    }
    match handler {
        // On the heap: every level of futures above would otherwise copy the largest one below it.
        Handler::Chat => Box::pin(chat::completions(worker, id, parts.headers, body)).await,
        Handler::Completions => Box::pin(completions::create(worker, id, parts.headers, body)).await,
        Handler::Responses => Box::pin(responses::create(worker, id, parts.headers, body)).await,
        Handler::Response => responses::show(worker, &parts).await,
        Handler::ResponseDelete => responses::delete(worker, &parts).await,
        Handler::ResponseInput => responses::input_items(worker, &parts).await,
        Handler::Messages => Box::pin(messages::create(worker, id, parts.headers, body)).await,
        Handler::CountTokens => Box::pin(messages::count_tokens(worker, parts.headers, body)).await,
        Handler::Gemini => Box::pin(gemini::call(worker, id, parts, body)).await,
        Handler::GeminiModels => Ok(gemini::models(worker)),
        Handler::Embeddings => Box::pin(embeddings::create(worker, id, parts.headers, body)).await,
        Handler::Rerank => Box::pin(rerank::create(worker, id, parts.headers, body)).await,
        Handler::Images => Box::pin(images::generate(worker, id, parts.headers, body)).await,
        Handler::Speech => Box::pin(audio::speech(worker, id, parts.headers, body)).await,
        Handler::Transcriptions => Box::pin(audio::transcriptions(worker, id, parts.headers, body)).await,
        Handler::Route => dry_run::create(worker, parts, body).await,
        Handler::Models => models::list(worker, &parts).await,
        Handler::ModelsCount => models::count(worker, &parts),
        Handler::Model => models::one(worker, &parts),
        Handler::Endpoints => models::endpoints(worker, &parts),
        Handler::Providers => models::providers(worker, &parts).await,
        Handler::Key => key::show(worker, &parts),
        Handler::Credits => credits::show(worker, &parts).await,
        Handler::Generation => generation::show(worker, &parts).await,
        Handler::Feedback => feedback::create(worker, parts, body).await,
        Handler::Activity => activity::list(worker, &parts).await,
        Handler::Policies(op) => Box::pin(policies::serve(worker, op, parts, body)).await,
        Handler::Presets(op) => Box::pin(presets::serve(worker, op, parts, body)).await,
        Handler::PresetFrom(dialect) => Box::pin(presets::from_body(worker, dialect, parts, body)).await,
        Handler::Payments(at) => Box::pin(payments::routes::serve(worker, at, parts, body)).await,
        Handler::Catalog => catalog_feeds::catalog(worker, &parts).await,
        Handler::ModelsDev => catalog_feeds::models_dev(worker, &parts).await,
        Handler::Schema => catalog_feeds::schema(worker, &parts).await,
        Handler::Healthz => Ok(health::healthz()),
        Handler::Readyz => Ok(health::readyz(worker)),
        Handler::Metrics => health::metrics(worker, &parts),
    }
}

fn preflight(found: &[&'static Route]) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let mut methods: Vec<&str> = found.iter().map(|route| route.method).collect();
    if methods.is_empty() {
        methods.extend(["GET", "POST"]);
    } else if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    let methods = HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"));
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, authorization"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// A JSON answer.
pub(crate) fn json(body: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The pairs of a query string, decoded.
pub(crate) fn query(parts: &http::request::Parts) -> Vec<(String, String)> {
    let query = parts.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_finds_its_own_route() {
        for route in all() {
            let path = route.path.replace("{author}", "mistralai").replace("{slug}", "mistral-small-2603");
            let found = find(&path);
            assert!(found.iter().any(|r| r.path == route.path), "{path}");
        }
        for nothing in ["/", "/v1", "/v1/models/", "/v1/models/a/b/c", "/v1/chat/completions/x"] {
            assert!(find(nothing).is_empty(), "{nothing}");
        }
    }
}
