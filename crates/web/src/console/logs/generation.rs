//! `/console/logs/{id}`: one generation from the request to the receipt, in the order in which it happened; and what was said of it.

mod steps;

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::steps::Step;
use super::line::{State, instant, path_of, segment};
use super::{LOGS, Totals};
use crate::console::again::Again;
use crate::console::amount;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::names::{Key, Names, unseen};
use crate::console::signed::{Made, Signed, prose};
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::prose::Prose;
use crate::shell::{Crumb, Failed};

/// What a form did.
const DONE: [(&str, &str); 1] = [("said", "What you said of this answer is kept.")];

/// What the API tells of a generation.
#[derive(Deserialize)]
struct Record {
    id: String,
    created_at: String,
    key: String,
    model: String,
    requested_model: String,
    provider: String,
    api_type: String,
    status: String,
    http_status: u16,
    finish_reason: Option<String>,
    native_finish_reason: Option<String>,
    streamed: bool,
    tokens_prompt: u64,
    tokens_completion: u64,
    usage: Map<String, Value>,
    usage_rule: String,
    attempts: Vec<Attempt>,
    ttft_ms: Option<f64>,
    duration_ms: f64,
    total_cost: String,
    cost_usd: String,
    written_off: String,
    cost_lines: Vec<CostLine>,
    price_version: String,
    formula: String,
    paid_by: String,
    balance: String,
    corrections: Vec<Correction>,
    receipt: String,
    app: Option<App>,
    session_id: Option<String>,
    trace_id: Option<String>,
    user: Option<String>,
    tags: Vec<String>,
    routing: Option<Routing>,
    policy: Option<String>,
    preset_id: Option<String>,
    dimensions: Map<String, Value>,
    cache_source_id: Option<String>,
    warnings: Vec<Warning>,
    guardrails: Vec<Guarded>,
    error: Option<String>,
    feedback: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Attempt {
    endpoint: String,
    status: u16,
    started_ms: f64,
    first_byte_ms: Option<f64>,
    ended_ms: f64,
    outcome: String,
    byok_key: Option<String>,
}

#[derive(Deserialize)]
struct CostLine {
    bucket: String,
    units: u64,
    price_usd_per_mtok: String,
    amount_usd: String,
    formula: String,
}

#[derive(Deserialize)]
struct Correction {
    created_at: String,
    price_version: String,
    charged_usd: String,
}

#[derive(Deserialize)]
struct App {
    title: Option<String>,
    referer: Option<String>,
}

#[derive(Deserialize)]
struct Routing {
    task: String,
    task_confidence: Option<String>,
    dial: String,
}

#[derive(Deserialize)]
struct Warning {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Guarded {
    direction: String,
    kind: String,
    action: String,
    count: u32,
}

/// Why it went where it went.
#[derive(Default, Deserialize)]
struct Plan {
    facts: Option<Facts>,
    planned: Vec<Planned>,
    again: Option<Anew>,
    why_not_again: Option<String>,
}

#[derive(Deserialize)]
struct Facts {
    input_tokens: u64,
    max_tokens: Option<u64>,
    tools: bool,
    image: bool,
    audio: bool,
    file: bool,
    structured_output: bool,
}

#[derive(Deserialize)]
struct Planned {
    endpoint: String,
    propensity: Option<f64>,
    quality: Option<f64>,
}

#[derive(Deserialize)]
struct Anew {
    plan: Vec<Likely>,
    rejected: Vec<Rejected>,
    without: String,
}

#[derive(Deserialize)]
struct Likely {
    endpoint: Option<String>,
    reason: String,
    expected_cost_usd: String,
    latency_ms: Option<f64>,
    samples: Option<u64>,
}

#[derive(Deserialize)]
struct Rejected {
    endpoint: String,
    step: String,
    reason: Option<String>,
}

/// Prompt and answer, where they are kept.
#[derive(Deserialize)]
struct Content {
    expires_at: String,
    request: String,
    request_is_cut: bool,
    answer: String,
    answer_is_cut: bool,
}

#[derive(Template)]
#[template(path = "console/generation.html")]
struct Page {
    shell: Frame,
    crumbs: Vec<Crumb>,
    id: String,
    state: State,
    stats: Vec<Stat>,
    steps: Vec<Step>,
    warnings: Vec<(String, Prose)>,
    guardrails: Vec<Guarded>,
    base_url: String,
    receipt: String,
    content: Option<Content>,
    expires: Shown,
    feedback: Vec<(String, String)>,
    rated: &'static str,
    comment: String,
}

/// The page.
pub(crate) async fn show(signed: Signed, Path(id): Path<String>) -> Result<Response, Failed> {
    page(&signed, &id, Again::default()).await
}

/// `POST`: what somebody says of the answer.
pub(crate) async fn say(signed: Signed, Path(id): Path<String>, form: Form) -> Result<Response, Failed> {
    let mut body = form.object(&["rating", "comment"]);
    body.insert(String::from("id"), json!(id));
    match signed.send(Method::POST, "/v1/feedback", Some(&Value::Object(body))).await {
        Ok(_) => Ok(done(&format!("{}?done=said", path_of(&id)))),
        Err(refused) => page(&signed, &id, Again::refused(form, &refused)).await,
    }
}

async fn page(signed: &Signed, id: &str, again: Again) -> Result<Response, Failed> {
    let escaped = segment(id);
    let record: Record = signed.get(&format!("/v1/generation?id={escaped}")).await?;
    let plan: Plan = signed.get(&format!("/v1/generation/plan?id={escaped}")).await?;
    let content: Option<Content> = unseen(signed, &format!("/v1/generation/content?id={escaped}")).await;
    let names = Names::of_keys(signed).await?;
    signed.calls.note(Made {
        method: Method::POST,
        path: String::from("/v1/feedback"),
        body: Some(json!({"id": id, "rating": "up"}).to_string()),
    });
    let said = record.feedback.clone().unwrap_or_default();
    let word = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let page = Page {
        shell: Frame::of(signed, "Generation", LOGS).told(signed, &DONE).again(&again),
        crumbs: vec![Crumb::new(LOGS, "Logs")],
        state: State::of(&record.status),
        stats: stats(&record),
        steps: steps::all(&record, plan, &names),
        rated: match word("rating") {
            "up" | "good" => "up",
            "down" | "bad" => "down",
            _ => "",
        },
        comment: again.typed().map_or_else(|| word("comment").to_owned(), |form| form.again("comment")),
        feedback: said
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "rating" | "comment"))
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        expires: content.as_ref().map_or_else(Shown::unknown, |content| at(&content.expires_at)),
        content,
        id: record.id,
        warnings: record.warnings.into_iter().map(|one| (one.code, prose(&one.message))).collect(),
        guardrails: record.guardrails,
        base_url: signed.visit.place.base_url.clone(),
        receipt: record.receipt,
    };
    Ok(again.answer(&page))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn at(text: &str) -> Shown {
    instant(text).map_or_else(Shown::unknown, format::instant)
}

fn stats(record: &Record) -> Vec<Stat> {
    let stat = |name, value, note: String| Stat { name, value, note };
    let tokens = record.tokens_prompt.saturating_add(record.tokens_completion);
    let split = format!(
        "{} in, {} out",
        format::count(record.tokens_prompt),
        format::count(record.tokens_completion)
    );
    let ttft = record.ttft_ms.map_or_else(Shown::unknown, format::milliseconds);
    vec![
        stat("Charged", amount::usd(&record.total_cost), String::new()),
        stat("Tokens", format::short(tokens), split),
        stat("First token", ttft, String::new()),
        stat("In all", format::milliseconds(record.duration_ms), String::new()),
    ]
}

/// What the calls of a trace or session come to.
pub(crate) fn stats_of(totals: &Totals) -> Vec<Stat> {
    let tokens = totals.tokens_prompt.saturating_add(totals.tokens_completion);
    let split = format!(
        "{} in, {} out",
        format::count(totals.tokens_prompt),
        format::count(totals.tokens_completion)
    );
    let failed = format!("{} failed", format::count(totals.failed));
    let began = format!("from {}", at(&totals.first_at).short);
    vec![
        Stat { name: "Charged", value: amount::usd(&totals.charged_usd), note: String::new() },
        Stat { name: "Calls", value: format::short(totals.requests), note: failed },
        Stat { name: "Tokens", value: format::short(tokens), note: split },
        Stat { name: "Span", value: format::milliseconds(totals.span_ms), note: began },
    ]
}

/// Where a key is limited and stopped.
fn key_path(names: &Names, id: &str) -> Option<String> {
    names.key(id).map(Key::path)
}
