//! The offers of a model: who serves it, at what price, how fast, under which policy.

use catalog::{Endpoint, Snapshot, Status};
use routing::health::Uptime;
use types::{PriceKind, Quote, Rate};

use super::routed::Order;
use crate::Live;
use crate::chart::{self, Cell, Svg};
use crate::fact::Fact;
use crate::format::{self, Shown};
use crate::index::region;
use crate::visit::Visit;

/// A row of the table.
pub(crate) struct Offer {
    pub(crate) endpoint: String,
    pub(crate) provider_name: String,
    pub(crate) path: String,
    /// Region, tier or quantization that sets it apart.
    pub(crate) variant: Option<String>,
    pub(crate) provider_model_id: String,
    /// `Beta`, `Deprecated`.
    pub(crate) status: Option<&'static str>,
    /// Why its provider is off; `None`: calls can go to it.
    pub(crate) off: Option<String>,
    /// The first in the order of calls, and how often.
    pub(crate) routed: Option<Routed>,
    pub(crate) input: Price,
    pub(crate) output: Price,
    pub(crate) cache_read: Price,
    pub(crate) cache_write: Price,
    /// What its price depends on, such as `above 200K input tokens`.
    pub(crate) tiers: usize,
    pub(crate) context: Number,
    pub(crate) max_output: Number,
    pub(crate) live: Option<Measured>,
    pub(crate) quantization: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) retention: Option<String>,
    pub(crate) training: Option<&'static str>,
    pub(crate) parameters: Vec<String>,
    /// Each fact of it with its source.
    pub(crate) facts: Vec<(&'static str, Fact)>,
}

/// Its place in the order of calls.
pub(crate) struct Routed {
    pub(crate) is_first: bool,
    /// The share of calls that try it first, in whole percent.
    pub(crate) chance: String,
    pub(crate) reason: &'static str,
}

/// A price with the number that it is compared by.
pub(crate) struct Price {
    pub(crate) shown: Shown,
    pub(crate) nanos: Option<i64>,
    pub(crate) is_disputed: bool,
}

/// A count with the number that it is compared by.
pub(crate) struct Number {
    pub(crate) shown: Shown,
    pub(crate) value: Option<u64>,
}

/// What this node's traffic says.
pub(crate) struct Measured {
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) ttft_p50: Shown,
    pub(crate) ttft_p95: Shown,
    pub(crate) tokens_per_s: Option<f64>,
    pub(crate) speed_p50: Shown,
    pub(crate) speed_p95: Shown,
    pub(crate) samples: String,
    pub(crate) uptime: Shown,
    /// The share that it is compared by.
    pub(crate) up_share: Option<f64>,
    pub(crate) asked: String,
    /// The day by the hour.
    pub(crate) strip: Svg,
}

/// Which columns have something to say.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) cache_read: bool,
    pub(crate) cache_write: bool,
    pub(crate) measured: bool,
    pub(crate) place: bool,
    pub(crate) policy: bool,
}

/// The offers of a model, in the order of calls, those that are never called last.
pub(crate) fn offers(visit: &Visit, model: usize, order: &Order) -> (Vec<Offer>, Columns) {
    let snapshot = visit.snapshot();
    let place = |at: usize| order.placed.iter().position(|placed| placed.endpoint == at);
    let mut at: Vec<usize> = snapshot.endpoints_of(model).iter().map(|at| *at as usize).collect();
    let price =
        |at: usize| snapshot.endpoints.get(at).and_then(catalog::Endpoint::blended).unwrap_or(i128::MAX);
    at.sort_by_key(|at| (place(*at).unwrap_or(usize::MAX), price(*at)));
    let rows: Vec<Offer> = at.into_iter().filter_map(|at| offer(visit, at, order)).collect();
    let columns = Columns {
        cache_read: rows.iter().any(|row| row.cache_read.nanos.is_some()),
        cache_write: rows.iter().any(|row| row.cache_write.nanos.is_some()),
        measured: rows.iter().any(|row| row.live.is_some()),
        place: rows.iter().any(|row| row.region.is_some() || row.quantization.is_some()),
        policy: rows.iter().any(|row| row.retention.is_some() || row.training.is_some()),
    };
    (rows, columns)
}

/// One offer; `order` is that of its model's offers.
pub(crate) fn offer(visit: &Visit, at: usize, order: &Order) -> Option<Offer> {
    let snapshot = visit.snapshot();
    let endpoint = snapshot.endpoints.get(at)?;
    let (provider, model) = (endpoint.provider_in(snapshot)?, endpoint.model_in(snapshot)?);
    let placed = order.placed.iter().position(|placed| placed.endpoint == at);
    let placed = placed.and_then(|place| Some((place, order.placed.get(place)?)));
    let routed = placed.map(|(place, placed)| Routed {
        is_first: place == 0,
        chance: share(placed.chance),
        reason: placed.reason,
    });
    Some(Offer {
        endpoint: endpoint.id.to_string(),
        provider_name: provider.name.to_string(),
        path: format!("/{}/{}", model.id, provider.id),
        variant: endpoint.variant.as_deref().map(str::to_owned),
        provider_model_id: endpoint.provider_model_id.to_string(),
        status: match endpoint.status {
            Status::Live => None,
            Status::Alpha => Some("Alpha"),
            Status::Beta => Some("Beta"),
            Status::Deprecated => Some("Deprecated"),
        },
        off: visit.world.provider_off(endpoint.provider),
        routed,
        input: price(endpoint, PriceKind::Input),
        output: price(endpoint, PriceKind::Output),
        cache_read: price(endpoint, PriceKind::CacheRead),
        cache_write: price(endpoint, PriceKind::CacheWrite),
        tiers: endpoint.price.overrides.len(),
        context: number(endpoint.context_tokens(snapshot)),
        max_output: number(endpoint.max_output_tokens(snapshot)),
        live: visit.board.live(at).map(measured),
        quantization: endpoint.facts.quantization.as_ref().map(|claim| claim.value.clone()),
        region: region(snapshot, endpoint).map(|region| region.to_uppercase()),
        retention: provider.facts.retention_days.as_ref().map(|claim| match claim.value {
            0 => String::from("keeps nothing"),
            days => format!("keeps prompts {}", format::count_of(days, "day")),
        }),
        training: provider.facts.trains_on_data.as_ref().map(|claim| match claim.value {
            true => "trains on them",
            false => "no training",
        }),
        parameters: endpoint.supported_parameters(snapshot).into_iter().map(str::to_owned).collect(),
        facts: facts(snapshot, endpoint),
    })
}

impl Offer {
    /// Where on its page a fact of it stands.
    pub(crate) fn anchor(&self, name: &str) -> String {
        crate::fact::anchor_in(&self.endpoint, name)
    }
}

/// In whole percent; what is little is not nothing.
fn share(chance: f64) -> String {
    match chance * 100.0 {
        percent if percent > 0.0 && percent < 1.0 => String::from("under 1%"),
        percent => format!("{percent:.0}%"),
    }
}

fn number(value: Option<u64>) -> Number {
    Number { shown: format::tokens(value), value }
}

/// The base price of a kind.
pub(crate) fn price(endpoint: &Endpoint, kind: PriceKind) -> Price {
    let quote = endpoint.price.quote(kind);
    let claims = endpoint.price_claims.iter();
    let own = claims.filter(|claim| claim.kind == kind && claim.override_index.is_none());
    let mut others =
        own.flat_map(|claim| claim.claim.dissent.iter().map(move |d| d.value != claim.claim.value));
    Price {
        shown: format::quote(kind, quote),
        nanos: quote.and_then(Quote::rate).map(Rate::nanos_per_million),
        is_disputed: others.any(|differs| differs),
    }
}

fn measured(live: &Live) -> Measured {
    let day = live.day();
    let ttft = |pick: fn(&routing::health::Quantiles) -> f64| {
        live.ttft_ms.as_ref().map_or_else(Shown::unknown, |known| format::milliseconds(pick(known)))
    };
    let speed = |pick: fn(&routing::health::Quantiles) -> f64| {
        live.tokens_per_s.as_ref().map_or_else(Shown::unknown, |known| format::speed(pick(known)))
    };
    Measured {
        ttft_ms: live.ttft_ms.map(|known| known.p50),
        ttft_p50: ttft(|known| known.p50),
        ttft_p95: ttft(|known| known.p95),
        tokens_per_s: live.tokens_per_s.map(|known| known.p50),
        speed_p50: speed(|known| known.p50),
        speed_p95: speed(|known| known.p95),
        samples: format::count(live.samples),
        uptime: day
            .share()
            .map_or_else(Shown::unknown, |_| format::percent(day.answered, day.answered + day.failed)),
        up_share: day.share(),
        asked: format::count_of(day.answered + day.failed, "call"),
        strip: strip(live),
    }
}

/// Each hour of the day: all answers, some failures, mostly failures, no calls.
fn strip(live: &Live) -> Svg {
    let cell = |hour: &Uptime| match (hour.answered, hour.failed) {
        (0, 0) => Cell::None,
        (_, 0) => Cell::Good,
        (answered, failed) if answered > failed => Cell::Some,
        _ => Cell::Bad,
    };
    let cells: Vec<Cell> = live.hours.iter().map(cell).collect();
    let bad = cells.iter().filter(|cell| matches!(cell, Cell::Some | Cell::Bad)).count();
    let label = match bad {
        0 => String::from("no failure in any hour"),
        bad => format!("failures in {}", format::count_of(bad as u64, "hour")),
    };
    chart::strip(&label, &cells)
}

/// Everything that is said of an offer itself and of its provider's policy, with its source.
fn facts(snapshot: &Snapshot, endpoint: &Endpoint) -> Vec<(&'static str, Fact)> {
    let mut facts: Vec<(&'static str, Fact)> = Vec::new();
    for price in endpoint.price_claims.iter().filter(|price| price.override_index.is_none()) {
        let kind = price.kind;
        let show = |quote: &Quote| format::quote(kind, Some(*quote));
        facts.push((format::price_name(kind), Fact::of(snapshot, &price.claim, show)));
    }
    let own = &endpoint.facts;
    let counts = [("Context", &own.context_tokens), ("Max output", &own.max_output_tokens)];
    for (name, claim) in counts {
        facts.extend(claim.as_ref().map(|c| (name, Fact::of(snapshot, c, |n| format::tokens(*n)))));
    }
    let texts = [
        ("Quantization", &own.quantization),
        ("Region", &own.region),
        ("Stated speed, tokens per second", &own.throughput_tokens_per_s),
        ("Stated time to first token, ms", &own.ttft_ms),
    ];
    for (name, claim) in texts {
        facts.extend(claim.as_ref().map(|c| (name, Fact::of(snapshot, c, |t| Shown::same(t.as_str())))));
    }
    let flags = [("Tool calling", &own.tool_call), ("JSON schema", &own.structured_output)];
    for (name, claim) in flags {
        facts.extend(claim.as_ref().map(|c| (name, Fact::of(snapshot, c, |b| format::yes_no(Some(*b))))));
    }
    if let Some(provider) = endpoint.provider_in(snapshot) {
        let days = provider.facts.retention_days.as_ref();
        let show = |days: &u64| Shown::same(format::count_of(*days, "day"));
        facts.extend(days.map(|claim| ("Keeps prompts", Fact::of(snapshot, claim, show))));
        let trains = provider.facts.trains_on_data.as_ref();
        facts.extend(
            trains.map(|c| ("Trains on prompts", Fact::of(snapshot, c, |b| format::yes_no(Some(*b))))),
        );
    }
    facts
}
