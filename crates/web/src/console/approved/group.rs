//! `/console/groups/{name}` and `/console/groups/new`: holders of keys that have the same access lists.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use types::Right;

use super::named::{GROUPS, LISTS};
use super::{Group, PATH};
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::shell::{Crumb, Failed};

const DONE: [(&str, &str); 1] = [("saved", "The group is written. It holds within a second.")];

/// A group, as the API tells it.
#[derive(Deserialize)]
struct Told {
    name: String,
    version: u64,
    group: Group,
}

#[derive(Deserialize)]
struct Holder {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct List {
    name: String,
}

/// A box to tick.
struct Choice {
    value: String,
    word: String,
}

#[derive(Template)]
#[template(path = "console/group.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    /// Empty: a new one.
    name: String,
    path: String,
    form: Form,
    holders: Vec<Choice>,
    lists: Vec<Choice>,
    may_govern: bool,
}

/// `GET /console/groups/new`.
pub(crate) async fn new(signed: Signed) -> Result<Response, Failed> {
    page(&signed, None, Again::default()).await
}

/// `GET /console/groups/{name}`.
pub(crate) async fn show(Path(name): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, Some(&name), Again::default()).await
}

async fn page(signed: &Signed, name: Option<&str>, again: Again) -> Result<Response, Failed> {
    let told: Option<Told> = match name {
        Some(name) => Some(signed.get(&GROUPS.api_of(name)).await?),
        None => None,
    };
    let people: Vec<Holder> = signed.get("/v1/organization/members").await?;
    let programs: Vec<Holder> = signed.get("/v1/organization/service-accounts").await?;
    let lists: Vec<List> = signed.get(LISTS.api).await?;
    let form = again.form(|| told.as_ref().map_or_else(Form::default, filled));
    let example = json!({ "members": ["usr_..."], "access_lists": ["coding"] });
    let api = GROUPS.api_of(told.as_ref().map_or("engineers", |told| &told.name));
    signed.offers(Method::PUT, &api, Some(&example));
    let holder = |one: Holder| Choice {
        word: one.name.filter(|name| !name.is_empty()).unwrap_or(one.email),
        value: one.id,
    };
    let name = told.map(|told| told.name);
    let page = One {
        shell: Frame::of(signed, name.as_deref().unwrap_or("New group"), PATH)
            .told(signed, &DONE)
            .again(&again),
        crumbs: vec![Crumb::new(PATH, "Approved models")],
        path: GROUPS.path_of(name.as_deref()),
        name: name.unwrap_or_default(),
        form,
        holders: people.into_iter().chain(programs).map(holder).collect(),
        lists: lists.into_iter().map(|list| Choice { word: list.name.clone(), value: list.name }).collect(),
        may_govern: signed.me.may(Right::Govern),
    };
    Ok(again.answer(&page))
}

fn filled(told: &Told) -> Form {
    let form = Form::default()
        .with("description", &told.group.description)
        .with("version", told.version.to_string());
    let form = told.group.members.iter().fold(form, |form, member| form.with("members", member));
    told.group.access_lists.iter().fold(form, |form, list| form.with("access_lists", list))
}

/// `POST /console/groups/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    write(&signed, None, form).await
}

/// `POST /console/groups/{name}`.
pub(crate) async fn act(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    write(&signed, Some(&name), form).await
}

async fn write(signed: &Signed, name: Option<&str>, form: Form) -> Result<Response, Failed> {
    let body = json!({
        "description": form.text("description").unwrap_or_default(),
        "members": form.all("members"),
        "access_lists": form.all("access_lists"),
    });
    match GROUPS.act(signed, name, form, body).await {
        Ok(to) => Ok(done(&to)),
        Err(again) => page(signed, name, again).await,
    }
}
