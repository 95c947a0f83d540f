//! `/v1/presets` in OpenRouter's shape: what requests are filled up with that name one. See `wire::preset` for what a preset
//! says and `filling` for how it is used.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use store::{RuleKind, RuleRow};
use wire::hub::Dialect;
use wire::preset::{Preset, from_request};
use wire::writer::Writer;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;
use crate::rules::PresetRule;
use crate::rules::edit::{Desk, Op, tag};

const KIND: RuleKind = RuleKind::Preset;
/// Where a body names the preset; its `name` is for people.
const NAME: &str = "slug";

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match op {
        Op::List => list(&Desk::reader(worker, &parts, KIND)?),
        Op::Show => show(&Desk::reader(worker, &parts, KIND)?),
        Op::Versions => versions(&Desk::reader(worker, &parts, KIND)?).await,
        Op::Create => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let (text, slug) = desk.name_in(&desk.body(&body)?, NAME)?;
            let edited = desk.create(slug, NAME, &text).await?;
            Ok(edited.answer(&object(&Shown::of(&edited.row)), &[]))
        }
        Op::Put => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            let slug = desk.slug()?;
            let (text, named) = desk.name_in(&desk.body(&body)?, NAME)?;
            let edited = desk.put(&slug, named.as_deref(), NAME, &text).await?;
            Ok(edited.answer(&object(&Shown::of(&edited.row)), &[]))
        }
        Op::Delete => {
            let desk = Desk::writer(worker, &parts, KIND)?;
            desk.delete(&desk.slug()?).await
        }
    }
}

/// `POST /v1/presets/{slug}/chat/completions`, `/messages` and `/responses`: makes a preset out of a request of that dialect, or
/// the next version of one. What people wrote about it stays.
pub(crate) async fn from_body(
    worker: &Arc<Worker>,
    dialect: Dialect,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::writer(worker, &parts, KIND)?;
    let slug = desk.slug()?;
    let body = desk.body(&body)?;
    let made = from_request(dialect, body.as_bytes())
        .map_err(|error| GatewayError::InvalidRequest(error.to_string()))?;
    let mut preset = made.preset;
    if let Some(before) = desk.gateway().rules.preset(desk.account(), &slug) {
        preset.name.clone_from(&before.parsed.name);
        preset.description.clone_from(&before.parsed.description);
        preset.status = before.parsed.status;
    }
    let mut edited = desk.put(&slug, None, NAME, &preset.write()).await?;
    // Clients of OpenRouter's expect 200, whether it is new or not.
    edited.made = false;
    let lost: Vec<String> = made.warnings.into_iter().map(|warning| warning.message).collect();
    Ok(edited.answer(&object(&Shown::of(&edited.row)), &lost))
}

fn list(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let rules = desk.gateway().rules.presets(desk.account());
    let objects: Vec<String> = rules.iter().map(|rule| object(&Shown::from(&**rule))).collect();
    Ok(router::json(format!("{{\"data\":[{}],\"total_count\":{}}}", objects.join(","), objects.len())))
}

fn show(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let slug = desk.slug()?;
    let rule = desk.gateway().rules.preset(desk.account(), &slug).ok_or_else(|| desk.missing(&slug))?;
    let mut response = router::json(format!("{{\"data\":{}}}", object(&Shown::from(&*rule))));
    tag(&mut response, rule.version);
    Ok(response)
}

async fn versions(desk: &Desk<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let rows = desk.versions(&desk.slug()?).await?;
    let objects: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut w = Writer::default();
            write_version(&mut w, &Shown::of(row), row.deleted);
            String::from_utf8_lossy(&w.finish()).into_owned()
        })
        .collect();
    Ok(router::json(format!("{{\"data\":[{}],\"total_count\":{}}}", objects.join(","), objects.len())))
}

/// What is shown of a preset, from memory or from the store.
struct Shown<'a> {
    slug: &'a str,
    version: i64,
    preset: std::borrow::Cow<'a, Preset>,
    created: String,
    updated: String,
    by: &'a str,
}

impl<'a> Shown<'a> {
    fn of(row: &'a RuleRow) -> Shown<'a> {
        Shown {
            slug: &row.slug,
            version: row.version,
            preset: std::borrow::Cow::Owned(Preset::read(&row.body).unwrap_or_default()),
            created: rfc3339(row.first_created),
            updated: rfc3339(row.created),
            by: &row.created_by,
        }
    }
}

impl<'a> From<&'a PresetRule> for Shown<'a> {
    fn from(rule: &'a PresetRule) -> Shown<'a> {
        Shown {
            slug: &rule.slug,
            version: rule.version,
            preset: std::borrow::Cow::Borrowed(&rule.parsed),
            created: rfc3339(rule.first_created),
            updated: rfc3339(rule.created),
            by: &rule.created_by,
        }
    }
}

fn object(shown: &Shown<'_>) -> String {
    let preset = &shown.preset;
    let mut w = Writer::default();
    w.begin_object().field("id", shown.slug).field("slug", shown.slug);
    w.field("name", preset.name.as_deref().unwrap_or(shown.slug));
    w.field_json("description", &preset.description).field("status", preset.status.name());
    w.field_raw("workspace_id", b"null").field_raw("status_updated_at", b"null");
    w.field("creator_user_id", shown.by);
    w.field("created_at", &shown.created).field("updated_at", &shown.updated);
    w.field("designated_version_id", &id(shown)).key("designated_version");
    write_version(&mut w, shown, false);
    String::from_utf8_lossy(&w.end_object_and_finish()).into_owned()
}

fn write_version(w: &mut Writer, shown: &Shown<'_>, deleted: bool) {
    w.begin_object().field("id", &id(shown)).field("preset_id", shown.slug);
    w.field_json("version", &shown.version).field_raw("config", shown.preset.config_json().as_bytes());
    w.field_json("system_prompt", &shown.preset.system_prompt).field("creator_id", shown.by);
    w.field("created_at", &shown.updated).field("updated_at", &shown.updated);
    w.field_json("deleted", &deleted).end_object();
}

/// The id of a version, as records have it.
fn id(shown: &Shown<'_>) -> String {
    format!("{}@{}", shown.slug, shown.version)
}
