//! `/console/server/catalog`: facts on which sources contradict each other, that are due to be checked again, that nobody states; and what
//! the last reload of the catalog brought.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::CATALOG;
use crate::console::amount;
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::fact::{self, Origin};
use crate::format::{self, Shown};
use crate::shell::{self, Failed};

/// Findings of a page.
const PAGE_ROWS: usize = 50;
/// What the address may ask for, as the API calls it.
const FILTERS: [&str; 5] = ["kind", "subject", "fact", "author", "provider"];
/// Changes of a reload that are shown of each kind.
const CHANGES_SHOWN: usize = 20;

#[derive(Deserialize)]
struct Told {
    data: Vec<Finding>,
    total: u64,
    next: Option<u64>,
    counts: Counts,
    facts: Vec<Count>,
    authors: Vec<Count>,
    providers: Vec<Count>,
    check_days: u64,
    reload: Reload,
}

#[derive(Deserialize)]
struct Finding {
    kind: String,
    subject: String,
    id: String,
    model: Option<String>,
    provider: Option<String>,
    fact: String,
    value: Option<String>,
    source: Option<String>,
    as_of: Option<String>,
    is_undecided: bool,
    others: Vec<Other>,
    due: Option<String>,
}

#[derive(Deserialize)]
struct Other {
    value: String,
    source: String,
    as_of: String,
}

#[derive(Deserialize)]
struct Counts {
    contradiction: u64,
    undecided: u64,
    stale: u64,
    unsourced: u64,
}

#[derive(Deserialize)]
struct Count {
    value: String,
    count: u64,
}

#[derive(Deserialize)]
struct Reload {
    applied: Option<Applied>,
    refused: Option<Refused>,
}

#[derive(Deserialize)]
struct Applied {
    at: String,
    summary: String,
    models_added: Vec<String>,
    models_removed: Vec<String>,
    endpoints_added: Vec<String>,
    endpoints_removed: Vec<String>,
    prices_changed: Vec<String>,
    facts_changed: Vec<Change>,
    deprecations: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    id: String,
    fact: String,
    old: Option<String>,
    new: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    at: String,
    why: Vec<String>,
}

/// A value and who states it.
struct Said {
    value: String,
    origin: Origin,
}

/// A finding for people.
struct Line {
    class: &'static str,
    kind: &'static str,
    name: String,
    href: String,
    id: String,
    here: Option<Said>,
    others: Vec<Said>,
    due: Option<(Shown, String)>,
}

/// What a filter can be set to.
struct Choice {
    value: String,
    name: String,
    count: u64,
    is_here: bool,
}

/// A kind to look at.
struct Kind {
    name: &'static str,
    count: Option<String>,
    href: String,
    is_here: bool,
}

/// What a reload changed, in a word and in ids.
struct Changed {
    what: &'static str,
    ids: Vec<String>,
}

struct Reloaded {
    at: Shown,
    summary: String,
    changed: Vec<Changed>,
}

#[derive(Template)]
#[template(path = "console/server_catalog.html")]
struct Page {
    shell: Frame,
    contradictions: String,
    undecided: String,
    stale: String,
    unsourced: String,
    kinds: Vec<Kind>,
    /// The kind that is asked for; empty: all.
    kind: String,
    subjects: Vec<Choice>,
    facts: Vec<Choice>,
    authors: Vec<Choice>,
    providers: Vec<Choice>,
    is_filtered: bool,
    /// The page without filters.
    plain: String,
    lines: Vec<Line>,
    total: Shown,
    from: u64,
    to: u64,
    earlier: Option<String>,
    later: Option<String>,
    csv: String,
    check_days: u64,
    applied: Option<Reloaded>,
    refused: Option<(Shown, Vec<String>)>,
}

/// `GET /console/server/catalog`.
pub(crate) async fn catalog(signed: Signed) -> Result<Response, Failed> {
    let asked = |name: &str| signed.visit.ask(name).unwrap_or_default().to_owned();
    let offset: u64 = asked("offset").parse().unwrap_or_default();
    let query = |changes: &[(&str, &str)]| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in FILTERS {
            let own = asked(name);
            let value =
                changes.iter().find(|(known, _)| *known == name).map_or(own.as_str(), |(_, value)| value);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let more = changes.iter().filter(|(name, value)| !FILTERS.contains(name) && !value.is_empty());
        for (name, value) in more {
            query.append_pair(name, value);
        }
        query.finish()
    };
    let at = |base: &str, changes: &[(&str, &str)]| match query(changes) {
        query if query.is_empty() => base.to_owned(),
        query => format!("{base}?{query}"),
    };
    let text = |offset: u64| if offset == 0 { String::new() } else { offset.to_string() };
    let path = at("/v1/server/catalog", &[("offset", &text(offset))]);
    let reply = signed.calls.call(Method::GET, &path, None).await;
    let told: Told = reply.read().map_err(|refused| signed.failed(&refused))?;
    let rows = told.data.len() as u64;
    let page = Page {
        shell: Frame::of(&signed, "Catalog", CATALOG),
        kinds: kinds(&told.counts, &asked("kind"), &|kind| at(CATALOG, &[("kind", kind)])),
        subjects: subjects(&asked("subject")),
        facts: choices(told.facts, &asked("fact"), |value| fact::name_of(value).to_owned()),
        authors: choices(told.authors, &asked("author"), str::to_owned),
        providers: choices(told.providers, &asked("provider"), str::to_owned),
        is_filtered: FILTERS.iter().any(|name| *name != "kind" && !asked(name).is_empty()),
        kind: asked("kind"),
        lines: told.data.into_iter().map(|one| line(&signed, one)).collect(),
        total: format::short(told.total),
        from: offset.saturating_add(1),
        to: offset.saturating_add(rows),
        earlier: (offset > 0)
            .then(|| at(CATALOG, &[("offset", &text(offset.saturating_sub(PAGE_ROWS as u64)))])),
        later: told.next.map(|next| at(CATALOG, &[("offset", &text(next))])),
        csv: at("/v1/server/catalog", &[("format", "csv")]),
        contradictions: format::count(told.counts.contradiction),
        undecided: format::count(told.counts.undecided),
        stale: format::count(told.counts.stale),
        unsourced: format::count(told.counts.unsourced),
        plain: at(CATALOG, &[("subject", ""), ("fact", ""), ("author", ""), ("provider", "")]),
        check_days: told.check_days,
        applied: told.reload.applied.map(reloaded),
        refused: told.reload.refused.map(|refused| (amount::instant(&refused.at), refused.why)),
    };
    Ok(shell::private(shell::page(StatusCode::OK, &page)))
}

fn kinds(counts: &Counts, asked: &str, at: &dyn Fn(&str) -> String) -> Vec<Kind> {
    let rows = [
        ("", "All", None),
        ("contradiction", "Contradictions", Some(counts.contradiction)),
        ("stale", "Due to be checked", Some(counts.stale)),
        ("unsourced", "Not sourced", Some(counts.unsourced)),
    ];
    let kind = |(slug, name, count): (&str, &'static str, Option<u64>)| Kind {
        name,
        count: count.map(format::count),
        href: at(slug),
        is_here: slug == asked,
    };
    rows.map(kind).into()
}

fn subjects(asked: &str) -> Vec<Choice> {
    let rows = [("model", "Models"), ("provider", "Providers"), ("endpoint", "Offers")];
    let choice = |(value, name): (&str, &str)| Choice {
        value: value.to_owned(),
        name: name.to_owned(),
        count: 0,
        is_here: value == asked,
    };
    rows.map(choice).into()
}

fn choices(all: Vec<Count>, asked: &str, name: impl Fn(&str) -> String) -> Vec<Choice> {
    let choice = |one: Count| Choice {
        name: name(&one.value),
        is_here: one.value == asked,
        count: one.count,
        value: one.value,
    };
    let mut all: Vec<Choice> = all.into_iter().map(choice).collect();
    // What is asked for stays to be seen, also where nothing is left of it.
    if !asked.is_empty() && !all.iter().any(|one| one.is_here) {
        all.push(Choice { value: asked.to_owned(), name: name(asked), count: 0, is_here: true });
    }
    all
}

/// Where a fact is shown: on the page of its model, offer or provider, at its line.
fn href(one: &Finding) -> String {
    let name = fact::name_of(&one.fact);
    match (one.subject.as_str(), &one.model, &one.provider) {
        ("endpoint", Some(model), Some(provider)) => {
            format!("/{model}/{provider}#{}", fact::anchor_in(&one.id, name))
        }
        ("provider", _, _) => format!("/providers/{}#{}", one.id, fact::anchor(name)),
        _ => format!("/{}#{}", one.id, fact::anchor(name)),
    }
}

fn line(signed: &Signed, one: Finding) -> Line {
    let snapshot = signed.visit.snapshot();
    let said = |value: String, source: &str, as_of: &str| Said {
        value,
        origin: Origin::of(snapshot, source, as_of),
    };
    let (class, kind) = match (one.kind.as_str(), one.is_undecided) {
        ("contradiction", true) => ("bad", "Undecided"),
        ("contradiction", false) => ("warn", "Contradiction"),
        ("stale", _) => ("warn", "Due"),
        _ => ("quiet", "Not sourced"),
    };
    let today = signed.visit.today();
    let due = one.due.as_deref().filter(|_| one.kind == "stale").map(|text| {
        let since = crate::console::period::day_of(text).map(|day| format::age(day, today));
        (format::date(text), since.unwrap_or_default())
    });
    Line {
        class,
        kind,
        href: href(&one),
        name: fact::name_of(&one.fact).to_owned(),
        here: one.value.map(|value| {
            said(value, one.source.as_deref().unwrap_or_default(), one.as_of.as_deref().unwrap_or_default())
        }),
        others: one.others.into_iter().map(|other| said(other.value, &other.source, &other.as_of)).collect(),
        due,
        id: one.id,
    }
}

fn reloaded(applied: Applied) -> Reloaded {
    let fact = |change: Change| {
        let word = |value: Option<String>| value.unwrap_or_else(|| String::from("nothing"));
        format!("{}, {}: {} → {}", change.id, fact::name_of(&change.fact), word(change.old), word(change.new))
    };
    let rows = [
        ("Models added", applied.models_added),
        ("Models gone", applied.models_removed),
        ("Offers added", applied.endpoints_added),
        ("Offers gone", applied.endpoints_removed),
        ("Other prices", applied.prices_changed),
        ("Other facts", applied.facts_changed.into_iter().map(fact).collect()),
        ("About to end", applied.deprecations.into_iter().map(fact).collect()),
    ];
    let changed = |(what, mut ids): (&'static str, Vec<String>)| {
        ids.truncate(CHANGES_SHOWN);
        Changed { what, ids }
    };
    Reloaded {
        at: amount::instant(&applied.at),
        summary: applied.summary,
        changed: rows.into_iter().filter(|(_, ids)| !ids.is_empty()).map(changed).collect(),
    }
}
