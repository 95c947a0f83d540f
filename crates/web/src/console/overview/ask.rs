//! Questions about use, as addresses of `GET /v1/analytics/query`, and which of them can be asked together.

use serde::Deserialize;
use serde_json::{Map, Number, Value};
use types::Money;
use url::form_urlencoded::Serializer;

use super::super::amount;
use super::super::period::Period;
use crate::format::{self, Shown};
use crate::visit::Visit;

/// Something that use is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimension {
    /// As the API and addresses call it.
    pub(super) name: &'static str,
    pub(super) one: &'static str,
    pub(super) many: &'static str,
    /// It is counted beside models and providers, and one at a time.
    pub(super) is_facet: bool,
}

const fn plain(name: &'static str, one: &'static str, many: &'static str) -> Dimension {
    Dimension { name, one, many, is_facet: false }
}

const fn facet(name: &'static str, one: &'static str, many: &'static str) -> Dimension {
    Dimension { name, one, many, is_facet: true }
}

pub(super) const MODEL: Dimension = plain("model", "Model", "Models");
pub(super) const KEY: Dimension = plain("key", "Key", "Keys");
pub(super) const PROVIDER: Dimension = plain("provider", "Provider", "Providers");
pub(super) const MEMBER: Dimension = facet("member", "Member", "Members");
pub(super) const TAG: Dimension = facet("tag", "Tag", "Tags");
pub(super) const PROJECT: Dimension = facet("project", "Project", "Projects");
pub(super) const USER: Dimension = facet("user", "End user", "End users");
pub(super) const APP: Dimension = facet("app", "App", "Apps");
pub(super) const ERROR: Dimension = facet("error", "Error", "Errors");
/// All of them.
pub(super) const DIMENSIONS: [Dimension; 9] = [MODEL, KEY, PROVIDER, MEMBER, TAG, PROJECT, USER, APP, ERROR];

/// What the numbers are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filters(pub(super) Vec<(Dimension, String)>);

impl Filters {
    /// What the address says. Where it asks for what is not counted together, the facet stays.
    pub(super) fn of(visit: &Visit) -> Filters {
        let all = DIMENSIONS.into_iter().filter_map(|by| Some((by, visit.ask(by.name)?)));
        let all: Vec<(Dimension, &str)> = all.collect();
        all.into_iter().fold(Filters::default(), |filters, (by, value)| filters.with(by, value))
    }

    /// With this one, and without those that are not counted together with it.
    pub(super) fn with(&self, by: Dimension, value: &str) -> Filters {
        let stays = |known: &Dimension| match (by.name, by.is_facet) {
            (name, _) if name == known.name => false,
            ("key", _) => true,
            (_, true) => known.name == "key",
            (_, false) => !known.is_facet,
        };
        let mut all: Vec<_> = self.0.iter().filter(|(known, _)| stays(known)).cloned().collect();
        all.push((by, value.to_owned()));
        Filters(all)
    }

    pub(super) fn without(&self, by: Dimension) -> Filters {
        Filters(self.0.iter().filter(|(known, _)| *known != by).cloned().collect())
    }

    pub(super) fn value(&self, by: Dimension) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == by).map(|(_, value)| value.as_str())
    }

    fn facet(&self) -> Option<Dimension> {
        self.0.iter().map(|(by, _)| *by).find(|by| by.is_facet)
    }

    /// Whether use can be told apart by this, of what is left.
    pub(super) fn tell(&self, by: Dimension) -> bool {
        match (self.facet(), by.is_facet) {
            (None, false) => true,
            (None, true) => self.0.iter().all(|(known, _)| *known == KEY),
            (Some(known), _) => by == known || by == KEY,
        }
    }

    /// Whether hours can be asked for. By the hour, facets are not known of a key.
    pub(super) fn by_hours(&self, by: Option<Dimension>) -> bool {
        let has_facet = self.facet().is_some() || by.is_some_and(|by| by.is_facet);
        let has_key = self.value(KEY).is_some() || by == Some(KEY);
        !(has_facet && has_key)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(by, value)| (by.name, value.as_str()))
    }
}

/// A question.
pub(super) struct Question<'a> {
    pub(super) metrics: &'a str,
    pub(super) by: Option<Dimension>,
    pub(super) granularity: Option<&'a str>,
    /// First and last day, or instants.
    pub(super) span: [String; 2],
    pub(super) filters: &'a Filters,
    pub(super) order_by: Option<&'a str>,
    pub(super) limit: Option<usize>,
}

impl<'a> Question<'a> {
    /// Of a period, in one row for each value.
    pub(super) fn of(
        metrics: &'a str,
        by: Option<Dimension>,
        period: &Period,
        filters: &'a Filters,
    ) -> Question<'a> {
        let span = period.dates();
        Question { metrics, by, granularity: None, span, filters, order_by: None, limit: None }
    }

    /// The address; `format`: `csv`.
    pub(super) fn path(&self, format: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("metrics", self.metrics);
        if let Some(by) = self.by {
            query.append_pair("dimensions", by.name);
        }
        if let Some(granularity) = self.granularity {
            query.append_pair("granularity", granularity);
        }
        let [from, to] = &self.span;
        query.append_pair("from", from).append_pair("to", to);
        query.extend_pairs(self.filters.pairs());
        if let Some(order_by) = self.order_by {
            query.append_pair("order_by", order_by);
        }
        if let Some(limit) = self.limit {
            query.append_pair("limit", &limit.to_string());
        }
        if let Some(format) = format {
            query.append_pair("format", format);
        }
        format!("/v1/analytics/query?{}", query.finish())
    }
}

/// What was answered.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    pub(super) data: Vec<Row>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) truncated: bool,
}

/// A row: values of dimensions, and numbers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Row(Map<String, Value>);

impl Row {
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn as_number(&self, name: &str) -> Option<&Number> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// A count; what is not there is none.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.as_number(name).and_then(Number::as_u64).unwrap_or_default()
    }

    /// An amount in dollars.
    pub(super) fn money(&self, name: &str) -> Money {
        self.as_number(name).and_then(amount::number).unwrap_or_default()
    }

    /// An amount as it is shown.
    pub(super) fn dollars(&self, name: &str) -> Shown {
        self.as_number(name).map_or_else(|| format::cost(Money::ZERO), amount::dollars)
    }

    /// A rate or a time; none where it can't be told.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.as_number(name)?.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(all: &[(Dimension, &str)]) -> Filters {
        all.iter().fold(Filters::default(), |filters, (by, value)| filters.with(*by, value))
    }

    #[test]
    fn only_what_is_counted_together_is_asked_together() {
        let by_tag = filters(&[(MODEL, "a/b"), (KEY, "key_1"), (TAG, "blue")]);
        let left: Vec<&str> = by_tag.pairs().map(|(name, _)| name).collect();
        assert_eq!(left, ["key", "tag"], "a tag takes the model's place");
        assert!(by_tag.tell(TAG) && by_tag.tell(KEY) && !by_tag.tell(MODEL) && !by_tag.tell(MEMBER));
        let by_model = by_tag.with(MODEL, "a/b");
        assert!(by_model.tell(PROVIDER) && !by_model.tell(TAG));
        assert_eq!(by_model.value(TAG), None);
        assert!(
            !by_tag.by_hours(None) && by_model.by_hours(None) && !filters(&[(KEY, "k")]).by_hours(Some(TAG))
        );
        assert_eq!(by_model.without(MODEL), filters(&[(KEY, "key_1")]));
    }

    #[test]
    fn a_question_is_an_address_whatever_is_in_it() {
        let filters = filters(&[(TAG, "a&b=<c>")]);
        let question = Question {
            metrics: "total_usage",
            by: Some(TAG),
            granularity: Some("day"),
            span: [String::from("2026-07-01"), String::from("2026-07-02")],
            filters: &filters,
            order_by: None,
            limit: Some(3),
        };
        assert_eq!(
            question.path(Some("csv")),
            "/v1/analytics/query?metrics=total_usage&dimensions=tag&granularity=day&from=2026-07-01&to=2026-07-02\
             &tag=a%26b%3D%3Cc%3E&limit=3&format=csv"
        );
    }
}
