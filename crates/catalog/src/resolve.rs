//! From a name that a caller wrote to a model.
//!
//! Names, the first that knows the text wins: a model's id; an alias; `<provider>/<provider's own id>`;
//! `<provider>/<slug>`; a bare slug. A name of the last three kinds that would mean two models means none.

use std::collections::HashMap;

use crate::endpoint::Endpoint;
use crate::model::Model;
use crate::provider::Provider;
use crate::snapshot::Snapshot;

/// How much of an unknown name is compared with known ones, in characters.
const SUGGEST_CHARS_MAX: usize = 64;
/// The most suggestions.
const SUGGESTIONS_MAX: usize = 3;
/// How alike a name must be to be suggested, of 1.
const LIKENESS_MIN: f64 = 0.8;

/// Every name in small letters, with the position of its model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    map: HashMap<Box<str>, u32>,
    bytes_max: usize,
}

impl Names {
    pub(crate) fn new(models: &[Model], providers: &[Provider], endpoints: &[Endpoint]) -> Names {
        let mut names =
            Names { map: HashMap::with_capacity(models.len() * 2 + endpoints.len() * 2), bytes_max: 0 };
        let numbered = || models.iter().zip(0u32..);
        names.add(numbered().map(|(model, at)| (model.id.to_string(), at)));
        names.add(
            numbered().flat_map(|(model, at)| model.aliases.iter().map(move |alias| (alias.clone(), at))),
        );
        let offers = || {
            endpoints.iter().filter_map(|endpoint| {
                let at = u32::try_from(endpoint.model).ok()?;
                Some((providers.get(endpoint.provider)?, models.get(endpoint.model)?, endpoint, at))
            })
        };
        names.add(
            offers().map(|(p, _, endpoint, at)| (format!("{}/{}", p.id, endpoint.provider_model_id), at)),
        );
        names.add(offers().map(|(p, model, _, at)| (format!("{}/{}", p.id, model.slug), at)));
        names.add(numbered().map(|(model, at)| (model.slug.to_string(), at)));
        names
    }

    /// Adds names of one kind, but for those that are taken or mean two models.
    fn add(&mut self, pairs: impl Iterator<Item = (String, u32)>) {
        let mut kind: HashMap<String, Option<u32>> = HashMap::new();
        for (mut name, model) in pairs {
            name.make_ascii_lowercase();
            let entry = kind.entry(name).or_insert(Some(model));
            if *entry != Some(model) {
                *entry = None;
            }
        }
        for (name, model) in kind {
            if let Some(model) = model {
                self.bytes_max = self.bytes_max.max(name.len());
                self.map.entry(name.into_boxed_str()).or_insert(model);
            }
        }
    }

    fn get(&self, name: &str) -> Option<usize> {
        if name.len() > self.bytes_max {
            return None;
        }
        let found = if name.bytes().any(|b| b.is_ascii_uppercase()) {
            self.map.get(name.to_ascii_lowercase().as_str())
        } else {
            self.map.get(name)
        };
        found.map(|at| *at as usize)
    }
}

impl Snapshot {
    /// The position of the model that a name means. Capital letters do not matter. Variants, `@provider` and virtual
    /// models are not names here: routing takes those apart first.
    pub fn resolve(&self, name: &str) -> Option<usize> {
        self.names.get(name)
    }

    /// Up to three ids of models whose id, slug or alias is like `name`, most alike first. Bounded work for any name.
    pub fn suggest(&self, name: &str) -> Vec<&str> {
        let name: String = name.chars().take(SUGGEST_CHARS_MAX).collect::<String>().to_lowercase();
        let (asked_author, asked_slug) = name.rsplit_once('/').unwrap_or(("", &name));
        if asked_slug.is_empty() {
            return Vec::new();
        }
        let mut scored: Vec<(f64, &str)> = Vec::new();
        for model in &self.models {
            let slug = likeness(asked_slug, &model.slug);
            let score = model.aliases.iter().map(|alias| likeness(&name, alias)).fold(slug, f64::max);
            if score >= LIKENESS_MIN {
                // Among equals, the author that was asked for comes first.
                let bonus = if *model.author == *asked_author { 0.01 } else { 0.0 };
                scored.push((score + bonus, &model.id));
            }
        }
        scored.sort_by(|(a, a_id), (b, b_id)| b.total_cmp(a).then_with(|| a_id.cmp(b_id)));
        scored.into_iter().take(SUGGESTIONS_MAX).map(|(_, id)| id).collect()
    }
}

fn likeness(asked: &str, known: &str) -> f64 {
    // Names of very different length are never alike; comparing them costs most.
    if asked.len() > known.len() * 3 || known.len() > asked.len() * 4 {
        return 0.0;
    }
    strsim::jaro_winkler(asked, known)
}

#[cfg(test)]
mod tests {
    use crate::fixture::{files, load, snapshot};

    #[test]
    fn names_find_their_model() {
        let rows = [
            ("mistralai/small-4", Some("mistralai/small-4")),
            ("MistralAI/Small-4", Some("mistralai/small-4")),
            ("small-latest", Some("mistralai/small-4")),
            ("mistral/old-small", Some("mistralai/small-4")),
            ("small-4", Some("mistralai/small-4")),
            ("mistral/mistral-small-2603", Some("mistralai/small-4")),
            ("venice/small-4-eu", Some("mistralai/small-4")),
            ("venice/Small-4-EU", Some("mistralai/small-4")),
            ("venice/small-4", Some("mistralai/small-4")),
            ("acme/small-4", None),
            ("mistral-small-2603", None),
            ("venice/small-4@eu", None),
            ("mistralai/small-4:free", None),
            ("", None),
        ];
        let snapshot = snapshot();
        for (name, id) in rows {
            let found = snapshot.resolve(name).map(|at| &*snapshot.models[at].id);
            assert_eq!(found, id, "{name}");
        }
        assert_eq!(snapshot.resolve(&"x".repeat(65_536)), None);
    }

    #[test]
    fn a_slug_of_two_models_means_none() {
        let twin = "name = \"Old\"\nsource = \"page\"\nas_of = \"2026\"\n".to_owned();
        let snapshot = load(files().chain([("models/mistralai/old.toml", twin)])).unwrap();
        assert_eq!(snapshot.resolve("old"), None);
        assert!(snapshot.resolve("acme/old").is_some());
        assert_eq!(snapshot.resolve("venice/old"), snapshot.resolve("acme/old"));
    }

    #[test]
    fn unknown_names_get_suggestions() {
        let snapshot = snapshot();
        let rows = [
            ("mistralai/smal-4", vec!["mistralai/small-4"]),
            ("acme/small-4", vec!["mistralai/small-4"]),
            ("vektors", vec!["acme/vectors"]),
            ("zzzzzz", vec![]),
            ("", vec![]),
            ("/", vec![]),
        ];
        for (name, wanted) in rows {
            assert_eq!(snapshot.suggest(name), wanted, "{name}");
        }
        assert!(snapshot.suggest(&"é".repeat(65_536)).is_empty());
    }
}
