//! `/console/approved-models`: what the keys of the organization may call; beside it the lists and groups that narrow it down.

pub(super) mod group;
pub(super) mod list;
mod named;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use self::named::{GROUPS, Kind, LISTS};
use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Refused, Signed, segment};
use super::versions::{self, Version};
use crate::format::{self, Shown};
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/approved-models";

const DONE: [(&str, &str); 4] = [
    ("saved", "It holds for every key of the organization within a second."),
    ("deleted", "Everything is approved again."),
    ("list-deleted", "The access list is taken away."),
    ("group-deleted", "The group is taken away."),
];

/// What is approved, as the API tells it.
#[derive(Deserialize)]
struct Approved {
    version: u64,
    #[serde(default)]
    updated_at: Option<String>,
    approval: Approval,
    #[serde(default)]
    model_ids: Option<Vec<String>>,
    #[serde(default)]
    waiting: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Approval {
    models: Option<Vec<String>>,
    auto_approve: bool,
    providers: Vec<String>,
    regions: Vec<String>,
    no_training: bool,
    zero_retention: bool,
}

/// An access list or a group, as the API lists it.
#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    access_list: Option<AccessList>,
    #[serde(default)]
    group: Option<Group>,
    #[serde(default)]
    waiting: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AccessList {
    description: String,
    models: Vec<String>,
    auto_approve: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    description: String,
    members: Vec<String>,
    access_lists: Vec<String>,
}

/// What one key may call, and why.
#[derive(Deserialize)]
struct Access {
    key: String,
    decided_by: String,
    names: Vec<String>,
    model_count: u64,
    models: Vec<String>,
}

/// A list or group for people.
struct Line {
    path: String,
    name: String,
    about: String,
    holds: String,
    waiting: usize,
}

#[derive(Template)]
#[template(path = "console/approved.html")]
struct Page {
    shell: Frame,
    version: u64,
    updated: Option<Shown>,
    count: Option<String>,
    waiting: Vec<String>,
    form: Form,
    lists: Vec<Line>,
    groups: Vec<Line>,
    access: Option<Access>,
    decided: &'static str,
    versions: Vec<Version>,
    may_govern: bool,
}

/// `GET /console/approved-models`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let approved: Approved = signed.get("/v1/approved-models").await?;
    let lists: Vec<Named> = signed.get(LISTS.api).await?;
    let groups: Vec<Named> = signed.get(GROUPS.api).await?;
    let rows: Vec<Value> = match approved.version {
        0 => Vec::new(),
        _ => signed.ask("/v1/approved-models/versions").await.unwrap_or_default(),
    };
    let asked = signed.visit.ask("key").map(|key| format!("/v1/access?key={}", segment(key)));
    let access: Option<Access> = match asked {
        Some(path) => signed.ask(&path).await.ok(),
        None => None,
    };
    let form = again.form(|| filled(&approved));
    let example = json!({ "models": ["mistralai/*"], "no_training": true, "regions": ["eu"] });
    signed.offers(Method::PUT, "/v1/approved-models", Some(&example));
    let page = Page {
        shell: Frame::of(signed, "Approved models", PATH).told(signed, &DONE).again(&again),
        version: approved.version,
        updated: approved.updated_at.as_deref().map(amount::instant),
        count: approved.model_ids.map(|ids| format::count_of(ids.len() as u64, "model")),
        waiting: approved.waiting,
        form,
        lists: lists.into_iter().map(|one| line(&LISTS, one)).collect(),
        groups: groups.into_iter().map(|one| line(&GROUPS, one)).collect(),
        decided: match access.as_ref().map(|access| access.decided_by.as_str()) {
            Some("key") => "its own access lists",
            Some("groups") => "the groups that its holder is in",
            _ => "what the organization approves",
        },
        access,
        versions: versions::of(&rows, &["approval"]),
        may_govern: signed.me.may(Right::Govern),
    };
    Ok(again.answer(&page))
}

fn line(kind: &Kind, one: Named) -> Line {
    let (about, holds) = match (one.access_list, one.group) {
        (Some(list), _) => (list.description, format::list(&list.models)),
        (None, Some(group)) => {
            let members = format::count_of(group.members.len() as u64, "holder");
            let lists = match group.access_lists.is_empty() {
                true => String::from("bounded by nothing"),
                false => format!("with {}", format::list(&group.access_lists)),
            };
            (group.description, format!("{members}, {lists}"))
        }
        (None, None) => Default::default(),
    };
    Line { path: kind.path_of(Some(&one.name)), name: one.name, about, holds, waiting: one.waiting.len() }
}

fn filled(approved: &Approved) -> Form {
    let approval = &approved.approval;
    Form::default()
        .with("models", approval.models.clone().unwrap_or_default().join("\n"))
        .with("providers", approval.providers.join(", "))
        .with("regions", approval.regions.join(", "))
        .ticked("auto_approve", approval.auto_approve)
        .ticked("no_training", approval.no_training)
        .ticked("zero_retention", approval.zero_retention)
        .with("version", approved.version.to_string())
}

/// Over the version that was seen; there is none to write over where nothing was written yet.
fn over(form: &Form) -> Option<u64> {
    versions::seen(form).filter(|version| *version > 0)
}

/// `POST /console/approved-models`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = "/v1/approved-models";
    let (sent, word): (Result<Value, Refused>, &str) = match form.text("act") {
        Some("delete") => (signed.send_over(Method::DELETE, api, None, over(&form)).await, "deleted"),
        _ => {
            let mut body = json!({
                "providers": form.list("providers"),
                "regions": form.list("regions"),
                "auto_approve": form.has("auto_approve"),
                "no_training": form.has("no_training"),
                "zero_retention": form.has("zero_retention"),
            });
            let models = form.list("models");
            if let (Some(body), false) = (body.as_object_mut(), models.is_empty()) {
                body.insert(String::from("models"), json!(models));
            }
            (signed.send_over(Method::PUT, api, Some(&body), over(&form)).await, "saved")
        }
    };
    match sent {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
