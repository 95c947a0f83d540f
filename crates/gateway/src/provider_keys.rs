//! `/v1/server/provider-keys`: keys of providers that the operator enters while the server runs. They serve everybody, as those of the
//! configuration and the environment do, which come first where both name a provider.
//!
//! - A key is stored as ciphertext under the master key of own provider keys ([`crate::byok::seal`]), bound to its provider, and no answer
//!   ever holds one.
//! - It is tried at its provider before it is kept, with a call that costs nothing.
//! - The program reads its configuration again when one is written: at once on this node, within a second or two on others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::Protocol;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::ProviderKey;
use tokio::sync::Notify;
use types::{ExposeSecret, SecretString};

use crate::app::Worker;
use crate::auth::Access;
use crate::auth::session::Visit;
use crate::body::ResponseBody;
use crate::byok::Byok;
use crate::byok::seal::{Bound, Masters};
use crate::byok::settings::{KeySettings, Tested};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::keys::KeyState;
use crate::router;
use crate::world::World;

/// How long an answer waits until this node serves with what was written.
const APPLY_MAX: Duration = Duration::from_secs(10);
const APPLY_LOOK: Duration = Duration::from_millis(10);

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// All of them.
    List,
    /// One written.
    Put,
    /// One taken away.
    Delete,
}

/// Tells the job that reads the configuration that there is news.
#[derive(Debug, Default)]
pub struct News(Notify);

impl News {
    /// Waits until something was written on this node.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}

/// What a provider's key is bound to: to no account, and to the provider's own address.
fn bound(provider: &str) -> Bound<'_> {
    Bound { id: "server", account: "", provider, base_url: None }
}

/// The keys of rows, by provider. One that can't be opened is left out, and the log says why.
pub fn opened(byok: &Byok, rows: &[ProviderKey]) -> BTreeMap<String, SecretString> {
    byok.learn_masters(rows.iter().map(|row| &*row.master));
    let masters = byok.masters();
    let open = |row: &ProviderKey| match masters.open(&bound(&row.provider), &row.sealed, &row.master) {
        Ok(text) => Some((row.provider.clone(), text)),
        Err(error) => {
            tracing::error!(provider = row.provider, %error, "a provider key of the server can't be used");
            None
        }
    };
    rows.iter().filter_map(open).collect()
}

/// The same key, sealed with the newest master key.
///
/// # Errors
/// It can't be opened or sealed; never a secret.
pub fn anew(masters: &Masters, row: &ProviderKey) -> Result<ProviderKey, String> {
    let bound = bound(&row.provider);
    let text = masters.open(&bound, &row.sealed, &row.master).map_err(|error| error.to_string())?;
    let (sealed, master) = masters.seal(&bound, &text).map_err(|error| error.to_string())?;
    Ok(ProviderKey { sealed, master, ..row.clone() })
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = crate::key::caller(worker, &parts, Access::Operator)?;
    let desk = Desk::open(worker, &parts);
    match op {
        Op::List => list(&desk).await,
        Op::Put => put(&desk, body, &key).await,
        Op::Delete => delete(&desk).await,
    }
}

fn named(parts: &Parts) -> String {
    parts.uri.path().rsplit('/').next().unwrap_or_default().chars().take(100).collect()
}

async fn list(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let rows = desk.store(|gateway| async move { gateway.store.provider_keys().await }).await?;
    let world = desk.gateway().world.load_full();
    let all: Vec<Value> = rows.iter().map(|row| object(&world, row)).collect();
    Ok(router::json(json!({ "data": all }).to_string()))
}

/// What is shown of a key.
fn object(world: &World, row: &ProviderKey) -> Value {
    let found = world.provider_of(&row.provider);
    let name = found.map(|(known, _)| known.name.to_string());
    let state = found.map(|(_, state)| state);
    json!({
        "provider": row.provider,
        "name": name,
        "is_on": state.is_some_and(|state| state.off.is_none()),
        "why": state.map(|state| state.off.as_deref().unwrap_or(&state.why)),
        "changed_at": rfc3339(row.changed),
        "changed_by": row.changed_by,
    })
}

#[derive(Deserialize)]
struct Asked {
    key: String,
}

async fn put(desk: &Desk<'_>, body: Bytes, by: &KeyState) -> Result<Response<ResponseBody>, GatewayError> {
    let asked: Asked = desk.body(&body, r#"{"key": "..."}"#)?;
    let provider = named(desk.parts);
    let key = SecretString::from(asked.key.trim());
    let world = desk.gateway().world.load_full();
    check(&world, &provider, &key)?;
    let mut settings = KeySettings::default();
    let force = router::query(desk.parts).iter().any(|(name, value)| name == "force" && value == "true");
    // On the heap: the handshake with a provider is in it.
    let test = desk.gateway().byok.keeper.test(&world, &provider, &key, &mut settings, force);
    let note = Box::pin(test).await?;
    let (sealed, master) = desk.gateway().byok.masters().seal(&bound(&provider), &key).map_err(|error| {
        tracing::error!(%error, "a provider key could not be sealed");
        GatewayError::Internal
    })?;
    let row =
        ProviderKey { provider, sealed, master, changed: desk.now(), changed_by: actor(desk.parts, by) };
    let kept = row.clone();
    desk.store(|gateway| async move { gateway.store.put_provider_key(&kept).await }).await?;
    let world = applied(desk, world.number).await;
    let mut object = object(&world, &row);
    if let Some(map) = object.as_object_mut() {
        map.insert(String::from("tested"), json!(settings.tested == Tested::Ok));
        map.insert(String::from("test_note"), json!(note));
    }
    Ok(router::json(json!({ "data": object }).to_string()))
}

/// Only providers that one plain key is enough for.
fn check(world: &World, provider: &str, key: &SecretString) -> Result<(), GatewayError> {
    let refuse = |why: String| Err(GatewayError::InvalidRequest(why));
    let Some((known, _)) = world.provider_of(provider) else {
        return refuse(String::from(
            "the catalog has no provider of that name; `GET /v1/providers` lists them",
        ));
    };
    let wants_more = matches!(
        known.protocol,
        Protocol::Bedrock
            | Protocol::Vertex
            | Protocol::VertexAnthropic
            | Protocol::Azure
            | Protocol::Sandbox
    );
    if wants_more {
        return refuse(format!("{} takes more than a key; configure it", known.name));
    }
    let text = key.expose_secret();
    if text.is_empty() || text.starts_with('{') || !text.chars().all(|c| c.is_ascii_graphic()) {
        return refuse(String::from("`key` is the provider's key as one word"));
    }
    Ok(())
}

/// A person, else the key that managed.
fn actor(parts: &Parts, key: &KeyState) -> String {
    match parts.extensions.get::<Visit>() {
        Some(Visit(Ok(visitor))) => visitor.user.id.clone(),
        _ => key.rules.id.to_string(),
    }
}

async fn delete(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let (provider, before) = (named(desk.parts), desk.gateway().world.load().number);
    let gone =
        desk.store(|gateway| async move { gateway.store.delete_provider_key(&provider).await }).await?;
    if !gone {
        let why = "no key of that provider is kept here; `GET /v1/server/provider-keys` lists them";
        return Err(GatewayError::NotFound(String::from(why)));
    }
    applied(desk, before).await;
    Ok(router::json(r#"{"deleted":true}"#))
}

/// Has what was written applied, and waits for it a while: where the configuration can't be read at the moment, the log says so, and the
/// key counts when it can.
async fn applied(desk: &Desk<'_>, before: u64) -> Arc<World> {
    let gateway = desk.gateway();
    gateway.provider_keys.0.notify_one();
    let is_over = async {
        while gateway.world.load().number == before {
            tokio::time::sleep(APPLY_LOOK).await;
        }
    };
    let _ = tokio::time::timeout(APPLY_MAX, is_over).await;
    gateway.world.load_full()
}
