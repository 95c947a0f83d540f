//! `/console/members`: who belongs to the organization, as what; who is asked in; and programs that hold keys.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Right, Role};

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::Shown;
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/members";

const DONE: [(&str, &str); 6] = [
    ("role", "The role is changed."),
    ("removed", "They belong to it no more, and the keys that they held have ended."),
    ("invited", "A mail with the way in is sent. It is good for 7 days, once."),
    ("uninvited", "The invitation is taken back."),
    ("made", "The service account is there. Make its keys on the page of keys, held by it."),
    ("ended", "The service account and its keys have ended."),
];

/// What each role may do, for who is to choose one.
const ABOUT: [(&str, &str); 5] = [
    ("owner", "Everything, also to name and end the organization and to make owners."),
    ("admin", "Everybody's keys, members, budgets, projects, provider keys, webhooks, the audit log."),
    ("developer", "Makes keys and edits the own ones; writes policies and presets."),
    ("billing", "Pays: top-ups, vouchers, invoices, statement."),
    ("viewer", "Looks at everything but the audit log and the money's papers."),
];

#[derive(Deserialize)]
struct Person {
    id: String,
    email: String,
    #[serde(default)]
    name: Option<String>,
    role: String,
    since: String,
}

#[derive(Deserialize)]
struct Invitation {
    id: String,
    email: String,
    role: String,
    expires_at: String,
}

#[derive(Deserialize)]
struct Program {
    id: String,
    name: String,
    role: String,
    created_at: String,
}

/// A member for people.
struct Line {
    id: String,
    name: String,
    email: String,
    role: String,
    since: Shown,
    is_you: bool,
    /// What of the viewer's rights covers theirs.
    may_edit: bool,
    form: Form,
}

/// Who is asked in.
struct Asked {
    id: String,
    email: String,
    role: String,
    until: Shown,
}

/// A program that holds keys.
struct Held {
    id: String,
    name: String,
    role: String,
    since: Shown,
}

#[derive(Template)]
#[template(path = "console/members.html")]
struct Members {
    shell: Frame,
    lines: Vec<Line>,
    asked: Vec<Asked>,
    programs: Vec<Held>,
    form: Form,
    roles: Vec<(&'static str, &'static str)>,
    about: &'static [(&'static str, &'static str)],
    may_govern: bool,
}

/// `GET /console/members`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let may_govern = signed.me.may(Right::Govern);
    let people: Vec<Person> = signed.get("/v1/organization/members").await?;
    let programs: Vec<Program> = signed.get("/v1/organization/service-accounts").await?;
    let asked: Vec<Invitation> = match may_govern {
        true => signed.get("/v1/organization/invitations").await?,
        false => Vec::new(),
    };
    if may_govern {
        let invite = json!({ "email": "ada@example.com", "role": "developer" });
        signed.offers(Method::POST, "/v1/organization/invitations", Some(&invite));
        let program = json!({ "name": "ci", "role": "developer" });
        signed.offers(Method::POST, "/v1/organization/service-accounts", Some(&program));
    }
    let own = signed.me.role;
    let line = |person: Person| Line {
        is_you: person.id == signed.me.user.id,
        may_edit: may_govern && Role::named(&person.role).is_some_and(|role| own.covers(role)),
        form: Form::default().with("role", &person.role),
        name: person.name.filter(|name| !name.is_empty()).unwrap_or_else(|| person.email.clone()),
        since: amount::day(&person.since),
        id: person.id,
        email: person.email,
        role: person.role,
    };
    let asked = asked.into_iter().map(|one| Asked {
        id: one.id,
        email: one.email,
        role: one.role,
        until: amount::instant(&one.expires_at),
    });
    let held = |program: Program| Held {
        id: program.id,
        name: program.name,
        role: program.role,
        since: amount::day(&program.created_at),
    };
    let roles = Role::ALL.into_iter().filter(|role| own.covers(*role));
    let page = Members {
        shell: Frame::of(signed, "Members", PATH).told(signed, &DONE).again(&again),
        lines: people.into_iter().map(line).collect(),
        asked: asked.collect(),
        programs: programs.into_iter().map(held).collect(),
        form: again.form(|| Form::default().with("role", "developer")),
        roles: roles.map(|role| (role.name(), role.name())).collect(),
        about: ABOUT.as_slice(),
        may_govern,
    };
    Ok(again.answer(&page))
}

/// `POST /console/members`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let id = segment(form.text("id").unwrap_or("-"));
    let role: Value = form.text("role").into();
    let call = |method, path: &str, body: Option<Value>| (method, format!("/v1/organization/{path}"), body);
    let ((method, path, body), word) = match form.text("act").unwrap_or_default() {
        "role" => (call(Method::PATCH, &format!("members/{id}"), Some(json!({ "role": role }))), "role"),
        "remove" => (call(Method::DELETE, &format!("members/{id}"), None), "removed"),
        "uninvite" => (call(Method::DELETE, &format!("invitations/{id}"), None), "uninvited"),
        "program" => {
            let body = json!({ "name": form.text("name").unwrap_or_default(), "role": role });
            (call(Method::POST, "service-accounts", Some(body)), "made")
        }
        "end-program" => (call(Method::DELETE, &format!("service-accounts/{id}"), None), "ended"),
        _ => {
            let body = json!({ "email": form.text("email").unwrap_or_default(), "role": role });
            (call(Method::POST, "invitations", Some(body)), "invited")
        }
    };
    match signed.send(method, &path, body.as_ref()).await {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
