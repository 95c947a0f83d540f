//! `/console/guardrails`: what must not pass in requests and answers of the whole organization.

mod edit;

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, sentence};
use super::versions::{self, Version};
use crate::format::Shown;
use crate::shell::{self, Failed};
use edit::{ACTIONS, DIRECTIONS, KINDS, Kind, SCOPES};

pub(crate) const PATH: &str = "/console/guardrails";

const DONE: [(&str, &str); 2] = [
    ("saved", "They hold from the next call on, on every node within a second."),
    ("deleted", "There are no guardrails of the organization any more. Those of keys and policies stay."),
];

#[derive(Deserialize)]
struct Set {
    version: u64,
    #[serde(default)]
    updated_at: Option<String>,
    guardrails: Value,
}

#[derive(Template)]
#[template(path = "console/guardrails.html")]
struct Guardrails {
    shell: Frame,
    version: u64,
    updated: Option<Shown>,
    form: Form,
    kinds: &'static [Kind],
    actions: &'static [(&'static str, &'static str)],
    directions: &'static [(&'static str, &'static str)],
    scopes: &'static [(&'static str, &'static str)],
    /// Numbers of the rows for patterns.
    patterns: Vec<usize>,
    /// It says more than the fields can.
    is_beyond: bool,
    may_govern: bool,
    versions: Vec<Version>,
}

/// `GET /console/guardrails`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, StatusCode::OK, None, None).await
}

async fn page(
    signed: &Signed,
    status: StatusCode,
    typed: Option<Form>,
    problem: Option<String>,
) -> Result<Response, Failed> {
    let set: Set = signed.get("/v1/guardrails").await?;
    let rows: Vec<Value> = signed.ask("/v1/guardrails/versions").await.unwrap_or_default();
    let is_beyond = !edit::fits(&set.guardrails);
    let patterns = edit::rows(&set.guardrails);
    let form = typed.unwrap_or_else(|| {
        edit::form(&set.guardrails)
            .with("json", versions::pretty(&set.guardrails))
            .with("version", set.version.to_string())
    });
    let example = json!({ "kinds": { "secrets": "block", "email": "mask" } });
    let shown = if set.version == 0 { &example } else { &set.guardrails };
    signed.offers(Method::PUT, "/v1/guardrails", Some(shown));
    let page = Guardrails {
        shell: Frame::of(signed, "Guardrails", PATH).told(signed, &DONE).problem(problem),
        version: set.version,
        updated: set.updated_at.as_deref().map(amount::instant),
        form,
        kinds: KINDS.as_slice(),
        actions: ACTIONS.as_slice(),
        directions: DIRECTIONS.as_slice(),
        scopes: SCOPES.as_slice(),
        patterns: (0..patterns).collect(),
        is_beyond,
        may_govern: signed.me.may(Right::Govern),
        versions: versions::of(&rows, &["guardrails"]),
    };
    Ok(shell::private(shell::page(status, &page)))
}

/// `POST /console/guardrails`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let version = versions::seen(&form);
    let body = match form.text("act") {
        Some("delete") => {
            let sent = signed.send_over(Method::DELETE, "/v1/guardrails", None, version).await;
            return end(&signed, form, sent.map(|_| "deleted")).await;
        }
        Some("json") => versions::typed(&form, "json", "what was typed"),
        _ => Ok(edit::body(&form)),
    };
    match body {
        Ok(body) => {
            // Whoever saw that there are none writes the first ones, and has nothing to write over.
            let over = version.filter(|version| *version > 0);
            let sent = signed.send_over(Method::PUT, "/v1/guardrails", Some(&body), over).await;
            end(&signed, form, sent.map(|_| "saved")).await
        }
        Err(why) => page(&signed, StatusCode::BAD_REQUEST, Some(form), Some(sentence(&why))).await,
    }
}

async fn end(
    signed: &Signed,
    form: Form,
    sent: Result<&'static str, super::signed::Refused>,
) -> Result<Response, Failed> {
    match sent {
        Ok(word) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(signed, refused.status, Some(form), Some(sentence(&refused.message))).await,
    }
}

#[cfg(test)]
mod tests;
