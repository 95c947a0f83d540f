//! Presets at work: a request that names one is filled up with it before anything else is asked of the request. One that names
//! none pays for two comparisons.

use std::sync::Arc;

use bytes::Bytes;
use ledger::GenerationRecord;
use store::RuleKind;
use types::AccountId;
use wire::Warning;
use wire::call::Call;
use wire::hub::Dialect;
use wire::preset::{Applied, Asks, MARK, Status, apply};

use crate::app::Gateway;
use crate::cache::Wanted;
use crate::error::GatewayError;
use crate::keys::KeyState;
use crate::rules::PresetRule;
use crate::rules::edit::missing;

/// Which preset a request names, and what counts besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Naming<'a> {
    /// `model`.
    pub(crate) model: Option<&'a str>,
    /// `preset`.
    pub(crate) preset: Option<&'a str>,
    /// Its own cap on output tokens.
    pub(crate) max_tokens: Option<u64>,
}

/// The preset that a request was filled up with.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// The preset.
    pub(crate) rule: Arc<PresetRule>,
    /// The model as the caller wrote it.
    pub(crate) asked: Option<String>,
    /// What of the preset had no place in the request's dialect.
    pub(crate) warnings: Vec<Warning>,
}

impl Filled {
    /// What the preset says of the response cache.
    pub(crate) fn cache_rule(&self) -> Wanted {
        let wish = self.rule.parsed.cache();
        let ttl_s = wish.ttl_seconds.map(|ttl| u32::try_from(ttl).unwrap_or(u32::MAX));
        Wanted { enabled: wish.enabled, ttl_s, clear: false }
    }

    /// Writes down which preset it was, and the model as the caller wrote it.
    pub(crate) fn describe(&self, record: &mut GenerationRecord) {
        record.preset = Some(self.rule.label());
        if let Some(asked) = &self.asked {
            record.requested_model.clone_from(asked);
        }
    }
}

/// A request after its preset.
pub(crate) struct Whole {
    /// The body.
    pub(crate) body: Bytes,
    /// The model, for dialects whose path names it.
    pub(crate) model: Option<String>,
    /// What was done.
    pub(crate) filled: Filled,
}

/// Fills a call up that names a preset, or whose key has one for calls that name none, to be scanned again; else `None`.
pub(crate) fn of_call(
    gateway: &Gateway,
    key: &KeyState,
    call: &Call<'_>,
) -> Result<Option<Whole>, GatewayError> {
    let asked = call.asked();
    let usual = key.rules.limits.default_preset.as_deref().filter(|_| !asked.names_a_preset());
    if !asked.names_a_preset() && usual.is_none() {
        return Ok(None);
    }
    let naming = Naming {
        model: asked.model.as_deref(),
        preset: asked.preset.as_deref().or(usual),
        max_tokens: asked.max_tokens,
    };
    fill(gateway, &key.account.id, call.dialect, call.body, naming).map(Some)
}

/// Fills a request up.
pub(crate) fn fill(
    gateway: &Gateway,
    account: &AccountId,
    dialect: Dialect,
    body: &[u8],
    naming: Naming<'_>,
) -> Result<Whole, GatewayError> {
    let (slug, own) = slug_and_model(naming)?;
    let rule = gateway
        .rules
        .preset(account, slug)
        .ok_or_else(|| missing(gateway, account, RuleKind::Preset, slug))?;
    if rule.parsed.status != Status::Active {
        let status = rule.parsed.status.name();
        return Err(GatewayError::InvalidRequest(format!(
            "preset `{slug}` is {status}; set its `status` to active, or name another"
        )));
    }
    let model = own.map(str::to_owned).or_else(|| rule.parsed.model()).unwrap_or_default();
    let model_id = model_id(gateway, &model);
    let asks = Asks { dialect, body, model: own, model_id: &model_id, max_tokens: naming.max_tokens };
    let applied = apply(&rule.parsed, slug, &asks);
    let Applied { body, model, warnings } =
        applied.map_err(|error| GatewayError::InvalidRequest(error.to_string()))?;
    let asked = naming.model.map(|model| model.chars().take(200).collect());
    Ok(Whole { body: body.into(), model, filled: Filled { rule, asked, warnings } })
}

/// The preset's name, and the model that the request names beside it.
fn slug_and_model(naming: Naming<'_>) -> Result<(&str, Option<&str>), GatewayError> {
    let marked = naming.model.and_then(|model| model.split_once(MARK));
    let own = marked.map_or(naming.model, |(own, _)| Some(own)).map(str::trim).filter(|own| !own.is_empty());
    let in_model = marked.map(|(_, slug)| slug.trim());
    match (in_model, naming.preset) {
        (Some(one), Some(other)) if one != other => Err(GatewayError::InvalidRequest(format!(
            "`model` names the preset `{}` and `preset` names `{}`; name one of them",
            short(one),
            short(other)
        ))),
        (Some(slug), _) | (None, Some(slug)) => Ok((slug, own)),
        (None, None) => Ok(("", own)),
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The id of a model whose name may have a variant or a provider behind it.
fn model_id(gateway: &Gateway, name: &str) -> String {
    let world = gateway.world.load();
    let target = gateway.settings.names.resolve(&world.snapshot, name).ok();
    let index = target.and_then(|target| match target.what {
        routing::name::What::Model(index) => Some(index),
        routing::name::What::Virtual(_) => None,
    });
    let model = index.and_then(|index| world.snapshot.models.get(index));
    model.map_or_else(|| name.to_owned(), |model| model.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_named_in_three_ways_and_once() {
        let rows = [
            (Some("@preset/a"), None, Ok(("a", None))),
            (Some("x/y@preset/a"), None, Ok(("a", Some("x/y")))),
            (Some("x/y@lab@preset/a"), Some("a"), Ok(("a", Some("x/y@lab")))),
            (Some("x/y"), Some("a"), Ok(("a", Some("x/y")))),
            (None, Some("a"), Ok(("a", None))),
            (Some("@preset/a"), Some("b"), Err(())),
            (Some("@preset/"), None, Ok(("", None))),
        ];
        for (model, preset, expect) in rows {
            let found = slug_and_model(Naming { model, preset, max_tokens: None });
            assert_eq!(found.map_err(drop), expect, "{model:?} {preset:?}");
        }
    }
}
