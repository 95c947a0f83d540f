//! Presets and variants at work: a request that names a preset, or a model as `:thinking` or `:online`, is filled up before anything
//! else is asked of it. One that names none pays for a few comparisons.

use std::sync::Arc;

use bytes::Bytes;
use ledger::GenerationRecord;
use store::RuleKind;
use types::AccountId;
use wire::Warning;
use wire::call::{Call, PathSays};
use wire::hub::Dialect;
use wire::preset::{Applied, Asks, MARK, Status, Variant, apply};

use crate::app::Gateway;
use crate::cache::Wanted;
use crate::call::scan;
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

/// What a request was filled up with.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// The preset; `None`: only a variant.
    pub(crate) rule: Option<Arc<PresetRule>>,
    /// The model as the caller wrote it.
    pub(crate) asked: Option<String>,
    /// What of it had no place in the request's dialect.
    pub(crate) warnings: Vec<Warning>,
}

impl Filled {
    /// What the preset says of the response cache.
    pub(crate) fn cache_rule(&self) -> Wanted {
        let Some(rule) = &self.rule else { return Wanted::default() };
        let wish = rule.parsed.cache();
        let ttl_s = wish.ttl_seconds.map(|ttl| u32::try_from(ttl).unwrap_or(u32::MAX));
        Wanted { enabled: wish.enabled, ttl_s, clear: false }
    }

    /// The preset, with its version.
    pub(crate) fn preset(&self) -> Option<String> {
        self.rule.as_ref().map(|rule| rule.label())
    }

    /// Writes down which preset it was, and the model as the caller wrote it.
    pub(crate) fn describe(&self, record: &mut GenerationRecord) {
        record.preset = self.preset();
        if let Some(asked) = &self.asked {
            record.requested_model.clone_from(asked);
        }
    }
}

/// A request that was filled up.
pub(crate) struct Whole {
    /// The body.
    pub(crate) body: Bytes,
    /// The model, for dialects whose path names it.
    pub(crate) model: Option<String>,
    /// What was done.
    pub(crate) filled: Filled,
}

/// Fills a call up that names a preset or a variant, or whose key has a preset for calls that name none, to be scanned again; else
/// `None`.
pub(crate) fn of_call(
    gateway: &Gateway,
    key: &KeyState,
    call: &Call<'_>,
) -> Result<Option<Whole>, GatewayError> {
    let asked = call.asked();
    let usual = key.rules.limits.default_preset.as_deref().filter(|_| !asked.names_a_preset());
    // Beside a preset its own model goes before the fallbacks.
    let first = asked.models.first().filter(|_| !asked.names_a_preset() && usual.is_none());
    let naming = Naming {
        model: asked.model.as_deref().or(first.map(String::as_str)),
        preset: asked.preset.as_deref().or(usual),
        max_tokens: asked.max_tokens,
    };
    whole(gateway, &key.account.id, call.dialect, call.body, naming)
}

/// Fills a request up with its preset and then with its variant, as far as it names them.
pub(crate) fn whole(
    gateway: &Gateway,
    account: &AccountId,
    dialect: Dialect,
    body: &[u8],
    naming: Naming<'_>,
) -> Result<Option<Whole>, GatewayError> {
    let names_a_preset = naming.preset.is_some() || naming.model.is_some_and(|model| model.contains(MARK));
    if !names_a_preset {
        return of_variant(gateway, dialect, body, naming);
    }
    let first = fill(gateway, account, dialect, body, naming)?;
    let Some(model) = first.model.as_deref().filter(|model| may_have_one(model)) else {
        return Ok(Some(first));
    };
    // The preset may have brought a cap.
    let says = PathSays { model: Some(model), ..PathSays::default() };
    let max_tokens = scan(dialect, &first.body, &says)?.asked().max_tokens;
    let naming = Naming { model: Some(model), preset: None, max_tokens };
    let Some(second) = of_variant(gateway, dialect, &first.body, naming)? else { return Ok(Some(first)) };
    let mut filled = first.filled;
    filled.warnings.extend(second.filled.warnings);
    Ok(Some(Whole { filled, ..second }))
}

/// Whether a name may end with a variant that fills requests up.
fn may_have_one(name: &str) -> bool {
    name.contains(":thinking") || name.contains(":online")
}

/// Fills a request up whose model is named with a variant.
fn of_variant(
    gateway: &Gateway,
    dialect: Dialect,
    body: &[u8],
    naming: Naming<'_>,
) -> Result<Option<Whole>, GatewayError> {
    let Some(name) = naming.model.filter(|name| may_have_one(name)) else { return Ok(None) };
    let world = gateway.world.load();
    // The catalog may have a model of that very name.
    let found = gateway.settings.names.resolve(&world.snapshot, name).ok().and_then(|target| target.variant);
    let variant = match found {
        Some(routing::name::Variant::Thinking) => Variant::Thinking,
        Some(routing::name::Variant::Online) => Variant::Online,
        _ => return Ok(None),
    };
    let model_id = model_id(gateway, name);
    let asks = Asks { dialect, body, model: Some(name), model_id: &model_id, max_tokens: naming.max_tokens };
    let applied = variant.apply(&asks).map_err(|error| GatewayError::InvalidRequest(error.to_string()))?;
    let Applied { body, model, warnings } = applied;
    Ok(Some(Whole { body: body.into(), model, filled: Filled { rule: None, asked: None, warnings } }))
}

/// Fills a request up.
fn fill(
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
    Ok(Whole { body: body.into(), model, filled: Filled { rule: Some(rule), asked, warnings } })
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
