//! `/<author>/<slug>/<provider>`: one model at one provider: prices and limits with sources, how it is called there without us, what
//! trips people up, who else serves it, and when a rented machine would cost less.

mod rent;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog::Model;
use serde_json::{Value, json};

use crate::fact::is_web;
use crate::format::Shown;
use crate::model::offers::{self, Columns, Offer};
use crate::model::pricing::{Tier, tier};
use crate::model::routed::{self, Order};
use crate::model::{Stat, card, twin};
use crate::not_found;
use crate::prose::Prose;
use crate::shell::{self, Crumb, Shell};
use crate::snippets::{self, Kind, Recipe, Snippet};
use crate::visit::Visit;

/// Programs for calling it here: curl, Python, TypeScript; the page of the model has more.
const THROUGH_MAX: usize = 3;

#[derive(Template)]
#[template(path = "offer.html")]
struct OfferPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    model_id: String,
    model_name: String,
    provider_id: String,
    provider_name: String,
    path: String,
    off: Option<String>,
    /// Calls can go to any of it.
    is_called: bool,
    /// Somebody says what any of it costs.
    is_priced: bool,
    /// `Deprecated`, of all that is offered here.
    status: Option<&'static str>,
    stats: Vec<Stat>,
    offers: Vec<Part>,
    /// How it is called there.
    recipe: Option<Told>,
    /// Where the provider says more.
    docs: Option<String>,
    /// How it is called here; empty where no call goes to it.
    through: Vec<Snippet>,
    key_variable: String,
    brand: String,
    order_is_supposed: bool,
    others: Vec<Offer>,
    columns: Columns,
    /// Of `others`, how many calls can go to.
    others_on: usize,
    rent: Option<rent::Rent>,
    pin: String,
    /// What the prices were; empty where nothing is watched.
    history: String,
}

/// One endpoint of the page: most providers have one, some have regions or tiers.
struct Part {
    offer: Offer,
    tiers: Vec<Tier>,
    recipe: Option<Recipe>,
    version: String,
    /// What to ask for to stay with it.
    pin: String,
}

impl Part {
    /// Calls can go to it.
    fn is_called(&self) -> bool {
        self.offer.off.is_none() && self.offer.routed.is_some()
    }

    /// Somebody says what it costs.
    fn is_priced(&self) -> bool {
        self.offer.input.nanos.is_some() || self.offer.output.nanos.is_some() || self.offer.routed.is_some()
    }
}

/// The recipe of the first endpoint, and what is different of the others.
struct Told {
    recipe: Recipe,
    gotchas: Vec<Prose>,
    others: Vec<Other>,
}

/// How another endpoint is called: as the first, but for this.
struct Other {
    variant: String,
    provider_model_id: String,
    gotchas: Vec<Prose>,
}

impl Told {
    fn of(parts: &[Part]) -> Option<Told> {
        let known = |part: &'_ Part| Some((part.offer.variant.clone(), part.recipe.clone()?));
        let mut known = parts.iter().filter_map(known);
        let (_, first) = known.next()?;
        let others = known.map(|(variant, recipe)| Other {
            variant: variant.unwrap_or_else(|| "Plain".to_owned()),
            gotchas: recipe
                .gotchas
                .iter()
                .filter(|text| !first.gotchas.contains(text))
                .map(|text| Prose::of(text))
                .collect(),
            provider_model_id: recipe.model_id,
        });
        let others = others.collect();
        let gotchas = first.gotchas.iter().map(|text| Prose::of(text)).collect();
        Some(Told { gotchas, others, recipe: first })
    }
}

pub(crate) async fn offer(
    visit: Visit,
    Path((author, slug, provider)): Path<(String, String, String)>,
) -> Response {
    let provider =
        if visit.is_json { provider.strip_suffix(".json").unwrap_or(&provider) } else { &provider };
    let snapshot = visit.snapshot();
    let at = match snapshot.resolve(&format!("{author}/{slug}")).map(|at| (at, snapshot.models.get(at))) {
        Some((at, Some(model))) if *model.id == *format!("{author}/{slug}") => at,
        Some((_, Some(model))) => {
            let suffix = if visit.is_json { ".json" } else { "" };
            return shell::moved(&format!("/{}/{provider}{suffix}", model.id));
        }
        _ => return not_found::page_of(&visit),
    };
    let own: Vec<usize> = snapshot
        .endpoints_of(at)
        .iter()
        .map(|at| *at as usize)
        .filter(|at| {
            let found = snapshot.endpoints.get(*at).and_then(|endpoint| endpoint.provider_in(snapshot));
            found.is_some_and(|known| *known.id == *provider)
        })
        .collect();
    let Some(model) = snapshot.models.get(at).filter(|_| !own.is_empty()) else {
        return not_found::page_of(&visit);
    };
    let order = routed::order(&*visit.world, at, visit.now);
    let watch = visit.site.prices().await;
    if visit.is_json {
        let told: Vec<Value> = own.iter().filter_map(|at| twin::offer(&visit, *at, &order)).collect();
        let history = watch.map(|watch| crate::watch::told(snapshot, &watch, &own));
        let id = &model.id;
        return shell::json(
            &json!({ "catalog": snapshot.version, "model": id, "offers": told, "price_history": history }),
        );
    }
    match page(&visit, (at, model), &own, &order) {
        Some(mut page) => {
            page.history = crate::model::history(&visit, watch.as_deref(), &own);
            shell::page(StatusCode::OK, &page)
        }
        None => not_found::page_of(&visit),
    }
}

fn page(visit: &Visit, (at, model): (usize, &Model), own: &[usize], order: &Order) -> Option<OfferPage> {
    let snapshot = visit.snapshot();
    let first = snapshot.endpoints.get(*own.first()?)?;
    let provider = first.provider_in(snapshot)?;
    let (others, columns) = offers::offers(visit, at, order);
    let author = snapshot.author(&model.author).map_or_else(|| model.author.to_string(), |a| a.name.clone());
    let title = format!("{} at {}", model.name, provider.name);
    let path = format!("/{}/{}", model.id, provider.id);
    let about = format!("{title}: price, limits, how it is called there, and who else serves it.");
    let offers: Vec<Part> = own.iter().filter_map(|at| part(visit, *at, model, order)).collect();
    let pin = format!("{}@{}", model.id, provider.id);
    let key_variable = snippets::key_variable(&visit.place.brand_slug);
    let place = snippets::Place { base_url: &visit.place.base_url, key_variable: &key_variable };
    let through = offers.iter().any(Part::is_called).then(|| Kind::of(model)).flatten();
    let mut through = through.map(|kind| snippets::quickstart(&place, &pin, kind)).unwrap_or_default();
    through.truncate(THROUGH_MAX);
    let mut statuses = offers.iter().map(|part| part.offer.status);
    let status = statuses.next().flatten().filter(|first| statuses.all(|other| other == Some(first)));
    Some(OfferPage {
        shell: Shell::of(&visit.place, &title, "/models", &path)
            .about(about)
            .pictured(&visit.place, &card::path(&model.id)),
        crumbs: vec![
            Crumb::new("/models", "Models"),
            Crumb::new(format!("/{}", model.author), author),
            Crumb::new(format!("/{}", model.id), model.name.clone()),
        ],
        model_id: model.id.to_string(),
        model_name: model.name.clone(),
        provider_id: provider.id.to_string(),
        provider_name: provider.name.to_string(),
        off: visit.world.provider_off(first.provider),
        is_called: offers.iter().any(Part::is_called),
        is_priced: offers.iter().any(Part::is_priced),
        status,
        stats: offers.first().map(|part| stats(&part.offer)).unwrap_or_default(),
        recipe: Told::of(&offers),
        docs: provider.docs.as_deref().filter(|url| is_web(url)).map(str::to_owned),
        through,
        key_variable,
        brand: visit.place.brand.clone(),
        order_is_supposed: order.is_supposed,
        others_on: others.iter().filter(|other| other.off.is_none() && other.routed.is_some()).count(),
        others,
        columns,
        rent: rent::rent(visit, at, model, own),
        pin,
        path,
        offers,
        history: String::new(),
    })
}

fn part(visit: &Visit, at: usize, model: &Model, order: &Order) -> Option<Part> {
    let snapshot = visit.snapshot();
    let endpoint = snapshot.endpoints.get(at)?;
    let recipe = Kind::of(model).and_then(|kind| snippets::recipe(snapshot, endpoint, kind));
    let offer = offers::offer(visit, at, order)?;
    let provider = endpoint.provider_in(snapshot)?;
    let variant = offer.variant.as_deref().map(|variant| format!("/{variant}")).unwrap_or_default();
    Some(Part {
        pin: format!("{}@{}{variant}", model.id, provider.id),
        recipe,
        offer,
        tiers: endpoint.price.overrides.iter().map(tier).collect(),
        version: endpoint.price_version.to_string(),
    })
}

fn stats(offer: &Offer) -> Vec<Stat> {
    let stat = |name, value: &Shown, note: &str| Stat { name, value: value.clone(), note: note.to_owned() };
    let mut stats = vec![
        stat("Input", &offer.input.shown, "per 1M tokens"),
        stat("Output", &offer.output.shown, "per 1M tokens"),
    ];
    if offer.cache_read.nanos.is_some() {
        stats.push(stat("Cache read", &offer.cache_read.shown, "per 1M tokens"));
    }
    stats.push(stat("Context", &offer.context.shown, "tokens, input and output together"));
    stats.push(stat("Max output", &offer.max_output.shown, "tokens"));
    if let Some(live) = &offer.live {
        let note = format!("median, last 30 minutes, {} samples here", live.samples);
        stats.push(stat("First token", &live.ttft_p50, &note));
        stats.push(stat("Uptime", &live.uptime, &format!("last 24 hours, {}", live.asked)));
    }
    stats
}

#[cfg(test)]
mod tests {
    use crate::testing::{SHIPPED, SMALL, Still, get, see, several_on};

    #[tokio::test]
    async fn an_offer_says_price_recipe_and_what_differs() {
        let page = get(several_on(), "/mistralai/small-4/mistral").await;
        assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
        for text in [
            "<h1>Mistral Small 4 at Mistral</h1>",
            "$0.15",
            "mistral-small-2603",
            "MISTRAL_API_KEY",
            "api.mistral.example/v1",
            "above 200,000 input tokens",
            "Vendor page",
            "/mistralai/small-4/venice",
            "mistralai/small-4@mistral",
        ] {
            page.holds(text);
        }
    }

    #[tokio::test]
    async fn a_page_says_what_can_be_called_and_marks_itself() {
        let world = || Still::new(&SMALL, &["mistral"]).measured("mistral/small-4", 440.0, 29.0);
        let on = see(world(), "/mistralai/small-4/mistral").await;
        on.holds("To stay with this provider, ask for").holds("Calling it through Tollway");
        on.holds("&#34;model&#34;: &#34;mistralai/small-4@mistral&#34;");
        on.holds("Mistral <span class=\"tag\">This page</span>").holds("1 of 2 offers can be called here");
        on.holds("<small>Off here</small>")
            .holds("29 tok/s")
            .holds("<td data-label=\"Runs\">EU<small>fp8</small>");
        // A bare id is nothing to type into a terminal.
        on.lacks("<figcaption>Terminal</figcaption><pre tabindex=\"0\"><code>mistral-small-2603");
        let off = see(world(), "/mistralai/small-4/venice").await;
        off.holds("Once it is on, ask for").lacks("To stay with this provider").lacks("Calling it through");
        let unpriced = see(Still::new(&SMALL, &["acme-cloud"]), "/acme/bare/acme-cloud").await;
        unpriced.holds("Not called here").holds("no price of it is known").lacks("ask for <span");
        unpriced.lacks("Calling it through");
    }

    #[tokio::test]
    async fn every_variant_has_its_pin_and_its_status() {
        let page = see(Still::new(&SHIPPED, &["nebius"]), "/openai/gpt-oss-120b/nebius").await;
        page.holds("fast <span class=\"chip warn\">Deprecated</span>");
        page.holds(">openai/gpt-oss-120b@nebius/fast</code>");
        page.holds("For fast, the same with <code>openai/gpt-oss-120b-fast</code> as the model id");
    }

    #[tokio::test]
    async fn only_offers_that_exist_have_a_page() {
        assert_eq!(get(several_on(), "/mistralai/small-4/groq").await.status, 404);
        let moved = get(several_on(), "/mistral/small-2603/venice").await;
        assert_eq!((moved.status, moved.header("location")), (308, "/mistralai/small-4/venice"));
        let twin = get(several_on(), "/mistralai/small-4/venice.json").await;
        let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        assert_eq!(told["offers"][0]["provider_model_id"], "Small-4-EU");
        let hostile = get(several_on(), "/acme/bare/acme-cloud").await;
        assert_eq!(hostile.status, 200);
        for text in ["<script>alert", "<i>Cloud", "bare\"'>"] {
            hostile.lacks(text);
        }
    }
}
