//! `/v1/organization/projects`: what keys, budgets and use are grouped by. A key that names a project makes it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Project, StoreError};

use super::{Answer, Office, data};
use crate::app::Worker;
use crate::key::rfc3339;

/// Most of one organization.
const PROJECTS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: Option<String>,
    archived: Option<bool>,
}

fn object(project: &Project) -> Value {
    json!({
        "slug": project.slug,
        "name": project.name,
        "created_at": rfc3339(project.created),
        "archived_at": project.archived.map(rfc3339),
    })
}

/// `GET /v1/organization/projects`.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    let account = office.account();
    let all = office.desk.store(|gateway| async move { gateway.store.projects(&account).await }).await?;
    Ok(data(&all.iter().map(object).collect()))
}

/// `PUT /v1/organization/projects/{slug}`: makes one, names it anew, archives it or takes it back. What is left out stays.
pub(super) async fn put(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let office = Office::open(worker, parts)?;
    let asked: Asked = office.desk.body(&body, r#"{"name": "Web shop", "archived": false}"#)?;
    let (account, slug, now) = (office.account(), office.desk.segment("projects"), office.desk.now());
    let put = office
        .desk
        .store(|gateway| async move {
            let all = gateway.store.projects(&account).await?;
            let known = all.iter().find(|project| project.slug == slug);
            if known.is_none() && all.len() >= PROJECTS_MAX {
                let why = format!("an organization has at most {PROJECTS_MAX} projects");
                return Err(StoreError::Invalid(why));
            }
            let before = known.and_then(|project| project.archived);
            let project = Project {
                name: asked
                    .name
                    .map(|name| name.trim().to_owned())
                    .or_else(|| known.map(|project| project.name.clone()))
                    .unwrap_or_else(|| slug.clone()),
                created: known.map_or(now, |project| project.created),
                archived: match asked.archived {
                    Some(true) => before.or(Some(now)),
                    Some(false) => None,
                    None => before,
                },
                slug,
            };
            gateway.store.put_project(&account, &project).await?;
            Ok(project)
        })
        .await?;
    Ok(data(&object(&put)))
}
