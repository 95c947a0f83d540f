//! Against `localstripe`, a stateful Stripe that others wrote: payments, refunds and its own webhooks are its own. It has no
//! checkout pages, so there the event is made and signed here, and names a payment that it really holds.

use std::net::SocketAddr;
use std::process::Command;

use e2e::programs::{Server, variable};
use e2e::webhooks::{self, SECRET, credited, session, tell};
use serde_json::{Value, json};
use testkit::http::Client;
use testkit::{Actor, TestApp};

use super::{manager, usd, verified};

/// A card that pays.
const GOOD_CARD: &str = "4242424242424242";
/// A card that can be saved and then pays nothing.
const DECLINING_CARD: &str = "4000000000000341";

struct LocalStripe {
    _server: Server,
    folder: tempfile::TempDir,
    addr: SocketAddr,
}

impl LocalStripe {
    async fn start() -> LocalStripe {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let addr = testkit::upstream::refused_addr();
        let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
        command.args(["-m", "localstripe", "--from-scratch", "--port", &addr.port().to_string()]);
        command.current_dir(folder.path());
        let server = Server::start(command, &folder.path().join("log"));
        let local = LocalStripe { _server: server, folder, addr };
        testkit::eventually("localstripe to listen", || async {
            Client::new(addr).get("/v1/customers").bearer("sk_test_x").try_send().await.ok().map(drop)
        })
        .await;
        local
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = Client::new(self.addr).request("POST", path).bearer("sk_test_x").json(body);
        let reply = request.send().await.expect(200);
        if reply.text().is_empty() { Value::Null } else { reply.json() }
    }

    async fn get(&self, path: &str) -> Value {
        Client::new(self.addr).get(path).bearer("sk_test_x").send().await.expect(200).json()
    }

    /// A customer with a card, and what it paid; nothing where the card declines.
    async fn customer_pays(&self, card: &str, cents: i64) -> (String, String) {
        let text = |value: &Value| value["id"].as_str().expect("an id").to_owned();
        let customer = text(&self.post("/v1/customers", &json!({})).await);
        let card = json!({"number": card, "exp_month": 12, "exp_year": 2040, "cvc": "123"});
        let method = text(&self.post("/v1/payment_methods", &json!({"type": "card", "card": card})).await);
        self.post(&format!("/v1/payment_methods/{method}/attach"), &json!({"customer": customer})).await;
        let mut intent =
            json!({"amount": cents, "currency": "usd", "customer": customer, "payment_method": method});
        if card["number"] == GOOD_CARD {
            intent["confirm"] = json!(true);
        }
        (customer, text(&self.post("/v1/payment_intents", &intent).await))
    }
}

/// A page that was paid by a payment of localstripe's, whose card is to be kept.
async fn pays_a_page(
    app: &TestApp,
    local: &LocalStripe,
    manager: &Actor,
    card: &str,
    event: &str,
) -> (String, String) {
    let asked = json!({"amount_usd": "25", "save_payment_method": true});
    // It has no such page, but the order stands.
    manager.post("/v1/credits/checkout", &asked).await.expect(502);
    let orders = manager.get("/v1/credits/orders").await.expect(200).json();
    let order = orders["data"][0]["id"].as_str().expect("an order").to_owned();
    let (customer, payment) = local.customer_pays(card, 2_625).await;
    let mut paid = session(&order, 2_625);
    (paid["payment_intent"], paid["customer"]) = (json!(payment), json!(customer));
    assert_eq!(tell(app, event, "checkout.session.completed", paid).await, "credited");
    (order, payment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_refunds_and_automatic_top_ups_at_localstripe() {
    let local = LocalStripe::start().await;
    let app = webhooks::at(&format!("http://{}", local.addr)).prepaid().start().await;
    let hook = json!({"url": format!("{}/v1/webhooks/stripe", app.url()), "secret": SECRET});
    local.post("/_config/webhooks/tollway", &hook).await;
    let manager = manager(&app).await;
    let (order, payment) = pays_a_page(&app, &local, &manager, GOOD_CARD, "evt_first").await;
    assert_eq!(credited(&app).await, usd("25"));

    let refund = app.cli(&["credits", "refund", &order, "4"]).await;
    assert_eq!(refund["outcome"], "refunded", "{refund}");
    let refunds = local.get(&format!("/v1/refunds?payment_intent={payment}")).await;
    assert_eq!(refunds["data"][0]["amount"], 400, "{refunds}");
    assert_eq!(credited(&app).await, usd("21"));

    let rules = json!({"enabled": true, "threshold_usd": "10", "amount_usd": "30", "month_max_usd": "40"});
    manager.request("PUT", "/v1/credits/auto-top-up").json(&rules).send().await.expect(200);
    app.cli(&["credits", "grant", "-15"]).await;
    testkit::eventually("the automatic top-up to be credited", || async {
        (credited(&app).await == usd("36")).then_some(())
    })
    .await;
    // Its webhook comes a second after the answer that credited already, signed by localstripe itself.
    testkit::eventually("localstripe's own webhook to be taken", || async {
        local.log().contains("\"payment_intent.succeeded\" successfully delivered").then_some(())
    })
    .await;
    assert!(!local.log().contains("failed with response code"), "{}", local.log());
    assert_eq!(credited(&app).await, usd("36"), "once");
    let intents = local.get("/v1/payment_intents").await;
    let auto: Vec<&Value> = intents["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|i| i["metadata"]["kind"] == "auto")
        .collect();
    assert_eq!((auto.len(), &auto[0]["amount"]), (1, &json!(3_150)), "{intents}");
    // Another of 31.50 would pass the month's 40: none is begun.
    app.cli(&["credits", "grant", "-30"]).await;
    stays_off(&app, &local, &manager).await;
    verified(&app).await;
}

/// A card that declines switches automatic top-ups off, and the owner is told.
async fn stays_off(app: &TestApp, local: &LocalStripe, manager: &Actor) {
    pays_a_page(app, local, manager, DECLINING_CARD, "evt_second").await;
    let rules = json!({"enabled": true, "threshold_usd": "100", "amount_usd": "30", "month_max_usd": "400"});
    manager.request("PUT", "/v1/credits/auto-top-up").json(&rules).send().await.expect(200);
    let off = testkit::eventually("it to be switched off", || async {
        let shown = manager.get("/v1/credits/auto-top-up").await.expect(200).json();
        (shown["data"]["enabled"] == false).then_some(shown)
    })
    .await;
    assert!(off["data"]["why_off"].to_string().contains("card_declined"), "{off}");
    assert_eq!(off["data"]["order_in_flight"], Value::Null);
    testkit::eventually("the owner to be told", || async {
        app.log().contains("Your automatic top-up was switched off").then_some(())
    })
    .await;
}
