//! What the model names of a request mean: targets in order, and what a policy says of them.

use std::sync::Arc;

use routing::name::{NameError, Target, Variant, Virtual, What};
use routing::policy::{CacheRule, Policy, Route, Situation, Strategy};
use routing::wishes::Sort;
use store::RuleKind;
use types::{AccountId, Task, Timestamp};
use wire::Warning;
use wire::asked::{Asked, Escalate};
use wire::auto::AutoWishes;
use wire::call::Call;

use crate::app::Gateway;
use crate::cascade::NOT_ESCALATED;
use crate::error::GatewayError;
use crate::intake::Hints;
use crate::judging;
use crate::keys::KeyState;
use crate::rules::PolicyRule;
use crate::rules::edit::missing;
use crate::world::World;

/// Most characters of a model's name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// What a policy is called that came along with the request.
const SENT: &str = "policy/sent";

/// Where a request may go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// What the caller asked for.
    pub(crate) name: String,
    /// The model and its fallbacks, in order.
    pub(crate) targets: Vec<Target>,
    /// Of a policy's chain: tries after the first, for each target.
    pub(crate) retries: Vec<Option<u32>>,
    /// Of a policy that draws: the chance of each target to come first. Empty: the first target does.
    pub(crate) chances: Vec<f64>,
    /// A policy's order over the endpoints of all targets.
    pub(crate) sort: Option<Sort>,
    /// Where a policy puts the dial.
    pub(crate) dial: Option<f64>,
    /// What a policy says of the response cache.
    pub(crate) cache: Option<CacheRule>,
    /// The policy, its version and the rule that decided: `careful@3`, `careful@3 night`.
    pub(crate) policy: Option<String>,
    /// Where an answer goes on to that is found wanting.
    pub(crate) aim: Option<Aim>,
    /// The plan is to name every candidate, and not only as many as may be tried.
    pub(crate) uncut: bool,
    /// What the caller is to be told.
    pub(crate) warnings: Vec<Warning>,
}

/// Where an answer goes on to that is found wanting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To the next better candidate of the virtual model.
    Next,
    /// To this model.
    Model(Target),
}

/// Who asks, and when.
pub(crate) struct Asker<'a> {
    /// The key.
    pub(crate) key: &'a KeyState,
    /// When.
    pub(crate) at: Timestamp,
    /// What chance is drawn from.
    pub(crate) seed: u64,
    /// Nothing is called: nothing is tried out either.
    pub(crate) dry: bool,
    /// A policy that came along with the request, in place of the model that it names: to be tried before it is written.
    pub(crate) policy: Option<&'a Policy>,
}

impl Course {
    /// Finds out.
    pub(crate) fn of(
        gateway: &Gateway,
        world: &World,
        call: &Call<'_>,
        hints: &Hints,
        asker: &Asker<'_>,
    ) -> Result<Course, GatewayError> {
        let request = call.asked();
        let brand = &gateway.settings.names.brand;
        let first = request.model.as_deref().or(request.models.first().map(String::as_str));
        let first = asker.policy.map(|_| SENT).or(first);
        let asked = first.map(str::to_owned).ok_or_else(|| {
            GatewayError::InvalidRequest(format!(
                "`model` is missing; name one from GET /v1/models, or `{brand}/auto`"
            ))
        })?;
        let name = asked.chars().take(NAME_CHARS_MAX).collect();
        let mut course = Course { name, warnings: hints.warnings.clone(), ..Course::default() };
        let fallbacks = request.models.iter().filter(|model| **model != asked);
        let escalate_to = match asked.strip_prefix("policy/") {
            Some(policy) => course.follow(gateway, world, call, hints, asker, policy)?,
            None => {
                course.add(gateway, world, &asked)?;
                None
            }
        };
        course.check(gateway, &world.snapshot, asker.key)?;
        for name in fallbacks {
            course.add(gateway, world, name)?;
            if !course.retries.is_empty() {
                course.retries.push(None);
            }
        }
        course.escalate(gateway, world, request, hints, escalate_to.as_deref())?;
        course.tell(request, hints, brand);
        Ok(course)
    }

    /// The first virtual model among the targets.
    pub(crate) fn virtual_model(&self) -> Option<Virtual> {
        self.targets.iter().find_map(|target| match target.what {
            What::Virtual(what) => Some(what),
            What::Model(_) => None,
        })
    }

    /// A key that may not call the model that is named is told so, and not that there were no endpoints.
    fn check(
        &self,
        gateway: &Gateway,
        snapshot: &catalog::Snapshot,
        key: &KeyState,
    ) -> Result<(), GatewayError> {
        if self.policy.is_some() {
            return Ok(());
        }
        let (limits, access) = (&key.rules.limits, gateway.rules.access(&key.rules));
        let named = self.targets.iter().filter_map(|target| match target.what {
            What::Model(index) => snapshot.models.get(index),
            What::Virtual(_) => None,
        });
        for model in named {
            let why = match limits.allows_model(&model.id) {
                true => access.refuses(&model.id).map(|refusal| {
                    format!("{refusal}; `GET /v1/access` tells what it may call, and admins of the organization change it")
                }),
                false => Some(format!("it may call {}", limits.allowed_models.join(", "))),
            };
            if let Some(why) = why {
                return Err(GatewayError::KeyRule(format!("this key may not call `{}`: {why}", model.id)));
            }
        }
        Ok(())
    }

    fn add(&mut self, gateway: &Gateway, world: &World, name: &str) -> Result<(), GatewayError> {
        let target = target(gateway, world, name)?;
        self.warnings.extend(retiring(world, &target));
        self.take(target);
        Ok(())
    }

    fn take(&mut self, target: Target) {
        // The request was filled up for the model that it names first, and only for that.
        let filled = match self.targets.first() {
            Some(first) => first.variant == target.variant,
            None => true,
        };
        if !filled || self.policy.is_some() {
            let fills = match target.variant {
                Some(Variant::Thinking) => Some("`:thinking` chooses among models that reason, and"),
                Some(Variant::Online) => Some("`:online`"),
                _ => None,
            };
            if let Some(what) = fills {
                let message = format!(
                    "{what} changes the request only behind the model that it names first as `model`"
                );
                self.warnings.push(Warning::about("not_served_yet", "model", message));
            }
        }
        self.targets.push(target);
    }

    /// Finds out where an answer goes on to that is found wanting: as the body says, else the header, else the policy.
    fn escalate(
        &mut self,
        gateway: &Gateway,
        world: &World,
        request: &Asked<'_>,
        hints: &Hints,
        policy: Option<&str>,
    ) -> Result<(), GatewayError> {
        let asked = request.escalate.as_ref().or(hints.escalate.as_ref());
        let aim = match (asked, policy) {
            (Some(Escalate::No), _) | (None, None) => return Ok(()),
            (Some(Escalate::To(model)), _) => Ok(Aim::Model(target(gateway, world, model)?)),
            // The catalog may have changed since the policy was written.
            (Some(Escalate::Next) | None, Some(model)) => target(gateway, world, model)
                .map(Aim::Model)
                .map_err(|error| format!("the policy's `escalate_to` had no effect: {error}")),
            (Some(Escalate::Next), None) if self.virtual_model().is_some() => Ok(Aim::Next),
            (Some(Escalate::Next), None) => Err(format!(
                "`escalate` had no effect: true goes on to the next better candidate of a virtual model, and a model is named; name the model to go to, or ask for `{}/auto`",
                gateway.settings.names.brand
            )),
        };
        let aim = aim.and_then(|aim| match request.task {
            Task::Generate if request.choices > 1 => {
                Err(String::from("`escalate` had no effect: of several answers (`n`) none is checked"))
            }
            Task::Generate if !gateway.settings.escalations => {
                Err(String::from("`escalate` had no effect: it is switched off here (`routing.escalations`)"))
            }
            Task::Generate => Ok(aim),
            _ => Err(String::from("`escalate` had no effect: only answers of conversations are checked")),
        });
        match aim {
            Ok(aim) => self.aim = Some(aim),
            Err(message) => self.warnings.push(Warning::about(NOT_ESCALATED, "escalate", message)),
        }
        Ok(())
    }

    /// Follows a policy; gives the model that its answers escalate to.
    fn follow(
        &mut self,
        gateway: &Gateway,
        world: &World,
        call: &Call<'_>,
        hints: &Hints,
        asker: &Asker<'_>,
        name: &str,
    ) -> Result<Option<String>, GatewayError> {
        let kept;
        let (policy, called) = match asker.policy {
            Some(sent) => (sent, name.to_owned()),
            None => {
                kept = policy(gateway, &asker.key.account.id, name)?;
                (&kept.parsed, format!("{}@{}", kept.slug, kept.version))
            }
        };
        let (route, decided) = route(policy, call, hints, asker);
        self.policy = Some(match decided.and_then(|at| policy.rules.get(at)) {
            Some(decided) => format!("{called} {}", decided.name),
            None => called,
        });
        self.dial = route.dial;
        self.cache = Some(route.cache);
        self.sort = match route.strategy {
            Strategy::Latency => Some(Sort::Soonest),
            Strategy::Cost => Some(Sort::Price),
            Strategy::Fallback | Strategy::Balance => None,
        };
        for at in route.order(together(route, call.asked(), hints), asker.seed) {
            let Some(link) = route.models.get(at) else { continue };
            match target(gateway, world, &link.model) {
                Ok(target) => {
                    self.take(target);
                    self.retries.extend(self.sort.is_none().then_some(link.retries));
                    self.chances.extend(route.chance(at));
                }
                // The catalog may have changed since the policy was written.
                Err(error) => {
                    let message = format!("a model of policy `{name}` was passed over: {error}");
                    self.warnings.push(Warning {
                        code: "model_not_found",
                        pointer: "/model".to_owned(),
                        message,
                    });
                }
            }
        }
        if self.targets.is_empty() {
            let message = format!("no model of policy `{name}` is known any more; edit the policy");
            return Err(GatewayError::InvalidRequest(message));
        }
        Ok(route.escalate_to.clone())
    }

    /// What of the request has no effect.
    fn tell(&mut self, request: &Asked<'_>, hints: &Hints, brand: &str) {
        let mut tell = |field: &str, message: String| {
            self.warnings.push(Warning::about("not_served_yet", field, message));
        };
        for key in request.provider.unknown.iter().take(20) {
            tell(&format!("provider/{key}"), format!("`provider.{key}` is not known and had no effect"));
        }
        let fills = |target: &&Target| matches!(target.variant, Some(Variant::Thinking | Variant::Online));
        if request.task != Task::Generate && self.targets.iter().any(|target| fills(&target)) {
            let message =
                String::from("`:thinking` and `:online` change conversations only and had no effect");
            tell("model", message);
        }
        for field in &request.not_served {
            tell(field, format!("`{}` is not served yet and had no effect", field.replace('/', ".")));
        }
        if request.echo_body && !request.stream {
            tell("debug", String::from("`debug.echo_upstream_body` shows in streams only; set `stream` too"));
        }
        let dial = hints.cost_quality.is_some() || hints.preference.is_some_and(|p| p.sort().is_none());
        if (dial || request.auto != AutoWishes::default()) && self.virtual_model().is_none() {
            let message = format!(
                "a dial, lists of models and the preferences quality and balanced choose among models, and one is named; ask for `{brand}/auto`"
            );
            self.warnings.push(Warning { code: "not_served_yet", pointer: String::new(), message });
        }
    }
}

/// Says when its maker ends a model, be that day to come or gone by, and what comes after it.
fn retiring(world: &World, target: &Target) -> Option<Warning> {
    let What::Model(index) = target.what else { return None };
    let model = world.snapshot.models.get(index)?;
    let day = &model.facts.retires.as_ref()?.value;
    let successor = model.facts.successor.as_ref();
    let instead = successor.map(|claim| format!("; its successor is `{}`", claim.value)).unwrap_or_default();
    Some(Warning::about("model_retires", "model", format!("its maker ends `{}` on {day}{instead}", model.id)))
}

fn policy(gateway: &Gateway, account: &AccountId, name: &str) -> Result<Arc<PolicyRule>, GatewayError> {
    let found = gateway.rules.policy(account, name);
    found.ok_or_else(|| missing(gateway, account, RuleKind::Policy, name))
}

fn target(gateway: &Gateway, world: &World, name: &str) -> Result<Target, GatewayError> {
    gateway.settings.names.resolve(&world.snapshot, name).map_err(|error| match error {
        NameError::Unknown { name, suggestions } => GatewayError::ModelNotFound { name, suggestions },
        other => GatewayError::InvalidRequest(other.to_string()),
    })
}

/// The route of a policy that holds for a request.
fn route<'p>(
    policy: &'p Policy,
    call: &Call<'_>,
    hints: &Hints,
    asker: &Asker<'_>,
) -> (&'p Route, Option<usize>) {
    let request = call.asked();
    let traced = |name: &str| {
        let name = name.strip_prefix("trace.")?;
        request.trace.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    policy.route(&Situation {
        task: &|| judging::judge(call).task,
        input_tokens: request.input_tokens_estimate(),
        tag: &|name| hints.dimensions.get(name).map(String::as_str).or_else(|| traced(name)),
        key: [asker.key.rules.id.as_str(), asker.key.rules.name.as_str()],
        tools: request.needs.tools,
        at: asker.at,
    })
}

/// A hash of what calls share that belong together; `None`: nothing.
fn together(route: &Route, request: &Asked<'_>, hints: &Hints) -> Option<u64> {
    let traced = request.trace.iter().find(|(name, _)| name == "trace_id").map(|(_, value)| value.as_str());
    let traced = traced.or(hints.dimensions.get("trace_id").map(String::as_str));
    let user = request.user.as_deref().or(hints.dimensions.get("user_id").map(String::as_str));
    route.together(traced, user)
}
