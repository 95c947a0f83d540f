//! What a model is good for, as far as its facts say. No opinion and no score of ours: each task has a condition on facts,
//! and the reason is told with the fact.

use catalog::{Modality, Model, Snapshot};
use types::PriceKind;

use super::price::{cheapest, headline};
use crate::format;
use crate::index::Switches;
use crate::snippets::Kind;

/// From this context on, whole books fit.
const LONG_CONTEXT_TOKENS: u64 = 200_000;
/// The share of cheapest conversation models that count as cheap: a quarter.
const CHEAP_SHARE: usize = 4;

/// Something to use a model for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The name in data.
    pub(crate) slug: &'static str,
    /// For people.
    pub(crate) name: &'static str,
    /// Which fact says so.
    pub(crate) because: String,
}

fn task(slug: &'static str, name: &'static str, because: impl Into<String>) -> Option<Task> {
    Some(Task { slug, name, because: because.into() })
}

/// The tasks whose condition holds, in a fixed order.
pub(crate) fn best_for(snapshot: &Snapshot, model: usize, on: &Switches) -> Vec<Task> {
    let Some(this) = snapshot.models.get(model) else {
        return Vec::new();
    };
    let all = match Kind::of(this) {
        Some(Kind::Chat) => return conversations(snapshot, model, this, on),
        Some(Kind::Embeddings) => [task("search", "search and retrieval", "it gives embeddings"), None],
        Some(Kind::Rerank) => {
            [task("ranking", "ranking of search results", "it orders documents by relevance"), None]
        }
        Some(Kind::Images) => [
            task("images", "making images", "it gives images"),
            takes(this, Modality::Image).then(|| Task {
                slug: "editing",
                name: "editing images",
                because: "it takes images too".into(),
            }),
        ],
        Some(Kind::Speech) => [task("speech", "reading aloud", "it gives audio"), None],
        Some(Kind::Transcription) => {
            [task("transcription", "writing down speech", "it takes audio and gives text"), None]
        }
        None => [None, None],
    };
    all.into_iter().flatten().collect()
}

fn takes(model: &Model, modality: Modality) -> bool {
    model.input_modalities().contains(&modality)
}

fn conversations(snapshot: &Snapshot, model: usize, this: &Model, on: &Switches) -> Vec<Task> {
    let context = this.context_tokens().filter(|tokens| *tokens >= LONG_CONTEXT_TOKENS);
    let is_open = this.facts.open_weights.as_ref().is_some_and(|claim| claim.value);
    let rules = [
        (this.reasoning() == Some(true))
            .then(|| task("reasoning", "hard problems", "it can reason before it answers")),
        (this.tool_call() == Some(true)).then(|| task("agents", "agents and tools", "it calls tools")),
        (this.structured_output() == Some(true))
            .then(|| task("extraction", "extraction into JSON", "its answers can be held to a schema")),
        context.map(|tokens| {
            task(
                "long-documents",
                "long documents",
                format!("its context is {} tokens", format::tokens(tokens).text()),
            )
        }),
        takes(this, Modality::Image).then(|| task("vision", "reading images", "it takes images")),
        takes(this, Modality::Audio).then(|| task("listening", "listening", "it takes audio")),
        cheap(snapshot, model, on).map(|because| task("volume", "large volumes", because)),
        is_open.then(|| task("self-hosting", "running it yourself", "its weights are open")),
    ];
    rules.into_iter().flatten().flatten().collect()
}

/// Whether it is among the cheapest quarter of the conversation models that cost something, and at which price.
fn cheap(snapshot: &Snapshot, model: usize, on: &Switches) -> Option<String> {
    let sum = |at: usize| {
        let prices = headline(cheapest(snapshot, at, on)?);
        let is_by_token = prices.iter().all(|(kind, _)| matches!(kind, PriceKind::Input | PriceKind::Output));
        let sum: i128 = prices.iter().map(|(_, rate)| i128::from(rate.nanos_per_million())).sum();
        (is_by_token && sum > 0).then_some(sum)
    };
    let own = sum(model)?;
    let chats = snapshot.models.iter().enumerate().filter(|(_, other)| Kind::of(other) == Some(Kind::Chat));
    let mut all: Vec<i128> = chats.filter_map(|(at, _)| sum(at)).collect();
    all.sort_unstable();
    let most = all.get(all.len() / CHEAP_SHARE).copied()?;
    (own < most).then(|| "it is among the cheapest quarter of conversation models here".to_owned())
}
