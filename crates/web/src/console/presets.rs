//! `/console/presets`: what requests are filled up with, under a name.

pub(super) mod one;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::frame::Frame;
use super::names::model_path;
use super::signed::{Signed, segment};
use crate::format::Shown;
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/presets";

const DONE: [(&str, &str); 1] =
    [("deleted", "The preset is taken away. Its versions stay readable over the API.")];

/// A preset, as the API tells it.
#[derive(Deserialize)]
struct Preset {
    slug: String,
    name: String,
    #[serde(default)]
    description: Option<String>,
    status: String,
    updated_at: String,
    designated_version: Latest,
}

#[derive(Deserialize)]
struct Latest {
    version: u64,
    config: Value,
    #[serde(default)]
    system_prompt: Option<String>,
}

/// A preset for people.
struct Line {
    path: String,
    slug: String,
    name: String,
    about: String,
    class: &'static str,
    status: String,
    model: String,
    model_href: Option<String>,
    version: u64,
    updated: Shown,
}

#[derive(Template)]
#[template(path = "console/presets.html")]
struct Presets {
    shell: Frame,
    lines: Vec<Line>,
    may_build: bool,
}

fn line(signed: &Signed, preset: Preset) -> Line {
    let model = preset.designated_version.config.get("model").and_then(Value::as_str).unwrap_or_default();
    Line {
        path: format!("{PATH}/{}", segment(&preset.slug)),
        class: if preset.status == "active" { "good" } else { "warn" },
        model: model.to_owned(),
        // Virtual models have no page.
        model_href: model_path(model).filter(|_| signed.visit.snapshot().model(model).is_some()),
        version: preset.designated_version.version,
        updated: amount::instant(&preset.updated_at),
        about: preset.description.unwrap_or_default(),
        slug: preset.slug,
        name: preset.name,
        status: preset.status,
    }
}

/// `GET /console/presets`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    let presets: Vec<Preset> = signed.get("/v1/presets").await?;
    let example = json!({ "name": "Support", "system_prompt": "You answer customers.", "config": { "temperature": 0.2 } });
    signed.offers(Method::PUT, "/v1/presets/support", Some(&example));
    let shell = Frame::of(&signed, "Presets", PATH).told(&signed, &DONE);
    let page = Presets {
        shell,
        lines: presets.into_iter().map(|preset| line(&signed, preset)).collect(),
        may_build: signed.me.may(Right::Build),
    };
    Ok(Again::default().answer(&page))
}

#[cfg(test)]
mod tests;
