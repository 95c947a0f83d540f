//! `/providers`: who serves models, with policy, place and what this place measured of them.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use catalog::{Protocol, Provider};
use routing::health::Uptime;
use serde_json::{Value, json};

use crate::format::{self, Shown};
use crate::shell::{self, Shell};
use crate::visit::Visit;

/// Of so many rows one has to know a thing for it to have a column; else it stands below the name.
const WORTH_SHARE: usize = 4;
/// The longest search that is read.
const QUERY_CHARS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "providers.html")]
struct Providers {
    shell: Shell,
    count: String,
    on: usize,
    /// The sandbox is among them.
    has_simulated: bool,
    list: List,
}

/// The part that follows what is typed.
#[derive(Template)]
#[template(path = "providers_list.html")]
struct Part {
    list: List,
}

/// Those that were asked for.
struct List {
    q: String,
    count: String,
    rows: Vec<Row>,
    is_measured: bool,
    knows_places: bool,
    knows_policies: bool,
}

impl List {
    fn of(rows: Vec<Row>, q: &str) -> List {
        let knows = |known: fn(&Row) -> bool| {
            let count = rows.iter().filter(|row| known(row)).count();
            count > 0 && count * WORTH_SHARE >= rows.len()
        };
        List {
            is_measured: rows.iter().any(|row| row.uptime.is_some()),
            knows_places: knows(|row| !row.place().is_empty()),
            knows_policies: knows(|row| !row.policy().is_empty()),
            count: format::count_of(rows.len() as u64, "provider"),
            q: q.to_owned(),
            rows,
        }
    }
}

/// A row of the table.
struct Row {
    id: String,
    name: String,
    is_on: bool,
    is_simulated: bool,
    models: usize,
    protocol: &'static str,
    headquarters: String,
    datacenters: String,
    retention: Option<String>,
    training: Option<&'static str>,
    uptime: Option<(Shown, String)>,
}

impl Row {
    /// Where it computes and is based, in words.
    fn place(&self) -> String {
        let mut parts = Vec::new();
        if !self.datacenters.is_empty() {
            parts.push(format!("computes in {}", self.datacenters));
        }
        if !self.headquarters.is_empty() {
            parts.push(format!("based in {}", self.headquarters));
        }
        parts.join(", ")
    }

    /// What it does with prompts, in words.
    fn policy(&self) -> String {
        let parts = self.retention.as_deref().into_iter().chain(self.training);
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether its name, its id, its protocol or what is told of it has these words.
    fn has(&self, q: &str) -> bool {
        let text =
            format!("{}\n{}\n{}\n{}\n{}", self.name, self.id, self.protocol, self.place(), self.policy());
        let text = text.to_lowercase();
        q.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

pub(crate) async fn providers(visit: Visit) -> Response {
    let snapshot = visit.snapshot();
    if visit.is_json {
        let all: Vec<Value> = (0..snapshot.providers.len()).filter_map(|at| told(&visit, at)).collect();
        return shell::json(&json!({ "catalog": snapshot.version, "data": all }));
    }
    let mut rows: Vec<Row> =
        snapshot.providers.iter().enumerate().map(|(at, provider)| row(&visit, at, provider)).collect();
    // Those that are on first, the simulated one last of them.
    rows.sort_by_key(|row| (!row.is_on, row.is_simulated, row.name.to_lowercase()));
    let count = format::count_of(rows.len() as u64, "provider");
    let on = rows.iter().filter(|row| row.is_on).count();
    let has_simulated = rows.iter().any(|row| row.is_on && row.is_simulated);
    let q: String = visit.ask("q").unwrap_or_default().trim().chars().take(QUERY_CHARS_MAX).collect();
    rows.retain(|row| row.has(&q));
    let list = List::of(rows, &q);
    if visit.part.as_deref() == Some("list") {
        return shell::part(Part { list }.render());
    }
    let page = Providers {
        shell: Shell::of(&visit.place, "Providers", "/providers", "/providers")
            .about(format!("{count}: what they serve, over which protocol, and what they keep of prompts.")),
        count,
        on,
        has_simulated,
        list,
    };
    shell::page(StatusCode::OK, &page)
}

/// Models that a provider offers, each once.
pub(crate) fn models_of(visit: &Visit, provider: usize) -> usize {
    let snapshot = visit.snapshot();
    let offers = snapshot.endpoints_of_provider(provider).iter();
    let mut models: Vec<usize> =
        offers.filter_map(|at| Some(snapshot.endpoints.get(*at as usize)?.model)).collect();
    models.sort_unstable();
    models.dedup();
    models.len()
}

/// Answers and failures of the day over all of a provider's offers.
pub(crate) fn day(visit: &Visit, provider: usize) -> Uptime {
    let offers = visit.snapshot().endpoints_of_provider(provider).iter();
    let days = offers.filter_map(|at| visit.board.live(*at as usize)).map(crate::Live::day);
    days.fold(Uptime::default(), |sum, day| Uptime {
        answered: sum.answered + day.answered,
        failed: sum.failed + day.failed,
        busy: sum.busy + day.busy,
    })
}

/// How long it keeps prompts, in words.
pub(crate) fn retention(days: u64) -> String {
    match days {
        0 => String::from("keeps nothing"),
        days => format!("keeps prompts {}", format::count_of(days, "day")),
    }
}

fn row(visit: &Visit, at: usize, provider: &Provider) -> Row {
    let facts = &provider.facts;
    let day = day(visit, at);
    let asked = day.answered + day.failed;
    Row {
        id: provider.id.to_string(),
        name: provider.name.to_string(),
        is_on: visit.world.provider_off(at).is_none(),
        is_simulated: provider.protocol == Protocol::Sandbox,
        models: models_of(visit, at),
        protocol: provider.protocol.name(),
        headquarters: facts.headquarters.as_ref().map(|claim| claim.value.clone()).unwrap_or_default(),
        datacenters: facts.datacenters.as_ref().map(|claim| claim.value.join(", ")).unwrap_or_default(),
        retention: facts.retention_days.as_ref().map(|claim| retention(claim.value)),
        training: facts.trains_on_data.as_ref().map(|claim| match claim.value {
            true => "trains on them",
            false => "no training",
        }),
        uptime: (asked > 0).then(|| {
            let share = day.share().map_or_else(Shown::unknown, |_| format::percent(day.answered, asked));
            (share, format::count_of(asked, "call"))
        }),
    }
}

/// A provider for programs; facts keep their claims.
pub(crate) fn told(visit: &Visit, at: usize) -> Option<Value> {
    let provider = visit.snapshot().providers.get(at)?;
    let day = day(visit, at);
    Some(json!({
        "id": provider.id,
        "name": provider.name,
        "url": format!("{}/providers/{}", visit.place.base_url, provider.id),
        "protocol": provider.protocol,
        "base_url": provider.base_url,
        "docs": provider.docs,
        "is_on": visit.world.provider_off(at).is_none(),
        "models": models_of(visit, at),
        "facts": provider.facts,
        "source": provider.source,
        "as_of": provider.as_of,
        "day": (day != Uptime::default()).then(|| json!({ "answered": day.answered, "failed": day.failed, "busy": day.busy, "uptime": day.share() })),
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{SHIPPED, SMALL, Still, ask, get, see, several_on};

    #[tokio::test]
    async fn those_that_are_on_come_first_the_sandbox_last() {
        let page = get(several_on(), "/providers").await;
        assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
        let at = |id: &str| page.text.find(&format!("href=\"/providers/{id}\"")).unwrap();
        assert!(
            at("mistral") < at("acme-cloud")
                && at("acme-cloud") < at("venice")
                && at("venice") < at("sandbox")
        );
        page.holds("keeps nothing");
        page.holds("no training");
        page.holds("1 is on here.").lacks("Not sourced");
        let both = see(Still::new(&SMALL, &["mistral", "sandbox"]), "/providers").await;
        both.holds("2 are on here, the sandbox with its made-up answers among them.");
        let at = |id: &str| both.text.find(&format!("href=\"/providers/{id}\"")).unwrap();
        assert!(at("mistral") < at("sandbox") && at("sandbox") < at("acme-cloud"));
        page.lacks("<i>Cloud");
        page.lacks("Uptime");
        see(Still::new(&SMALL, &["mistral"]).measured("mistral/small-4", 440.0, 29.0), "/providers")
            .await
            .holds("480 calls");
    }

    #[tokio::test]
    async fn what_is_typed_is_looked_for_in_all_that_is_told() {
        let found = get(several_on(), "/providers?q=MISTRAL").await;
        found.holds("href=\"/providers/mistral\"").lacks("href=\"/providers/venice\"");
        found.holds("4 providers of models").holds("value=\"MISTRAL\"").holds("<b>1 provider</b>");
        get(several_on(), "/providers?q=keeps+nothing")
            .await
            .holds("/providers/mistral")
            .lacks("/providers/venice");
        let none = get(several_on(), "/providers?q=%3Cscript%3E").await;
        none.holds("No provider is called so").lacks("<script>\"");
        let part =
            ask(several_on(), Still::new(&SMALL, &[]), "GET", "/providers?q=ven", &[("x-part", "list")])
                .await;
        part.holds("/providers/venice").lacks("<h1").lacks("/providers/mistral");
    }

    #[tokio::test]
    async fn a_column_that_next_to_nobody_fills_is_left_out() {
        let page = see(Still::new(&SHIPPED, &["mistral"]), "/providers").await;
        let rows = page.text.matches("<th scope=\"row\"").count();
        for head in ["Computes in", "Data policy"] {
            let filled = page.text.matches(&format!("data-label=\"{head}\">")).count()
                - page.text.matches(&format!("data-label=\"{head}\"></td>")).count();
            let has_column = page.text.contains(&format!("scope=\"col\">{head}<"));
            assert!(!has_column || filled * 4 >= rows, "{head}: {filled} of {rows}");
        }
        page.holds("keeps prompts");
    }

    #[tokio::test]
    async fn the_twin_has_them_all_and_the_page_is_light() {
        let twin = get(several_on(), "/providers.json").await;
        let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        assert_eq!(told["data"].as_array().unwrap().len(), SMALL.providers.len());
        assert_eq!(told["data"][1]["facts"]["retention_days"]["value"], 0);
        let page = see(Still::new(&SHIPPED, &["mistral"]), "/providers").await;
        assert!(page.text.len() <= 150_000, "{} bytes", page.text.len());
    }
}
