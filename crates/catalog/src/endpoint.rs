//! Endpoints: one model at one provider, with its prices and limits. What it does not state is what its model states.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::{PriceKind, PriceSheet, Quote, Rate, Task};

use crate::claim::Claim;
use crate::facts::facts;
use crate::model::{Modality, Model};
use crate::named::named;
use crate::provider::Provider;
use crate::snapshot::Snapshot;

named! {
    /// How mature an offer is.
    #[derive(Default)]
    Status {
        /// In ordinary use.
        #[default]
        Live = "live",
        /// Early.
        Alpha = "alpha",
        /// Nearly ready.
        Beta = "beta",
        /// About to be withdrawn.
        Deprecated = "deprecated",
    }
}

facts! {
    /// What is known of an endpoint itself. Absent: as its model.
    EndpointFacts {
        /// Input and output tokens together.
        context_tokens: u64 = COUNT,
        /// The most output tokens of one answer.
        max_output_tokens: u64 = COUNT,
        /// What it takes, where that is less than the model does.
        input_modalities: Vec<Modality> = INPUTS,
        /// What it gives, where that is less than the model does.
        output_modalities: Vec<Modality> = OUTPUTS,
        /// How its weights are stored: `fp8`.
        quantization: String = QUANTIZATION,
        /// Where it computes: `eu`.
        region: String = TEXT,
        /// Whether it can be held to a JSON schema.
        structured_output: bool = BOOL,
        /// Whether it can call tools.
        tool_call: bool = BOOL,
        /// The efforts that it takes, least first.
        reasoning_efforts: Vec<String> = TEXTS,
        /// The parameters that it takes.
        supported_parameters: Vec<String> = TEXTS,
        /// Output speed, decimal text.
        throughput_tokens_per_s: String = DECIMAL,
        /// Time to the first token, decimal text.
        ttft_ms: String = DECIMAL,
    }
}

/// The claim behind one quote of a sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceClaim {
    /// What the price is for.
    pub kind: PriceKind,
    /// Position in the sheet's overrides; `None`: a base price.
    pub override_index: Option<u32>,
    /// The price with its provenance.
    pub claim: Claim<Quote>,
}

/// One offer: model x provider (x variant).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `<provider>/<name>`.
    pub id: Arc<str>,
    /// Position in the snapshot's models.
    pub model: usize,
    /// Position in the snapshot's providers.
    pub provider: usize,
    /// The file's name: the model's slug, with `@<variant>` where there is one.
    pub name: Arc<str>,
    /// What sets it apart from the provider's other offers of the model.
    pub variant: Option<Arc<str>>,
    /// What the provider calls the model.
    pub provider_model_id: Arc<str>,
    /// How mature the offer is.
    pub status: Status,
    /// What is known of it.
    pub facts: EndpointFacts,
    /// Its prices.
    #[serde(with = "crate::codec::sheet")]
    pub price: Arc<PriceSheet>,
    /// The claims behind its prices, in the order of the sheet.
    pub price_claims: Vec<PriceClaim>,
    /// Names this price sheet forever: `pv-` and 16 hex digits of a hash of the id and the sheet.
    pub price_version: Arc<str>,
    /// Source of what carries none of its own.
    #[serde(with = "crate::codec::shared")]
    pub source: Arc<str>,
    /// Date of what carries none of its own.
    #[serde(with = "crate::codec::shared")]
    pub as_of: Arc<str>,
    /// True for an offer that only the configuration knows.
    pub from_config: bool,
}

/// What three million tokens of input and one of output cost, nano-dollars: the mixture by which prices are compared.
pub fn blended(input: Rate, output: Rate) -> i128 {
    3 * i128::from(input.nanos_per_million()) + i128::from(output.nanos_per_million())
}

impl Endpoint {
    /// True when calls can be billed, of whatever task: see [`PriceSheet::bills`].
    pub fn is_priced(&self) -> bool {
        Task::ALL.into_iter().any(|task| self.price.bills(task))
    }

    /// Its price of [`blended`] tokens, by which offers are the cheapest or the dearest. `None`: not both prices are known.
    pub fn blended(&self) -> Option<i128> {
        let rate = |kind| self.price.quote(kind).and_then(Quote::rate);
        Some(blended(rate(PriceKind::Input)?, rate(PriceKind::Output)?))
    }

    /// Its model. `None` only when `snapshot` is not the one it came from.
    pub fn model_in<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Model> {
        snapshot.models.get(self.model)
    }

    /// Its provider. `None` only when `snapshot` is not the one it came from.
    pub fn provider_in<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Provider> {
        snapshot.providers.get(self.provider)
    }

    /// Input and output tokens together.
    pub fn context_tokens(&self, snapshot: &Snapshot) -> Option<u64> {
        let own = self.facts.context_tokens.as_ref().map(|claim| claim.value);
        own.or_else(|| self.model_in(snapshot)?.context_tokens())
    }

    /// The most output tokens of one answer.
    pub fn max_output_tokens(&self, snapshot: &Snapshot) -> Option<u64> {
        let own = self.facts.max_output_tokens.as_ref().map(|claim| claim.value);
        own.or_else(|| self.model_in(snapshot)?.max_output_tokens())
    }

    /// Whether it can call tools; `None` where nobody says.
    pub fn tool_call(&self, snapshot: &Snapshot) -> Option<bool> {
        let own = self.facts.tool_call.as_ref().map(|claim| claim.value);
        own.or_else(|| self.model_in(snapshot)?.tool_call())
    }

    /// Whether it can be held to a JSON schema; `None` where nobody says.
    pub fn structured_output(&self, snapshot: &Snapshot) -> Option<bool> {
        let own = self.facts.structured_output.as_ref().map(|claim| claim.value);
        own.or_else(|| self.model_in(snapshot)?.structured_output())
    }

    /// What it takes; text where nobody says.
    pub fn input_modalities<'s>(&'s self, snapshot: &'s Snapshot) -> &'s [Modality] {
        match (&self.facts.input_modalities, self.model_in(snapshot)) {
            (Some(claim), _) => &claim.value,
            (None, Some(model)) => model.input_modalities(),
            (None, None) => &[],
        }
    }

    /// What it gives; text where nobody says.
    pub fn output_modalities<'s>(&'s self, snapshot: &'s Snapshot) -> &'s [Modality] {
        match (&self.facts.output_modalities, self.model_in(snapshot)) {
            (Some(claim), _) => &claim.value,
            (None, Some(model)) => model.output_modalities(),
            (None, None) => &[],
        }
    }
}
