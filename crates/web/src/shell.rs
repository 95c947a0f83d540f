//! What every page has around it, and how a page becomes an answer.

use std::fmt::Display;

use askama::Template;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::assets::{CSS_URL, ICON_URL, SCRIPT_URLS};
use crate::machine::head;
use crate::{Banner, Place};

/// The sections of the site, in the order of the head. A section stands here once its page does.
const SECTIONS: [(&str, &str); 9] = [
    ("/models", "Models"),
    ("/providers", "Providers"),
    ("/compare", "Compare"),
    ("/calculator", "Calculator"),
    (RANKINGS, "Rankings"),
    ("/benchmarks", "Benchmarks"),
    ("/status", "Status"),
    ("/#docs", "API"),
    (CONSOLE, "Console"),
];

/// The section that not everybody may see.
const RANKINGS: &str = "/rankings";

/// Where people run things; who is not signed in is asked to.
pub(crate) const CONSOLE: &str = "/console";

/// The frame that `base.html` draws.
pub(crate) struct Shell {
    pub(crate) title: String,
    /// For search engines and previews; empty: none.
    pub(crate) description: String,
    /// The address under which the page is known; empty: none.
    pub(crate) canonical: String,
    /// The address of a picture for who shares the page; empty: none.
    pub(crate) picture: String,
    pub(crate) brand: String,
    pub(crate) version: String,
    pub(crate) sections: Vec<Section>,
    pub(crate) css_url: &'static str,
    pub(crate) icon_url: &'static str,
    pub(crate) script_urls: &'static [String],
    /// What the operator tells.
    pub(crate) banners: Vec<Banner>,
}

/// A link of the head.
pub(crate) struct Section {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_here: bool,
}

/// A step of the path above a heading.
pub(crate) struct Crumb {
    pub(crate) path: String,
    pub(crate) name: String,
}

impl Crumb {
    pub(crate) fn new(path: impl Into<String>, name: impl Into<String>) -> Crumb {
        Crumb { path: path.into(), name: name.into() }
    }
}

impl Shell {
    /// A page that belongs to no section.
    pub(crate) fn new(title: String, place: &Place) -> Shell {
        let is_open = |path: &str| path != RANKINGS || !place.hides_rankings;
        let section = |(path, name)| Section { path, name, is_here: false };
        Shell {
            title,
            description: String::new(),
            canonical: String::new(),
            picture: String::new(),
            brand: place.brand.clone(),
            version: place.version.clone(),
            sections: SECTIONS.into_iter().filter(|(path, _)| is_open(path)).map(section).collect(),
            css_url: CSS_URL.as_str(),
            icon_url: ICON_URL.as_str(),
            script_urls: SCRIPT_URLS.as_slice(),
            banners: place.banners.clone(),
        }
    }

    /// A page of a section: `title` without the brand, the section's path, and the page's own path.
    pub(crate) fn of(place: &Place, title: &str, section: &str, path: &str) -> Shell {
        let mut shell = Shell::new(format!("{title} · {}", place.brand), place);
        shell.canonical = format!("{}{path}", place.base_url);
        shell.sections.iter_mut().for_each(|known| known.is_here = known.path == section);
        shell
    }

    /// The same with a picture at a path, of the size that [`crate::machine::card`] draws.
    pub(crate) fn pictured(self, place: &Place, path: &str) -> Shell {
        Shell { picture: format!("{}{path}", place.base_url), ..self }
    }

    /// The same with a description.
    pub(crate) fn about(self, description: impl Into<String>) -> Shell {
        Shell { description: head::description(&description.into()), ..self }
    }
}

/// A page as an answer that nobody may keep without asking: it shows a moment.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    html(status, template.render())
}

/// A part of a page, for the script that puts it in place. The same address answers with the whole page to others.
pub(crate) fn part(rendered: askama::Result<String>) -> Response {
    let mut response = html(StatusCode::OK, rendered);
    response.headers_mut().insert(VARY, HeaderValue::from_static("x-part"));
    response
}

fn html(status: StatusCode, rendered: askama::Result<String>) -> Response {
    match rendered {
        Ok(html) => {
            let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
            (status, headers, html).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// What somebody sees who is signed in, or types a secret into: no cache keeps it.
pub(crate) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer in place of what was asked for. In a box: it is large, and rare.
pub(crate) struct Failed(Box<Response>);

impl From<Response> for Failed {
    fn from(response: Response) -> Failed {
        Failed(Box::new(response))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        *self.0
    }
}

fn failed(error: &dyn Display) -> Response {
    tracing::error!(%error, "a page could not be rendered");
    (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be rendered.\n").into_response()
}

/// The twin of a page for programs: JSON that any site may read.
pub(crate) fn json(value: &serde_json::Value) -> Response {
    let headers =
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, value.to_string()).into_response()
}

/// Elsewhere for good.
pub(crate) fn moved(path: &str) -> Response {
    led(StatusCode::PERMANENT_REDIRECT, path)
}

/// Elsewhere this time: where what was asked in a form is shown.
pub(crate) fn seen_at(path: &str) -> Response {
    led(StatusCode::SEE_OTHER, path)
}

fn led(status: StatusCode, path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(location) => (status, [(axum::http::header::LOCATION, location)]).into_response(),
        Err(error) => failed(&error),
    }
}
