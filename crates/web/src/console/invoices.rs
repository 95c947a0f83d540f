//! `/console/invoices`: invoices and credit notes, and what later ones say of who pays.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::Shown;
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/invoices";

const DONE: [(&str, &str); 1] = [("saved", "Later invoices say so. Those that are there never change.")];

#[derive(Deserialize)]
struct Invoice {
    id: String,
    kind: String,
    #[serde(default)]
    corrects: Option<String>,
    issued_at: String,
    credit_usd: String,
    fee_usd: String,
    total_usd: String,
}

#[derive(Default, Deserialize)]
struct Details {
    name: String,
    #[serde(default)]
    address: Vec<String>,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    tax_id: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

/// An invoice for people.
struct Line {
    id: String,
    /// For print.
    href: String,
    json: String,
    what: String,
    day: Shown,
    credit: Shown,
    fee: Shown,
    total: Shown,
}

#[derive(Template)]
#[template(path = "console/invoices.html")]
struct Invoices {
    shell: Frame,
    lines: Vec<Line>,
    form: Form,
    is_known: bool,
}

/// `GET /console/invoices`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let invoices: Vec<Invoice> = signed.get("/v1/invoices").await?;
    let details: Option<Details> = signed.get("/v1/account/billing").await?;
    let is_known = details.is_some();
    let form = again.form(|| fill(details.unwrap_or_default()));
    let example = json!({ "name": "Buyer Ltd", "address": ["1 High Street", "Dublin"], "country": "IE" });
    signed.offers(Method::PUT, "/v1/account/billing", Some(&example));
    let shell = Frame::of(signed, "Invoices", PATH).told(signed, &DONE).again(&again);
    let lines = invoices.into_iter().map(line).collect();
    Ok(again.answer(&Invoices { shell, lines, form, is_known }))
}

fn fill(details: Details) -> Form {
    Form::default()
        .with("name", details.name)
        .with("address", details.address.join("\n"))
        .with("country", details.country.unwrap_or_default())
        .with("tax_id", details.tax_id.unwrap_or_default())
        .with("email", details.email.unwrap_or_default())
}

fn line(invoice: Invoice) -> Line {
    let what = match (invoice.kind.as_str(), invoice.corrects) {
        ("credit_note", Some(corrects)) => format!("Credit note to {corrects}"),
        ("credit_note", None) => String::from("Credit note"),
        _ => String::from("Invoice"),
    };
    Line {
        href: format!("/v1/invoices/{}.html", segment(&invoice.id)),
        json: format!("/v1/invoices/{}", segment(&invoice.id)),
        what,
        day: amount::day(&invoice.issued_at),
        credit: amount::usd(&invoice.credit_usd),
        fee: amount::usd(&invoice.fee_usd),
        total: amount::usd(&invoice.total_usd),
        id: invoice.id,
    }
}

/// `POST /console/invoices`: what invoices say of who pays.
pub(crate) async fn save(signed: Signed, form: Form) -> Result<Response, Failed> {
    let text = |name: &str| form.text(name).unwrap_or_default();
    let mut body = form.object(&["tax_id", "email"]);
    body.insert(String::from("name"), text("name").into());
    body.insert(String::from("country"), text("country").to_ascii_uppercase().into());
    body.insert(String::from("address"), form.lines("address").into());
    match signed.send(Method::PUT, "/v1/account/billing", Some(&Value::Object(body))).await {
        Ok(_) => Ok(done("/console/invoices?done=saved")),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
