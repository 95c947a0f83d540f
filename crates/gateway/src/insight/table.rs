//! Answers of the store put together: one question per piece of a span.

use store::{By, Figures, Filter, Measure, Question, Spread, Store, StoreError};

use super::Scope;
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
    pub(crate) spreads: Vec<Spread>,
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
                spreads: &self.spreads,
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

/// Asks by the name of a kind: the ledger's columns that the metrics need, each once.
pub(crate) fn needs(metrics: impl Iterator<Item = super::fields::Metric>) -> (Vec<Measure>, Vec<Spread>) {
    let (mut measures, mut spreads) = (Vec::new(), Vec::new());
    for metric in metrics {
        let (counted, spread) = metric.needs();
        for measure in counted {
            if !measures.contains(&measure) {
                measures.push(measure);
            }
        }
        if let Some(spread) = spread.filter(|spread| !spreads.contains(spread)) {
            spreads.push(spread);
        }
    }
    (measures, spreads)
}
