//! `/status`: how the gateway is, and how endpoints did over 90 days, out of recorded attempts; `/status.atom`: incidents as a feed.
//! What counts, and what an incident is, is said on the page and in [`crate::uptime`].

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use catalog::Protocol;
use routing::health::Uptime;
use serde_json::{Value, json};

use crate::chart::{Cell, Svg, strip};
use crate::format::{self, Shown};
use crate::markup::escape;
use crate::shell::{self, Shell};
use crate::uptime::{self, Attempted, Attempts, DAYS, FAILED_MIN, FAILED_PERCENT_MIN, Incident};
use crate::visit::Visit;

/// Incidents of the page and the feed.
const INCIDENTS_MAX: usize = 50;
/// Spans whose uptime is told, days; before them the last 24 hours.
const SPANS: [i64; 3] = [7, 30, 90];

/// One endpoint.
struct Line {
    model: String,
    href: Option<String>,
    note: String,
    days: Svg,
    hours: Shown,
    /// Of each span, with how many days it is of where that is fewer.
    shares: Vec<(Shown, String)>,
    ttft: Shown,
}

/// The endpoints of a provider.
struct Group {
    slug: String,
    name: String,
    state: (&'static str, &'static str),
    is_simulated: bool,
    lines: Vec<Line>,
}

/// An incident, in words.
struct Told {
    id: String,
    title: String,
    text: String,
    when: String,
    endpoints: String,
    is_over: bool,
    is_outage: bool,
}

/// One part of the gateway.
struct Part {
    name: &'static str,
    value: String,
    is_good: bool,
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page {
    shell: Shell,
    headline: (&'static str, &'static str, String),
    parts: Vec<Part>,
    groups: Vec<Group>,
    untried: String,
    untried_count: usize,
    incidents: Vec<Told>,
    more_incidents: usize,
    is_unavailable: bool,
    failed_min: u64,
    percent_min: u64,
    days: i64,
}

pub(crate) async fn status(visit: Visit) -> Response {
    let attempts = visit.site.attempts().await;
    let is_unavailable = attempts.is_none();
    let attempts = attempts.unwrap_or_default();
    let incidents = incidents(&visit, &attempts);
    if visit.is_json {
        return match is_unavailable {
            true => crate::rankings::unavailable(),
            false => shell::json(&twin(&visit, &attempts, &incidents)),
        };
    }
    shell::page(StatusCode::OK, &page(&visit, &attempts, &incidents, is_unavailable))
}

/// The incidents, newest first. Models of the sandbox fail because they are asked to: that is none.
fn incidents(visit: &Visit, attempts: &Attempts) -> Vec<Incident> {
    let mut all = uptime::incidents(&attempts.bad, visit.now);
    all.retain(|incident| !is_simulated(visit, &incident.provider));
    all
}

/// Whether this provider's answers are made up here.
fn is_simulated(visit: &Visit, provider: &str) -> bool {
    let found = visit.snapshot().provider(provider);
    found.is_some_and(|(_, provider)| provider.protocol == Protocol::Sandbox)
}

/// What is known of one endpoint.
struct Known {
    endpoint: String,
    /// [`DAYS`] of them.
    days: Vec<Option<Uptime>>,
    hours: Attempted,
    all: Attempted,
}

/// Endpoints that were tried, in their order.
fn known(attempts: &Attempts, today: i64) -> Vec<Known> {
    let mut all: BTreeMap<&str, Known> = BTreeMap::new();
    let slots = usize::try_from(DAYS).unwrap_or_default();
    let first = today - DAYS + 1;
    for row in &attempts.days {
        let known = all.entry(&row.endpoint).or_insert_with(|| Known {
            endpoint: row.endpoint.clone(),
            days: vec![None; slots],
            hours: Attempted::default(),
            all: Attempted::default(),
        });
        known.all.add(&row.attempted);
        if let Some(slot) = usize::try_from(row.at - first).ok().and_then(|slot| known.days.get_mut(slot)) {
            *slot = Some(row.attempted.uptime());
        }
    }
    for row in &attempts.hours {
        if let Some(known) = all.get_mut(row.endpoint.as_str()) {
            known.hours.add(&row.attempted);
        }
    }
    all.into_values().collect()
}

/// The last so many days of those that are known.
fn last(days: &[Option<Uptime>], count: i64) -> &[Option<Uptime>] {
    let count = usize::try_from(count).unwrap_or_default();
    days.get(days.len().saturating_sub(count)..).unwrap_or_default()
}

fn page(visit: &Visit, attempts: &Attempts, incidents: &[Incident], is_unavailable: bool) -> Page {
    let state = visit.site.status(None);
    let known = known(attempts, visit.today());
    let groups = groups(visit, &known, incidents);
    let untried = untried(visit, &known);
    let open = incidents.iter().filter(|incident| !incident.is_over).count();
    let headline = match (state.ready, open) {
        (false, _) => {
            ("bad", "Not ready", format!("{}.", state.not_ready_reason.clone().unwrap_or_default()))
        }
        (true, _) if is_unavailable => ("warn", "Ready", "Its records can't be read right now.".to_owned()),
        (true, 0) if known.is_empty() => ("good", "Ready", "Nothing was asked of it yet.".to_owned()),
        (true, 0) => ("good", "Ready", "No incident is under way.".to_owned()),
        (true, open) => {
            ("warn", "Ready", format!("{} under way.", format::count_of(open as u64, "incident")))
        }
    };
    let about = "How the gateway and each endpoint behind it are doing: uptime by day over 90 days and incidents, out of recorded attempts.";
    Page {
        shell: Shell::of(&visit.place, "Status", "/status", "/status").about(about),
        headline,
        parts: parts(visit),
        groups,
        untried: format::count_of(
            untried as u64,
            if known.is_empty() { "endpoint" } else { "other endpoint" },
        ),
        untried_count: untried,
        incidents: incidents.iter().take(INCIDENTS_MAX).map(|incident| told(visit, incident)).collect(),
        more_incidents: incidents.len().saturating_sub(INCIDENTS_MAX),
        is_unavailable,
        failed_min: FAILED_MIN,
        percent_min: FAILED_PERCENT_MIN,
        days: DAYS,
    }
}

fn parts(visit: &Visit) -> Vec<Part> {
    let state = visit.site.status(None);
    let reason = state.not_ready_reason.as_deref().unwrap_or_default();
    let is_well = |word: &str| !reason.contains(word);
    let says = |is_well: bool, well: &str| if is_well { well.to_owned() } else { reason.to_owned() };
    vec![
        Part {
            name: "Store",
            value: says(is_well("store"), &format!("{}, answers", state.store)),
            is_good: is_well("store"),
        },
        Part { name: "Journal", value: says(is_well("journal"), "is written"), is_good: is_well("journal") },
        Part { name: "Running for", value: format::duration(state.uptime_s), is_good: true },
        Part { name: "Version", value: visit.place.version.clone(), is_good: true },
    ]
}

/// Endpoints that are on and that nobody tried.
fn untried(visit: &Visit, known: &[Known]) -> usize {
    let conditions = visit.world.conditions();
    let on = visit.snapshot().endpoints.iter().enumerate().filter(|(at, _)| conditions.switched_on(*at));
    on.filter(|(_, endpoint)| !known.iter().any(|known| *known.endpoint == *endpoint.id)).count()
}

fn groups(visit: &Visit, known: &[Known], incidents: &[Incident]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for known in known {
        let provider = known.endpoint.split('/').next().unwrap_or_default();
        if groups.last().is_none_or(|group| group.slug != provider) {
            let open = incidents.iter().find(|one| !one.is_over && one.provider == provider);
            let is_simulated = is_simulated(visit, provider);
            groups.push(Group {
                slug: provider.to_owned(),
                name: provider_name(visit, provider),
                state: match open {
                    _ if is_simulated => ("warn", "Simulated"),
                    None => ("good", "No incident"),
                    Some(one) if one.is_outage => ("bad", "Outage"),
                    Some(_) => ("warn", "Many failures"),
                },
                is_simulated,
                lines: Vec::new(),
            });
        }
        if let Some(group) = groups.last_mut() {
            group.lines.push(line(visit, known));
        }
    }
    groups.sort_by_key(|group| group.is_simulated);
    groups
}

fn provider_name(visit: &Visit, slug: &str) -> String {
    let found = visit.snapshot().provider(slug);
    found.map_or_else(|| slug.to_owned(), |(_, provider)| provider.name.to_string())
}

fn line(visit: &Visit, known: &Known) -> Line {
    let snapshot = visit.snapshot();
    let endpoint = snapshot.endpoint(&known.endpoint);
    let model = endpoint.and_then(|endpoint| snapshot.models.get(endpoint.model));
    let cells: Vec<Cell> = known.days.iter().map(|day| uptime::cell(*day)).collect();
    let share = uptime::share(uptime::sum(&known.days));
    let tried = known.days.iter().flatten().count();
    let label = format!(
        "{}, last {DAYS} days: {} of attempts answered, on {} with any",
        known.endpoint,
        share.text(),
        format::count_of(tried as u64, "day")
    );
    let ttft = (known.hours.ttft_count > 0).then(|| {
        let mean = known.hours.ttft_us as f64 / known.hours.ttft_count as f64 / 1_000.0;
        Shown::both(
            format::milliseconds(mean).short,
            format!("mean of {} in the last 24 hours", format::count_of(known.hours.ttft_count, "stream")),
        )
    });
    Line {
        model: model.map_or_else(|| known.endpoint.clone(), |model| model.name.clone()),
        href: model.map(|model| format!("/{}", model.id)),
        note: known.endpoint.clone(),
        days: strip(&label, &cells),
        hours: uptime::share(known.hours.uptime()),
        shares: spans(&known.days),
        ttft: ttft.unwrap_or_else(Shown::unknown),
    }
}

/// The share of each span. Where the records of an endpoint begin within a span it says of how many days it is; where they tell no
/// more than the span before, it is unknown.
fn spans(days: &[Option<Uptime>]) -> Vec<(Shown, String)> {
    let recorded = days.iter().position(Option::is_some).map_or(0, |first| days.len() - first);
    let recorded = i64::try_from(recorded).unwrap_or_default();
    let before = [1].into_iter().chain(SPANS);
    let span = |(days_of, before): (i64, i64)| match recorded {
        few if few <= before => (Shown::unknown(), String::new()),
        few if few < days_of => (uptime::share(uptime::sum(days)), format!("of {few} days")),
        _ => (uptime::share(uptime::sum(last(days, days_of))), String::new()),
    };
    SPANS.into_iter().zip(before).map(span).collect()
}

/// Between which hours an incident was, as calls are counted by the hour.
fn when(incident: &Incident) -> String {
    let until = if incident.is_over { incident.until } else { incident.first_until() };
    let (from, until) = (format::instant(incident.from).short, format::instant(until).short);
    let (day, first) = from.split_once(", ").unwrap_or(("", &from));
    let (last_day, last) = until.split_once(", ").unwrap_or(("", &until));
    let first = first.trim_end_matches(" UTC");
    let times = match last_day == day {
        true => format!("between {first} and {last} on {day}"),
        false => format!("between {first} on {day} and {last} on {last_day}"),
    };
    if incident.is_over { format!("Failed {times}") } else { format!("Began {times}") }
}

fn told(visit: &Visit, incident: &Incident) -> Told {
    Told {
        id: incident.id.clone(),
        title: incident.title(&provider_name(visit, &incident.provider)),
        text: incident.text(),
        when: when(incident),
        endpoints: format::list(&incident.endpoints),
        is_over: incident.is_over,
        is_outage: incident.is_outage,
    }
}

fn told_uptime(of: Uptime) -> Value {
    let all = of.answered + of.failed;
    let share = (all > 0).then(|| of.answered as f64 / all as f64);
    json!({ "answered": of.answered, "failed": of.failed, "rate_limited": of.busy, "share": share })
}

fn twin(visit: &Visit, attempts: &Attempts, incidents: &[Incident]) -> Value {
    let state = visit.site.status(None);
    let first = visit.today() - DAYS + 1;
    let endpoints = known(attempts, visit.today()).into_iter().map(|known| {
        let days = known.days.iter().zip(first..).filter_map(|(day, at)| {
            let mut told = told_uptime((*day)?);
            told.as_object_mut()?.insert("day".to_owned(), format::iso_day(at).into());
            Some(told)
        });
        let span = |days| told_uptime(uptime::sum(last(&known.days, days)));
        json!({
            "endpoint": known.endpoint,
            "first_day": known.days.iter().zip(first..).find_map(|(day, at)| day.map(|_| format::iso_day(at))),
            "last_24_h": told_uptime(known.hours.uptime()),
            "last_7_d": span(7),
            "last_30_d": span(30),
            "last_90_d": span(90),
            "days": days.collect::<Vec<_>>(),
        })
    });
    let incidents = incidents.iter().map(|incident| {
        json!({
            "id": incident.id,
            "provider": incident.provider,
            "endpoints": incident.endpoints,
            "from": format::rfc3339(incident.from),
            "until": incident.is_over.then(|| format::rfc3339(incident.until)),
            "kind": if incident.is_outage { "outage" } else { "failures" },
            "answered": incident.attempted.answered,
            "failed": incident.attempted.failed(),
        })
    });
    json!({
        "gateway": {
            "ready": state.ready,
            "reason": state.not_ready_reason,
            "store": state.store,
            "version": visit.place.version,
            "running_s": state.uptime_s,
        },
        "method": {
            "bad_hour_failed_min": FAILED_MIN,
            "bad_hour_failed_percent_min": FAILED_PERCENT_MIN,
            "days": DAYS,
        },
        "endpoints": endpoints.collect::<Vec<_>>(),
        "incidents": incidents.collect::<Vec<_>>(),
    })
}

/// The incidents as an Atom feed (RFC 4287). An entry keeps its id while its incident goes on, and is as old as its last change: hours
/// are what is recorded, so nothing is told of when within one it began.
pub(crate) async fn feed(visit: Visit) -> Response {
    let Some(attempts) = visit.site.attempts().await else { return crate::rankings::unavailable() };
    let incidents = incidents(&visit, &attempts);
    let headers = [
        (CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, atom(&visit, &incidents)).into_response()
}

fn atom(visit: &Visit, incidents: &[Incident]) -> String {
    let page = escape(&format!("{}/status", visit.place.base_url));
    let brand = escape(&visit.place.brand);
    let updated = incidents.iter().map(Incident::changed).max();
    let updated = updated.unwrap_or_else(|| crate::feeds::catalog_date(visit.snapshot()));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>{page}.atom</id>\n\
         <title>Incidents at {brand}</title>\n<updated>{}</updated>\n<author><name>{brand}</name></author>\n\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{page}.atom\"/>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{page}\"/>\n",
        format::rfc3339(updated),
    );
    for incident in incidents.iter().take(INCIDENTS_MAX) {
        let told = told(visit, incident);
        let state = if told.is_over { "Over." } else { "Under way." };
        text.push_str(&format!(
            "<entry>\n<id>{page}#{id}</id>\n<title>{}</title>\n<updated>{}</updated>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"{page}#{id}\"/>\n<summary>{}</summary>\n</entry>\n",
            escape(&told.title),
            format::rfc3339(incident.changed()),
            escape(&format!("{state} {}. {} {}", told.when, told.text, told.endpoints)),
            id = escape(&told.id),
        ));
    }
    text.push_str("</feed>\n");
    text
}

#[cfg(test)]
mod tests;
