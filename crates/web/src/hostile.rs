//! Every page of a catalog whose names are hostile, read as a browser reads it: whatever a model, an author, a provider, a benchmark, an
//! app or an address is called, a page has no element and no attribute that it doesn't have with harmless names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use catalog::Snapshot;
use scraper::Html;
use tower::ServiceExt;
use types::OWNER_ACCOUNT;
use url::form_urlencoded;

use crate::router;
use crate::safe::payloads::PAYLOADS;
use crate::safe::tests::unescape;
use crate::testing::{NOON, Records, SMALL, Still, Used, several_on, site};
use crate::{Attempted, Attempts, Changed, EndpointTime, PriceChange, PriceWatch};

/// What is hostile, as it is written.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| PAYLOADS.lines().filter(|line| !line.is_empty()).map(unescape).collect());

/// A text of TOML.
fn toml(text: &str) -> String {
    // What JSON leaves as it is and TOML does not take.
    serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f")
}

fn write(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// A catalog in which everything with a name has a hostile one; `harmless` gives each another.
fn catalog(harmless: bool) -> Arc<Snapshot> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(&root.join("sources/feed.toml"), "name = \"Feed\"\nurl = \"https://feed.example\"\n");
    for (at, name) in NAMES.iter().enumerate() {
        // The catalog refuses control characters; the rest it takes as it is.
        let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let name = toml(&if harmless { format!("Harmless {at}") } else { name });
        write(&root.join(format!("authors/evil-{at}.toml")), &format!("name = {name}\n"));
        let model = format!(
            "name = {name}\ndescription = {name}\nfamily = {name}\nsource = \"feed\"\nas_of = \"2026-07-02\"\n\
             [facts]\nreleased = \"2026-03-16\"\nopen_weights = true\nlicense = {name}\narchitecture = {name}\n\
             context_tokens = {{ value = 256000, source = \"feed\", as_of = \"2026-06\", rule = \"majority\", \
             dissent = [{{ value = 1000, source = \"feed\", as_of = \"2026-06\" }}] }}\n\
             [[benchmarks]]\nname = {name}\nscore = \"38\"\nmetric = {name}\nsource = \"feed\"\ndate = \"2026-06-01\"\n\
             [[benchmarks]]\nname = \"SciCode\"\nscore = \"{}\"\nmetric = \"percent\"\nsource = \"feed\"\ndate = \"2026-06-01\"\n",
            at + 1
        );
        write(&root.join(format!("models/evil-{at}/m-{at}.toml")), &model);
        let provider = format!(
            "name = {name}\nprotocol = \"openai\"\nbase_url = \"https://evil.example/v1\"\napi_key_env = [\"EVIL_KEY\"]\n\
             source = \"feed\"\nas_of = \"2026\"\n"
        );
        write(&root.join(format!("providers/p-{at}/provider.toml")), &provider);
        let endpoint = format!(
            "model = \"evil-{at}/m-{at}\"\nprovider_model_id = {name}\nsource = \"feed\"\nas_of = \"2026\"\n\
             [price]\ninput_usd_per_mtok = \"0.1\"\noutput_usd_per_mtok = \"0.2\"\n\
             cache_read_usd_per_mtok = \"0.01\"\n"
        );
        write(&root.join(format!("providers/p-{at}/endpoints/m-{at}.toml")), &endpoint);
    }
    let loaded = catalog::load_dir(root);
    Arc::new(
        loaded.unwrap_or_else(|problems| {
            panic!("{:?}", problems.iter().step_by(100).take(12).collect::<Vec<_>>())
        }),
    )
}

fn pages(snapshot: &Arc<Snapshot>, app: &'static str) -> Router {
    let used =
        Used { model: "evil-0/m-0", app, task: app, account: OWNER_ACCOUNT, requests: 50, ..Used::default() };
    let attempted =
        Attempted { answered: 90, errors: 30, ttft_count: 9, ttft_us: 9_000, ..Attempted::default() };
    let at = |at| EndpointTime { endpoint: "p-0/m-0".to_owned(), at, attempted };
    let hour = NOON.seconds() / 3_600;
    let attempts =
        Attempts { days: vec![at(NOON.day())], hours: vec![at(hour - 1), at(hour)], bad: vec![at(hour)] };
    let price = Changed {
        kind: types::PriceKind::Input,
        condition: app.to_owned(),
        before: None,
        after: Some(types::Quote::Unknown),
    };
    let change = PriceChange { number: 2, endpoint: "p-0/m-0".to_owned(), at: NOON, price: Some(price) };
    let prices = PriceWatch { since: Some(NOON), changes: vec![change] };
    let records = Records { used: vec![used], attempts, prices, ..Records::default() };
    let world = Still::new(snapshot, &["p-0", "p-1"]).measured("p-0/m-0", 300.0, 80.0);
    router(site(several_on(), world.recorded(records)))
}

async fn text(pages: &Router, path: &str) -> String {
    let request = Request::get(path).body(Body::empty()).unwrap_or_else(|error| panic!("{path}: {error}"));
    let response = pages.clone().oneshot(request).await.unwrap();
    assert!(response.status().as_u16() < 500, "{path}: {}", response.status());
    String::from_utf8(to_bytes(response.into_body(), 8 << 20).await.unwrap().to_vec()).unwrap()
}

/// Every element with an attribute of its own, as `a href`; and whatever addresses lead anywhere but to the web.
fn made_of(html: &str) -> BTreeSet<String> {
    let page = Html::parse_document(html);
    let mut parts = BTreeSet::new();
    for element in page.root_element().descendent_elements() {
        let name = element.value().name();
        parts.insert(name.to_owned());
        for (attribute, value) in element.value().attrs() {
            parts.insert(format!("{name} {attribute}"));
            let is_address = matches!(attribute, "href" | "src" | "action" | "formaction");
            let starts = ["/", "#", "http://127.0.0.1:8080", "https://"];
            if is_address && (!starts.iter().any(|start| value.starts_with(start)) || value.starts_with("//"))
            {
                parts.insert(format!("{name} {attribute}={value}"));
            }
        }
        let is_ours = element.attr("src").is_some_and(|src| src.starts_with("/assets/"));
        let is_data = element.attr("type") == Some("application/ld+json");
        if name == "script" && is_data {
            let data: String = element.text().collect();
            assert!(serde_json::from_str::<serde_json::Value>(&data).is_ok(), "{data}");
        } else if name == "script" && !is_ours {
            parts.insert(format!("script of its own: {}", element.html()));
        }
    }
    parts
}

/// The pages that the catalog brings, by kind: those of one kind are made of the same parts.
fn paths(snapshot: &Snapshot) -> Vec<String> {
    let mut paths: Vec<String> =
        ["/", "/models", "/providers", "/benchmarks", "/benchmarks/scicode", "/charts"]
            .into_iter()
            .chain([
                "/rankings",
                "/rankings?by=app",
                "/rankings?by=task",
                "/apps",
                "/status",
                "/compare",
                "/calculator",
            ])
            .map(str::to_owned)
            .collect();
    for at in 0..NAMES.len() {
        let id = format!("evil-{at}/m-{at}");
        paths.push(format!("/{id}"));
        paths.push(format!("/{id}/p-{at}"));
        paths.push(format!("/evil-{at}"));
        paths.push(format!("/providers/p-{at}"));
    }
    paths.extend((1..=NAMES.len().div_ceil(50)).map(|page| format!("/models?page={page}")));
    let benches = crate::scores::all(snapshot);
    paths.extend(
        benches
            .iter()
            .filter(|bench| !bench.slug.is_empty())
            .map(|bench| format!("/benchmarks/{}", bench.slug)),
    );
    for at in (0..NAMES.len() - 1).step_by(9) {
        let (one, other) = (format!("evil-{at}/m-{at}"), format!("evil-{}/m-{}", at + 1, at + 1));
        paths.push(format!("/compare/{one}/{other}"));
        paths.push(format!("/calculator?m={one}&m={other}"));
    }
    paths
}

#[tokio::test]
async fn no_name_of_the_catalog_makes_anything_of_a_page() {
    assert!(NAMES.len() >= 150, "{}", NAMES.len());
    let (hostile, harmless) = (catalog(false), catalog(true));
    let app: &'static str = "<script>alert(1)</script>\"' onload=alert(1) x=";
    let (bad, good) = (pages(&hostile, app), pages(&harmless, "Harmless"));
    let mut known = BTreeSet::new();
    for path in paths(&harmless) {
        known.extend(made_of(&text(&good, &path).await));
    }
    for part in ["h1", "a href", "details", "svg"] {
        assert!(known.contains(part), "{part}");
    }
    assert!(!known.iter().any(|part| part.contains('=') || part.contains("of its own")), "{known:?}");
    for path in paths(&hostile) {
        let page = text(&bad, &path).await;
        let parts = made_of(&page);
        let new: Vec<&String> = parts.difference(&known).collect();
        assert!(new.is_empty(), "{path} has {new:?}");
    }
    // The names were there: shown, not left out.
    assert!(text(&bad, "/evil-0/m-0").await.contains("&#60;"));
}

#[tokio::test]
async fn nothing_that_is_asked_makes_anything_of_a_page() {
    let pages = router(site(several_on(), Still::new(&SMALL, &["mistral"])));
    let asks = [
        "/models?q=",
        "/models?sort=",
        "/models?author=",
        "/compare?m=",
        "/calculator?input=",
        "/calculator?m=",
        "/mistralai/small-4/mistral?hour=",
        "/charts?score=",
        "/nowhere/",
    ];
    for ask in asks {
        let harmless = made_of(&text(&pages, &format!("{ask}harmless")).await);
        for name in NAMES.iter() {
            let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            let path = format!("{ask}{}", encoded.replace('+', "%20"));
            let parts = made_of(&text(&pages, &path).await);
            let bad: Vec<&String> = parts
                .difference(&harmless)
                .filter(|part| part.contains('=') || part.contains("of its own") || part.contains(" on"))
                .filter(|part| !part.starts_with("option value"))
                .collect();
            assert!(bad.is_empty(), "{path} has {bad:?}");
        }
    }
}
