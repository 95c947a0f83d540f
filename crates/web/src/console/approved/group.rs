//! `/console/groups/{name}` and `/console/groups/new`: holders of keys that have the same access lists.

use askama::Template;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::{Group, PATH, over};
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment, sentence};
use crate::shell::{self, Crumb, Failed};

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
    page(&signed, None, StatusCode::OK, None, None).await
}

/// `GET /console/groups/{name}`.
pub(crate) async fn show(Path(name): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, Some(&name), StatusCode::OK, None, None).await
}

async fn page(
    signed: &Signed,
    name: Option<&str>,
    status: StatusCode,
    typed: Option<Form>,
    problem: Option<String>,
) -> Result<Response, Failed> {
    let told: Option<Told> = match name {
        Some(name) => Some(signed.get(&format!("/v1/groups/{}", segment(name))).await?),
        None => None,
    };
    let people: Vec<Holder> = signed.get("/v1/organization/members").await?;
    let programs: Vec<Holder> = signed.get("/v1/organization/service-accounts").await?;
    let lists: Vec<List> = signed.get("/v1/access-lists").await?;
    let form = typed.unwrap_or_else(|| told.as_ref().map_or_else(Form::default, filled));
    let example = json!({ "members": ["usr_..."], "access_lists": ["coding"] });
    let name = told.map(|told| told.name).unwrap_or_default();
    let api = if name.is_empty() { String::from("engineers") } else { segment(&name) };
    signed.offers(Method::PUT, &format!("/v1/groups/{api}"), Some(&example));
    let holder = |one: Holder| Choice {
        word: one.name.filter(|name| !name.is_empty()).unwrap_or(one.email),
        value: one.id,
    };
    let title = if name.is_empty() { "New group" } else { &name };
    let page = One {
        shell: Frame::of(signed, title, PATH).told(signed, &DONE).problem(problem),
        crumbs: vec![Crumb::new(PATH, "Approved models")],
        path: format!(
            "/console/groups/{}",
            if name.is_empty() { String::from("new") } else { segment(&name) }
        ),
        name,
        form,
        holders: people.into_iter().chain(programs).map(holder).collect(),
        lists: lists.into_iter().map(|list| Choice { word: list.name.clone(), value: list.name }).collect(),
        may_govern: signed.me.may(Right::Govern),
    };
    Ok(shell::private(shell::page(status, &page)))
}

fn filled(told: &Told) -> Form {
    let form = Form::default()
        .with("description", &told.group.description)
        .with("version", told.version.to_string());
    let form = told.group.members.iter().fold(form, |form, member| form.with("members", member));
    told.group.access_lists.iter().fold(form, |form, list| form.with("access_lists", list))
}

fn body(form: &Form) -> Value {
    json!({
        "description": form.text("description").unwrap_or_default(),
        "members": form.all("members"),
        "access_lists": form.all("access_lists"),
    })
}

/// `POST /console/groups/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    let name = form.text("name").unwrap_or_default().to_owned();
    let mut body = body(&form);
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("name"), name.clone().into());
    }
    match signed.send(Method::POST, "/v1/groups", Some(&body)).await {
        Ok(_) => Ok(done(&format!("/console/groups/{}?done=saved", segment(&name)))),
        Err(refused) => {
            page(&signed, None, refused.status, Some(form), Some(sentence(&refused.message))).await
        }
    }
}

/// `POST /console/groups/{name}`.
pub(crate) async fn act(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/groups/{}", segment(&name));
    let (sent, to) = match form.text("act") {
        Some("delete") => {
            let sent = signed.send_over(Method::DELETE, &api, None, over(&form)).await;
            (sent, format!("{PATH}?done=group-deleted"))
        }
        _ => {
            let sent = signed.send_over(Method::PUT, &api, Some(&body(&form)), over(&form)).await;
            (sent, format!("/console/groups/{}?done=saved", segment(&name)))
        }
    };
    match sent {
        Ok(_) => Ok(done(&to)),
        Err(refused) => {
            let typed = (form.text("act") != Some("delete")).then_some(form);
            page(&signed, Some(&name), refused.status, typed, Some(sentence(&refused.message))).await
        }
    }
}
