//! `/console/settings`: the organization itself: its name, a new one, leaving, its end.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::Signed;
use crate::format::Shown;
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/settings";

const DONE: [(&str, &str); 2] = [
    ("renamed", "It has another name."),
    ("made", "The organization is there, you own it, and you work in it now."),
];

/// The organization, as the API tells it.
#[derive(Deserialize)]
struct Organization {
    id: String,
    name: String,
    personal: bool,
    role: String,
    created_at: String,
}

#[derive(Template)]
#[template(path = "console/settings.html")]
struct Settings {
    shell: Frame,
    own: Organization,
    since: Shown,
    form: Form,
    may_own: bool,
}

/// `GET /console/settings`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let own: Organization = signed.get("/v1/organization").await?;
    if signed.me.may(Right::Own) {
        signed.offers(Method::PATCH, "/v1/organization", Some(&json!({ "name": own.name })));
    }
    let form = again.form(|| Form::default().with("name", &own.name));
    let shell = Frame::of(signed, "Organization", PATH).told(signed, &DONE).again(&again);
    let since = amount::day(&own.created_at);
    let page = Settings { shell, since, form, may_own: signed.me.may(Right::Own), own };
    Ok(again.answer(&page))
}

/// `POST /console/settings`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let sent = match form.text("act").unwrap_or_default() {
        "make" => make(&signed, &form).await.map(|()| "/console/settings?done=made"),
        "leave" => {
            let sent = signed.send(Method::POST, "/v1/organization/leave", None).await;
            sent.map(|_| "/console?done=switched")
        }
        "end" => return end(&signed, form).await,
        _ => {
            let body = json!({ "name": form.text("name").unwrap_or_default() });
            let sent = signed.send(Method::PATCH, "/v1/organization", Some(&body)).await;
            sent.map(|_| "/console/settings?done=renamed")
        }
    };
    match sent {
        Ok(to) => Ok(done(to)),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

/// A new organization, in which the session works from then on.
async fn make(signed: &Signed, form: &Form) -> Result<(), super::signed::Refused> {
    let body = json!({ "name": form.text("new").unwrap_or_default() });
    let made = signed.send(Method::POST, "/v1/organizations", Some(&body)).await?;
    let id = made.pointer("/data/id").and_then(Value::as_str);
    signed.send(Method::PUT, "/v1/auth/organization", Some(&json!({ "organization": id }))).await.map(drop)
}

/// Its end can't be taken back: whoever asks for it types its name.
async fn end(signed: &Signed, form: Form) -> Result<Response, Failed> {
    let own: Organization = signed.get("/v1/organization").await?;
    if form.text("named") != Some(own.name.trim()) {
        let why = "That is not the organization's name. Nothing has ended.";
        return page(signed, Again::wrong(form, why)).await;
    }
    let path = match form.has("forfeit") {
        true => "/v1/organization?forfeit_balance=true",
        false => "/v1/organization",
    };
    match signed.send(Method::DELETE, path, None).await {
        Ok(_) => Ok(done("/console?done=switched")),
        Err(refused) => page(signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
