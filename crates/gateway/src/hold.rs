//! Money is set aside before a call goes out.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use ledger::{Hold, HoldSet, Refusal};
use routing::plan::Plan;
use tokio::time::Instant;
use types::{Money, Timestamp, Usage};
use wire::asked::Asked;

use crate::app::Gateway;
use crate::byok::Payer;
use crate::error::GatewayError;
use crate::intake::Hints;
use crate::keys::budgets::Counted;
use crate::keys::{KeyState, Permit};
use crate::terms::Pricing;
use crate::world::World;

/// Output tokens that a call is taken to have before it is over: a cap says little about what comes.
const LIKELY_OUTPUT_TOKENS: u64 = 256;

/// What a call may cost, who asks, and which purses it counts for.
pub(crate) struct Wanted<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) world: &'a World,
    pub(crate) request: &'a Asked<'a>,
    pub(crate) key: &'a KeyState,
    /// The key's, those of its budgets, the account's.
    pub(crate) purses: &'a HoldSet,
    /// All attempts that may have to be paid.
    pub(crate) plan: &'a Plan,
    pub(crate) hints: &'a Hints,
    pub(crate) at: Timestamp,
}

impl Wanted<'_> {
    /// Sets money aside: the worst case where the caller gave a cap, else the input and a first allowance of output, of the
    /// attempts that `payer` pays for. While other calls of the same purse hold money that may come back, a patient call waits
    /// for it instead of being refused.
    pub(crate) async fn hold(
        &self,
        set: &HoldSet,
        payer: &Payer,
        patient: bool,
    ) -> Result<Hold, GatewayError> {
        let (least, want) = self.amounts(payer)?;
        let (least, want, day) = (payer.price(least), payer.price(want), self.at.day());
        match set.try_hold_on(day, least, want) {
            Ok(hold) => Ok(hold),
            Err(refusal) if refusal.outstanding && patient => {
                wait_for_hold(self.gateway, self.key, set, (least, want, day), refusal).await
            }
            Err(refusal) => Err(GatewayError::NoMoney(Box::new(refusal))),
        }
    }

    /// The least that would do, and what is wanted: what the account is charged, with an own key the list price.
    fn amounts(&self, payer: &Payer) -> Result<(Money, Money), GatewayError> {
        let Wanted { gateway, world, request, plan, hints, at, .. } = *self;
        let settings = &gateway.settings;
        let steps = || plan.steps.iter().filter(|step| payer.pays(step));
        let endpoints = || steps().filter_map(|step| world.snapshot.endpoints.get(step.endpoint as usize));
        let usage = |input, output| Usage { input, output, requests: 1, ..Usage::default() };
        let pricing = Pricing::of(gateway, &self.key.account.id);
        let most = |usage: &Usage| {
            let list = |e: &catalog::Endpoint| e.price.cost(usage, at).ok().map(|cost| cost.total);
            let costs = endpoints().filter_map(|e| match payer.is_own() {
                true => list(e),
                false => Some(pricing.charge(&world.snapshot, e, list(e)?)),
            });
            costs.max().unwrap_or(Money::ZERO)
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
        Ok((least.min(want), want))
    }
}

/// The purses that a call has to satisfy, and what it counts for.
pub(crate) fn purses<'k>(
    key: &'k KeyState,
    request: &Asked<'_>,
    hints: &Hints,
    at: Timestamp,
) -> (Cow<'k, HoldSet>, Vec<String>) {
    key.holds_for(counted(request, hints, at), &mut dimensions(request, hints))
}

/// Counts the tokens that a call will likely take against its key's rate; settling puts it right.
pub(crate) fn take_tokens(
    request: &Asked<'_>,
    key: &KeyState,
    permit: &mut Permit,
    now: Timestamp,
) -> Result<(), GatewayError> {
    let output = request.max_tokens.map_or(LIKELY_OUTPUT_TOKENS, |cap| cap.min(LIKELY_OUTPUT_TOKENS));
    let likely = request.input_tokens_estimate().saturating_add(output);
    key.take_tokens(permit, likely, now)
        .map_err(|(per_minute, retry_after)| GatewayError::TokensLimited { per_minute, retry_after })
}

fn counted<'a>(request: &'a Asked<'_>, hints: &'a Hints, at: Timestamp) -> Counted<'a> {
    let told = hints.dimensions.get("user_id").map(String::as_str);
    Counted { user: request.user.as_deref().or(told), day: at.day() }
}

/// What the request says of itself, from headers and `trace`.
fn dimensions<'a>(request: &'a Asked<'_>, hints: &'a Hints) -> impl Iterator<Item = (&'a str, &'a str)> {
    let headers = hints.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    headers.chain(request.trace.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

async fn wait_for_hold(
    gateway: &Gateway,
    key: &KeyState,
    set: &HoldSet,
    (least, want, day): (Money, Money, i64),
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
        match set.try_hold_on(day, least, want) {
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
