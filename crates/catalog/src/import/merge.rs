//! Puts a feed into a catalog, by the rules of [`super`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use types::PriceSheet;

use super::feed::{Entry, Feed, Key, Offer, Says};
use super::sheet::{self, Manner};
use super::{Counts, FeedError, Imported, Report, Tally};
use crate::claim::{Claim, Dissent, Rule};
use crate::endpoint::{Endpoint, EndpointFacts, Status};
use crate::facts::FactSet;
use crate::kind;
use crate::model::{Author, Model, ModelFacts};
use crate::price;
use crate::provider::Provider;
use crate::snapshot::{Parts, Snapshot};

/// The value that most claims hold; none where the first two are equally many.
pub(crate) fn majority<'c, T: PartialEq + Clone + 'c>(
    claims: impl Iterator<Item = &'c Claim<T>>,
) -> Option<Claim<T>> {
    let mut found: Vec<(usize, &Claim<T>)> = Vec::new();
    for claim in claims {
        match found.iter_mut().find(|(_, known)| known.value == claim.value) {
            Some((count, _)) => *count += 1,
            None => found.push((1, claim)),
        }
    }
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    match found.as_slice() {
        [] => None,
        [(first, _), (second, _), ..] if first == second => None,
        [(_, claim), ..] => Some((*claim).clone()),
    }
}

fn not_older(new: &str, old: &str) -> bool {
    kind::day(new) >= kind::day(old)
}

/// Lets a claim of a feed meet the one that stands.
pub(crate) fn take_claim<T: PartialEq + Clone>(
    ours: &mut Option<Claim<T>>,
    theirs: Option<Claim<T>>,
    counts: &mut Counts,
) {
    let Some(theirs) = theirs else { return };
    let Some(own) = ours else {
        counts.taken += 1;
        *ours = Some(theirs);
        return;
    };
    if own.source == theirs.source {
        if own.value == theirs.value {
            counts.agreed += 1;
        } else if not_older(&theirs.as_of, &own.as_of) {
            counts.refreshed += 1;
            own.value = theirs.value;
            own.as_of = theirs.as_of;
        } else {
            counts.older += 1;
        }
        return;
    }
    let earlier = own.dissent.iter().position(|other| other.source == theirs.source);
    let stated = earlier.and_then(|at| own.dissent.get_mut(at));
    if stated.as_ref().is_some_and(|other| !not_older(&theirs.as_of, &other.as_of)) {
        counts.older += 1;
        return;
    }
    if own.value == theirs.value {
        counts.agreed += 1;
        // It has come round: what it said before is no dissent any more.
        own.dissent.retain(|other| other.source != theirs.source);
        if own.dissent.is_empty() {
            own.rule = None;
        }
        return;
    }
    match stated {
        Some(other) if other.value == theirs.value => counts.agreed += 1,
        Some(other) => {
            counts.dissent += 1;
            (other.value, other.as_of) = (theirs.value, theirs.as_of);
        }
        None => {
            counts.dissent += 1;
            own.dissent.push(Dissent { value: theirs.value, source: theirs.source, as_of: theirs.as_of });
            own.rule = own.rule.or(Some(Rule::Kept));
        }
    }
}

/// A catalog under change.
struct Desk<'a> {
    base: &'a Snapshot,
    parts: Parts,
    endpoint_at: BTreeMap<Arc<str>, usize>,
    model_at: BTreeMap<Arc<str>, usize>,
    /// Names that this feed has given to new models.
    named: HashMap<String, Arc<str>>,
    says: Says,
    source: Arc<str>,
    as_of: Arc<str>,
    counts: Counts,
    tally: Tally,
}

pub(crate) fn merge(base: &Snapshot, feed: Feed, as_of: &str, tally: Tally) -> Result<Imported, FeedError> {
    let parts = base.clone().into_parts();
    let endpoints = parts.endpoints.iter().enumerate().map(|(at, (_, _, e))| (Arc::clone(&e.id), at));
    let models = parts.models.iter().enumerate().map(|(at, model)| (Arc::clone(&model.id), at));
    let mut desk = Desk {
        endpoint_at: endpoints.collect(),
        model_at: models.collect(),
        base,
        parts,
        named: HashMap::new(),
        says: Says::new(&feed.source.id, as_of),
        source: Arc::clone(&feed.source.id),
        as_of: as_of.into(),
        counts: Counts::default(),
        tally,
    };
    for provider in feed.providers {
        if desk.parts.providers.iter().all(|known| known.id != provider.id) {
            desk.parts.providers.push(provider);
        }
    }
    let entries = feed.entries.len();
    let mut facts: BTreeMap<Arc<str>, Vec<ModelFacts>> = BTreeMap::new();
    for mut entry in feed.entries {
        let mut stated = std::mem::take(&mut entry.facts);
        let model = match entry.offer.take().filter(|offer| desk.may_be_offered(offer, &entry.at)) {
            Some(offer) => desk.offer(&entry, offer, &mut stated, feed.carries, feed.is_own_word),
            None => desk.model(&entry, &mut stated),
        };
        if let Some(model) = model {
            facts.entry(model).or_default().push(stated);
        }
    }
    for (id, all) in facts {
        let model = desk.model_at.get(&id).and_then(|at| desk.parts.models.get_mut(*at));
        if let Some(model) = model {
            model.facts.take(ModelFacts::majority(&all), &mut desk.counts);
        }
    }
    if desk.parts.sources.iter().all(|source| source.id != feed.source.id) {
        desk.parts.sources.push(feed.source);
    }
    drop_unused(&mut desk.parts);
    let report = Report {
        source: desk.source.to_string(),
        as_of: as_of.to_owned(),
        entries,
        claims: desk.counts,
        unknown_fields: desk.tally.unknown,
        fields_without_place: desk.tally.no_place,
        skipped: desk.tally.skipped,
        prices_rounded: desk.tally.rounded,
        free_not_believed: desk.tally.free_not_believed,
    };
    let snapshot = Snapshot::assemble(desk.parts).map_err(|message| FeedError::new("the feed", message))?;
    Ok(Imported { snapshot, report })
}

/// New providers of which no offer could be placed are no news.
fn drop_unused(parts: &mut Parts) {
    let used: Vec<Arc<str>> = parts.endpoints.iter().map(|(_, provider, _)| Arc::clone(provider)).collect();
    let known: std::collections::BTreeSet<Arc<str>> = used.into_iter().collect();
    parts.providers.retain(|provider| known.contains(&provider.id) || !provider.from_config);
    for provider in &mut parts.providers {
        provider.from_config = false;
    }
}

impl Desk<'_> {
    /// The model that an entry is about, made where the feed knows enough.
    fn model(&mut self, entry: &Entry, facts: &mut ModelFacts) -> Option<Arc<str>> {
        if let Some(known) = self.known(entry) {
            return Some(known);
        }
        if !entry.makes_model {
            self.tally.skip("no such model here", &entry.at);
            return None;
        }
        self.new_model(entry, facts, None)
    }

    /// What the feed's own source sells is an offer only where it is a provider; what is said of the model counts all the same.
    fn may_be_offered(&mut self, offer: &Offer, at: &str) -> bool {
        let is_known = self.parts.providers.iter().any(|known| *known.id == *offer.provider);
        if !is_known && *self.source == *offer.provider {
            if !offer.lines.is_empty() {
                self.tally.skip("its price only, for who sells at it is no provider here", at);
            }
            return false;
        }
        true
    }

    fn known(&self, entry: &Entry) -> Option<Arc<str>> {
        entry.names.iter().find_map(|name| {
            let at = self.base.resolve(name);
            let model = at.and_then(|at| self.base.models.get(at)).map(|model| Arc::clone(&model.id));
            model.or_else(|| self.named.get(&name.to_ascii_lowercase()).cloned())
        })
    }

    /// Takes an offer; answers its model.
    fn offer(
        &mut self,
        entry: &Entry,
        offer: Offer,
        facts: &mut ModelFacts,
        carries: fn(&super::feed::Line) -> bool,
        is_own_word: bool,
    ) -> Option<Arc<str>> {
        if self.parts.providers.iter().all(|known| *known.id != *offer.provider) {
            self.tally.skip("no such provider here", &entry.at);
            return None;
        }
        let mut places = self.places(&offer, entry);
        if places.is_empty() {
            places.extend(self.new_offer(entry, &offer, facts));
        }
        let mut of_model = None;
        for at in places {
            let Some((model_id, _, endpoint)) = self.parts.endpoints.get_mut(at) else { continue };
            let model = self.model_at.get(model_id).and_then(|at| self.parts.models.get(*at));
            let mut stated = offer.facts.clone();
            if let Some(model) = model {
                inherit(&mut stated, &endpoint.facts, model, &mut self.counts);
            }
            endpoint.facts.take(stated, &mut self.counts);
            if let Some(status) = offer.status.filter(|_| endpoint.source == self.source) {
                endpoint.status = status;
            } else if offer.status == Some(Status::Deprecated) && endpoint.status == Status::Live {
                // A warning costs nobody anything; whoever knows better sets it back.
                endpoint.status = Status::Deprecated;
            }
            let free = ["free"].iter().any(|word| endpoint.provider_model_id.contains(word));
            let manner = Manner {
                says: &self.says,
                source: &self.source,
                carries,
                believes_free: is_own_word || offer.says_free || free,
            };
            sheet::take(endpoint, &offer.lines, &manner, &mut self.counts, &mut self.tally, &entry.at);
            of_model = Some(Arc::clone(model_id));
        }
        of_model
    }

    /// Where the endpoints are that a feed's offer means.
    fn places(&self, offer: &Offer, entry: &Entry) -> Vec<usize> {
        let model = match &offer.key {
            Key::Variant(_) => self.known(entry),
            _ => None,
        };
        let means = |model_id: &Arc<str>, endpoint: &Endpoint| match &offer.key {
            Key::Id(id) => *endpoint.provider_model_id == **id,
            Key::Name(name) => *endpoint.name == **name,
            Key::Rule(rule) => rule.matches(&endpoint.provider_model_id),
            Key::Variant(variant) => {
                Some(model_id) == model.as_ref() && endpoint.variant.as_deref() == variant.as_deref()
            }
        };
        let all = self.parts.endpoints.iter().enumerate();
        let found = all.filter(|(_, (model, provider, endpoint))| {
            **provider == *offer.provider && means(model, endpoint)
        });
        let mut places: Vec<usize> = found.map(|(at, _)| at).collect();
        // Several variants under one id: what has no name of its own is meant.
        if matches!(offer.key, Key::Id(_)) && places.len() > 1 {
            let plain = |at: &usize| {
                self.parts.endpoints.get(*at).is_some_and(|(_, _, endpoint)| endpoint.variant.is_none())
            };
            let first = places.iter().copied().find(plain).or(places.first().copied());
            places = first.into_iter().collect();
        }
        places
    }

    fn new_offer(&mut self, entry: &Entry, offer: &Offer, facts: &mut ModelFacts) -> Option<usize> {
        let Key::Id(own_id) = &offer.key else {
            self.tally.skip("no such offer here, and the feed has no id to call it by", &entry.at);
            return None;
        };
        if !entry.makes_model && self.known(entry).is_none() {
            self.tally.skip("no such model here", &entry.at);
            return None;
        }
        let model_id = match self.known(entry) {
            Some(model) => model,
            None => self.new_model(entry, facts, Some(offer))?,
        };
        let slug = model_id.split_once('/').map(|(_, slug)| slug.to_owned())?;
        let id: Arc<str> = format!("{}/{slug}", offer.provider).into();
        if self.endpoint_at.contains_key(&id) {
            self.tally.skip("the provider offers the model under another id already", &entry.at);
            return None;
        }
        let sheet = PriceSheet::default();
        let endpoint = Endpoint {
            price_version: price::version(&id, &sheet),
            id: Arc::clone(&id),
            model: 0,
            provider: 0,
            name: slug.into(),
            variant: None,
            provider_model_id: own_id.as_str().into(),
            status: offer.status.unwrap_or_default(),
            facts: EndpointFacts::default(),
            price: Arc::new(sheet),
            price_claims: Vec::new(),
            source: Arc::clone(&self.source),
            as_of: Arc::clone(&self.as_of),
            from_config: false,
        };
        let at = self.parts.endpoints.len();
        self.endpoint_at.insert(id, at);
        self.parts.endpoints.push((model_id, offer.provider.as_str().into(), endpoint));
        Some(at)
    }

    /// Begins a model. What its first offer says of it is its own.
    fn new_model(
        &mut self,
        entry: &Entry,
        facts: &mut ModelFacts,
        offer: Option<&Offer>,
    ) -> Option<Arc<str>> {
        let name = entry.names.first()?.to_ascii_lowercase();
        let slug = name.rsplit_once('/').map_or(name.as_str(), |(_, slug)| slug).to_owned();
        let Some(author) = self.author(entry, &name, offer) else {
            self.tally.skip("nobody says who made the model", &entry.at);
            return None;
        };
        if !kind::is_id(&slug) || !kind::is_id(&author.0) {
            self.tally.skip("its name makes no id", &entry.at);
            return None;
        }
        if self.parts.authors.iter().all(|known| *known.id != *author.0) {
            self.parts.authors.push(Author {
                id: author.0.as_str().into(),
                name: author.1.clone(),
                url: None,
                country: None,
            });
        }
        let id: Arc<str> = format!("{}/{slug}", author.0).into();
        if self.model_at.contains_key(&id) {
            return Some(id);
        }
        let mut model = Model {
            id: Arc::clone(&id),
            author: author.0.as_str().into(),
            slug: slug.as_str().into(),
            name: entry.title.clone().unwrap_or_else(|| slug.clone()),
            description: None,
            family: entry.family.clone(),
            aliases: Vec::new(),
            facts: std::mem::take(facts),
            benchmarks: Vec::new(),
            source: Arc::clone(&self.source),
            as_of: Arc::clone(&self.as_of),
            from_config: false,
        };
        if let Some(offer) = offer {
            begin(&mut model.facts, &offer.facts);
        }
        for name in &entry.names {
            self.named.insert(name.to_ascii_lowercase(), Arc::clone(&id));
        }
        self.model_at.insert(Arc::clone(&id), self.parts.models.len());
        self.parts.models.push(model);
        Some(id)
    }

    /// Who made a model: whom the feed names; else the author in its id, or the only one of its family, or of its provider.
    fn author(&self, entry: &Entry, name: &str, offer: Option<&Offer>) -> Option<(String, String)> {
        if entry.author.is_some() {
            return entry.author.clone();
        }
        let known = |id: &str| {
            self.parts
                .authors
                .iter()
                .find(|author| *author.id == *id)
                .map(|author| (id.to_owned(), author.name.clone()))
        };
        let stated = name.split_once('/').and_then(|(author, _)| known(author));
        stated
            .or_else(|| {
                let family = entry.family.as_deref()?;
                let of_family =
                    self.base.models.iter().filter(|model| model.family.as_deref() == Some(family));
                known(only(of_family.map(|model| &*model.author))?)
            })
            .or_else(|| {
                let (at, _) = self.base.provider(&offer?.provider)?;
                let offers = self.base.endpoints_of_provider(at).iter();
                let models =
                    offers.filter_map(|at| self.base.endpoints.get(*at as usize)?.model_in(self.base));
                known(only(models.map(|model| &*model.author))?)
            })
    }
}

/// The one value of all; none where there are two.
fn only<'s>(mut all: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

macro_rules! shared_facts {
    ($run:ident) => {
        $run!(context_tokens);
        $run!(max_output_tokens);
        $run!(input_modalities);
        $run!(output_modalities);
        $run!(structured_output);
        $run!(tool_call);
    };
}

/// What the offer has from its model is not said once more.
fn inherit(stated: &mut EndpointFacts, own: &EndpointFacts, model: &Model, counts: &mut Counts) {
    macro_rules! field {
        ($name:ident) => {
            let same = own.$name.is_none()
                && stated.$name.as_ref().is_some_and(|claim| {
                    model.facts.$name.as_ref().is_some_and(|held| held.value == claim.value)
                });
            if same {
                counts.agreed += 1;
                stated.$name = None;
            }
        };
    }
    shared_facts!(field);
}

fn begin(facts: &mut ModelFacts, offer: &EndpointFacts) {
    macro_rules! field {
        ($name:ident) => {
            if facts.$name.is_none() {
                facts.$name.clone_from(&offer.$name);
            }
        };
    }
    shared_facts!(field);
}

/// A provider of which a feed says how it is spoken to. `from_config` marks it until an offer of it is placed.
pub(crate) fn new_provider(
    id: &str,
    name: &str,
    protocol: crate::provider::Protocol,
    source: &str,
    as_of: &str,
) -> Provider {
    Provider {
        id: id.into(),
        name: name.into(),
        protocol,
        base_url: None,
        configured_base_url: None,
        api_key_env: Vec::new(),
        docs: None,
        facts: Default::default(),
        quirks: Default::default(),
        source: source.into(),
        as_of: as_of.into(),
        from_config: true,
    }
}
