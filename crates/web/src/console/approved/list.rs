//! `/console/access-lists/{name}` and `/console/access-lists/new`: models under a name.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::named::LISTS;
use super::{AccessList, PATH};
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::console::versions::{self, Version};
use crate::shell::{Crumb, Failed};

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
    /// None: a new one.
    told: Option<Told>,
    path: String,
    form: Form,
    versions: Vec<Version>,
    may_govern: bool,
}

/// `GET /console/access-lists/new`.
pub(crate) async fn new(signed: Signed) -> Result<Response, Failed> {
    page(&signed, None, Again::default()).await
}

/// `GET /console/access-lists/{name}`.
pub(crate) async fn show(Path(name): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, Some(&name), Again::default()).await
}

async fn page(signed: &Signed, name: Option<&str>, again: Again) -> Result<Response, Failed> {
    let (told, rows): (Option<Told>, Vec<Value>) = match name.map(|name| LISTS.api_of(name)) {
        Some(api) => {
            let told: Told = signed.get(&api).await?;
            signed.offers(Method::PUT, &api, Some(&json!({ "models": told.access_list.models })));
            (Some(told), signed.ask(&format!("{api}/versions")).await.unwrap_or_default())
        }
        None => {
            let example = json!({ "name": "coding", "models": ["mistralai/codestral*"] });
            signed.offers(Method::POST, LISTS.api, Some(&example));
            (None, Vec::new())
        }
    };
    let form = again.form(|| told.as_ref().map_or_else(Form::default, filled));
    let title = told.as_ref().map_or("New access list", |told| &told.name);
    let page = One {
        shell: Frame::of(signed, title, PATH).told(signed, &DONE).again(&again),
        crumbs: vec![Crumb::new(PATH, "Approved models")],
        path: LISTS.path_of(told.as_ref().map(|told| told.name.as_str())),
        form,
        versions: versions::of(&rows, &["access_list"]),
        may_govern: signed.me.may(Right::Govern),
        told,
    };
    Ok(again.answer(&page))
}

fn filled(told: &Told) -> Form {
    Form::default()
        .with("description", &told.access_list.description)
        .with("models", told.access_list.models.join("\n"))
        .ticked("auto_approve", told.access_list.auto_approve)
        .with("version", told.version.to_string())
}

/// `POST /console/access-lists/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    write(&signed, None, form).await
}

/// `POST /console/access-lists/{name}`.
pub(crate) async fn act(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    write(&signed, Some(&name), form).await
}

async fn write(signed: &Signed, name: Option<&str>, form: Form) -> Result<Response, Failed> {
    let body = json!({
        "description": form.text("description").unwrap_or_default(),
        "models": form.list("models"),
        "auto_approve": form.has("auto_approve"),
    });
    match LISTS.act(signed, name, form, body).await {
        Ok(to) => Ok(done(&to)),
        Err(again) => page(signed, name, again).await,
    }
}
