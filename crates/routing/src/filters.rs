//! Which endpoints can serve a request at all. Filters run in this order, and each counts what it leaves out.

use catalog::{Endpoint, Modality, Model, Snapshot, Status};
use types::{PriceKind, Rate, Task};

use crate::brief::Brief;
use crate::name::{Target, Variant, Virtual, What};
use crate::plan::{Bound, Conditions, Facts};
use crate::wishes::{MaxPrice, Wishes};

/// The filter by what an answer may cost at most.
pub const MAX_COST: &str = "Filter by Max Cost";

/// What the filters of a decision look at.
#[derive(Clone, Copy)]
pub(crate) struct Looked<'a> {
    snapshot: &'a Snapshot,
    conditions: &'a dyn Conditions,
    target: &'a Target,
    facts: &'a Facts,
    wishes: &'a Wishes<'a>,
    is_virtual: bool,
    free_only: bool,
}

impl<'a> Looked<'a> {
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        conditions: &'a dyn Conditions,
        target: &'a Target,
        facts: &'a Facts,
        wishes: &'a Wishes<'a>,
    ) -> Looked<'a> {
        let free = target.variant == Some(Variant::Free) || target.what == What::Virtual(Virtual::Free);
        let is_virtual = matches!(target.what, What::Virtual(_));
        Looked { snapshot, conditions, target, facts, wishes, is_virtual, free_only: free }
    }

    /// Whether an endpoint passes a filter.
    pub(crate) fn passes(&self, filter: &Filter, index: u32) -> bool {
        let at = index as usize;
        self.snapshot.endpoints.get(at).is_some_and(|endpoint| (filter.keeps)(self, at, endpoint))
    }

    /// The same, where what every decision asks of it is known.
    pub(crate) fn passes_brief(&self, filter: &Filter, brief: &Brief) -> bool {
        match filter.brief {
            Some(keeps) if keeps(self, brief) => true,
            _ => self.passes(filter, brief.endpoint),
        }
    }

    /// Whether a filter can leave anything out.
    pub(crate) fn asks(&self, filter: &Filter) -> bool {
        (filter.asked)(self)
    }
}

/// A filter: its name, what it asks, whether it is asked at all, and the test.
pub(crate) struct Filter {
    pub(crate) step: &'static str,
    pub(crate) asks: &'static str,
    /// False where it would keep everything.
    asked: fn(&Looked<'_>) -> bool,
    keeps: fn(&Looked<'_>, usize, &Endpoint) -> bool,
    /// True where a look at the brief is enough to keep it.
    brief: Option<fn(&Looked<'_>, &Brief) -> bool>,
}

impl Filter {
    const fn at_a_glance(self, brief: fn(&Looked<'_>, &Brief) -> bool) -> Filter {
        Filter { brief: Some(brief), ..self }
    }
}

const fn filter(
    step: &'static str,
    asks: &'static str,
    asked: fn(&Looked<'_>) -> bool,
    keeps: fn(&Looked<'_>, usize, &Endpoint) -> bool,
) -> Filter {
    Filter { step, asks, asked, keeps, brief: None }
}

const ALWAYS: fn(&Looked<'_>) -> bool = |_| true;

/// How many of the first filters ask nothing of a conversation that a virtual model is asked for: [`crate::shortlist`].
pub(crate) const FIXED: usize = 3;

/// The filters, in order: what follows from the request itself, then what its caller wishes.
pub(crate) static FILTERS: [Filter; 17] = [
    filter(
        "Filter by Switched-on Providers",
        "the provider has a key or needs none",
        ALWAYS,
        |look, index, _| look.conditions.switched_on(index),
    ),
    filter("Filter by Output", "the model makes what the path is for", ALWAYS, |look, _, e| {
        let live = !look.is_virtual || e.status == Status::Live;
        let talks = !look.is_virtual || look.facts.task != Task::Generate;
        let s = look.snapshot;
        live && model(s, e).is_some_and(|m| talks || m.is_chat()) && makes(s, e, look.facts.task)
    }),
    filter(
        "Filter by Known Price",
        "what the answer is counted in has a known price",
        ALWAYS,
        |look, _, e| e.price.bills(look.facts.task),
    ),
    filter(
        "Filter by Reasoning",
        "the model reasons, as `:thinking` asks",
        |look| look.target.variant == Some(Variant::Thinking),
        |look, _, e| model(look.snapshot, e).and_then(Model::reasoning) == Some(true),
    ),
    filter("Filter by Free Price", "the offer costs nothing", |look| look.free_only, |_, _, e| is_free(e)),
    filter(
        "Filter by Input Modalities",
        "the model takes the images, audio or files of the request",
        |look| look.facts.image || look.facts.audio || look.facts.file || look.is_virtual && look.facts.tools,
        |look, _, e| takes_input(look.snapshot, e, look.facts, look.is_virtual),
    ),
    filter("Filter by Context Length", "the prompt fits the context window", ALWAYS, |look, _, e| {
        e.context_tokens(look.snapshot).is_none_or(|context| look.facts.input_tokens <= context)
    })
    .at_a_glance(|look, brief| look.facts.input_tokens <= brief.context_tokens),
    filter(
        "Filter by Allowed Models",
        "`allowed_models`, `excluded_models`, access lists and what is approved leave the model to choose from",
        |look| {
            let wishes = look.wishes;
            !(wishes.models_allowed.is_empty()
                && wishes.models_excluded.is_empty()
                && wishes.models_bound.is_empty()
                && !wishes.access.bounds())
        },
        |look, _, e| may_be_chosen(look.snapshot, e, look.target, look.wishes),
    ),
    filter(
        "Filter by Allowed Providers",
        "`provider` and the name after @ allow the endpoint's provider",
        |look| {
            let wishes = look.wishes;
            let lists = wishes.only.is_some() || !wishes.ignore.is_empty();
            look.target.pin.is_some() || lists || !(wishes.allow_fallbacks || wishes.order.is_empty())
        },
        |look, _, e| allowed(look.snapshot, e, look.target, look.wishes),
    ),
    filter(
        "Filter by Service Tier",
        "an offer of a tier serves those who ask for it by `service_tier` or by its full name",
        ALWAYS,
        |look, _, e| tier_fits(look.snapshot, e, look.target, look.wishes),
    )
    .at_a_glance(|_, brief| !brief.tiered),
    filter(
        "Filter by Quantization",
        "the weights are stored as `provider.quantizations` says",
        |look| !look.wishes.quantizations.is_empty(),
        |look, _, e| stored_as(e, &look.wishes.quantizations),
    ),
    filter(
        "Filter by Region",
        "it is computed where `provider.region` says",
        |look| !look.wishes.regions.is_empty(),
        |look, _, e| look.wishes.regions.iter().any(|region| computed_in(look.snapshot, e, region)),
    ),
    filter(
        "Filter by Training",
        "the provider is known not to train on prompts",
        |look| look.wishes.no_training,
        |look, _, e| {
            let known = |p: &catalog::Provider| p.facts.trains_on_data.as_ref().map(|claim| claim.value);
            e.provider_in(look.snapshot).and_then(known) == Some(false) || is_sandbox(look.snapshot, e)
        },
    ),
    filter(
        "Filter by Retention",
        "the provider is known to keep prompts no longer than allowed",
        |look| look.wishes.retention_days_max.is_some(),
        |look, _, e| {
            let known = |p: &catalog::Provider| p.facts.retention_days.as_ref().map(|claim| claim.value);
            let days = e.provider_in(look.snapshot).and_then(known);
            look.wishes
                .retention_days_max
                .is_none_or(|max| days.is_some_and(|days| days <= max) || is_sandbox(look.snapshot, e))
        },
    ),
    filter(
        "Filter by Distillation Rights",
        "the model's license is known to let others train on what it writes",
        |look| look.wishes.distillable,
        |look, _, e| model(look.snapshot, e).is_some_and(is_distillable),
    ),
    filter(
        MAX_COST,
        "the answer can't cost more than the caller allows",
        |look| look.facts.bound.is_some(),
        |look, _, e| {
            let worst = |bound: &Bound| bound.worst(look.snapshot, e, look.facts);
            let fits = |bound: &Bound| worst(bound).is_some_and(|worst| worst <= bound.allowed);
            look.facts.bound.as_ref().is_none_or(fits)
        },
    ),
    filter(
        "Filter by Max Price",
        "the offer costs at most `provider.max_price`",
        |look| look.wishes.max_price != MaxPrice::default(),
        |look, _, e| affordable(e, look.facts, look.wishes),
    ),
];

fn model<'s>(snapshot: &'s Snapshot, endpoint: &Endpoint) -> Option<&'s Model> {
    snapshot.models.get(endpoint.model)
}

/// Whether an endpoint is answered inside this program.
pub(crate) fn is_sandbox(snapshot: &Snapshot, endpoint: &Endpoint) -> bool {
    endpoint.provider_in(snapshot).is_some_and(|provider| provider.protocol == catalog::Protocol::Sandbox)
}

/// Whether a caller's word for a provider means this endpoint: the provider's slug or name, any case; behind a slash the
/// variant. A slug alone means all offers of the provider but those of a tier.
pub(crate) fn means(snapshot: &Snapshot, endpoint: &Endpoint, word: &str) -> bool {
    let (slug, variant) = match word.split_once('/') {
        Some((slug, variant)) => (slug, Some(variant)),
        None => (word, None),
    };
    let fits = endpoint
        .provider_in(snapshot)
        .is_some_and(|p| p.id.eq_ignore_ascii_case(slug) || p.name.eq_ignore_ascii_case(word));
    fits && variant.is_none_or(|wanted| {
        endpoint.variant.as_deref().is_some_and(|variant| variant.eq_ignore_ascii_case(wanted))
    })
}

fn allowed(snapshot: &Snapshot, endpoint: &Endpoint, target: &Target, wishes: &Wishes<'_>) -> bool {
    let named = |list: &[String]| list.iter().any(|word| means(snapshot, endpoint, word));
    let provider = endpoint.provider_in(snapshot).map_or("", |p| &p.id);
    let pinned = target.pin.as_ref().is_none_or(|pin| {
        provider == pin.provider
            && pin.variant.as_deref().is_none_or(|v| endpoint.variant.as_deref() == Some(v))
    });
    let listed = wishes.allow_fallbacks || wishes.order.is_empty() || named(&wishes.order);
    pinned && listed && wishes.only.as_ref().is_none_or(|only| named(only)) && !named(&wishes.ignore)
}

/// The tier that an offer belongs to: its variant's last word.
pub(crate) fn tier(endpoint: &Endpoint) -> Option<&str> {
    let word = endpoint.variant.as_deref()?.rsplit('-').next()?;
    ["flex", "priority", "batch"].into_iter().find(|tier| *tier == word)
}

fn tier_fits(snapshot: &Snapshot, endpoint: &Endpoint, target: &Target, wishes: &Wishes<'_>) -> bool {
    let Some(tier) = tier(endpoint) else { return true };
    let full_name =
        |list: &[String]| list.iter().any(|word| word.contains('/') && means(snapshot, endpoint, word));
    let pinned = target.pin.as_ref().is_some_and(|pin| pin.variant.is_some());
    wishes.service_tier.as_deref() == Some(tier)
        || pinned
        || wishes.only.as_ref().is_some_and(|only| full_name(only))
        || full_name(&wishes.order)
}

fn stored_as(endpoint: &Endpoint, wanted: &[String]) -> bool {
    let own = endpoint.facts.quantization.as_ref().map_or("unknown", |claim| claim.value.as_str());
    wanted.iter().any(|word| {
        let word = word.as_str();
        // The family's name means its members too.
        own.eq_ignore_ascii_case(word)
            || word.eq_ignore_ascii_case("fp4") && ["mxfp4", "nvfp4"].contains(&own)
            || word.eq_ignore_ascii_case("fp8") && own == "mxfp8"
    })
}

/// Members of the European Union, ISO 3166.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

fn computed_in(snapshot: &Snapshot, endpoint: &Endpoint, region: &str) -> bool {
    let own = endpoint.facts.region.as_ref().map(|claim| claim.value.as_str());
    if let Some(own) = own {
        return own.eq_ignore_ascii_case(region);
    }
    let centers = endpoint.provider_in(snapshot).and_then(|p| p.facts.datacenters.as_ref());
    centers.is_some_and(|claim| {
        let there = |country: &String| match region {
            "eu" | "EU" => EU.contains(&country.as_str()),
            _ => country.eq_ignore_ascii_case(region),
        };
        !claim.value.is_empty() && claim.value.iter().all(there)
    })
}

fn is_distillable(model: &Model) -> bool {
    const FREE: [&str; 5] = ["mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "isc"];
    let license = model.facts.license.as_ref().map(|claim| claim.value.to_ascii_lowercase());
    license.is_some_and(|license| FREE.contains(&license.as_str()))
}

fn affordable(endpoint: &Endpoint, facts: &Facts, wishes: &Wishes<'_>) -> bool {
    let within = |kind, max: Option<Rate>| {
        max.is_none_or(|max| {
            let quote =
                endpoint.price.resolve(kind, facts.input_tokens, facts.at).and_then(|(_, q)| q.rate());
            // What has no price of its own is not charged for.
            quote.is_none_or(|rate| rate <= max)
        })
    };
    let max = &wishes.max_price;
    within(PriceKind::Input, max.prompt)
        && within(PriceKind::Output, max.completion)
        && within(PriceKind::Requests, max.request)
        && within(PriceKind::Images, max.image)
        && within(PriceKind::AudioInput, max.audio)
}

/// A model that is named is not chosen; what the key may call bounds it all the same.
fn may_be_chosen(s: &Snapshot, e: &Endpoint, target: &Target, wishes: &Wishes<'_>) -> bool {
    let id = model(s, e).map_or("", |model| &*model.id);
    let bound = &wishes.models_bound;
    if !bound.is_empty() && !bound.iter().any(|pattern| matches_pattern(pattern, id)) {
        return false;
    }
    if wishes.access.bounds() && !wishes.access.holds(id) {
        return false;
    }
    let any = wishes.models_allowed.is_empty() && wishes.models_excluded.is_empty();
    if any || matches!(target.what, What::Model(_)) {
        return true;
    }
    let among = |patterns: &[String]| patterns.iter().any(|pattern| matches_pattern(pattern, id));
    (wishes.models_allowed.is_empty() || among(&wishes.models_allowed)) && !among(&wishes.models_excluded)
}

/// Whether an id fits a pattern in which `*` stands for anything.
pub fn matches_pattern(pattern: &str, id: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = id.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn is_free(endpoint: &Endpoint) -> bool {
    let free = |kind| endpoint.price.quote(kind).and_then(|q| q.rate()) == Some(Rate::FREE);
    free(PriceKind::Input) && free(PriceKind::Output)
}

fn makes(snapshot: &Snapshot, endpoint: &Endpoint, task: Task) -> bool {
    let modalities = endpoint.output_modalities(snapshot);
    let wanted = match task {
        Task::Generate => Modality::Text,
        Task::Embeddings => Modality::Embeddings,
        Task::Rerank => Modality::Rerank,
        Task::Images => Modality::Image,
        Task::Speech => Modality::Audio,
        Task::Transcription => Modality::Transcription,
    };
    modalities.contains(&wanted) || modalities.is_empty()
}

fn takes_input(snapshot: &Snapshot, endpoint: &Endpoint, facts: &Facts, strict: bool) -> bool {
    let modalities = endpoint.input_modalities(snapshot);
    let unknown = modalities.is_empty() && !strict;
    let takes = |wanted: bool, modality: Modality| !wanted || unknown || modalities.contains(&modality);
    let tools = !strict || !facts.tools || endpoint.tool_call(snapshot) == Some(true);
    takes(facts.image, Modality::Image)
        && takes(facts.audio, Modality::Audio)
        && takes(facts.file, Modality::File)
        && tools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let rows = [
            ("mistralai/*", "mistralai/devstral-2", true),
            ("mistralai/*", "openai/gpt-5", false),
            ("*", "a/b", true),
            ("*/gpt-5*", "openai/gpt-5-mini", true),
            ("*-mini", "openai/gpt-5-mini", true),
            ("*-mini", "openai/gpt-5-mini-2", false),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*b*c", "a/xbyc", true),
        ];
        for (pattern, id, expect) in rows {
            assert_eq!(matches_pattern(pattern, id), expect, "{pattern} {id}");
        }
    }
}
