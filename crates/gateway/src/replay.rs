//! `POST /v1/replay`: what the account's own recorded requests would have met under another policy or other models. Nothing is
//! called and nothing is charged.
//!
//! It runs on the control runtime, never on a worker. An account has one at a time and the node [`REPLAYS_MAX`]; beyond that it is a
//! 429. What it reads is bounded in records and time, the newest first.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use parking_lot::Mutex;
use routing::policy::Policy;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{AccountId, Timestamp};

use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::manager;
use crate::replaying::{self, Records, Tally, Terms, Told};
use crate::router;
use crate::rules::edit::missing;
use crate::span::Expiry;

/// Most replays at once on a node.
pub const REPLAYS_MAX: usize = 4;
/// How far back it goes where nobody says.
const SINCE: &str = "7d";
const EXAMPLE: &str = "{\"models\": [\"author/name\"], \"since\": \"7d\"}";

/// The accounts whose replays are under way.
#[derive(Debug, Default)]
pub struct Running(Mutex<HashSet<AccountId>>);

/// The place of a replay that is under way; dropped at its end, however it ends.
#[derive(Debug)]
struct Place {
    all: Arc<Running>,
    account: AccountId,
}

impl Place {
    fn take(all: &Arc<Running>, account: &AccountId) -> Result<Place, GatewayError> {
        let mut running = all.0.lock();
        if running.contains(account) {
            return Err(GatewayError::ReplayBusy("this account has a replay under way"));
        }
        if running.len() >= REPLAYS_MAX {
            return Err(GatewayError::ReplayBusy("this node has as many replays under way as it may"));
        }
        running.insert(account.clone());
        drop(running);
        Ok(Place { all: Arc::clone(all), account: account.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.account);
    }
}

/// The body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// A policy, or the name of one of the account's.
    policy: Option<Value>,
    /// Models, one after another: what a policy's `models` are.
    models: Option<Value>,
    since: Option<String>,
    dial: Option<f64>,
    /// A number, or as text: a JSON number of that size is not safe in every language.
    seed: Option<Value>,
}

/// Answers.
pub(crate) async fn create(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = manager(&parts)?;
    let gateway = &worker.gateway;
    let account = key.account.id.clone();
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| {
        GatewayError::InvalidRequest(format!("the body can't be read ({error}); send {EXAMPLE}"))
    })?;
    let (policy, under) = policy(gateway, &account, &asked)?;
    let terms = Terms { policy, dial: dial(asked.dial)?, seed: seed(asked.seed)?, key_names: [].into() };
    let since = since(asked.since.as_deref().unwrap_or(SINCE), gateway.clock.now())?;
    let records = Records { account: Some(account.clone()), since };
    let place = Place::take(&gateway.replays, &account)?;
    let shared = Arc::clone(gateway);
    let done = gateway.on_control(async move { run(&shared, &place, terms, under, records).await }).await;
    let told = done.unwrap_or(Err(GatewayError::Internal))?;
    Ok(router::json(json!({ "data": told.json() }).to_string()))
}

async fn run(
    gateway: &Gateway,
    place: &Place,
    mut terms: Terms,
    under: String,
    records: Records,
) -> Result<Told, GatewayError> {
    let keys = gateway.store.list_keys(Some(&place.account)).await;
    let keys = keys.map_err(|_| GatewayError::StoreUnavailable)?;
    terms.key_names = keys.into_iter().map(|row| (row.key.id.to_string(), row.key.name)).collect();
    let world = gateway.world.load_full();
    let tally = Tally::new(world, &gateway.settings.names, terms)
        .map_err(|why| GatewayError::InvalidRequest(format!("it can't be replayed: {why}")))?;
    let reading = replaying::read(&gateway.store, &records, gateway.settings.replay, tally, |_| ());
    match reading.await {
        Ok(read) => Ok(Told::of(read, under, &records)),
        Err(replaying::Unread::Store(_)) => Err(GatewayError::StoreUnavailable),
        Err(replaying::Unread::Broken) => Err(GatewayError::Internal),
    }
}

/// The policy that is meant, and how answers call it.
fn policy(gateway: &Gateway, account: &AccountId, asked: &Asked) -> Result<(Policy, String), GatewayError> {
    let invalid = |what: &str| Err(GatewayError::InvalidRequest(format!("{what}; send {EXAMPLE}")));
    let read = |written: &Value| {
        Policy::read(&written.to_string())
            .map_err(|error| GatewayError::InvalidRequest(format!("it can't be replayed: {error}")))
    };
    match (&asked.policy, &asked.models) {
        (Some(_), Some(_)) => {
            invalid("`policy` and `models` exclude each other: one of them says where requests go")
        }
        (None, None) => invalid("`policy` or `models` is missing"),
        (None, Some(models)) => {
            let policy = read(&json!({ "models": models }))?;
            let names: Vec<&str> = policy.otherwise.models.iter().map(|link| link.model.as_str()).collect();
            let under = names.join(", ");
            Ok((policy, under))
        }
        (Some(Value::String(name)), None) => {
            let slug = name.strip_prefix("policy/").unwrap_or(name);
            let rule = gateway.rules.policy(account, slug);
            let rule = rule.ok_or_else(|| missing(gateway, account, store::RuleKind::Policy, slug))?;
            Ok((rule.parsed.clone(), format!("policy/{}", rule.label())))
        }
        (Some(written @ Value::Object(_)), None) => {
            Ok((read(written)?, String::from("the policy that was sent")))
        }
        (Some(_), None) => {
            invalid("`policy` must be a policy as an object, or the name of one such as \"policy/careful\"")
        }
    }
}

fn dial(dial: Option<f64>) -> Result<Option<f64>, GatewayError> {
    match dial {
        Some(dial) if !(0.0..=1.0).contains(&dial) => Err(GatewayError::InvalidRequest(String::from(
            "`dial` must be a number from 0 (quality) to 1 (cost)",
        ))),
        dial => Ok(dial),
    }
}

fn seed(seed: Option<Value>) -> Result<Option<u64>, GatewayError> {
    let Some(seed) = seed.filter(|seed| !seed.is_null()) else { return Ok(None) };
    let number = seed.as_u64().or_else(|| seed.as_str().and_then(|text| text.parse().ok()));
    number.map(Some).ok_or_else(|| {
        GatewayError::InvalidRequest(String::from("`seed` must be a whole number from 0 to 2^64 - 1"))
    })
}

fn since(text: &str, now: Timestamp) -> Result<Timestamp, GatewayError> {
    match text.parse::<Expiry>() {
        Ok(since) => Ok(since.instant_before(now)),
        Err(allowed) => Err(GatewayError::InvalidRequest(format!("`since`: {allowed}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_place_and_the_node_a_few() {
        let all = Arc::default();
        let take = |name: &str| Place::take(&all, &AccountId::new(name)).ok();
        let first = take("a");
        assert!(first.is_some() && take("a").is_none());
        let others: Vec<Option<Place>> = ["b", "c", "d", "e"].map(take).into();
        assert_eq!(others.iter().flatten().count(), REPLAYS_MAX - 1, "the node is full");
        drop(first);
        assert!(take("a").is_some());
    }

    #[test]
    fn seeds_dials_and_times_are_held_to_their_range() {
        let rows = [
            (json!(7), Some(Some(7))),
            (json!("18446744073709551615"), Some(Some(u64::MAX))),
            (Value::Null, Some(None)),
            (json!(-1), None),
            (json!(1.5), None),
            (json!("x"), None),
        ];
        for (text, expect) in rows {
            assert_eq!(seed(Some(text.clone())).ok(), expect, "{text}");
        }
        assert!(dial(Some(0.5)).is_ok() && dial(None).is_ok());
        assert!(dial(Some(1.1)).is_err() && dial(Some(f64::NAN)).is_err());
        let now = Timestamp::from_seconds(1_000_000);
        assert_eq!(since("1h", now).map(|at| at.seconds()).ok(), Some(1_000_000 - 3_600));
        assert!(since("soon", now).is_err());
    }
}
