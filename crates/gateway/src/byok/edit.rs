//! `/v1/byok`: the provider keys of the caller's account, in OpenRouter's shape. Management keys only; no answer ever holds a
//! key.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use store::{ByokChanges, ByokRow, StoreError};
use types::{AccountId, SecretString};

use super::bound;
use super::input::Input;
use super::own::sealed;
use super::settings::KeySettings;
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{manager, rfc3339};
use crate::keys::KeyState;
use crate::router;
use crate::world::World;

/// Longest slug of a provider.
const SLUG_CHARS_MAX: usize = 100;
/// How often an edit is made over when somebody else edits the same key.
const TRIES_MAX: usize = 5;

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// All of the account's.
    List,
    /// A new one.
    Create,
    /// One.
    Show,
    /// One edited.
    Edit,
    /// One taken away.
    Delete,
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = manager(&parts)?;
    let desk = Desk { gateway: &worker.gateway, parts: &parts, key };
    match op {
        Op::List => Ok(desk.list()),
        Op::Show => desk.show(),
        Op::Delete => desk.delete().await,
        Op::Create | Op::Edit => {
            let input = Input::read(&body)?;
            // On the heap: the handshake with a provider is in it.
            if op == Op::Create {
                Box::pin(desk.create(input)).await
            } else {
                Box::pin(desk.edit(input)).await
            }
        }
    }
}

struct Desk<'a> {
    gateway: &'a Arc<Gateway>,
    parts: &'a Parts,
    key: Arc<KeyState>,
}

impl Desk<'_> {
    fn account(&self) -> &AccountId {
        &self.key.account.id
    }

    fn id(&self) -> String {
        self.parts.uri.path().rsplit('/').next().unwrap_or_default().chars().take(100).collect()
    }

    fn missing(&self) -> GatewayError {
        GatewayError::NotFound(String::from("the account has no provider key of that id; see `GET /v1/byok`"))
    }

    fn list(&self) -> Response<ResponseBody> {
        let own = self.gateway.byok.of(self.account());
        let keys = own.iter().flat_map(|own| &own.keys);
        let objects: Vec<Value> = keys.map(|key| self.object(&key.row, &key.settings)).collect();
        router::json(json!({"data": objects, "total_count": objects.len()}).to_string())
    }

    fn show(&self) -> Result<Response<ResponseBody>, GatewayError> {
        let own = self.gateway.byok.of(self.account());
        let key = own.as_ref().and_then(|own| own.find(&self.id())).ok_or_else(|| self.missing())?;
        Ok(router::json(json!({"data": self.object(&key.row, &key.settings)}).to_string()))
    }

    async fn create(&self, mut input: Input) -> Result<Response<ResponseBody>, GatewayError> {
        let need = |name: &str| {
            GatewayError::InvalidRequest(format!("`{name}` is missing; send `provider` and `key`"))
        };
        let provider = input.text("provider", SLUG_CHARS_MAX)?.flatten().ok_or_else(|| need("provider"))?;
        let text = input.key()?.ok_or_else(|| need("key"))?;
        let mut settings = KeySettings::default();
        input.settings(&mut settings)?;
        let world = self.gateway.world.load_full();
        let note = self.test(&world, &provider, &text, &mut settings).await?;
        let names = (new_id()?, self.account().clone(), provider);
        let by = (&*self.gateway.clock, self.key.rules.id.as_str());
        let row = sealed(&self.gateway.byok.masters(), names, &settings, &text, by)
            .map_err(|error| unsealed(&error))?;
        let gateway = Arc::clone(self.gateway);
        let row = self.on_store(async move { gateway.store.insert_byok(&row).await }).await?;
        Ok(self.written(&row, &settings, &note, StatusCode::CREATED))
    }

    async fn edit(&self, mut input: Input) -> Result<Response<ResponseBody>, GatewayError> {
        let text = input.key()?;
        let rest = input.rest();
        for _ in 0..TRIES_MAX {
            let (old, mut settings) = self.stored().await?;
            let address = settings.base_url.clone();
            Input::of(rest.clone()).settings(&mut settings)?;
            if address != settings.base_url && text.is_none() {
                return Err(GatewayError::InvalidRequest(String::from(
                    "a key is sent to the address that it was entered for; send `key` along with another `base_url`",
                )));
            }
            let mut row = ByokRow { settings: settings.text(), ..old };
            let mut note = String::new();
            if let Some(text) = &text {
                let world = self.gateway.world.load_full();
                note = self.test(&world, &row.provider, text, &mut settings).await?;
                row.settings = settings.text();
                let made = self.gateway.byok.masters().seal(&bound(&row, &settings), text);
                (row.sealed, row.master) = made.map_err(|error| unsealed(&error.to_string()))?;
            }
            let gateway = Arc::clone(self.gateway);
            match self.on_store(async move { gateway.store.put_byok(&row).await }).await {
                Err(GatewayError::VersionMismatch(_)) => (),
                row => return Ok(self.written(&row?, &settings, &note, StatusCode::OK)),
            }
        }
        Err(GatewayError::VersionMismatch(String::from("the provider key is being changed by others")))
    }

    async fn delete(&self) -> Result<Response<ResponseBody>, GatewayError> {
        for _ in 0..TRIES_MAX {
            let (old, _) = self.stored().await?;
            let row = ByokRow { deleted: true, ..old };
            let gateway = Arc::clone(self.gateway);
            match self.on_store(async move { gateway.store.put_byok(&row).await }).await {
                Err(GatewayError::VersionMismatch(_)) => (),
                row => {
                    let row = row?;
                    self.act(&row);
                    return Ok(router::json(json!({"deleted": true, "id": row.id}).to_string()));
                }
            }
        }
        Err(GatewayError::VersionMismatch(String::from("the provider key is being changed by others")))
    }

    /// The key as the store has it.
    async fn stored(&self) -> Result<(ByokRow, KeySettings), GatewayError> {
        let (gateway, account, id) = (Arc::clone(self.gateway), self.account().clone(), self.id());
        let row = self.on_store(async move { gateway.store.byok_key(&id, &account).await }).await?;
        let settings = KeySettings::read(&row.settings).ok_or(GatewayError::Internal)?;
        Ok((row, settings))
    }

    /// Understands a key, and asks its provider about it.
    async fn test(
        &self,
        world: &World,
        provider: &str,
        text: &SecretString,
        settings: &mut KeySettings,
    ) -> Result<String, GatewayError> {
        let force = router::query(self.parts).iter().any(|(name, value)| name == "force" && value == "true");
        self.gateway.byok.keeper.test(world, provider, text, settings, force).await
    }

    async fn on_store<T: Send + 'static>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, GatewayError> {
        let asked = self.gateway.on_control(asking).await;
        asked.unwrap_or(Err(StoreError::Unavailable(String::new()))).map_err(|error| match error {
            StoreError::NotFound(_) => self.missing(),
            StoreError::Invalid(message) => GatewayError::InvalidRequest(message),
            StoreError::Conflict(message) => GatewayError::VersionMismatch(message),
            _ => GatewayError::StoreUnavailable,
        })
    }

    /// On this node it acts at once.
    fn act(&self, row: &ByokRow) {
        self.gateway.byok.take(&ByokChanges { keys: vec![row.clone()], ..ByokChanges::default() });
    }

    fn written(
        &self,
        row: &ByokRow,
        settings: &KeySettings,
        note: &str,
        status: StatusCode,
    ) -> Response<ResponseBody> {
        self.act(row);
        let mut object = self.object(row, settings);
        if let (Some(map), false) = (object.as_object_mut(), note.is_empty()) {
            map.insert(String::from("test_note"), json!(note));
        }
        let mut response = router::json(json!({"data": object}).to_string());
        *response.status_mut() = status;
        response
    }

    fn object(&self, row: &ByokRow, settings: &KeySettings) -> Value {
        let used = self.gateway.byok.used_of(&row.id);
        let mut object = object(row, settings);
        if let Some(map) = object.as_object_mut() {
            map.insert(String::from("requests"), json!(used.requests));
            map.insert(String::from("usage_usd"), json!(used.usage.to_string()));
            map.insert(String::from("fees_usd"), json!(used.fees.to_string()));
        }
        object
    }
}

/// What is shown of a key.
pub fn object(row: &ByokRow, settings: &KeySettings) -> Value {
    json!({
        "id": row.id,
        "provider": row.provider,
        "name": settings.name,
        "label": settings.label,
        "disabled": settings.disabled,
        "is_fallback": settings.is_fallback,
        "sort_order": settings.sort_order,
        "allowed_models": settings.allowed_models,
        "allowed_user_ids": null,
        "allowed_api_key_hashes": settings.allowed_api_key_hashes,
        "base_url": settings.base_url,
        "workspace_id": null,
        "tested": settings.tested,
        "tested_at": settings.tested_at.map(rfc3339),
        "created_at": rfc3339(row.created),
        "created_by": row.created_by,
    })
}

/// A new key's id.
pub fn new_id() -> Result<String, GatewayError> {
    let mut random = [0u8; 10];
    getrandom::fill(&mut random).map_err(|_| GatewayError::Internal)?;
    Ok(random.iter().fold(String::from("byok_"), |id, byte| format!("{id}{byte:02x}")))
}

fn unsealed(error: &str) -> GatewayError {
    tracing::error!(error, "a provider key could not be sealed");
    GatewayError::Internal
}
