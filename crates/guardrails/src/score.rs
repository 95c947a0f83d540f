//! How well findings fit labelled samples: precision and recall per kind.

use serde::Deserialize;

use crate::compiled::{Compiled, Place, What};
use crate::kind::Kind;

/// How many bytes more than its label a finding may have: a bracket, a quote.
const SLACK_BYTES: usize = 4;

/// A text and what is to be found in it.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// The text.
    pub text: String,
    /// What is to be found.
    pub find: Vec<Label>,
}

/// A label.
#[derive(Clone, Debug, Deserialize)]
pub struct Label {
    /// The kind's name.
    pub kind: String,
    /// Where it begins, bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Counts of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Labels that were found whole.
    pub found: u32,
    /// Labels that were not.
    pub missed: u32,
    /// Findings that no label speaks of.
    pub wrong: u32,
}

impl Score {
    /// Share of findings that are right; `None`: nothing was found.
    pub fn precision(&self) -> Option<f64> {
        share(self.found, self.wrong)
    }

    /// Share of labels that were found; `None`: there are none.
    pub fn recall(&self) -> Option<f64> {
        share(self.found, self.missed)
    }
}

fn share(of: u32, rest: u32) -> Option<f64> {
    (of + rest > 0).then(|| f64::from(of) / f64::from(of + rest))
}

/// Scores by kind, in the order of [`Kind::ALL`]; `on_error` is told the kind, the text and whether it was missed of each error.
pub fn score(
    rules: &Compiled,
    samples: &[Sample],
    on_error: &mut dyn FnMut(Kind, &Sample, bool),
) -> [Score; Kind::COUNT] {
    let mut scores = [Score::default(); Kind::COUNT];
    for sample in samples {
        let found = rules.scan(&sample.text, Place::User);
        for (kind, score) in Kind::ALL.iter().zip(scores.iter_mut()) {
            let spans =
                found.iter().filter(|finding| finding.what == What::Kind(*kind)).map(|f| f.span.clone());
            let spans: Vec<_> = spans.collect();
            let labels: Vec<_> = sample.find.iter().filter(|label| label.kind == kind.name()).collect();
            let fits = |span: &std::ops::Range<usize>, label: &&Label| match kind {
                // Which words exactly an attempt consists of is a matter of taste.
                Kind::PromptInjection => true,
                _ => {
                    span.start <= label.start
                        && span.end >= label.end
                        && span.len() <= label.end - label.start + SLACK_BYTES
                }
            };
            for label in &labels {
                match spans.iter().any(|span| fits(span, label)) {
                    true => score.found += 1,
                    false => {
                        score.missed += 1;
                        on_error(*kind, sample, true);
                    }
                }
            }
            for span in &spans {
                if !labels.iter().any(|label| fits(span, label)) {
                    score.wrong += 1;
                    on_error(*kind, sample, false);
                }
            }
        }
    }
    scores
}

/// Reads samples, one JSON object a line.
pub fn read(lines: &str) -> Result<Vec<Sample>, serde_json::Error> {
    lines.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}
