//! What a model's page shows of everybody's use and of its endpoints over months: parts for templates (`activity.html`), made from
//! the same numbers, under the same rules, as `/rankings` and `/status`.

use askama::Template;
use axum::http::HeaderMap;
use routing::health::Uptime;

use crate::chart::{self, Axis, Cell, Chart, Frame, Points, Series, Svg, strip};
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::popularity;
use crate::rankings::{self, Line};
use crate::traffic::{self, UseAsk, UseBy, View};
use crate::uptime;
use crate::visit::Visit;

/// Days that are looked at.
const DAYS: i64 = 30;
/// Apps that are named.
const APPS_MAX: usize = 10;

/// Use of a model, and the apps that use it.
#[derive(Template)]
#[template(path = "activity.html")]
pub(crate) struct Activity {
    pub(crate) window: String,
    pub(crate) stats: Vec<Stat>,
    pub(crate) chart: Option<Chart>,
    /// Its apps.
    pub(crate) lines: Vec<Line>,
    pub(crate) other: Option<Line>,
    pub(crate) noun: &'static str,
    pub(crate) has_spend: bool,
}

/// The use of a model by everybody over 30 days; `None`: there was too little to show, it is not public, or the store doesn't answer.
pub(crate) async fn of_model(visit: &Visit, headers: &HeaderMap, model: &str) -> Option<Activity> {
    let viewer = visit.site.viewer(headers).await;
    let view = View::of(visit.site.ranking_rules(), viewer).ok()?;
    let window = rankings::window(visit, DAYS);
    let ask = |by| UseAsk { model: Some(model.to_owned()), ..UseAsk::all(by, window.asked()) };
    let rows = visit.site.traffic(ask(UseBy::Model)).await?;
    let all = traffic::rank(&rows, window, view, |value| (!value.is_empty()).then(|| value.to_owned()));
    // Folded: nothing of it is shown.
    let rank = all.ranks.first()?;
    let apps = visit.site.traffic(ask(UseBy::App)).await?;
    let apps = traffic::rank(&apps, window, view, traffic::app_slug);
    let lines = apps.ranks.iter().take(APPS_MAX).enumerate().map(|(at, app)| {
        let named = (app.name.clone(), String::new(), Some(rankings::app_path(&app.key)));
        rankings::line(at + 1, named, app, rank.now)
    });
    let lines: Vec<Line> = lines.collect();
    let mut stats = rankings::stats(&all, view);
    if let Some((place, of)) = popularity::of(visit, headers).await.and_then(|known| {
        let place = known.of(model)?.place;
        Some((place, known.ranked()))
    }) {
        let note = format!("of {} by tokens", format::count_of(of as u64, "model"));
        stats.push(Stat { name: "Place", value: Shown::same(format::count(place as u64)), note });
    }
    Some(Activity {
        window: rankings::span_of(window),
        stats,
        chart: rankings::chart("activity-by-day", window, &all, |_| "Tokens".to_owned()),
        other: apps
            .other
            .as_ref()
            .filter(|_| !lines.is_empty())
            .map(|other| rankings::line(0, Default::default(), other, rank.now)),
        lines,
        noun: "App",
        has_spend: view.has_spend,
    })
}

/// Fewer streams make no mean of an hour.
pub(crate) const STREAMS_MIN: u64 = 5;
/// Endpoints whose hours are drawn, as many as there are colors: those with the most streams.
const LINES_MAX: usize = 5;
const HOURS: i64 = 24;
const HOUR_S: i64 = 3_600;

/// The mean time to the first byte at each endpoint of a model, by the hour; `None`: no two hours of any have enough streams.
pub(crate) async fn by_hour(visit: &Visit, model: usize) -> Option<Chart> {
    let attempts = visit.site.attempts().await?;
    let snapshot = visit.snapshot();
    let now = visit.now.seconds().div_euclid(HOUR_S);
    let mut all: Vec<(u64, String, Points)> = Vec::new();
    for endpoint in snapshot.model_endpoints(model) {
        let own = uptime::of_endpoint(&attempts.hours, &endpoint.id);
        let mean = |hour: i64| {
            let tried = own.iter().find(|row| row.at == hour)?.attempted;
            (tried.ttft_count >= STREAMS_MIN).then(|| tried.ttft_us as f64 / tried.ttft_count as f64 / 1e3)
        };
        let points: Points = (now - HOURS + 1..=now).map(|hour| (hour as f64, mean(hour))).collect();
        if points.iter().filter(|(_, mean)| mean.is_some()).count() > 1 {
            let provider = endpoint.provider_in(snapshot).map_or("its provider", |provider| &provider.name);
            let name = match &endpoint.variant {
                Some(variant) => format!("{provider} ({variant})"),
                None => provider.to_owned(),
            };
            all.push((own.iter().map(|row| row.attempted.ttft_count).sum(), name, points));
        }
    }
    all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    all.truncate(LINES_MAX);
    let series: Vec<Series<'_>> = all.iter().map(|(_, name, points)| Series { name, points }).collect();
    let show_hour = |hour: f64| format!("{:02}:00", (hour as i64).rem_euclid(HOURS));
    let title = match all.as_slice() {
        [(_, name, _)] => format!("First byte by the hour: {name}"),
        _ => "First byte by the hour".to_owned(),
    };
    let frame = Frame {
        id: "first-byte-by-hour",
        title: &title,
        x: Axis { title: "the last 24 hours, UTC", show: &show_hour },
        y: Axis { title: "Mean, milliseconds", show: &|ms| format!("{ms:.0}") },
    };
    (!series.is_empty()).then(|| chart::lines(&frame, &series))
}

/// An endpoint's days: one bar each, and what share of attempts was answered.
pub(crate) struct Days {
    pub(crate) endpoint: String,
    pub(crate) strip: Svg,
    pub(crate) share: Shown,
    /// Days with any attempt.
    pub(crate) tried: usize,
}

/// The days of a model's endpoints.
#[derive(Template)]
#[template(path = "activity_days.html")]
struct AllDays {
    days: i64,
    lines: Vec<Days>,
}

/// The last so many days of an endpoint; `None`: nothing was tried, or the store doesn't answer.
pub(crate) async fn days_of(visit: &Visit, endpoint: &str, days: i64) -> Option<Days> {
    let all: Vec<Option<Uptime>> = visit.site.uptime(endpoint, days).await?;
    let tried = all.iter().flatten().count();
    let share = uptime::share(uptime::sum(&all));
    let cells: Vec<Cell> = all.iter().map(|day| uptime::cell(*day)).collect();
    let label = format!(
        "Last {}: {} of attempts answered, on {} with any",
        format::count_of(days.unsigned_abs(), "day"),
        share.text(),
        format::count_of(tried as u64, "day")
    );
    (tried > 0).then(|| Days { endpoint: endpoint.to_owned(), strip: strip(&label, &cells), share, tried })
}

/// Sections of a model's page, and which of them there are.
#[derive(Default)]
pub(crate) struct Sections {
    pub(crate) html: String,
    pub(crate) has_days: bool,
    pub(crate) has_activity: bool,
    pub(crate) has_apps: bool,
}

/// The sections of a model's page: its days, its use, its apps. Empty where nothing is known of any.
pub(crate) async fn sections(visit: &Visit, headers: &HeaderMap, model: usize) -> Sections {
    let snapshot = visit.snapshot();
    let mut sections = Sections::default();
    let Some(id) = snapshot.models.get(model).map(|model| model.id.to_string()) else { return sections };
    let mut lines = Vec::new();
    for endpoint in snapshot.endpoints.iter().filter(|endpoint| endpoint.model == model) {
        lines.extend(days_of(visit, &endpoint.id, uptime::DAYS).await);
    }
    if !lines.is_empty() {
        sections.has_days = true;
        sections.html.push_str(&AllDays { days: uptime::DAYS, lines }.render().unwrap_or_default());
    }
    if let Some(activity) = of_model(visit, headers, &id).await {
        (sections.has_activity, sections.has_apps) = (true, !activity.lines.is_empty());
        sections.html.push_str(&activity.render().unwrap_or_default());
    }
    sections
}

#[cfg(test)]
mod tests;
