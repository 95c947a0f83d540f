use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api() -> FakeApi {
    let invoice = |id: &str, kind: &str, corrects: Option<&str>| {
        json!({"id": id, "kind": kind, "corrects": corrects, "issued_at": "2026-06-04T10:00:00Z", "credit_usd": "50",
               "fee_usd": "2.5", "total_usd": "52.5"})
    };
    let all = [
        invoice("INV-2026-000001", "invoice", None),
        invoice("CN-2026-000001", "credit_note", Some("INV-2026-000001")),
    ];
    let details = json!({"name": "Buyer <b>Ltd</b>", "address": ["1 High Street", "Dublin"], "country": "IE",
                         "tax_id": null, "email": null});
    FakeApi::signed_in("billing", false).answering("GET /v1/invoices", 200, json!({"data": all})).answering(
        "GET /v1/account/billing",
        200,
        json!({"data": details}),
    )
}

#[tokio::test]
async fn each_can_be_printed() {
    let page = visit(&Arc::new(api()), "/console/invoices", None).await;
    page.holds("href=\"/v1/invoices/INV-2026-000001.html\"")
        .holds("Credit note to INV-2026-000001")
        .holds("$52.50");
    page.holds("1 High Street\nDublin").lacks("<b>Ltd");
    let none = api().answering("GET /v1/invoices", 200, json!({"data": []})).answering(
        "GET /v1/account/billing",
        200,
        json!({"data": null}),
    );
    visit(&Arc::new(none), "/console/invoices", None)
        .await
        .holds("No invoice yet")
        .holds("Nothing is said yet");
}

#[tokio::test]
async fn who_pays_is_written() {
    let api = Arc::new(api().answering("PUT /v1/account/billing", 200, json!({"data": {}})));
    let form = "name=Buyer&country=ie&address=1+High+Street%0D%0ADublin&tax_id=&email=";
    let done = visit(&api, "/console/invoices", Some(form)).await;
    assert_eq!(done.header("location"), "/console/invoices?done=saved");
    let sent: Value = serde_json::from_str(&api.sent("PUT /v1/account/billing")[0]).unwrap();
    assert_eq!(sent, json!({"name": "Buyer", "country": "IE", "address": ["1 High Street", "Dublin"]}));
}

#[tokio::test]
async fn a_tax_id_that_is_none_is_said() {
    let why = json!({"error": {"type": "invalid_request", "message": "`tax_id` has not its country's form"}});
    let api = Arc::new(api().answering("PUT /v1/account/billing", 400, why));
    let page = visit(&api, "/console/invoices", Some("name=Buyer&country=IE&tax_id=%3Cx%3E")).await;
    page.holds("role=\"alert\"").holds("value=\"&#60;x&#62;\"");
}
