use crate::testing::{SHIPPED, SMALL, Still, ask, get, see, several_on};

/// Ids of the rows, in order.
fn ids(page: &str) -> Vec<&str> {
    let rows = page.split("<th scope=\"row\"><a href=\"/").skip(1);
    rows.filter_map(|row| row.split('"').next()).collect()
}

const SMALL_4: &str = "mistralai/small-4";
const LARGE: &str = "mistralai/large-3";
const VECTORS: &str = "acme/vectors";
const BARE: &str = "acme/bare";
const ECHO: &str = "sandbox/echo";

#[tokio::test]
async fn the_address_says_what_is_shown() {
    let rows: [(&str, &[&str]); 30] = [
        ("", &[SMALL_4, LARGE, VECTORS, BARE, ECHO]),
        ("?sort=price", &[VECTORS, SMALL_4, LARGE, BARE, ECHO]),
        ("?sort=price-desc", &[LARGE, SMALL_4, VECTORS, BARE, ECHO]),
        ("?sort=context", &[SMALL_4, LARGE, VECTORS, BARE, ECHO]),
        ("?sort=name", &[BARE, LARGE, SMALL_4, VECTORS, ECHO]),
        ("?sort=best", &[SMALL_4, LARGE, VECTORS, BARE, ECHO]),
        ("?q=MISTRAL", &[SMALL_4, LARGE]),
        ("?q=mistral+images", &[SMALL_4]),
        ("?q=small-latest", &[SMALL_4]),
        ("?q=nobody", &[]),
        ("?can=tools", &[SMALL_4, LARGE]),
        ("?can=tools&can=reasoning", &[SMALL_4]),
        ("?can=cache", &[SMALL_4]),
        ("?in=image", &[SMALL_4]),
        ("?out=embeddings", &[VECTORS]),
        ("?out=embeddings&out=text", &[SMALL_4, LARGE, VECTORS, BARE, ECHO]),
        ("?context=200000", &[SMALL_4]),
        ("?context=soon", &[]),
        ("?price=0", &[ECHO]),
        ("?price=0.1", &[VECTORS, ECHO]),
        ("?price=0.5", &[SMALL_4, LARGE, VECTORS, ECHO]),
        ("?author=acme", &[VECTORS, BARE]),
        ("?author=acme,mistralai", &[SMALL_4, LARGE, VECTORS, BARE]),
        ("?provider=venice", &[SMALL_4]),
        ("?weights=open", &[SMALL_4]),
        ("?data=no-training&data=no-retention", &[SMALL_4, LARGE]),
        ("?region=eu", &[SMALL_4, LARGE]),
        ("?age=180", &[SMALL_4, ECHO]),
        ("?author=mistralai&can=reasoning", &[SMALL_4]),
        ("?utm_source=x&page=99", &[SMALL_4, LARGE, VECTORS, BARE, ECHO]),
    ];
    for (query, wanted) in rows {
        let page = get(several_on(), &format!("/models{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        assert_eq!(ids(&page.text), wanted, "{query}");
    }
}

/// The count beside a value.
fn count(page: &str, id: &str) -> Option<usize> {
    let (_, rest) = page.split_once(&format!("id=\"{id}\""))?;
    rest.split_once("class=\"count\">")?.1.split_once('<')?.0.parse().ok()
}

#[tokio::test]
async fn counts_are_what_one_would_get() {
    let page = get(several_on(), "/models?author=mistralai").await.text;
    // Of one of several: the other choices put aside. Of all of several: in addition.
    let rows = [
        ("author-mistralai", Some(2)),
        ("author-acme", Some(2)),
        ("author-sandbox", Some(1)),
        ("can-tools", Some(2)),
        ("can-reasoning", Some(1)),
        ("out-text", Some(2)),
        ("out-embeddings", None),
        ("provider-venice", Some(1)),
        ("provider-acme-cloud", None),
    ];
    for (id, wanted) in rows {
        assert_eq!(count(&page, id), wanted, "{id}");
    }
    for (id, address) in
        [("can-reasoning", "?author=mistralai&can=reasoning"), ("author-acme", "?author=acme")]
    {
        let there = get(several_on(), &format!("/models{address}")).await.text;
        assert_eq!(Some(ids(&there).len()), count(&page, id), "{id}");
    }
}

#[tokio::test]
async fn a_row_says_what_is_known_and_what_is_not() {
    let page = get(several_on(), "/models").await;
    page.holds("<h1>Models</h1>");
    page.holds("<a href=\"/mistralai/small-4\">Mistral Small 4</a><small>mistralai/small-4</small>");
    for text in ["$0.15", "$0.60", "256K", "16 Mar 2026", "Vision", "Tools", "Reasoning"] {
        page.holds(text);
    }
    page.holds("class=\"unknown\"");
    page.lacks("<script>alert");
    page.lacks("First token");
    let measured = Still::new(&SMALL, &["mistral"]).measured("mistral/large-3", 440.0, 29.0);
    let page = see(measured, "/models?sort=speed").await;
    assert_eq!(ids(&page.text)[0], LARGE);
    page.holds("440 ms");
    page.holds("29 tok/s");
}

#[tokio::test]
async fn nothing_found_shows_the_way_on() {
    let page = get(several_on(), "/models?q=small-44&can=tools").await;
    page.holds("Nothing matches all of that");
    page.holds("<a href=\"/mistralai/small-4\">mistralai/small-4</a>");
    page.holds("href=\"/models?q=small-44\"");
}

#[tokio::test]
async fn the_script_gets_its_part_only() {
    let part =
        ask(several_on(), Still::new(&SMALL, &[]), "GET", "/models?q=large", &[("x-part", "list")]).await;
    assert_eq!((part.status, part.header("vary")), (200, "x-part"));
    assert_eq!(ids(&part.text), [LARGE]);
    part.lacks("<html");
    part.lacks("<h1");
}

#[tokio::test]
async fn the_twin_says_the_same_to_programs() {
    let twin = get(several_on(), "/models.json?can=reasoning").await;
    assert_eq!(
        (twin.header("content-type"), twin.header("access-control-allow-origin")),
        ("application/json", "*")
    );
    let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
    assert_eq!((&told["total"], &told["data"][0]["id"]), (&1.into(), &SMALL_4.into()));
    assert_eq!(told["data"][0]["cheapest"]["input_usd_per_mtok"], "0.15");
    assert_eq!(told["data"][0]["url"], "http://127.0.0.1:8080/mistralai/small-4");
    assert!(told["next"].is_null());
}

#[tokio::test]
async fn the_whole_catalog_comes_in_pages() {
    let world = || Still::new(&SHIPPED, &["mistral"]);
    let mut seen: Vec<String> = Vec::new();
    for number in 1..=SHIPPED.models.len().div_ceil(50) {
        let page = see(world(), &format!("/models?page={number}")).await;
        assert!(page.text.len() < 150_000, "page {number} has {} bytes", page.text.len());
        assert_eq!(page.text.matches("<h1").count(), 1);
        seen.extend(ids(&page.text).into_iter().map(str::to_owned));
    }
    seen.sort_unstable();
    let all: Vec<&str> = SHIPPED.models.iter().map(|model| &*model.id).collect();
    assert_eq!(seen, all);
}
