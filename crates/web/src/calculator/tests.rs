use catalog::Endpoint;
use serde_json::Value;
use types::{Money, PriceKind, Timestamp, Usage};

use crate::testing::{NOON, SHIPPED, SMALL, Still, ask, get, see, several_on};

const FOUR: &str = "m=mistralai/small-4&in=1500&cached=50&out=400&n=1000&per=day";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What the books would charge for one such request at an offer.
fn booked(endpoint: &str, usage: &Usage, at: Timestamp) -> Money {
    SHIPPED
        .endpoint(endpoint)
        .or_else(|| SMALL.endpoint(endpoint))
        .unwrap()
        .price
        .cost(usage, at)
        .unwrap()
        .total
}

#[tokio::test]
async fn page_and_twin_say_what_the_ledger_would() {
    let page = get(several_on(), &format!("/calculator?{FOUR}")).await;
    assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
    // 750 x 0.15 + 750 x 0.015 + 400 x 0.60, a million of it; 30,000 such requests.
    page.holds("<span title=\"$0.00036375\">$0.000364</span>");
    page.holds("<span title=\"$10.9125\">$10.91</span>");
    page.holds("$0.00036375 \u{d7} 30,000 requests = $10.9125");
    for text in ["Cache read", "750", "1,500 input tokens (750 of them from the cache) and 400 output tokens"]
    {
        page.holds(text);
    }
    let told = json(&get(several_on(), &format!("/calculator.json?{FOUR}")).await.text);
    let bill = &told["data"][0];
    assert_eq!((&bill["request_usd"], &bill["month_usd"]), (&"0.00036375".into(), &"10.9125".into()));
    let usage = Usage { input: 750, cache_read: 750, output: 400, requests: 1, ..Usage::default() };
    assert_eq!(bill["request_usd"], booked("mistral/small-4", &usage, NOON).to_string());
    assert_eq!((&told["requests_per_month"], &bill["endpoint"]), (&30_000.into(), &"mistral/small-4".into()));
    let lines = bill["lines"].as_array().unwrap();
    let sum: Money = lines.iter().fold(Money::ZERO, |sum, line| {
        sum.saturating_add(line["amount_usd"].as_str().unwrap().parse().unwrap())
    });
    assert_eq!(sum.to_string(), bill["request_usd"].as_str().unwrap());
}

/// What an offer costs, where it has prices for this.
fn priced_at(endpoint: &Endpoint, usage: &Usage) -> Option<Money> {
    endpoint.price.cost(usage, NOON).ok().filter(|cost| !cost.lines.is_empty()).map(|cost| cost.total)
}

#[tokio::test]
async fn every_priced_model_costs_what_the_ledger_says() {
    let usage = Usage { input: 200, cache_read: 800, output: 300, requests: 1, ..Usage::default() };
    let priced = |id: &&str| {
        let at = SHIPPED.resolve(id).unwrap();
        SHIPPED.model_endpoints(at).any(|endpoint| priced_at(endpoint, &usage).is_some())
    };
    let ids: Vec<&str> = SHIPPED.models.iter().map(|model| &*model.id).filter(priced).collect();
    assert!(ids.len() > 300, "{}", ids.len());
    for chunk in ids.chunks(6).step_by(5) {
        let query: String = chunk.iter().map(|id| format!("&m={id}")).collect();
        let world = Still::new(&SHIPPED, &["mistral"]);
        let told = json(
            &see(world, &format!("/calculator.json?in=1000&cached=80&out=300&n=7&per=month{query}"))
                .await
                .text,
        );
        let bills = told["data"].as_array().unwrap();
        assert_eq!(bills.len(), chunk.len());
        for bill in bills {
            let endpoint = bill["endpoint"].as_str().unwrap();
            let one = booked(endpoint, &usage, NOON);
            assert_eq!(bill["request_usd"], one.to_string(), "{endpoint}");
            assert_eq!(bill["month_usd"], Money::from_nanos(one.nanos() * 7).to_string());
            // No other offer costs less: of those at the provider that is switched on, or of all where it has none.
            let at = SHIPPED.resolve(bill["model"].as_str().unwrap()).unwrap();
            let is_on = |offer: &&Endpoint| &*offer.provider_in(&SHIPPED).unwrap().id == "mistral";
            let is_priced = |offer: &&Endpoint| priced_at(offer, &usage).is_some();
            let has_one = SHIPPED.model_endpoints(at).filter(is_priced).any(|offer| is_on(&offer));
            for other in SHIPPED.model_endpoints(at).filter(|offer| !has_one || is_on(offer)) {
                if let Some(cost) = priced_at(other, &usage) {
                    assert!(cost >= one, "{endpoint} and {}", other.id);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_offer_can_be_named_and_the_others_are_told() {
    let both = get(several_on(), &format!("/calculator?{FOUR}&m=mistralai/small-4@venice/eu")).await;
    both.holds("at Venice (eu)");
    both.holds("class=\"best\"><span title=\"$10.9125\">");
    both.holds("m=mistralai/small-4%40venice/eu");
    let told = json(&get(several_on(), "/calculator.json?in=10&n=1&m=mistralai/small-4@venice").await.text);
    assert_eq!(told["data"][0]["endpoint"], "venice/small-4@eu");
    let gone = get(several_on(), "/calculator?in=10&n=1&m=mistralai/small-4@nobody").await;
    gone.holds("has no priced offer of it");
}

#[tokio::test]
async fn a_tier_is_told_with_its_condition() {
    let page = get(several_on(), "/calculator?in=200001&n=1&per=month&m=mistralai/small-4@mistral").await;
    page.holds("The price above 200,000 input tokens holds.");
    page.holds("$0.30<small>per 1M tokens</small>");
    assert!(SMALL.endpoint("mistral/small-4").unwrap().price.quote(PriceKind::Input).is_some());
}

#[tokio::test]
async fn what_cannot_be_read_is_said_beside_it_and_nothing_is_priced() {
    let page =
        get(several_on(), "/calculator?in=%22%3E%3Cscript%3Ealert(1)&out=-5&m=mistralai/small-4&n=1").await;
    assert_eq!(page.status, 200);
    page.holds("aria-invalid=\"true\"");
    page.holds("data-for=\"out\">Write a whole number from 0 to 1,000,000,000");
    page.holds("Nothing is priced until every number can be read");
    page.lacks("<script>alert");
    page.lacks("How each bill is made");
    let twin = get(several_on(), "/calculator.json?in=lots").await;
    assert_eq!(twin.status, 400);
    let told = json(&twin.text);
    assert_eq!(
        (&told["error"]["type"], &told["error"]["metadata"]["problems"][0]["field"]),
        (&"invalid_request".into(), &"in".into())
    );
}

#[tokio::test]
async fn unknown_models_and_unknown_prices_do_not_stop_the_rest() {
    let page = get(
        several_on(),
        "/calculator?in=1000&n=1&per=month&m=mistralai/smal-4&m=acme/bare&m=mistralai/large-3",
    )
    .await;
    page.holds("Not priced: no model of this catalog has this name.");
    page.holds("<a href=\"/calculator?in=1000&#38;n=1&#38;per=month&#38;m=mistralai/small-4&#38;m=acme/bare&#38;m=mistralai/large-3\">");
    page.holds("Not priced: the price for input is unknown.");
    page.holds("$0.0005");
    page.lacks("<script>alert");
    let bad = get(several_on(), "/calculator?m=%3Cb%3E&in=1").await;
    bad.holds("is no id of a model");
    bad.lacks("<b>:");
}

#[tokio::test]
async fn a_bare_address_shows_the_first_preset_at_what_the_router_takes() {
    let page = get(several_on(), "/calculator").await;
    page.holds("Chat assistant.</b>");
    page.holds("No model is chosen");
    page.holds("<a href=\"/mistralai/");
    for preset in crate::calculate::PRESETS {
        page.holds(preset.name);
    }
    let part =
        ask(several_on(), Still::new(&SMALL, &[]), "GET", "/calculator?in=x", &[("x-part", "costs")]).await;
    assert_eq!(part.header("vary"), "x-part");
    part.holds("data-of=\"in\"");
    part.lacks("<h1");
}
