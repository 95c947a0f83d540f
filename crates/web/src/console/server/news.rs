//! `/console/server/announcements`: what the operator tells people at the head of pages: written, worded anew, ended, taken away.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::NEWS;
use crate::console::amount;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment, sentence};
use crate::format::{self, Shown};
use crate::safe::{self, SafeHtml};
use crate::shell::{self, Failed};

const API: &str = "/v1/server/announcements";

const DONE: [(&str, &str); 4] = [
    ("made", "It is written. Whom it concerns reads it from its beginning on."),
    ("saved", "It is saved. Whoever had dismissed it sees it again."),
    ("ended", "It is ended: nobody sees it any more."),
    ("deleted", "It is gone."),
];

const LEVELS: [(&str, &str); 2] = [("info", "information"), ("warning", "warning")];
const AUDIENCES: [(&str, &str); 2] = [("everybody", "everybody"), ("signed_in", "people who are signed in")];

#[derive(Deserialize)]
struct Told {
    id: String,
    text: String,
    level: String,
    audience: String,
    from: String,
    until: Option<String>,
    state: String,
}

/// An announcement for people.
struct Line {
    id: String,
    html: SafeHtml,
    class: &'static str,
    state: &'static str,
    is_warning: bool,
    is_in_force: bool,
    who: &'static str,
    from: Shown,
    until: Option<Shown>,
    form: Form,
    /// Its form is open: what was typed could not be saved.
    is_open: bool,
}

#[derive(Template)]
#[template(path = "console/server_news.html")]
struct Page {
    shell: Frame,
    lines: Vec<Line>,
    form: Form,
    levels: &'static [(&'static str, &'static str)],
    audiences: &'static [(&'static str, &'static str)],
}

/// `GET /console/server/announcements`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, StatusCode::OK, None, None).await
}

async fn page(
    signed: &Signed,
    status: StatusCode,
    typed: Option<&Form>,
    problem: Option<String>,
) -> Result<Response, Failed> {
    let all: Vec<Told> = signed.get(API).await?;
    let example = json!({ "text": "We move tonight from 18:00 to 18:30 UTC.", "level": "warning" });
    signed.offers(Method::POST, API, Some(&example));
    if let Some(first) = all.first() {
        signed.offers(
            Method::PATCH,
            &format!("{API}/{}", segment(&first.id)),
            Some(&json!({ "level": "info" })),
        );
    }
    let of = typed.and_then(|form| form.text("id"));
    let lines = all.into_iter().map(|one| {
        let again = typed.filter(|_| of == Some(&one.id));
        line(one, again)
    });
    let page = Page {
        shell: Frame::of(signed, "Announcements", NEWS).told(signed, &DONE).problem(problem),
        lines: lines.collect(),
        form: typed.filter(|_| of.is_none()).cloned().unwrap_or_default(),
        levels: LEVELS.as_slice(),
        audiences: AUDIENCES.as_slice(),
    };
    Ok(shell::private(shell::page(status, &page)))
}

fn line(one: Told, typed: Option<&Form>) -> Line {
    let (class, state) = match one.state.as_str() {
        "in_force" => ("good", "Shown now"),
        "waiting" => ("warn", "Waits for its time"),
        _ => ("quiet", "Over"),
    };
    let kept = || {
        Form::default()
            .with("text", &one.text)
            .with("level", &one.level)
            .with("audience", &one.audience)
            .with("from", input(&one.from))
            .with("until", one.until.as_deref().map(input).unwrap_or_default())
    };
    Line {
        class,
        state,
        html: safe::markdown(&one.text),
        is_warning: one.level == "warning",
        is_in_force: one.state == "in_force",
        who: if one.audience == "everybody" { "everybody" } else { "people who are signed in" },
        from: amount::instant(&one.from),
        until: one.until.as_deref().map(amount::instant),
        is_open: typed.is_some(),
        form: typed.cloned().unwrap_or_else(kept),
        id: one.id,
    }
}

/// An instant of the API as a field for date and time has it; the field knows no zone, and the page says that it is UTC.
fn input(at: &str) -> String {
    let at = amount::at(at).map(format::rfc3339).unwrap_or_default();
    at.chars().take(16).collect()
}

/// What was typed into such a field, as the API takes it.
fn instant(typed: &str) -> String {
    match typed.len() {
        16 => format!("{typed}:00Z"),
        19 => format!("{typed}Z"),
        _ => typed.to_owned(),
    }
}

/// `POST /console/server/announcements`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let path = format!("{API}/{}", segment(form.text("id").unwrap_or("-")));
    let (sent, word) = match form.text("act").unwrap_or_default() {
        "end" => {
            let body = json!({ "until": format::rfc3339(signed.visit.now) });
            (signed.send(Method::PATCH, &path, Some(&body)).await, "ended")
        }
        "delete" => (signed.send(Method::DELETE, &path, None).await, "deleted"),
        "save" => {
            let mut body = body(&form);
            // An empty field says that nobody knows the end; left out it would stay as it was.
            body.entry("until").or_insert(Value::Null);
            (signed.send(Method::PATCH, &path, Some(&body.into())).await, "saved")
        }
        _ => (signed.send(Method::POST, API, Some(&body(&form).into())).await, "made"),
    };
    match sent {
        Ok(_) => Ok(done(&format!("{NEWS}?done={word}"))),
        Err(refused) if refused.status == StatusCode::FORBIDDEN => Err(signed.failed(&refused)),
        Err(refused) => page(&signed, refused.status, Some(&form), Some(sentence(&refused.message))).await,
    }
}

fn body(form: &Form) -> Map<String, Value> {
    let mut body = form.object(&["level", "audience"]);
    body.insert(String::from("text"), form.text("text").unwrap_or_default().into());
    for name in ["from", "until"] {
        if let Some(typed) = form.text(name) {
            body.insert(name.to_owned(), instant(typed).into());
        }
    }
    body
}
