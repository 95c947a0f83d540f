//! What the operator tells people, at the head of every page, and `POST /announcements/dismiss`, with which somebody has read one. That is
//! noted in a cookie of the browser's own; one that is worded anew is shown again.

use axum::Router;
use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use axum::routing::post;
use std::sync::Arc;

use crate::console::form::Form;
use crate::safe::{self, SafeHtml};
use crate::shell;
use crate::sign_in::own_path;
use crate::traffic::Viewer;
use crate::visit::Pages;

/// Where a form says that one was read.
const DISMISS: &str = "/announcements/dismiss";
/// What the cookie is called.
const NAME: &str = "dismissed";
/// Most that are noted; the oldest goes first.
const NOTED_MAX: usize = 20;
/// How long it is noted, seconds: 90 days.
const NOTED_S: u32 = 7_776_000;

/// Something that the operator tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Names it and its wording: letters, digits, `_` and `-`.
    pub key: String,
    /// Markdown, as it was written.
    pub text: String,
    /// It looks like a warning.
    pub is_warning: bool,
    /// Only who is signed in reads it.
    pub is_for_signed_in: bool,
}

/// One at the head of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banner {
    /// Names it and its wording.
    pub key: String,
    /// What it says, made safe.
    pub html: SafeHtml,
    /// It looks like a warning.
    pub is_warning: bool,
    /// The page that it is on.
    pub back: String,
}

pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new().route(DISMISS, post(dismiss))
}

/// Those that whoever asks has not read yet.
pub(crate) async fn banners(pages: &Pages, headers: &HeaderMap, uri: &Uri) -> Vec<Banner> {
    let mut all = pages.site.announcements();
    if all.is_empty() {
        return Vec::new();
    }
    let read = noted(headers);
    all.retain(|one| !read.contains(&one.key.as_str()));
    // Who asks matters only where something is told to some.
    if all.iter().any(|one| one.is_for_signed_in) && pages.site.viewer(headers).await == Viewer::Anyone {
        all.retain(|one| !one.is_for_signed_in);
    }
    // What warns is read first.
    all.sort_by_key(|one| !one.is_warning);
    let back = uri.path_and_query().map_or("/", |path| path.as_str());
    let banner = |one: Announcement| Banner {
        html: safe::markdown(&one.text),
        key: one.key,
        is_warning: one.is_warning,
        back: back.to_owned(),
    };
    all.into_iter().map(banner).collect()
}

/// The keys that a browser has noted.
fn noted(headers: &HeaderMap) -> Vec<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|all| all.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let own = pairs.filter(|(name, _)| *name == NAME).flat_map(|(_, value)| value.split('.'));
    own.filter(|key| is_key(key)).collect()
}

fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// `POST`: it was read. Back to the page that it was on.
async fn dismiss(State(pages): State<Arc<Pages>>, headers: HeaderMap, form: Form) -> Response {
    let mut response = shell::private(shell::seen_at(own_path(form.text("back"))));
    let Some(key) = form.text("key").filter(|key| is_key(key)) else { return response };
    // What is told no more need not be noted any longer.
    let known = pages.site.announcements();
    let mut keys = noted(&headers);
    keys.retain(|noted| *noted != key && known.iter().any(|one| one.key == *noted));
    keys.push(key);
    let keys = keys.split_off(keys.len().saturating_sub(NOTED_MAX));
    let cookie = format!("{NAME}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={NOTED_S}", keys.join("."));
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests;
