//! `/console/policies`: named rules of which model serves a request.

pub(super) mod one;
mod replay;
mod route;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::frame::Frame;
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/policies";

const DONE: [(&str, &str); 1] =
    [("deleted", "The policy is taken away. Its versions stay readable over the API.")];

/// A policy, as the API tells it.
#[derive(Deserialize)]
struct Policy {
    id: String,
    name: String,
    version: u64,
    updated_at: String,
    policy: Value,
}

/// A policy for people.
struct Line {
    path: String,
    id: String,
    name: String,
    about: String,
    how: String,
    models: String,
    rules: usize,
    version: u64,
    updated: Shown,
}

#[derive(Template)]
#[template(path = "console/policies.html")]
struct Policies {
    shell: Frame,
    lines: Vec<Line>,
    may_build: bool,
}

fn list_of<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn line(policy: Policy) -> Line {
    let text = |name: &str| policy.policy.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let model = |one: &Value| {
        one.as_str().or_else(|| one.get("model").and_then(Value::as_str)).unwrap_or_default().to_owned()
    };
    let models: Vec<String> = list_of(&policy.policy, "models").iter().map(model).collect();
    Line {
        path: format!("{PATH}/{}", segment(&policy.name)),
        about: text("description"),
        how: match text("strategy").as_str() {
            "balance" => String::from("shares the traffic"),
            "latency" => String::from("the soonest first"),
            "cost" => String::from("the cheapest first"),
            _ => String::from("one after another"),
        },
        models: format::list(&models),
        rules: list_of(&policy.policy, "rules").len(),
        version: policy.version,
        updated: amount::instant(&policy.updated_at),
        id: policy.id,
        name: policy.name,
    }
}

/// `GET /console/policies`.
pub(crate) async fn list(signed: Signed) -> Result<Response, Failed> {
    let policies: Vec<Policy> = signed.get("/v1/policies").await?;
    let example = json!({ "strategy": "fallback", "models": ["mistralai/mistral-small-2603"] });
    signed.offers(Method::PUT, "/v1/policies/careful", Some(&example));
    let page = Policies {
        shell: Frame::of(&signed, "Policies", PATH).told(&signed, &DONE),
        lines: policies.into_iter().map(line).collect(),
        may_build: signed.me.may(Right::Build),
    };
    Ok(Again::default().answer(&page))
}

#[cfg(test)]
mod tests;
