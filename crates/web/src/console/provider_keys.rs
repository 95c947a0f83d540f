//! `/console/provider-keys`: keys of providers that the organization brings along, whose goes first, and the fee.

pub(super) mod one;

use std::collections::BTreeMap;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Refused, Signed, segment};
use crate::format::{self, Shown};
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/provider-keys";

const DONE: [(&str, &str); 6] = [
    ("added", "The key is sealed and in use. Nobody sees its text again."),
    ("saved", "The provider key is changed."),
    ("removed", "The provider key is gone; its text is deleted."),
    ("strategy", "Whose key goes first is changed. It holds from the next call on."),
    ("settings", "What happens at an empty balance is changed."),
    ("moved", "The credit is moved."),
];

/// Whose key goes first.
const STRATEGIES: [(&str, &str); 5] = [
    ("", "As usual: yours, then this server's"),
    ("mine", "Only yours"),
    ("mine_then_ours", "Yours, then this server's"),
    ("ours_then_mine", "This server's, then yours"),
    ("ours", "Only this server's"),
];

/// A key, as the API tells it; never its text.
#[derive(Clone, Deserialize)]
struct Key {
    id: String,
    provider: String,
    #[serde(default)]
    name: Option<String>,
    label: String,
    disabled: bool,
    is_fallback: bool,
    sort_order: i64,
    #[serde(default)]
    allowed_models: Option<Vec<String>>,
    #[serde(default)]
    allowed_api_key_hashes: Option<Vec<String>>,
    #[serde(default)]
    base_url: Option<String>,
    tested: String,
    #[serde(default)]
    test_note: Option<String>,
    requests: u64,
    usage_usd: String,
    fees_usd: String,
}

#[derive(Default, Deserialize)]
struct Strategies {
    #[serde(default)]
    providers: BTreeMap<String, String>,
    #[serde(default)]
    models: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Settings {
    on_empty: String,
}

#[derive(Deserialize)]
struct Credits {
    byok: Byok,
}

#[derive(Deserialize)]
struct Byok {
    fee_percent: String,
    #[serde(default)]
    balance_usd: Option<String>,
}

/// A key for people.
struct Line {
    path: String,
    name: String,
    provider: String,
    label: String,
    class: &'static str,
    word: &'static str,
    note: String,
    requests: Shown,
    list: Shown,
    fees: Shown,
    is_fallback: bool,
}

/// Whose key goes first for a provider or a model.
struct Strategy {
    kind: &'static str,
    of: String,
    form: Form,
}

#[derive(Template)]
#[template(path = "console/provider_keys.html")]
struct Page {
    shell: Frame,
    lines: Vec<Line>,
    strategies: Vec<Strategy>,
    choices: &'static [(&'static str, &'static str)],
    providers: Vec<(String, String)>,
    form: Form,
    fee_percent: String,
    /// Of fees; where calls need a balance.
    balance: Option<Shown>,
    settings: Form,
    on_empty: &'static [(&'static str, &'static str)],
    may_govern: bool,
    may_pay: bool,
}

/// What happens at an empty balance.
const ON_EMPTY: [(&str, &str); 2] =
    [("refuse", "Refuse calls with own keys"), ("credits", "Take the fee from credits")];

impl Line {
    fn of(key: &Key) -> Line {
        let (class, word) = match (key.disabled, key.tested.as_str()) {
            (true, _) => ("warn", "Off"),
            (false, "ok") => ("good", "Taken"),
            (false, "refused") => ("bad", "Refused"),
            _ => ("warn", "Not tested"),
        };
        Line {
            path: format!("{PATH}/{}", segment(&key.id)),
            name: key.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| key.provider.clone()),
            provider: key.provider.clone(),
            label: key.label.clone(),
            class,
            word,
            note: key.test_note.clone().unwrap_or_default(),
            requests: format::short(key.requests),
            list: amount::usd(&key.usage_usd),
            fees: amount::usd(&key.fees_usd),
            is_fallback: key.is_fallback,
        }
    }
}

/// `GET /console/provider-keys`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let keys: Vec<Key> = signed.get("/v1/byok").await?;
    let said: Strategies = signed.get("/v1/byok/strategy").await?;
    let settings: Settings = signed.get("/v1/byok/settings").await?;
    let credits: Credits = signed.get("/v1/credits").await?;
    let snapshot = signed.visit.snapshot();
    let named = |at: usize| snapshot.providers.get(at).map(|one| (one.id.to_string(), one.name.to_string()));
    let mut providers: Vec<(String, String)> = (0..snapshot.providers.len()).filter_map(named).collect();
    providers.sort_by_key(|(_, name)| name.to_lowercase());
    let example = json!({ "provider": "mistral", "key": "...", "name": "team" });
    signed.offers(Method::POST, "/v1/byok", Some(&example));
    let strategy = json!({ "provider": "mistral", "strategy": "mine" });
    signed.offers(Method::PUT, "/v1/byok/strategy", Some(&strategy));
    let page = Page {
        shell: Frame::of(signed, "Provider keys", PATH).told(signed, &DONE).again(&again),
        strategies: strategies(&keys, said),
        choices: STRATEGIES.as_slice(),
        lines: keys.iter().map(Line::of).collect(),
        providers,
        form: again
            .form(|| Form::default().with("provider", signed.visit.ask("provider").unwrap_or_default())),
        fee_percent: credits.byok.fee_percent,
        balance: credits.byok.balance_usd.as_deref().map(amount::usd),
        settings: Form::default().with("on_empty", settings.on_empty),
        on_empty: ON_EMPTY.as_slice(),
        may_govern: signed.me.may(Right::Govern),
        may_pay: signed.me.may(Right::Pay),
    };
    Ok(again.answer(&page))
}

/// Of each provider that has a key, and of whatever something was said.
fn strategies(keys: &[Key], mut said: Strategies) -> Vec<Strategy> {
    for key in keys {
        said.providers.entry(key.provider.clone()).or_default();
    }
    let of = |kind: &'static str| {
        move |(of, strategy): (String, String)| Strategy {
            kind,
            of,
            form: Form::default().with("strategy", strategy),
        }
    };
    said.providers.into_iter().map(of("provider")).chain(said.models.into_iter().map(of("model"))).collect()
}

/// A provider's key as it was typed: text, or its own JSON.
fn secret(text: &str) -> Value {
    let object = text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
    object.unwrap_or_else(|| text.into())
}

/// What may be said of a key beside its text. Where `edits`, what was emptied is taken away.
fn said(form: &Form, edits: bool) -> Map<String, Value> {
    let mut body = Map::new();
    if edits || form.has("name") {
        body.insert(String::from("name"), json!(form.text("name")));
    }
    body.insert(String::from("is_fallback"), form.has("is_fallback").into());
    if let Some(order) = form.text("sort_order") {
        body.insert(
            String::from("sort_order"),
            order.parse::<i64>().map_or_else(|_| json!(order), |n| json!(n)),
        );
    }
    for name in ["allowed_models", "allowed_api_key_hashes"] {
        let list = form.list(name);
        match list.is_empty() {
            false => body.insert(name.to_owned(), json!(list)),
            true if edits => body.insert(name.to_owned(), Value::Null),
            true => None,
        };
    }
    body
}

/// `POST /console/provider-keys`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let (sent, word) = match form.text("act").unwrap_or_default() {
        "strategy" => {
            let kind = if form.text("kind") == Some("model") { "model" } else { "provider" };
            let body = json!({ kind: form.text("of"), "strategy": form.text("strategy") });
            (signed.send(Method::PUT, "/v1/byok/strategy", Some(&body)).await, "strategy")
        }
        "settings" => {
            let body = json!({ "on_empty": form.text("on_empty") });
            (signed.send(Method::PUT, "/v1/byok/settings", Some(&body)).await, "settings")
        }
        "move" => {
            let body = json!({ "from": "credits", "amount_usd": form.text("amount").unwrap_or_default() });
            (signed.send(Method::POST, "/v1/byok/balance", Some(&body)).await, "moved")
        }
        _ => (add(&signed, &form).await, "added"),
    };
    match sent {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

async fn add(signed: &Signed, form: &Form) -> Result<Value, Refused> {
    let mut body = said(form, false);
    body.insert(String::from("provider"), form.text("provider").unwrap_or_default().into());
    body.insert(String::from("key"), secret(form.text("key").unwrap_or_default()));
    if let Some(address) = form.text("base_url") {
        body.insert(String::from("base_url"), address.into());
    }
    let path = if form.has("force") { "/v1/byok?force=true" } else { "/v1/byok" };
    signed.send_unseen(Method::POST, path, Some(&Value::Object(body))).await
}

#[cfg(test)]
mod tests;
