//! What a form sent.

use std::sync::Arc;

use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::FromRequest;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::message::message;
use crate::shell::Failed;
use crate::visit::{Pages, Visit};

/// The fields of a form, in their order. Only forms of this site's own pages get so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A field as it was typed, without white space around it; absent and empty are the same.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A field as it was typed, such as a password.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What to fill an input with again.
    pub(crate) fn again(&self, name: &str) -> String {
        self.raw(name).unwrap_or_default().to_owned()
    }

    /// Every value of a name, such as boxes of a group; empty ones are left out.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.0.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, value)| value.trim()).filter(|value| !value.is_empty()).collect()
    }

    /// Whether one of the values of a name is this.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.all(name).contains(&value)
    }

    /// What was listed in a field: between commas, white space and lines.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let typed = self.text(name).unwrap_or_default();
        typed.split([',', ' ', '\t', '\r', '\n']).filter(|item| !item.is_empty()).collect()
    }

    /// The lines of a field.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let typed = self.text(name).unwrap_or_default();
        typed.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    /// With a value more: what a page fills its form with before anybody typed.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Form {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// With a box ticked, or not.
    pub(crate) fn ticked(self, name: &str, is: bool) -> Form {
        if is { self.with(name, "yes") } else { self }
    }

    /// Whether a box is ticked.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// An object of those of these text fields that were filled.
    pub(crate) fn object(&self, names: &[&str]) -> Map<String, Value> {
        let filled = names.iter().filter_map(|name| Some(((*name).to_owned(), self.text(name)?.into())));
        filled.collect()
    }

    #[cfg(test)]
    pub(crate) fn of(fields: &[(&str, &str)]) -> Form {
        Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

/// A browser says where a request is from; a form of another site gets nowhere, whatever cookies come with it.
fn is_own_page(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let origin = text(&ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, host)| Some(host) == text(&HOST).or(authority))
}

impl FromRequest<Arc<Pages>> for Form {
    type Rejection = Failed;

    async fn from_request(mut request: Request<Body>, pages: &Arc<Pages>) -> Result<Form, Failed> {
        let visit = match request.extract_parts_with_state::<Visit, _>(pages).await {
            Ok(visit) => visit,
            Err(never) => match never {},
        };
        let refuse =
            |status, title, why| -> Failed { Failed::from(message(&visit.place, status, title, why)) };
        let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
        if !is_own_page(request.headers(), authority.as_deref()) {
            let why = "The form was sent from another site. Open the page here and fill it in again.";
            return Err(refuse(StatusCode::FORBIDDEN, "Not from here", why));
        }
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            let why = "Forms are sent as application/x-www-form-urlencoded. Programs use the API instead.";
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not a form", why));
        }
        match Bytes::from_request(request, pages).await {
            Ok(body) => Ok(Form(form_urlencoded::parse(&body).into_owned().collect())),
            Err(_) => {
                let why = "What was sent is too large, or broke off. Go back; what you typed is still there.";
                Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "Not all of it arrived", why))
            }
        }
    }
}

/// An answer that a form leads to: where its result is seen.
pub(crate) fn done(path: &str) -> Response {
    crate::shell::seen_at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_name() {
        let form = Form::of(&[
            ("name", " a "),
            ("empty", "  "),
            ("on", "yes"),
            ("tag", "x"),
            ("tag", ""),
            ("tag", "y"),
        ]);
        assert_eq!((form.text("name"), form.raw("name"), form.text("empty")), (Some("a"), Some(" a "), None));
        assert!(form.has("on") && !form.has("off"));
        assert_eq!(form.all("tag"), ["x", "y"]);
        assert!(form.is("tag", "y") && !form.is("tag", "z"));
        let listed = Form::default()
            .with("models", "a/b, c/*\r\n d/e,")
            .with("lines", " one \n\n two")
            .ticked("off", false);
        assert_eq!(listed.list("models"), ["a/b", "c/*", "d/e"]);
        assert_eq!(listed.lines("lines"), ["one", "two"]);
        assert!(!listed.has("off"));
        assert_eq!(Value::Object(form.object(&["name", "empty"])), serde_json::json!({"name": "a"}));
    }

    #[test]
    fn only_forms_of_own_pages_are_taken() {
        let own = |pairs: &[(&'static str, &str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            is_own_page(&pairs.collect(), None)
        };
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("origin", "https://a.example"), ("host", "a.example")]));
        assert!(!own(&[]));
        assert!(!own(&[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://a.example"),
            ("host", "a.example")
        ]));
        assert!(!own(&[("origin", "https://b.example"), ("host", "a.example")]));
        assert!(!own(&[("origin", "null"), ("host", "a.example")]));
    }
}
