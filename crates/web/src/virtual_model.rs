//! `/<brand>/auto`, `/fast`, `/cheap`, `/free`: what a virtual model takes for each kind of work, asked of the routing function with the
//! values of live traffic; only chance is left out.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use routing::guide::AUTO_DIAL;
use routing::name::Virtual;
use serde_json::{Value, json};
use types::Rate;

use crate::describe;
use crate::model::routed::{Pick, works};
use crate::model::{dial_span, snippets_of};
use crate::shell::{self, Crumb, Shell};
use crate::snippets::{Kind, Snippet};
use crate::visit::Visit;

/// Names of other places under which ours are asked for too.
const PEERS: [&str; 2] = ["openrouter", "gammainfra"];
/// As many free models as are named.
const FREE_MAX: usize = 40;

#[derive(Template)]
#[template(path = "virtual_model.html")]
struct VirtualModel {
    shell: Shell,
    crumbs: Vec<Crumb>,
    id: String,
    /// What it does, in a sentence.
    about: &'static str,
    others: Vec<(String, &'static str)>,
    works: Vec<Row>,
    /// Candidates of the largest choice.
    candidates: usize,
    /// No real provider is on: this is what would be if all were.
    is_supposed: bool,
    /// Of `auto`: where its dial stands.
    dial: Option<String>,
    /// Of `free`: what costs nothing here now.
    free: Option<Vec<Named>>,
    base_url: String,
    key_variable: String,
    snippets: Vec<Snippet>,
}

/// A kind of work.
struct Row {
    work: &'static str,
    /// First, second and third.
    taken: Vec<Named>,
    /// What comes first at other dials.
    dials: Vec<(String, Named)>,
}

/// A model.
#[derive(Clone)]
struct Named {
    id: String,
    name: String,
}

/// Its page; `None` where there is no such virtual model.
pub(crate) fn page_of(visit: &Visit, slug: &str, name: &str) -> Option<Response> {
    let brand = &visit.place.brand_slug;
    let name = name.strip_suffix(".json").unwrap_or(name);
    let (name, what, about) = Virtual::ALL.into_iter().find(|(known, _, _)| *known == name)?;
    if slug != brand {
        let is_ours = slug.eq_ignore_ascii_case(brand) || PEERS.contains(&slug);
        return is_ours
            .then(|| shell::moved(&format!("/{brand}/{name}{}", if visit.is_json { ".json" } else { "" })));
    }
    let picks = visit.picks();
    let rows = if what == Virtual::Free { Vec::new() } else { rows(visit, name) };
    let free = (what == Virtual::Free).then(|| free(visit));
    if visit.is_json {
        return Some(shell::json(&told(visit, (name, about), &rows, free.as_deref(), picks.is_supposed)));
    }
    let id = format!("{brand}/{name}");
    let path = format!("/{id}");
    let (key_variable, snippets) = snippets_of(visit, &id, Some(Kind::Chat));
    let others = Virtual::ALL.into_iter().filter(|(other, _, _)| *other != name);
    Some(shell::page(
        StatusCode::OK,
        &VirtualModel {
            shell: Shell::of(&visit.place, &id, "/models", &path).about(about),
            crumbs: vec![Crumb::new("/models", "Models")],
            about,
            others: others.map(|(other, _, about)| (format!("{brand}/{other}"), about)).collect(),
            works: rows,
            candidates: picks.candidates,
            is_supposed: picks.is_supposed,
            dial: (what == Virtual::Auto).then(|| AUTO_DIAL.to_string()),
            free,
            base_url: visit.place.base_url.clone(),
            key_variable,
            snippets,
            id,
        },
    ))
}

/// Paths of all of them.
pub(crate) fn paths(brand_slug: &str) -> impl Iterator<Item = String> {
    Virtual::ALL.into_iter().map(move |(name, _, _)| format!("/{brand_slug}/{name}"))
}

fn named(visit: &Visit, model: usize) -> Option<Named> {
    let model = visit.snapshot().models.get(model)?;
    Some(Named { id: model.id.to_string(), name: model.name.clone() })
}

fn rows(visit: &Visit, name: &str) -> Vec<Row> {
    let picks = visit.picks();
    let of = |pick: &&Pick, work: &str| pick.by == name && pick.work == work;
    let row = |work: &'static str| {
        let mut taken = Vec::new();
        let mut dials = Vec::new();
        for model in 0..visit.snapshot().models.len() {
            for pick in picks.of_model(model).iter().filter(|pick| of(pick, work)) {
                match pick.dial {
                    Some(span) => dials.push((span, model)),
                    None => taken.push((pick.place, model)),
                }
            }
        }
        taken.sort_unstable();
        dials.sort_unstable();
        let dials =
            dials.into_iter().filter_map(|(span, model)| Some((dial_span(span), named(visit, model)?)));
        Row {
            work,
            taken: taken.into_iter().filter_map(|(_, model)| named(visit, model)).collect(),
            dials: dials.collect(),
        }
    };
    works().map(|(_, work)| row(work)).collect()
}

/// Models with an offer that can be called here and costs nothing, but for the sandbox's.
fn free(visit: &Visit) -> Vec<Named> {
    let snapshot = visit.snapshot();
    let costs_nothing = |model: &usize| {
        let is_real = visit.index.row(*model).is_some_and(|row| !row.is_sandbox);
        let mut offers = snapshot.model_endpoints(*model);
        is_real
            && offers.any(|endpoint| {
                let prices = describe::headline(endpoint);
                let is_free = !prices.is_empty() && prices.iter().all(|(_, rate)| *rate == Rate::FREE);
                is_free && visit.index.on.has(endpoint)
            })
    };
    (0..snapshot.models.len())
        .filter(costs_nothing)
        .filter_map(|model| named(visit, model))
        .take(FREE_MAX)
        .collect()
}

fn told(
    visit: &Visit,
    (name, about): (&str, &str),
    rows: &[Row],
    free: Option<&[Named]>,
    is_supposed: bool,
) -> Value {
    let ids = |all: &[Named]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let row = |row: &Row| {
        let dials = row.dials.iter().map(|(dial, model)| json!({ "dial": dial, "model": model.id }));
        json!({ "work": row.work, "models": ids(&row.taken), "at_other_dials": dials.collect::<Vec<_>>() })
    };
    let id = format!("{}/{name}", visit.place.brand_slug);
    json!({
        "catalog": visit.snapshot().version,
        "url": format!("{}/{id}", visit.place.base_url),
        "id": id,
        "description": about,
        "supposes_all_providers_on": is_supposed,
        "takes": rows.iter().map(row).collect::<Vec<_>>(),
        "free": free.map(ids),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::testing::{SHIPPED, Still, see};

    fn world() -> Still {
        Still::new(&SHIPPED, &["mistral", "openai", "groq"])
    }

    #[tokio::test]
    async fn each_says_what_it_takes() {
        for name in ["auto", "fast", "cheap"] {
            let page = see(world(), &format!("/tollway/{name}")).await;
            assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1), "{name}");
            let told: Value =
                serde_json::from_str(&see(world(), &format!("/tollway/{name}.json")).await.text).unwrap();
            let takes = told["takes"].as_array().unwrap();
            assert_eq!(takes.len(), 9, "{name}");
            for row in takes {
                let first = row["models"][0].as_str().unwrap();
                page.holds(&format!("href=\"/{first}\""));
                // The page of that model says the same.
                let model = see(world(), &format!("/{first}.json")).await.text;
                let model: Value = serde_json::from_str(&model).unwrap();
                let picked = model["routing"]["picked"].as_array().unwrap();
                let same = |pick: &&Value| {
                    pick["by"] == format!("tollway/{name}")
                        && pick["work"] == row["work"]
                        && pick["place"] == 1
                };
                assert!(picked.iter().any(|pick| same(&pick)), "{first} {row}");
            }
        }
    }

    #[tokio::test]
    async fn free_names_what_costs_nothing_and_is_on() {
        let page = see(world(), "/tollway/free").await;
        assert_eq!(page.status, 200);
        let told: Value = serde_json::from_str(&see(world(), "/tollway/free.json").await.text).unwrap();
        for id in told["free"].as_array().unwrap() {
            page.holds(&format!("href=\"/{}\"", id.as_str().unwrap()));
        }
        page.lacks("href=\"/sandbox/");
    }

    #[tokio::test]
    async fn names_of_other_places_lead_here_and_nothing_else_does() {
        for slug in ["openrouter", "gammainfra"] {
            let moved = see(world(), &format!("/{slug}/auto")).await;
            assert_eq!((moved.status, moved.header("location")), (308, "/tollway/auto"), "{slug}");
        }
        assert_eq!(see(world(), "/tollway/nothing").await.status, 404);
        assert_eq!(see(world(), "/mistralai/auto").await.status, 404);
    }
}
