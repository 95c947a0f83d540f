//! What access lists and groups have in common: rules under a name of the organization's own.

use axum::http::Method;
use serde_json::Value;

use super::{PATH, over};
use crate::console::again::Again;
use crate::console::form::Form;
use crate::console::signed::{Signed, segment};

/// A kind of such rules.
pub(super) struct Kind {
    /// Where the API has them.
    pub(super) api: &'static str,
    /// Where their pages are.
    path: &'static str,
    /// What is told of one that is taken away.
    gone: &'static str,
}

pub(super) const LISTS: Kind =
    Kind { api: "/v1/access-lists", path: "/console/access-lists", gone: "list-deleted" };
pub(super) const GROUPS: Kind = Kind { api: "/v1/groups", path: "/console/groups", gone: "group-deleted" };

impl Kind {
    /// Where the API has one.
    pub(super) fn api_of(&self, name: &str) -> String {
        format!("{}/{}", self.api, segment(name))
    }

    /// The page of one, or of a new one.
    pub(super) fn path_of(&self, name: Option<&str>) -> String {
        format!("{}/{}", self.path, name.map_or_else(|| String::from("new"), segment))
    }

    /// Does what a page's form asks for: makes one, writes it over the version that was seen, or takes it away. Where that is seen.
    pub(super) async fn act(
        &self,
        signed: &Signed,
        name: Option<&str>,
        form: Form,
        mut body: Value,
    ) -> Result<String, Again> {
        let named = name.or_else(|| form.text("name")).unwrap_or_default().to_owned();
        let seen = format!("{}?done=saved", self.path_of(Some(&named)));
        let Some(name) = name else {
            if let Some(body) = body.as_object_mut() {
                body.insert(String::from("name"), named.into());
            }
            let sent = signed.send(Method::POST, self.api, Some(&body)).await;
            return sent.map(|_| seen).map_err(|refused| Again::refused(form, &refused));
        };
        let (api, version) = (self.api_of(name), over(&form));
        if form.text("act") == Some("delete") {
            let sent = signed.send_over(Method::DELETE, &api, None, version).await;
            let listed = |_| format!("{PATH}?done={}", self.gone);
            return sent.map(listed).map_err(|refused| Again::refused(None, &refused));
        }
        let sent = signed.send_over(Method::PUT, &api, Some(&body), version).await;
        sent.map(|_| seen).map_err(|refused| Again::refused(form, &refused))
    }
}
