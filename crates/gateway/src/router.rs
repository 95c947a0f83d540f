//! The way from a request to its handler; the flat list of routes is in [`table`].

mod table;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use wire::hub::Dialect;

pub use self::table::ROUTES;
use crate::app::Worker;
use crate::auth::{Access, note_address};
use crate::body::ResponseBody;

use crate::care::{self, Care};
use crate::error::GatewayError;
use crate::read_body;
use crate::rules::edit::Op;
use crate::settings::GENERATION_ID;
use crate::{
    access, activity, acts, announcements, audio, auth, budgets, byok, catalog_feeds, chat, completions,
    contents, credits, embeddings, feedback, gemini, generation, health, idempotency, images, insight, key,
    keys, messages, models, openapi, organization, payments, policies, presets, provider_keys, ratings,
    receipts, replay, rerank, responses, route as dry_run, server, webhooks,
};

/// Largest body of whom nobody knows.
const PUBLIC_BODY_BYTES_MAX: usize = 1024 * 1024;

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

impl Route {
    /// The dialect of its errors, and whether it makes a generation.
    pub(crate) const fn speaks(&self) -> (Dialect, bool) {
        self.handler.speaks()
    }

    /// Whether a call of this path makes a generation: a Gemini path names its act, and counting tokens makes none.
    fn generates(&self, path: &str) -> bool {
        self.handler.speaks().1 && !(self.handler == Handler::Gemini && path.ends_with(":countTokens"))
    }

    /// What somebody says of a model, or against what others say.
    pub(crate) fn is_opinion(&self) -> bool {
        matches!(self.handler, Handler::Ratings(at) if at.is_opinion())
    }
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
    Replay,
    Models,
    ModelsCount,
    Model,
    Endpoints,
    Providers,
    Key,
    Credits,
    Generation,
    GenerationPlan,
    ReceiptKeys,
    Feedback,
    Activity,
    Insight(insight::At),
    Content,
    Privacy { edits: bool },
    Keys(keys::api::Op),
    Budgets(budgets::Op),
    Webhooks(webhooks::Op),
    Policies(Op),
    Guardrails(Op),
    Access(access::At),
    Presets(Op),
    Byok(byok::edit::Op),
    ByokWishes { strategy: bool, edits: bool },
    ByokBalance,
    ProviderKeys(provider_keys::Op),
    PresetFrom(Dialect),
    Payments(payments::routes::At),
    Auth(auth::routes::At),
    Organization(organization::routes::At),
    Ratings(ratings::At),
    Server(server::At),
    Announcements,
    Catalog,
    ModelsDev,
    Schema,
    OpenApi,
    Llms,
    Healthz,
    Readyz,
    Metrics,
}

impl Handler {
    /// Whether it calls models, or plans to: what the others answer is small.
    const fn calls(self) -> bool {
        self.speaks().1 || matches!(self, Handler::CountTokens | Handler::Route)
    }

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

/// A path without the `/api` before `/v1/`.
pub(crate) fn plain(path: &str) -> &str {
    path.strip_prefix("/api").filter(|rest| is_versioned(rest)).unwrap_or(path)
}

fn is_versioned(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/v1beta/")
}

/// True for the paths that are answered here; the site has the others.
pub fn is_ours(path: &str) -> bool {
    let path = plain(path);
    is_versioned(path) || ROUTES.iter().any(|route| matches(route.path, path))
}

/// Answers a request whose path is ours. A call that may have to go on without its caller takes another way: see [`care`].
pub async fn serve<B>(worker: &Arc<Worker>, mut request: Request<B>, peer: IpAddr) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let dialect = generates(&request);
    // The audit log names it.
    if dialect.is_none() || worker.gateway.keys.load().asks_addresses() {
        note_address(request.headers_mut(), peer, &worker.gateway.settings.trusted_proxies);
    }
    let id = worker.generation_id(worker.gateway.clock.now());
    let keyed = request.headers().contains_key(idempotency::KEY);
    if (keyed || worker.gateway.world.load().reads_on)
        && let Some(dialect) = dialect
    {
        let own = Arc::clone(worker);
        // On the heap, so that no other call carries it.
        return match keyed {
            true => Box::pin(idempotency::serve(own, id, dialect, request)).await,
            false => {
                let call = async move { serve_as(&own, id, request).await };
                care::carried(&worker.gateway, Care::default(), call).await
            }
        };
    }
    serve_as(worker, id, request).await
}

/// The dialect of a request that makes a generation.
fn generates<B>(request: &Request<B>) -> Option<Dialect> {
    let routes = find(plain(request.uri().path()));
    let route = routes.iter().find(|route| route.method == request.method().as_str())?;
    route.generates(request.uri().path()).then(|| route.handler.speaks().0)
}

/// Answers a request under this generation id.
pub(crate) async fn serve_as<B>(
    worker: &Arc<Worker>,
    id: types::GenerationId,
    request: Request<B>,
) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let path = plain(request.uri().path());
    let mut found = find(path);
    if found.iter().any(|route| !is_mounted(&worker.gateway, route.handler)) {
        // What is switched off is not there, whatever else the path could be.
        found.clear();
    }
    let is_api = is_versioned(path)
        || !matches!(
            found.first().map(|r| r.handler),
            Some(Handler::Healthz | Handler::Readyz | Handler::Metrics)
        );
    let method = if *request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let handler = found.iter().find(|route| route.method == method.as_str());
    let generates = handler.is_some_and(|route| route.generates(path));
    let mut response = match handler {
        Some(route) => {
            let call = AssertUnwindSafe(dispatch(worker, route, id, request)).catch_unwind();
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
        None => {
            let mut response =
                GatewayError::MethodNotAllowed(found.first().map_or("GET", |r| r.method)).response();
            response.headers_mut().insert(header::ALLOW, methods(&found));
            response
        }
    };
    if is_api {
        allow_all_origins(&mut response);
    }
    if generates {
        worker.gateway.metrics.answered(response.status().as_u16());
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(GENERATION_ID, value);
        }
    }
    response
}

pub(crate) fn allow_all_origins(response: &mut Response<ResponseBody>) {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
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
    ROUTES.iter().filter(|route| matches(route.path, path)).collect()
}

/// A path can be there under conditions only.
fn is_mounted(gateway: &crate::app::Gateway, handler: Handler) -> bool {
    match handler {
        Handler::Payments(payments::routes::At::Stripe) => payments::webhook::is_mounted(gateway),
        Handler::Ratings(_) => gateway.ratings.is_on,
        _ => true,
    }
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
    route: &Route,
    id: types::GenerationId,
    request: Request<B>,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut parts, body) = request.into_parts();
    if parts.headers.contains_key(header::TRANSFER_ENCODING)
        && parts.headers.contains_key(header::CONTENT_LENGTH)
    {
        return Err(GatewayError::InvalidRequest(String::from(
            "the request has both `Content-Length` and `Transfer-Encoding`; send one of them",
        )));
    }
    if !matches!(route.access, Access::Public | Access::ApiKey) {
        Box::pin(auth::session::note(worker, &mut parts)).await;
    }
    if !route.handler.calls() {
        return answer(worker, route, parts, body).await;
    }
    match route.handler {
        // On the heap: every level of futures above would otherwise copy the largest one below it.
        Handler::Chat => Box::pin(chat::completions(worker, id, parts.headers, body)).await,
        Handler::Completions => Box::pin(completions::create(worker, id, parts.headers, body)).await,
        Handler::Responses => Box::pin(responses::create(worker, id, parts.headers, body)).await,
        Handler::Messages => Box::pin(messages::create(worker, id, parts.headers, body)).await,
        Handler::CountTokens => Box::pin(messages::count_tokens(worker, parts.headers, body)).await,
        Handler::Gemini => Box::pin(gemini::call(worker, id, parts, body)).await,
        Handler::Embeddings => Box::pin(embeddings::create(worker, id, parts.headers, body)).await,
        Handler::Rerank => Box::pin(rerank::create(worker, id, parts.headers, body)).await,
        Handler::Images => Box::pin(images::generate(worker, id, parts.headers, body)).await,
        Handler::Speech => Box::pin(audio::speech(worker, id, parts.headers, body)).await,
        Handler::Transcriptions => Box::pin(audio::transcriptions(worker, id, parts.headers, body)).await,
        Handler::Route => dry_run::create(worker, parts, body).await,
        _ => Err(GatewayError::Internal),
    }
}

/// Answers what is not a call of a model. The body is read first: small, or refused.
async fn answer<B>(
    worker: &Arc<Worker>,
    route: &Route,
    mut parts: Parts,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let is_administered = match route.access {
        Access::Manage(_) => true,
        // What the operator changes is written down with who did it.
        Access::Operator => route.method != "GET",
        _ => false,
    };
    if is_administered {
        match key::caller(worker, &parts, route.access) {
            Ok(manager) => parts.extensions.insert(key::Manager(manager)),
            Err(error) => return Err(refused(worker, route, parts, error).await),
        };
    }
    let body = match route.method {
        "GET" => Bytes::new(),
        _ => {
            let all = worker.gateway.settings.body_bytes_max;
            let bytes_max = if route.access == Access::Public { all.min(PUBLIC_BODY_BYTES_MAX) } else { all };
            read_body(&parts.headers, body, bytes_max).await?
        }
    };
    let trail = acts::Trail::begin(route, &parts, &body);
    let result = Box::pin(handle(worker, route, parts, body)).await;
    if let Some(act) = trail.and_then(|trail| trail.end(worker.gateway.clock.now(), &result)) {
        acts::note(worker, act).await;
    }
    result
}

/// Writes down who wanted to do what they may not, where that is somebody who administers.
async fn refused(worker: &Arc<Worker>, route: &Route, mut parts: Parts, error: GatewayError) -> GatewayError {
    if let Ok(known) = key::caller(worker, &parts, Access::AnyKey)
        && known.rules.management
    {
        parts.extensions.insert(key::Manager(known));
    }
    let (trail, refused) = (acts::Trail::begin(route, &parts, &Bytes::new()), Err(error));
    if let Some(act) = trail.and_then(|trail| trail.end(worker.gateway.clock.now(), &refused)) {
        acts::note(worker, act).await;
    }
    refused.err().unwrap_or(GatewayError::Internal)
}

async fn handle(
    worker: &Arc<Worker>,
    route: &Route,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match route.handler {
        Handler::Response => responses::show(worker, &parts).await,
        Handler::ResponseDelete => responses::delete(worker, &parts).await,
        Handler::ResponseInput => responses::input_items(worker, &parts).await,
        Handler::GeminiModels => Ok(gemini::models(worker, &parts)),
        Handler::Replay => Box::pin(replay::create(worker, parts, body)).await,
        Handler::Models => models::list(worker, &parts).await,
        Handler::ModelsCount => models::count(worker, &parts),
        Handler::Model => models::one(worker, &parts),
        Handler::Endpoints => models::endpoints(worker, &parts),
        Handler::Providers => models::providers(worker, &parts).await,
        Handler::Key => key::show(worker, &parts).await,
        Handler::Credits => credits::show(worker, &parts).await,
        Handler::Generation => generation::show(worker, &parts).await,
        Handler::GenerationPlan => generation::plan::show(worker, &parts).await,
        Handler::ReceiptKeys => Ok(receipts::show(worker)),
        Handler::Feedback => feedback::create(worker, parts, body).await,
        Handler::Activity => activity::list(worker, &parts).await,
        Handler::Content => contents::show(worker, &parts).await,
        Handler::Privacy { edits } => Box::pin(contents::privacy(worker, edits, parts, body)).await,
        Handler::Insight(at) => Box::pin(insight::serve(worker, at, parts, body)).await,
        Handler::Keys(op) => Box::pin(keys::api::serve(worker, op, parts, body)).await,
        Handler::Budgets(op) => Box::pin(budgets::serve(worker, op, parts, body)).await,
        Handler::Webhooks(op) => Box::pin(webhooks::serve(worker, op, parts, body)).await,
        Handler::Policies(op) => Box::pin(policies::serve(worker, op, parts, body)).await,
        Handler::Guardrails(op) => Box::pin(crate::guardrails::serve(worker, op, parts, body)).await,
        Handler::Access(at) => Box::pin(access::serve(worker, at, parts, body)).await,
        Handler::Presets(op) => Box::pin(presets::serve(worker, op, parts, body)).await,
        Handler::PresetFrom(dialect) => Box::pin(presets::from_body(worker, dialect, parts, body)).await,
        Handler::Byok(op) => Box::pin(byok::edit::serve(worker, op, parts, body)).await,
        Handler::ByokWishes { strategy, edits } => {
            Box::pin(byok::serve_wishes(worker, (strategy, edits), parts, body)).await
        }
        Handler::ProviderKeys(op) => Box::pin(provider_keys::serve(worker, op, parts, body)).await,
        Handler::ByokBalance => Box::pin(byok::fill(worker, parts, body)).await,
        Handler::Payments(at) => Box::pin(payments::routes::serve(worker, at, parts, body)).await,
        Handler::Organization(at) => Box::pin(organization::routes::serve(worker, at, parts, body)).await,
        Handler::Server(at) => Box::pin(server::serve(worker, at, parts, body)).await,
        Handler::Announcements => announcements::show(worker, parts).await,
        Handler::Auth(at) => Box::pin(auth::routes::serve(worker, at, parts, body)).await,
        Handler::Ratings(at) => Box::pin(ratings::serve(worker, at, parts, body)).await,
        Handler::Catalog => catalog_feeds::catalog(worker, &parts).await,
        Handler::ModelsDev => catalog_feeds::models_dev(worker, &parts).await,
        Handler::Schema => catalog_feeds::schema(worker, &parts).await,
        Handler::OpenApi => openapi::show(worker, &parts).await,
        Handler::Llms => openapi::llms::show(worker, &parts).await,
        Handler::Healthz => Ok(health::healthz()),
        Handler::Readyz => Ok(health::readyz(worker)),
        Handler::Metrics => health::metrics(worker, &parts),
        _ => Err(GatewayError::Internal),
    }
}

/// The methods of a path, as headers list them.
fn methods(found: &[&'static Route]) -> HeaderValue {
    let mut methods: Vec<&str> = found.iter().map(|route| route.method).collect();
    if methods.is_empty() {
        methods.extend(["GET", "POST"]);
    } else if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

fn preflight(found: &[&'static Route]) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods(found));
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
        for route in ROUTES {
            let path = route.path.replace("{author}", "mistralai").replace("{slug}", "mistral-small-2603");
            let found = find(&path);
            assert!(found.iter().any(|r| r.path == route.path), "{path}");
        }
        let makes =
            |path: &str| generates(&Request::builder().method("POST").uri(path).body(()).unwrap_or_default());
        assert_eq!(makes("/v1beta/models/a:generateContent"), Some(Dialect::Gemini));
        assert_eq!(makes("/v1beta/models/a:countTokens"), None, "counting makes no generation");
        for nothing in ["/", "/v1", "/v1/models/", "/v1/models/a/b/c", "/v1/chat/completions/x"] {
            assert!(find(nothing).is_empty(), "{nothing}");
        }
    }
}
