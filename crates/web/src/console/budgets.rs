//! `/console/budgets`: how much may be spent, by whom, over what span.

pub(super) mod one;

use std::collections::HashMap;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use types::{Money, Right};

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::{CONSOLE, Failed};

pub(crate) const PATH: &str = "/console/budgets";

const DONE: [(&str, &str); 3] = [
    ("made", "The budget holds from now on."),
    ("saved", "The budget is changed."),
    ("deleted", "The budget is gone: nothing is bounded by it any more."),
];

/// Whom a budget may bound.
const KINDS: [(&str, &str); 7] = [
    ("account", "The whole organization"),
    ("project", "A project"),
    ("key", "A key"),
    ("member", "A member or service account"),
    ("tag", "Keys or calls with a tag"),
    ("user", "One of your own users"),
    ("users", "Each of your own users"),
];

/// Over what span.
const PERIODS: [(&str, &str); 4] =
    [("month", "A month"), ("week", "A week, from Monday"), ("day", "A day"), ("total", "In all")];

/// A budget, as the API tells it.
#[derive(Clone, Debug, Deserialize)]
struct Budget {
    id: String,
    #[serde(default)]
    name: Option<String>,
    subject: String,
    period: String,
    amount_usd: String,
    hard: bool,
    thresholds: Vec<u64>,
    #[serde(default)]
    spent_usd: Option<String>,
    #[serde(default)]
    held_usd: Option<String>,
    #[serde(default)]
    left_usd: Option<String>,
    #[serde(default)]
    resets_at: Option<String>,
}

/// What things are called, by the id that a subject names.
#[derive(Default)]
struct Names {
    keys: HashMap<String, String>,
    members: HashMap<String, String>,
}

/// A budget for people.
struct Line {
    path: String,
    name: String,
    /// Whom it bounds, and where that is shown.
    whom: String,
    href: Option<String>,
    per: &'static str,
    amount: Shown,
    spent: Option<Shown>,
    left: Option<Shown>,
    held: Option<Shown>,
    percent: u64,
    is_near: bool,
    is_hard: bool,
    told_at: String,
    resets: Option<Shown>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
}

impl Names {
    /// Asks for those only that are named.
    async fn of(signed: &Signed, budgets: &[Budget]) -> Names {
        let names_any = |kind: &str| budgets.iter().any(|budget| budget.subject.starts_with(kind));
        let mut names = Names::default();
        if names_any("key:") {
            let keys: Vec<Named> = signed.ask("/v1/keys?include_disabled=true").await.unwrap_or_default();
            names.keys = keys.into_iter().map(|key| (key.id, key.name)).collect();
        }
        if names_any("member:") {
            let people: Vec<Named> = signed.ask("/v1/organization/members").await.unwrap_or_default();
            let programs: Vec<Named> =
                signed.ask("/v1/organization/service-accounts").await.unwrap_or_default();
            let named = |one: Named| (one.id, if one.name.is_empty() { one.email } else { one.name });
            names.members = people.into_iter().chain(programs).map(named).collect();
        }
        names
    }

    /// Whom a subject means, and where that is shown.
    fn whom(&self, subject: &str) -> (String, Option<String>) {
        let (kind, id) = subject.split_once(':').unwrap_or((subject, ""));
        match kind {
            "account" => (String::from("The whole organization"), None),
            "project" => (format!("Project {id}"), spent("project", id)),
            "key" => {
                let name = self.keys.get(id).map_or(id, String::as_str);
                (format!("Key {name}"), Some(format!("{}/{}", super::keys::PATH, segment(id))))
            }
            "member" => {
                (self.members.get(id).map_or_else(|| id.to_owned(), Clone::clone), spent("member", id))
            }
            "tag" => (format!("Tag {id}"), spent("tag", id)),
            "user" if id == "*" => (String::from("Each user"), None),
            _ => (format!("User {id}"), spent("user", id)),
        }
    }
}

/// Where it is told what one spent.
fn spent(by: &str, of: &str) -> Option<String> {
    Some(format!("{CONSOLE}?{by}={}", segment(of)))
}

impl Line {
    fn of(budget: &Budget, names: &Names) -> Line {
        let (whom, href) = names.whom(&budget.subject);
        let (amount, spent) =
            (amount::money(&budget.amount_usd), budget.spent_usd.as_deref().map(amount::money));
        let percent = spent.map_or(0, |spent| amount::percent(spent, amount));
        let told_at: Vec<String> = budget.thresholds.iter().map(u64::to_string).collect();
        // What the server calls a budget that nobody named says nothing more than whom it bounds.
        let unnamed = format!("{} per {}", budget.subject, budget.period);
        let is_held = budget.held_usd.as_deref().is_some_and(|held| amount::money(held) > Money::ZERO);
        Line {
            path: format!("{PATH}/{}", segment(&budget.id)),
            name: budget.name.clone().filter(|name| *name != unnamed).unwrap_or_default(),
            whom,
            href,
            per: match budget.period.as_str() {
                "day" => "a day",
                "week" => "a week",
                "month" => "a month",
                _ => "in all",
            },
            amount: format::cost(amount),
            spent: spent.map(format::cost),
            left: budget.left_usd.as_deref().map(amount::usd),
            held: budget.held_usd.as_deref().filter(|_| is_held).map(amount::usd),
            percent,
            is_near: percent >= 80,
            is_hard: budget.hard,
            told_at: if told_at.is_empty() {
                String::from("never")
            } else {
                format!("{} %", told_at.join(", "))
            },
            // Spans end at midnight, UTC.
            resets: budget.resets_at.as_deref().map(amount::day),
        }
    }
}

#[derive(Template)]
#[template(path = "console/budgets.html")]
struct Budgets {
    shell: Frame,
    lines: Vec<Line>,
    form: Form,
    kinds: &'static [(&'static str, &'static str)],
    periods: &'static [(&'static str, &'static str)],
    may_govern: bool,
}

/// `GET /console/budgets`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let budgets: Vec<Budget> = signed.get("/v1/budgets").await?;
    let names = Names::of(signed, &budgets).await;
    let lines = budgets.iter().map(|budget| Line::of(budget, &names)).collect();
    let example = json!({ "subject": "account", "amount_usd": "200", "period": "month", "hard": true });
    signed.offers(Method::POST, "/v1/budgets", Some(&example));
    let form = again.form(|| blank(signed));
    let shell = Frame::of(signed, "Budgets", PATH).told(signed, &DONE).again(&again);
    let may_govern = signed.me.may(Right::Govern);
    let (kinds, periods) = (KINDS.as_slice(), PERIODS.as_slice());
    let page = Budgets { shell, lines, form, kinds, periods, may_govern };
    Ok(again.answer(&page))
}

/// A new one, for whom a link says.
fn blank(signed: &Signed) -> Form {
    Form::default()
        .with("kind", signed.visit.ask("kind").unwrap_or("account"))
        .with("of", signed.visit.ask("of").unwrap_or_default())
        .with("thresholds", "50, 80, 100")
        .ticked("hard", true)
}

/// `POST /console/budgets`: a new one.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    let of = form.text("of").unwrap_or_default();
    let subject = match form.text("kind") {
        None | Some("account") => String::from("account"),
        Some("users") => String::from("user:*"),
        Some(kind) => format!("{kind}:{of}"),
    };
    let mut body = edited(&form);
    body.insert(String::from("subject"), json!(subject));
    body.insert(String::from("period"), json!(form.text("period")));
    match signed.send(Method::POST, "/v1/budgets", Some(&Value::Object(body))).await {
        Ok(_) => Ok(done("/console/budgets?done=made")),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

/// What may be said of a budget that is there, and of a new one.
fn edited(form: &Form) -> Map<String, Value> {
    let mut body = form.object(&["name"]);
    body.insert(String::from("amount_usd"), json!(form.text("amount_usd").unwrap_or_default()));
    body.insert(String::from("hard"), json!(form.has("hard")));
    let number =
        |text: &str| text.trim_end_matches('%').parse::<u64>().map_or_else(|_| json!(text), |n| json!(n));
    let thresholds: Vec<Value> =
        form.list("thresholds").into_iter().filter(|text| *text != "%").map(number).collect();
    body.insert(String::from("thresholds"), Value::Array(thresholds));
    body
}

#[cfg(test)]
mod tests;
