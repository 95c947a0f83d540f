//! What every page has around it, and how a page becomes an answer.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::assets::{CSS_URL, ICON_URL};

/// The frame that `base.html` draws.
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) brand: String,
    pub(crate) version: String,
    pub(crate) css_url: &'static str,
    pub(crate) icon_url: &'static str,
}

impl Shell {
    pub(crate) fn new(title: String, brand: &str, version: &str) -> Shell {
        Shell {
            title,
            brand: brand.to_owned(),
            version: version.to_owned(),
            css_url: CSS_URL.as_str(),
            icon_url: ICON_URL.as_str(),
        }
    }
}

/// A page as an answer that nobody may keep without asking: it shows a moment.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
            (status, headers, html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be rendered.\n").into_response()
        }
    }
}
