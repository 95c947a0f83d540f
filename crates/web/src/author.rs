//! `/<author>`: who makes models, and all of them.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::fact::is_web;
use crate::format;
use crate::model::Stat;
use crate::models::{self, Line};
use crate::not_found;
use crate::shell::{self, Crumb, Shell};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "author.html")]
struct AuthorPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    id: String,
    name: String,
    url: Option<String>,
    country: Option<String>,
    stats: Vec<Stat>,
    lines: Vec<Line>,
    is_measured: bool,
}

pub(crate) async fn author(visit: Visit, Path(id): Path<String>) -> Response {
    let id = if visit.is_json { id.strip_suffix(".json").unwrap_or(&id) } else { &id };
    let snapshot = visit.snapshot();
    let (Some(author), Some(at)) = (snapshot.author(id), visit.index.of_author.get(id)) else {
        return not_found::page_of(&visit);
    };
    let mut models = at.clone();
    models
        .sort_by_key(|at| std::cmp::Reverse(snapshot.models.get(*at).and_then(catalog::Model::released_day)));
    if visit.is_json {
        let told: Vec<Value> = models.iter().filter_map(|at| models::told(&visit, *at)).collect();
        return shell::json(&json!({
            "catalog": snapshot.version,
            "id": author.id,
            "name": author.name,
            "site": author.url,
            "country": author.country,
            "models": told,
        }));
    }
    let rows = || models.iter().filter_map(|at| visit.index.row(*at));
    let offers: usize = models.iter().map(|at| snapshot.endpoints_of(*at).len()).sum();
    let mut providers: Vec<usize> = rows().flat_map(|row| row.providers.iter().copied()).collect();
    providers.sort_unstable();
    providers.dedup();
    let stat = |name, count: usize, note: &str| Stat {
        name,
        value: format::Shown::same(format::count(count as u64)),
        note: note.to_owned(),
    };
    let models_text = format::count_of(models.len() as u64, "model");
    let page = AuthorPage {
        shell: Shell::of(&visit.place, &author.name, "/models", &format!("/{id}"))
            .about(format!("{models_text} by {}: prices, context, capabilities, offers.", author.name)),
        crumbs: vec![Crumb::new("/models", "Models")],
        id: author.id.to_string(),
        name: author.name.clone(),
        url: author.url.clone().filter(|url| is_web(url)),
        country: author.country.clone(),
        stats: vec![
            stat("Models", models.len(), "in this catalog"),
            stat("Offers", offers, "of all of them"),
            stat("Providers", providers.len(), "that serve at least one"),
        ],
        lines: models.iter().filter_map(|at| models::line(&visit, *at)).collect(),
        is_measured: visit.board.is_measured,
    };
    shell::page(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use crate::testing::{get, several_on};

    #[tokio::test]
    async fn an_author_has_all_its_models() {
        let page = get(several_on(), "/mistralai").await;
        assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
        for text in [
            "<h1>Mistral AI</h1>",
            "/mistralai/small-4",
            "/mistralai/large-3",
            "https://mistral.example",
            "FR",
        ] {
            page.holds(text);
        }
        page.lacks("acme/vectors");
        let hostile = get(several_on(), "/acme").await;
        hostile.lacks("<b>& Sons");
        hostile.holds("Acme &#60;b&#62;&#38; Sons");
    }

    #[tokio::test]
    async fn the_twin_lists_them_and_nobody_else_is_an_author() {
        let twin = get(several_on(), "/mistralai.json").await;
        let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        assert_eq!(told["models"].as_array().unwrap().len(), 2);
        assert_eq!(told["models"][0]["id"], "mistralai/small-4");
        assert_eq!(get(several_on(), "/nobody").await.status, 404);
        assert_eq!(get(several_on(), "/nobody.json").await.status, 404);
    }
}
