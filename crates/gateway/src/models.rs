//! `GET /v1/models` and what lies under it, and `GET /v1/providers`: the catalog for programs. Public.

use std::sync::Arc;

use catalog::export::{self, View, VirtualModel};
use catalog::query::{ModelQuery, Selection, select_among};
use http::request::Parts;
use http::{HeaderValue, Response, header};
use routing::name::Virtual;
use serde_json::json;
use types::AccountId;
use wire::preset::{MARK, Status};

use crate::access::May;
use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::listings::{Rendered, cached, view};
use crate::router::{json, query};
use crate::world::World;

/// `GET /v1/models`. Clients of Anthropic, which send its version, get its shape; OpenRouter's own SDKs a price where nobody
/// knows one. Whoever sends a key sees its account's policies and presets too, and only models that the key may call.
pub async fn list(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let own = Own::of(worker, parts);
    if parts.headers.contains_key("anthropic-version") {
        let mut response = anthropic(worker, &own);
        by_caller(&mut response);
        return Ok(response);
    }
    if own.is_empty() {
        let mut response = public_list(worker, parts).await?;
        by_caller(&mut response);
        return Ok(response);
    }
    let (gateway, query) = (Arc::clone(&worker.gateway), parts.clone());
    let rendering = worker.gateway.control.spawn_blocking(move || selected(&gateway, &query, own));
    let mut response = rendering.await.map_err(|_| GatewayError::Internal)??.answer(parts);
    by_caller(&mut response);
    // A policy that was just written is to be seen.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

fn by_caller(response: &mut Response<ResponseBody>) {
    let vary = HeaderValue::from_static("accept-encoding, authorization, x-api-key");
    response.headers_mut().insert(header::VARY, vary);
}

/// What a caller sees that others don't: names of its account, and only models that its key may call.
#[derive(Default)]
pub(crate) struct Own {
    named: Vec<VirtualModel>,
    may: Option<May>,
}

impl Own {
    /// Nothing of one's own without a good key.
    pub(crate) fn of(worker: &Worker, parts: &Parts) -> Own {
        let Ok(key) = crate::key::caller(worker, parts, Access::AnyKey) else { return Own::default() };
        let named = named_by(worker, &key.account.id);
        // A key that manages calls nothing, and is shown what there is.
        let may = (!key.rules.management).then(|| May::of(worker, key)).filter(May::bounds);
        Own { named, may }
    }

    /// Whether the caller's key may call a model.
    pub(crate) fn may(&self, id: &str) -> bool {
        self.may.as_ref().is_none_or(|may| may.call(id))
    }

    fn is_empty(&self) -> bool {
        self.named.is_empty() && self.may.is_none()
    }
}

/// What an account has put names to.
fn named_by(worker: &Worker, account: &AccountId) -> Vec<VirtualModel> {
    let rules = &worker.gateway.rules;
    let named = |id: String, name: &str, description: Option<&str>| VirtualModel {
        id,
        name: name.to_owned(),
        description: description.unwrap_or_default().to_owned(),
    };
    let policies = rules.policies(account);
    let policies = policies
        .iter()
        .map(|rule| named(format!("policy/{}", rule.slug), &rule.slug, Some(&rule.parsed.description)));
    let presets = rules.presets(account);
    let presets = presets.iter().filter(|rule| rule.parsed.status == Status::Active).map(|rule| {
        let name = rule.parsed.name.as_deref().unwrap_or(&rule.slug);
        named(format!("{MARK}{}", rule.slug), name, rule.parsed.description.as_deref())
    });
    policies.chain(presets).collect()
}

async fn public_list(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    if parts.uri.query().is_none_or(str::is_empty) && !is_openrouters_sdk(parts) {
        let rendered = cached(worker, "models", |gateway, world| {
            view(gateway, world, |v| export::models(v, &Selection::all(&world.snapshot), None))
        });
        return Ok(rendered.await?.answer(parts));
    }
    Ok(selected(&worker.gateway, parts, Own::default())?.answer(parts))
}

/// The models that a query asks for, with those of the caller's account.
fn selected(gateway: &Gateway, parts: &Parts, own: Own) -> Result<Rendered, GatewayError> {
    let world = gateway.world.load_full();
    let pairs = query(parts);
    let wanted = parse(&pairs)?;
    let today = gateway.clock.now().day();
    let selection = select_among(&world.snapshot, &wanted, today, &|model| own.may(&model.id));
    let next = selection.next_offset().map(|offset| next_link(parts, &pairs, offset));
    // A filter asks about models, and a virtual one has no properties of its own.
    let body = view(gateway, &world, |v| {
        let all: Vec<VirtualModel> = match wanted.is_filtered() {
            true => Vec::new(),
            false => v.virtual_models.iter().cloned().chain(own.named.iter().cloned()).collect(),
        };
        export::models(&View { virtual_models: &all, ..*v }, &selection, next)
    });
    Ok(Rendered::new(if is_openrouters_sdk(parts) { with_prices(&body) } else { body }))
}

/// OpenRouter's SDKs, generated from its schema, refuse a whole list for one price that is `null`.
fn is_openrouters_sdk(parts: &Parts) -> bool {
    let agent = parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    agent.starts_with("speakeasy-sdk/") && agent.contains("openrouter")
}

/// A price that nobody knows, as OpenRouter says it of its own models without a fixed one: -1.
fn with_prices(body: &str) -> String {
    // These keys stand in `pricing` alone.
    body.replace("\"prompt\":null", "\"prompt\":\"-1\"")
        .replace("\"completion\":null", "\"completion\":\"-1\"")
}

/// The models that converse, newest first, as Anthropic lists its own.
fn anthropic(worker: &Arc<Worker>, own: &Own) -> Response<ResponseBody> {
    let world = worker.gateway.world.load();
    let shown = |model: &&catalog::Model| model.is_chat() && own.may(&model.id);
    let mut models: Vec<_> = world.snapshot.models.iter().filter(shown).collect();
    models.sort_by_key(|model| std::cmp::Reverse(model.released_unix().unwrap_or(0)));
    let data: Vec<_> = models
        .iter()
        .map(|model| {
            let created =
                crate::key::rfc3339(types::Timestamp::from_seconds(model.released_unix().unwrap_or(0)));
            serde_json::json!({
                "type": "model",
                "id": model.id,
                "display_name": model.name,
                "created_at": created,
                "max_input_tokens": model.context_tokens(),
                "max_tokens": model.max_output_tokens(),
            })
        })
        .collect();
    let id = |model: Option<&&catalog::Model>| model.map(|model| model.id.to_string());
    let (first, last) = (id(models.first()), id(models.last()));
    json(json!({"data": data, "has_more": false, "first_id": first, "last_id": last}).to_string())
}

fn parse(pairs: &[(String, String)]) -> Result<ModelQuery, GatewayError> {
    ModelQuery::parse(pairs).map_err(|error| GatewayError::InvalidRequest(error.to_string()))
}

fn next_link(parts: &Parts, pairs: &[(String, String)], offset: usize) -> String {
    let kept = pairs.iter().filter(|(key, _)| key != "offset");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept.map(|(key, value)| (key.as_str(), value.as_str())))
        .append_pair("offset", &offset.to_string())
        .finish();
    format!("{}?{query}", parts.uri.path())
}

/// `GET /v1/models/count`.
pub fn count(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let world = worker.gateway.world.load();
    let wanted = parse(&query(parts))?;
    let (own, today) = (Own::of(worker, parts), worker.gateway.clock.now().day());
    let selection = select_among(&world.snapshot, &wanted, today, &|model| own.may(&model.id));
    // As many as the list of the same query has.
    let named = || Virtual::ALL.len() + own.named.len();
    let count = selection.total + if wanted.is_filtered() { 0 } else { named() };
    Ok(json(json!({ "data": { "count": count } }).to_string()))
}

/// The model of this world that the path names, by id or alias.
pub(crate) fn named(world: &World, parts: &Parts) -> Result<usize, GatewayError> {
    let path = parts.uri.path();
    let mut segments = path.split('/').skip_while(|s| *s != "models" && *s != "model").skip(1);
    let decode = |segment: Option<&str>| {
        let text = segment.unwrap_or_default().replace('+', "%2B");
        url::form_urlencoded::parse(format!("k={text}").as_bytes())
            .next()
            .map(|(_, v)| v.into_owned())
            .unwrap_or_default()
    };
    let name = format!("{}/{}", decode(segments.next()), decode(segments.next()));
    // `author/slug:variant` is the same model.
    let plain = name.split_once(':').map_or(name.as_str(), |(plain, _)| plain);
    world.snapshot.resolve(plain).ok_or_else(|| GatewayError::ModelNotFound {
        suggestions: world.snapshot.suggest(plain).into_iter().map(str::to_owned).collect(),
        name: name.chars().take(80).collect(),
    })
}

/// `GET /v1/models/{author}/{slug}`.
pub fn one(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let world = worker.gateway.world.load_full();
    let model = named(&world, parts)?;
    let body = view(&worker.gateway, &world, |v| export::model(v, model)).ok_or(GatewayError::Internal)?;
    Ok(Rendered::new(body).answer(parts))
}

/// `GET /v1/models/{author}/{slug}/endpoints`.
pub fn endpoints(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let world = worker.gateway.world.load_full();
    let model = named(&world, parts)?;
    let body =
        view(&worker.gateway, &world, |v| export::endpoints(v, model)).ok_or(GatewayError::Internal)?;
    Ok(Rendered::new(body).answer(parts))
}

/// `GET /v1/providers`.
pub async fn providers(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let rendered = cached(worker, "providers", |gateway, world| view(gateway, world, export::providers));
    Ok(rendered.await?.answer(parts))
}
