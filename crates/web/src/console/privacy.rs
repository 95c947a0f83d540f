//! `/console/privacy`: what is kept of prompts and answers, and its end.

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
use super::signed::Signed;
use crate::format::Shown;
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/privacy";

const DONE: [(&str, &str); 2] = [
    ("saved", "It holds from now on, also for what is kept already."),
    ("never", "Zero retention is in force, for ever. What was kept is deleted within a minute."),
];

#[derive(Deserialize)]
struct Kept {
    keep_days: u64,
    zero_retention: bool,
    #[serde(default)]
    zero_retention_since: Option<String>,
}

#[derive(Template)]
#[template(path = "console/privacy.html")]
struct Privacy {
    shell: Frame,
    kept: Kept,
    since: Shown,
    form: Form,
    may_govern: bool,
    may_own: bool,
}

/// `GET /console/privacy`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let kept: Kept = signed.get("/v1/account/privacy").await?;
    let form = again.form(|| Form::default().with("keep_days", kept.keep_days.to_string()));
    signed.offers(Method::PUT, "/v1/account/privacy", Some(&json!({ "keep_days": 30 })));
    let page = Privacy {
        shell: Frame::of(signed, "Privacy", PATH).told(signed, &DONE).again(&again),
        since: kept.zero_retention_since.as_deref().map_or_else(Shown::unknown, amount::day),
        kept,
        form,
        may_govern: signed.me.may(Right::Govern),
        may_own: signed.me.may(Right::Own),
    };
    Ok(again.answer(&page))
}

/// `POST /console/privacy`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let (body, word) = match form.text("act") {
        Some("never") => (json!({ "zero_retention": true, "confirm": form.text("confirm") }), "never"),
        _ => {
            let days = form.text("keep_days").unwrap_or("0");
            let days = days.parse::<u64>().map_or_else(|_| Value::from(days), Value::from);
            (json!({ "keep_days": days }), "saved")
        }
    };
    match signed.send(Method::PUT, "/v1/account/privacy", Some(&body)).await {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
