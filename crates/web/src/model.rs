//! `/<author>/<slug>`: everything that is known of a model, each fact with its source, and what calls would do. Other names of a
//! model lead to its own address. `.json` is the same for programs.

pub(crate) mod card;
mod effective;
pub(crate) mod offers;
pub(crate) mod pricing;
mod related;
pub(crate) mod routed;
pub(crate) mod twin;

use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use catalog::{Benchmark, Claim, Endpoint, Modality, Model, Snapshot};

use crate::activity;
use crate::chart::{self, Axis, Chart, Dot};
use crate::describe::{self, Faq};
use crate::fact::{Ability, Fact, Line, Origin, is_web};
use crate::format::{self, Shown};
use crate::index::{Row, modality};
use crate::machine::jsonld;
use crate::popularity;
use crate::prose::Prose;
use crate::rankings;
use crate::ratings::{self, Behind, Score as Rated};
use crate::scores::{self, About};
use crate::shell::{self, Crumb, Shell};
use crate::snippets::{self, Kind, Snippet};
use crate::traffic::CACHE_DAYS;
use crate::visit::Visit;
use crate::watch::{self, History, PriceWatch};
use crate::{not_found, virtual_model};
use effective::Effective;
use offers::{Columns, Offer};
use pricing::Pricing;
pub(crate) use related::Related;
use related::related;
use routed::{Order, Pick};

#[derive(Template)]
#[template(path = "model.html")]
struct ModelPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    id: String,
    name: String,
    description: String,
    tags: Vec<&'static str>,
    stats: Vec<Stat>,
    is_on: bool,
    lines: Vec<Line>,
    abilities: Vec<Ability>,
    aliases: Vec<String>,
    weights_url: Option<String>,
    offers: Vec<Offer>,
    columns: Columns,
    order_is_supposed: bool,
    picks: Vec<Picked>,
    picks_supposed: bool,
    works: Vec<Prior>,
    brand_slug: String,
    pricing: Option<Pricing>,
    benchmarks: Vec<Score>,
    parameters: Vec<Parameter>,
    related: Vec<Related>,
    base_url: String,
    kept: Kept,
    tasks: Vec<describe::Task>,
    snippets: Vec<Snippet>,
    key_variable: String,
    faq: Vec<Answered>,
    /// Price against speed, where several offers are measured.
    chart: Option<Chart>,
    /// The same for search engines, as JSON-LD.
    data: Vec<DataBlock>,
    /// Sections of their own: days, use, apps; empty where nothing is known.
    activity: activity::Sections,
    /// The time to the first byte by the hour.
    by_hour: Option<Chart>,
    /// What the cache made of the input price of late.
    effective: Vec<Effective>,
    cache_days: i64,
    streams_min: u64,
    /// What the prices were; empty where nothing is watched.
    history: String,
    /// What people think of it; empty where nobody says.
    ratings: String,
    is_rated: bool,
}

/// A question, and its answer with code set apart.
struct Answered {
    question: String,
    answer: Prose,
}

/// What is worded by the parts of this crate that know no page.
struct Told {
    summary: String,
    faq: Vec<Faq>,
    snippets: Vec<Snippet>,
    key_variable: String,
}

/// JSON that stands safely in a script element.
pub(crate) struct DataBlock(String);

impl std::fmt::Display for DataBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for DataBlock {}

/// A number of the first row.
pub(crate) struct Stat {
    pub(crate) name: &'static str,
    pub(crate) value: Shown,
    pub(crate) note: String,
}

/// For which work a virtual model takes it.
struct Picked {
    by: String,
    text: String,
}

/// How good it is expected to be at a kind of work.
struct Prior {
    work: &'static str,
    quality: String,
}

/// A published result.
struct Score {
    name: String,
    score: String,
    unit: String,
    /// What it measures, and who publishes that.
    about: Option<&'static About>,
    /// Its page; empty where it has none.
    slug: String,
    origin: Origin,
}

/// A request parameter and how many offers take it.
struct Parameter {
    name: String,
    offers: usize,
    of: usize,
}

/// Where the facts are kept, and when they were last looked at.
struct Kept {
    source: Origin,
    file: Option<String>,
    next: Option<Shown>,
    is_overdue: bool,
}

/// What is kept at `/<author>/<slug>`, or where it is instead.
pub(crate) enum Found {
    Model(usize),
    /// Under this id.
    Moved(String),
    Nothing,
}

/// Finds the model of an address; `.json` belongs to the address, not to the slug.
pub(crate) fn find(visit: &Visit, author: &str, slug: &str) -> Found {
    let snapshot = visit.snapshot();
    let slug = if visit.is_json { slug.strip_suffix(".json").unwrap_or(slug) } else { slug };
    let name = format!("{author}/{slug}");
    let Some(at) = snapshot.resolve(&name) else { return Found::Nothing };
    match snapshot.models.get(at) {
        Some(model) if *model.id == *name => Found::Model(at),
        Some(model) => Found::Moved(model.id.to_string()),
        None => Found::Nothing,
    }
}

pub(crate) async fn model(
    visit: Visit,
    headers: HeaderMap,
    behind: Behind,
    Path((author, slug)): Path<(String, String)>,
) -> Response {
    let at = match find(&visit, &author, &slug) {
        Found::Model(at) => at,
        Found::Moved(id) => {
            return shell::moved(&format!("/{id}{}", if visit.is_json { ".json" } else { "" }));
        }
        Found::Nothing => {
            let page = virtual_model::page_of(&visit, &author, &slug);
            return page.unwrap_or_else(|| not_found::page_of(&visit));
        }
    };
    let snapshot = visit.snapshot();
    let (Some(model), Some(row)) = (snapshot.models.get(at), visit.index.row(at)) else {
        return not_found::page_of(&visit);
    };
    let order = routed::order(&*visit.world, at, visit.now);
    let watch = visit.site.prices().await;
    let endpoints: Vec<usize> = snapshot.endpoints_of(at).iter().map(|at| *at as usize).collect();
    let rated = ratings::of_model(&visit, &behind, &model.id).await;
    let score = rated.as_ref().and_then(|rated| rated.score.as_ref());
    if visit.is_json {
        let popularity = popularity::of(&visit, &headers).await;
        let history = watch.map(|watch| watch::told(snapshot, &watch, &endpoints));
        let beside = twin::Beside { popularity: popularity.as_deref(), history, score };
        let told = twin::told(&visit, at, model, &order, beside);
        return rankings::for_viewer(shell::json(&told), visit.site.viewer(&headers).await);
    }
    let mut page = page(&visit, at, model, row, &order, score);
    page.activity = activity::sections(&visit, &headers, at).await;
    page.by_hour = activity::by_hour(&visit, at).await;
    page.effective = effective::of(&visit, &headers, at).await;
    page.history = history(&visit, watch.as_deref(), &endpoints);
    page.is_rated = score.is_some();
    let is_private = rated.as_ref().is_some_and(|rated| rated.is_private);
    page.ratings = rated.map(|rated| rated.html).unwrap_or_default();
    let response = shell::page(StatusCode::OK, &page);
    if is_private { shell::private(response) } else { response }
}

/// The section of prices as they were; empty where nothing is watched.
pub(crate) fn history(visit: &Visit, watch: Option<&PriceWatch>, endpoints: &[usize]) -> String {
    let history = watch.and_then(|watch| History::of(visit, watch, endpoints));
    history.and_then(|history| history.render().ok()).unwrap_or_default()
}

fn page(
    visit: &Visit,
    at: usize,
    model: &Model,
    row: &Row,
    order: &Order,
    rated: Option<&Rated>,
) -> ModelPage {
    let snapshot = visit.snapshot();
    let author = snapshot.author(&model.author).map_or_else(|| model.author.to_string(), |a| a.name.clone());
    let path = format!("/{}", model.id);
    let (offers, columns) = offers::offers(visit, at, order);
    let told = Told::of(visit, at, model, order);
    let description = model.description.clone().unwrap_or_else(|| told.summary.clone());
    let author_path = format!("/{}", model.author);
    let crumbs = vec![Crumb::new("/models", "Models"), Crumb::new(author_path.clone(), author.clone())];
    let picks = visit.picks();
    let way = [
        ("Models", "/models"),
        (author.as_str(), author_path.as_str()),
        (model.name.as_str(), path.as_str()),
    ];
    ModelPage {
        data: data(visit, at, &told.faq, &way, rated),
        tasks: describe::best_for(snapshot, at, &visit.index.on),
        snippets: told.snippets,
        key_variable: told.key_variable,
        faq: answered(told.faq),
        chart: speeds(&offers),
        shell: Shell::of(&visit.place, &model.name, "/models", &path)
            .about(description.clone())
            .pictured(&visit.place, &card::path(&model.id)),
        crumbs,
        tags: crate::models::tags(model, row),
        stats: stats(visit, at, model, row, &offers),
        is_on: offers.iter().any(|offer| offer.off.is_none()),
        lines: lines(snapshot, model),
        abilities: abilities(snapshot, model, row),
        aliases: model.aliases.clone(),
        weights_url: model.facts.weights_url.as_ref().map(|c| c.value.clone()).filter(|url| is_web(url)),
        order_is_supposed: order.is_supposed,
        picks: picked(&visit.place.brand_slug, picks.of_model(at)),
        picks_supposed: picks.is_supposed,
        works: works(visit, at, model),
        brand_slug: visit.place.brand_slug.clone(),
        pricing: Pricing::of(visit, at, order),
        benchmarks: model.benchmarks.iter().map(|row| score(snapshot, row)).collect(),
        parameters: parameters(&offers),
        related: related(visit, at),
        base_url: visit.place.base_url.clone(),
        kept: kept(visit, model),
        id: model.id.to_string(),
        name: model.name.clone(),
        description,
        offers,
        columns,
        activity: activity::Sections::default(),
        by_hour: None,
        effective: Vec::new(),
        cache_days: CACHE_DAYS,
        streams_min: activity::STREAMS_MIN,
        history: String::new(),
        ratings: String::new(),
        is_rated: false,
    }
}

impl Told {
    fn of(visit: &Visit, at: usize, model: &Model, order: &Order) -> Told {
        let snapshot = visit.snapshot();
        let in_order = order.placed.iter().map(|placed| placed.endpoint);
        let mut all: Vec<usize> = in_order.collect();
        all.extend(snapshot.endpoints_of(at).iter().map(|at| *at as usize).filter(|at| !order.has(*at)));
        let offers: Vec<&Endpoint> = all.into_iter().filter_map(|at| snapshot.endpoints.get(at)).collect();
        let picks = visit.picks();
        let picked = picked(&visit.place.brand_slug, picks.of_model(at));
        let sentences: Vec<String> =
            picked.iter().take(3).map(|pick| format!("{} {}", pick.by, pick.text)).collect();
        let supposed = if picks.is_supposed { "If every provider were on, " } else { "" };
        let routed = (!sentences.is_empty()).then(|| format!("{supposed}{}.", sentences.join("; ")));
        let fees = pricing::fees(visit);
        let subject = describe::Subject {
            snapshot,
            on: &visit.index.on,
            model: at,
            offers: &offers,
            routed: routed.as_deref(),
            fees: &fees,
        };
        let (key_variable, snippets) = snippets_of(visit, &model.id, Kind::of(model));
        Told { summary: describe::summary(&subject), faq: describe::faq(&subject), snippets, key_variable }
    }
}

/// The variable for a key of this place, and programs that call a model here.
pub(crate) fn snippets_of(visit: &Visit, id: &str, kind: Option<Kind>) -> (String, Vec<Snippet>) {
    let key_variable = snippets::key_variable(&visit.place.brand_slug);
    let place = snippets::Place { base_url: &visit.place.base_url, key_variable: &key_variable };
    let snippets = kind.map(|kind| snippets::quickstart(&place, id, kind)).unwrap_or_default();
    (key_variable, snippets)
}

fn answered(faq: Vec<Faq>) -> Vec<Answered> {
    let set = |one: Faq| Answered { answer: Prose::of(&one.answer), question: one.question };
    faq.into_iter().map(set).collect()
}

/// Price against speed of the offers that are measured; one says nothing.
fn speeds(offers: &[Offer]) -> Option<Chart> {
    let dots: Vec<Dot<'_>> = offers
        .iter()
        .filter_map(|offer| {
            // Only a place on a chart; the price itself stands in the table.
            let (input, output) = (offer.input.nanos?, offer.output.nanos?);
            let dollars = (3.0 * input as f64 + output as f64) / 4e9;
            let is_marked = offer.routed.as_ref().is_some_and(|routed| routed.is_first);
            Some(Dot {
                x: dollars,
                y: offer.live.as_ref()?.tokens_per_s?,
                name: &offer.provider_name,
                href: Some(&offer.path),
                series: 0,
                is_marked,
            })
        })
        .collect();
    let frame = chart::Frame {
        id: "price-speed",
        title: "Price against speed",
        x: Axis { title: "Blended price (3 in : 1 out), $ per 1M tokens", show: &|x| format!("${x:.2}") },
        y: Axis { title: "Median tokens per second", show: &|y| format!("{y:.0}") },
    };
    (dots.len() > 1).then(|| chart::scatter(&frame, &["Offers"], &dots))
}

/// The page for search engines.
fn data(
    visit: &Visit,
    at: usize,
    faq: &[Faq],
    way: &[(&str, &str)],
    rated: Option<&Rated>,
) -> Vec<DataBlock> {
    let base_url = &visit.place.base_url;
    let picture = visit.snapshot().models.get(at).map(|model| card::path(&model.id)).unwrap_or_default();
    let product = jsonld::model(visit.snapshot(), at, base_url, &picture).map(|mut product| {
        if let Some(map) = product.as_object_mut() {
            map.extend(rated.map(|rated| (String::from("aggregateRating"), rated.jsonld())));
        }
        product
    });
    let questions = (!faq.is_empty()).then(|| jsonld::questions(faq));
    let all = product.into_iter().chain(questions).chain([jsonld::breadcrumbs(base_url, way)]);
    all.map(|value| DataBlock(jsonld::script_text(&value))).collect()
}

fn stats(visit: &Visit, at: usize, model: &Model, row: &Row, offers: &[Offer]) -> Vec<Stat> {
    let snapshot = visit.snapshot();
    let cheapest = row.cheapest;
    let by = cheapest.and_then(|known| {
        let endpoint = snapshot.endpoints.get(known.endpoint)?;
        let name = &endpoint.provider_in(snapshot)?.name;
        // One that is on may have no known price: the cheapest is then another, which is off.
        let on = match visit.index.on.has(endpoint) {
            true => snapshot.model_endpoints(at).filter(|offer| visit.index.on.has(offer)).count(),
            false => 0,
        };
        Some(match on {
            0 => format!("per 1M tokens, at {name}, the cheapest of {}", offers.len()),
            1 => format!("per 1M tokens, at {name}, the only one of {} that is on here", offers.len()),
            on => format!("per 1M tokens, at {name}, the cheapest of {on} that are on here"),
        })
    });
    let note = by.unwrap_or_else(|| String::from("no offer with a known price"));
    let price = |shown: Option<Shown>| shown.unwrap_or_else(Shown::unknown);
    let mut stats = vec![
        Stat {
            name: "Input",
            value: price(cheapest.map(|c| format::per_million(c.input))),
            note: note.clone(),
        },
        Stat { name: "Output", value: price(cheapest.map(|c| format::per_million(c.output))), note },
        Stat {
            name: "Context",
            value: format::tokens(model.context_tokens()),
            note: format!(
                "tokens; at most {} of them output",
                format::tokens(model.max_output_tokens()).text()
            ),
        },
    ];
    let best = visit.board.best(at);
    if let Some(ttft) = best.ttft_ms {
        let note = format!(
            "median of the soonest offer here, last {} minutes, {}",
            routing::health::MINUTES_SHOWN,
            format::count_of(best.samples, "sample")
        );
        stats.push(Stat { name: "First token", value: format::milliseconds(ttft), note });
    }
    if let Some(speed) = best.tokens_per_s {
        let note =
            format!("median of the fastest offer here, last {} minutes", routing::health::MINUTES_SHOWN);
        stats.push(Stat { name: "Speed", value: format::speed(speed), note });
    }
    let released = model.facts.released.as_ref().map(|claim| format::date(&claim.value));
    stats.extend(released.map(|value| Stat {
        name: "Released",
        value,
        note: model.released_day().map(|day| format::age(day, visit.today())).unwrap_or_default(),
    }));
    stats
}

fn lines(snapshot: &Snapshot, model: &Model) -> Vec<Line> {
    let facts = &model.facts;
    let date = |text: &String| format::date(text);
    let text = |text: &String| Shown::same(text.as_str());
    let tokens = |count: &u64| format::tokens(*count);
    let kinds = |of: &Vec<Modality>| {
        Shown::same(of.iter().map(|known| modality(*known)).collect::<Vec<_>>().join(", "))
    };
    let open = |open: &bool| Shown::same(if *open { "Open" } else { "Closed" });
    vec![
        Line::of(snapshot, "Released", facts.released.as_ref(), date),
        Line::of(snapshot, "Knowledge up to", facts.knowledge_cutoff.as_ref(), date),
        Line::of(snapshot, "Context", facts.context_tokens.as_ref(), tokens),
        Line::of(snapshot, "Max output", facts.max_output_tokens.as_ref(), tokens),
        Line::of(snapshot, "Input", facts.input_modalities.as_ref(), kinds),
        Line::of(snapshot, "Output", facts.output_modalities.as_ref(), kinds),
        Line::of(snapshot, "Parameters", facts.parameters.as_ref(), |count| format::short(*count)),
        Line::of(snapshot, "Active per token", facts.active_parameters.as_ref(), |count| {
            format::short(*count)
        }),
        Line::of(snapshot, "Architecture", facts.architecture.as_ref(), text),
        Line::of(snapshot, "Weights", facts.open_weights.as_ref(), open),
        Line::of(snapshot, "License", facts.license.as_ref(), text),
    ]
}

fn abilities(snapshot: &Snapshot, model: &Model, row: &Row) -> Vec<Ability> {
    let facts = &model.facts;
    let said =
        |claim: Option<&Claim<bool>>| claim.map(|c| Fact::of(snapshot, c, |b| format::yes_no(Some(*b))));
    let of = |name, claim: Option<&Claim<bool>>| Ability {
        name,
        holds: claim.map(|claim| claim.value),
        fact: said(claim),
    };
    // An offer may have what its model is not said to have.
    let wider = |name, claim: Option<&Claim<bool>>, holds| Ability { holds, ..of(name, claim) };
    let takes = |name, kind| Ability {
        name,
        holds: facts.input_modalities.as_ref().map(|claim| claim.value.contains(&kind)),
        fact: None,
    };
    vec![
        wider("Tool calling", facts.tool_call.as_ref(), row.tools),
        wider("JSON schema", facts.structured_output.as_ref(), row.schema),
        of("Reasoning", facts.reasoning.as_ref()),
        takes("Images", Modality::Image),
        takes("Files", Modality::File),
        takes("Audio", Modality::Audio),
        takes("Video", Modality::Video),
        of("Temperature", facts.temperature.as_ref()),
        Ability { name: "Cache price", holds: Some(row.has_cache_price), fact: None },
    ]
}

/// The picks in sentences: first places by virtual model, then where the dial would have to stand.
fn picked(brand_slug: &str, picks: &[Pick]) -> Vec<Picked> {
    let mut told: Vec<Picked> = Vec::new();
    for by in ["auto", "fast", "cheap"] {
        for place in 1..=3 {
            let of = picks.iter().filter(|pick| pick.by == by && pick.place == place && pick.dial.is_none());
            let works: Vec<&str> = of.map(|pick| pick.work).collect();
            let word = ["first", "second", "third"].get(place - 1).copied().unwrap_or_default();
            if !works.is_empty() {
                let text = format!("puts it {word} for {}", format::list(&works));
                told.push(Picked { by: format!("{brand_slug}/{by}"), text });
            }
        }
    }
    for pick in picks {
        if let Some(span) = pick.dial {
            let text =
                format!("puts it first for {} with the cost-quality dial at {}", pick.work, dial_span(span));
            told.push(Picked { by: format!("{brand_slug}/auto"), text });
        }
    }
    told
}

/// Tenths of the dial: `0.5`, `0.5 to 0.7`.
pub(crate) fn dial_span((from, to): (u8, u8)) -> String {
    if from == to { tenth(from) } else { format!("{} to {}", tenth(from), tenth(to)) }
}

fn tenth(number: u8) -> String {
    format!("{}.{}", number / 10, number % 10)
}

/// How good its answers are expected to be, best kind of work first. Only conversations have kinds.
fn works(visit: &Visit, at: usize, model: &Model) -> Vec<Prior> {
    if !model.is_chat() {
        return Vec::new();
    }
    let rows = routed::priors(visit.world.abilities(), at);
    let mut priors: Vec<(f64, &'static str)> =
        rows.into_iter().zip(routed::works()).map(|(quality, (_, work))| (quality, work)).collect();
    priors.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    priors
        .into_iter()
        .map(|(quality, work)| Prior { work, quality: format!("{:.0}%", quality * 100.0) })
        .collect()
}

fn score(snapshot: &Snapshot, row: &Benchmark) -> Score {
    let slug = scores::slug(&row.name);
    Score {
        name: row.name.clone(),
        score: row.score.clone(),
        unit: row.metric.clone().unwrap_or_default(),
        about: scores::about(&slug),
        slug,
        origin: Origin::of(snapshot, &row.source, row.date.as_deref().unwrap_or_default()),
    }
}

fn parameters(offers: &[Offer]) -> Vec<Parameter> {
    let mut names: Vec<&String> = offers.iter().flat_map(|offer| &offer.parameters).collect();
    names.sort_unstable();
    names.dedup();
    let count = |name: &String| offers.iter().filter(|offer| offer.parameters.contains(name)).count();
    let told = |name: &String| Parameter { name: name.clone(), offers: count(name), of: offers.len() };
    names.into_iter().map(told).collect()
}

fn kept(visit: &Visit, model: &Model) -> Kept {
    let due = catalog::review::due_day(&model.as_of);
    Kept {
        source: Origin::of(visit.snapshot(), &model.source, &model.as_of),
        file: (!model.from_config).then(|| format!("catalog/models/{}.toml", model.id)),
        next: due.map(format::day),
        is_overdue: due.is_some_and(|day| day < visit.today()),
    }
}

#[cfg(test)]
mod tests;
