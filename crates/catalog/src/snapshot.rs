//! The catalog in memory: immutable, sorted by id, with indexes that are rebuilt whenever it is made or read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::codec::{self, CodecError, Whole};
use crate::endpoint::Endpoint;
use crate::model::{Author, Model, Source};
use crate::price::hash_name;
use crate::provider::Provider;
use crate::resolve::Names;

/// A whole catalog. Positions (`usize`, `u32`) are those of its own lists and mean nothing in another snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Sorted by id.
    pub sources: Vec<Source>,
    /// Sorted by id.
    pub authors: Vec<Author>,
    /// Sorted by id.
    pub models: Vec<Model>,
    /// Sorted by id.
    pub providers: Vec<Provider>,
    /// Sorted by id.
    pub endpoints: Vec<Endpoint>,
    /// Names this content: `cat-` and 16 hex digits of a hash of it.
    pub version: Arc<str>,
    pub(crate) names: Names,
    of_model: Groups,
    of_provider: Groups,
}

/// What a snapshot is made of. Endpoints name their model and provider by id.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) sources: Vec<Source>,
    pub(crate) authors: Vec<Author>,
    pub(crate) models: Vec<Model>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) endpoints: Vec<(Arc<str>, Arc<str>, Endpoint)>,
}

/// Endpoint positions, grouped by the position of what they belong to.
#[derive(Clone, Debug, Default)]
struct Groups {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    fn new(count: usize, owners: impl Iterator<Item = usize>) -> Groups {
        let mut pairs: Vec<(usize, u32)> = owners.zip(0u32..).collect();
        pairs.sort_unstable();
        let mut starts = Vec::with_capacity(count + 1);
        let mut at = 0u32;
        for owner in 0..=count {
            while pairs.get(at as usize).is_some_and(|(of, _)| *of < owner) {
                at += 1;
            }
            starts.push(at);
        }
        Groups { starts, members: pairs.into_iter().map(|(_, member)| member).collect() }
    }

    fn get(&self, owner: usize) -> &[u32] {
        let (Some(from), Some(to)) = (self.starts.get(owner), self.starts.get(owner + 1)) else {
            return &[];
        };
        self.members.get(*from as usize..*to as usize).unwrap_or_default()
    }
}

fn find<'s, T>(sorted: &'s [T], id: &str, id_of: impl Fn(&T) -> &str) -> Option<(usize, &'s T)> {
    let at = sorted.binary_search_by(|item| id_of(item).cmp(id)).ok()?;
    sorted.get(at).map(|item| (at, item))
}

/// Sorts by id and answers where each item has gone, by where it was. Among equal ids the first is meant.
fn sort<T>(list: &mut [T], id_of: impl Fn(&T) -> &Arc<str>) -> Vec<usize> {
    let before: Vec<Arc<str>> = list.iter().map(|item| Arc::clone(id_of(item))).collect();
    list.sort_unstable_by(|a, b| id_of(a).cmp(id_of(b)));
    before.iter().map(|id| list.partition_point(|item| id_of(item) < id)).collect()
}

type Body = (Vec<Source>, Vec<Author>, Vec<Model>, Vec<Provider>, Vec<Endpoint>);
type Stored = (Vec<Source>, Vec<Author>, Whole<Model>, Vec<Provider>, Whole<Endpoint>);

impl Snapshot {
    /// Sorts, connects and indexes. The error says which endpoint points nowhere.
    pub(crate) fn assemble(parts: Parts) -> Result<Snapshot, String> {
        let models: HashMap<&str, usize> = parts.models.iter().map(|model| &*model.id).zip(0..).collect();
        let providers: HashMap<&str, usize> = parts.providers.iter().map(|p| &*p.id).zip(0..).collect();
        let mut endpoints = Vec::with_capacity(parts.endpoints.len());
        for (model, provider, mut endpoint) in parts.endpoints {
            let (Some(model), Some(provider)) = (models.get(&*model), providers.get(&*provider)) else {
                return Err(format!(
                    "endpoint `{}` names a model or provider that is not there",
                    endpoint.id
                ));
            };
            (endpoint.model, endpoint.provider) = (*model, *provider);
            endpoints.push(endpoint);
        }
        Snapshot::settle((parts.sources, parts.authors, parts.models, parts.providers, endpoints))
    }

    /// The same lists sorted where they lie, so that no copy of them is made, and indexed anew.
    pub(crate) fn settled(self) -> Result<Snapshot, String> {
        Snapshot::settle((self.sources, self.authors, self.models, self.providers, self.endpoints))
    }

    fn settle(mut body: Body) -> Result<Snapshot, String> {
        let (sources, authors, models, providers, endpoints) = &mut body;
        sort(sources, |source| &source.id);
        sort(authors, |author| &author.id);
        sort(endpoints, |endpoint| &endpoint.id);
        let (of_models, of_providers) = (sort(models, |model| &model.id), sort(providers, |p| &p.id));
        for endpoint in endpoints {
            let places = (of_models.get(endpoint.model), of_providers.get(endpoint.provider));
            let (Some(model), Some(provider)) = places else {
                return Err(format!("endpoint `{}` points nowhere", endpoint.id));
            };
            (endpoint.model, endpoint.provider) = (*model, *provider);
        }
        let version = hash_name("cat-", &codec::digest(&body).map_err(|error| error.to_string())?);
        Ok(Snapshot::index(body, version))
    }

    fn index(body: Body, version: Arc<str>) -> Snapshot {
        let (sources, authors, models, providers, endpoints) = body;
        Snapshot {
            names: Names::new(&models, &providers, &endpoints),
            of_model: Groups::new(models.len(), endpoints.iter().map(|endpoint| endpoint.model)),
            of_provider: Groups::new(providers.len(), endpoints.iter().map(|endpoint| endpoint.provider)),
            sources,
            authors,
            models,
            providers,
            endpoints,
            version,
        }
    }

    /// The parts again, to add to them.
    pub(crate) fn into_parts(self) -> Parts {
        let (models, providers) = (self.models, self.providers);
        let mut endpoints = Vec::with_capacity(self.endpoints.len());
        endpoints.extend(self.endpoints.into_iter().filter_map(|endpoint| {
            let model = Arc::clone(&models.get(endpoint.model)?.id);
            let provider = Arc::clone(&providers.get(endpoint.provider)?.id);
            Some((model, provider, endpoint))
        }));
        Parts { sources: self.sources, authors: self.authors, models, providers, endpoints }
    }

    /// The snapshot as bytes for [`Snapshot::from_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        let body = (&self.sources, &self.authors, &self.models, &self.providers, &self.endpoints);
        codec::encode(&(body, &self.version))
    }

    /// Reads what [`Snapshot::to_bytes`] of the same version of this program wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot, CodecError> {
        let (body, version): (Stored, Arc<str>) = codec::decode(bytes)?;
        let (sources, authors, models, providers, endpoints) = body;
        let (models, endpoints) = (models.0, endpoints.0);
        let placed =
            |endpoint: &Endpoint| endpoint.model < models.len() && endpoint.provider < providers.len();
        if !endpoints.iter().all(placed) {
            return Err(CodecError::Dangling);
        }
        Ok(Snapshot::index((sources, authors, models, providers, endpoints), version))
    }

    /// The model with exactly this id.
    pub fn model(&self, id: &str) -> Option<&Model> {
        find(&self.models, id, |model| &model.id).map(|(_, model)| model)
    }

    /// The provider with exactly this id, and its position.
    pub fn provider(&self, id: &str) -> Option<(usize, &Provider)> {
        find(&self.providers, id, |provider| &provider.id)
    }

    /// The endpoint with exactly this id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        find(&self.endpoints, id, |endpoint| &endpoint.id).map(|(_, endpoint)| endpoint)
    }

    /// The author with exactly this id.
    pub fn author(&self, id: &str) -> Option<&Author> {
        find(&self.authors, id, |author| &author.id).map(|(_, author)| author)
    }

    /// The source with exactly this id.
    pub fn source(&self, id: &str) -> Option<&Source> {
        find(&self.sources, id, |source| &source.id).map(|(_, source)| source)
    }

    /// Positions of the endpoints of the model at this position, by endpoint id.
    pub fn endpoints_of(&self, model: usize) -> &[u32] {
        self.of_model.get(model)
    }

    /// Positions of the endpoints of the provider at this position, by endpoint id.
    pub fn endpoints_of_provider(&self, provider: usize) -> &[u32] {
        self.of_provider.get(provider)
    }

    /// The endpoints of the model at this position, by endpoint id.
    pub fn model_endpoints(&self, model: usize) -> impl Iterator<Item = &Endpoint> {
        self.endpoints_of(model).iter().filter_map(|at| self.endpoints.get(*at as usize))
    }

    /// How many claims have dissent.
    pub fn disputed(&self) -> usize {
        let models = self.models.iter().map(|model| model.facts.disputed());
        let providers = self.providers.iter().map(|provider| provider.facts.disputed());
        let endpoints = self.endpoints.iter().map(|endpoint| {
            let prices = endpoint.price_claims.iter().filter(|price| !price.claim.dissent.is_empty());
            endpoint.facts.disputed() + prices.count()
        });
        models.chain(providers).chain(endpoints).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{edited, snapshot};

    #[test]
    fn bytes_and_back_is_the_same() {
        let before = snapshot();
        let after = Snapshot::from_bytes(&before.to_bytes().unwrap()).unwrap();
        assert_eq!(after.version, before.version);
        assert_eq!(after.sources, before.sources);
        assert_eq!(after.authors, before.authors);
        assert_eq!(after.models, before.models);
        assert_eq!(after.providers, before.providers);
        assert_eq!(after.endpoints, before.endpoints);
        assert_eq!(after.resolve("small-4"), before.resolve("small-4"));
        assert_eq!(after.disputed(), 2);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = snapshot().to_bytes().unwrap();
        assert!(matches!(Snapshot::from_bytes(b"something else"), Err(CodecError::Mark)));
        for length in 8..bytes.len() {
            assert!(Snapshot::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(Snapshot::from_bytes(&longer).is_err());
    }

    #[test]
    fn lists_are_sorted_and_connected() {
        let snapshot = snapshot();
        let ids: Vec<&str> = snapshot.models.iter().map(|model| &*model.id).collect();
        assert_eq!(ids, ["acme/old", "acme/vectors", "mistralai/small-4"]);
        let endpoints: Vec<&str> = snapshot.model_endpoints(2).map(|endpoint| &*endpoint.id).collect();
        assert_eq!(endpoints, ["mistral/small-4", "venice/small-4@eu"]);
        assert!(snapshot.endpoints_of(1).is_empty() && snapshot.endpoints_of(9).is_empty());
        let (venice, _) = snapshot.provider("venice").unwrap();
        assert_eq!(snapshot.endpoints_of_provider(venice).len(), 2);
        let eu = snapshot.endpoint("venice/small-4@eu").unwrap();
        assert_eq!(
            (eu.context_tokens(&snapshot), eu.max_output_tokens(&snapshot)),
            (Some(128_000), Some(32_768))
        );
        assert!(eu.is_priced() && !snapshot.endpoint("venice/old").unwrap().is_priced());
        assert!(snapshot.model("mistralai/small-4").unwrap().is_chat());
        assert!(!snapshot.model("acme/vectors").unwrap().is_chat());
    }

    #[test]
    fn a_price_version_names_the_prices_and_nothing_else() {
        let version =
            |snapshot: &Snapshot| snapshot.endpoint("mistral/small-4").unwrap().price_version.clone();
        let before = version(&snapshot());
        assert_eq!(before.len(), "pv-".len() + 16);
        let file = "providers/mistral/endpoints/small-4.toml";
        assert_eq!(version(&edited(file, "\"0.60\"", "\"0.600\"").unwrap()), before);
        assert_eq!(version(&edited(file, "status = \"beta\"", "").unwrap()), before);
        for (old, new) in [("\"0.60\"", "\"0.61\""), ("256000", "256001"), ("\"0.60\"", "\"unknown\"")] {
            assert_ne!(version(&edited(file, old, new).unwrap()), before, "{old} -> {new}");
        }
    }
}
