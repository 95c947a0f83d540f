//! `/console/server/people`: everybody who may sign in, whom to let in no more; every organization with its credit and use.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::PEOPLE;
use crate::console::again::Again;
use crate::console::amount;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::logs::{instant, segment};
use crate::console::signed::{Made, Signed};
use crate::format::{self, Shown};
use crate::shell::Failed;

/// What a form did.
const DONE: [(&str, &str); 2] = [
    ("out", "They are signed out everywhere, and may not sign in any more. Keys that they hold still work."),
    ("in", "They may sign in again."),
];

#[derive(Deserialize)]
struct User {
    id: String,
    email: String,
    name: String,
    organization: String,
    is_operator: bool,
    created_at: String,
    disabled_at: Option<String>,
}

#[derive(Deserialize)]
struct Organization {
    id: String,
    name: String,
    personal: bool,
    members: u64,
    keys: u64,
    balance_usd: String,
    metered_usd: String,
    created_at: String,
}

struct Person {
    user: User,
    since: Shown,
    disabled: Option<Shown>,
}

struct Line {
    one: Organization,
    balance: Shown,
    used: Shown,
    since: Shown,
}

#[derive(Template)]
#[template(path = "console/server_people.html")]
struct Page {
    shell: Frame,
    people: Vec<Person>,
    organizations: Vec<Line>,
    is_prepaid: bool,
}

pub(crate) async fn people(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

/// `POST`: somebody is let in no more, or again.
pub(crate) async fn edit(signed: Signed, form: Form) -> Result<Response, Failed> {
    let disabled = form.text("do") == Some("out");
    let path = format!("/v1/server/users/{}", segment(form.text("user").unwrap_or_default()));
    match signed.send(Method::PATCH, &path, Some(&json!({ "disabled": disabled }))).await {
        Ok(_) => Ok(done(&format!("{PEOPLE}?done={}", if disabled { "out" } else { "in" }))),
        Err(refused) => page(&signed, Again::refused(None, &refused)).await,
    }
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let users: Vec<User> = signed.get("/v1/server/users").await?;
    let organizations: Vec<Organization> = signed.get("/v1/server/organizations").await?;
    signed.calls.note(Made {
        method: Method::PATCH,
        path: String::from("/v1/server/users/{id}"),
        body: Some(json!({"disabled": true}).to_string()),
    });
    let at = |text: &str| instant(text).map_or_else(Shown::unknown, |at| format::day(at.day()));
    let person = |user: User| Person {
        since: at(&user.created_at),
        disabled: user.disabled_at.as_deref().map(at),
        user,
    };
    let line = |one: Organization| Line {
        balance: amount::usd(&one.balance_usd),
        used: amount::usd(&one.metered_usd),
        since: at(&one.created_at),
        one,
    };
    let page = Page {
        shell: Frame::of(signed, "People and organizations", PEOPLE).told(signed, &DONE).again(&again),
        people: users.into_iter().map(person).collect(),
        organizations: organizations.into_iter().map(line).collect(),
        is_prepaid: signed.visit.place.is_prepaid,
    };
    Ok(again.answer(&page))
}
