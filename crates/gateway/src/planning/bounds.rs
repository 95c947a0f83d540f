//! What keys and organizations allow, laid over what a caller wishes.

use routing::access::Approval;
use routing::wishes::Wishes;

use crate::app::Gateway;
use crate::keys::KeyState;
use crate::keys::limits::Limits;
use crate::rules::ApprovalRule;

/// Narrows wishes to what a key and its organization allow.
pub(super) fn narrow<'a>(
    gateway: &Gateway,
    key: &'a KeyState,
    approved: Option<&'a ApprovalRule>,
    wishes: &mut Wishes<'a>,
) {
    let limits = &key.rules.limits;
    wishes.models_bound = limits.allowed_models.as_slice().into();
    wishes.access = gateway.rules.access(&key.rules);
    Bounds::of_key(limits).narrow(wishes);
    if let Some(approval) = approved.and_then(|rule| rule.parsed.as_ref()) {
        Bounds::of_approval(approval).narrow(wishes);
    }
    if gateway.contents.is_zero(&key.account.id) {
        wishes.retention_days_max = Some(0);
    }
}

/// Where prompts may go, by a key's or an organization's rules.
struct Bounds<'a> {
    providers: &'a [String],
    regions: &'a [String],
    no_training: bool,
    zero_retention: bool,
}

impl<'a> Bounds<'a> {
    fn of_key(limits: &'a Limits) -> Bounds<'a> {
        Bounds {
            providers: &limits.allowed_providers,
            regions: &limits.regions,
            no_training: limits.no_training,
            zero_retention: limits.zero_retention,
        }
    }

    fn of_approval(approval: &'a Approval) -> Bounds<'a> {
        Bounds {
            providers: &approval.providers,
            regions: &approval.regions,
            no_training: approval.no_training,
            zero_retention: approval.zero_retention,
        }
    }

    /// Narrows wishes to it.
    fn narrow(&self, wishes: &mut Wishes<'a>) {
        wishes.no_training |= self.no_training;
        if self.zero_retention {
            wishes.retention_days_max = Some(0);
        }
        let within = |asked: &[String], allowed: &[String]| -> Vec<String> {
            let among = |one: &&String| allowed.iter().any(|other| other.eq_ignore_ascii_case(one));
            asked.iter().filter(among).cloned().collect()
        };
        if !self.providers.is_empty() {
            wishes.only = Some(match &wishes.only {
                None => self.providers.into(),
                Some(only) => within(only, self.providers).into(),
            });
        }
        if !self.regions.is_empty() {
            wishes.regions = match wishes.regions.is_empty() {
                true => self.regions.into(),
                // Nowhere is a region that no endpoint is in.
                false => Some(within(&wishes.regions, self.regions))
                    .filter(|both| !both.is_empty())
                    .unwrap_or_else(|| vec![String::from("nowhere")])
                    .into(),
            };
        }
    }

    /// Whether a filter goes by it.
    fn asks(&self, step: &str) -> bool {
        match step {
            "Filter by Allowed Providers" => !self.providers.is_empty(),
            "Filter by Region" => !self.regions.is_empty(),
            "Filter by Training" => self.no_training,
            "Filter by Retention" => self.zero_retention,
            _ => false,
        }
    }
}

/// Whether what left nothing may have been a rule of the key or of its organization.
pub(super) fn is_bound(gateway: &Gateway, key: &KeyState, step: &str) -> bool {
    let (limits, approval) = (&key.rules.limits, gateway.rules.bounds(&key.account.id));
    let models = || !limits.allowed_models.is_empty() || gateway.rules.access(&key.rules).bounds();
    let approved = approval.as_ref().and_then(|rule| rule.parsed.as_ref()).map(Bounds::of_approval);
    Bounds::of_key(limits).asks(step)
        || approved.is_some_and(|bounds| bounds.asks(step))
        || step == "Filter by Allowed Models" && models()
}
