//! `GET /v1/server/catalog`: what of the catalog wants somebody's eye ([`catalog::review`]), and what the last reload brought.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::review::{CHECK_DAYS, Finding, FindingKind, Subject};
use catalog::{Diff, FactChange};
use http::request::Parts;
use http::{HeaderValue, Response, header};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::Answer;
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::csv::{cell, line};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::insight::invalid;
use crate::key::rfc3339;
use crate::payments::date;
use crate::reloads::Reloads;
use crate::router;
use crate::world::World;

/// Findings of a page where nobody says how many, and the most.
const PAGE: (usize, usize) = (50, 200);
/// Changes of a reload that are listed of each kind.
const CHANGES_SHOWN: usize = 50;

/// Findings of a world and a day.
type Known = (Arc<World>, i64, Arc<Vec<Finding>>);

/// What of the catalog wants somebody's eye, worked out once per world and day.
#[derive(Default)]
pub struct Review(Mutex<Option<Known>>);

impl std::fmt::Debug for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Review").finish_non_exhaustive()
    }
}

/// The findings of a day; worked out off this thread when they are not there yet.
async fn findings(
    gateway: &Arc<Gateway>,
    today: i64,
) -> Result<(Arc<World>, Arc<Vec<Finding>>), GatewayError> {
    let world = gateway.world.load_full();
    let known = gateway.review.0.lock().clone();
    if let Some((_, _, found)) = known.filter(|(of, day, _)| Arc::ptr_eq(of, &world) && *day == today) {
        return Ok((world, found));
    }
    let gateway = Arc::clone(gateway);
    let control = gateway.control.clone();
    let work = control.spawn_blocking(move || {
        let found = Arc::new(catalog::review::review(&world.snapshot, today));
        *gateway.review.0.lock() = Some((Arc::clone(&world), today, Arc::clone(&found)));
        (world, found)
    });
    work.await.map_err(|_| GatewayError::Internal)
}

/// What a question asks for.
#[derive(Default)]
struct Asked {
    kind: Option<FindingKind>,
    subject: Option<Subject>,
    fact: Option<String>,
    author: Option<String>,
    provider: Option<String>,
}

/// What a filter is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Kind,
    Fact,
    Author,
    Provider,
}

impl Asked {
    fn of(given: &dyn Fn(&str) -> Option<String>) -> Result<Asked, GatewayError> {
        let kind = given("kind").map(|name| {
            FindingKind::from_name(&name)
                .ok_or_else(|| invalid("`kind` is contradiction, stale or unsourced"))
        });
        let subject = given("subject").map(|name| {
            Subject::from_name(&name).ok_or_else(|| invalid("`subject` is model, provider or endpoint"))
        });
        Ok(Asked {
            kind: kind.transpose()?,
            subject: subject.transpose()?,
            fact: given("fact"),
            author: given("author"),
            provider: given("provider"),
        })
    }

    /// Whether a finding is asked for, one of the filters aside.
    fn takes(&self, one: &Finding, aside: Option<By>) -> bool {
        let is = |by: By, asked: Option<&str>, has: Option<&str>| {
            aside == Some(by) || asked.is_none_or(|asked| has == Some(asked))
        };
        is(By::Kind, self.kind.map(FindingKind::name), Some(one.kind.name()))
            && self.subject.is_none_or(|subject| subject == one.subject)
            && is(By::Fact, self.fact.as_deref(), Some(one.fact))
            && is(By::Author, self.author.as_deref(), one.author.as_deref())
            && is(By::Provider, self.provider.as_deref(), one.provider.as_deref())
    }
}

/// `GET /v1/server/catalog?kind=&subject=&fact=&author=&provider=&limit=&offset=&format=`.
pub(super) async fn show(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let query = router::query(parts);
    let given = |name: &str| -> Option<String> {
        let found = query.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let asked = Asked::of(&given)?;
    let number = |name: &str, usual: usize| {
        given(name).map_or(Ok(usual), |text| {
            text.parse::<usize>().map_err(|_| invalid(format!("`{name}` is a whole number")))
        })
    };
    let limit = number("limit", PAGE.0)?;
    if !(1..=PAGE.1).contains(&limit) {
        return Err(invalid(format!("`limit` is a whole number from 1 to {}", PAGE.1)));
    }
    let offset = number("offset", 0)?;
    let is_csv = match given("format").as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(invalid("`format` must be `json` or `csv`")),
    };
    let desk = Desk::open(worker, parts);
    let (world, all) = findings(desk.gateway(), desk.now().day()).await?;
    if is_csv {
        return Ok(csv(all.iter().filter(|one| asked.takes(one, None))));
    }
    let mut matching = all.iter().filter(|one| asked.takes(one, None)).skip(offset);
    let page: Vec<Value> = matching.by_ref().take(limit).map(object).collect();
    let end = offset.saturating_add(page.len());
    let next = matching.next().map(|_| end);
    let body = json!({
        "data": page,
        "total": all.iter().filter(|one| asked.takes(one, None)).count(),
        "next": next,
        "counts": counts(&all, &asked),
        "facts": values(&all, &asked, By::Fact),
        "authors": values(&all, &asked, By::Author),
        "providers": values(&all, &asked, By::Provider),
        "check_days": CHECK_DAYS,
        "catalog": world.snapshot.version,
        "reload": reload(&desk.gateway().reloads),
    });
    Ok(router::json(body.to_string()))
}

/// How many of each kind there are, the filter of kinds aside.
fn counts(all: &[Finding], asked: &Asked) -> Value {
    let of = |kind: FindingKind| {
        all.iter().filter(|one| one.kind == kind && asked.takes(one, Some(By::Kind))).count()
    };
    let undecided = all.iter().filter(|one| one.is_undecided() && asked.takes(one, Some(By::Kind)));
    json!({
        "contradiction": of(FindingKind::Contradiction),
        "undecided": undecided.count(),
        "stale": of(FindingKind::Stale),
        "unsourced": of(FindingKind::Unsourced),
    })
}

/// The values of a filter with how many findings each has, that filter aside; by name.
fn values(all: &[Finding], asked: &Asked, by: By) -> Vec<Value> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in all.iter().filter(|one| asked.takes(one, Some(by))) {
        let value = match by {
            By::Kind => Some(one.kind.name()),
            By::Fact => Some(one.fact),
            By::Author => one.author.as_deref(),
            By::Provider => one.provider.as_deref(),
        };
        if let Some(value) = value {
            *counts.entry(value).or_default() += 1;
        }
    }
    counts.into_iter().map(|(value, count)| json!({"value": value, "count": count})).collect()
}

fn object(one: &Finding) -> Value {
    let others: Vec<Value> = one
        .others
        .iter()
        .map(|other| json!({"value": other.value, "source": other.source, "as_of": other.as_of}))
        .collect();
    json!({
        "kind": one.kind.name(),
        "subject": one.subject.name(),
        "id": one.id,
        "model": one.model,
        "author": one.author,
        "provider": one.provider,
        "fact": one.fact,
        "value": one.value,
        "source": one.source,
        "as_of": one.as_of,
        "rule": one.rule.map(catalog::Rule::name),
        "is_undecided": one.is_undecided(),
        "others": others,
        "due": one.due.map(date),
    })
}

const COLUMNS: &str = "kind,subject,id,fact,value,source,as_of,due,rule,others\r\n";

fn csv<'f>(all: impl Iterator<Item = &'f Finding>) -> Response<ResponseBody> {
    let mut text = String::from(COLUMNS);
    for one in all {
        let others: Vec<String> = one
            .others
            .iter()
            .map(|other| format!("{} ({}, {})", other.value, other.source, other.as_of))
            .collect();
        text.push_str(&line(&[
            one.kind.name().to_owned(),
            one.subject.name().to_owned(),
            cell(&one.id),
            one.fact.to_owned(),
            cell(one.value.as_deref().unwrap_or_default()),
            cell(one.source.as_deref().unwrap_or_default()),
            cell(one.as_of.as_deref().unwrap_or_default()),
            one.due.map(date).unwrap_or_default(),
            one.rule.map_or("", catalog::Rule::name).to_owned(),
            cell(&others.join("; ")),
        ]));
    }
    let mut response = Response::new(ResponseBody::full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    response
}

/// What the last reload changed, and why one after it was refused.
fn reload(reloads: &Reloads) -> Value {
    json!({
        "applied": reloads.last_applied().map(|last| applied(&last.diff, &rfc3339(last.at))),
        "refused": reloads.last_refused().map(|last| json!({"at": rfc3339(last.at), "why": last.why})),
    })
}

fn applied(diff: &Diff, at: &str) -> Value {
    let ids = |ids: &[Arc<str>]| -> Vec<String> {
        ids.iter().take(CHANGES_SHOWN).map(ToString::to_string).collect()
    };
    let facts = |changes: &[FactChange]| -> Vec<Value> {
        let change = |one: &FactChange| json!({"subject": one.of, "id": one.id, "fact": one.fact, "old": one.old, "new": one.new});
        changes.iter().take(CHANGES_SHOWN).map(change).collect()
    };
    let prices: Vec<String> =
        diff.prices_changed.iter().take(CHANGES_SHOWN).map(|change| change.endpoint.to_string()).collect();
    json!({
        "at": at,
        "summary": diff.to_string(),
        "models_added": ids(&diff.models_added),
        "models_removed": ids(&diff.models_removed),
        "endpoints_added": ids(&diff.endpoints_added),
        "endpoints_removed": ids(&diff.endpoints_removed),
        "prices_changed": prices,
        "facts_changed": facts(&diff.facts_changed),
        "deprecations": facts(&diff.deprecations),
    })
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;

    fn finding(kind: FindingKind, id: &str, fact: &'static str, provider: Option<&str>) -> Finding {
        Finding {
            kind,
            subject: if provider.is_some() { Subject::Endpoint } else { Subject::Model },
            id: id.into(),
            model: Some("acme/one".into()),
            author: Some("acme".into()),
            provider: provider.map(Into::into),
            fact,
            value: Some(String::from("=1+1")),
            source: Some("feed".into()),
            as_of: Some("2026-07-02".into()),
            rule: None,
            others: Vec::new(),
            due: Some(20_726),
        }
    }

    fn all() -> Vec<Finding> {
        vec![
            finding(FindingKind::Contradiction, "acme/one", "released", None),
            finding(FindingKind::Stale, "acme/one", "released", None),
            finding(FindingKind::Stale, "cloud/one", "region", Some("cloud")),
        ]
    }

    #[test]
    fn a_filter_counts_what_the_others_leave() {
        let asked = Asked { kind: Some(FindingKind::Stale), fact: Some("region".into()), ..Asked::default() };
        let all = all();
        let taken: Vec<&str> = all.iter().filter(|one| asked.takes(one, None)).map(|one| &*one.id).collect();
        assert_eq!(taken, ["cloud/one"]);
        assert_eq!(
            values(&all, &asked, By::Fact),
            [json!({"value": "region", "count": 1}), json!({"value": "released", "count": 1})]
        );
        assert_eq!(values(&all, &asked, By::Provider), [json!({"value": "cloud", "count": 1})]);
        let kinds = counts(&all, &Asked::default());
        assert_eq!(
            (&kinds["contradiction"], &kinds["undecided"], &kinds["stale"]),
            (&json!(1), &json!(1), &json!(2))
        );
        assert!(Asked::of(&|name| (name == "kind").then(|| String::from("odd"))).is_err());
    }

    #[test]
    fn cells_are_no_formulas() {
        let response = csv(all().iter().take(1));
        let ResponseBody::Full(Some(body)) = response.body() else { panic!("no body") };
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(
            text.lines().nth(1),
            Some("contradiction,model,acme/one,released,'=1+1,feed,2026-07-02,2026-09-30,,")
        );
    }

    #[test]
    fn a_refused_reload_is_told_until_one_is_put_in_place() {
        let reloads = Reloads::default();
        assert_eq!(reload(&reloads), json!({"applied": null, "refused": null}));
        let at = Timestamp::from_seconds(1_783_080_000);
        reloads.refused(at, "models/a.toml:3: odd\nmodels/b.toml:1: odd");
        assert_eq!(reload(&reloads)["refused"]["why"][1], "models/b.toml:1: odd");
        reloads.applied(at, Diff { models_added: vec!["acme/one".into()], ..Diff::default() });
        let told = reload(&reloads);
        assert_eq!(
            (&told["refused"], &told["applied"]["models_added"][0]),
            (&Value::Null, &json!("acme/one"))
        );
        assert_eq!(told["applied"]["summary"], "1 model added");
    }
}
