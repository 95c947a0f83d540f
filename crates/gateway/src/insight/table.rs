//! Answers of the store put together: one question per piece of a span.

use store::{By, Figures, Filter, Measure, Question, Spread, Store, StoreError};

use super::Scope;
use super::fields::Metric;
use super::span::{Grain, Piece, label};

/// What is asked about a span.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) scope: Scope,
    pub(crate) grain: Grain,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) groups: Vec<By>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) measures: Vec<Measure>,
    /// What is counted together.
    pub(crate) joined: Vec<Measure>,
    pub(crate) spreads: Vec<Spread>,
    /// Only so many rows of each piece, those with most of this.
    pub(crate) most: Option<(Measure, usize)>,
}

/// A row: when, by which values, and what was counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// As [`label`] tells it.
    pub(crate) at: String,
    pub(crate) groups: Vec<String>,
    pub(crate) figures: Figures,
}

impl Wanted {
    /// Asks the store, in the order of time and groups.
    pub(crate) async fn ask(&self, store: &Store) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for piece in &self.pieces {
            let question = Question {
                account: &self.scope.account,
                key: self.scope.key.as_ref(),
                hours: piece.hours,
                from: piece.from,
                to: piece.to,
                split: piece.split,
                groups: &self.groups,
                filters: &self.filters,
                measures: &self.measures,
                joined: &self.joined,
                spreads: &self.spreads,
                most: self.most,
            };
            for row in store.used(&question).await? {
                let at = if piece.split { row.at } else { piece.from };
                let at = label(self.grain, piece.hours, at);
                rows.push(Row { at, groups: row.groups, figures: row.figures });
            }
            if rows.len() > store::ROWS_MAX {
                return Err(StoreError::Invalid(String::from(
                    "the answer has too many rows; ask for a shorter span or by less",
                )));
            }
        }
        Ok(rows)
    }
}

/// What has to be asked for metrics.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Needs {
    /// The ledger's columns, each once.
    pub(crate) measures: Vec<Measure>,
    /// Columns of which only the sum of all is told.
    pub(crate) joined: Vec<Measure>,
    pub(crate) spreads: Vec<Spread>,
}

/// What metrics need.
pub(crate) fn needs(metrics: impl Iterator<Item = Metric>) -> Needs {
    let mut needs = Needs::default();
    let mut all_tokens = Vec::new();
    for metric in metrics {
        let (counted, spread) = metric.needs();
        if metric == Metric::TokensTotal {
            all_tokens = counted;
        } else {
            let new: Vec<Measure> =
                counted.into_iter().filter(|measure| !needs.measures.contains(measure)).collect();
            needs.measures.extend(new);
        }
        if let Some(spread) = spread.filter(|spread| !needs.spreads.contains(spread)) {
            needs.spreads.push(spread);
        }
    }
    // Where one of them is told by itself, each of them has to be.
    if needs.measures.iter().any(|measure| all_tokens.contains(measure)) {
        all_tokens.retain(|measure| !needs.measures.contains(measure));
        needs.measures.append(&mut all_tokens);
    }
    needs.joined = all_tokens;
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_together_unless_some_are_told_apart() {
        let requests = Metric::Count(Measure::Requests);
        let total = needs([requests, Metric::TokensTotal, Metric::TokensTotal].into_iter());
        assert_eq!((total.measures.as_slice(), total.joined.len()), (&[Measure::Requests][..], 10));
        for apart in [Metric::TokensPrompt, Metric::CacheHitRate, Metric::Count(Measure::Reasoning)] {
            let needs = needs([apart, Metric::TokensTotal, requests].into_iter());
            assert_eq!((needs.measures.len(), needs.joined.len()), (11, 0), "{apart:?}");
        }
    }
}
