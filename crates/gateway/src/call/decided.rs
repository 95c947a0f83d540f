//! Between letting a call in and its first attempt: where it may go, who pays for that, and the record as far as it is known.

use std::sync::Arc;

use ledger::{GenerationRecord, Hold, HoldSet};
use routing::plan::{Facts, Plan};

use super::{Incoming, describe, routed};
use crate::byok::{self, Own, Payer};
use crate::cascade::{self, Better};
use crate::course::Asker;
use crate::error::GatewayError;
use crate::hold::Wanted;
use crate::judging::Judged;
use crate::planning::{self, Asking, Decision};
use crate::request_facts;
use crate::sticky::Conversation;

/// A decision, and where its answer may go on to.
pub(super) struct Decided {
    pub(super) plan: Plan,
    pub(super) facts: Facts,
    pub(super) conversation: Option<Conversation>,
    pub(super) judged: Option<(Judged, f64)>,
    pub(super) hedged: bool,
    pub(super) better: Option<Better>,
    pub(super) own: Option<Arc<Own>>,
}

pub(super) fn decide(incoming: &mut Incoming<'_, '_>) -> Result<Decided, GatewayError> {
    let Incoming { worker, call, admitted, hints, world, course, seed, .. } = incoming;
    let asker = Asker { key: &admitted.key, at: admitted.created, seed: *seed, dry: false, policy: None };
    let asking = Asking { world, call, hints, course, asker: &asker };
    let Decision { plan, facts, conversation, judged, hedged, own, .. } =
        planning::decide(&worker.gateway, &asking);
    if plan.steps.is_empty() {
        return Err(planning::no_endpoints(
            &worker.gateway,
            world,
            &course.name,
            &facts,
            &admitted.key,
            plan,
        ));
    }
    let better = cascade::prepare(&worker.gateway, &asking, &plan);
    let better = better.unwrap_or_else(|warning| {
        course.warnings.push(warning);
        None
    });
    Ok(Decided { plan, facts, conversation, judged, hedged, better, own })
}

/// The record, as far as it is known before the first attempt.
pub(super) fn record(
    incoming: &Incoming<'_, '_>,
    plan: &Plan,
    facts: &Facts,
    judged: Option<(Judged, f64)>,
) -> GenerationRecord {
    let Incoming { worker, id, call, admitted, extra, hints, world, course, seed, .. } = incoming;
    let key = &admitted.key;
    let mut record =
        GenerationRecord::new(*id, admitted.created, key.account.id.clone(), key.rules.id.clone());
    record.routed = judged.map(|judged| routed(judged, *seed));
    let told = judged.map(|(judged, _)| judged);
    record.facts = request_facts::of(&world.snapshot, call.asked(), (facts, plan), told, &course.chances);
    record.policy.clone_from(&course.policy);
    describe(&mut record, &worker.gateway, call, hints, &course.name);
    extra.filled.iter().for_each(|filled| filled.describe(&mut record));
    record
}

/// Sets money aside for the first attempt. Where the account's money can't pay the operator's key and own keys stand behind it,
/// those are what is left of the plan; the other way round the call is refused.
pub(super) async fn first_hold(
    incoming: &Incoming<'_, '_>,
    purses: &HoldSet,
    plan: &mut Plan,
    (better, own): (Option<&Better>, Option<&Own>),
) -> Result<(Payer, Hold), GatewayError> {
    let Incoming { worker, call, admitted, hints, world, .. } = incoming;
    let gateway = &worker.gateway;
    loop {
        let Some(first) = plan.steps.first() else { return Err(GatewayError::Internal) };
        let covered = better.map(|better| better.covered(plan));
        let wanted = Wanted {
            gateway,
            world,
            request: call.asked(),
            key: &admitted.key,
            purses,
            plan: covered.as_ref().unwrap_or(plan),
            hints,
            at: admitted.created,
        };
        match byok::acquire(gateway, &wanted, own, first).await {
            Err(GatewayError::NoMoney(_))
                if first.own.is_none() && plan.steps.iter().any(|step| step.own.is_some()) =>
            {
                plan.steps.retain(|step| step.own.is_some());
            }
            held => return held,
        }
    }
}
