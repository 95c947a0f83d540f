//! From a request to a plan: what its model name means, what it wishes, and the one decision that live traffic and the dry
//! run share.

mod bounds;

use std::sync::Arc;

use routing::access::Access;
use routing::filters::MAX_COST;
use routing::gate::Gate;
use routing::guide::Guide;
use routing::name::{Target, Virtual, What};
use routing::plan::{self, Bound, Conditions, Facts, Plan, Question, Sticky};
use routing::wishes::{Cutoffs, MaxPrice, Sort, Wishes};
use types::{Task, Timestamp};
use wire::asked::Asked;
use wire::auto::AutoWishes;
use wire::call::Call;
use wire::preferences::{Collection, Partition, Percentiles, ProviderPreferences, SortBy};

use self::bounds::is_bound;
use crate::app::Gateway;
use crate::byok::{self, Own, Reach};
use crate::course::{Asker, Course};
use crate::error::GatewayError;
use crate::intake::{Hints, Preference};
use crate::judging::{self, Judged};
use crate::keys::KeyState;
use crate::sticky::Conversation;
use crate::terms::Pricing;
use crate::world::World;

/// The id of the model that a target means now; empty for a virtual one.
pub(crate) fn model_of<'w>(world: &'w World, target: &Target) -> &'w str {
    match target.what {
        What::Model(index) => world.snapshot.models.get(index).map_or("", |model| &model.id),
        What::Virtual(_) => "",
    }
}

/// A decision about one request.
pub(crate) struct Decision {
    /// What to try.
    pub(crate) plan: Plan,
    /// What it was made from.
    pub(crate) facts: Facts,
    /// The conversation that the request belongs to.
    pub(crate) conversation: Option<Conversation>,
    /// A second provider may be asked when the first is late.
    pub(crate) hedged: bool,
    /// What was learned of models, as the choice of a virtual one went by.
    pub(crate) learned: Option<Arc<Gate>>,
    /// What a virtual model was told, and where its dial stood.
    pub(crate) judged: Option<(Judged, f64)>,
    /// The account's own keys, which the plan's steps name by their number.
    pub(crate) own: Option<Arc<Own>>,
}

/// What a decision needs beside the request.
pub(crate) struct Asking<'a, 'b> {
    pub(crate) world: &'a World,
    pub(crate) call: &'a Call<'b>,
    pub(crate) hints: &'a Hints,
    pub(crate) course: &'a Course,
    pub(crate) asker: &'a Asker<'a>,
}

/// Decides.
pub(crate) fn decide(gateway: &Gateway, asking: &Asking<'_, '_>) -> Decision {
    let Asking { world, call, hints, course, asker } = *asking;
    let request = call.asked();
    let mut facts = facts(request, asker.at);
    facts.bound = allowance(gateway, asking);
    let (conversation, sticky) = conversation(gateway, asking);
    let limits = &asker.key.rules.limits;
    let mut wishes = wishes(&request.provider, &request.auto, request.service_tier.as_deref());
    let approved = gateway.rules.bounds(&asker.key.account.id);
    bounds::narrow(gateway, asker.key, approved.as_deref(), &mut wishes);
    let chosen = course.virtual_model();
    if chosen.is_none() {
        // Of a model that is named, a preference orders the endpoints.
        wishes.sort = wishes.sort.or(hints.preference.and_then(Preference::sort));
    }
    if course.sort.is_some() {
        wishes.sort = wishes.sort.or(course.sort);
        wishes.across_models = true;
    }
    // Vectors, images and sound have no kinds of work: there the cheapest that fits comes first.
    let chosen = chosen.filter(|_| request.task == Task::Generate);
    let judged = chosen.map(|_| judging::judge(call));
    let (dial, fast) = judging::dial(hints);
    let dial = dial.or(request.auto.dial).or(course.dial).or(limits.default_dial);
    // Only a virtual model asks what was learned.
    let learned = judged.and_then(|_| gateway.learned.gate(world));
    let guide = judged.map(|judged| Guide {
        abilities: &world.abilities,
        learned: learned.as_deref(),
        work: judged.work,
        dial,
        fast,
    });
    let own = gateway.byok.of(&asker.key.account.id);
    let now = gateway.clock.now();
    let moment = world.at(now);
    let hash = own.as_ref().map(|_| asker.key.rules.hash.to_hex()).unwrap_or_default();
    let reach = own.as_deref().map(|own| Reach { world, now, own, api_key_hash: &hash });
    let attempts_max = if course.uncut { usize::MAX } else { gateway.settings.attempts_max };
    let mut plan = plan::plan(&Question {
        snapshot: &world.snapshot,
        conditions: reach.as_ref().map_or(&moment as &dyn Conditions, |reach| reach),
        targets: &course.targets,
        retries: &course.retries,
        facts: &facts,
        wishes: &wishes,
        sticky,
        guide: guide.as_ref(),
        seed: asker.seed,
        explore: if asker.dry || !limits.explore { 0.0 } else { gateway.settings.explore },
        attempts_max,
    });
    if let Some(own) = &own {
        let max = if wishes.allow_fallbacks { attempts_max } else { 1 };
        let max = if plan.retries.is_empty() { max } else { usize::MAX };
        byok::expand((world, now), own, asker.key, &mut plan.steps, max);
    }
    let soon = course.virtual_model() == Some(Virtual::Fast) || fast;
    let hedged = soon && request.stream && !request.echo_body && request.task == Task::Generate;
    let hedged = hedged && plan.steps.iter().all(|step| step.own.is_none());
    let stood = guide.zip(chosen).map(|(guide, what)| guide.dial_of(what));
    Decision {
        plan,
        facts,
        conversation,
        judged: judged.zip(stood),
        learned,
        hedged: hedged && gateway.settings.hedging && limits.hedge,
        own,
    }
}

/// What a conversation may cost at providers' prices, where its caller says what it may cost.
fn allowance(gateway: &Gateway, asking: &Asking<'_, '_>) -> Option<Bound> {
    let (request, asker) = (asking.call.asked(), asking.asker);
    let allowed = asking.hints.max_cost.filter(|_| request.expected.is_none())?;
    Some(Bound {
        allowed: Pricing::of(gateway, &asker.key.account.id).cost_within(allowed),
        input_tokens: request.input_tokens_max(),
        output_tokens: gateway.settings.hold_output_tokens,
        choices: u64::from(request.choices),
    })
}

/// The conversation that a request belongs to, and where it has been so far.
fn conversation(gateway: &Gateway, asking: &Asking<'_, '_>) -> (Option<Conversation>, Option<Sticky>) {
    let Asking { world, call, hints, course, asker } = *asking;
    let account = asker.key.account.id.as_str();
    let conversation = Conversation::of(account, &course.name, call.asked(), hints.session_id.as_deref());
    let sticky = conversation.and_then(|conversation| {
        let endpoint = gateway.pins.find(conversation, asker.at)?;
        let index = world.snapshot.endpoints.binary_search_by(|e| (*e.id).cmp(&*endpoint)).ok()?;
        Some(Sticky { endpoint: u32::try_from(index).ok()?, named: conversation.named })
    });
    (conversation, sticky)
}

fn facts(request: &Asked<'_>, at: Timestamp) -> Facts {
    Facts {
        task: request.task,
        expected: request.expected.map(|expected| expected.likely),
        input_tokens: request.input_tokens_estimate(),
        max_tokens: request.max_tokens,
        tools: request.needs.tools,
        image: request.needs.image,
        audio: request.needs.audio,
        file: request.needs.file,
        structured_output: request.needs.structured_output,
        json: request.needs.json,
        at,
        bound: None,
    }
}

fn wishes<'a>(
    provider: &'a ProviderPreferences,
    auto: &'a AutoWishes,
    service_tier: Option<&'a str>,
) -> Wishes<'a> {
    let list = |list: &'a Option<Vec<String>>| list.as_deref().unwrap_or_default().into();
    let max_price = provider.max_price.unwrap_or_default();
    let zero = provider.zdr.unwrap_or(false).then_some(0);
    Wishes {
        models_bound: Default::default(),
        access: Access::default(),
        models_allowed: auto.allowed.as_slice().into(),
        models_excluded: auto.excluded.as_slice().into(),
        order: list(&provider.order),
        only: provider.only.as_deref().map(Into::into),
        ignore: list(&provider.ignore),
        allow_fallbacks: provider.allow_fallbacks.unwrap_or(true),
        quantizations: list(&provider.quantizations),
        regions: list(&provider.region),
        no_training: provider.data_collection == Some(Collection::Deny),
        retention_days_max: zero.or(provider.max_retention_days),
        distillable: provider.enforce_distillable_text.unwrap_or(false),
        sort: provider.sort.map(|sort| match sort.by {
            SortBy::Price => Sort::Price,
            SortBy::Throughput => Sort::Throughput,
            SortBy::Latency => Sort::Latency,
            SortBy::Exacto => Sort::Exacto,
        }),
        across_models: provider.sort.is_some_and(|sort| sort.partition == Partition::None),
        throughput_min: cutoffs(provider.preferred_min_throughput),
        latency_max: cutoffs(provider.preferred_max_latency),
        max_price: MaxPrice {
            prompt: max_price.prompt,
            completion: max_price.completion,
            request: max_price.request,
            image: max_price.image,
            audio: max_price.audio,
        },
        service_tier: service_tier.map(Into::into),
    }
}

fn cutoffs(told: Option<Percentiles>) -> Cutoffs {
    let told = told.unwrap_or_default();
    Cutoffs { p50: told.p50, p75: told.p75, p90: told.p90, p99: told.p99 }
}

/// Nothing was left: which step did it, and what would be left without it.
pub(crate) fn no_endpoints(
    gateway: &Gateway,
    world: &World,
    asked: &str,
    facts: &Facts,
    key: &KeyState,
    plan: Plan,
) -> GatewayError {
    let step = plan.funnel.last().map(|line| line.step);
    if let Some(step) = step.filter(|step| is_bound(gateway, key, step)) {
        return GatewayError::KeyRule(format!(
            "no endpoint of `{asked}` is left for this key: its rules or those of its organization bound what it may use (`{step}`); ask its owner, or use another key"
        ));
    }
    if let Some(bound) = facts.bound.filter(|_| step == Some(MAX_COST)) {
        let worst = plan.without.iter().filter_map(|index| {
            bound.worst(&world.snapshot, world.snapshot.endpoints.get(*index as usize)?, facts)
        });
        let worst = worst.min().unwrap_or(bound.allowed).to_string();
        return GatewayError::OverMaxCost { worst, allowed: bound.allowed.to_string() };
    }
    if let Some(retired) = retired(gateway, world, asked) {
        return retired;
    }
    let failed_step = plan.funnel.last().map_or("the catalog", |line| line.step).to_owned();
    let id = |index: &u32| world.snapshot.endpoints.get(*index as usize).map(|e| e.id.to_string());
    let without = plan.without.iter().filter_map(id).take(20).collect();
    GatewayError::NoEndpoints { model: asked.to_owned(), failed_step, funnel: plan.funnel, without }
}

/// A model that was retired, and that nobody who is switched on serves: its successor is named.
fn retired(gateway: &Gateway, world: &World, asked: &str) -> Option<GatewayError> {
    let plain = asked.split([':', '@']).next().unwrap_or(asked);
    let at = world.snapshot.resolve(plain)?;
    let model = world.snapshot.models.get(at)?;
    let (day, successor) = (model.facts.retires.as_ref(), model.facts.successor.as_ref());
    let is_served = world.snapshot.model_endpoints(at).any(|endpoint| world.is_available(endpoint));
    let is_over = model.retires_day().is_some_and(|day| day <= gateway.clock.now().day());
    let is_left = successor.is_some() && world.snapshot.endpoints_of(at).is_empty();
    (!is_served && (is_over || is_left)).then(|| GatewayError::ModelRetired {
        model: model.id.to_string(),
        since: day.filter(|_| is_over).map(|claim| claim.value.clone()),
        successor: successor.map(|claim| claim.value.clone()),
    })
}

/// The plan for those who asked to see it.
pub(crate) fn plan_json(world: &World, plan: &Plan, own: Option<&Own>) -> serde_json::Value {
    let id = |index: u32| world.snapshot.endpoints.get(index as usize).map_or("", |e| &*e.id);
    let steps = plan.steps.iter().map(|step| {
        serde_json::json!({
            "endpoint": id(step.endpoint),
            "reason": step.reason,
            "quality": step.quality,
            "expected_cost_usd": step.expected.to_string(),
            "propensity": step.propensity,
            "key": byok::told(own, step),
        })
    });
    serde_json::json!({
        "steps": steps.collect::<Vec<_>>(),
        "rejected": plan.rejected.iter().take(50).map(|(e, step)| serde_json::json!({"endpoint": id(*e), "step": step})).collect::<Vec<_>>(),
        "routing_funnel": plan.funnel.iter().map(funnel).collect::<Vec<_>>(),
        "sticky": plan.sticky,
        "retries": plan.retries,
    })
}

/// A line of the funnel.
pub(crate) fn funnel(line: &plan::Funnel) -> serde_json::Value {
    serde_json::json!({"step": line.step, "endpoint_count": line.endpoint_count, "reason": line.reason})
}
