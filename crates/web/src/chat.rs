//! `/chat`: the playground. The page is a frame; what is asked and answered runs in the reader's browser (`assets/chat`), which calls
//! `/v1/chat/completions` as any program does.
//!
//! A session can't call models, so the page makes a key for it through the API: small, short-lived, shown once and kept by the browser's
//! tab. Each one that is made revokes those that the same person had from here before.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Right, Timestamp};

use crate::assets::CHAT_SCRIPT_URL;
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Made, Refused, Signed};
use crate::shell::{self, Failed};
use crate::visit::Pages;

/// Where it is.
pub(crate) const PATH: &str = "/chat";
/// What keys of this page are called, and tagged with.
const KEY_NAME: &str = "Playground";
const KEY_TAG: &str = "playground";
/// How long such a key lives, microseconds: 12 hours.
const KEY_US: i64 = 12 * 3_600 * 1_000_000;
/// What it may spend where nobody says, USD.
const LIMIT_USD: &str = "1";
/// Pages of keys that are looked through for earlier ones; a page has 100.
const KEY_PAGES_MAX: usize = 50;
/// What a form did.
const DONE: [(&str, &str); 1] = [("ended", "The playground's key is revoked.")];

/// The paths.
pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new().route(PATH, get(show)).route("/chat/key", get(back).post(key))
}

/// A name that can be asked for.
struct Choice {
    id: String,
    name: String,
}

/// A key that was made a moment ago.
struct NewKey {
    text: String,
    /// What it may spend, and until when.
    about: String,
}

#[derive(Template)]
#[template(path = "chat.html")]
struct Chat {
    shell: Frame,
    script_url: &'static str,
    base_url: String,
    slug: String,
    prefix: String,
    owner: String,
    choices: Vec<Choice>,
    providers: BTreeSet<String>,
    may_make: bool,
    limit: String,
    made: Option<NewKey>,
}

/// What of a key is read here.
#[derive(Deserialize)]
struct Known {
    hash: String,
    name: String,
    holder: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default(), LIMIT_USD.to_owned(), None).await
}

/// Whoever reloads what a form led to.
async fn back() -> Response {
    shell::seen_at(PATH)
}

async fn page(
    signed: &Signed,
    again: Again,
    limit: String,
    made: Option<NewKey>,
) -> Result<Response, Failed> {
    let place = &signed.visit.place;
    let (choices, providers) = choices(signed).await?;
    signed.calls.note(made_by_form(&new_key(LIMIT_USD, signed.visit.now)));
    let page = Chat {
        shell: Frame::of(signed, "Playground", PATH).told(signed, &DONE).again(&again),
        script_url: CHAT_SCRIPT_URL.as_str(),
        base_url: place.base_url.clone(),
        slug: place.brand_slug.clone(),
        prefix: place.header_prefix.clone(),
        owner: signed.me.user.id.clone(),
        choices,
        providers,
        may_make: signed.me.may(Right::Build),
        limit,
        made,
    };
    Ok(again.answer(&page))
}

/// Every name that is answered here and now, and the providers behind them: virtual models, the organization's policies and presets,
/// then models that converse.
async fn choices(signed: &Signed) -> Result<(Vec<Choice>, BTreeSet<String>), Failed> {
    let slug = &signed.visit.place.brand_slug;
    let virtual_models = [
        ("auto", "the router chooses by what is asked"),
        ("fast", "the quickest that will do"),
        ("cheap", "the cheapest that will do"),
        ("free", "only what costs nothing"),
    ];
    let choice = |(id, name): (&str, &str)| Choice { id: format!("{slug}/{id}"), name: name.to_owned() };
    let mut all: Vec<Choice> = virtual_models.into_iter().map(choice).collect();
    for (path, key, form) in [("/v1/policies", "name", "policy/"), ("/v1/presets", "slug", "@preset/")] {
        let rules: Vec<Value> = signed.get(path).await?;
        let ids = rules.iter().filter_map(|rule| Some(format!("{form}{}", rule.get(key)?.as_str()?)));
        all.extend(ids.map(|id| Choice { id, name: String::from("of your organization") }));
    }

    let (snapshot, conditions) = (signed.visit.snapshot(), signed.visit.world.conditions());
    let mut providers = BTreeSet::new();
    let mut is_on = vec![false; snapshot.models.len()];
    for (at, endpoint) in snapshot.endpoints.iter().enumerate() {
        if conditions.switched_on(at) {
            is_on.get_mut(endpoint.model).into_iter().for_each(|on| *on = true);
            providers.extend(endpoint.provider_in(snapshot).map(|provider| provider.id.to_string()));
        }
    }
    let callable = snapshot.models.iter().zip(is_on).filter(|(model, is_on)| *is_on && model.is_chat());
    all.extend(callable.map(|(model, _)| Choice { id: model.id.to_string(), name: model.name.clone() }));
    Ok((all, providers))
}

/// The body of the call that makes a key.
fn new_key(limit: &str, now: Timestamp) -> Value {
    let expires = jiff::Timestamp::from_microsecond(now.0.saturating_add(KEY_US));
    // An instant that far away is never reached; a key without an end is not made.
    let expires = expires.map_or_else(|_| String::from("1970-01-01T00:00:00Z"), |at| format!("{at:.0}"));
    json!({ "name": KEY_NAME, "limit": limit, "expires_at": expires, "tags": [KEY_TAG] })
}

fn made_by_form(body: &Value) -> Made {
    Made { method: Method::POST, path: String::from("/v1/keys"), body: Some(body.to_string()) }
}

/// `POST /chat/key`: a key for the page, or the end of it.
async fn key(signed: Signed, form: Form) -> Result<Response, Failed> {
    if form.text("act") == Some("end") {
        return match end_old(&signed, None).await {
            Ok(()) => Ok(done("/chat?done=ended")),
            Err(refused) => refuse(&signed, form.again("limit"), &refused).await,
        };
    }
    let limit = form.text("limit").unwrap_or(LIMIT_USD).trim_start_matches('$').to_owned();
    match make(&signed, &limit).await {
        Ok((made, hash)) => {
            // After the new one is there: an answer that is lost in between leaves a key that works.
            let problem = end_old(&signed, Some(&hash)).await.err().map(|refused| refused.sentence());
            page(&signed, Again::default().or(problem), limit, Some(made)).await
        }
        Err(refused) => refuse(&signed, limit, &refused).await,
    }
}

async fn refuse(signed: &Signed, limit: String, refused: &Refused) -> Result<Response, Failed> {
    page(signed, Again::refused(None, refused), limit, None).await
}

/// Makes a key; with its hash.
async fn make(signed: &Signed, limit: &str) -> Result<(NewKey, String), Refused> {
    #[derive(Deserialize)]
    struct Answer {
        key: String,
        data: Known,
    }
    let body = new_key(limit, signed.visit.now);
    let reply = signed.calls.call_unseen(Method::POST, "/v1/keys", Some(body.to_string())).await;
    let Answer { key, data } = reply.read()?;
    let about = format!("A key of this page: spends at most ${limit}, and ends within 12 hours");
    Ok((NewKey { text: key, about }, data.hash))
}

/// Revokes the keys that this person made here, but for one.
async fn end_old(signed: &Signed, but: Option<&str>) -> Result<(), Refused> {
    #[derive(Deserialize)]
    struct Keys {
        data: Vec<Known>,
    }
    let is_old = |key: &Known| {
        key.name == KEY_NAME
            && key.holder.as_deref() == Some(&*signed.me.user.id)
            && key.tags.iter().any(|tag| tag == KEY_TAG)
            && Some(&*key.hash) != but
    };
    let mut old = Vec::new();
    for at in 0..KEY_PAGES_MAX {
        let path = format!("/v1/keys?include_disabled=true&offset={}", at * 100);
        let keys: Keys = signed.calls.call_unseen(Method::GET, &path, None).await.read()?;
        let is_last = keys.data.len() < 100;
        old.extend(keys.data.into_iter().filter(is_old));
        if is_last {
            break;
        }
    }
    for key in old {
        let path = format!("/v1/keys/{}", key.hash);
        let reply = signed.calls.call(Method::DELETE, &path, None).await;
        // Somebody else may have ended it since.
        if reply.status != StatusCode::NOT_FOUND {
            reply.read::<Value>()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
