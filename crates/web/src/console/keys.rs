//! `/console/keys`: the keys of the organization with what they spend, and how each is stopped.

mod edit;
mod fresh;
pub(super) mod new;
pub(super) mod one;
mod used;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use types::{Right, Timestamp};

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::Failed;
use used::Used;

pub(crate) const PATH: &str = "/console/keys";

/// Keys of a page of the API.
const PAGE_KEYS: usize = 100;

/// What a form did.
const DONE: [(&str, &str); 4] = [
    ("stopped", "The key is stopped: its calls are refused from now on, on every node within a second."),
    ("started", "The key is on again."),
    ("revoked", "The key is revoked for good."),
    ("saved", "The key is changed. It acts within a second."),
];

/// A key, as the API tells it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Key {
    pub(crate) hash: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) label: String,
    project: Option<String>,
    holder: Option<String>,
    role: Option<String>,
    disabled: bool,
    frozen: Option<String>,
    limit_usd: Option<String>,
    limit_remaining_usd: Option<String>,
    usage_usd: String,
    held_usd: String,
    is_management_key: bool,
    created_at: String,
    expires_at: Option<String>,
    old_text_until: Option<String>,
    limit_reset: Option<String>,
    tags: Vec<String>,
    /// Everything else that may be edited.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// How a key is doing.
pub(crate) struct State {
    class: &'static str,
    word: &'static str,
    why: String,
}

impl Key {
    fn path(&self) -> String {
        format!("{PATH}/{}", segment(&self.id))
    }

    fn api(&self) -> String {
        format!("/v1/keys/{}", segment(&self.hash))
    }

    fn state(&self, now: Timestamp) -> State {
        let ends = self.expires_at.as_deref().and_then(amount::at);
        let (class, word, why) = match (&self.frozen, self.disabled, ends) {
            (Some(why), ..) => ("bad", "Frozen", why.clone()),
            (None, true, _) => ("warn", "Stopped", String::new()),
            (None, false, Some(ends)) if ends <= now => ("warn", "Expired", String::new()),
            _ => ("good", "On", String::new()),
        };
        State { class, word, why }
    }

    /// What was spent of the limit in its span.
    fn spent(&self) -> Option<Cap> {
        let limit = amount::money(self.limit_usd.as_deref()?);
        let left = amount::money(self.limit_remaining_usd.as_deref().unwrap_or("0"));
        let held = amount::money(&self.held_usd);
        let spent = limit.saturating_sub(left).saturating_sub(held);
        let percent = amount::percent(spent, limit);
        Some(Cap {
            spent: format::cost(spent),
            limit: format::cost(limit),
            left: format::cost(left),
            per: per(self.limit_reset.as_deref()),
            percent,
            is_near: percent >= 80,
        })
    }

    /// Whether who is signed in may write it: their own, or any for those who govern.
    fn is_theirs(&self, signed: &Signed) -> bool {
        let own = self.holder.as_deref() == Some(signed.me.user.id.as_str());
        signed.me.may(Right::Govern) || (own && signed.me.may(Right::Build))
    }
}

/// A limit and what is spent of it.
pub(crate) struct Cap {
    spent: Shown,
    limit: Shown,
    left: Shown,
    per: &'static str,
    percent: u64,
    is_near: bool,
}

fn per(reset: Option<&str>) -> &'static str {
    match reset {
        Some("daily") => "a day",
        Some("weekly") => "a week",
        Some("monthly") => "a month",
        _ => "in all",
    }
}

/// A row of the list.
struct Line {
    key: Key,
    path: String,
    state: State,
    cap: Option<Cap>,
    total: Shown,
    used: Used,
    is_theirs: bool,
}

#[derive(Template)]
#[template(path = "console/keys.html")]
struct Keys {
    shell: Frame,
    lines: Vec<Line>,
    may_build: bool,
    /// Where the next page begins.
    next: Option<usize>,
    before: Option<usize>,
}

/// `GET /console/keys`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let offset: usize = signed.visit.ask("offset").and_then(|text| text.parse().ok()).unwrap_or_default();
    let path = match offset {
        0 => String::from("/v1/keys?include_disabled=true"),
        _ => format!("/v1/keys?include_disabled=true&offset={offset}"),
    };
    let keys: Vec<Key> = signed.get(&path).await?;
    let used = used::by_key(signed).await;
    let (now, today) = (signed.visit.now, signed.visit.today());
    let next = (keys.len() == PAGE_KEYS).then(|| offset.saturating_add(PAGE_KEYS));
    let line = |key: Key| Line {
        path: key.path(),
        state: key.state(now),
        cap: key.spent(),
        total: amount::usd(&key.usage_usd),
        used: used::of(&used, &key.id, today),
        is_theirs: key.is_theirs(signed),
        key,
    };
    let lines: Vec<Line> = keys.into_iter().map(line).collect();
    if let Some(first) = lines.first() {
        signed.offers(Method::PATCH, &first.key.api(), Some(&json!({ "disabled": true })));
    }
    let shell = Frame::of(signed, "Keys", PATH).told(signed, &DONE).again(&again);
    let may_build = signed.me.may(Right::Build);
    let before = (offset > 0).then(|| offset.saturating_sub(PAGE_KEYS));
    Ok(again.answer(&Keys { shell, lines, may_build, next, before }))
}

/// `POST /console/keys`: stops a key, or switches it on again.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let is_stop = form.text("act") == Some("stop");
    let path = format!("/v1/keys/{}", segment(form.text("key").unwrap_or("-")));
    match signed.send(Method::PATCH, &path, Some(&json!({ "disabled": is_stop }))).await {
        Ok(_) if is_stop => Ok(done("/console/keys?done=stopped")),
        Ok(_) => Ok(done("/console/keys?done=started")),
        Err(refused) => page(&signed, Again::refused(None, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
