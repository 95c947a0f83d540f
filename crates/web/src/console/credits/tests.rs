use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn fees(offered: bool) -> Value {
    json!({"data": {"summary": ["A top-up costs 5 %."], "top_up": {"offered": offered, "min_usd": "5"}}})
}

fn api(role: &str, offered: bool) -> FakeApi {
    let credits = json!({"data": {"mode": "prepaid", "granted_usd": "50", "used_usd": "12.5", "metered_usd": "0",
        "balance_usd": "37.5", "held_usd": "0.25", "byok": {"fee_percent": "5", "balance_usd": "3", "held_usd": "0",
        "usage_usd": "10", "fees_usd": "0.5", "requests": 4}, "total_credits": 50, "total_usage": 12.5}});
    let statement = json!({"data": {"from": "2026-06-03", "to": "2026-07-03", "currency": "USD", "opening_usd": "0",
        "movements": [
            {"at": "2026-06-04T10:00:00Z", "kind": "top_up", "entry": "<b>ord_1</b>", "calls": null, "amount_usd": "50", "balance_usd": "50"},
            {"at": "2026-06-05T00:00:00Z", "kind": "usage", "entry": null, "calls": 1204, "amount_usd": "-12.5", "balance_usd": "37.5"},
        ], "closing_usd": "37.5"}});
    let order = json!({"id": "ord_1", "processor": "stripe", "kind": "checkout", "status": "paid", "balance": "credits",
        "total_usd": "52.5", "fee_usd": "2.5", "fee_percent": "5", "credited_usd": "50", "refunded_usd": "10",
        "disputed_usd": "0", "created_at": "2026-06-04T10:00:00Z", "paid_at": null});
    let auto = json!({"data": {"enabled": false, "threshold_usd": "5", "amount_usd": "25", "month_max_usd": "100",
        "payment_method_saved": true, "order_in_flight": null, "why_off": "the card was <i>declined</i>"}});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/credits", 200, credits)
        .answering("GET /v1/credits/statement", 200, statement)
        .answering("GET /v1/credits/orders", 200, json!({"data": [order]}))
        .answering("GET /v1/credits/auto-top-up", 200, auto)
        .answering("GET /v1/fees", 200, fees(offered))
}

#[tokio::test]
async fn it_reads_like_a_statement_of_a_bank() {
    let page =
        visit(&Arc::new(api("billing", true)), "/console/credits?from=2026-06-03&to=2026-07-03", None).await;
    page.holds("Opening balance")
        .holds("+$50.00")
        .holds("-$12.50")
        .holds("1,204 calls")
        .holds("Closing balance");
    page.holds("href=\"/v1/credits/statement?from=2026-06-03&#38;to=2026-07-03&#38;format=csv\"");
    page.holds("$10.00 refunded")
        .holds("Go on to pay")
        .holds("Balance for fees")
        .lacks("<b>ord_1")
        .lacks("<i>declined");
    page.holds("GET /v1/credits/statement");
}

#[tokio::test]
async fn without_a_processor_nothing_can_be_paid() {
    let page = visit(&Arc::new(api("owner", false)), "/console/credits", None).await;
    page.lacks("Go on to pay").holds("Cards are not taken here").holds("Redeem a voucher");
}

#[tokio::test]
async fn who_may_not_pay_sees_the_balance_only() {
    let api = Arc::new(api("developer", true));
    let page = visit(&api, "/console/credits", None).await;
    page.holds("$37.50").lacks("Opening balance").lacks("Redeem");
    assert!(api.sent("GET /v1/credits/statement").is_empty());
}

#[tokio::test]
async fn a_span_that_is_none_is_said() {
    let why = json!({"error": {"type": "invalid_request", "message": "too long"}});
    let api = Arc::new(api("owner", true).answering("GET /v1/credits/statement", 400, why));
    visit(&api, "/console/credits?from=2020-01-01&to=2026-07-03", None).await.holds("at most 366 days");
}

#[tokio::test]
async fn a_payment_goes_on_by_a_link() {
    let page = json!({"data": {"id": "ord_2", "url": "https://checkout.stripe.com/c/1", "total_usd": "26.25",
                               "fee_usd": "1.25", "credited_usd": "25"}});
    let api = Arc::new(api("owner", true).answering("POST /v1/credits/checkout", 200, page));
    let go = visit(&api, "/console/credits", Some("act=pay&amount=25&save=yes")).await;
    go.holds("href=\"https://checkout.stripe.com/c/1\"").holds("$1.25");
    assert_eq!(api.sent("POST /v1/credits/checkout"), [r#"{"amount_usd":"25","save_payment_method":true}"#]);
}

#[tokio::test]
async fn vouchers_and_rules_are_calls() {
    let why = json!({"error": {"type": "voucher_invalid", "message": "no such voucher"}});
    let api = api("owner", true).answering("POST /v1/credits/redeem", 404, why).answering(
        "PUT /v1/credits/auto-top-up",
        200,
        json!({"data": {}}),
    );
    let api = Arc::new(api);
    let page = visit(&api, "/console/credits", Some("act=redeem&code=TW-1")).await;
    page.holds("No such voucher.").holds("value=\"TW-1\"").lacks("POST /v1/credits/redeem");
    let form = "act=auto&enabled=yes&threshold_usd=5&amount_usd=25&month_max_usd=100";
    let done = visit(&api, "/console/credits", Some(form)).await;
    assert_eq!(done.header("location"), "/console/credits?done=auto");
    let sent: Value = serde_json::from_str(&api.sent("PUT /v1/credits/auto-top-up")[0]).unwrap();
    assert_eq!(
        sent,
        json!({"threshold_usd": "5", "amount_usd": "25", "month_max_usd": "100", "enabled": true})
    );
}
