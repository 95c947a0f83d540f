//! A dry run of a policy: where a request would go at this moment, and why.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::console::amount;
use crate::console::form::Form;
use crate::console::signed::{Refused, Signed, prose};
use crate::console::versions;
use crate::format::{self, Shown};
use crate::prose::Prose;

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    task_confidence: Option<f64>,
    summary: String,
    plan: Vec<Step>,
    #[serde(default)]
    routing_funnel: Vec<Filter>,
    #[serde(default)]
    rejected: Vec<Value>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    endpoint: Option<String>,
    reason: String,
    expected_cost_usd: String,
    #[serde(default)]
    latency_ms: Option<f64>,
    #[serde(default)]
    propensity: Option<f64>,
}

#[derive(Deserialize)]
struct Filter {
    step: String,
    endpoint_count: u64,
    #[serde(default)]
    reason: Option<String>,
}

/// An attempt for people.
pub(super) struct Attempt {
    pub(super) endpoint: String,
    pub(super) why: Prose,
    pub(super) cost: Shown,
    pub(super) ttft: Shown,
    pub(super) chance: Shown,
}

/// A filter that left something out.
pub(super) struct Left {
    pub(super) step: String,
    pub(super) before: String,
    pub(super) why: Prose,
}

/// The plan for people.
pub(super) struct Planned {
    /// The rule of the policy that decided, where one did.
    pub(super) rule: Option<String>,
    pub(super) task: Option<(String, Shown)>,
    pub(super) summary: Prose,
    pub(super) attempts: Vec<Attempt>,
    pub(super) funnel: Vec<Left>,
    pub(super) rejected: usize,
    pub(super) warnings: Vec<Prose>,
}

/// Asks for the plan of the prompt that was typed under the policy that was typed.
pub(super) async fn ask(signed: &Signed, form: &Form, policy: &Value) -> Result<Planned, Refused> {
    let prompt = form.text("prompt").unwrap_or("Hello");
    let mut body = json!({ "policy": policy, "messages": [{ "role": "user", "content": prompt }] });
    if let (Some(body), true) = (body.as_object_mut(), form.has("tools")) {
        let tool = json!([{ "type": "function", "function": { "name": "look_up", "parameters": { "type": "object" } } }]);
        body.insert(String::from("tools"), tool);
    }
    let answer = signed.send(Method::POST, "/v1/route", Some(&body)).await?;
    let plan = answer.get("data").map(Plan::deserialize);
    match plan {
        Some(Ok(plan)) => Ok(planned(plan, &versions::warnings(&answer))),
        _ => Err(Refused {
            status: axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            kind: String::from("internal"),
            message: String::from("the page does not understand the plan"),
        }),
    }
}

fn planned(plan: Plan, warnings: &[String]) -> Planned {
    let attempt = |step: Step| Attempt {
        endpoint: step.endpoint.unwrap_or_default(),
        why: Prose::of(&step.reason),
        cost: amount::usd(&step.expected_cost_usd),
        ttft: step.latency_ms.map_or_else(Shown::unknown, format::milliseconds),
        chance: step.propensity.map_or_else(Shown::unknown, format::ratio),
    };
    let left = |filter: Filter| Left {
        step: filter.step,
        before: format::count(filter.endpoint_count),
        why: Prose::of(&filter.reason.unwrap_or_default()),
    };
    let sure = plan.task_confidence.map_or_else(Shown::unknown, format::ratio);
    Planned {
        rule: plan.policy.and_then(|policy| policy.split_once(' ').map(|(_, rule)| rule.to_owned())),
        task: plan.task.map(|task| (task.replace('_', " "), sure)),
        summary: prose(&plan.summary),
        attempts: plan.plan.into_iter().map(attempt).collect(),
        funnel: plan.routing_funnel.into_iter().map(left).collect(),
        rejected: plan.rejected.len(),
        warnings: warnings.iter().map(|warning| Prose::of(warning)).collect(),
    }
}
