//! `POST /v1/route`: the decision about a request without making it. No call, no charge; the same function decides as for
//! live traffic, so what it says is what would happen at this moment.
//!
//! An API key asks as itself. A management key or a session whose role may build asks as a key of the organization with no rules of its
//! own: for the editors of policies. A `policy` in the body is tried before it is written.
//!
//! The answer is repeatable: the seed is a hash of the request, or `?seed=` of the query.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use routing::gate::{self, Gate, Seen};
use routing::health::Size;
use routing::plan::{BEHIND, BEHIND_ASKS, Plan, Step};
use routing::policy::Policy;
use routing::quality::Work;
use serde_json::{Value, json};
use types::{Money, Right, Usage};
use wire::call::PathSays;
use wire::hub::Dialect;

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::byok::{self, Own};
use crate::course::{Asker, Course};
use crate::error::GatewayError;
use crate::intake::Preference;
use crate::key::caller;
use crate::planning::{self, Asking, Decision, funnel};
use crate::settings::ROUTER_VERSION;
use crate::world::World;
use crate::{call, filling, intake, read_body, router};

/// Most endpoints left out that are listed.
const REJECTED_MAX: usize = 200;

/// The share of the work below which a kind is not told.
const LIKELY_MIN: f64 = 0.05;

/// Answers.
pub(crate) async fn create<B>(
    worker: &Arc<Worker>,
    parts: Parts,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let gateway = &worker.gateway;
    let key = caller(worker, &parts, Access::Decide(Right::Build))?;
    let admitted = call::admit_known(worker, key)?;
    let body = read_body(&parts.headers, body, gateway.settings.body_bytes_max).await?;
    let says = PathSays { model: None, stream: false, memory: None };
    let first = call::scan(Dialect::Chat, &body, &says)?;
    let whole = filling::of_call(gateway, &admitted.key, &first)?;
    let call = match &whole {
        None => first,
        Some(whole) => call::scan(Dialect::Chat, &whole.body, &says)?,
    };
    let hints = intake::read(&parts.headers, &gateway.settings.brand)?;
    let asked = call.asked();
    let world = gateway.world.load_full();
    let seed = match router::query(&parts).iter().find(|(key, _)| key == "seed") {
        Some((_, text)) => text.parse().map_err(|_| {
            GatewayError::InvalidRequest(String::from("`seed` must be a whole number from 0 to 2^64 - 1"))
        })?,
        None => {
            // The dial is a header: turning it draws no other numbers.
            let mut hash = DefaultHasher::new();
            body.hash(&mut hash);
            hash.finish()
        }
    };
    let policy = sent_policy(&body)?;
    let asker = Asker { key: &admitted.key, at: admitted.created, seed, dry: true, policy: policy.as_ref() };
    let mut course = Course::of(gateway, &world, &call, &hints, &asker)?;
    if let Some(whole) = &whole {
        course.warnings.extend(whole.filled.warnings.iter().cloned());
    }
    let asking = Asking { world: &world, call: &call, hints: &hints, course: &course, asker: &asker };
    let decision = planning::decide(gateway, &asking);
    if decision.plan.steps.is_empty() {
        return Err(planning::no_endpoints(
            gateway,
            &world,
            &course.name,
            &decision.facts,
            &admitted.key,
            decision.plan,
        ));
    }
    let longest = asked.max_tokens;
    let worst = |step: &Step| worst_case(&world, step, asked.input_tokens_max(), longest, &decision);
    let preference = hints.preference.map(Preference::name);
    let mut data = told(&world, &decision, &worst, (seed, &course, preference));
    if let Some(map) = data.as_object_mut() {
        let preset = whole.as_ref().and_then(|whole| whole.filled.preset());
        map.insert(String::from("preset"), json!(preset));
    }
    let warnings: Vec<_> =
        course.warnings.iter().map(|w| json!({"code": w.code, "message": w.message})).collect();
    Ok(router::json(json!({"data": data, "warnings": warnings}).to_string()))
}

/// The policy in the body, which is to be tried before it is written.
fn sent_policy(body: &[u8]) -> Result<Option<Policy>, GatewayError> {
    let members = wire::json::object(body).unwrap_or_default();
    let Some(sent) = wire::json::find(body, &members, "policy") else { return Ok(None) };
    let text =
        body.get(sent.value.clone()).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    let policy = Policy::read(text)
        .map_err(|error| GatewayError::InvalidRequest(format!("`policy` can't be followed: {error}")))?;
    Ok(Some(policy))
}

fn told(
    world: &World,
    decision: &Decision,
    worst: &dyn Fn(&Step) -> Option<Money>,
    (seed, course, preference): (u64, &Course, Option<&str>),
) -> Value {
    let size = Size::of(decision.facts.input_tokens);
    let told = |s: &Step| {
        let mut told = step(world, decision.own.as_deref(), s, (worst(s), size));
        if let (Some(map), Some((judged, _))) = (told.as_object_mut(), &decision.judged) {
            let model = world.snapshot.endpoints.get(s.endpoint as usize).map_or(usize::MAX, |e| e.model);
            map.insert(String::from("prior"), json!(world.abilities.quality(model, &judged.work)));
            map.insert(String::from("learned"), learned(decision.learned.as_deref(), model, &judged.work));
        }
        told
    };
    let plan: Vec<Value> = decision.plan.steps.iter().map(told).collect();
    let rejected = rejected(world, &decision.plan);
    let first = |key: &str| plan.first().and_then(|step| step.get(key)).cloned().unwrap_or_default();
    json!({
        "requested_model": course.name,
        "policy": course.policy,
        "model": first("model"),
        "endpoint": first("endpoint"),
        "task": decision.judged.map(|(judged, _)| judged.task),
        "task_confidence": decision.judged.and_then(|(judged, _)| judged.confidence),
        "dial": decision.judged.map(|(_, dial)| dial),
        "preference": preference,
        "expected_cost_usd": first("expected_cost_usd"),
        "worst_case_cost_usd": first("worst_case_cost_usd"),
        "sticky": decision.plan.sticky,
        "summary": summary(plan.first(), plan.len(), decision.plan.rejected.len()),
        "plan": plan,
        "rejected": rejected,
        "routing_funnel": decision.plan.funnel.iter().map(funnel).collect::<Vec<_>>(),
        "input_tokens": decision.facts.input_tokens,
        "router_version": ROUTER_VERSION,
        // As text: a JSON number of this size is not safe in every language.
        "seed": seed.to_string(),
    })
}

/// What a plan leaves out, with the filter that did it.
pub(crate) fn rejected(world: &World, plan: &Plan) -> Vec<Value> {
    let told = plan.rejected.iter().take(REJECTED_MAX).filter_map(|(index, step)| {
        let endpoint = world.snapshot.endpoints.get(*index as usize)?;
        let line = plan.funnel.iter().find(|line| line.step == *step);
        let reason = line.map(|line| line.reason).or((*step == BEHIND).then_some(BEHIND_ASKS));
        Some(json!({"endpoint": endpoint.id, "step": step, "reason": reason}))
    });
    told.collect()
}

pub(crate) fn step(
    world: &World,
    own: Option<&Own>,
    step: &Step,
    (worst, size): (Option<Money>, Size),
) -> Value {
    let endpoint = world.snapshot.endpoints.get(step.endpoint as usize);
    let model = endpoint.and_then(|e| e.model_in(&world.snapshot)).map(|model| model.id.to_string());
    let provider = endpoint.and_then(|e| e.provider_in(&world.snapshot)).map(|p| p.id.to_string());
    let figures = world.endpoints.get(step.endpoint as usize).map(|vitals| vitals.figures(size));
    json!({
        "endpoint": endpoint.map(|e| e.id.to_string()),
        "model": model,
        "provider": provider,
        "reason": step.reason,
        "quality": step.quality,
        "expected_cost_usd": step.expected.to_string(),
        "worst_case_cost_usd": worst.map(|worst| worst.to_string()),
        "latency_ms": figures.and_then(|figures| figures.ttft_ms).map(|q| q.p50),
        "tokens_per_s": figures.and_then(|figures| figures.tokens_per_s).map(|q| q.p50),
        "samples": figures.map(|figures| figures.samples),
        "propensity": step.propensity,
        "key": byok::told(own, step),
    })
}

/// What was learned of a model: at each kind that the work likely is, whether it counts there, and why; null where nobody rated it.
fn learned(gate: Option<&Gate>, model: usize, work: &Work) -> Value {
    let Some((gate, row)) = gate.and_then(|gate| Some((gate, gate.row(model)?))) else { return Value::Null };
    let kinds: Vec<(&Seen, usize, f64)> =
        gate::kinds(work).filter_map(|(kind, share)| Some((row.get(kind)?, kind, share))).collect();
    let likely = kinds.iter().filter(|(_, _, share)| *share >= LIKELY_MIN).map(|(seen, kind, share)| {
        json!({
            "kind": gate::name(*kind),
            "share": share,
            "prior": seen.prior,
            "learned": seen.learned,
            "rewards": seen.rewards,
            "counts": seen.verdict.counts(),
            "why": seen.verdict.why(),
        })
    });
    json!({
        "quality": gate.learned(model, work),
        "counts": kinds.iter().any(|(seen, ..)| seen.verdict.counts()),
        "kinds": likely.collect::<Vec<_>>(),
    })
}

/// What it costs at most: all of the prompt's bound, and as much output as the caller or else the endpoint allows.
fn worst_case(
    world: &World,
    step: &Step,
    input: u64,
    cap: Option<u64>,
    decision: &Decision,
) -> Option<Money> {
    let endpoint = world.snapshot.endpoints.get(step.endpoint as usize)?;
    let output = cap.or_else(|| endpoint.max_output_tokens(&world.snapshot))?;
    let usage = Usage { input, output, requests: 1, ..Usage::default() };
    endpoint.price.cost(&usage, decision.facts.at).ok().map(|cost| cost.total)
}

/// One plain sentence.
fn summary(first: Option<&Value>, attempts: usize, rejected: usize) -> String {
    let text = |key: &str| first.and_then(|step| step.get(key)?.as_str()).unwrap_or_default();
    let others = match attempts {
        0 | 1 => String::from("nobody stands behind it"),
        2 => String::from("one more stands behind it"),
        many => format!("{} more stand behind it", many - 1),
    };
    format!(
        "{} goes first ({}), at about {} USD; {others}, {rejected} were left out.",
        text("endpoint"),
        text("reason"),
        text("expected_cost_usd")
    )
}
