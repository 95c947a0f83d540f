//! `GET /v1/generation/plan?id=`: why a generation went where it went. What was planned stands in its record; which endpoints were left
//! out, and by which filter, does not, so the recorded facts are decided once more, with the same seed, by the catalog of now.

use std::collections::HashMap;
use std::sync::Arc;

use http::Response;
use http::request::Parts;
use ledger::{GenerationRecord, Planned, RequestFacts};
use routing::health::Size;
use routing::plan::Plan;
use routing::policy::Policy;
use serde_json::{Value, json};

use super::find;
use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::caller;
use crate::planning::funnel;
use crate::replaying::{self, Terms};
use crate::world::World;
use crate::{route, router};

/// What the decision that is made again does not know.
const WITHOUT: &str = "the caller's `provider` wishes, where the conversation stayed and what rested at that moment are not recorded; \
                       prices, switches and measurements are those of now";

/// Answers for a generation of the caller's account.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let record = find(worker, parts, &key.account.id).await?.record;
    let gateway = &worker.gateway;
    let world = gateway.world.load_full();
    let planned = record.facts.as_ref().map(|facts| facts.planned.as_slice()).unwrap_or_default();
    let (again, why_not) = match again(gateway, &world, &record) {
        Ok(again) => (again, Value::Null),
        Err(why) => (Value::Null, Value::String(why)),
    };
    let data = json!({
        "id": record.id,
        "requested_model": if record.requested_model.is_empty() { &record.model } else { &record.requested_model },
        "policy": record.policy,
        "facts": record.facts.as_ref().map(facts),
        "planned": planned.iter().map(step).collect::<Vec<_>>(),
        "again": again,
        "why_not_again": why_not,
    });
    Ok(router::json(json!({ "data": data }).to_string()))
}

fn facts(facts: &RequestFacts) -> Value {
    json!({
        "input_tokens": facts.input_tokens,
        "max_tokens": facts.max_tokens,
        "tools": facts.tools,
        "image": facts.image,
        "audio": facts.audio,
        "file": facts.file,
        "structured_output": facts.structured_output,
        "streamed": facts.streamed,
    })
}

fn step(step: &Planned) -> Value {
    json!({"endpoint": step.endpoint, "propensity": number(&step.propensity), "quality": step.quality.as_deref().map(number)})
}

/// Decimal text as the number that it is.
fn number(text: &str) -> Value {
    serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_default()
}

/// The decision made once more, or why it can't be.
fn again(gateway: &Gateway, world: &Arc<World>, record: &GenerationRecord) -> Result<Value, String> {
    let recorded = record.facts.as_ref().ok_or_else(|| {
        String::from("nothing was recorded that it could be decided from again: it is no conversation, or none was planned")
    })?;
    let asked = if record.requested_model.is_empty() { &record.model } else { &record.requested_model };
    let policy = policy(gateway, record, asked)?;
    let dial = record.routed.as_ref().and_then(|routed| routed.dial.parse().ok());
    let keys = gateway.keys.load().of_account(&record.account);
    let key_names: HashMap<String, String> =
        keys.iter().map(|key| (key.rules.id.to_string(), key.rules.name.clone())).collect();
    let terms = Terms { policy, dial, seed: None, key_names };
    let (plan, chances) =
        replaying::once(Arc::clone(world), &gateway.settings.names, terms, record, recorded)?;
    Ok(told(world, &plan, &chances, recorded))
}

/// The policy that was asked for as it is now, else one of the model alone.
fn policy(gateway: &Gateway, record: &GenerationRecord, asked: &str) -> Result<Policy, String> {
    if let Some(name) = asked.strip_prefix("policy/") {
        let rule = gateway.rules.policy(&record.account, name);
        return rule
            .map(|rule| rule.parsed.clone())
            .ok_or_else(|| format!("the policy `{name}` is not there any more"));
    }
    Policy::read(&json!({ "models": [asked] }).to_string()).map_err(|error| error.to_string())
}

fn told(world: &World, plan: &Plan, chances: &[f64], recorded: &RequestFacts) -> Value {
    let size = Size::of(recorded.input_tokens);
    let steps = plan.steps.iter().zip(chances).map(|(step, chance)| {
        let mut told = route::step(world, None, step, (None, size));
        if let Some(map) = told.as_object_mut() {
            map.insert(String::from("propensity"), json!(chance));
            // Whose key and what it costs at most follow from what is not recorded.
            map.remove("key");
            map.remove("worst_case_cost_usd");
        }
        told
    });
    json!({
        "plan": steps.collect::<Vec<_>>(),
        "rejected": route::rejected(world, plan),
        "routing_funnel": plan.funnel.iter().map(funnel).collect::<Vec<_>>(),
        "without": WITHOUT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_in_numbers() {
        let planned = Planned {
            endpoint: String::from("a/b"),
            propensity: String::from("0.25"),
            quality: Some(String::from("x")),
        };
        assert_eq!(step(&planned), json!({"endpoint": "a/b", "propensity": 0.25, "quality": null}));
    }
}
