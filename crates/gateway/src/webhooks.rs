//! `/v1/webhooks` and `/v1/alerts`: where an owner wants to be told of things, and what there was to tell.
//!
//! A notice is signed as the Standard Webhooks specification says: `webhook-id`, `webhook-timestamp` and `webhook-signature`, which
//! is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. The secret of a webhook follows from the node's own and the
//! webhook's id, so it is stored nowhere.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use store::{Delivery, StoreError, Webhook};
use types::Timestamp;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{manager, rfc3339};
use crate::router;
use crate::upstream::guard::Guard;
use crate::world::Target;

/// Most webhooks of an account.
const WEBHOOKS_MAX: usize = 20;
/// Alerts that are shown.
const ALERTS_SHOWN: i64 = 200;
/// Every kind of alert.
pub const KINDS: [&str; 5] =
    ["budget.threshold", "key.threshold", "key.frozen", "model.price_changed", "model.deprecated"];

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// All webhooks.
    List,
    /// A new one.
    Create,
    /// One taken away.
    Delete,
    /// The last alerts.
    Alerts,
}

/// The node's own secret, from which those of webhooks follow.
#[derive(Clone, Debug)]
pub struct Signer(types::SecretString);

impl Signer {
    /// From the node's secret.
    pub fn new(secret: types::SecretString) -> Signer {
        Signer(secret)
    }

    fn secret_of(&self, webhook: &str) -> Vec<u8> {
        use types::ExposeSecret;
        mac(self.0.expose_secret().as_bytes(), &[b"webhook:", webhook.as_bytes()])
    }

    /// The secret as its receiver is shown it.
    pub fn shown(&self, webhook: &str) -> String {
        format!("whsec_{}", STANDARD.encode(self.secret_of(webhook)))
    }

    /// The headers of a delivery.
    pub fn headers(&self, delivery: &Delivery, body: &str, now: Timestamp) -> [(&'static str, String); 3] {
        let (id, at) = (format!("{}:{}", delivery.alert, delivery.webhook), now.seconds().to_string());
        let parts = [id.as_bytes(), b".", at.as_bytes(), b".", body.as_bytes()];
        let signature = STANDARD.encode(mac(&self.secret_of(&delivery.webhook), &parts));
        [("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", format!("v1,{signature}"))]
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    #[serde(default)]
    kinds: Vec<String>,
}

fn invalid(message: impl Into<String>) -> GatewayError {
    GatewayError::InvalidRequest(format!("{}; nothing was changed", message.into()))
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let manager = manager(&parts)?;
    let (gateway, account) = (Arc::clone(&worker.gateway), manager.account.id.clone());
    match op {
        Op::List => {
            let hooks =
                worker.gateway.on_control(async move { gateway.store.webhooks(&account).await }).await;
            let hooks = hooks.and_then(Result::ok).ok_or(GatewayError::StoreUnavailable)?;
            let objects: Vec<Value> = hooks.iter().map(|hook| object(worker, hook)).collect();
            Ok(router::json(json!({ "data": objects }).to_string()))
        }
        Op::Create => {
            let asked: Asked = serde_json::from_slice(&body)
                .map_err(|error| invalid(format!("the body is no webhook: {error}")))?;
            create(worker, account, asked).await
        }
        Op::Delete => {
            let mut segments = parts.uri.path().split('/').skip_while(|segment| *segment != "webhooks");
            let id = segments.nth(1).unwrap_or_default().to_owned();
            let done =
                worker.gateway.on_control(async move { gateway.store.delete_webhook(&account, &id).await });
            match done.await {
                Some(Ok(true)) => Ok(router::json(r#"{"deleted":true}"#)),
                Some(Ok(false)) => Err(GatewayError::NotFound(String::from(
                    "the account has no such webhook; `GET /v1/webhooks` lists them",
                ))),
                _ => Err(GatewayError::StoreUnavailable),
            }
        }
        Op::Alerts => {
            let rows = worker
                .gateway
                .on_control(async move { gateway.store.alerts(&account, ALERTS_SHOWN).await })
                .await;
            let rows = rows.and_then(Result::ok).ok_or(GatewayError::StoreUnavailable)?;
            let objects = rows.iter().map(|(id, kind, body, created)| {
                let data: Value = serde_json::from_str(body).unwrap_or_default();
                json!({ "id": id, "type": kind, "data": data, "created_at": rfc3339(Timestamp(*created)) })
            });
            Ok(router::json(json!({ "data": objects.collect::<Vec<_>>() }).to_string()))
        }
    }
}

async fn create(
    worker: &Arc<Worker>,
    account: types::AccountId,
    asked: Asked,
) -> Result<Response<ResponseBody>, GatewayError> {
    let url = url::Url::parse(&asked.url).ok().filter(|url| url.has_host() && asked.url.len() <= 1_000);
    let url = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.username().is_empty());
    let url = url.ok_or_else(|| {
        invalid("`url` is an address such as https://example.com/hooks, without user and password")
    })?;
    // Judged at each delivery again, for a name may come to stand for another address; what is wrong now is told now.
    let target =
        Target::of_url(url.as_str()).map_err(|why| invalid(format!("`url` can't be used: {why}")))?;
    let guard = Guard::new(worker.gateway.settings.fetch_private);
    guard.judge(&target).await.map_err(|why| invalid(format!("`url` can't be used: {why}")))?;
    if let Some(unknown) = asked.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        let unknown: String = unknown.chars().take(60).collect();
        return Err(invalid(format!("`{unknown}` is no kind of alert; there are {}", KINDS.join(", "))));
    }
    let hook = Webhook {
        id: worker.new_id("whk").ok_or(GatewayError::Internal)?,
        account,
        url: url.to_string(),
        kinds: asked.kinds,
        created: worker.gateway.clock.now(),
        disabled: false,
    };
    let (gateway, stored) = (Arc::clone(&worker.gateway), hook.clone());
    let done = worker.gateway.on_control(async move {
        if gateway.store.webhooks(&stored.account).await?.len() >= WEBHOOKS_MAX {
            return Err(StoreError::Conflict(format!("an account has at most {WEBHOOKS_MAX} webhooks")));
        }
        gateway.store.insert_webhook(&stored).await
    });
    match done.await {
        Some(Ok(())) => {
            let mut response = router::json(json!({ "data": object(worker, &hook) }).to_string());
            *response.status_mut() = StatusCode::CREATED;
            Ok(response)
        }
        Some(Err(StoreError::Conflict(what) | StoreError::Invalid(what))) => Err(invalid(what)),
        _ => Err(GatewayError::StoreUnavailable),
    }
}

fn object(worker: &Worker, hook: &Webhook) -> Value {
    json!({
        "id": hook.id,
        "url": hook.url,
        "kinds": hook.kinds,
        "disabled": hook.disabled,
        "created_at": rfc3339(hook.created),
        "secret": worker.gateway.signer.shown(&hook.id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_id_time_and_body() {
        let signer = Signer::new("node".to_owned().into());
        let delivery = |webhook: &str| Delivery {
            alert: "a".into(),
            webhook: webhook.into(),
            url: String::new(),
            kind: String::new(),
            body: String::new(),
            created: Timestamp(0),
            attempts: 0,
        };
        let sign = |webhook: &str, body: &str, s| {
            signer.headers(&delivery(webhook), body, Timestamp::from_seconds(s))[2].1.clone()
        };
        let one = sign("w", "{}", 5);
        assert!(one.starts_with("v1,") && one == sign("w", "{}", 5));
        assert!(
            [sign("x", "{}", 5), sign("w", "{ }", 5), sign("w", "{}", 6)].iter().all(|other| *other != one)
        );
        // As a receiver checks it.
        let secret = STANDARD.decode(signer.shown("w").strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(one, format!("v1,{}", STANDARD.encode(mac(&secret, &[b"a:w.5.{}"]))));
    }
}
