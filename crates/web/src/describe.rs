//! Sentences about models, made from the catalog and from nothing else.
//!
//! Every number goes through [`crate::format`], as in the tables beside the prose, so that both say the same. What nobody
//! says is left out or called unknown, never guessed; a question that the data doesn't answer is not asked.

mod faq;
mod price;
mod related;
mod tasks;

use catalog::{Endpoint, Modality, Model, Snapshot};

use crate::format;
use crate::index::Switches;

pub(crate) use faq::{Faq, faq};
pub(crate) use price::{
    BreakEven, HOURS_PER_MONTH, break_even, cheapest, effective, headline, per_million_of, price_phrase,
};
pub(crate) use related::related;
pub(crate) use tasks::{Task, best_for};

/// A model, and what is known about it here.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The catalog.
    pub(crate) snapshot: &'a Snapshot,
    /// Which providers are switched on.
    pub(crate) on: &'a Switches,
    /// Position of the model in it.
    pub(crate) model: usize,
    /// Its offers, in the order of the page.
    pub(crate) offers: &'a [&'a Endpoint],
    /// When the router picks it, in a sentence that the routing function made.
    pub(crate) routed: Option<&'a str>,
    /// What is to be known of fees, in sentences made from the configuration.
    pub(crate) fees: &'a [String],
}

impl<'a> Subject<'a> {
    fn of(&self) -> Option<&'a Model> {
        self.snapshot.models.get(self.model)
    }

    /// The name of an offer's provider.
    fn provider(&self, endpoint: &'a Endpoint) -> &'a str {
        endpoint.provider_in(self.snapshot).map_or("its provider", |provider| &provider.name)
    }

    /// The names of all providers, each once, in the order of the offers.
    fn providers(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for endpoint in self.offers {
            let name = self.provider(endpoint);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// As many of its offers can be called now.
    fn offers_on(&self) -> u64 {
        self.offers.iter().filter(|endpoint| self.on.has(endpoint)).count() as u64
    }
}

/// A modality for people.
pub(crate) const fn modality(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "text",
        Modality::Image => "images",
        Modality::File => "documents",
        Modality::Audio => "audio",
        Modality::Video => "video",
        Modality::Embeddings => "embeddings",
        Modality::Rerank => "an order of documents",
        Modality::Transcription => "transcripts",
    }
}

fn modalities(all: &[Modality]) -> String {
    let names: Vec<&str> = all.iter().map(|one| modality(*one)).collect();
    format::list(&names)
}

/// One sentence: what it is, by whom, what goes in and out, its context, its lowest price.
pub(crate) fn summary(subject: &Subject<'_>) -> String {
    let Some(model) = subject.of() else {
        return String::new();
    };
    let author = subject.snapshot.author(&model.author).map_or(&*model.author, |author| &author.name);
    let mut parts = vec![format!(
        "{} by {author}: {} in, {} out",
        model.name,
        modalities(model.input_modalities()),
        modalities(model.output_modalities())
    )];
    if let Some(context) = model.context_tokens() {
        parts.push(format!("a context of {} tokens", format::tokens(context).text()));
    }
    if let Some(endpoint) = cheapest(subject.snapshot, subject.model, subject.on)
        && let Some(phrase) = price_phrase(endpoint)
    {
        parts.push(format!("from {phrase} at {}", subject.provider(endpoint)));
    }
    if model.facts.open_weights.as_ref().is_some_and(|claim| claim.value) {
        parts.push("open weights".to_owned());
    }
    format!("{}.", parts.join("; "))
}

#[cfg(test)]
mod tests;
