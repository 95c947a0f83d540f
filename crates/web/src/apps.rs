//! `/apps`: what calls here, as it names itself (`X-Title`, `HTTP-Referer`), and `/apps/<slug>`: what one of them uses. Names are
//! what callers wrote; what is public of them is in [`crate::traffic`].

use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::chart::Chart;
use crate::format;
use crate::model::Stat;
use crate::not_found;
use crate::rankings::{self, Line};
use crate::shell::{self, Crumb, Shell};
use crate::traffic::{self, Rank, Ranking, UseAsk, UseBy, View, Window};
use crate::visit::Visit;

/// Days that are looked at.
const DAYS: i64 = 30;
/// Spellings of one app that are looked up.
const SPELLINGS_MAX: usize = 200;
/// Apps that are listed.
const ROWS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "apps.html")]
struct Apps {
    shell: Shell,
    window: String,
    lines: Vec<Line>,
    other: Option<Line>,
    has_spend: bool,
    is_whole: bool,
    accounts_min: String,
    requests_min: String,
    closed: Option<&'static str>,
    is_unavailable: bool,
    base_url: String,
}

#[derive(Template)]
#[template(path = "app.html")]
struct App {
    shell: Shell,
    crumbs: Vec<Crumb>,
    name: String,
    path: String,
    window: String,
    stats: Vec<Stat>,
    chart: Option<Chart>,
    lines: Vec<Line>,
    other: Option<Line>,
    has_spend: bool,
}

pub(crate) async fn apps(visit: Visit, headers: HeaderMap) -> Response {
    let viewer = visit.site.viewer(&headers).await;
    let view = match View::of(visit.site.ranking_rules(), viewer) {
        Ok(view) => view,
        Err(why) if visit.is_json => return rankings::refused(why),
        Err(why) => return shell::page(StatusCode::FORBIDDEN, &closed(&visit, Some(why))),
    };
    let window = rankings::window(&visit, DAYS);
    let Some(ranking) = ranked(&visit, window, view).await else {
        return match visit.is_json {
            true => rankings::unavailable(),
            false => shell::page(StatusCode::SERVICE_UNAVAILABLE, &closed(&visit, None)),
        };
    };
    let answer = if visit.is_json {
        let data = ranking.ranks.iter().enumerate().map(|(at, rank)| {
            let mut told = rankings::told_rank(at + 1, rank, ranking.total, view);
            if let Some(fields) = told.as_object_mut() {
                fields.insert("slug".to_owned(), rank.key.clone().into());
                fields.insert("name".to_owned(), rank.name.clone().into());
                let url = format!("{}{}", visit.place.base_url, rankings::app_path(&rank.key));
                fields.insert("url".to_owned(), url.into());
            }
            told
        });
        shell::json(&json!({
            "window": rankings::told_window(window),
            "total": rankings::told_sums(ranking.total, view.has_spend),
            "data": data.collect::<Vec<_>>(),
            "other": ranking.other.as_ref().map(|rank| rankings::told_sums(rank.now, view.has_spend)),
            "folded": rankings::told_rules(view),
        }))
    } else {
        shell::page(StatusCode::OK, &page(&visit, window, view, &ranking))
    };
    rankings::for_viewer(answer, viewer)
}

async fn ranked(visit: &Visit, window: Window, view: View) -> Option<Ranking> {
    let rows = visit.site.traffic(UseAsk::all(UseBy::App, window.asked())).await?;
    Some(traffic::rank(&rows, window, view, traffic::app_slug))
}

fn closed(visit: &Visit, why: Option<&'static str>) -> Apps {
    let view = View { is_whole: false, has_spend: false, rules: visit.site.ranking_rules() };
    let mut page = page(visit, rankings::window(visit, DAYS), view, &Ranking::default());
    (page.closed, page.is_unavailable) = (why, why.is_none());
    page
}

fn page(visit: &Visit, window: Window, view: View, ranking: &Ranking) -> Apps {
    let about = "Apps that call models through this gateway, as they name themselves, by tokens.";
    let lines = ranking.ranks.iter().take(ROWS_MAX).enumerate().map(|(at, rank)| {
        let named = (rank.name.clone(), String::new(), Some(rankings::app_path(&rank.key)));
        rankings::line(at + 1, named, rank, ranking.total)
    });
    Apps {
        shell: Shell::of(&visit.place, "Apps", "/rankings", "/apps").about(about),
        window: rankings::span_of(window),
        lines: lines.collect(),
        other: ranking.other.as_ref().map(|rank| rankings::line(0, Default::default(), rank, ranking.total)),
        has_spend: view.has_spend,
        is_whole: view.is_whole,
        accounts_min: format::count_of(view.rules.accounts_min as u64, "account"),
        requests_min: format::count_of(view.rules.requests_min, "request"),
        closed: None,
        is_unavailable: false,
        base_url: visit.place.base_url.clone(),
    }
}

pub(crate) async fn app(visit: Visit, headers: HeaderMap, Path(slug): Path<String>) -> Response {
    let named = slug.as_str();
    let slug = if visit.is_json { named.strip_suffix(".json").unwrap_or(named) } else { named };
    let viewer = visit.site.viewer(&headers).await;
    let view = match View::of(visit.site.ranking_rules(), viewer) {
        Ok(view) => view,
        Err(why) if visit.is_json => return rankings::refused(why),
        Err(why) => return shell::page(StatusCode::FORBIDDEN, &closed(&visit, Some(why))),
    };
    let window = rankings::window(&visit, DAYS);
    let Some(rows) = visit.site.traffic(UseAsk::all(UseBy::App, window.asked())).await else {
        return match visit.is_json {
            true => rankings::unavailable(),
            false => shell::page(StatusCode::SERVICE_UNAVAILABLE, &closed(&visit, None)),
        };
    };
    let all = traffic::rank(&rows, window, view, traffic::app_slug);
    // What is folded has no page: that it is there would be told by one.
    let Some(rank) = all.ranks.iter().find(|rank| rank.key == slug) else {
        return not_found::page_of(&visit);
    };
    let is_spelling = |name: &&str| traffic::app_slug(name).as_deref() == Some(slug);
    let mut spellings: Vec<&str> = rows.iter().map(|row| row.value.as_str()).filter(is_spelling).collect();
    spellings.sort_unstable();
    spellings.dedup();
    spellings.truncate(SPELLINGS_MAX);
    let apps = spellings.into_iter().map(str::to_owned).collect();
    let ask = UseAsk { apps, ..UseAsk::all(UseBy::Model, window.asked()) };
    let Some(models) = visit.site.traffic(ask).await else { return rankings::unavailable() };
    let key = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let models = traffic::rank(&models, window, view, key);
    let seen = Seen { slug, rank, all: &all, models: &models, window, view };
    let answer = if visit.is_json { seen.told() } else { shell::page(StatusCode::OK, &seen.page(&visit)) };
    rankings::for_viewer(answer, viewer)
}

/// An app and what it uses.
struct Seen<'a> {
    slug: &'a str,
    rank: &'a Rank,
    all: &'a Ranking,
    models: &'a Ranking,
    window: Window,
    view: View,
}

impl Seen<'_> {
    fn told(&self) -> Response {
        let data = self.models.ranks.iter().enumerate().map(|(at, of)| {
            let mut told = rankings::told_rank(at + 1, of, self.models.total, self.view);
            if let Some(fields) = told.as_object_mut() {
                fields.insert("model".to_owned(), of.key.clone().into());
            }
            told
        });
        let has_spend = self.view.has_spend;
        shell::json(&json!({
            "slug": self.slug,
            "name": self.rank.name,
            "window": rankings::told_window(self.window),
            "total": rankings::told_sums(self.rank.now, has_spend),
            "models": data.collect::<Vec<_>>(),
            "other": self.models.other.as_ref().map(|of| rankings::told_sums(of.now, has_spend)),
            "folded": rankings::told_rules(self.view),
        }))
    }

    fn page(&self, visit: &Visit) -> App {
        let (name, models) = (&self.rank.name, self.models);
        let whole = Ranking { total: self.rank.now, accounts: self.rank.accounts, ..Ranking::default() };
        let mut stats = rankings::stats(&whole, self.view);
        let share = format::percent(self.rank.now.tokens(), self.all.total.tokens());
        stats.push(Stat { name: "Share", value: share, note: "of the tokens of all apps".to_owned() });
        let path = rankings::app_path(self.slug);
        let about = format!("Which models {name} uses through this gateway, by tokens.");
        App {
            shell: Shell::of(&visit.place, name, "/rankings", &path).about(about),
            crumbs: vec![Crumb::new("/rankings", "Rankings"), Crumb::new("/apps", "Apps")],
            name: name.clone(),
            path,
            window: rankings::span_of(self.window),
            stats,
            chart: rankings::chart("by-day", self.window, models, |rank| {
                rankings::model_named(visit, &rank.key).0
            }),
            lines: lines(visit, models),
            other: models.other.as_ref().map(|of| rankings::line(0, Default::default(), of, models.total)),
            has_spend: self.view.has_spend,
        }
    }
}

fn lines(visit: &Visit, models: &Ranking) -> Vec<Line> {
    let line = |(at, rank): (usize, &traffic::Rank)| {
        rankings::line(at + 1, rankings::model_named(visit, &rank.key), rank, models.total)
    };
    models.ranks.iter().take(ROWS_MAX).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests;
