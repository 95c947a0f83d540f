//! What callers say of answers is kept, merges, and moves what the virtual models choose.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask};

async fn two_models() -> (TestApp, [FakeUpstream; 2]) {
    let ups = [FakeUpstream::start(), FakeUpstream::start()];
    for up in &ups {
        up.always(Script::chat("abc", Tokens::new(20, 8)));
    }
    let [one, two] = &ups;
    let app = TestApp::builder()
        .lab(Lab::at("one", one).model("one/m", "1", "1"))
        .lab(Lab::at("two", two).model("two/m", "1", "1.1"))
        .env("TOLLWAY_ROUTING__EXPLORE_PER_MILLE", "0")
        .start()
        .await;
    (app, ups)
}

async fn said(app: &TestApp, body: &Value) -> testkit::Reply {
    app.owner().request("POST", "/v1/feedback").json(body).send().await
}

#[tokio::test]
async fn feedback_merges_is_counted_once_and_moves_the_choice() {
    let (app, _ups) = two_models().await;
    let owner = app.owner();
    let auto = ask("tollway/auto");
    let first = owner.chat_request(&auto).send().await.expect(200);
    let endpoint = first.header("x-tollway-endpoint").expect("an endpoint").to_owned();
    let id = first.header("x-generation-id").expect("an id").to_owned();
    owner.generation(&id).await;

    let told = said(&app, &json!({"id": id, "rating": "down", "comment": "wrong"})).await.expect(200).json();
    assert_eq!(told["data"]["counted"], true, "{told}");
    let again = said(&app, &json!({"request_id": id, "rating": "down", "by": "me"})).await.expect(200).json();
    assert_eq!(again["data"]["counted"], false, "the same again teaches nothing");
    assert_eq!(again["data"]["feedback"], json!({"rating": "down", "comment": "wrong", "by": "me"}));

    // Answers that were bad, one after another, until the other model comes first.
    let moved = testkit::eventually("the choice to move", || async {
        for _ in 0..20 {
            let reply = owner.chat_request(&auto).send().await.expect(200);
            if reply.header("x-tollway-endpoint") != Some(&endpoint) {
                return Some(());
            }
            let id = reply.header("x-generation-id").expect("an id");
            owner.generation(id).await;
            said(&app, &json!({"id": id, "score": 0})).await.expect(200);
        }
        None
    });
    moved.await;

    let told = owner.post("/v1/route", &auto).await.expect(200).json();
    let steps = told["data"]["plan"].as_array().expect("a plan");
    let step = |at: &str| steps.iter().find(|step| step["endpoint"] == at).expect("both models");
    let other = if endpoint == "one/m" { "two/m" } else { "one/m" };
    let (bad, unrated) = (step(&endpoint), step(other));
    assert_eq!(bad["learned"]["counts"], true, "{bad}");
    let kinds = bad["learned"]["kinds"].as_array().expect("kinds");
    let counted = kinds.iter().find(|kind| kind["counts"] == true).expect("a kind that counts");
    assert_eq!(counted["why"], "surely worse than a mix of two other models at the same cost", "{bad}");
    assert!(bad["quality"].as_f64() < bad["prior"].as_f64(), "{bad}");
    assert_eq!((&unrated["learned"], &unrated["quality"]), (&Value::Null, &unrated["prior"]), "{unrated}");
}

#[tokio::test]
async fn what_is_no_feedback_is_refused_with_the_remedy() {
    let (app, _ups) = two_models().await;
    let reply = app.owner().chat_request(&ask("one/m")).send().await.expect(200);
    let id = reply.header("x-generation-id").expect("an id").to_owned();
    app.owner().generation(&id).await;
    let rows = [
        (json!({"rating": "up"}), 400, "`id` is missing"),
        (json!({"id": id}), 400, "nothing is said"),
        (json!({"id": id, "score": 7}), 400, "from 0 (useless) to 1"),
        (
            json!({"id": "gen-1767225600-AAAAAAAAAAAAAAAAAAAA", "rating": "up"}),
            404,
            "no generation of this account",
        ),
        (json!({"id": id, "comment": "x".repeat(20_000)}), 413, "larger than"),
    ];
    for (body, status, expect) in rows {
        let reply = said(&app, &body).await.expect(status);
        assert!(reply.text().contains(expect), "{body}: {}", reply.text());
    }
    let (other, _) = app.new_key(&[]).await;
    let reply = other
        .request("POST", "/v1/generation/feedback")
        .json(&json!({"id": id, "rating": "up"}))
        .send()
        .await;
    assert_eq!(reply.status, 200, "another key of the same account may say so: {}", reply.text());
}
