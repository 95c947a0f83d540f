//! `/console/presets/{slug}` and `/console/presets/new`: one preset, with its versions.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Map, Value, json};
use types::Right;

use super::{PATH, Preset};
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment};
use crate::console::versions::{self, Version};
use crate::shell::{Crumb, Failed};

const DONE: [(&str, &str); 1] = [("saved", "The preset is written. It holds from the next request on.")];
const STATUSES: [(&str, &str); 3] = [
    ("active", "In use"),
    ("disabled", "Switched off: refuses requests"),
    ("archived", "Put away: refuses requests"),
];
/// What a new one begins with.
const CONFIG: &str = "{\n  \"model\": \"MODEL\",\n  \"temperature\": 0.2,\n  \"max_tokens\": 300\n}";

#[derive(Template)]
#[template(path = "console/preset.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    /// Empty: a new one.
    slug: String,
    path: String,
    base_url: String,
    form: Form,
    statuses: &'static [(&'static str, &'static str)],
    versions: Vec<Version>,
    may_build: bool,
}

/// `GET /console/presets/new`.
pub(crate) async fn new(signed: Signed) -> Result<Response, Failed> {
    Ok(blank(&signed, &Again::default()))
}

fn blank(signed: &Signed, again: &Again) -> Response {
    let model = format!("{}/auto", signed.visit.place.brand_slug);
    let config = CONFIG.replace("MODEL", &model);
    let form = again.form(|| Form::default().with("status", "active").with("config", config));
    let example = json!({ "slug": "support", "system_prompt": "...", "config": { "model": model } });
    signed.offers(Method::POST, "/v1/presets", Some(&example));
    let page = One {
        shell: Frame::of(signed, "New preset", PATH).again(again),
        crumbs: vec![Crumb::new(PATH, "Presets")],
        slug: String::new(),
        path: format!("{PATH}/new"),
        base_url: signed.visit.place.base_url.clone(),
        form,
        statuses: STATUSES.as_slice(),
        versions: Vec::new(),
        may_build: signed.me.may(Right::Build),
    };
    again.answer(&page)
}

/// `GET /console/presets/{slug}`.
pub(crate) async fn show(Path(slug): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, &slug, Again::default()).await
}

async fn page(signed: &Signed, slug: &str, again: Again) -> Result<Response, Failed> {
    let api = format!("/v1/presets/{}", segment(slug));
    let preset: Preset = signed.get(&api).await?;
    let rows: Vec<Value> = signed.ask(&format!("{api}/versions")).await.unwrap_or_default();
    let form = again.form(|| filled(&preset));
    signed.offers(
        Method::PUT,
        &api,
        Some(&json!({ "system_prompt": "...", "config": preset.designated_version.config })),
    );
    let page = One {
        shell: Frame::of(signed, &preset.name, PATH).told(signed, &DONE).again(&again),
        crumbs: vec![Crumb::new(PATH, "Presets")],
        path: format!("{PATH}/{}", segment(&preset.slug)),
        base_url: signed.visit.place.base_url.clone(),
        slug: preset.slug,
        form,
        statuses: STATUSES.as_slice(),
        versions: versions::of(&rows, &["config", "system_prompt"]),
        may_build: signed.me.may(Right::Build),
    };
    Ok(again.answer(&page))
}

fn filled(preset: &Preset) -> Form {
    let latest = &preset.designated_version;
    Form::default()
        .with("name", &preset.name)
        .with("description", preset.description.clone().unwrap_or_default())
        .with("status", &preset.status)
        .with("system_prompt", latest.system_prompt.clone().unwrap_or_default())
        .with("config", versions::pretty(&latest.config))
        .with("version", latest.version.to_string())
}

/// What was typed.
fn body(form: &Form) -> Result<Map<String, Value>, String> {
    let mut body = form.object(&["name", "description", "status"]);
    if let Some(prompt) = form.text("system_prompt") {
        body.insert(String::from("system_prompt"), prompt.into());
    }
    body.insert(String::from("config"), versions::typed(form, "config", "the request's fields")?);
    Ok(body)
}

/// `POST /console/presets/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    let mut body = match body(&form) {
        Ok(body) => body,
        Err(why) => return Ok(blank(&signed, &Again::wrong(form, &why))),
    };
    let slug = form.text("slug").unwrap_or_default().to_owned();
    body.insert(String::from("slug"), slug.clone().into());
    match signed.send(Method::POST, "/v1/presets", Some(&Value::Object(body))).await {
        Ok(answer) => told(&signed, &slug, &answer).await,
        Err(refused) => Ok(blank(&signed, &Again::refused(form, &refused))),
    }
}

/// It is written; what may not be meant so is said.
async fn told(signed: &Signed, slug: &str, answer: &Value) -> Result<Response, Failed> {
    let warnings = versions::warnings(answer);
    match warnings.is_empty() {
        true => Ok(done(&format!("{PATH}/{}?done=saved", segment(slug)))),
        false => page(signed, slug, Again::warned(warnings)).await,
    }
}

/// `POST /console/presets/{slug}`.
pub(crate) async fn act(Path(slug): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/presets/{}", segment(&slug));
    let version = versions::seen(&form);
    if form.text("act") == Some("delete") {
        return match signed.send_over(Method::DELETE, &api, None, version).await {
            Ok(_) => Ok(done("/console/presets?done=deleted")),
            Err(refused) => page(&signed, &slug, Again::refused(None, &refused)).await,
        };
    }
    let body = match body(&form) {
        Ok(body) => Value::Object(body),
        Err(why) => return page(&signed, &slug, Again::wrong(form, &why)).await,
    };
    match signed.send_over(Method::PUT, &api, Some(&body), version).await {
        Ok(answer) => told(&signed, &slug, &answer).await,
        Err(refused) => page(&signed, &slug, Again::refused(form, &refused)).await,
    }
}
