//! One model, one truth: what its page says in tables, prose, questions, programs and structured data, what its twin says and
//! what the API says are the same numbers.

use std::collections::BTreeMap;

use scraper::Html;
use serde_json::Value as Json;
use testkit::TestApp;

use super::page::{Value, all, count, data, decimal, dollars, text, value, within};
use super::{Fetched, each, none_of};

/// Fewer models than this, and the comparison says nothing.
const MODELS_MIN: usize = 450;

/// What one page shows.
struct Shown {
    id: String,
    name: String,
    lead: String,
    stats: BTreeMap<String, Value>,
    facts: BTreeMap<String, Value>,
    offers: Vec<Offer>,
    price_version: Option<String>,
    /// Name, amount, and per thousand where there is one.
    prices: Vec<(String, Value, String)>,
    faq: Vec<(String, String)>,
    programs: Vec<String>,
    product: Json,
    questions: Json,
    about: String,
}

/// A row of the table of offers: its endpoint, and cells by the name of their column, with what they are sorted by.
struct Offer {
    endpoint: String,
    cells: BTreeMap<String, (Value, Option<String>)>,
}

/// The models of the API that are no virtual ones.
pub(super) async fn models(app: &TestApp) -> Vec<String> {
    listed(app).await.into_keys().collect()
}

async fn listed(app: &TestApp) -> BTreeMap<String, Json> {
    let list = app.anonymous().get("/v1/models").await.expect(200).json();
    let models = list["data"].as_array().expect("data").iter().filter(|m| m["pricing"]["prompt"] != "-1");
    models.map(|model| (model["id"].as_str().expect("an id").to_owned(), model.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tells_of_a_model_tells_the_same() {
    let app = TestApp::builder().start().await;
    let listed = listed(&app).await;
    assert!(listed.len() >= MODELS_MIN, "{} models", listed.len());
    tell_the_same(&app, listed).await;
}

/// The price at the head is that of an offer that can be called, where there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tells_of_a_model_tells_the_same_where_providers_are_on() {
    let app = TestApp::builder()
        .set("providers.groq.api_key", "\"none\"")
        .set("providers.venice.api_key", "\"none\"")
        .start()
        .await;
    let offered =
        each(&app, vec!["/providers/groq.json".into(), "/providers/venice.json".into()], |answer| {
            let told: Json = serde_json::from_str(&answer.text).expect("JSON");
            assert_eq!(told["provider"]["is_on"], true, "{}", answer.path);
            told["offers"]
                .as_array()
                .expect("offers")
                .iter()
                .map(|offer| offer["model"].clone())
                .collect::<Vec<_>>()
        });
    let offered: Vec<Json> = offered.await.concat();
    let mut listed = listed(&app).await;
    listed.retain(|id, _| offered.contains(&Json::from(id.as_str())));
    assert!(listed.len() > 20, "{} models", listed.len());
    tell_the_same(&app, listed).await;
}

async fn tell_the_same(app: &TestApp, listed: BTreeMap<String, Json>) {
    let paths = |form: fn(&str) -> String| listed.keys().map(|id| form(id)).collect::<Vec<_>>();
    let pages = each(app, paths(|id| format!("/{id}")), |page| read(&page)).await;
    let twins = told(app, paths(|id| format!("/{id}.json")), |told| told).await;
    let endpoints =
        told(app, paths(|id| format!("/v1/models/{id}/endpoints")), |told| told["data"].clone()).await;
    let rows = by_id(every_row(app).await);
    let mut faults = Vec::new();
    let mut compared = 0;
    for page in &pages {
        let mut case = Case { page, faults: Vec::new(), compared: 0 };
        let (twin, model) = (&twins[&page.id], &listed[&page.id]);
        case.names(twin, model);
        case.tokens(twin, model);
        case.dates(twin, model);
        case.offers(twin, &endpoints[&page.id]);
        case.cheapest(twin, model, rows.get(&page.id));
        case.price_table(twin);
        case.prose();
        case.programs(&app.url());
        compared += case.compared;
        faults.extend(case.faults.iter().map(|fault| format!("{}: {fault}", page.id)));
    }
    none_of(faults, &format!("{} models, {compared} comparisons", pages.len()));
    assert!(compared > 20 * pages.len(), "{compared} comparisons");
}

/// The list's twin, page by page.
async fn every_row(app: &TestApp) -> Vec<Json> {
    let (mut rows, mut next) = (Vec::new(), Some(String::from("/models.json")));
    while let Some(path) = next {
        let page = app.anonymous().get(&path).await.expect(200).json();
        rows.extend(page["data"].as_array().expect("data").iter().cloned());
        next = page["next"].as_str().map(|url| url.trim_start_matches(&app.url()).to_owned());
    }
    rows
}

async fn told(app: &TestApp, paths: Vec<String>, part: fn(Json) -> Json) -> BTreeMap<String, Json> {
    let all = each(app, paths, move |answer: Fetched| {
        assert_eq!(answer.status, 200, "{}", answer.path);
        part(serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{}: {e}", answer.path)))
    });
    by_id(all.await)
}

fn by_id(all: Vec<Json>) -> BTreeMap<String, Json> {
    all.into_iter().map(|one| (one["id"].as_str().expect("an id").to_owned(), one)).collect()
}

fn read(page: &Fetched) -> Shown {
    assert_eq!(page.status, 200, "{}", page.path);
    let html = Html::parse_document(&page.text);
    let first = |selector: &str| all(&html, selector).first().map(|one| text(*one)).unwrap_or_default();
    let stats = all(&html, "dl.stats > div")
        .into_iter()
        .map(|one| (text(within(one, "dt")[0]), value(within(one, "dd")[0])));
    let facts = all(&html, "#overview table.facts tr")
        .into_iter()
        .map(|row| (text(within(row, "th")[0]), value(within(row, "td")[0])));
    let prices = all(&html, "#pricing .cols > :first-child tbody tr").into_iter().map(|row| {
        let cells = within(row, "td");
        (text(within(row, "th")[0]), value(cells[0]), value(cells[1]).exact)
    });
    let answers = all(&html, "dl.faq dd").into_iter().map(text);
    let about = all(&html, "meta[name=description]").first().and_then(|meta| meta.attr("content"));
    Shown {
        id: page.path.trim_start_matches('/').to_owned(),
        name: first("h1"),
        lead: first(".head .lead"),
        stats: stats.collect(),
        facts: facts.collect(),
        offers: offers(&html),
        price_version: all(&html, "#pricing .sub code").first().map(|code| text(*code)),
        prices: prices.collect(),
        faq: all(&html, "dl.faq dt").into_iter().map(text).zip(answers).collect(),
        programs: all(&html, "#api pre code").into_iter().map(|code| code.text().collect()).collect(),
        product: data(&html, "Product").unwrap_or_default(),
        questions: data(&html, "FAQPage").unwrap_or_default(),
        about: about.unwrap_or_default().to_owned(),
    }
}

fn offers(html: &Html) -> Vec<Offer> {
    let heads: Vec<String> =
        all(html, "#providers table[data-sort] thead th").into_iter().map(|th| value(th).exact).collect();
    let ids = all(html, "#providers details[id^=from-]");
    let ids = ids.into_iter().filter_map(|one| one.attr("id")?.strip_prefix("from-").map(str::to_owned));
    let rows = all(html, "#providers table[data-sort] tbody tr");
    let rows = rows.into_iter().map(|row| {
        let cells =
            row.child_elements().map(|cell| (value(cell), cell.attr("data-value").map(str::to_owned)));
        heads.iter().cloned().zip(cells).collect()
    });
    ids.zip(rows).map(|(endpoint, cells)| Offer { endpoint, cells }).collect()
}

/// A number of JSON as text: decimal text stays as it is.
fn plain(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Case<'a> {
    page: &'a Shown,
    faults: Vec<String>,
    compared: usize,
}

impl Case<'_> {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, one: T, other: T) {
        self.compared += 1;
        if one != other {
            self.faults.push(format!("{what}: {one:?} and {other:?}"));
        }
    }

    fn names(&mut self, twin: &Json, model: &Json) {
        let page = self.page;
        for (what, other) in
            [("twin", &twin["name"]), ("API", &model["name"]), ("data", &page.product["name"])]
        {
            self.same(&format!("name, {what}"), Some(page.name.as_str()), other.as_str());
        }
        self.same("id in the data", Some(page.id.as_str()), page.product["sku"].as_str());
        self.same("description of the head", &page.lead, &page.about);
    }

    fn tokens(&mut self, twin: &Json, model: &Json) {
        let page = self.page;
        let stated = |name: &str| {
            let all = page.product["additionalProperty"].as_array()?;
            all.iter().find(|property| property["name"] == name)?["value"].as_u64()
        };
        let fact = |name: &str| page.facts.get(name).and_then(|fact| count(&fact.exact));
        let (context, most) =
            (&twin["facts"]["context_tokens"]["value"], &twin["facts"]["max_output_tokens"]["value"]);
        self.same("context, table and twin", fact("Context"), context.as_u64());
        self.same("context, table and API", fact("Context"), model["context_length"].as_u64());
        self.same("context, table and data", fact("Context"), stated("Context"));
        self.same(
            "context, table and head",
            fact("Context"),
            page.stats.get("Context").and_then(|c| count(&c.exact)),
        );
        self.same("max output, table and twin", fact("Max output"), most.as_u64());
        self.same("max output, table and data", fact("Max output"), stated("Maximum output"));
        let answer = page.faq.iter().find(|(question, _)| question.starts_with("How long is the context"));
        let told = answer.and_then(|(_, answer)| {
            let full = answer.split_once(" tokens")?.0;
            count(full.rsplit_once('(').map_or(full, |(_, exact)| exact.trim_end_matches(')')))
        });
        self.same("context, table and question", fact("Context"), told);
    }

    fn dates(&mut self, twin: &Json, model: &Json) {
        let page = self.page;
        let fact = |name: &str| {
            page.facts.get(name).map(|fact| fact.exact.clone()).filter(|text| text != "Not sourced")
        };
        let said = |json: &Json| json.as_str().map(str::to_owned);
        let released = fact("Released");
        self.same("released, table and twin", released.clone(), said(&twin["facts"]["released"]["value"]));
        self.same("released, table and data", released.clone(), said(&page.product["releaseDate"]));
        let head = page.stats.get("Released").map(|stat| stat.exact.clone());
        self.same("released, table and head", released.clone(), head);
        let knowledge = fact("Knowledge up to");
        self.same(
            "knowledge, table and twin",
            knowledge.clone(),
            said(&twin["facts"]["knowledge_cutoff"]["value"]),
        );
        self.same("knowledge, table and API", knowledge, said(&model["knowledge_cutoff"]));
        let day: Option<jiff::civil::Date> = released.and_then(|text| text.parse().ok());
        if let Some(day) = day {
            let at = day.to_zoned(jiff::tz::TimeZone::UTC).expect("a day").timestamp().as_second();
            self.same("released, table and API", Some(at), model["created"].as_i64());
        }
    }

    fn offers(&mut self, twin: &Json, api: &Json) {
        let page = self.page;
        let (twins, served) =
            (twin["offers"].as_array().expect("offers"), api["endpoints"].as_array().expect("endpoints"));
        self.same("offers, table and twin", page.offers.len(), twins.len());
        self.same("offers, table and API", page.offers.len(), served.len());
        let counted = page.product["offers"]["offerCount"].as_u64();
        if let Some(counted) = counted {
            self.same("offers, table and data", page.offers.len() as u64, counted);
        }
        let stated = page.product["offers"]["offers"].as_array().cloned().unwrap_or_default();
        for offer in &page.offers {
            let twin = twins.iter().find(|twin| twin["endpoint"] == *offer.endpoint).unwrap_or(&Json::Null);
            let served = served.iter().find(|served| served["id"] == *offer.endpoint).unwrap_or(&Json::Null);
            let stated = stated.iter().find(|stated| stated["sku"] == *offer.endpoint).unwrap_or(&Json::Null);
            for (column, key, of_api) in [
                ("Input", "input_usd_per_mtok", "prompt"),
                ("Output", "output_usd_per_mtok", "completion"),
                ("Cache read", "cache_read_usd_per_mtok", "input_cache_read"),
            ] {
                self.price(
                    offer,
                    column,
                    [&twin["price"][key]["value"], &served["prices"][key], &served["pricing"][of_api]],
                    stated,
                );
            }
            for (column, key, of_api) in [
                ("Context", "context_tokens", "context_length"),
                ("Max output", "max_output_tokens", "max_completion_tokens"),
            ] {
                let Some((shown, sorted)) = offer.cells.get(column) else { continue };
                let what = format!("{} of {}", column, offer.endpoint);
                let seen = count(&shown.exact);
                self.same(&format!("{what}, shown and sorted by"), seen, sorted.as_deref().and_then(count));
                self.same(&format!("{what}, table and twin"), seen, twin[key].as_u64());
                self.same(&format!("{what}, table and API"), seen, served[of_api].as_u64());
            }
        }
    }

    /// A price of one offer: in the table, what it is sorted by, in the twin, twice in the API, and in the structured data.
    fn price(&mut self, offer: &Offer, column: &str, [twin, per_mtok, per_token]: [&Json; 3], stated: &Json) {
        let Some((shown, sorted)) = offer.cells.get(column) else { return };
        let what = format!("{column} of {}", offer.endpoint);
        let seen = dollars(&shown.exact);
        self.same(
            &format!("{what}, shown and sorted by"),
            seen,
            sorted.as_deref().and_then(|text| text.parse().ok()),
        );
        let nanos = |json: &Json| plain(json).and_then(|text| decimal(&text, 9));
        self.same(&format!("{what}, table and twin"), seen, nanos(twin));
        self.same(&format!("{what}, table and API"), seen, nanos(per_mtok));
        let of_one = plain(per_token).and_then(|text| decimal(&text, 15));
        self.same(&format!("{what}, table and API per token"), seen, of_one);
        let specified = stated["priceSpecification"].as_array();
        let specified = specified.and_then(|all| all.iter().find(|one| one["name"] == column));
        self.same(&format!("{what}, table and data"), seen, specified.and_then(|one| nanos(&one["price"])));
    }

    /// The prices at the head of the page, in the list and in the API are those of one offer, the cheapest.
    fn cheapest(&mut self, twin: &Json, model: &Json, row: Option<&Json>) {
        let page = self.page;
        let Some(row) = row else {
            self.faults.push(String::from("not in the list's twin"));
            return;
        };
        self.same(
            "context, list and twin",
            &row["context_tokens"],
            &twin["facts"]["context_tokens"]["value"],
        );
        self.same("released, list and twin", &row["released"], &twin["facts"]["released"]["value"]);
        for (stat, key, of_api) in
            [("Input", "input_usd_per_mtok", "prompt"), ("Output", "output_usd_per_mtok", "completion")]
        {
            let head = page.stats.get(stat).and_then(|stat| dollars(&stat.exact));
            let listed = plain(&row["cheapest"][key]).and_then(|text| decimal(&text, 9));
            self.same(&format!("{stat}, head and list"), head, listed);
            let of_one = plain(&model["pricing"][of_api]).and_then(|text| decimal(&text, 15));
            self.same(&format!("{stat}, head and API"), head, of_one);
            let asked = page.faq.iter().find(|(question, _)| question.ends_with("cost?"));
            let unit = format!(" per 1M {} tokens", stat.to_lowercase());
            for (what, prose) in [
                ("question", asked.map(|(_, answer)| answer.as_str())),
                ("summary", Some(page.lead.as_str())),
            ] {
                if let Some(told) = prose.and_then(|prose| before(prose, &unit)) {
                    self.same(&format!("{stat}, head and {what}"), head, dollars(&told));
                }
            }
        }
    }

    fn price_table(&mut self, twin: &Json) {
        let page = self.page;
        let Some(version) = &page.price_version else { return };
        let offers = twin["offers"].as_array().expect("offers");
        let Some(offer) = offers.iter().find(|offer| offer["price_version"] == **version) else {
            self.faults.push(format!("price version {version} is none of the twin's"));
            return;
        };
        let prices = offer["price"].as_object().into_iter().flat_map(|prices| prices.values());
        let mut told: Vec<Option<i128>> =
            prices.map(|price| plain(&price["value"]).and_then(|text| decimal(&text, 9))).collect();
        let mut seen: Vec<Option<i128>> =
            page.prices.iter().map(|(_, amount, _)| dollars(&amount.exact)).collect();
        told.sort_unstable();
        seen.sort_unstable();
        self.same("prices, table and twin", seen, told);
        for (name, amount, per_thousand) in &page.prices {
            if let (Some(million), Some(thousand)) = (dollars(&amount.exact), per_thousand.strip_prefix('$'))
            {
                let thousand = decimal(&thousand.replace(',', ""), 12);
                self.same(&format!("{name}, per million and per thousand"), Some(million), thousand);
            }
        }
    }

    /// Questions and answers for people and for machines.
    fn prose(&mut self) {
        let page = self.page;
        let told = page.questions["mainEntity"].as_array().cloned().unwrap_or_default();
        let told: Vec<(String, String)> =
            told.iter().map(|one| (words(&one["name"]), words(&one["acceptedAnswer"]["text"]))).collect();
        self.same("questions, page and data", &page.faq, &told);
    }

    fn programs(&mut self, base_url: &str) {
        let page = self.page;
        for program in &page.programs {
            self.same("a program names the model", true, program.contains(&page.id));
            self.same("a program calls this place", true, program.contains(base_url));
        }
    }
}

fn words(json: &Json) -> String {
    json.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The word before these words: `$0.15` of `From $0.15 per 1M input tokens`.
fn before(prose: &str, words: &str) -> Option<String> {
    let (start, _) = prose.split_once(words)?;
    start.rsplit(' ').next().map(str::to_owned)
}

#[test]
fn a_difference_is_found() {
    assert_eq!(
        before("From $0.15 per 1M input tokens at A.", " per 1M input tokens"),
        Some(String::from("$0.15"))
    );
    let html = "<h1>A</h1><div id=\"providers\"><table data-sort><thead><tr><th>Provider</th><th>Input<small>$</small></th></tr></thead><tbody>\
                <tr><th>P</th><td data-value=\"150000000\">$0.15</td></tr></tbody></table><details id=\"from-p/a\"></details></div>";
    let offers = offers(&Html::parse_fragment(html));
    let page = Shown {
        id: String::from("a/a"),
        name: String::from("A"),
        lead: String::new(),
        stats: BTreeMap::new(),
        facts: BTreeMap::new(),
        offers: Vec::new(),
        price_version: None,
        prices: Vec::new(),
        faq: Vec::new(),
        programs: Vec::new(),
        product: Json::Null,
        questions: Json::Null,
        about: String::new(),
    };
    for (twin, faults) in [("0.15", 0), ("0.16", 1)] {
        let mut case = Case { page: &page, faults: Vec::new(), compared: 0 };
        let stated = serde_json::json!({"priceSpecification": [{"name": "Input", "price": "0.15"}]});
        case.price(&offers[0], "Input", [&twin.into(), &"0.15".into(), &"0.00000015".into()], &stated);
        assert_eq!((case.faults.len(), case.compared), (faults, 5), "{:?}", case.faults);
    }
}
