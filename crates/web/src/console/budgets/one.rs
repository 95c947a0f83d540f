//! `/console/budgets/{id}`: one budget, to be edited or taken away.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde_json::Value;
use types::Right;

use super::{Budget, Line, Names, PATH, edited};
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment};
use crate::shell::{Crumb, Failed};

#[derive(Template)]
#[template(path = "console/budget.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    line: Line,
    form: Form,
    may_govern: bool,
}

/// `GET /console/budgets/{id}`.
pub(crate) async fn show(Path(id): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, &id, Again::default()).await
}

async fn page(signed: &Signed, id: &str, again: Again) -> Result<Response, Failed> {
    let api = format!("/v1/budgets/{}", segment(id));
    let budget: Budget = signed.get(&api).await?;
    let told: Vec<String> = budget.thresholds.iter().map(u64::to_string).collect();
    let form = again.form(|| {
        Form::default()
            .with("name", budget.name.clone().unwrap_or_default())
            .with("amount_usd", &budget.amount_usd)
            .with("thresholds", told.join(", "))
            .ticked("hard", budget.hard)
    });
    signed.offers(Method::PATCH, &api, Some(&Value::Object(edited(&form))));
    signed.offers(Method::DELETE, &api, None);
    let names = Names::of(signed, std::slice::from_ref(&budget)).await;
    let line = Line::of(&budget, &names);
    let shell = Frame::of(signed, "Budget", PATH).again(&again);
    let crumbs = vec![Crumb::new(PATH, "Budgets")];
    let page = One { shell, crumbs, line, form, may_govern: signed.me.may(Right::Govern) };
    Ok(again.answer(&page))
}

/// `POST /console/budgets/{id}`: writes it, or takes it away.
pub(crate) async fn act(Path(id): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/budgets/{}", segment(&id));
    let (sent, word) = match form.text("act") {
        Some("delete") => (signed.send(Method::DELETE, &api, None).await, "deleted"),
        _ => (signed.send(Method::PATCH, &api, Some(&Value::Object(edited(&form)))).await, "saved"),
    };
    match sent {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, &id, Again::refused(form, &refused)).await,
    }
}
