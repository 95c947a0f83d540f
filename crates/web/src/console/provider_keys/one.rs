//! `/console/provider-keys/{id}`: one key of a provider, to be edited, replaced or removed.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use types::Right;

use super::{Key, Line, PATH, said, secret};
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment};
use crate::shell::{Crumb, Failed};

#[derive(Template)]
#[template(path = "console/provider_key.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    line: Line,
    key: Key,
    form: Form,
    may_govern: bool,
}

/// `GET /console/provider-keys/{id}`.
pub(crate) async fn show(Path(id): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, &id, Again::default()).await
}

async fn page(signed: &Signed, id: &str, again: Again) -> Result<Response, Failed> {
    let key: Key = signed.get(&format!("/v1/byok/{}", segment(id))).await?;
    let form = again.form(|| {
        Form::default()
            .with("name", key.name.clone().unwrap_or_default())
            .with("sort_order", key.sort_order.to_string())
            .with("base_url", key.base_url.clone().unwrap_or_default())
            .with("allowed_models", key.allowed_models.clone().unwrap_or_default().join("\n"))
            .with("allowed_api_key_hashes", key.allowed_api_key_hashes.clone().unwrap_or_default().join("\n"))
            .ticked("is_fallback", key.is_fallback)
    });
    let api = format!("/v1/byok/{}", segment(id));
    signed.offers(Method::PATCH, &api, Some(&json!({ "disabled": !key.disabled })));
    signed.offers(Method::DELETE, &api, None);
    let line = Line::of(&key);
    let shell = Frame::of(signed, &line.name, PATH).again(&again);
    let crumbs = vec![Crumb::new(PATH, "Provider keys")];
    let may_govern = signed.me.may(Right::Govern);
    Ok(again.answer(&One { shell, crumbs, line, key, form, may_govern }))
}

/// `POST /console/provider-keys/{id}`.
pub(crate) async fn act(Path(id): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/byok/{}", segment(&id));
    let (sent, word) = match form.text("act").unwrap_or_default() {
        "remove" => (signed.send(Method::DELETE, &api, None).await, "removed"),
        "off" => (signed.send(Method::PATCH, &api, Some(&json!({ "disabled": true }))).await, "saved"),
        "on" => (signed.send(Method::PATCH, &api, Some(&json!({ "disabled": false }))).await, "saved"),
        "replace" => {
            let mut body = json!({ "key": secret(form.text("key").unwrap_or_default()) });
            if let (Some(body), Some(address)) = (body.as_object_mut(), form.text("base_url")) {
                body.insert(String::from("base_url"), address.into());
            }
            let path = if form.has("force") { format!("{api}?force=true") } else { api };
            (signed.send_unseen(Method::PATCH, &path, Some(&body)).await, "saved")
        }
        _ => {
            let body = Value::Object(said(&form, true));
            (signed.send(Method::PATCH, &api, Some(&body)).await, "saved")
        }
    };
    match sent {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => {
            let typed = (form.text("act") == Some("save")).then_some(form);
            page(&signed, &id, Again::refused(typed, &refused)).await
        }
    }
}
