//! `/console/keys/new`: a new key with all that may be said of one.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Right, Role};

use super::{PATH, edit, fresh};
use crate::console::again::Again;
use crate::console::form::Form;
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::shell::{Crumb, Failed};

#[derive(Deserialize)]
struct ServiceAccount {
    id: String,
    name: String,
}

#[derive(Template)]
#[template(path = "console/key_new.html")]
struct New {
    shell: Frame,
    crumbs: Vec<Crumb>,
    form: Form,
    resets: &'static [(&'static str, &'static str)],
    public: &'static [(&'static str, &'static str)],
    /// Who may hold it, beside who makes it.
    holders: Vec<(String, String)>,
    roles: Vec<(&'static str, &'static str)>,
    may_govern: bool,
}

/// `GET /console/keys/new`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let may_govern = signed.me.may(Right::Govern);
    let mut holders = vec![(String::new(), String::from("You"))];
    if may_govern {
        holders.push((String::from("organization"), String::from("The organization")));
        let programs: Vec<ServiceAccount> =
            signed.ask("/v1/organization/service-accounts").await.unwrap_or_default();
        holders.extend(programs.into_iter().map(|program| (program.id, program.name)));
    }
    let example = json!({ "name": "web shop", "limit": "25", "limit_reset": "monthly" });
    signed.offers(Method::POST, "/v1/keys", Some(&example));
    let roles = Role::ALL.into_iter().filter(|role| signed.me.role.covers(*role));
    let roles = roles.map(|role| (role.name(), role.name())).collect();
    let form = again.form(edit::blank);
    let shell = Frame::of(signed, "New key", PATH).again(&again);
    let (resets, public) = (edit::RESETS.as_slice(), edit::PUBLIC.as_slice());
    let crumbs = vec![Crumb::new(PATH, "Keys")];
    let page = New { shell, crumbs, form, resets, public, holders, roles, may_govern };
    Ok(again.answer(&page))
}

/// `POST /console/keys/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    let mut body = match edit::new_body(&form) {
        Ok(body) => body,
        Err(why) => return page(&signed, Again::wrong(form, &why)).await,
    };
    if form.has("management") {
        body.insert(String::from("management"), json!(true));
        body.insert(String::from("role"), json!(form.text("role")));
    }
    match form.text("holder") {
        None => None,
        Some("organization") => body.insert(String::from("holder"), Value::Null),
        Some(holder) => body.insert(String::from("holder"), json!(holder)),
    };
    let lists = form.list("access_lists");
    if !lists.is_empty() {
        body.insert(String::from("access_lists"), json!(lists));
    }
    match signed.send(Method::POST, "/v1/keys", Some(&Value::Object(body))).await {
        Ok(answer) => Ok(fresh::page(&signed, &answer, String::new())),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}
