//! What calls with own keys cost: nothing for tokens, a fee from a balance of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::app::Actor;
use testkit::{ask, ask_stream, eventually};

use super::{MINE, OURS, Shop, key_of, put};

/// A call that costs a cent at list price: its fee of 5 % is half a thousandth of a dollar.
fn cent(stream: bool) -> Value {
    let mut body = if stream { ask_stream("lab/cent") } else { ask("lab/cent") };
    body["max_tokens"] = json!(10);
    body
}

async fn prepaid() -> Shop {
    let shop = Shop::with(|builder| builder.prepaid()).await;
    shop.bring(&json!({"provider": "lab", "key": MINE})).await;
    shop
}

async fn byok(actor: &Actor) -> Value {
    actor.get("/v1/credits").await.expect(200).json()["data"]["byok"].take()
}

async fn granted(shop: &Shop, amount: &str) {
    shop.app.cli(&["byok", "grant", amount]).await;
    eventually("the grant to be seen", || async {
        (byok(&shop.manager).await["balance_usd"] != "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_empty_balance_is_refused_and_no_other_key_is_used_instead() {
    let shop = prepaid().await;
    let owner = shop.app.owner();
    shop.app.cli(&["credits", "grant", "10"]).await;
    eventually("the credits to be seen", || async {
        (owner.get("/v1/credits").await.json()["data"]["balance_usd"] == "10").then_some(())
    })
    .await;
    let start = shop.upstream.request_count();
    for stream in [false, true] {
        let refused = owner.chat_request(&cent(stream)).send().await.expect(402);
        let error = refused.json()["error"].take();
        assert_eq!(
            (&error["type"], &error["metadata"]["scope"]),
            (&json!("byok_balance_empty"), &json!("byok"))
        );
        assert!(error["message"].as_str().is_some_and(|m| m.contains("POST /v1/byok/balance")), "{error}");
    }
    assert_eq!(shop.upstream.request_count(), start, "nobody was called");
    assert_eq!(owner.get("/v1/credits").await.json()["data"]["used_usd"], "0", "credits are untouched");
    // The owner opts in: then credits pay the fee, and only the fee.
    put(&shop.manager, "/v1/byok/settings", &json!({"on_empty": "credits"})).await.expect(200);
    let reply = owner.chat_request(&cent(false)).send().await.expect(200);
    let record = owner.generation(&reply.generation_id()).await;
    assert_eq!(
        (&record["paid_by"], &record["balance"], &record["total_cost"]),
        (&json!("byok"), &json!("credits"), &json!("0.0005"))
    );
    assert_eq!(key_of(shop.upstream.requests().last().expect("a request")), MINE);
    put(&shop.manager, "/v1/byok/settings", &json!({"on_empty": "refuse"})).await.expect(200);
    owner.chat_request(&cent(false)).send().await.expect(402);
    put(&shop.manager, "/v1/byok/strategy", &json!({"lab": "ours"})).await.expect(200);
    owner.chat_request(&cent(false)).send().await.expect(200);
    assert_eq!(key_of(shop.upstream.requests().last().expect("a request")), OURS);
    shop.app.settled().await;
    let verified = shop.app.cli(&["ledger", "verify"]).await;
    assert_eq!(verified["problems"], json!([]), "{verified}");
}

#[tokio::test]
async fn credits_move_to_the_balance_and_fees_come_out_of_it() {
    let shop = prepaid().await;
    let (owner, manager) = (shop.app.owner(), &shop.manager);
    let fill = |amount: &str, id: &str| {
        manager.post_owned("/v1/byok/balance", json!({"from": "credits", "amount_usd": amount, "id": id}))
    };
    fill("1", "early").await.expect(402);
    shop.app.cli(&["credits", "grant", "3"]).await;
    let filled = eventually("the credits to be there", || async {
        let reply = fill("1", "first").await;
        (reply.status == 200).then_some(reply)
    });
    let filled = filled.await.json()["data"].take();
    assert_eq!((&filled["applied"], &filled["balance_usd"]), (&json!(true), &json!("1")), "{filled}");
    assert_eq!(fill("1", "first").await.expect(200).json()["data"]["applied"], false, "once per id");
    fill("2", "first").await.expect(400);
    fill("2.5", "more").await.expect(402);
    for wrong in [
        json!({"from": "credits"}),
        json!({"from": "credits", "amount_usd": "-1"}),
        json!({"amount_usd": "1"}),
    ] {
        manager.post("/v1/byok/balance", &wrong).await.expect(400);
    }
    eventually("both balances to have moved", || async {
        let data = owner.get("/v1/credits").await.json()["data"].take();
        (data["balance_usd"] == "2" && data["byok"]["balance_usd"] == "1" && data["held_usd"] == "0")
            .then_some(())
    })
    .await;
    for stream in [false, true] {
        let reply = owner.chat_request(&cent(stream)).send().await.expect(200);
        let record = owner.generation(&reply.generation_id()).await;
        assert_eq!(
            (&record["total_cost"], &record["balance"]),
            (&json!("0.0005"), &json!("byok")),
            "{record}"
        );
        assert_eq!(record["fee"], json!({"percent": "5", "due_usd": "0.0005"}));
        assert_eq!(
            (&record["cost_lines"][1]["amount_usd"], &record["written_off"]),
            (&json!("0.01"), &json!("0"))
        );
        assert!(record["byok_key"].is_string() && record["attempts"][0]["cost_usd"] == "0", "{record}");
    }
    let reply = owner.chat_request(&cent(false)).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-cost-usd"), Some("0.0005"));
    let usage = reply.json()["usage"].take();
    assert_eq!((&usage["is_byok"], usage["cost"].as_f64()), (&json!(true), Some(0.0005)), "{usage}");
    assert_eq!(usage["cost_details"]["upstream_inference_cost"].as_f64(), Some(0.01), "{usage}");
    shop.app.settled().await;
    let data = eventually("the use to be counted", || async {
        let data = owner.get("/v1/credits").await.json()["data"].take();
        (data["byok"]["requests"] == 3).then_some(data)
    })
    .await;
    assert_eq!((&data["used_usd"], &data["balance_usd"]), (&json!("0"), &json!("2")), "{data}");
    assert_eq!(
        (&data["byok"]["usage_usd"], &data["byok"]["fees_usd"], &data["byok"]["balance_usd"]),
        (&json!("0.03"), &json!("0.0015"), &json!("0.9985"))
    );
    let key = owner.get("/v1/key").await.json()["data"].take();
    let days = owner.get("/v1/activity").await.expect(200);
    let (own, fees) =
        (&days.json()["data"][0]["byok_usage_inference"], &days.json()["data"][0]["charged_usd"]);
    assert_eq!((own.as_f64(), fees), (Some(0.03), &json!("0.0015")), "{}", days.text());
    assert_eq!((key["byok_usage"].as_f64(), &key["byok_fees_usd"]), (Some(0.03), &json!("0.0015")), "{key}");
    assert_eq!(shop.app.cli(&["ledger", "verify"]).await["problems"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_affordable_calls_pass_on_a_balance_for_fees() {
    let shop = prepaid().await;
    granted(&shop, "0.0105").await;
    let owner = shop.app.owner();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..200 {
        calls.spawn(owner.chat_request(&cent(number % 2 == 1)).send());
    }
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for reply in calls.join_all().await {
        *counts.entry(reply.status).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([(200, 21), (402, 179)]));
    shop.app.settled().await;
    eventually("the balance to be empty", || async {
        (byok(&owner).await["balance_usd"] == "0").then_some(())
    })
    .await;
    assert_eq!(shop.app.cli(&["ledger", "verify"]).await["problems"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_under_way_between_balances_is_in_one_of_them_only() {
    let shop = prepaid().await;
    shop.app.cli(&["credits", "grant", "1"]).await;
    let manager = shop.manager.clone();
    eventually("the credits to be seen", || async {
        (manager.get("/v1/credits").await.json()["data"]["balance_usd"] == "1").then_some(())
    })
    .await;
    let mut moves = tokio::task::JoinSet::new();
    for number in 0..40 {
        let body = json!({"from": "credits", "amount_usd": "0.1", "id": format!("m{number}")});
        moves.spawn(manager.clone().post_owned("/v1/byok/balance", body));
    }
    let replies = moves.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 10);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 402)));
    eventually("both balances to have moved", || async {
        let data = manager.get("/v1/credits").await.json()["data"].take();
        (data["balance_usd"] == "0" && data["byok"]["balance_usd"] == "1" && data["held_usd"] == "0")
            .then_some(())
    })
    .await;
    assert_eq!(shop.app.cli(&["ledger", "verify"]).await["problems"], json!([]));
}

#[tokio::test]
async fn where_nobody_needs_a_balance_the_fee_is_booked_as_use() {
    let shop = Shop::with(|builder| builder.set("fees.byok_percent", "\"2.5\"")).await;
    shop.bring(&json!({"provider": "lab", "key": MINE})).await;
    let owner = shop.app.owner();
    let reply = owner.chat_request(&cent(false)).send().await.expect(200);
    let record = owner.generation(&reply.generation_id()).await;
    assert_eq!(
        (&record["paid_by"], &record["balance"], &record["total_cost"]),
        (&json!("byok"), &json!("metered"), &json!("0.00025"))
    );
    shop.manager.post("/v1/byok/balance", &json!({"from": "credits", "amount_usd": "1"})).await.expect(400);
    shop.app.settled().await;
    let data = owner.get("/v1/credits").await.json()["data"].take();
    assert_eq!(
        (&data["metered_usd"], &data["byok"]["fee_percent"]),
        (&json!("0.00025"), &json!("2.5")),
        "{data}"
    );
    assert_eq!(shop.app.cli(&["ledger", "verify"]).await["problems"], json!([]));
}
