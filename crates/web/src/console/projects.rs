//! `/console/projects`: what keys, budgets and use are grouped by.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Number, Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/projects";

const DONE: [(&str, &str); 4] = [
    ("made", "The project is there. Name it when you make a key, or in a key's rules."),
    ("saved", "The project is named anew."),
    ("archived", "The project is put away. Its keys go on."),
    ("back", "The project is back."),
];

#[derive(Deserialize)]
struct Project {
    slug: String,
    name: String,
    created_at: String,
    #[serde(default)]
    archived_at: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    project: Option<String>,
    total_usage: Number,
    request_count: u64,
}

#[derive(Deserialize)]
struct Table {
    data: Vec<Row>,
}

/// A project for people.
struct Line {
    slug: String,
    name: String,
    since: Shown,
    is_archived: bool,
    spent: Shown,
    requests: Shown,
}

#[derive(Template)]
#[template(path = "console/projects.html")]
struct Projects {
    shell: Frame,
    lines: Vec<Line>,
    form: Form,
    may_govern: bool,
}

/// `GET /console/projects`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let mut projects: Vec<Project> = signed.get("/v1/organization/projects").await?;
    projects.sort_by_key(|project| project.archived_at.is_some());
    let ask = json!({ "metrics": ["total_usage", "request_count"], "dimensions": ["project"] });
    let used: Option<Table> = match projects.is_empty() {
        true => None,
        false => signed.query("/v1/analytics/query", &ask).await.ok(),
    };
    let line = |project: Project| {
        let rows = used.as_ref().map(|table| table.data.as_slice());
        let row = rows
            .and_then(|rows| rows.iter().find(|row| row.project.as_deref() == Some(project.slug.as_str())));
        let (spent, requests) = match (rows, row) {
            (None, _) => (Shown::unknown(), Shown::unknown()),
            (_, None) => (format::cost(types::Money::ZERO), format::short(0)),
            (_, Some(row)) => (amount::dollars(&row.total_usage), format::short(row.request_count)),
        };
        Line {
            since: amount::day(&project.created_at),
            is_archived: project.archived_at.is_some(),
            slug: project.slug,
            name: project.name,
            spent,
            requests,
        }
    };
    let lines = projects.into_iter().map(line).collect();
    let may_govern = signed.me.may(Right::Govern);
    signed.offers(Method::PUT, "/v1/organization/projects/web", Some(&json!({ "name": "Web shop" })));
    let form = again.form(Form::default);
    let shell = Frame::of(signed, "Projects", PATH).told(signed, &DONE).again(&again);
    Ok(again.answer(&Projects { shell, lines, form, may_govern }))
}

/// `POST /console/projects`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let path = format!("/v1/organization/projects/{}", segment(form.text("slug").unwrap_or("-")));
    let (body, word) = match form.text("act") {
        Some("archive") => (json!({ "archived": true }), "archived"),
        Some("back") => (json!({ "archived": false }), "back"),
        Some("save") => (Value::Object(form.object(&["name"])), "saved"),
        _ => (Value::Object(form.object(&["name"])), "made"),
    };
    match signed.send(Method::PUT, &path, Some(&body)).await {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
