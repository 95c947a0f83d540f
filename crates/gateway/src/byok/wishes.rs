//! `/v1/byok/strategy` and `/v1/byok/settings`: whose key goes first, and what happens when the balance for fees is empty.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::{Map, Value, json};
use store::{ByokChanges, StoreError};

use super::input::Input;
use super::settings::{AccountSettings, OnEmpty, Strategy};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::manager;
use crate::router;
use crate::world::World;

/// Most providers and models with a strategy.
const NAMES_MAX: usize = 1_000;

/// Shows or edits; `strategy`: at that path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    (strategy, edits): (bool, bool),
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = manager(&parts)?;
    let gateway = &worker.gateway;
    let account = key.account.id.clone();
    if !edits {
        let own = gateway.byok.of(&account);
        let settings = own.map(|own| own.settings.clone()).unwrap_or_default();
        return Ok(router::json(json!({"data": shown(&settings, strategy)}).to_string()));
    }
    let input = Input::read(&body)?;
    let edit = match strategy {
        true => Edit::Strategies(strategies(input, &gateway.world.load())?),
        false => Edit::OnEmpty(on_empty(input)?),
    };
    let (store, whose) = (Arc::clone(gateway), account.clone());
    let written = gateway
        .on_control(async move { store.store.edit_byok_settings(&whose, move |text| edit.over(text)).await });
    let text = written.await.unwrap_or(Err(StoreError::Unavailable(String::new())));
    let text = text.map_err(|error| match error {
        StoreError::Invalid(message) => GatewayError::InvalidRequest(message),
        _ => GatewayError::StoreUnavailable,
    })?;
    let settings = AccountSettings::read(&text).ok_or(GatewayError::Internal)?;
    // On this node it acts at once.
    gateway.byok.take(&ByokChanges { accounts: vec![(account, text)], ..ByokChanges::default() });
    Ok(router::json(json!({"data": shown(&settings, strategy)}).to_string()))
}

enum Edit {
    Strategies(Vec<(String, Option<Strategy>)>),
    OnEmpty(OnEmpty),
}

impl Edit {
    fn over(self, text: &str) -> Result<String, StoreError> {
        let unreadable =
            || StoreError::Corrupt(String::from("an account's settings of provider keys can't be read"));
        let mut settings = AccountSettings::read(text).ok_or_else(unreadable)?;
        match self {
            Edit::OnEmpty(on_empty) => settings.on_empty = on_empty,
            Edit::Strategies(strategies) => {
                for (name, strategy) in strategies {
                    let names =
                        if name.contains('/') { &mut settings.models } else { &mut settings.providers };
                    match strategy {
                        Some(strategy) => drop(names.insert(name, strategy)),
                        None => drop(names.remove(&name)),
                    }
                }
            }
        }
        if settings.providers.len() + settings.models.len() > NAMES_MAX {
            return Err(StoreError::Invalid(format!(
                "at most {NAMES_MAX} providers and models may have a strategy"
            )));
        }
        Ok(settings.text())
    }
}

fn shown(settings: &AccountSettings, strategy: bool) -> Value {
    match strategy {
        true => {
            json!({"providers": settings.providers, "models": settings.models, "default": "mine_then_ours"})
        }
        false => json!({"on_empty": settings.on_empty}),
    }
}

fn on_empty(mut input: Input) -> Result<OnEmpty, GatewayError> {
    let wrong = || {
        GatewayError::InvalidRequest(String::from(
            "the body must be `{\"on_empty\": \"refuse\"}` or `{\"on_empty\": \"credits\"}`",
        ))
    };
    let on_empty = match input.take("on_empty").as_ref().and_then(Value::as_str) {
        Some("refuse") => OnEmpty::Refuse,
        Some("credits") => OnEmpty::Credits,
        _ => return Err(wrong()),
    };
    if input.rest().is_empty() { Ok(on_empty) } else { Err(wrong()) }
}

/// `{"provider": "openai", "strategy": "mine"}`, `{"model": "a/b", "strategy": "mine"}`, or names with their strategies:
/// `{"openai": "mine", "a/b": "ours"}`. `null` takes a strategy away.
fn strategies(mut input: Input, world: &World) -> Result<Vec<(String, Option<Strategy>)>, GatewayError> {
    let mut named = Map::new();
    if let Some(strategy) = input.take("strategy") {
        for member in ["provider", "model"] {
            if let Some(Value::String(name)) = input.take(member) {
                named.insert(name, strategy.clone());
            }
        }
    }
    named.extend(input.rest());
    if named.is_empty() {
        return Err(GatewayError::InvalidRequest(String::from(
            "name a provider or a model: `{\"provider\": \"openai\", \"strategy\": \"mine\"}`",
        )));
    }
    named.into_iter().map(|(name, value)| one(name, &value, world)).collect()
}

fn one(name: String, value: &Value, world: &World) -> Result<(String, Option<Strategy>), GatewayError> {
    let snapshot = &world.snapshot;
    let known = match name.contains('/') {
        true => snapshot.models.iter().any(|model| *model.id == name),
        false => snapshot.providers.iter().any(|provider| *provider.id == name),
    };
    let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    if !known {
        return Err(GatewayError::InvalidRequest(format!(
            "`{shown}` is no provider and no model of the catalog; see `GET /v1/providers` and `GET /v1/models`"
        )));
    }
    let strategy = match value {
        Value::Null => None,
        value => {
            let found = Strategy::ALL.into_iter().find(|strategy| value.as_str() == Some(strategy.name()));
            Some(found.ok_or_else(|| {
                GatewayError::InvalidRequest(format!(
                    "the strategy of `{shown}` must be ours, mine, ours_then_mine, mine_then_ours, or null for none"
                ))
            })?)
        }
    };
    Ok((name, strategy))
}
