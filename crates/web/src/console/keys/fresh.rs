//! A key's text, shown this once.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::PATH;
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::shell;

#[derive(Template)]
#[template(path = "console/key_fresh.html")]
struct Fresh {
    shell: Frame,
    name: String,
    path: String,
    text: String,
    base_url: String,
    model: String,
    is_management: bool,
    /// Until when the former text is taken, where there was one.
    note: String,
}

/// The page with the text that an answer of the API holds.
pub(super) fn page(signed: &Signed, answer: &Value, note: String) -> Response {
    let text = |path: &str| answer.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let page = Fresh {
        shell: Frame::of(signed, "A key's text", PATH),
        name: text("/data/name"),
        path: format!("{PATH}/{}", text("/data/id")),
        text: text("/key"),
        base_url: signed.visit.place.base_url.clone(),
        model: format!("{}/auto", signed.visit.place.brand_slug),
        is_management: answer.pointer("/data/is_management_key") == Some(&Value::Bool(true)),
        note,
    };
    shell::private(shell::page(StatusCode::CREATED, &page))
}
