//! `/console/server/provider-keys`: for the operator, keys of providers that serve everybody, entered while the server runs.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use catalog::{Protocol, Provider};
use serde::Deserialize;
use serde_json::json;
use types::Timestamp;

use super::again::Again;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Made, Signed};
use crate::format::{self, Shown};
use crate::shell::Failed;

/// Where it is.
pub(crate) const PATH: &str = "/console/server/provider-keys";
/// Its API.
const API: &str = "/v1/server/provider-keys";
/// What a form did.
const DONE: [(&str, &str); 2] = [
    ("kept", "The key is kept, and serves from now on."),
    ("gone", "The key is gone. Calls in flight end with it."),
];

/// A key that was entered.
#[derive(Deserialize)]
struct Entered {
    provider: String,
    name: Option<String>,
    is_on: bool,
    why: Option<String>,
    changed_at: String,
}

struct Row {
    entered: Entered,
    changed: Shown,
}

/// A provider that one plain key is enough for.
struct Choice {
    slug: String,
    name: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "console/server_keys.html")]
struct ServerKeys {
    shell: Frame,
    rows: Vec<Row>,
    choices: Vec<Choice>,
    /// Providers that are on, the sandbox among them, with why.
    on: Vec<(String, String)>,
    /// The provider refused the key that was typed.
    may_force: bool,
}

pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default(), signed.visit.ask("provider").unwrap_or("mistral"), false).await
}

async fn page(signed: &Signed, again: Again, chosen: &str, may_force: bool) -> Result<Response, Failed> {
    let all: Vec<Entered> = signed.get(API).await?;
    signed.calls.note(Made {
        method: Method::PUT,
        path: format!("{API}/{chosen}"),
        body: Some(String::from(r#"{"key":"..."}"#)),
    });
    let row = |entered: Entered| Row { changed: changed(&entered.changed_at), entered };
    let snapshot = signed.visit.snapshot();
    let taken = snapshot.providers.iter().filter(|provider| is_enough(provider));
    let mut choices: Vec<Choice> = taken
        .map(|provider| Choice {
            slug: provider.id.to_string(),
            name: provider.name.to_string(),
            is_chosen: &*provider.id == chosen,
        })
        .collect();
    choices.sort_by_key(|choice| choice.name.to_lowercase());
    let state = signed.visit.site.status(None);
    let on = state.providers_on.into_iter().map(|line| (line.slug, line.name)).collect();
    let page = ServerKeys {
        shell: Frame::of(signed, "Provider keys of the server", PATH).told(signed, &DONE).again(&again),
        rows: all.into_iter().map(row).collect(),
        choices,
        on,
        may_force,
    };
    Ok(again.answer(&page))
}

/// When it was entered.
fn changed(text: &str) -> Shown {
    let at = text.parse::<jiff::Timestamp>().ok();
    at.map_or_else(Shown::unknown, |at| format::instant(Timestamp(at.as_microsecond())))
}

/// Whether a key alone switches a provider on.
fn is_enough(provider: &Provider) -> bool {
    let wants_more = matches!(
        provider.protocol,
        Protocol::Bedrock
            | Protocol::Vertex
            | Protocol::VertexAnthropic
            | Protocol::Azure
            | Protocol::Sandbox
    );
    !wants_more && provider.base_url.as_deref().is_some_and(|url| !url.contains("${"))
}

/// `POST`: a key is kept, or taken away.
pub(crate) async fn write(signed: Signed, form: Form) -> Result<Response, Failed> {
    let provider = form.text("provider").unwrap_or_default().to_owned();
    // It becomes a segment of a path.
    let is_slug =
        !provider.is_empty() && provider.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_slug {
        return page(&signed, Again::wrong(None, "Choose a provider."), "mistral", false).await;
    }
    let path = format!("{API}/{provider}");
    if form.text("act") == Some("remove") {
        return match signed.send(Method::DELETE, &path, None).await {
            Ok(_) => Ok(done(&format!("{PATH}?done=gone"))),
            Err(refused) => page(&signed, Again::refused(None, &refused), &provider, false).await,
        };
    }
    let path = if form.has("force") { format!("{path}?force=true") } else { path };
    let body = json!({ "key": form.text("key").unwrap_or_default() });
    let reply = signed.calls.call_unseen(Method::PUT, &path, Some(body.to_string())).await;
    match reply.read::<serde_json::Value>() {
        Ok(_) => Ok(done(&format!("{PATH}?done=kept"))),
        Err(refused) => {
            let may_force = refused.kind == "provider_key_refused";
            page(&signed, Again::refused(None, &refused), &provider, may_force).await
        }
    }
}

#[cfg(test)]
mod tests;
