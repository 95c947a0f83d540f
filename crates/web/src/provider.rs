//! `/providers/<slug>`: one provider: what switches it on, its policy with sources, its dialect's quirks, all its offers.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog::{Protocol, Provider, Snapshot};
use serde_json::{Value, json};
use types::PriceKind;

use crate::fact::{Line, Origin, is_web};
use crate::format::{self, Shown};
use crate::model::{Stat, offers::Price, offers::price, routed, twin};
use crate::not_found;
use crate::prose::Prose;
use crate::providers::{day, models_of, told};
use crate::shell::{self, Crumb, Shell};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "provider.html")]
struct ProviderPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    id: String,
    name: String,
    off: Option<String>,
    is_simulated: bool,
    stats: Vec<Stat>,
    lines: Vec<Line>,
    protocol: &'static str,
    base_url: Option<String>,
    keys: Vec<String>,
    links: Vec<(&'static str, String)>,
    quirks: Vec<Prose>,
    offers: Vec<Row>,
    kept: Origin,
}

/// An offer of the provider.
struct Row {
    model: String,
    name: String,
    path: String,
    variant: Option<String>,
    provider_model_id: String,
    input: Price,
    output: Price,
    context: Shown,
    max_output: Shown,
}

pub(crate) async fn provider(visit: Visit, Path(id): Path<String>) -> Response {
    let id = if visit.is_json { id.strip_suffix(".json").unwrap_or(&id) } else { &id };
    let Some((at, provider)) = visit.snapshot().provider(id) else {
        return not_found::page_of(&visit);
    };
    if visit.is_json {
        return shell::json(&twin_of(&visit, at));
    }
    shell::page(StatusCode::OK, &page(&visit, at, provider))
}

fn twin_of(visit: &Visit, at: usize) -> Value {
    let snapshot = visit.snapshot();
    let offers = snapshot.endpoints_of_provider(at).iter().filter_map(|at| {
        let model = snapshot.endpoints.get(*at as usize)?.model;
        let order = routed::order(&*visit.world, model, visit.now);
        let mut offer = twin::offer(visit, *at as usize, &order)?;
        let id = snapshot.models.get(model).map(|model| model.id.to_string());
        if let Some(map) = offer.as_object_mut() {
            map.insert(String::from("model"), json!(id));
        }
        Some(offer)
    });
    json!({ "catalog": snapshot.version, "provider": told(visit, at), "offers": offers.collect::<Vec<_>>() })
}

fn page(visit: &Visit, at: usize, provider: &Provider) -> ProviderPage {
    let snapshot = visit.snapshot();
    let facts = &provider.facts;
    let links = [
        ("Documentation", provider.docs.clone()),
        ("Status", facts.status_url.as_ref().map(|claim| claim.value.clone())),
        ("Terms", facts.terms_url.as_ref().map(|claim| claim.value.clone())),
        ("Privacy", facts.privacy_url.as_ref().map(|claim| claim.value.clone())),
    ];
    let links = links.into_iter().filter_map(|(name, url)| Some((name, url.filter(|url| is_web(url))?)));
    let models = format::count_of(models_of(visit, at) as u64, "model");
    ProviderPage {
        shell: Shell::of(&visit.place, &provider.name, "/providers", &format!("/providers/{}", provider.id))
            .about(format!("{models} served by {}: prices, limits, data policy.", provider.name)),
        crumbs: vec![Crumb::new("/providers", "Providers")],
        id: provider.id.to_string(),
        name: provider.name.to_string(),
        off: visit.world.provider_off(at),
        is_simulated: provider.protocol == Protocol::Sandbox,
        stats: stats(visit, at),
        lines: lines(snapshot, provider),
        protocol: provider.protocol.name(),
        base_url: provider.base_url.clone(),
        keys: provider.api_key_env.clone(),
        links: links.collect(),
        quirks: quirks(provider).iter().map(|text| Prose::of(text)).collect(),
        offers: rows(visit, at),
        kept: Origin::of(snapshot, &provider.source, &provider.as_of),
    }
}

fn stats(visit: &Visit, at: usize) -> Vec<Stat> {
    let same = |count: u64| Shown::same(format::count(count));
    let offers = visit.snapshot().endpoints_of_provider(at);
    let mut stats = vec![
        Stat {
            name: "Models",
            value: same(models_of(visit, at) as u64),
            note: String::from("in this catalog"),
        },
        Stat {
            name: "Offers",
            value: same(offers.len() as u64),
            note: String::from("regions and tiers counted apart"),
        },
    ];
    let day = day(visit, at);
    if day.share().is_some() {
        let asked = day.answered + day.failed;
        stats.push(Stat {
            name: "Uptime",
            value: format::percent(day.answered, asked),
            note: format!("last 24 hours, {} from here", format::count_of(asked, "call")),
        });
    }
    let lives = offers.iter().filter_map(|at| visit.board.live(*at as usize));
    let soonest = lives.filter_map(|live| live.ttft_ms.map(|known| known.p50)).reduce(f64::min);
    stats.extend(soonest.map(|ms| Stat {
        name: "First token",
        value: format::milliseconds(ms),
        note: String::from("median of its soonest offer, last 30 minutes"),
    }));
    stats
}

fn lines(snapshot: &Snapshot, provider: &Provider) -> Vec<Line> {
    let facts = &provider.facts;
    let text = |text: &String| Shown::same(text.as_str());
    let yes = |flag: &bool| format::yes_no(Some(*flag));
    let days = |days: &u64| match days {
        0 => Shown::same("Nothing"),
        days => Shown::same(format::count_of(*days, "day")),
    };
    vec![
        Line::of(snapshot, "Based in", facts.headquarters.as_ref(), text),
        Line::of(snapshot, "Computes in", facts.datacenters.as_ref(), |all| Shown::same(all.join(", "))),
        Line::of(snapshot, "Keeps prompts", facts.retention_days.as_ref(), days),
        Line::of(snapshot, "Trains on prompts", facts.trains_on_data.as_ref(), yes),
        Line::of(snapshot, "Leaving stops the bill", facts.cancel_stops_billing.as_ref(), yes),
    ]
}

/// How its dialect differs, which calls through here smooth over.
fn quirks(provider: &Provider) -> Vec<String> {
    let quirks = &provider.quirks;
    let mut told = Vec::new();
    if !quirks.unsupported_parameters.is_empty() {
        told.push(format!(
            "It takes no `{}`; they are left out with a warning.",
            quirks.unsupported_parameters.join("`, `")
        ));
    }
    for (from, to) in &quirks.rename_parameters {
        told.push(format!("`{from}` is sent as `{to}`."));
    }
    for (from, to) in &quirks.rename_roles {
        told.push(format!("The role `{from}` is sent as `{to}`."));
    }
    told.extend(quirks.max_tokens_name.map(|name| format!("The output limit is sent as `{}`.", name.name())));
    told.extend(quirks.strict_parameters.then(|| String::from("It refuses fields that it does not know.")));
    told.extend(quirks.responses.then(|| String::from("It serves OpenAI Responses itself.")));
    told
}

fn rows(visit: &Visit, at: usize) -> Vec<Row> {
    let snapshot = visit.snapshot();
    let mut rows: Vec<Row> = snapshot
        .endpoints_of_provider(at)
        .iter()
        .filter_map(|at| {
            let endpoint = snapshot.endpoints.get(*at as usize)?;
            let model = endpoint.model_in(snapshot)?;
            Some(Row {
                model: model.id.to_string(),
                name: model.name.clone(),
                path: format!("/{}/{}", model.id, endpoint.provider_in(snapshot)?.id),
                variant: endpoint.variant.as_deref().map(str::to_owned),
                provider_model_id: endpoint.provider_model_id.to_string(),
                input: price(endpoint, PriceKind::Input),
                output: price(endpoint, PriceKind::Output),
                context: format::tokens(endpoint.context_tokens(snapshot)),
                max_output: format::tokens(endpoint.max_output_tokens(snapshot)),
            })
        })
        .collect();
    rows.sort_by_key(|row| row.name.to_lowercase());
    rows
}

#[cfg(test)]
mod tests {
    use crate::testing::{SHIPPED, Still, get, see, several_on};

    #[tokio::test]
    async fn a_provider_says_what_it_serves_and_keeps() {
        let page = get(several_on(), "/providers/mistral").await;
        assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
        for text in [
            "<h1>Mistral</h1>",
            "FR, SE",
            "Nothing",
            "MISTRAL_API_KEY",
            "logit_bias",
            "$0.15",
            "/mistralai/small-4/mistral",
            "https://docs.mistral.example",
        ] {
            page.holds(text);
        }
        let off = get(several_on(), "/providers/acme-cloud").await;
        off.holds("no key; set SOME_API_KEY");
        off.lacks("<i>Cloud");
        off.lacks("bare\"'>");
    }

    #[tokio::test]
    async fn the_twin_says_the_same_and_the_heaviest_is_light() {
        let twin = get(several_on(), "/providers/venice.json").await;
        let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        assert_eq!(told["offers"][0]["model"], "mistralai/small-4");
        assert_eq!(told["offers"][0]["provider_model_id"], "Small-4-EU");
        assert_eq!(get(several_on(), "/providers/nobody").await.status, 404);
        let heaviest =
            (0..SHIPPED.providers.len()).max_by_key(|at| SHIPPED.endpoints_of_provider(*at).len()).unwrap();
        let path = format!("/providers/{}", SHIPPED.providers[heaviest].id);
        let page = see(Still::new(&SHIPPED, &["mistral"]), &path).await;
        assert!(page.text.len() <= 150_000, "{path} has {} bytes", page.text.len());
    }
}
