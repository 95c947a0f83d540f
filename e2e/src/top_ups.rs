//! The crash loop over payments: the gateway told to die while Stripe tells it of payments and refunds, and while it asks for
//! automatic top-ups. Afterwards every payment that Stripe has is on the balance, each once.
//!
//! - Deliveries are repeated until one is answered 200, as Stripe does it, and now and then once more.
//! - The Stripe of this loop makes one payment per `Idempotency-Key`, and remembers it while the gateway is dead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{Actor, TestApp};
use types::Money;

use crate::chaos::scramble;
use crate::points::{Options, verify};
use crate::webhooks::{FakeStripe, SECRET, charge, credited, event, now, order, session, signature};

/// Where it dies.
pub const POINTS: [&str; 3] = ["ordered", "top_up", "topped_up"];
/// Orders that are paid in one life, and of each a dollar is paid back.
const ORDERS: u64 = 4;
/// Deliveries at once.
const SENDERS: usize = 3;
/// Turns at which a point kills, at most.
const TURN_MAX: u64 = 12;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Crashes, by point.
    pub crashes: BTreeMap<&'static str, usize>,
    /// Orders that were paid on Stripe's page.
    pub pages: i64,
    /// Automatic payments that Stripe made.
    pub automatic: i64,
    /// Deliveries that were not answered.
    pub unanswered: usize,
    /// What breaks a rule.
    pub problems: Vec<String>,
}

/// Events that wait to be delivered.
type Outbox = Arc<Mutex<VecDeque<String>>>;

struct Loop {
    app: TestApp,
    stripe: FakeStripe,
    manager: String,
    outbox: Outbox,
    events: u64,
    report: Report,
}

/// Runs all points on one database: `None`, SQLite, else where it is.
pub async fn run(options: Options, store_url: Option<&str>, mut progress: impl FnMut(&str, usize)) -> Report {
    let mut all = start(store_url).await;
    let mut random = options.seed;
    for point in POINTS {
        for number in 0..options.count {
            random = scramble(random);
            all.life(&format!("{point}:{}", 1 + random % TURN_MAX)).await;
            *all.report.crashes.entry(point).or_default() += 1;
            progress(point, number + 1);
        }
        if let Some(problem) = verify(&all.app, None).await {
            all.report.problems.push(format!("after {point}: {problem}"));
        }
    }
    all.report.automatic = all.stripe.automatic();
    all.report
}

async fn start(store_url: Option<&str>) -> Loop {
    let stripe = FakeStripe::start();
    let mut builder = stripe.app().set("payments.interval_ms", "20");
    if let Some(url) = store_url {
        builder = builder.set("store.url", &format!("{url:?}"));
    }
    let app = builder.start().await;
    let manager = app.cli(&["keys", "create", "--name", "manager", "--management"]).await;
    let manager = manager.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut all =
        Loop { app, stripe, manager, outbox: Outbox::default(), events: 0, report: Report::default() };
    // The first payment saves what automatic ones are paid with.
    let asked = json!({"amount_usd": "25", "save_payment_method": true});
    let actor = all.manager().await;
    let made = actor.post("/v1/credits/checkout", &asked).await.expect(200).json();
    let id = made.pointer("/data/id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut paid = session(&id, 2_625);
    if let Some(customer) = paid.get_mut("customer") {
        *customer = json!("cus_1");
    }
    all.send("checkout.session.completed", paid);
    all.report.pages += 1;
    all.drain().await;
    all
}

impl Loop {
    /// Whoever manages the account's money; known to the server once it has read the key.
    async fn manager(&self) -> Actor {
        let actor = self.app.with_key(&self.manager);
        testkit::eventually("the key to be known", || async {
            (actor.get("/v1/credits/auto-top-up").await.status == 200).then_some(())
        })
        .await;
        actor
    }

    fn send(&mut self, kind: &str, object: Value) {
        self.events += 1;
        self.outbox.lock().push_back(event(&format!("evt_{}", self.events), kind, object));
    }

    /// From one quiet moment to the next, with a crash in between.
    async fn life(&mut self, at: &str) {
        let manager = self.manager().await;
        for _ in 0..ORDERS {
            let id = order(&manager).await;
            self.send("checkout.session.completed", session(&id, 2_625));
            self.send("charge.refunded", charge(&id, 100));
            self.report.pages += 1;
        }
        self.app.restart_with(&[("TOLLWAY_CRASH_AT", at)]).await;
        let actor = self.app.with_key(&self.manager);
        let _ = actor.request("PUT", "/v1/credits/auto-top-up").json(&rules(true)).try_send().await;
        let sending = self.senders();
        let status = self.app.exited().await;
        if status.success() {
            self.report.problems.push(format!("{at}: the process ended by itself"));
        }
        self.report.unanswered += sending.join_all().await.into_iter().sum::<usize>();
        self.app.restart().await;
        let manager = self.manager().await;
        manager.request("PUT", "/v1/credits/auto-top-up").json(&rules(false)).send().await.expect(200);
        self.drain().await;
        self.all_is_credited(at).await;
    }

    /// Callers who deliver until nobody answers; each gives how many of its deliveries had no answer.
    fn senders(&self) -> tokio::task::JoinSet<usize> {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..SENDERS {
            let (outbox, caller) = (Arc::clone(&self.outbox), self.app.anonymous());
            tasks.spawn(async move {
                let mut delivered = 0_usize;
                loop {
                    let Some(body) = outbox.lock().pop_front() else { return 0 };
                    if !deliver(&caller, &body).await {
                        outbox.lock().push_back(body);
                        return 1;
                    }
                    delivered += 1;
                    if delivered.is_multiple_of(3) && !deliver(&caller, &body).await {
                        return 1;
                    }
                }
            });
        }
        tasks
    }

    /// Delivers all that is left.
    async fn drain(&self) {
        let caller = self.app.anonymous();
        loop {
            let Some(body) = self.outbox.lock().pop_front() else { return };
            if !deliver(&caller, &body).await {
                self.outbox.lock().push_back(body);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    }

    /// Waits until no automatic payment is under way, and compares.
    async fn all_is_credited(&mut self, at: &str) {
        let manager = self.manager().await;
        testkit::eventually("the automatic top-up to end", || async {
            let shown = manager.get("/v1/credits/auto-top-up").await.json();
            (shown.pointer("/data/order_in_flight") == Some(&Value::Null)).then_some(())
        })
        .await;
        // Of every order but the first a dollar went back.
        let (pages, automatic) = (self.report.pages, self.stripe.automatic());
        let expected = Money::from_usd((pages + automatic) * 25 - (pages - 1));
        let booked = credited(&self.app).await;
        if booked != expected {
            let problem = format!("{at}: {booked} are credited of {pages} pages and {automatic} payments");
            self.report.problems.push(problem);
        }
        if let Some(order) = self.stripe.paid_twice() {
            self.report.problems.push(format!("{at}: {order} was paid twice"));
        }
    }
}

fn rules(enabled: bool) -> Value {
    json!({"enabled": enabled, "threshold_usd": "1000000", "amount_usd": "25", "month_max_usd": "9000000"})
}

async fn deliver(caller: &Actor, body: &str) -> bool {
    let request = caller.request("POST", "/v1/webhooks/stripe").body(body.to_owned());
    let request = request.header("content-type", "application/json");
    let request = request.header("stripe-signature", &signature(SECRET, now(), body));
    request.try_send().await.is_ok_and(|reply| reply.whole && reply.status == 200)
}
