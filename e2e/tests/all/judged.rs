//! What answers turn out to be worth without anybody saying so: whether JSON that was asked for came, and who asks again at once.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask, ask_stream};

async fn figures(app: &TestApp, endpoint: &str) -> Value {
    let all = app.owner().get("/v1/models/lab/m/endpoints").await.expect(200).json();
    let list = all["data"]["endpoints"].as_array().expect("endpoints").clone();
    let found = list.into_iter().find(|one| one.to_string().contains(&format!("\"{endpoint}\"")));
    found.unwrap_or_else(|| panic!("no {endpoint} in {all}"))
}

#[tokio::test]
async fn json_is_judged_streamed_and_whole_counts_in_the_order_and_survives_a_restart() {
    let (one, two) = (FakeUpstream::start(), FakeUpstream::start());
    let mut app = TestApp::builder()
        .lab(Lab::at("one", &one).model("lab/m", "1", "1"))
        .lab(Lab::at("two", &two).model("lab/m", "9", "9"))
        .start()
        .await;
    let owner = app.owner();
    let wants = |mut body: Value, kind: &str| {
        body["response_format"] =
            json!({"type": kind, "json_schema": {"name": "x", "schema": {"required": ["a"]}}});
        body["provider"] = json!({"order": ["one"]});
        body
    };
    for number in 0..20 {
        let (kind, text) =
            if number < 10 { ("json_object", "Sure: {}") } else { ("json_schema", "{\"b\":1}") };
        let (body, script) = match number % 2 {
            0 => (wants(ask("lab/m"), kind), Script::chat(text, Tokens::new(5, 5))),
            _ => (wants(ask_stream("lab/m"), kind), Script::chat_stream(&[text], Tokens::new(5, 5))),
        };
        one.push(script);
        owner.chat_request(&body).send().await.expect(200);
    }
    one.push(Script::chat("plain", Tokens::new(5, 5)));
    let mut plain = ask("lab/m");
    plain["provider"] = json!({"order": ["one"]});
    owner.chat_request(&plain).send().await.expect(200);
    let told = figures(&app, "one").await;
    assert_eq!(
        (&told["json_answers_last_30m"], &told["json_answer_success_last_30m"]),
        (&json!(20), &json!(0.0))
    );

    // Where JSON is asked for the dearer one comes first now, and else it doesn't.
    one.always(Script::chat("plain", Tokens::new(5, 5)));
    two.always(Script::chat("{\"a\":1}", Tokens::new(5, 5)));
    let by_price = |mut body: Value| {
        body["provider"] = json!({"sort": "price"});
        body
    };
    testkit::eventually("the order to change", || async {
        let reply =
            owner.chat_request(&by_price(wants(ask("lab/m"), "json_object"))).send().await.expect(200);
        (reply.header("x-tollway-endpoint") == Some("two/m")).then_some(())
    })
    .await;
    let reply = owner.chat_request(&by_price(ask("lab/m"))).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-endpoint"), Some("one/m"));
    let told = figures(&app, "two").await;
    assert_eq!(told["json_answer_success_last_30m"], Value::Null, "few say nothing");

    app.settled().await;
    app.sigterm();
    app.exited().await;
    app.restart().await;
    assert_eq!(figures(&app, "one").await["json_answer_success_last_30m"], json!(0.0));
}

#[tokio::test]
async fn who_asks_the_same_again_at_once_was_not_content() {
    let ups = [FakeUpstream::start(), FakeUpstream::start()];
    for up in &ups {
        up.always(Script::chat("abc", Tokens::new(20, 8)));
    }
    let [one, two] = &ups;
    let mut app = TestApp::builder()
        .lab(Lab::at("one", one).model("one/m", "1", "1"))
        .lab(Lab::at("two", two).model("two/m", "1", "1.1"))
        .env("TOLLWAY_ROUTING__EXPLORE_PER_MILLE", "0")
        .start()
        .await;
    let owner = app.owner();
    let question =
        |model: &str, text: &str| json!({"model": model, "messages": [{"role": "user", "content": text}]});
    // Named models teach nothing, and different questions are no retry.
    for body in [question("two/m", "A"), question("two/m", "A"), question("tollway/auto", "B")] {
        owner.chat_request(&body).send().await.expect(200);
    }
    let reply = owner.chat_request(&question("tollway/auto", "C")).send().await.expect(200);
    let model = reply.header("x-tollway-model").expect("a model").to_owned();
    // Asked again, of a named model: the virtual model's choice was not good enough.
    owner.chat_request(&question("two/m", "C")).send().await.expect(200);
    // With feedback nothing is guessed.
    let reply = owner.chat_request(&question("tollway/auto", "D")).send().await.expect(200);
    let id = reply.header("x-generation-id").expect("an id").to_owned();
    owner.generation(&id).await;
    let said = json!({"id": id, "comment": "hm", "score": 1});
    owner.request("POST", "/v1/feedback").json(&said).send().await.expect(200);
    owner.chat_request(&question("tollway/auto", "D")).send().await.expect(200);
    app.settled().await;
    app.sigterm();
    app.exited().await;
    let learned = std::fs::read_to_string(app.data_dir().join("learned.json")).expect("what was learned");
    let learned: Value = serde_json::from_str(&learned).expect("JSON");
    assert_eq!(learned.as_object().map(serde_json::Map::len), Some(1), "{learned}");
    let cells = learned[&model]["cells"].as_array().expect("cells").clone();
    let sum = |key: &str| -> f64 { cells.iter().filter_map(|cell| cell[key].as_f64()).sum() };
    // A quarter of nothing, and one of the feedback.
    assert!((sum("weight") - 1.25).abs() < 0.01 && (sum("sum") - 1.0).abs() < 0.01, "{learned}");
}
