//! Published benchmark results, put in order.
//!
//! - Results are those of one benchmark when their names read alike: capitals, spaces and dashes do not count.
//! - Scores are ranked only where they can be compared: one benchmark, one unit, one publisher. A publisher is the host of the
//!   source; where authors publish for themselves (cards of models, papers) it is the author there, since each sets up its
//!   own runs.
//! - Of several results of one model in such a series, which differ in what the source ran around the model, the highest
//!   counts, and the others are told.
//! - Equal scores share a place. A single result has no place, and neither has what is better when it is lower.
//! - A model without a result is not ranked.

mod about;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Benchmark, Model, Snapshot};
use url::Url;

pub(crate) use about::{About, of as about};

/// Hosts where each author publishes for itself.
const HOSTS_OF_MANY: [&str; 3] = ["huggingface.co", "github.com", "arxiv.org"];
/// Words of units of which less is better.
const LESS_IS_BETTER: [&str; 6] = ["error", "loss", "perplexity", "time", "cost", "latency"];

/// A benchmark with all that is published of it.
pub(crate) struct Bench {
    /// Its name in addresses.
    pub(crate) slug: String,
    /// As most of its results spell it.
    pub(crate) name: String,
    pub(crate) about: Option<&'static About>,
    /// The longest first.
    pub(crate) series: Vec<Series>,
    /// How many models have a result.
    pub(crate) models: usize,
    /// How many results there are.
    pub(crate) results: usize,
}

/// Results that can be compared with each other.
pub(crate) struct Series {
    /// Unique within its benchmark; for addresses.
    pub(crate) slug: String,
    pub(crate) publisher: String,
    /// What the score counts; empty where nobody says.
    pub(crate) metric: String,
    /// Best first.
    pub(crate) scores: Vec<Score>,
    pub(crate) is_ranked: bool,
}

/// The result of a model.
pub(crate) struct Score {
    pub(crate) model: usize,
    /// From 1; equal scores share it.
    pub(crate) place: Option<usize>,
    /// As it was published.
    pub(crate) score: String,
    pub(crate) value: f64,
    /// Other results of the same model in the same series, highest first.
    pub(crate) others: Vec<String>,
    pub(crate) source: Arc<str>,
    pub(crate) date: Option<String>,
}

/// A result with the model it belongs to.
type Found<'a> = (usize, &'a Model, &'a Benchmark, f64);
/// Publisher and unit.
type SeriesKey = (String, String);

/// Every benchmark of a catalog, those of most models first.
pub(crate) fn all(snapshot: &Snapshot) -> Vec<Bench> {
    let mut found: BTreeMap<String, Vec<Found<'_>>> = BTreeMap::new();
    for (at, model) in snapshot.models.iter().enumerate() {
        for result in &model.benchmarks {
            let value = result.score.parse::<f64>().ok().filter(|value| value.is_finite());
            let slug = slug(&result.name);
            if let (Some(value), false) = (value, slug.is_empty()) {
                found.entry(slug).or_default().push((at, model, result, value));
            }
        }
    }
    let mut benches: Vec<Bench> =
        found.into_iter().map(|(slug, results)| bench(snapshot, slug, &results)).collect();
    benches.sort_by(|a, b| b.models.cmp(&a.models).then_with(|| a.name.cmp(&b.name)));
    benches
}

fn bench(snapshot: &Snapshot, slug: String, found: &[Found<'_>]) -> Bench {
    let mut models: Vec<usize> = found.iter().map(|(at, ..)| *at).collect();
    models.sort_unstable();
    models.dedup();
    let mut spelled: BTreeMap<&str, usize> = BTreeMap::new();
    let mut grouped: BTreeMap<SeriesKey, Vec<Found<'_>>> = BTreeMap::new();
    for one in found {
        let (_, model, result, _) = one;
        *spelled.entry(result.name.as_str()).or_default() += 1;
        let metric = result.metric.clone().unwrap_or_default();
        grouped.entry((publisher(snapshot, model, result), metric)).or_default().push(*one);
    }
    let name = spelled.iter().max_by_key(|(_, count)| **count).map(|(name, _)| (*name).to_owned());
    let mut series: Vec<Series> = Vec::new();
    for ((key, metric), results) in grouped {
        series.push(order(snapshot, &key, metric, &results, &series));
    }
    series.sort_by(|a, b| b.scores.len().cmp(&a.scores.len()).then_with(|| a.publisher.cmp(&b.publisher)));
    Bench {
        about: about(&slug),
        name: name.unwrap_or_else(|| slug.clone()),
        slug,
        series,
        models: models.len(),
        results: found.len(),
    }
}

fn order(snapshot: &Snapshot, key: &str, metric: String, found: &[Found<'_>], known: &[Series]) -> Series {
    let mut sorted: Vec<&Found<'_>> = found.iter().collect();
    sorted.sort_by(|a, b| b.3.total_cmp(&a.3).then_with(|| a.1.id.cmp(&b.1.id)));
    let mut scores: Vec<Score> = Vec::new();
    for (at, _, result, value) in sorted {
        match scores.iter_mut().find(|score| score.model == *at) {
            Some(score) => score.others.push(result.score.clone()),
            None => scores.push(Score {
                model: *at,
                place: None,
                score: result.score.clone(),
                value: *value,
                others: Vec::new(),
                source: Arc::clone(&result.source),
                date: result.date.clone(),
            }),
        }
    }
    let is_ranked = scores.len() > 1 && more_is_better(&metric);
    if is_ranked {
        place(&mut scores);
    }
    let bare = slug(key);
    let is_taken = known.iter().any(|other| other.slug == bare);
    let slug = if is_taken { format!("{bare}-{}", slug(&metric)) } else { bare };
    Series { slug, publisher: publisher_name(snapshot, key, found), metric, scores, is_ranked }
}

/// Equal scores share the place of the first of them.
fn place(scores: &mut [Score]) {
    let mut before: Option<(f64, usize)> = None;
    for (score, number) in scores.iter_mut().zip(1..) {
        let place = match before {
            Some((value, place)) if value.total_cmp(&score.value).is_eq() => place,
            _ => number,
        };
        before = Some((score.value, place));
        score.place = Some(place);
    }
}

fn more_is_better(metric: &str) -> bool {
    let metric = metric.to_lowercase();
    !LESS_IS_BETTER.iter().any(|word| metric.split_whitespace().any(|said| said == *word))
}

/// Who published a result, as a key: `host`, or `host author` where authors publish for themselves.
fn publisher(snapshot: &Snapshot, model: &Model, result: &Benchmark) -> String {
    let url = snapshot.source(&result.source).and_then(|source| Url::parse(&source.url).ok());
    let host = url.as_ref().and_then(Url::host_str).map(|host| host.strip_prefix("www.").unwrap_or(host));
    match host {
        Some(host) if HOSTS_OF_MANY.contains(&host) => format!("{host} {}", model.author),
        Some(host) => host.to_owned(),
        None => result.source.to_string(),
    }
}

/// The source's name where there is one source, else the host, with the author where it is the author's own.
fn publisher_name(snapshot: &Snapshot, key: &str, found: &[Found<'_>]) -> String {
    let first = found.first().map(|(_, model, result, _)| (*model, *result));
    let is_one =
        found.iter().all(|(_, _, result, _)| first.is_some_and(|(_, first)| first.source == result.source));
    let source = first.and_then(|(_, result)| snapshot.source(&result.source));
    let author = first.and_then(|(model, _)| snapshot.author(&model.author));
    match (key.split_once(' '), source) {
        (_, Some(source)) if is_one => source.name.clone(),
        (Some((host, id)), _) => format!("{} on {host}", author.map_or(id, |author| author.name.as_str())),
        (None, _) => key.to_owned(),
    }
}

/// Letters and digits of a name in small, joined by dashes; empty where it has none.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        match c {
            '\u{3c4}' => slug.push_str("tau"),
            '\'' | '\u{2019}' => {}
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{all, more_is_better, slug};
    use crate::testing::{SHIPPED, SMALL};

    #[test]
    fn names_that_read_alike_are_one() {
        let rows = [
            ("SWE-Bench Pro", "swe-bench-pro"),
            ("SWE Bench  Pro", "swe-bench-pro"),
            ("Humanity\u{2019}s Last Exam", "humanitys-last-exam"),
            ("\u{3c4}3 Banking", "tau3-banking"),
            ("<script>", "script"),
            ("../..", ""),
            ("\u{901a}", ""),
        ];
        for (name, wanted) in rows {
            assert_eq!(slug(name), wanted, "{name}");
        }
    }

    #[test]
    fn only_what_can_be_compared_has_places() {
        let benches = all(&SHIPPED);
        let results: usize = benches.iter().map(|bench| bench.results).sum();
        assert_eq!(results, SHIPPED.models.iter().map(|model| model.benchmarks.len()).sum::<usize>());
        for bench in &benches {
            let told: usize = bench.series.iter().flat_map(|s| &s.scores).map(|s| 1 + s.others.len()).sum();
            assert_eq!(told, bench.results, "{}", bench.name);
            for series in &bench.series {
                assert_eq!(series.scores.iter().any(|score| score.place.is_some()), series.is_ranked);
                for pair in series.scores.windows(2) {
                    assert!(pair[0].value >= pair[1].value && pair[0].place <= pair[1].place);
                    let is_equal = (pair[0].value - pair[1].value).abs() < f64::EPSILON;
                    assert_eq!(
                        is_equal && series.is_ranked,
                        series.is_ranked && pair[0].place == pair[1].place
                    );
                }
            }
            let mut slugs: Vec<&str> = bench.series.iter().map(|series| series.slug.as_str()).collect();
            slugs.sort_unstable();
            let count = slugs.len();
            slugs.dedup();
            assert_eq!(slugs.len(), count, "{}", bench.name);
        }
        // What each author says of its own models is no common ranking.
        let verified = benches.iter().find(|bench| bench.slug == "swe-bench-verified").unwrap();
        assert!(verified.series.len() > 5, "{}", verified.series.len());
        let aider = benches.iter().find(|bench| bench.slug == "aider-polyglot").unwrap();
        assert_eq!((aider.series.len(), aider.series[0].scores[0].place), (1, Some(1)));
        assert_eq!(aider.series[0].publisher, "Aider leaderboards");
    }

    #[test]
    fn a_single_result_is_no_ranking() {
        let benches = all(&SMALL);
        assert_eq!((benches.len(), benches[0].name.as_str(), benches[0].models), (1, "SciCode", 1));
        assert!(!benches[0].series[0].is_ranked);
    }

    #[test]
    fn less_may_be_better() {
        for (metric, wanted) in
            [("percent correct", true), ("error rate", false), ("", true), ("resolve rate", true)]
        {
            assert_eq!(more_is_better(metric), wanted, "{metric}");
        }
    }
}
