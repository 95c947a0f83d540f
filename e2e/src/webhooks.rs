//! Stripe as tests need it: a scripted server for its API, events signed as its documentation says
//! (<https://docs.stripe.com/webhooks#verify-manually>), and the attack on the webhook that `cargo xtask eval webhooks` runs at
//! full count.
#![expect(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::app::AppBuilder;
use testkit::{Actor, FakeUpstream, Reply, Script, TestApp};
use types::{Clock, Money, SystemClock};

/// What the server under test is configured with.
pub const SECRET: &str = "whsec_test_0123456789";
/// Its second one.
pub const OTHER_SECRET: &str = "whsec_next_0123456789";
/// Callers at once in an attack.
const AT_ONCE: usize = 16;

/// Stripe's API, as far as a top-up and its refund need it: any page is `cs_<order>`, any payment `pi_<order>`.
pub struct FakeStripe {
    /// The scripted server.
    pub server: FakeUpstream,
    refunded: Arc<Mutex<BTreeMap<String, i64>>>,
    /// The order of each payment that was asked for without a page, by its idempotency key.
    automatic: Arc<Mutex<BTreeMap<String, String>>>,
}

impl FakeStripe {
    /// Starts one.
    pub fn start() -> FakeStripe {
        let server = FakeUpstream::start();
        let refunded: Arc<Mutex<BTreeMap<String, i64>>> = Arc::default();
        let automatic: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let (book, payments) = (Arc::clone(&refunded), Arc::clone(&automatic));
        server.answer_with(move |request| {
            let form = form(request.body());
            let field = |name: &str| form.get(name).cloned().unwrap_or_default();
            let path = request.path().split('?').next().unwrap_or_default();
            match (request.method(), path) {
                ("POST", "/v1/checkout/sessions") => {
                    let id = format!("cs_{}", field("client_reference_id"));
                    Script::json(200, &json!({"id": id, "url": format!("https://checkout.test/{id}")}))
                }
                ("POST", "/v1/refunds") => {
                    let payment = field("payment_intent");
                    *book.lock().entry(payment.clone()).or_default() += field("amount").parse().unwrap_or(0);
                    let charge = payment.replacen("pi_", "ch_", 1);
                    Script::json(200, &json!({"id": "re_1", "charge": charge, "status": "succeeded"}))
                }
                ("POST", "/v1/payment_intents") => {
                    let (order, key) = (field("metadata[order]"), request.header("idempotency-key"));
                    payments.lock().insert(key.unwrap_or_default().to_owned(), order.clone());
                    let amount: i64 = field("amount").parse().unwrap_or(0);
                    let metadata = json!({"order": order, "kind": field("metadata[kind]")});
                    Script::json(
                        200,
                        &json!({"id": format!("pi_{order}"), "status": "succeeded", "amount_received": amount,
                            "currency": "usd", "payment_method": "pm_1", "metadata": metadata}),
                    )
                }
                ("GET", path) if path.starts_with("/v1/payment_intents/") => {
                    let charge = path.replacen("/v1/payment_intents/pi_", "ch_", 1);
                    Script::json(200, &json!({"latest_charge": charge, "payment_method": "pm_1"}))
                }
                ("GET", path) if path.starts_with("/v1/charges/") => {
                    let payment = path.replacen("/v1/charges/ch_", "pi_", 1);
                    let sum = book.lock().get(&payment).copied().unwrap_or(0);
                    Script::json(
                        200,
                        &json!({"amount_refunded": sum, "currency": "usd", "payment_intent": payment}),
                    )
                }
                _ => Script::json(
                    404,
                    &json!({"error": {"message": "no such path", "code": "resource_missing"}}),
                ),
            }
        });
        FakeStripe { server, refunded, automatic }
    }

    /// What was refunded of a payment, in cents.
    pub fn refunded(&self, payment: &str) -> i64 {
        self.refunded.lock().get(payment).copied().unwrap_or(0)
    }

    /// How many payments were made without a page.
    pub fn automatic(&self) -> i64 {
        i64::try_from(self.automatic.lock().len()).unwrap_or(i64::MAX)
    }

    /// An order for which two such payments were made.
    pub fn paid_twice(&self) -> Option<String> {
        let orders = self.automatic.lock().values().cloned().collect::<Vec<_>>();
        let mut seen = std::collections::BTreeSet::new();
        orders.into_iter().find(|order| !seen.insert(order.clone()))
    }

    /// The forms that were sent to a path.
    pub fn forms(&self, path: &str) -> Vec<BTreeMap<String, String>> {
        let requests = self.server.requests();
        requests.iter().filter(|request| request.path() == path).map(|request| form(request.body())).collect()
    }

    /// A server that reaches this Stripe and believes its webhooks.
    pub fn app(&self) -> AppBuilder {
        at(&format!("http://{}", self.server.addr()))
    }
}

/// A server that reaches a Stripe at this address.
pub fn at(base_url: &str) -> AppBuilder {
    TestApp::builder()
        .set("payments.stripe.base_url", &format!("\"{base_url}\""))
        .set("payments.stripe.secret_key", "\"sk_test_0123456789\"")
        .set("payments.stripe.webhook_secret", &format!("[\"{SECRET}\", \"{OTHER_SECRET}\"]"))
        .set("fees.top_up", "[{ percent = \"5\" }]")
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemClock.now().seconds()
}

/// The header for a body.
pub fn signature(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(format!("{at}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// An event's body.
pub fn event(id: &str, kind: &str, object: Value) -> String {
    json!({"id": id, "object": "event", "type": kind, "data": {"object": object}}).to_string()
}

/// A page that was paid.
pub fn session(order: &str, cents: i64) -> Value {
    json!({
        "id": format!("cs_{order}"), "object": "checkout.session", "mode": "payment", "payment_status": "paid",
        "client_reference_id": order, "payment_intent": format!("pi_{order}"), "customer": null,
        "amount_total": cents, "currency": "usd", "metadata": {"order": order},
    })
}

/// A charge of which this much was refunded in all.
pub fn charge(order: &str, refunded: i64) -> Value {
    json!({
        "id": format!("ch_{order}"), "object": "charge", "payment_intent": format!("pi_{order}"),
        "amount_refunded": refunded, "currency": "usd", "metadata": {"order": order},
    })
}

/// Delivers a body with a header, or without.
pub async fn deliver(app: &TestApp, body: &str, header: Option<&str>) -> Reply {
    let request = app.anonymous().request("POST", "/v1/webhooks/stripe").body(body.to_owned());
    let request = request.header("content-type", "application/json");
    match header {
        Some(header) => request.header("stripe-signature", header).send().await,
        None => request.send().await,
    }
}

/// Delivers an event as Stripe would, and gives what became of it.
pub async fn tell(app: &TestApp, id: &str, kind: &str, object: Value) -> String {
    let body = event(id, kind, object);
    let reply = deliver(app, &body, Some(&signature(SECRET, now(), &body))).await.expect(200);
    reply.json()["outcome"].as_str().unwrap_or_default().to_owned()
}

/// Asks for an order of 25 dollars and gives its id: 26.25 are to be paid.
pub async fn order(manager: &Actor) -> String {
    let reply = manager.post("/v1/credits/checkout", &json!({"amount_usd": "25"})).await.expect(200).json();
    reply["data"]["id"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("no order: {reply}"))
}

/// What the books credited the owner in all.
pub async fn credited(app: &TestApp) -> Money {
    let shown = app.cli(&["credits", "show"]).await;
    let text = shown["granted_usd"].as_str().unwrap_or_else(|| panic!("no amount: {shown}"));
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What one kind of attack came to.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name.
    pub kind: &'static str,
    /// Deliveries.
    pub sent: usize,
    /// Credit that there should not be, or that is missing.
    pub wrong: Money,
    /// Answers by status and outcome.
    pub answers: BTreeMap<String, usize>,
}

struct Attack<'a> {
    app: &'a TestApp,
    manager: &'a Actor,
    count: usize,
    expected: Money,
    events: AtomicU64,
    lines: Vec<Line>,
}

/// Deliveries of every wrong kind, `count` each, and how much each credited wrongly.
pub async fn attack(app: &TestApp, manager: &Actor, count: usize) -> Vec<Line> {
    let mut attack = Attack {
        app,
        manager,
        count,
        expected: credited(app).await,
        events: AtomicU64::new(0),
        lines: Vec::new(),
    };
    attack.forged().await;
    attack.unsigned().await;
    attack.stale().await;
    attack.wrong_amount().await;
    attack.replayed().await;
    attack.reordered().await;
    attack.lines
}

/// A body and its header.
type Delivery = (String, Option<String>);

impl Attack<'_> {
    fn event_id(&self) -> String {
        format!("evt_{}", self.events.fetch_add(1, Ordering::Relaxed))
    }

    fn good(&self, order: &str) -> String {
        event(&self.event_id(), "checkout.session.completed", session(order, 2_625))
    }

    async fn deliver(&mut self, kind: &'static str, deliveries: Vec<Delivery>, more: Money) {
        self.expected = self.expected.saturating_add(more);
        let sent = deliveries.len();
        let queue = Arc::new(Mutex::new(deliveries));
        let answers: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (queue, answers) = (Arc::clone(&queue), Arc::clone(&answers));
            let caller = self.app.anonymous();
            tasks.spawn(async move {
                loop {
                    let Some((body, header)) = queue.lock().pop() else { return };
                    let request = caller.request("POST", "/v1/webhooks/stripe").body(body);
                    let request = match &header {
                        Some(header) => request.header("stripe-signature", header),
                        None => request,
                    };
                    let reply = request.send().await;
                    let said = reply.json();
                    let what = said["outcome"].as_str().or(said["error"]["type"].as_str()).unwrap_or("-");
                    *answers.lock().entry(format!("{} {what}", reply.status)).or_default() += 1;
                }
            });
        }
        tasks.join_all().await;
        let wrong = credited(self.app).await.saturating_sub(self.expected);
        let answers = answers.lock().clone();
        self.lines.push(Line { kind, sent, wrong, answers });
    }

    async fn forged(&mut self) {
        let order = order(self.manager).await;
        let forge = |n: usize| {
            let (body, at) = (self.good(&order), now());
            let right = signature(SECRET, at, &body);
            let header = match n % 5 {
                0 => signature("whsec_guess", at, &body),
                1 => signature("", at, &body),
                // Signed, and changed afterwards.
                2 => return (body.replace("2625", "262500"), Some(right)),
                3 => right.chars().take(right.len() - 1 - n % 60).collect(),
                _ => format!("t={at},v1={:064x}", n),
            };
            (body, Some(header))
        };
        let all = (0..self.count).map(forge).collect();
        self.deliver("forged", all, Money::ZERO).await;
    }

    async fn unsigned(&mut self) {
        let order = order(self.manager).await;
        let unsign = |n: usize| {
            let (body, at) = (self.good(&order), now());
            let right = signature(SECRET, at, &body);
            let header = match n % 6 {
                0 => None,
                1 => Some(String::from("-")),
                2 => Some(format!("t={at}")),
                3 => Some(right.replace("v1=", "v0=")),
                4 => Some(right.replace(&format!("t={at},"), "")),
                _ => Some(format!("t={at},v1=")),
            };
            (body, header)
        };
        let all = (0..self.count).map(unsign).collect();
        self.deliver("unsigned", all, Money::ZERO).await;
    }

    async fn stale(&mut self) {
        let order = order(self.manager).await;
        let stale = |n: usize| {
            let body = self.good(&order);
            let off = 330 + i64::try_from(n).unwrap_or(0) * 7;
            let at = if n.is_multiple_of(2) { now() - off } else { now() + off };
            let header = signature(SECRET, at, &body);
            (body, Some(header))
        };
        let all = (0..self.count).map(stale).collect();
        self.deliver("stale", all, Money::ZERO).await;
    }

    async fn wrong_amount(&mut self) {
        let (first, second) = (order(self.manager).await, order(self.manager).await);
        let wrong = |n: usize| {
            let mut object = session(&first, 2_625);
            match n % 7 {
                0 => object["amount_total"] = json!(2_624 - n),
                1 => object["amount_total"] = json!(262_500 + n),
                2 => object["currency"] = json!("jpy"),
                3 => object["client_reference_id"] = json!(format!("ord_{n}")),
                4 => object["client_reference_id"] = json!(second),
                5 => object["payment_status"] = json!("unpaid"),
                _ => object["amount_total"] = json!(-2_625),
            }
            let body = event(&self.event_id(), "checkout.session.completed", object);
            let header = signature(SECRET, now(), &body);
            (body, Some(header))
        };
        let all = (0..self.count).map(wrong).collect();
        self.deliver("wrong amount, currency or order", all, Money::ZERO).await;
    }

    async fn replayed(&mut self) {
        let order = order(self.manager).await;
        let (same, other) =
            (self.good(&order), event("evt_other_kind", "payment_intent.succeeded", json!({})));
        let replay = |n: usize| {
            let body = match n % 4 {
                0 | 1 => same.clone(),
                2 => self.good(&order),
                _ => other.clone(),
            };
            let header = signature(if n.is_multiple_of(2) { SECRET } else { OTHER_SECRET }, now(), &body);
            (body, Some(header))
        };
        let all = (0..self.count).map(replay).collect();
        self.deliver("replayed", all, Money::from_usd(25)).await;
    }

    /// Of every order: paid twice, and refunds of 1 and 3 dollars in all, shuffled. 22 dollars are left of each.
    async fn reordered(&mut self) {
        let orders = self.count.div_ceil(4);
        let mut all = Vec::new();
        for _ in 0..orders {
            let order = order(self.manager).await;
            let paid = "checkout.session.async_payment_succeeded";
            all.push(self.good(&order));
            all.push(event(&self.event_id(), paid, session(&order, 2_625)));
            all.push(event(&self.event_id(), "charge.refunded", charge(&order, 100)));
            all.push(event(&self.event_id(), "charge.refunded", charge(&order, 300)));
        }
        // A repeatable shuffle.
        let mut state = 20_261_121_u64;
        for at in (1..all.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            all.swap(at, usize::try_from(state >> 33).unwrap_or(0) % (at + 1));
        }
        let signed = |body: String| {
            let header = signature(SECRET, now(), &body);
            (body, Some(header))
        };
        let more = Money::from_usd(22 * i64::try_from(orders).unwrap_or(0));
        self.deliver("reordered", all.into_iter().map(signed).collect(), more).await;
    }
}
