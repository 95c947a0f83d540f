//! `/console`: what was used, by whom and of what: six numbers, a chart, tables whose rows are filters. Period and filters are in the
//! address. And the organization that one works in.

mod ask;
mod graph;
mod numbers;
mod tables;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use futures_util::future::{OptionFuture, join, join_all, try_join};
use serde_json::json;
use url::form_urlencoded::Serializer;

use self::ask::{
    APP, Dimension, Filters, KEY, MEMBER, MODEL, PROJECT, PROVIDER, Question, Row, TAG, Told, USER,
};
use self::numbers::Figure;
use self::tables::Table;
use super::again::Again;
use super::form::{Form, done};
use super::frame::Frame;
use super::names::{Key, Names};
use super::period::{self, Choice, Grain, Period};
use super::signed::Signed;
use crate::chart::{Chart, State};
use crate::format;
use crate::shell::{CONSOLE, Failed};

/// What a form did.
const DONE: [(&str, &str); 1] = [("switched", "You work in another organization now.")];

/// A number that is shown, and charted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Metric {
    slug: &'static str,
    name: &'static str,
    /// The API's name of the number.
    total: &'static str,
    /// Of what the bars are made.
    stacked: &'static str,
    /// What the chart counts upwards.
    unit: &'static str,
    /// Its change is told in points.
    is_share: bool,
}

const fn metric(slug: &'static str, name: &'static str, [total, stacked, unit]: [&'static str; 3]) -> Metric {
    Metric { slug, name, total, stacked, unit, is_share: false }
}

const SPEND: Metric = metric("spend", "Spend", ["total_usage", "total_usage", "dollars"]);
/// In the order of the page.
const METRICS: [Metric; 6] = [
    SPEND,
    metric("requests", "Requests", ["request_count", "request_count", "requests"]),
    metric("tokens", "Tokens", ["tokens_total", "tokens_total", "tokens, in and out"]),
    Metric {
        is_share: true,
        ..metric(
            "cache",
            "Cache share",
            ["cache_hit_rate", "cached_tokens", "input tokens from prompt caches"],
        )
    },
    Metric {
        is_share: true,
        ..metric("errors", "Error rate", ["error_rate", "error_count", "requests that failed"])
    },
    metric("ttft", "First token, p95", ["p95_ttft", "p95_ttft", "time to the first token"]),
];
/// What the chart is stacked by.
const STACKED: [Dimension; 4] = [MODEL, KEY, PROVIDER, TAG];
/// What the last table is of.
const LAST: [Dimension; 5] = [MEMBER, TAG, PROJECT, USER, APP];

/// What the address asks for.
struct View {
    period: Period,
    filters: Filters,
    metric: Metric,
    by: Dimension,
    last: Dimension,
}

impl View {
    fn of(signed: &Signed) -> View {
        let visit = &signed.visit;
        let filters = Filters::of(visit);
        let chosen = |name: &str, all: &[Dimension], usual: Dimension| {
            let found = all.iter().copied().find(|by| visit.ask(name) == Some(by.name));
            found.filter(|by| filters.tell(*by)).unwrap_or(usual)
        };
        // Whatever the page is of can be told apart by keys.
        let by = chosen("by", &STACKED, if filters.tell(MODEL) { MODEL } else { KEY });
        let last = LAST.into_iter().find(|by| filters.value(*by).is_some()).unwrap_or(MEMBER);
        let asked = LAST.into_iter().find(|by| visit.ask("table") == Some(by.name));
        let metric = METRICS.into_iter().find(|metric| visit.ask("metric") == Some(metric.slug));
        View {
            period: Period::of(visit),
            by,
            last: asked.unwrap_or(last),
            metric: metric.unwrap_or(SPEND),
            filters,
        }
    }

    fn grain(&self) -> Grain {
        self.period.grain(self.filters.by_hours(Some(self.by)))
    }

    /// The address of this view, but for these.
    fn href(&self, other: &[(&str, &str)]) -> String {
        self.address(&self.period.pairs(), &self.filters, other)
    }

    fn address(
        &self,
        period: &[(&'static str, String)],
        filters: &Filters,
        other: &[(&str, &str)],
    ) -> String {
        let mut all: Vec<(&str, &str)> = period.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(filters.pairs());
        let usual = if filters.tell(MODEL) { MODEL.name } else { KEY.name };
        // What other filters can't be told apart by falls back to what is usual.
        let by = if filters.tell(self.by) { self.by.name } else { usual };
        for (name, here, usual) in [
            ("metric", self.metric.slug, SPEND.slug),
            ("by", by, usual),
            ("table", self.last.name, MEMBER.name),
        ] {
            let value = other.iter().find(|(known, _)| *known == name).map_or(here, |(_, value)| *value);
            if value != usual {
                all.push((name, value));
            }
        }
        with_query(CONSOLE, &all)
    }

    /// This page of one value alone, or without it where it is of it already.
    fn only(&self, by: Dimension, value: &str) -> String {
        let filters = match self.filters.value(by) == Some(value) {
            true => self.filters.without(by),
            false => self.filters.with(by, value),
        };
        self.address(&self.period.pairs(), &filters, &[])
    }

    /// Another span of the same.
    fn span(&self, slug: &str) -> String {
        let period = if slug == "30d" { vec![] } else { vec![("period", slug.to_owned())] };
        self.address(&period, &self.filters, &[])
    }

    /// The log of what this page is of.
    fn log_href(&self) -> String {
        let [from, to] = self.period.dates();
        let mut all = vec![("from", from.as_str()), ("to", to.as_str())];
        all.extend(self.filters.pairs().filter(|(name, _)| super::logs::FILTERS.contains(name)));
        with_query("/console/logs", &all)
    }

    /// What a value is called.
    fn word(&self, names: &Names, by: Dimension, value: &str) -> String {
        match (by.name, value) {
            (_, "") if by == MODEL || by == PROVIDER => String::from("(none reached)"),
            (_, "") => String::from("(none)"),
            ("key" | "member", id) => names.of(id).to_owned(),
            _ => value.to_owned(),
        }
    }
}

fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A link that is chosen or not.
struct Pick {
    name: &'static str,
    href: String,
    is_here: bool,
}

/// A filter that holds.
struct Held {
    name: &'static str,
    value: String,
    /// The page without it.
    without: String,
    /// Where a key is capped or stopped.
    act: Option<String>,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    shell: Frame,
    organization: String,
    /// Nothing was ever called, as far as the span and the one before go.
    is_fresh: bool,
    curl: String,
    spans: Vec<Pick>,
    from: String,
    to: String,
    /// What the dates' form has to keep.
    kept: Vec<(&'static str, String)>,
    words: String,
    before: String,
    held: Vec<Held>,
    figures: Vec<Figure>,
    by: Vec<Pick>,
    chart: Chart,
    is_empty: bool,
    tables: Vec<Table>,
    last: Vec<Pick>,
    yesterday: String,
    log: String,
}

pub(crate) async fn overview(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let view = View::of(signed);
    let made = make(signed, &view).await?;
    let again = again.or(view.period.problem.clone());
    let shell = Frame::of(signed, "Overview", CONSOLE).told(signed, &DONE).again(&again);
    Ok(again.answer(&Overview { shell, ..made }))
}

/// What was answered for the page.
struct Answers {
    names: Names,
    now: Row,
    before: Row,
    graph: Told,
    tables: Vec<(Dimension, Option<Told>)>,
}

async fn answers(signed: &Signed, view: &View) -> Result<Answers, Failed> {
    let by_hours = view.filters.by_hours(None);
    let now = Question::of(numbers::ASKED, None, &view.period, &view.filters).path(None);
    let hour = signed.visit.now.minute_of_day() / 60;
    let before = Question {
        span: view.period.before(by_hours, i64::from(hour)),
        ..Question::of(numbers::ASKED, None, &view.period, &view.filters)
    };
    let before = before.path(None);
    let graph = view.graph_question().path(None);
    let dimensions = [MODEL, KEY, PROVIDER, view.last];
    let tables = dimensions.map(|by| {
        let path = view.table_path(by);
        async move {
            let told = OptionFuture::from(path.as_ref().map(|path| signed.get::<Told>(path))).await;
            (by, told)
        }
    });
    let names = async { Ok(Names::of_keys(signed).await?.with_holders(signed).await) };
    let totals = try_join(signed.get::<Told>(&now), signed.get::<Told>(&before));
    let (first, tables) =
        join(try_join(totals, try_join(signed.get::<Told>(&graph), names)), join_all(tables)).await;
    let ((now, before), (graph, names)) = first?;
    let tables = tables.into_iter().map(|(by, told)| Ok((by, told.transpose()?)));
    let first_row = |told: Told| told.data.into_iter().next().unwrap_or_default();
    Ok(Answers {
        names,
        now: first_row(now),
        before: first_row(before),
        graph,
        tables: tables.collect::<Result<_, Failed>>()?,
    })
}

async fn make(signed: &Signed, view: &View) -> Result<Overview, Failed> {
    let Answers { names, now, before, graph, tables } = answers(signed, view).await?;
    let pick = |all: &[Dimension], name: &'static str, here: Dimension| -> Vec<Pick> {
        let of = all.iter().filter(|by| name == "table" || view.filters.tell(**by));
        of.map(|by| Pick { name: by.many, href: view.href(&[(name, by.name)]), is_here: *by == here })
            .collect()
    };
    let spans = view.period.choices().into_iter();
    let span = |Choice { name, slug, is_here }| Pick { name, href: view.span(slug), is_here };
    let held = view.filters.0.iter().map(|(by, value)| Held {
        name: by.one,
        value: view.word(&names, *by, value),
        without: view.only(*by, value),
        act: names.key(value).filter(|_| *by == KEY).map(Key::path),
    });
    let chart = graph::chart(view, &names, &graph);
    let is_still = now.count("request_count") == 0 && before.count("request_count") == 0;
    let is_fresh = is_still && view.filters.0.is_empty() && never_called(signed, view).await?;
    let [from, to] = view.period.dates();
    let mut kept: Vec<(&'static str, String)> =
        view.filters.pairs().map(|(name, value)| (name, value.to_owned())).collect();
    kept.extend(
        [("metric", view.metric.slug), ("by", view.by.name), ("table", view.last.name)]
            .map(|(name, value)| (name, value.to_owned())),
    );
    Ok(Overview {
        shell: Frame::of(signed, "Overview", CONSOLE),
        organization: signed.me.organizations.first().map(|known| known.name.clone()).unwrap_or_default(),
        is_fresh,
        curl: first_call(&signed.visit.place.base_url),
        spans: spans.map(span).collect(),
        from,
        to,
        kept,
        words: view.period.words(),
        before: view.period.before_words(view.filters.by_hours(None)),
        held: held.collect(),
        figures: numbers::all(view, &now, &before),
        by: pick(&STACKED, "by", view.by),
        is_empty: chart.state == State::Empty,
        chart,
        tables: tables.into_iter().map(|(by, told)| tables::table(view, &names, by, told, &now)).collect(),
        last: pick(&LAST, "table", view.last),
        yesterday: view.span("yesterday"),
        log: view.log_href(),
    })
}

/// Whether nothing was ever called, as far back as is told.
async fn never_called(signed: &Signed, view: &View) -> Result<bool, Failed> {
    let today = view.period.today;
    let span = [today - period::DAYS_MAX + 1, today].map(format::iso_day);
    let question = Question { span, ..Question::of("request_count", None, &view.period, &view.filters) };
    let told: Told = signed.get(&question.path(None)).await?;
    Ok(told.data.iter().all(|row| row.count("request_count") == 0))
}

/// The first call, which an answer comes to on any server: of the sandbox.
fn first_call(base_url: &str) -> String {
    format!(
        "curl {base_url}/v1/chat/completions \\\n  -H \"Authorization: Bearer $TOLLWAY_KEY\" \\\n  -d '{{\"model\": \"sandbox/echo\",\n       \"messages\": [{{\"role\": \"user\", \"content\": \"Say hello.\"}}]}}'"
    )
}

/// `POST /console/organization`: another organization to work in.
pub(crate) async fn organization(signed: Signed, form: Form) -> Result<Response, Failed> {
    let body = json!({ "organization": form.text("organization") });
    match signed.send(Method::PUT, "/v1/auth/organization", Some(&body)).await {
        Ok(_) => Ok(done("/console?done=switched")),
        Err(refused) => page(&signed, Again::refused(None, &refused)).await,
    }
}
