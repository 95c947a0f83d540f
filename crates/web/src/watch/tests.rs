use types::{PriceKind, Quote, Rate, Timestamp};

use super::{Changed, PriceChange, PriceWatch, dollars, items, told};
use crate::testing::{NOON, Records, SMALL, Still, see};

const DAY_S: i64 = 86_400;

fn rate(text: &str) -> Option<Quote> {
    Some(Quote::Known(Rate::parse_per_million(text).unwrap()))
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp::from_seconds(NOON.seconds() - days * DAY_S)
}

fn change(number: i64, endpoint: &str, days: i64, price: Option<Changed>) -> PriceChange {
    PriceChange { number, endpoint: endpoint.to_owned(), at: days_ago(days), price }
}

fn changed(kind: PriceKind, condition: &str, before: Option<Quote>, after: Option<Quote>) -> Option<Changed> {
    Some(Changed { kind, condition: condition.to_owned(), before, after })
}

/// Two changes of an offer, one of another that was gone for a while in between, and one of an offer that is gone.
fn watch() -> PriceWatch {
    let above = "above 200000 input tokens";
    PriceWatch {
        since: Some(days_ago(40)),
        changes: vec![
            change(5, "gone/gone", 1, changed(PriceKind::Input, "", rate("1"), rate("2"))),
            change(5, "mistral/small-4", 1, changed(PriceKind::Input, "", rate("0.2"), rate("0.15"))),
            change(5, "mistral/small-4", 1, changed(PriceKind::Input, above, None, Some(Quote::Unknown))),
            change(4, "venice/small-4@eu", 8, changed(PriceKind::Output, "", rate("0.9"), rate("0.8"))),
            change(3, "venice/small-4@eu", 9, None),
            change(2, "mistral/small-4", 20, changed(PriceKind::Input, "", rate("0.1"), rate("0.2"))),
            change(2, "venice/small-4@eu", 20, changed(PriceKind::Output, "", rate("7"), rate("6"))),
        ],
    }
}

fn world(prices: PriceWatch) -> Still {
    Still::new(&SMALL, &["mistral"]).recorded(Records { prices, ..Records::default() })
}

#[test]
fn the_small_catalog_has_what_these_tests_speak_of() {
    for id in ["mistral/small-4", "venice/small-4@eu"] {
        assert!(
            SMALL.endpoint(id).is_some(),
            "{id}: {:?}",
            SMALL.endpoints.iter().map(|e| &e.id).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_model_tells_what_its_prices_were() {
    let page = see(world(watch()), "/mistralai/small-4").await;
    page.holds("Prices are watched here since <span title=\"2026-05-24\">24 May 2026</span>");
    page.holds("Input (above 200000 input tokens), per 1M tokens");
    for text in [
        "$0.10",
        "$0.20",
        "$0.90",
        "$0.80",
        "id=\"price-history-title\"",
        "Mistral, input",
        "Venice (eu), output",
    ] {
        page.holds(text);
    }
    // Of before the offer was gone, and of an offer that is.
    page.lacks("$7.00");
    page.lacks("gone");
    let offer = see(world(watch()), "/mistralai/small-4/venice").await;
    offer.holds("$0.90");
    offer.lacks("$0.20");
}

#[tokio::test]
async fn without_a_change_one_line_says_since_when_it_is_watched() {
    let quiet = PriceWatch { since: Some(days_ago(2)), changes: Vec::new() };
    let page = see(world(quiet), "/mistralai/small-4").await;
    page.holds("none of these has changed");
    page.lacks("price-history-title");
    // Of prices that nobody says, nothing is said.
    let quiet = PriceWatch { since: Some(days_ago(2)), changes: Vec::new() };
    see(world(quiet), "/acme/bare/acme-cloud").await.lacks("none of these has changed");
    see(world(PriceWatch::default()), "/mistralai/small-4").await.lacks("Prices are watched");
    let down =
        Still::new(&SMALL, &[]).recorded(Records { prices: watch(), is_down: true, ..Records::default() });
    see(down, "/mistralai/small-4").await.lacks("Prices are watched");
}

#[tokio::test]
async fn steps_go_from_change_to_change_until_now() {
    let page = see(world(watch()), "/mistralai/small-4").await;
    // 40 days are a thousand wide; 0.1 until 20 days ago, 0.2 until yesterday, 0.15 since, on a scale up to 1.
    page.holds("d=\"M0 270H500V240H975V255H1000\"");
}

#[tokio::test]
async fn programs_get_the_same() {
    let twin = see(world(watch()), "/mistralai/small-4.json").await;
    let page: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
    let history = page["price_history"].as_array().unwrap();
    let of = |id: &str| history.iter().find(|one| one["endpoint"] == id).unwrap();
    let first = &of("mistral/small-4")["changes"][0];
    assert_eq!(
        (&first["price"], &first["before"], &first["after"]),
        (&"input_usd_per_mtok".into(), &"0.2".into(), &"0.15".into())
    );
    assert_eq!(of("venice/small-4@eu")["watched_since"], "2026-06-24T12:00:00Z", "since it is there again");
    assert_eq!(of("mistral/small-4")["changes"][1]["after"], "unknown");
    let all = told(&SMALL, &PriceWatch::default(), &[0]);
    assert_eq!(
        (&all[0]["watched_since"], &all[0]["changes"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
}

#[tokio::test]
async fn the_feed_has_one_entry_for_what_changed_at_once() {
    let all = items(&SMALL, &watch(), 10);
    let texts: Vec<&str> = all.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Input: $0.20 → $0.15 per 1M tokens; Input (above 200000 input tokens): no price of its own → unknown per 1M tokens",
            "Output: $0.90 → $0.80 per 1M tokens",
            "Input: $0.10 → $0.20 per 1M tokens",
            "Output: $7.00 → $6.00 per 1M tokens",
        ]
    );
    assert_eq!(
        (all[0].path.as_str(), all[0].title.as_str()),
        ("/mistralai/small-4/mistral", "Mistral Small 4 at Mistral: prices changed")
    );
    assert_eq!(items(&SMALL, &watch(), 1).len(), 1);
    let feed = see(world(watch()), "/feeds/prices.atom").await;
    assert_eq!((feed.status, feed.header("content-type")), (200, "application/atom+xml"));
    assert_eq!(feed.text.matches("<entry>").count(), 4);
    see(world(watch()), "/models").await.holds("/feeds/prices.atom");
}

#[test]
fn labels_are_prices() {
    for (y, expect) in
        [(0.0, "$0.00"), (0.5, "$0.50"), (12.0, "$12.00"), (0.0375, "$0.0375"), (2.25, "$2.25")]
    {
        assert_eq!(dollars(y), expect);
    }
}
