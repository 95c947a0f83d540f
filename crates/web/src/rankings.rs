//! `/rankings`: what is used here, by model, author, app or kind of work, out of the calls of this place. What of it is public, and
//! how few stand behind a name to be folded, is in [`crate::traffic`].

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use types::Money;

use crate::chart::{Axis, Chart, Frame, Stack, State, stacked};
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::shell::{self, Shell};
use crate::traffic::{self, Rank, Ranking, UseAsk, UseBy, UseSums, View, Viewer, Window};
use crate::visit::Visit;

/// Names of one table.
const ROWS_MAX: usize = 50;
/// Names of one chart; the rest is one more color.
const NAMES_MAX: usize = 4;

/// What is ranked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Model,
    Author,
    App,
    Task,
}

impl By {
    const ALL: [(By, &str, &str, &str); 4] = [
        (By::Model, "model", "Models", "model"),
        (By::Author, "author", "Authors", "author"),
        (By::App, "app", "Apps", "app"),
        (By::Task, "task", "Kinds of work", "kind of work"),
    ];

    fn asked(self) -> UseBy {
        match self {
            By::Model | By::Author => UseBy::Model,
            By::App => UseBy::App,
            By::Task => UseBy::Task,
        }
    }
}

/// How long is looked back.
const SPANS: [(&str, &str, i64); 3] = [("day", "Day", 1), ("week", "Week", 7), ("month", "Month", 30)];
/// What the table is sorted by.
const SORTS: [&str; 4] = ["tokens", "requests", "accounts", "spend"];

/// One of a few, as links.
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) href: String,
    pub(crate) is_here: bool,
}

/// A row.
pub(crate) struct Line {
    pub(crate) place: usize,
    pub(crate) name: String,
    /// A name of its own below the first.
    pub(crate) id: String,
    pub(crate) href: Option<String>,
    pub(crate) tokens: Shown,
    pub(crate) share: Shown,
    pub(crate) change: Shown,
    pub(crate) requests: Shown,
    pub(crate) accounts: usize,
    pub(crate) spend: Shown,
}

/// A column that the table can be sorted by.
struct Head {
    name: &'static str,
    unit: &'static str,
    href: String,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "rankings.html")]
struct Rankings {
    shell: Shell,
    by: Vec<Choice>,
    spans: Vec<Choice>,
    noun: &'static str,
    window: String,
    is_today: bool,
    is_task: bool,
    stats: Vec<Stat>,
    chart: Option<Chart>,
    heads: Vec<Head>,
    lines: Vec<Line>,
    other: Option<Line>,
    folded: String,
    has_spend: bool,
    is_whole: bool,
    accounts_min: String,
    requests_min: String,
    /// Why there is nothing to see.
    closed: Option<&'static str>,
    is_unavailable: bool,
    json_path: String,
    brand_slug: String,
}

/// What was asked for.
#[derive(Clone, Copy)]
struct Asked {
    by: (By, &'static str, &'static str, &'static str),
    span: (&'static str, &'static str, i64),
    sort: &'static str,
}

impl Asked {
    fn of(visit: &Visit) -> Asked {
        let [first, ..] = By::ALL;
        let [_, week, _] = SPANS;
        let [tokens, ..] = SORTS;
        let is = |name: &str, value: &str| visit.ask(name).is_some_and(|asked| asked == value);
        Asked {
            by: By::ALL.into_iter().find(|by| is("by", by.1)).unwrap_or(first),
            span: SPANS.into_iter().find(|span| is("span", span.0)).unwrap_or(week),
            sort: SORTS.into_iter().find(|sort| is("sort", sort)).unwrap_or(tokens),
        }
    }

    /// The address of the same with something else.
    fn address(self, path: &str) -> String {
        let sort = if self.sort == "tokens" { String::new() } else { format!("&sort={}", self.sort) };
        format!("{path}?by={}&span={}{sort}", self.by.1, self.span.0)
    }
}

pub(crate) async fn rankings(visit: Visit, headers: HeaderMap) -> Response {
    let mut asked = Asked::of(&visit);
    let viewer = visit.site.viewer(&headers).await;
    let rules = visit.site.ranking_rules();
    let view = match View::of(rules, viewer) {
        Ok(view) => view,
        Err(why) if visit.is_json => return refused(why),
        Err(why) => return shell::page(StatusCode::FORBIDDEN, &closed(&visit, asked, Some(why))),
    };
    if asked.sort == "spend" && !view.has_spend {
        // The order alone would tell of it.
        [asked.sort, ..] = SORTS;
    }
    let window = window(&visit, asked.span.2);
    let rows = visit.site.traffic(UseAsk::all(asked.by.0.asked(), window.asked())).await;
    let Some(rows) = rows else {
        return if visit.is_json {
            unavailable()
        } else {
            shell::page(StatusCode::SERVICE_UNAVAILABLE, &closed(&visit, asked, None))
        };
    };
    let ranking = traffic::rank(&rows, window, view, |value| key(&visit, asked.by.0, value));
    let answer = if visit.is_json {
        shell::json(&twin(&visit, asked, window, view, &ranking))
    } else {
        shell::page(StatusCode::OK, &page(&visit, asked, window, view, &ranking))
    };
    for_viewer(answer, viewer)
}

/// What an account sees by its session is nobody else's: no cache between us keeps it.
pub(crate) fn for_viewer(mut answer: Response, viewer: Viewer) -> Response {
    if viewer != Viewer::Anyone {
        let private = axum::http::HeaderValue::from_static("private, no-store");
        answer.headers_mut().insert(axum::http::header::CACHE_CONTROL, private);
    }
    answer
}

pub(crate) fn refused(why: &str) -> Response {
    let error = json!({ "error": { "code": 403, "type": "not_public", "message": why } });
    (StatusCode::FORBIDDEN, shell::json(&error)).into_response()
}

pub(crate) fn unavailable() -> Response {
    let error = json!({ "error": { "code": 503, "type": "store_unavailable", "message": "The store doesn't answer; try again." } });
    (StatusCode::SERVICE_UNAVAILABLE, shell::json(&error)).into_response()
}

pub(crate) fn window(visit: &Visit, days: i64) -> Window {
    Window { today: visit.today(), days, charted: days.max(7) }
}

fn key(visit: &Visit, by: By, value: &str) -> Option<String> {
    match by {
        _ if value.is_empty() => None,
        By::Model | By::Author if visit.is_sandbox(value) => None,
        By::Model | By::Task => Some(value.to_owned()),
        By::Author => value.split_once('/').map(|(author, _)| author.to_owned()),
        By::App => traffic::app_slug(value),
    }
}

/// The span in words: `16 Mar 2026 – 22 Mar 2026, UTC`.
pub(crate) fn span_of(window: Window) -> String {
    let last = format::day(window.today).short;
    if window.days == 1 {
        format!("{last}, UTC")
    } else {
        format!("{} – {last}, UTC", format::day(window.first()).short)
    }
}

/// Its name for people, and its page where it has one.
fn named(visit: &Visit, by: By, rank: &Rank) -> (String, String, Option<String>) {
    let snapshot = visit.snapshot();
    match by {
        By::Model => model_named(visit, &rank.key),
        By::Author => {
            let name =
                snapshot.author(&rank.key).map_or_else(|| rank.key.clone(), |author| author.name.clone());
            (name, String::new(), None)
        }
        By::App => (rank.name.clone(), String::new(), Some(app_path(&rank.key))),
        By::Task => {
            let mut name = rank.key.clone();
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            (name, String::new(), None)
        }
    }
}

/// A model's name, its id where that is another, and its page where it has one.
pub(crate) fn model_named(visit: &Visit, id: &str) -> (String, String, Option<String>) {
    let snapshot = visit.snapshot();
    let model = snapshot.resolve(id).and_then(|at| snapshot.models.get(at));
    match model.filter(|model| *model.id == *id) {
        Some(model) => (model.name.clone(), id.to_owned(), Some(format!("/{id}"))),
        None => (id.to_owned(), String::new(), None),
    }
}

/// The path of an app's page.
pub(crate) fn app_path(slug: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(slug.as_bytes()).collect();
    format!("/apps/{encoded}")
}

pub(crate) fn line(
    place: usize,
    (name, id, href): (String, String, Option<String>),
    rank: &Rank,
    total: UseSums,
) -> Line {
    Line {
        place,
        name,
        id,
        href,
        tokens: format::short(rank.now.tokens()),
        share: format::percent(rank.now.tokens(), total.tokens()),
        change: traffic::change(rank),
        requests: format::short(rank.now.requests),
        accounts: rank.accounts,
        spend: format::total(rank.now.charged),
    }
}

fn sorted(ranking: &Ranking, sort: &str) -> Vec<Rank> {
    let mut ranks = ranking.ranks.clone();
    match sort {
        "requests" => ranks.sort_by_key(|rank| std::cmp::Reverse(rank.now.requests)),
        "accounts" => ranks.sort_by_key(|rank| std::cmp::Reverse(rank.accounts)),
        "spend" => ranks.sort_by_key(|rank| std::cmp::Reverse(rank.now.charged)),
        _ => (),
    }
    ranks
}

/// Tokens of each day, the largest names apart.
pub(crate) fn chart(
    id: &str,
    window: Window,
    ranking: &Ranking,
    name: impl Fn(&Rank) -> String,
) -> Option<Chart> {
    let named: Vec<&Rank> = ranking.ranks.iter().take(NAMES_MAX).collect();
    let rest: Vec<&Rank> = ranking.ranks.iter().skip(NAMES_MAX).chain(&ranking.other).collect();
    let mut names: Vec<String> = named.iter().map(|rank| name(rank)).collect();
    if !rest.is_empty() {
        names.push("Other".to_owned());
    }
    let of_day = |rank: &Rank, slot: usize| rank.days.get(slot).copied().unwrap_or_default();
    let slots = 0..usize::try_from(window.charted).unwrap_or_default();
    let bars = slots.zip(window.first_charted()..).map(|(slot, day)| {
        let title = format::day(day).short;
        let mut parts: Vec<f64> = named.iter().map(|rank| of_day(rank, slot) as f64).collect();
        if !rest.is_empty() {
            parts.push(rest.iter().map(|rank| of_day(rank, slot)).sum::<u64>() as f64);
        }
        Stack { label: title.get(..title.len().saturating_sub(5)).unwrap_or(&title).to_owned(), title, parts }
    });
    let bars: Vec<Stack> = bars.collect();
    let show_y = |value: f64| format::short(value as u64).short;
    let show_x = |value: f64| format::day(window.first_charted() + value as i64).short;
    let frame = Frame {
        id,
        title: "Tokens by day",
        x: Axis { title: "Day, UTC", show: &show_x },
        y: Axis { title: "Tokens", show: &show_y },
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Some(stacked(&frame, &names, &bars)).filter(|chart| chart.state != State::Empty)
}

pub(crate) fn stats(ranking: &Ranking, view: View) -> Vec<Stat> {
    let stat = |name, value, note: &str| Stat { name, value, note: note.to_owned() };
    let mut stats = vec![
        stat("Tokens", format::short(ranking.total.tokens()), "in and out"),
        stat("Requests", format::short(ranking.total.requests), "answered or not"),
    ];
    // How many there are tells nothing of anybody once they are many enough to stand behind a name.
    if view.is_whole || ranking.accounts >= view.rules.accounts_min {
        stats.push(stat("Accounts", Shown::same(format::count(ranking.accounts as u64)), "that used any"));
    }
    if view.has_spend {
        stats.push(stat("Spend", format::total(ranking.total.charged), "charged, corrections included"));
    }
    stats
}

fn choices(asked: Asked) -> (Vec<Choice>, Vec<Choice>) {
    let by = By::ALL.into_iter().map(|by| Choice {
        name: by.2,
        href: Asked { by, ..asked }.address("/rankings"),
        is_here: by.0 == asked.by.0,
    });
    let spans = SPANS.into_iter().map(|span| Choice {
        name: span.1,
        href: Asked { span, ..asked }.address("/rankings"),
        is_here: span == asked.span,
    });
    (by.collect(), spans.collect())
}

/// The page without numbers: `why`, or because the store doesn't answer.
fn closed(visit: &Visit, asked: Asked, why: Option<&'static str>) -> Rankings {
    let view = View { is_whole: false, has_spend: false, rules: visit.site.ranking_rules() };
    let mut page = page(visit, asked, window(visit, asked.span.2), view, &Ranking::default());
    (page.closed, page.is_unavailable) = (why, why.is_none());
    page
}

fn page(visit: &Visit, asked: Asked, window: Window, view: View, ranking: &Ranking) -> Rankings {
    let by = asked.by.0;
    let about = "What is used here most: models, authors, apps and kinds of work by tokens, requests and accounts, counted \
                 from the calls of this gateway.";
    let ranks = sorted(ranking, asked.sort);
    let lines = ranks.iter().take(ROWS_MAX).enumerate();
    let heads = [
        ("tokens", "Tokens", "in and out"),
        ("requests", "Requests", ""),
        ("accounts", "Accounts", ""),
        ("spend", "Spend", "$"),
    ];
    let heads = heads.into_iter().filter(|(sort, ..)| *sort != "spend" || view.has_spend);
    let (choices, spans) = choices(asked);
    Rankings {
        shell: Shell::of(&visit.place, "Rankings", "/rankings", "/rankings").about(about),
        by: choices,
        spans,
        noun: asked.by.3,
        window: span_of(window),
        is_today: window.days == 1,
        is_task: by == By::Task,
        stats: if ranking.total.requests == 0 { Vec::new() } else { stats(ranking, view) },
        chart: chart("by-day", window, ranking, |rank| named(visit, by, rank).0),
        heads: heads
            .map(|(sort, name, unit)| Head {
                name,
                unit,
                href: Asked {
                    sort: SORTS.into_iter().find(|known| *known == sort).unwrap_or("tokens"),
                    ..asked
                }
                .address("/rankings"),
                is_here: sort == asked.sort,
            })
            .collect(),
        lines: lines.map(|(at, rank)| line(at + 1, named(visit, by, rank), rank, ranking.total)).collect(),
        other: ranking.other.as_ref().map(|rank| line(0, Default::default(), rank, ranking.total)),
        folded: format::count_of(ranking.folded as u64, "name"),
        has_spend: view.has_spend,
        is_whole: view.is_whole,
        accounts_min: format::count_of(view.rules.accounts_min as u64, "account"),
        requests_min: format::count_of(view.rules.requests_min, "request"),
        closed: None,
        is_unavailable: false,
        json_path: asked.address("/rankings.json"),
        brand_slug: visit.place.brand_slug.clone(),
    }
}

/// The window for programs.
pub(crate) fn told_window(window: Window) -> Value {
    json!({ "from": format::iso_day(window.first()), "to": format::iso_day(window.today), "days": window.days })
}

/// Sums for programs. Amounts are decimal text.
pub(crate) fn told_sums(sums: UseSums, has_spend: bool) -> Value {
    let mut told = json!({
        "tokens": sums.tokens(),
        "input_tokens": sums.input,
        "output_tokens": sums.output,
        "requests": sums.requests,
    });
    if let Some(fields) = told.as_object_mut().filter(|_| has_spend) {
        fields.insert("spend_usd".to_owned(), Money::to_string(&sums.charged).into());
    }
    told
}

/// A rank for programs.
pub(crate) fn told_rank(place: usize, rank: &Rank, total: UseSums, view: View) -> Value {
    let mut told = told_sums(rank.now, view.has_spend);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("rank".to_owned(), place.into());
        fields.insert("accounts".to_owned(), rank.accounts.into());
        let share = (total.tokens() > 0).then(|| rank.now.tokens() as f64 / total.tokens() as f64);
        fields.insert("share".to_owned(), json!(share));
        fields
            .insert("before".to_owned(), json!(rank.before.map(|before| told_sums(before, view.has_spend))));
    }
    told
}

/// How few are folded, for programs.
pub(crate) fn told_rules(view: View) -> Value {
    json!({ "accounts_min": view.rules.accounts_min, "requests_min": view.rules.requests_min, "applies": !view.is_whole })
}

fn twin(visit: &Visit, asked: Asked, window: Window, view: View, ranking: &Ranking) -> Value {
    let ranks = sorted(ranking, asked.sort);
    let data = ranks.iter().enumerate().map(|(at, rank)| {
        let mut told = told_rank(at + 1, rank, ranking.total, view);
        let (name, _, href) = named(visit, asked.by.0, rank);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("id".to_owned(), rank.key.clone().into());
            fields.insert("name".to_owned(), name.into());
            fields
                .insert("url".to_owned(), json!(href.map(|href| format!("{}{href}", visit.place.base_url))));
        }
        told
    });
    json!({
        "by": asked.by.1,
        "window": told_window(window),
        "total": told_sums(ranking.total, view.has_spend),
        "data": data.collect::<Vec<_>>(),
        "other": ranking.other.as_ref().map(|rank| told_sums(rank.now, view.has_spend)),
        "folded": told_rules(view),
    })
}

#[cfg(test)]
mod tests;
