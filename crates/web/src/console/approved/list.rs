//! `/console/access-lists/{name}` and `/console/access-lists/new`: models under a name.

use askama::Template;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::{AccessList, PATH, over};
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment, sentence};
use crate::console::versions::{self, Version};
use crate::shell::{self, Crumb, Failed};

const DONE: [(&str, &str); 1] = [("saved", "The list is written. It holds within a second.")];

/// A list, as the API tells it.
#[derive(Deserialize)]
struct Told {
    name: String,
    version: u64,
    access_list: AccessList,
    #[serde(default)]
    model_ids: Option<Vec<String>>,
    #[serde(default)]
    waiting: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/access_list.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    /// Empty: a new one.
    name: String,
    path: String,
    form: Form,
    holds: Option<Vec<String>>,
    waiting: Vec<String>,
    versions: Vec<Version>,
    may_govern: bool,
}

fn crumbs() -> Vec<Crumb> {
    vec![Crumb::new(PATH, "Approved models")]
}

/// `GET /console/access-lists/new`.
pub(crate) async fn new(signed: Signed) -> Result<Response, Failed> {
    Ok(blank(&signed, StatusCode::OK, Form::default(), None))
}

fn blank(signed: &Signed, status: StatusCode, form: Form, problem: Option<String>) -> Response {
    let example = json!({ "name": "coding", "models": ["mistralai/codestral*"] });
    signed.offers(Method::POST, "/v1/access-lists", Some(&example));
    let page = One {
        shell: Frame::of(signed, "New access list", PATH).problem(problem),
        crumbs: crumbs(),
        name: String::new(),
        path: String::from("/console/access-lists/new"),
        form,
        holds: None,
        waiting: Vec::new(),
        versions: Vec::new(),
        may_govern: signed.me.may(Right::Govern),
    };
    shell::private(shell::page(status, &page))
}

/// `GET /console/access-lists/{name}`.
pub(crate) async fn show(Path(name): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, &name, StatusCode::OK, None, None).await
}

async fn page(
    signed: &Signed,
    name: &str,
    status: StatusCode,
    typed: Option<Form>,
    problem: Option<String>,
) -> Result<Response, Failed> {
    let api = format!("/v1/access-lists/{}", segment(name));
    let told: Told = signed.get(&api).await?;
    let rows: Vec<Value> = signed.ask(&format!("{api}/versions")).await.unwrap_or_default();
    let form = typed.unwrap_or_else(|| {
        Form::default()
            .with("description", &told.access_list.description)
            .with("models", told.access_list.models.join("\n"))
            .ticked("auto_approve", told.access_list.auto_approve)
            .with("version", told.version.to_string())
    });
    signed.offers(Method::PUT, &api, Some(&json!({ "models": told.access_list.models })));
    let page = One {
        shell: Frame::of(signed, &told.name, PATH).told(signed, &DONE).problem(problem),
        crumbs: crumbs(),
        path: format!("/console/access-lists/{}", segment(&told.name)),
        name: told.name,
        form,
        holds: told.model_ids,
        waiting: told.waiting,
        versions: versions::of(&rows, &["access_list"]),
        may_govern: signed.me.may(Right::Govern),
    };
    Ok(shell::private(shell::page(status, &page)))
}

fn body(form: &Form) -> Value {
    json!({
        "description": form.text("description").unwrap_or_default(),
        "models": form.list("models"),
        "auto_approve": form.has("auto_approve"),
    })
}

/// `POST /console/access-lists/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    let name = form.text("name").unwrap_or_default().to_owned();
    let mut body = body(&form);
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("name"), name.clone().into());
    }
    match signed.send(Method::POST, "/v1/access-lists", Some(&body)).await {
        Ok(_) => Ok(done(&format!("/console/access-lists/{}?done=saved", segment(&name)))),
        Err(refused) => Ok(blank(&signed, refused.status, form, Some(sentence(&refused.message)))),
    }
}

/// `POST /console/access-lists/{name}`.
pub(crate) async fn act(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/access-lists/{}", segment(&name));
    let (sent, to) = match form.text("act") {
        Some("delete") => {
            let sent = signed.send_over(Method::DELETE, &api, None, over(&form)).await;
            (sent, format!("{PATH}?done=list-deleted"))
        }
        _ => {
            let sent = signed.send_over(Method::PUT, &api, Some(&body(&form)), over(&form)).await;
            (sent, format!("/console/access-lists/{}?done=saved", segment(&name)))
        }
    };
    match sent {
        Ok(_) => Ok(done(&to)),
        Err(refused) => {
            let typed = (form.text("act") != Some("delete")).then_some(form);
            page(&signed, &name, refused.status, typed, Some(sentence(&refused.message))).await
        }
    }
}
