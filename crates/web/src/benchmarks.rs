//! Published results by benchmark: who says which score, when, and what the benchmark measures.
//!
//! - Scores are shown as their sources state them and are never mixed into one of ours. Two sources of one benchmark may have
//!   run it differently; they stand beside each other, each with its name and date.
//! - Spellings of one name (`SWE-Bench Pro`, `SWE Bench Pro`) are one benchmark, under the spelling that is used most.
//! - What a benchmark measures is said in a sentence of ours with the address of whoever publishes it; where we have not read
//!   that, nothing is said.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use catalog::{Benchmark, Model, Snapshot};
use types::Money;

/// A benchmark with its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bench {
    /// The name in addresses: `swe-bench-pro`.
    pub slug: String,
    /// For people.
    pub name: String,
    /// What it measures, and where that is published.
    pub about: Option<About>,
    /// Best first; results that read as no number come last.
    pub rows: Vec<Row>,
}

/// What a benchmark measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// In a sentence.
    pub text: &'static str,
    /// Whoever publishes it.
    pub url: &'static str,
}

/// One published result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Position of the model in the snapshot.
    pub model: usize,
    /// As its source states it, decimal text.
    pub score: String,
    /// What the score counts, where the source says.
    pub metric: Option<String>,
    /// Id of the source.
    pub source: String,
    /// When it was published, where the source says.
    pub date: Option<String>,
}

const ABOUT: [(&str, &str, &str); 19] = [
    (
        "aider-polyglot",
        "Programming exercises in six languages, solved by editing files, with a second try after failing tests.",
        "https://aider.chat/docs/leaderboards/",
    ),
    (
        "artificial-analysis-coding-agent-index",
        "Artificial Analysis's average over benchmarks of coding agents.",
        "https://artificialanalysis.ai/methodology",
    ),
    (
        "artificial-analysis-coding-index",
        "Artificial Analysis's average over benchmarks of writing code.",
        "https://artificialanalysis.ai/methodology",
    ),
    (
        "artificial-analysis-intelligence-index",
        "Artificial Analysis's average over benchmarks of knowledge, reasoning and code.",
        "https://artificialanalysis.ai/methodology",
    ),
    (
        "charxiv-reasoning",
        "Questions about charts from papers that need several steps.",
        "https://charxiv.github.io/",
    ),
    (
        "gpqa-diamond",
        "Multiple-choice questions in biology, physics and chemistry that experts of another field mostly get wrong.",
        "https://arxiv.org/abs/2311.12022",
    ),
    (
        "humanitys-last-exam",
        "Expert questions across many fields, some with pictures.",
        "https://lastexam.ai/",
    ),
    (
        "livecodebench",
        "Problems of programming contests, collected over time so that newer ones can't have been trained on.",
        "https://livecodebench.github.io/",
    ),
    (
        "livecodebench-pro",
        "Hard problems of programming olympiads and contests.",
        "https://livecodebenchpro.com/",
    ),
    (
        "mmlu-pro",
        "Multiple-choice questions over many subjects, with ten options each.",
        "https://arxiv.org/abs/2406.01574",
    ),
    (
        "mrcrv2",
        "Finding one of several nearly equal passages in a long conversation.",
        "https://huggingface.co/datasets/openai/mrcr",
    ),
    (
        "scicode",
        "Programs for problems from research in the natural sciences.",
        "https://scicode-bench.github.io/",
    ),
    (
        "swe-bench-multilingual",
        "Issues of open-source projects in nine languages, resolved so that their tests pass.",
        "https://www.swebench.com/multilingual.html",
    ),
    (
        "swe-bench-pro",
        "Longer tasks in larger code bases than SWE-Bench's, resolved so that their tests pass.",
        "https://scale.com/leaderboard/swe_bench_pro_public",
    ),
    (
        "swe-bench-verified",
        "500 issues of Python projects that people checked to be solvable, resolved so that their tests pass.",
        "https://www.swebench.com/",
    ),
    ("terminal-bench", "Tasks that an agent carries out in a terminal.", "https://www.tbench.ai/"),
    (
        "terminal-bench-2-0",
        "Tasks that an agent carries out in a terminal, second set.",
        "https://www.tbench.ai/",
    ),
    (
        "terminal-bench-2-1",
        "Tasks that an agent carries out in a terminal, second set, revised.",
        "https://www.tbench.ai/",
    ),
    (
        "terminal-bench-hard",
        "The harder tasks of Terminal-Bench, as chosen by Artificial Analysis.",
        "https://artificialanalysis.ai/methodology",
    ),
];

/// The slug of a benchmark's name: letters and digits, the rest as single hyphens, apostrophes left out.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars().filter(|c| !matches!(c, '\'' | '’' | 'ʼ')) {
        match c {
            c if c.is_alphanumeric() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// What a benchmark measures, by its slug.
pub fn about(slug: &str) -> Option<About> {
    ABOUT.iter().find(|(known, ..)| *known == slug).map(|(_, text, url)| About { text, url })
}

fn score(text: &str) -> Option<Money> {
    text.parse().ok()
}

/// Every benchmark of the catalog: those with most results first, equals by name.
pub fn all(snapshot: &Snapshot) -> Vec<Bench> {
    let mut groups: BTreeMap<String, Vec<(usize, &Benchmark)>> = BTreeMap::new();
    for (position, model) in snapshot.models.iter().enumerate() {
        for row in &model.benchmarks {
            groups.entry(slug(&row.name)).or_default().push((position, row));
        }
    }
    let mut all: Vec<Bench> = groups.into_iter().map(|(slug, rows)| bench(slug, rows)).collect();
    all.sort_by(|a, b| b.rows.len().cmp(&a.rows.len()).then_with(|| a.name.cmp(&b.name)));
    all
}

fn bench(slug: String, mut rows: Vec<(usize, &Benchmark)>) -> Bench {
    let mut spellings: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, row) in &rows {
        *spellings.entry(&row.name).or_default() += 1;
    }
    let name =
        spellings.iter().max_by_key(|(name, count)| (**count, Reverse(**name))).map_or("", |(name, _)| name);
    // What is no number sorts as less than any.
    rows.sort_by_key(|(position, row)| (Reverse(score(&row.score)), *position, row.source.clone()));
    let rows = rows.iter().map(|(position, row)| Row {
        model: *position,
        score: row.score.clone(),
        metric: row.metric.clone(),
        source: row.source.to_string(),
        date: row.date.clone(),
    });
    Bench { name: name.to_owned(), about: about(&slug), rows: rows.collect(), slug }
}

/// The best published score of a model on a benchmark, by slug, with its text; `None` where there is none.
pub fn best_of(model: &Model, bench: &str) -> Option<(Money, String)> {
    let rows = model.benchmarks.iter().filter(|row| slug(&row.name) == bench);
    rows.filter_map(|row| Some((score(&row.score)?, row.score.clone()))).max_by_key(|(score, _)| *score)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::{ABOUT, about, all, best_of, slug};

    #[test]
    fn spellings_are_one_benchmark() {
        let rows = [
            ("SWE-Bench Pro", "swe-bench-pro"),
            ("SWE Bench  Pro", "swe-bench-pro"),
            ("Humanity’s Last Exam", "humanitys-last-exam"),
            ("τ3 Banking", "τ3-banking"),
            ("Terminal-Bench 2.1", "terminal-bench-2-1"),
            ("<script>\"", "script"),
            ("--", ""),
        ];
        for (name, expect) in rows {
            assert_eq!(slug(name), expect);
        }
    }

    #[test]
    fn every_result_of_the_catalog_is_there_once() {
        let catalog =
            catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap();
        let benches = all(&catalog);
        let published: usize = catalog.models.iter().map(|model| model.benchmarks.len()).sum();
        assert_eq!(benches.iter().map(|bench| bench.rows.len()).sum::<usize>(), published);
        assert!(benches.windows(2).all(|pair| pair[0].rows.len() >= pair[1].rows.len()));
        let slugs: HashSet<&str> = benches.iter().map(|bench| bench.slug.as_str()).collect();
        assert_eq!(slugs.len(), benches.len());
        // What is described is there, and three in four results are described.
        for (known, ..) in ABOUT {
            assert!(slugs.contains(known), "{known}");
        }
        let described: usize =
            benches.iter().filter(|bench| bench.about.is_some()).map(|bench| bench.rows.len()).sum();
        assert!(described * 4 >= published * 3, "{described} of {published}");
        for bench in &benches {
            let scores: Vec<_> = bench.rows.iter().filter_map(|row| super::score(&row.score)).collect();
            assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{}", bench.name);
            assert!(bench.rows.iter().all(|row| catalog.source(&row.source).is_some()), "{}", bench.name);
            let best = &catalog.models[bench.rows[0].model];
            assert_eq!(best_of(best, &bench.slug).unwrap().1, bench.rows[0].score);
        }
        assert_eq!(about("swe-bench-pro").unwrap().url, "https://scale.com/leaderboard/swe_bench_pro_public");
        assert!(about("nobody-knows").is_none());
    }
}
