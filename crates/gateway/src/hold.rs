//! Money is set aside before a call goes out.

use std::sync::atomic::Ordering;

use ledger::{Hold, HoldSet, Refusal};
use routing::plan::Plan;
use tokio::time::Instant;
use types::{Money, Timestamp, Usage};
use wire::asked::Asked;

use crate::app::Gateway;
use crate::error::GatewayError;
use crate::intake::Hints;
use crate::keys::KeyState;
use crate::terms::Pricing;
use crate::world::World;

/// Sets money aside: the worst case where the caller gave a cap, else the input and a first allowance of output. While
/// other calls of the same purse hold money that may come back, a call waits for it instead of being refused.
pub(crate) async fn hold(
    gateway: &Gateway,
    world: &World,
    request: &Asked<'_>,
    key: &KeyState,
    plan: &Plan,
    hints: &Hints,
    at: Timestamp,
) -> Result<Hold, GatewayError> {
    let settings = &gateway.settings;
    let pricing = Pricing::of(gateway, &key.account.id);
    let endpoints =
        || plan.steps.iter().filter_map(|step| world.snapshot.endpoints.get(step.endpoint as usize));
    let usage = |input, output| Usage { input, output, requests: 1, ..Usage::default() };
    let most = |usage: &Usage| {
        let charge = |e: &catalog::Endpoint| {
            Some(pricing.charge(&world.snapshot, e, e.price.cost(usage, at).ok()?.total))
        };
        endpoints().filter_map(charge).max().unwrap_or(Money::ZERO)
    };
    let choices = u64::from(request.choices);
    let cap = request.max_tokens.unwrap_or(settings.hold_output_tokens);
    let output = cap.saturating_mul(choices);
    let want = match &request.expected {
        Some(expected) => most(&expected.most),
        None => most(&usage(request.input_tokens_max(), output)),
    };
    // Of conversations the plan has nothing that could cost more.
    if let Some(allowed) =
        hints.max_cost.filter(|_| request.expected.is_some()).filter(|allowed| *allowed < want)
    {
        return Err(GatewayError::OverMaxCost { worst: want.to_string(), allowed: allowed.to_string() });
    }
    let least = match &request.expected {
        Some(expected) => most(&expected.likely),
        None => most(&usage(request.input_tokens_estimate(), output.clamp(1, 16))),
    };
    let least = least.min(want);
    match key.holds.try_hold_up_to(least, want) {
        Ok(hold) => Ok(hold),
        Err(refusal) if refusal.outstanding => {
            wait_for_hold(gateway, key, &key.holds, least, want, refusal).await
        }
        Err(refusal) => Err(GatewayError::NoMoney(Box::new(refusal))),
    }
}

async fn wait_for_hold(
    gateway: &Gateway,
    key: &KeyState,
    set: &HoldSet,
    least: Money,
    want: Money,
    mut refusal: Refusal,
) -> Result<Hold, GatewayError> {
    let waiters = &gateway.metrics.hold_waiters;
    let max = gateway.settings.hold_waiters_max;
    let _waiting = Waiting::enter(waiters);
    if usize::try_from(waiters.load(Ordering::Relaxed)).is_ok_and(|now| now > max) {
        return Err(GatewayError::NoMoney(Box::new(refusal)));
    }
    let deadline = Instant::now() + gateway.settings.hold_wait_max;
    loop {
        // Listening begins before the look, so that a release between the two is not missed.
        let mut released = std::pin::pin!(key.account.released.notified());
        released.as_mut().enable();
        match set.try_hold_up_to(least, want) {
            Ok(hold) => return Ok(hold),
            Err(again) if again.outstanding => refusal = again,
            Err(last) => return Err(GatewayError::NoMoney(Box::new(last))),
        }
        if tokio::time::timeout_at(deadline, released).await.is_err() {
            return Err(GatewayError::NoMoney(Box::new(refusal)));
        }
    }
}

/// Counts a waiting call for as long as it waits, whatever ends it.
struct Waiting<'m>(&'m std::sync::atomic::AtomicI64);

impl<'m> Waiting<'m> {
    fn enter(waiters: &'m std::sync::atomic::AtomicI64) -> Waiting<'m> {
        waiters.fetch_add(1, Ordering::Relaxed);
        Waiting(waiters)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
