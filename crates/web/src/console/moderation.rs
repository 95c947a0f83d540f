//! `/console/moderation`: ratings that were reported or are hidden, and what is to become of each. For who runs the server.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::again::Again;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Made, Signed, sentence};
use crate::format::Shown;
use crate::ratings::{day, stars};
use crate::safe::{self, SafeHtml};
use crate::shell::Failed;

/// Where it is.
pub(crate) const PATH: &str = "/console/moderation";

/// What forms did.
const DONE: [(&str, &str); 4] = [
    ("hide", "It is hidden: only its author sees it, with what you said."),
    ("show", "Everybody sees it again."),
    ("dismiss", "The reports are dismissed."),
    ("delete", "It is deleted."),
];

#[derive(Deserialize)]
struct Page {
    data: Vec<One>,
    next: Option<String>,
}

/// A rating, as the API tells it.
#[derive(Deserialize)]
struct One {
    id: String,
    model: String,
    name: String,
    stars: u64,
    comment: String,
    created_at: String,
    edited_at: Option<String>,
    author: Author,
    hidden: Option<Hidden>,
    reports: Vec<Report>,
}

#[derive(Deserialize)]
struct Author {
    id: String,
    email: String,
}

#[derive(Deserialize)]
struct Hidden {
    at: String,
    by: String,
    why: String,
}

#[derive(Deserialize)]
struct Report {
    reason: String,
    reporter: Option<String>,
    created_at: String,
    resolved_at: Option<String>,
}

/// A rating of the page.
struct Line {
    one: One,
    html: SafeHtml,
    written: Shown,
    edited: Option<Shown>,
    /// Since when, by whom and why nobody sees it.
    hidden: Option<String>,
    /// Reports that nobody has looked at, and those that somebody has.
    open: Vec<Said>,
    looked_at: usize,
}

/// A report of the page.
struct Said {
    reason: String,
    by: String,
    on: Shown,
}

#[derive(Template)]
#[template(path = "console/moderation.html")]
struct Moderation {
    shell: Frame,
    is_hidden: bool,
    queue: &'static str,
    lines: Vec<Line>,
    older: Option<String>,
    /// What was typed for a rating, and could not be done.
    typed: Option<(String, String)>,
}

pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let is_hidden = signed.visit.ask("queue") == Some("hidden");
    let queue = if is_hidden { "hidden" } else { "reported" };
    let address = |base: &str, after: Option<&str>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("queue", queue);
        after
            .map(|after| query.append_pair("after", after).finish())
            .map_or_else(|| format!("{base}?queue={queue}"), |query| format!("{base}?{query}"))
    };
    let reply =
        signed.calls.call(Method::GET, &address("/v1/moderation", signed.visit.ask("after")), None).await;
    let Page { data, next } = reply.read().map_err(|refused| signed.failed(&refused))?;
    if let Some(first) = data.first() {
        let body = json!({ "action": "hide", "why": "It insults people." }).to_string();
        let path = format!("/v1/moderation/{}", first.id);
        signed.calls.note(Made { method: Method::POST, path, body: Some(body) });
    }
    let page = Moderation {
        shell: Frame::of(signed, "Moderation", PATH).told(signed, &DONE).again(&again),
        is_hidden,
        queue,
        lines: data.into_iter().map(line).collect(),
        older: next.map(|next| address(PATH, Some(&next))),
        typed: again.typed().map(|form| (form.again("id"), form.again("why"))),
    };
    Ok(again.answer(&page))
}

fn line(mut one: One) -> Line {
    let reports = std::mem::take(&mut one.reports);
    let all = reports.len();
    let open: Vec<Said> = reports
        .into_iter()
        .filter(|report| report.resolved_at.is_none())
        .map(|report| Said {
            reason: if report.reason.is_empty() { String::from("(erased)") } else { report.reason },
            by: report.reporter.unwrap_or_else(|| String::from("somebody who was erased")),
            on: day(&report.created_at),
        })
        .collect();
    Line {
        html: safe::markdown(&one.comment),
        written: day(&one.created_at),
        edited: one.edited_at.as_deref().map(day),
        hidden: one.hidden.as_ref().map(|hidden| {
            let since = day(&hidden.at);
            match (&*hidden.by, &*hidden.why) {
                ("reports", _) => format!("Hidden by reports since {}.", since.text()),
                (by, "") => format!("Hidden by {by} since {}.", since.text()),
                (by, why) => format!("Hidden by {by} since {}: {}", since.text(), sentence(why)),
            }
        }),
        looked_at: all - open.len(),
        open,
        one,
    }
}

impl Line {
    fn stars(&self) -> String {
        stars(self.one.stars).picture
    }

    /// What was typed for this one.
    fn typed(&self, typed: &Option<(String, String)>) -> String {
        typed.iter().find(|(id, _)| *id == self.one.id).map(|(_, why)| why.clone()).unwrap_or_default()
    }
}

/// `POST`: one of the decisions.
pub(crate) async fn decide(signed: Signed, form: Form) -> Result<Response, Failed> {
    let id = form.text("id").unwrap_or_default();
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let path = format!("/v1/moderation/{}", if is_id { id } else { "none" });
    let action = form.text("action").unwrap_or_default();
    let mut body = json!({ "action": action });
    if let (Some(why), Some(map)) = (form.text("why"), body.as_object_mut()) {
        map.insert(String::from("why"), why.into());
    }
    match signed.send(Method::POST, &path, Some(&body)).await {
        Ok(_) => {
            let word =
                DONE.into_iter().map(|(word, _)| word).find(|word| *word == action).unwrap_or_default();
            let queue = if form.text("queue") == Some("hidden") { "hidden" } else { "reported" };
            Ok(done(&format!("{PATH}?queue={queue}&done={word}")))
        }
        Err(refused) if refused.status == StatusCode::FORBIDDEN => Err(signed.failed(&refused)),
        Err(refused) => {
            let again = match action {
                "hide" if form.text("why").is_none() => {
                    Again::saying(form, &refused, "Say why: the author reads it.")
                }
                _ => Again::refused(form, &refused),
            };
            page(&signed, again).await
        }
    }
}

#[cfg(test)]
mod tests;
