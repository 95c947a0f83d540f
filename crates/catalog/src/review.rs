//! What of a catalog wants somebody's eye.
//!
//! - A contradiction: at least one other source states another value. One that stands only because it stood there first (the rule
//!   `kept`) was never decided, and comes before those that were.
//! - A stale fact: it was stated more than [`CHECK_DAYS`] days ago. A month or a year counts from its first day. What the configuration
//!   states has no date and is the operator's own.
//! - An unsourced fact: pages say of it that nobody states it. Endpoints take what they don't state from their model, so only a price
//!   without which nothing can be billed counts there.
//!
//! What the sandbox serves is ours and left out.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::claim::{Claim, Rule};
use crate::endpoint::Endpoint;
use crate::export::as_text;
use crate::kind;
use crate::model::Model;
use crate::named::named;
use crate::provider::{Protocol, Provider};
use crate::snapshot::Snapshot;

/// After so many days a fact is due to be checked again.
pub const CHECK_DAYS: i64 = 90;
/// Facts of a model that pages show, or say of that nobody states them.
const OF_MODELS: [&str; 15] = [
    "released",
    "knowledge_cutoff",
    "context_tokens",
    "max_output_tokens",
    "input_modalities",
    "output_modalities",
    "parameters",
    "active_parameters",
    "architecture",
    "open_weights",
    "license",
    "tool_call",
    "structured_output",
    "reasoning",
    "temperature",
];
/// The same of a provider.
const OF_PROVIDERS: [&str; 5] =
    ["headquarters", "datacenters", "retention_days", "trains_on_data", "cancel_stops_billing"];
/// What an endpoint lacks that can't be billed.
const PRICE: &str = "price";

named! {
    /// Why a fact wants somebody's eye.
    #[derive(PartialOrd, Ord)]
    FindingKind {
        /// Sources state different values.
        Contradiction = "contradiction",
        /// It is due to be checked again.
        Stale = "stale",
        /// Nobody states it.
        Unsourced = "unsourced",
    }
}

named! {
    /// What a fact is about.
    #[derive(PartialOrd, Ord)]
    Subject {
        /// A model.
        Model = "model",
        /// A provider.
        Provider = "provider",
        /// An endpoint.
        Endpoint = "endpoint",
    }
}

/// What another source states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its value, as text for people.
    pub value: String,
    /// Id of the source.
    pub source: Arc<str>,
    /// The date for which it states it.
    pub as_of: Arc<str>,
}

/// A fact that wants somebody's eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Why.
    pub kind: FindingKind,
    /// What it is about.
    pub subject: Subject,
    /// The id of that.
    pub id: Arc<str>,
    /// The model's id, of models and endpoints.
    pub model: Option<Arc<str>>,
    /// The model's author.
    pub author: Option<Arc<str>>,
    /// The provider's id, of providers and endpoints.
    pub provider: Option<Arc<str>>,
    /// Which fact, by its key in files: `context_tokens`, `input_usd_per_mtok`; `price` where an endpoint has none that can be billed.
    pub fact: &'static str,
    /// What stands there, as text for people; `None`: nothing.
    pub value: Option<String>,
    /// Id of the source of that.
    pub source: Option<Arc<str>>,
    /// The date for which it is stated.
    pub as_of: Option<Arc<str>>,
    /// Why it was chosen over the others.
    pub rule: Option<Rule>,
    /// What other sources state instead.
    pub others: Vec<Other>,
    /// The last day before it is due, since 1970.
    pub due: Option<i64>,
}

impl Finding {
    /// Whether nobody has decided yet between what sources state.
    pub fn is_undecided(&self) -> bool {
        self.kind == FindingKind::Contradiction && matches!(self.rule, None | Some(Rule::Kept))
    }
}

/// The last day before a fact of this date is due to be checked again, since 1970; `None`: it has no date.
pub fn due_day(as_of: &str) -> Option<i64> {
    kind::day(as_of).map(|day| day.saturating_add(CHECK_DAYS))
}

/// A claim, whatever its values are.
pub(crate) trait Stated {
    fn value(&self) -> String;
    fn source(&self) -> &Arc<str>;
    fn as_of(&self) -> &Arc<str>;
    fn rule(&self) -> Option<Rule>;
    /// Those that state another value.
    fn others(&self) -> Vec<Other>;
}

impl<T: Serialize + PartialEq> Stated for Claim<T> {
    fn value(&self) -> String {
        text(&self.value)
    }

    fn source(&self) -> &Arc<str> {
        &self.source
    }

    fn as_of(&self) -> &Arc<str> {
        &self.as_of
    }

    fn rule(&self) -> Option<Rule> {
        self.rule
    }

    fn others(&self) -> Vec<Other> {
        let others = self.dissent.iter().filter(|other| other.value != self.value);
        others
            .map(|other| Other {
                value: text(&other.value),
                source: Arc::clone(&other.source),
                as_of: Arc::clone(&other.as_of),
            })
            .collect()
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_value(value).as_ref().map(shown).unwrap_or_default()
}

/// A value for people: text without quotes, lists with commas.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Whose facts are looked at.
struct Of<'s> {
    subject: Subject,
    id: &'s Arc<str>,
    model: Option<&'s Model>,
    provider: Option<&'s Provider>,
}

impl Of<'_> {
    fn finding(&self, kind: FindingKind, fact: &'static str) -> Finding {
        Finding {
            kind,
            subject: self.subject,
            id: Arc::clone(self.id),
            model: self.model.map(|model| Arc::clone(&model.id)),
            author: self.model.map(|model| Arc::clone(&model.author)),
            provider: self.provider.map(|provider| Arc::clone(&provider.id)),
            fact,
            value: None,
            source: None,
            as_of: None,
            rule: None,
            others: Vec::new(),
            due: None,
        }
    }

    fn stated(&self, fact: &'static str, stated: &dyn Stated, today: i64, found: &mut Vec<Finding>) {
        let due = due_day(stated.as_of());
        let told = |kind, others| Finding {
            value: Some(stated.value()),
            source: Some(Arc::clone(stated.source())),
            as_of: Some(Arc::clone(stated.as_of())),
            rule: stated.rule(),
            others,
            due,
            ..self.finding(kind, fact)
        };
        let others = stated.others();
        if !others.is_empty() {
            found.push(told(FindingKind::Contradiction, others));
        }
        if due.is_some_and(|due| due < today) {
            found.push(told(FindingKind::Stale, Vec::new()));
        }
    }

    /// A fact, or that nobody states it where somebody should.
    fn fact(
        &self,
        fact: &'static str,
        stated: Option<&dyn Stated>,
        (expected, today): (&[&str], i64),
        found: &mut Vec<Finding>,
    ) {
        match stated {
            Some(stated) => self.stated(fact, stated, today, found),
            None if expected.contains(&fact) => found.push(self.finding(FindingKind::Unsourced, fact)),
            None => (),
        }
    }
}

/// Everything of a catalog that wants somebody's eye on a day since 1970: contradictions first, undecided ones before them; then what is
/// due, the longest first; then what nobody states.
pub fn review(snapshot: &Snapshot, today: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, model) in snapshot.models.iter().enumerate() {
        if !is_sandbox(snapshot, at) {
            let of = Of { subject: Subject::Model, id: &model.id, model: Some(model), provider: None };
            model.facts.each(&mut |fact, stated| of.fact(fact, stated, (&OF_MODELS, today), &mut found));
        }
    }
    for provider in snapshot.providers.iter().filter(|provider| provider.protocol != Protocol::Sandbox) {
        let of = Of { subject: Subject::Provider, id: &provider.id, model: None, provider: Some(provider) };
        provider.facts.each(&mut |fact, stated| of.fact(fact, stated, (&OF_PROVIDERS, today), &mut found));
    }
    for endpoint in &snapshot.endpoints {
        endpoint_of(snapshot, endpoint, today, &mut found);
    }
    found.sort_by(|a, b| {
        let place = |one: &Finding| (one.kind, !one.is_undecided());
        let due = |one: &Finding| if one.kind == FindingKind::Stale { one.due } else { None };
        place(a).cmp(&place(b)).then_with(|| due(a).cmp(&due(b))).then_with(|| a.id.cmp(&b.id))
    });
    found
}

fn endpoint_of(snapshot: &Snapshot, endpoint: &Endpoint, today: i64, found: &mut Vec<Finding>) {
    let provider = endpoint.provider_in(snapshot);
    if provider.is_some_and(|provider| provider.protocol == Protocol::Sandbox) {
        return;
    }
    let of =
        Of { subject: Subject::Endpoint, id: &endpoint.id, model: endpoint.model_in(snapshot), provider };
    endpoint.facts.each(&mut |fact, stated| of.fact(fact, stated, (&[], today), found));
    for price in endpoint.price_claims.iter().filter(|price| price.override_index.is_none()) {
        of.stated(price.kind.file_key(), &as_text(price.kind, &price.claim), today, found);
    }
    if !endpoint.is_priced() {
        found.push(of.finding(FindingKind::Unsourced, PRICE));
    }
}

/// All that serves it is inside this program.
fn is_sandbox(snapshot: &Snapshot, model: usize) -> bool {
    let mut offers = snapshot.model_endpoints(model).peekable();
    offers.peek().is_some()
        && offers.all(|endpoint| {
            endpoint.provider_in(snapshot).is_some_and(|provider| provider.protocol == Protocol::Sandbox)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{edited, snapshot};

    /// 2026-07-03.
    const TODAY: i64 = 20_637;

    fn told(found: &[Finding], kind: FindingKind) -> Vec<(&str, &str)> {
        found.iter().filter(|one| one.kind == kind).map(|one| (&*one.id, one.fact)).collect()
    }

    #[test]
    fn contradictions_are_those_of_other_values_and_undecided_ones_come_first() {
        let found = review(&snapshot(), TODAY);
        assert_eq!(
            told(&found, FindingKind::Contradiction),
            [("mistral/small-4", "input_usd_per_mtok"), ("mistralai/small-4", "context_tokens")]
        );
        let first = &found[0];
        assert_eq!((first.value.as_deref(), first.others[0].value.as_str()), (Some("0.15"), "0.2"));
        assert_eq!(
            (first.author.as_deref(), first.provider.as_deref()),
            (Some("mistralai"), Some("mistral"))
        );
        let model = "models/mistralai/small-4.toml";
        let kept = review(&edited(model, "rule = \"newest\"", "rule = \"kept\"").unwrap(), TODAY);
        assert_eq!((kept[0].fact, kept[0].is_undecided()), ("context_tokens", true));
        let same = review(&edited(model, "value = 128000", "value = 262144").unwrap(), TODAY);
        assert_eq!(told(&same, FindingKind::Contradiction).len(), 1);
    }

    #[test]
    fn what_is_due_is_told_from_the_day_after() {
        // Stated for 2026-07-02: the last day before it is due is 2026-09-30.
        let due = due_day("2026-07-02").unwrap();
        assert_eq!((due, due_day("2026-06"), due_day("")), (20_726, Some(20_605 + 90), None));
        let is_due = |today| {
            let found = review(&snapshot(), today);
            told(&found, FindingKind::Stale).contains(&("mistralai/small-4", "license"))
        };
        assert!(!is_due(due) && is_due(due + 1));
        let found = review(&snapshot(), due + 1);
        let days: Vec<Option<i64>> =
            found.iter().filter(|one| one.kind == FindingKind::Stale).map(|one| one.due).collect();
        assert!(days.is_sorted() && days.len() > 10, "the longest first: {days:?}");
    }

    #[test]
    fn what_nobody_states_is_what_pages_say_so_of() {
        let found = review(&snapshot(), TODAY);
        let unsourced = told(&found, FindingKind::Unsourced);
        for one in [
            ("mistralai/small-4", "knowledge_cutoff"),
            ("mistral", "headquarters"),
            ("venice", "retention_days"),
            ("venice/old", "price"),
        ] {
            assert!(unsourced.contains(&one), "{one:?} in {unsourced:?}");
        }
        assert!(!unsourced.contains(&("mistralai/small-4", "license")));
        assert!(!unsourced.contains(&("mistralai/small-4", "retires")), "no page expects it");
        assert!(!unsourced.contains(&("mistral/small-4", "context_tokens")), "the model states it");
    }
}
