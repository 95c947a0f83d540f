//! Money that comes in: pages of Stripe's, webhooks, refunds, vouchers, invoices, statements, and what calls cost beside the
//! providers' prices.

mod localstripe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::webhooks::{
    FakeStripe, SECRET, attack, charge, credited, deliver, event, now, order, session, signature, tell,
};
use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp, Tokens, ask};
use types::Money;

async fn manager(app: &TestApp) -> Actor {
    app.new_key(&["--management"]).await.0
}

async fn verified(app: &TestApp) {
    app.settled().await;
    let books = app.cli(&["ledger", "verify"]).await;
    assert_eq!(books["ok"], true, "{books}");
}

fn usd(text: &str) -> Money {
    text.parse().expect("an amount")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_paid_and_credited_and_partly_refunded() {
    let (stripe, upstream) = (FakeStripe::start(), FakeUpstream::start());
    upstream.answer_with(|_| Script::chat("ab", Tokens::new(20, 10)));
    let builder = stripe.app().prepaid().set("seller.name", "\"Acme <b>GmbH</b>\"");
    let app = builder.lab(Lab::at("lab", &upstream).model("lab/cent", "0", "1000")).start().await;
    let manager = manager(&app).await;
    app.owner().chat("lab/cent").await.expect(402);
    let details = json!({"name": "Buyer", "address": "Main 1", "country": "DE", "tax_id": "DE 123 456 789"});
    manager.request("PUT", "/v1/account/billing").json(&details).send().await.expect(200);
    let id = order(&manager).await;
    let form = stripe.forms("/v1/checkout/sessions").remove(0);
    let expect = [
        ("mode", "payment"),
        ("client_reference_id", id.as_str()),
        ("payment_intent_data[metadata][order]", id.as_str()),
        ("line_items[0][price_data][unit_amount]", "2500"),
        ("line_items[1][price_data][unit_amount]", "125"),
        ("line_items[1][price_data][currency]", "usd"),
    ];
    for (name, value) in expect {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{name}: {form:?}");
    }
    assert!(form["success_url"].starts_with(&app.url()) && form["success_url"].contains(&id), "{form:?}");
    assert_eq!(
        tell(&app, "e0", "checkout.session.completed", json!({"payment_status": "unpaid"})).await,
        "ignored"
    );
    assert_eq!(tell(&app, "e1", "checkout.session.completed", session(&id, 2_625)).await, "credited");
    testkit::eventually("the credit to be spendable", || async {
        (app.owner().chat_request(&ask("lab/cent")).send().await.status == 200).then_some(())
    })
    .await;
    let shown = manager.get(&format!("/v1/credits/orders/{id}")).await.expect(200).json();
    assert_eq!((&shown["data"]["status"], &shown["data"]["credited_usd"]), (&json!("paid"), &json!("25")));
    app.settled().await;
    let refused = app.cli_raw(&["credits", "refund", &id, "25"]).await;
    assert_eq!(refused.status.code(), Some(2), "a cent was spent: {refused:?}");
    let refund = app.cli(&["credits", "refund", &id, "10"]).await;
    assert_eq!((&refund["payment_usd"], &refund["outcome"]), (&json!("10"), &json!("refunded")), "{refund}");
    assert_eq!(stripe.refunded(&format!("pi_{id}")), 1_000);
    assert_eq!(tell(&app, "e2", "charge.refunded", charge(&id, 1_000)).await, "nothing_new");
    assert_eq!(credited(&app).await, usd("15"));
    verified(&app).await;
    papers(&app, &manager).await;
}

/// The invoice, the credit note and the statement of what went before.
async fn papers(app: &TestApp, manager: &Actor) {
    let all = manager.get("/v1/invoices").await.expect(200).json();
    let kinds: BTreeMap<&str, &Value> = all["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| (i["kind"].as_str().unwrap_or(""), i))
        .collect();
    let (invoice, note) = (kinds["invoice"], kinds["credit_note"]);
    assert_eq!((&invoice["total_usd"], &invoice["fee_usd"]), (&json!("26.25"), &json!("1.25")));
    assert_eq!((&note["total_usd"], &note["corrects"]), (&json!("10"), &invoice["id"]));
    assert_eq!(invoice["buyer"]["tax_id"], "DE123456789");
    let id = invoice["id"].as_str().expect("an id");
    assert!(id.starts_with("INV-20") && id.ends_with("-000001"), "{id}");
    let page = manager.get(&format!("/v1/invoices/{id}.html")).await.expect(200);
    let policy = page.header("content-security-policy").unwrap_or_default().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let text = page.text();
    assert!(text.contains("Acme &lt;b&gt;GmbH&lt;/b&gt;") && text.contains("26.25 USD"), "{text}");
    assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
    let statement = manager.get("/v1/credits/statement").await.expect(200).json();
    let data = &statement["data"];
    let last = data["movements"].as_array().and_then(|m| m.last()).expect("movements");
    assert_eq!((&data["opening_usd"], &data["closing_usd"]), (&json!("0"), &last["balance_usd"]), "{data}");
    let shown = app.cli(&["credits", "show"]).await;
    assert_eq!(data["closing_usd"], shown["balance_usd"], "{data}");
    let csv = manager.get("/v1/credits/statement?format=csv").await.expect(200).text();
    let ends = format!(",closing,,,,{}\r\n", shown["balance_usd"].as_str().unwrap_or_default());
    assert!(csv.ends_with(&ends) && csv.contains(",top_up,topup:"), "{csv}");
    for (query, status) in [("from=x", 400), ("from=2026-01-02&to=2026-01-01", 400), ("format=pdf", 400)] {
        manager.get(&format!("/v1/credits/statement?{query}")).await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_are_wrong_credit_nothing() {
    const COUNT: usize = 50;
    let stripe = FakeStripe::start();
    let app = stripe.app().start().await;
    let manager = manager(&app).await;
    let lines = attack(&app, &manager, COUNT).await;
    assert_eq!(lines.len(), 6);
    for line in lines {
        assert_eq!(line.wrong, Money::ZERO, "{line:?}");
        assert!(line.sent >= COUNT, "{line:?}");
        let refused = ["forged", "unsigned", "stale"].contains(&line.kind);
        let expect = if refused { "400 webhook_refused" } else { "200 " };
        assert!(line.answers.keys().all(|answer| answer.starts_with(expect)), "{line:?}");
    }
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_50_deliveries_at_once_one_credits() {
    let stripe = FakeStripe::start();
    let app = stripe.app().start().await;
    let manager = manager(&app).await;
    let id = order(&manager).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let body = event(&format!("evt_{}", n % 5), "checkout.session.completed", session(&id, 2_625));
        let header = signature(SECRET, now(), &body);
        let caller = app.anonymous();
        tasks.spawn(async move {
            let request = caller.request("POST", "/v1/webhooks/stripe").body(body);
            let reply = request.header("stripe-signature", &header).send().await.expect(200);
            reply.json()["outcome"].as_str().unwrap_or_default().to_owned()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "credited").count(), 1, "{outcomes:?}");
    assert_eq!(credited(&app).await, usd("25"));
    verified(&app).await;
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    let app = TestApp::builder().set("payments.stripe.secret_key", "\"sk_test_0123456789\"").start().await;
    let body = event("evt_1", "checkout.session.completed", session("ord_1", 2_625));
    for secret in ["", SECRET] {
        let reply = deliver(&app, &body, Some(&signature(secret, now(), &body))).await.expect(404);
        assert_eq!(reply.json()["error"]["type"], "not_found");
    }
    app.anonymous().get("/v1/webhooks/stripe").await.expect(404);
    let off = TestApp::builder().start().await;
    let refused =
        manager(&off).await.post("/v1/credits/checkout", &json!({"amount_usd": "25"})).await.expect(404);
    assert_eq!(refused.json()["error"]["type"], "payments_off");
}

#[tokio::test]
async fn payments_are_for_management_keys_of_their_account() {
    let stripe = FakeStripe::start();
    let app = stripe.app().start().await;
    let manager = manager(&app).await;
    let id = order(&manager).await;
    assert_eq!(tell(&app, "e1", "checkout.session.completed", session(&id, 2_625)).await, "credited");
    let store = store::Store::open(&format!("sqlite:{}", app.data_dir().join("tollway.db").display())).await;
    let (store, other) = (store.expect("the store opens"), types::AccountId::new("acct_other"));
    store.ensure_account(&other, "Other", types::Timestamp(0)).await.expect("an account is made");
    store.close().await;
    let (stranger, _) = app.new_key(&["--management", "--account", "acct_other"]).await;
    let invoice =
        manager.get("/v1/invoices").await.json()["data"][0]["id"].as_str().expect("an id").to_owned();
    let paths = [
        ("GET", "/v1/credits/orders".to_owned(), 200),
        ("GET", format!("/v1/credits/orders/{id}"), 404),
        ("GET", "/v1/invoices".to_owned(), 200),
        ("GET", format!("/v1/invoices/{invoice}"), 404),
        ("GET", format!("/v1/invoices/{invoice}.html"), 404),
        ("GET", "/v1/credits/statement".to_owned(), 200),
        ("GET", "/v1/credits/auto-top-up".to_owned(), 200),
        ("GET", "/v1/account/billing".to_owned(), 200),
        ("PUT", "/v1/account/billing".to_owned(), 400),
        ("PUT", "/v1/credits/auto-top-up".to_owned(), 400),
        ("POST", "/v1/credits/redeem".to_owned(), 400),
        ("POST", "/v1/credits/checkout".to_owned(), 400),
    ];
    for (method, path, strange) in paths {
        app.anonymous().request(method, &path).send().await.expect(401);
        let refused = app.owner().request(method, &path).send().await.expect(403);
        assert_eq!(refused.json()["error"]["type"], "wrong_key_kind", "{path}");
        let reply = stranger.request(method, &path).send().await.expect(strange);
        assert!(!reply.text().contains(&id) && !reply.text().contains(&invoice), "{path}: {}", reply.text());
        if method == "GET" {
            manager.get(&path).await.expect(200);
        }
    }
}

#[tokio::test]
async fn fees_are_what_the_configuration_says_everywhere() {
    let stripe = FakeStripe::start();
    let builder = stripe.app().set("fees.fee_on", "\"included\"").set("fees.fee_min_usd", "\"0.50\"");
    let builder = builder.set("fees.top_up_min_usd", "\"7\"").set("fees.byok_percent", "\"4.5\"");
    let app = builder.set("credits.trial_usd", "\"1\"").start().await;
    let fees = app.anonymous().get("/v1/fees").await.expect(200).json();
    let top_up = &fees["data"]["top_up"];
    let shown =
        ["percent", "fee_on", "fee_min_usd", "min_usd"].map(|name| top_up[name].as_str().unwrap_or("-"));
    assert_eq!(shown, ["5", "included", "0.5", "7"], "{fees}");
    assert_eq!((&fees["data"]["byok"]["percent"], &fees["data"]["trial_usd"]), (&json!("4.5"), &json!("1")));
    let said = fees["data"]["summary"].to_string();
    assert!(
        said.contains("Topping up costs 5 % of what is paid") && said.contains("at least 0.5 USD"),
        "{said}"
    );
    let manager = manager(&app).await;
    // amount, status, credited
    let rows = [
        (json!("6.99"), 422, None),
        (json!(7), 200, Some("6.5")),
        (json!("25.001"), 422, None),
        (json!(12.5), 200, Some("11.87")),
        (json!(1e3), 400, None),
        (json!("-5"), 422, None),
        (json!("10001"), 422, None),
        (json!(null), 400, None),
        (json!("2e1"), 400, None),
    ];
    for (amount, status, credited) in rows {
        let body = match &amount {
            // As a number with an exponent, which no plain decimal has.
            Value::Number(n) if n.as_f64() == Some(1_000.0) => "{\"amount_usd\": 1e3}".to_owned(),
            other => json!({"amount_usd": other}).to_string(),
        };
        let request = manager.request("POST", "/v1/credits/checkout").body(body);
        let reply = request.send().await.expect(status).json();
        assert_eq!(reply["data"]["credited_usd"].as_str(), credited, "{amount}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voucher_is_redeemed_once() {
    let app = TestApp::builder().start().await;
    let manager = manager(&app).await;
    let made = app.cli(&["vouchers", "create", "--amount", "5", "--count", "3", "--expires", "30d"]).await;
    let codes: Vec<&str> =
        made["codes"].as_array().expect("codes").iter().filter_map(Value::as_str).collect();
    let redeem = |code: &str| manager.request("POST", "/v1/credits/redeem").json(&json!({"code": code}));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        tasks.spawn(redeem(codes[0]).send());
    }
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for reply in tasks.join_all().await {
        *statuses.entry(reply.status).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(200, 1), (409, 49)]));
    assert_eq!(credited(&app).await, usd("5"));
    let second = redeem(codes[1]).send().await.expect(409).json();
    assert!(second.to_string().contains("may redeem 1"), "{second}");
    app.cli(&["vouchers", "revoke", made["batch"].as_str().expect("a batch")]).await;
    assert_eq!(redeem(codes[2]).send().await.expect(404).json()["error"]["type"], "voucher_unknown");
    let mistyped = redeem(&codes[0].replace(&codes[0][4..6], "ZZ")).send().await.expect(404).json();
    assert!(mistyped.to_string().contains("mistyped"), "{mistyped}");
    let listed = app.cli(&["vouchers", "list"]).await;
    assert_eq!(listed["vouchers"].as_array().map(Vec::len), Some(3));
    for code in codes {
        let plain = code.replace("TW-", "").replace('-', "");
        let seen = |text: &str| text.contains(code) || text.contains(&plain);
        assert!(!seen(&listed.to_string()) && !seen(&app.log()), "a code is shown once");
        for file in ["tollway.db", "tollway.db-wal"] {
            let bytes = std::fs::read(app.data_dir().join(file)).unwrap_or_default();
            assert!(!seen(&String::from_utf8_lossy(&bytes)), "{file}");
        }
    }
    verified(&app).await;
}

#[tokio::test]
async fn markup_and_discount_are_on_the_record_and_in_the_books() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(|request| {
        let tokens = Tokens::new(20, 10);
        if request.wants_stream() {
            Script::chat_stream(&["a", "b"], tokens)
        } else {
            Script::chat("ab", tokens)
        }
    });
    let lab = Lab::at("lab", &upstream).model("lab/cent", "0", "1000").model("lab/plain", "0", "1000");
    let builder = TestApp::builder().lab(lab).prepaid();
    let builder = builder.set("fees.markup", "{ \"*\" = \"10\", \"lab/plain\" = \"0\" }");
    let builder = builder.set("fees.volume_discount", "[{ from_usd = \"0.01\", percent = \"50\" }]");
    let mut app = builder.start().await;
    app.cli(&["credits", "grant", "10"]).await;
    let owner = app.owner();
    testkit::eventually("the grant to be seen", || async {
        (owner.chat("lab/plain").await.status == 200).then_some(())
    })
    .await;
    let reply = owner.chat("lab/cent").await.expect(200);
    // A cent and its tenth, before anything was used this month.
    assert_eq!(reply.header("x-tollway-cost-usd"), Some("0.011"));
    let record = owner.generation(&reply.generation_id()).await;
    let charge = &record["charge"];
    let shown =
        ["cost_usd", "markup_percent", "markup_usd", "total_usd"].map(|n| charge[n].as_str().unwrap_or("-"));
    assert_eq!(shown, ["0.01", "10", "0.001", "0.011"], "{record}");
    assert_eq!((&record["total_cost"], &record["written_off"]), (&json!("0.011"), &json!("0")));
    verified(&app).await;
    // After a restart the month's use is known at once.
    app.sigterm();
    app.exited().await;
    app.restart().await;
    let owner = app.owner();
    let reply = owner.chat("lab/cent").await.expect(200);
    assert_eq!(reply.header("x-tollway-cost-usd"), Some("0.0055"), "half of it from a cent on");
    let rest = owner.stream("lab/cent").await.rest().await;
    assert!(rest.text().contains("0.0055"), "{}", rest.text());
    verified(&app).await;
}

#[tokio::test]
async fn a_stripe_that_fails_leaves_the_order_open_for_its_payment() {
    let stripe = FakeStripe::start();
    let app = stripe.app().start().await;
    let manager = manager(&app).await;
    for _ in 0..3 {
        stripe.server.push(Script::json(503, &json!({})));
    }
    let refused = manager.post("/v1/credits/checkout", &json!({"amount_usd": "25"})).await.expect(502).json();
    assert_eq!(refused["error"]["type"], "payment_processor_failed");
    let requests = stripe.server.requests();
    let keys: Vec<_> = requests.iter().map(|r| r.header("idempotency-key").unwrap_or_default()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0] && key.starts_with("checkout-ord_")), "{keys:?}");
    let orders = manager.get("/v1/credits/orders").await.expect(200).json();
    let order = orders["data"][0]["id"].as_str().expect("the order is stored");
    assert_eq!(orders["data"][0]["status"], "created");
    // Stripe had made the page all the same, and its customer paid.
    assert_eq!(tell(&app, "e1", "checkout.session.completed", session(order, 2_625)).await, "credited");
    // A refund that Stripe refuses leaves the balance as it was.
    stripe.server.push(Script::json(400, &json!({"error": {"code": "charge_disputed", "message": "No."}})));
    let failed = app.cli_raw(&["credits", "refund", order, "5"]).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("back on the balance"), "{failed:?}");
    assert_eq!(credited(&app).await, usd("25"));
    // One that breaks off is ended by the same command once more.
    for _ in 0..3 {
        stripe.server.push(Script::json(500, &json!({})));
    }
    let unknown = app.cli_raw(&["credits", "refund", order, "5"]).await;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("stays set aside"), "{unknown:?}");
    assert_eq!(credited(&app).await, usd("20"));
    let ended = app.cli(&["credits", "refund", order]).await;
    assert_eq!((&ended["credit_usd"], stripe.refunded(&format!("pi_{order}"))), (&json!("5"), 500));
    assert_eq!(credited(&app).await, usd("20"));
    verified(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_takes_days_is_asked_for_once() {
    let stripe = FakeStripe::start();
    let app = stripe.app().start().await;
    let manager = manager(&app).await;
    let asked = json!({"amount_usd": "25", "save_payment_method": true});
    let made = manager.post("/v1/credits/checkout", &asked).await.expect(200).json();
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    let form = stripe.forms("/v1/checkout/sessions").remove(0);
    assert_eq!(form["payment_intent_data[setup_future_usage]"], "off_session", "{form:?}");
    let rules = json!({"enabled": true, "threshold_usd": "50", "amount_usd": "25", "month_max_usd": "100"});
    let put = |rules: &Value| manager.request("PUT", "/v1/credits/auto-top-up").json(rules).send();
    let refused = put(&rules).await.expect(422).json();
    assert!(refused.to_string().contains("no payment method is saved"), "{refused}");
    let paid = Arc::new(AtomicBool::new(false));
    let (done, order) = (Arc::clone(&paid), Arc::new(parking_lot::Mutex::new(String::new())));
    stripe.server.answer_with(move |request| {
        let intent = |status: &str, order: &str| {
            json!({"id": "pi_auto", "status": status, "amount_received": 2_625, "currency": "usd",
                "payment_method": "pm_1", "metadata": {"order": order, "kind": "auto"}})
        };
        if request.method() == "POST" {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let (_, named) = body.split_once("metadata%5Border%5D=").unwrap_or_default();
            *order.lock() = named.split('&').next().unwrap_or_default().to_owned();
        }
        let status = if done.load(Ordering::Relaxed) { "succeeded" } else { "processing" };
        Script::json(200, &intent(status, &order.lock()))
    });
    let mut first = session(&id, 2_625);
    first["customer"] = json!("cus_1");
    assert_eq!(tell(&app, "e1", "checkout.session.completed", first).await, "credited");
    put(&rules).await.expect(200);
    let count = |method: &str, path: &str| {
        stripe.server.requests().iter().filter(|r| r.method() == method && r.path() == path).count()
    };
    testkit::eventually("the payment to be looked after twice", || async {
        (count("GET", "/v1/payment_intents/pi_auto") >= 2).then_some(())
    })
    .await;
    paid.store(true, Ordering::Relaxed);
    testkit::eventually("it to be credited", || async { (credited(&app).await == usd("50")).then_some(()) })
        .await;
    assert_eq!(count("POST", "/v1/payment_intents"), 1);
    let shown = manager.get("/v1/credits/auto-top-up").await.expect(200).json();
    assert_eq!((&shown["data"]["order_in_flight"], &shown["data"]["enabled"]), (&Value::Null, &json!(true)));
    verified(&app).await;
}
