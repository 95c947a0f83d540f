//! `/console/webhooks`: where the organization is told of things besides mail.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/webhooks";

const DONE: [(&str, &str); 2] = [
    ("made", "The webhook is there. Its secret is in its row: the receiver checks signatures with it."),
    ("deleted", "The webhook is gone, and what waited to be delivered with it."),
];

/// What there is to tell.
const KINDS: [(&str, &str); 5] = [
    ("budget.threshold", "a budget reaches one of its percentages"),
    ("key.threshold", "a key's limit is nearly used up"),
    ("key.frozen", "a key is frozen, for it spends many times what it usually does"),
    ("model.price_changed", "the price of a model that you use changes"),
    ("model.deprecated", "a model that you use is to be retired"),
];

#[derive(Deserialize)]
struct Webhook {
    id: String,
    url: String,
    kinds: Vec<String>,
    disabled: bool,
    created_at: String,
    secret: String,
}

/// A webhook for people.
struct Line {
    id: String,
    url: String,
    kinds: String,
    is_off: bool,
    since: Shown,
    secret: String,
}

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct Webhooks {
    shell: Frame,
    lines: Vec<Line>,
    form: Form,
    kinds: &'static [(&'static str, &'static str)],
    may_govern: bool,
}

/// `GET /console/webhooks`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let all: Vec<Webhook> = signed.get("/v1/webhooks").await?;
    let may_govern = signed.me.may(Right::Govern);
    let line = |webhook: Webhook| Line {
        kinds: if webhook.kinds.is_empty() {
            String::from("everything")
        } else {
            format::list(&webhook.kinds)
        },
        since: amount::day(&webhook.created_at),
        // Who only looks has no use for it.
        secret: if may_govern { webhook.secret } else { String::new() },
        id: webhook.id,
        url: webhook.url,
        is_off: webhook.disabled,
    };
    let example = json!({ "url": "https://example.com/hooks", "kinds": ["budget.threshold"] });
    signed.offers(Method::POST, "/v1/webhooks", Some(&example));
    let form = again.form(Form::default);
    let shell = Frame::of(signed, "Webhooks", PATH).told(signed, &DONE).again(&again);
    let (lines, kinds) = (all.into_iter().map(line).collect(), KINDS.as_slice());
    Ok(again.answer(&Webhooks { shell, lines, form, kinds, may_govern }))
}

/// `POST /console/webhooks`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let (sent, word) = match form.text("act") {
        Some("delete") => {
            let path = format!("/v1/webhooks/{}", segment(form.text("id").unwrap_or("-")));
            (signed.send(Method::DELETE, &path, None).await, "deleted")
        }
        _ => {
            let mut body = json!({ "url": form.text("url").unwrap_or_default() });
            let kinds = form.all("kinds");
            if let (Some(body), false) = (body.as_object_mut(), kinds.is_empty()) {
                body.insert(String::from("kinds"), Value::from(kinds));
            }
            (signed.send(Method::POST, "/v1/webhooks", Some(&body)).await, "made")
        }
    };
    match sent {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
