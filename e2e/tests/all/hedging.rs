//! A second provider is asked when the first has not begun in its usual time: the first token wins, the caller pays the winner,
//! and the loser's prompt is the operator's.

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Reply, Script, TestApp, Tokens, ask_stream};

fn answer(first_byte_ms: u64) -> Script {
    Script::stream().delay(first_byte_ms).finish(&["a", "b"], Tokens::new(20, 400))
}

async fn asked(owner: &Actor) -> Reply {
    let mut body = ask_stream("lab/m");
    // What is said is what takes its time: without an order the quicker one would be learned and come first.
    body["provider"] = json!({"order": ["slow", "quick"]});
    owner.chat_request(&body).header("x-tollway-preference", "latency").send().await.expect(200)
}

/// One provider whose usual time is known, late now and then, and another that is always quick.
async fn two(slow: &FakeUpstream, quick: &FakeUpstream) -> TestApp {
    slow.always(answer(0));
    quick.always(answer(0));
    let app = TestApp::builder()
        .lab(Lab::at("slow", slow).model("lab/m", "1", "2"))
        .lab(Lab::at("quick", quick).model("lab/m", "1", "2"))
        .start()
        .await;
    let owner = app.owner();
    for number in 0..60 {
        if number % 12 == 0 {
            slow.push(answer(150));
        }
        asked(&owner).await;
    }
    app
}

async fn record(owner: &Actor, reply: &Reply) -> Value {
    owner.generation(reply.header("x-generation-id").expect("an id")).await
}

#[tokio::test]
async fn the_first_token_wins_and_the_loser_is_the_operators() {
    let (slow, quick) = (FakeUpstream::start(), FakeUpstream::start());
    let app = two(&slow, &quick).await;
    let owner = app.owner();
    // The figures are made anew every second, requests fill the budget, and where many are late none is hedged.
    let reply = testkit::eventually("a hedge", || async {
        for _ in 0..15 {
            asked(&owner).await;
        }
        slow.push(answer(900));
        let reply = asked(&owner).await;
        (reply.header("x-tollway-endpoint") == Some("quick/m")).then_some(reply)
    })
    .await;
    assert!(reply.text().contains("[DONE]"), "{}", reply.text());
    let told = record(&owner, &reply).await;
    assert_eq!(told["endpoint"], "quick/m", "{told}");
    let attempts = told["attempts"].as_array().expect("attempts");
    let outcomes: Vec<_> =
        attempts.iter().map(|attempt| (&attempt["endpoint"], &attempt["outcome"])).collect();
    assert_eq!(outcomes, [(&json!("slow/m"), &json!("hedge_lost")), (&json!("quick/m"), &json!("ok"))]);
    // 20 tokens at $1 and 400 at $2 per million.
    assert_eq!((&told["total_cost"], &attempts[1]["cost_usd"]), (&json!("0.00082"), &json!("0.00082")));
    let lost: f64 = attempts[0]["cost_usd"].as_str().and_then(|text| text.parse().ok()).expect("a cost");
    assert!(lost > 0.0 && lost < 0.0001, "the prompt at most: {lost}");
    assert_ne!(app.metric("tollway_hedges_won_total").await.as_deref(), Some("0"));
    app.settled().await;
    let verified = app.cli(&["ledger", "verify"]).await;
    assert_eq!(verified["problems"], json!([]), "{verified}");
}

#[tokio::test]
async fn who_does_not_ask_for_speed_waits() {
    let (slow, quick) = (FakeUpstream::start(), FakeUpstream::start());
    let app = two(&slow, &quick).await;
    let owner = app.owner();
    let before = quick.request_count();
    let mut body = ask_stream("lab/m");
    body["provider"] = json!({"order": ["slow", "quick"]});
    for _ in 0..3 {
        slow.push(answer(700));
        let reply = owner.chat_request(&body).send().await.expect(200);
        assert_eq!(reply.header("x-tollway-endpoint"), Some("slow/m"));
    }
    assert_eq!(quick.request_count(), before);
}
