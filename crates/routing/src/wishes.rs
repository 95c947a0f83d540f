//! What a caller wishes of providers: OpenRouter's `provider` object, understood.

use std::borrow::Cow;

use types::Rate;

use crate::access::Access;

/// What endpoints are put in order by, when the caller says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The cheapest for this request first.
    Price,
    /// The fastest writer first.
    Throughput,
    /// The one that begins soonest first.
    Latency,
    /// The one that calls tools best first.
    Exacto,
    /// The longest context first.
    Context,
    /// The one that likely answers soonest first, drawn: a policy's `latency`.
    Soonest,
}

impl Sort {
    /// By the name that callers write.
    pub fn from_name(name: &str) -> Option<Sort> {
        Some(match name {
            "price" => Sort::Price,
            "throughput" => Sort::Throughput,
            "latency" => Sort::Latency,
            "exacto" => Sort::Exacto,
            _ => return None,
        })
    }
}

/// Bounds on quantiles; all that are given must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cutoffs {
    /// On the median.
    pub p50: Option<f64>,
    /// On three quarters.
    pub p75: Option<f64>,
    /// On nine tenths.
    pub p90: Option<f64>,
    /// On ninety-nine of a hundred.
    pub p99: Option<f64>,
}

impl Cutoffs {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Cutoffs::default()
    }
}

/// The most that an endpoint may charge. Tokens per million, the rest per piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPrice {
    /// Input tokens.
    pub prompt: Option<Rate>,
    /// Output tokens.
    pub completion: Option<Rate>,
    /// A request.
    pub request: Option<Rate>,
    /// An image.
    pub image: Option<Rate>,
    /// Audio tokens.
    pub audio: Option<Rate>,
}

/// The caller's wishes about providers.
#[derive(Clone, Debug, Default)]
pub struct Wishes<'a> {
    /// Provider slugs to try first.
    pub order: Cow<'a, [String]>,
    /// Only these.
    pub only: Option<Cow<'a, [String]>>,
    /// Named or chosen: only models of these ids, in which `*` stands for anything; what the key may call. Empty: any.
    pub models_bound: Cow<'a, [String]>,
    /// What the organization and its access lists let the key call.
    pub access: Access,
    /// Of a virtual model: only models of these ids, in which `*` stands for anything. Empty: any.
    pub models_allowed: Cow<'a, [String]>,
    /// Of a virtual model: never these.
    pub models_excluded: Cow<'a, [String]>,
    /// Never these.
    pub ignore: Cow<'a, [String]>,
    /// False: only the first choice.
    pub allow_fallbacks: bool,
    /// Only weights stored like this: `fp8`; `unknown` where nobody says.
    pub quantizations: Cow<'a, [String]>,
    /// Only where it is computed there: `eu`, or a country.
    pub regions: Cow<'a, [String]>,
    /// Only providers that are known not to train on prompts.
    pub no_training: bool,
    /// Only providers that are known to keep prompts no longer, days.
    pub retention_days_max: Option<u64>,
    /// Only models whose license lets others be trained on what they write.
    pub distillable: bool,
    /// The caller's own order.
    pub sort: Option<Sort>,
    /// Put the endpoints of all models into one order, instead of one model after another.
    pub across_models: bool,
    /// Tokens per second; those that miss it go to the end.
    pub throughput_min: Cutoffs,
    /// Seconds to the first token; those that miss it go to the end.
    pub latency_max: Cutoffs,
    /// The most that an endpoint may charge.
    pub max_price: MaxPrice,
    /// `service_tier`: offers of a tier are for those who ask for it.
    pub service_tier: Option<Cow<'a, str>>,
}
