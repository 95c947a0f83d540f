//! What every feed is turned into before it meets a catalog.

use std::sync::Arc;

use types::{PriceKind, Quote, UtcMinute};

use crate::claim::Claim;
use crate::endpoint::{EndpointFacts, Status};
use crate::model::{Modality, ModelFacts, Source};
use crate::provider::Provider;

/// A feed, read.
pub(crate) struct Feed {
    pub(crate) source: Source,
    /// Providers that it describes.
    pub(crate) providers: Vec<Provider>,
    pub(crate) entries: Vec<Entry>,
    /// What its format has words for: conditions and kinds.
    pub(crate) carries: fn(&Line) -> bool,
    /// It is the word of the provider itself.
    pub(crate) is_own_word: bool,
}

/// One model, or one offer of a model.
#[derive(Default)]
pub(crate) struct Entry {
    /// Its name in messages.
    pub(crate) at: String,
    /// Names under which a catalog may know the model, the surest first.
    pub(crate) names: Vec<String>,
    /// Its name for people.
    pub(crate) title: Option<String>,
    pub(crate) family: Option<String>,
    /// Id and name of its maker, where the feed says who that is.
    pub(crate) author: Option<(String, String)>,
    pub(crate) facts: ModelFacts,
    pub(crate) offer: Option<Offer>,
    /// True for a feed that knows enough of a model to begin one with.
    pub(crate) makes_model: bool,
}

/// An offer of a provider.
pub(crate) struct Offer {
    pub(crate) provider: String,
    pub(crate) key: Key,
    pub(crate) facts: EndpointFacts,
    pub(crate) status: Option<Status>,
    pub(crate) lines: Vec<Line>,
    /// The feed says that there is a price and not which.
    pub(crate) says_free: bool,
}

/// How a feed names an offer.
pub(crate) enum Key {
    /// By the provider's own id.
    Id(String),
    /// By our endpoint's name.
    Name(String),
    /// By a rule over the provider's own ids.
    Rule(super::genai::Clause),
    /// By its model, and a variant.
    Variant(Option<String>),
}

/// One price with what it holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) above: Option<u64>,
    pub(crate) window: Option<(UtcMinute, UtcMinute)>,
    pub(crate) kind: PriceKind,
    pub(crate) quote: Quote,
}

impl Line {
    pub(crate) const fn base(kind: PriceKind, quote: Quote) -> Line {
        Line { above: None, window: None, kind, quote }
    }

    /// Same kind under the same condition.
    pub(crate) fn is_same_as(&self, other: &Line) -> bool {
        (self.above, self.window, self.kind) == (other.above, other.window, other.kind)
    }
}

/// Makes claims of one source and day.
#[derive(Clone)]
pub(crate) struct Says {
    source: Arc<str>,
    as_of: Arc<str>,
}

impl Says {
    pub(crate) fn new(source: &str, as_of: &str) -> Says {
        Says { source: source.into(), as_of: as_of.into() }
    }

    /// True when a claim of that date is newer.
    pub(crate) fn is_older_than(&self, as_of: &str) -> bool {
        crate::kind::day(&self.as_of) < crate::kind::day(as_of)
    }

    pub(crate) fn claim<T>(&self, value: T) -> Claim<T> {
        Claim {
            value,
            source: Arc::clone(&self.source),
            as_of: Arc::clone(&self.as_of),
            rule: None,
            dissent: Vec::new(),
        }
    }
}

/// A source as feeds are attributed to.
pub(crate) fn source(id: &str, name: &str, url: &str) -> Source {
    Source { id: id.into(), name: name.to_owned(), url: url.to_owned(), note: None }
}

/// Modalities in the words of feeds; those that are not ours are left out.
pub(crate) fn modalities(names: &[String], allowed: &[Modality]) -> Option<Vec<Modality>> {
    let known = names.iter().filter_map(|name| {
        let name = match name.as_str() {
            "pdf" => "file",
            "embedding" => "embeddings",
            "speech" => "audio",
            other => other,
        };
        allowed.iter().copied().find(|modality| modality.name() == name)
    });
    let mut list: Vec<Modality> = known.collect();
    list.sort_unstable();
    list.dedup();
    (!list.is_empty()).then_some(list)
}

/// A feed's count where 0 means that nobody knows.
pub(crate) fn known(count: Option<u64>) -> Option<u64> {
    count.filter(|n| *n > 0)
}
